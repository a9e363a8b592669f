"""Every named query is valid against the migrated schema, on the newest and the oldest PostgreSQL."""

from __future__ import annotations

import re

import asyncpg
import pytest

from telehealth.store import queries
from tests.conftest import Urls
from tests.support import servers

_PLANNED = re.compile(r"^\s*(--[^\n]*\n\s*)*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)


@pytest.fixture(params=["postgres_18", "postgres_15"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


async def test_every_query_is_valid(urls: Urls) -> None:
    """The application role can prepare each named query: names, types and grants exist."""
    connection = await asyncpg.connect(urls.app)
    troubles = {}
    try:
        for name in queries.names():
            try:
                await _try(connection, queries.sql(name))
            except asyncpg.PostgresError as error:
                troubles[name] = str(error)
    finally:
        await connection.close()
    assert not troubles


async def _try(connection: asyncpg.Connection, text: str) -> None:
    """Prepare, and plan with null parameters: grants are checked only when a plan is opened."""
    statement = await connection.prepare(text)
    if _PLANNED.search(text):
        await statement.explain(*[None] * len(statement.get_parameters()))
