"""Fixtures that every kind of test shares: a cluster per run, a database per test cloned from a migrated template."""

from __future__ import annotations

import itertools
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import asyncpg
import hypothesis
import pytest

from telehealth.store import migrate
from telehealth.store.db import Database
from tests.support import servers

# The same examples on every run, and no test that fails because the machine is busy.
hypothesis.settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("steady")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Urls:
    """One test's own database, by role."""

    app: str
    owner: str
    super: str


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Whoever is started in the background ignores Ctrl-C, and so would the commands that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_18() -> Iterator[servers.Postgres]:
    """The embedded PostgreSQL."""
    with servers.postgres(servers.embedded_binaries()) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_15() -> Iterator[servers.Postgres]:
    """Debian's PostgreSQL, the oldest that is supported."""
    with servers.postgres(servers.debian_binaries()) as server:
        yield server


@pytest.fixture(params=["postgres_18"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    """The cluster of a test; tests of store and ingest override this to run on both."""
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


async def _ensure_template(server: servers.Postgres) -> None:
    admin = await asyncpg.connect(server.url("super", "postgres"))
    try:
        if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = 'template_telehealth'"):
            return
        await admin.execute("CREATE DATABASE template_building OWNER telehealth_owner")
        await migrate.migrate(server.url("telehealth_owner", "template_building"))
        await admin.execute("ALTER DATABASE template_building RENAME TO template_telehealth")
    finally:
        await admin.close()


@pytest.fixture
async def urls(postgres: servers.Postgres) -> AsyncIterator[Urls]:
    """A fresh migrated database; dropped afterwards."""
    await _ensure_template(postgres)
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(postgres.url("super", "postgres"))
    try:
        await admin.execute(
            f"CREATE DATABASE {name} TEMPLATE template_telehealth OWNER telehealth_owner STRATEGY file_copy"
        )
        yield Urls(*(postgres.url(role, name) for role in ("telehealth_app", "telehealth_owner", "super")))
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture
async def database(urls: Urls) -> AsyncIterator[Database]:
    """The test's database as the application role."""
    async with Database.open(urls.app, size=6) as opened:
        yield opened
