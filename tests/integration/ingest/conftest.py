"""Ingest is tested on the newest and the oldest PostgreSQL."""

from __future__ import annotations

import pytest

from tests.support import servers


@pytest.fixture(params=["postgres_18", "postgres_15"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server
