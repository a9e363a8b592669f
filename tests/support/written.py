"""Waiting for what processes write: rows tell nobody by themselves, so for as long as somebody waits a trigger does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import asyncpg

T = TypeVar("T")
_CHANNEL = "rows_of_tests"


async def until(
    database_url: str, table: str, look: Callable[[], Awaitable[T]], wanted: Callable[[T], object], seconds: float = 30
) -> T:
    """What look() finds, once it is wanted; it looks again whenever something is written to the table.

    database_url: of the application's role, in a database of these tests.
    """
    async with asyncio.timeout(seconds), _written(database_url, table) as told:
        while True:
            told.clear()
            found = await look()
            if wanted(found):
                return found
            await told.wait()


@contextlib.asynccontextmanager
async def _written(database_url: str, table: str) -> AsyncIterator[asyncio.Event]:
    owner = await asyncpg.connect(database_url.replace("telehealth_app", "telehealth_owner", 1))
    told = asyncio.Event()
    try:
        await owner.add_listener(_CHANNEL, lambda *_: told.set())
        await owner.execute(
            "CREATE OR REPLACE FUNCTION tell_tests() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN PERFORM pg_notify('{_CHANNEL}', ''); RETURN NULL; END $$"
        )
        await owner.execute(
            f"CREATE OR REPLACE TRIGGER tell_tests AFTER INSERT OR UPDATE OR DELETE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION tell_tests()"
        )
        yield told
    finally:
        await owner.execute(f"DROP TRIGGER IF EXISTS tell_tests ON {table}")
        await owner.close()
