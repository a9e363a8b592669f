"""All of the benchmark, on servers of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from telehealth.bench import drain, folding, screen, servers
from telehealth.bench.drain import Drains
from telehealth.bench.folding import Folding
from telehealth.bench.screen import Latencies
from telehealth.store import db
from telehealth.store.db import Database

_SHOWN = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers")


class Report(msgspec.Struct):
    """Rates are messages a second unless named otherwise; postgres: as SHOW says."""

    cores: int
    postgres: dict[str, str]
    mosquitto: str
    mosquitto_conf: str
    drain: Drains
    publish_to_screen_ms: Latencies
    evaluation: Folding


async def everything(plan: drain.Plan, seconds: int, *, progress: Callable[[str], None]) -> Report:
    """Measure all, one after the other. seconds: of publishing to the screen."""
    with tempfile.TemporaryDirectory(prefix="telehealth-bench-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        progress("residents a second on one core")
        folded = folding.measure()
        async with servers.mosquitto(folder) as broker:
            async with servers.postgres(folder / "screen") as url:
                progress("publish to screen at 200 messages/s")
                seen = await screen.measure(screen.Plan(seconds=seconds), url, broker)
            async with servers.postgres(folder / "drain") as url:
                shown = await _settings(url)
                progress(f"drains of {plan.per_device * plan.devices:,} messages, {plan.runs} runs of each")
                drained = await drain.measure(plan, url, broker, progress=progress)
    return Report(os.cpu_count() or 1, shown, broker.version, servers.MOSQUITTO, drained, seen, folded)


async def _settings(url: str) -> dict[str, str]:
    async with (
        Database.open(url, size=1) as database,
        database.transaction(db.operator("bench"), read_only=True) as connection,
    ):
        return {name: str(await connection.fetchval(f"SHOW {name}")) for name in _SHOWN}
