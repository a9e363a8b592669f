"""Processes of the service that only evaluate, as tests start, hurt and watch them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from telehealth.store.db import Database
from tests.integration.ingest import wards

#: A generous one: the promise is 10 s.
SECONDS = 60.0


@contextlib.asynccontextmanager
async def evaluator(app_url: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One process; killed at the end if it still runs."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TELEHEALTH_", "DATABASE_", "MQTT_"))}
    with tempfile.NamedTemporaryFile(prefix="th-log-", suffix=".log") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "telehealth", "serve", "--roles", "alerting"),
            env=kept | {"DATABASE_URL": app_url} | settings,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=log,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def until(database: Database, query: str, *arguments: object, seconds: float = SECONDS) -> None:
    """Until the query has a row; looked at whenever something changes, and ten times a second."""
    changed = asyncio.Event()
    async with asyncio.timeout(seconds), database.listen("changes", lambda _payload: changed.set()):
        while True:
            changed.clear()
            if await wards.rows(database, query, *arguments):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), 0.1)


async def all_done(database: Database, *, seconds: float = SECONDS) -> None:
    """Until nothing that came in waits."""
    nothing = "SELECT 1 WHERE NOT EXISTS (SELECT FROM evaluation_due WHERE due_at = '-infinity')"
    await until(database, nothing, seconds=seconds)


def faked(offset: Path, *, monotonic: bool = False) -> Mapping[str, str]:
    """Settings of a process whose clock is off by what a file says. monotonic: that clock too."""
    library = next(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"), None)
    assert library is not None, "faketime is missing: apt-get install faketime"
    settings = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
    }
    return settings if monotonic else settings | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
