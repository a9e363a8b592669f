"""The service for the benchmark, in a process of its own: ingest and evaluation until everything is done."""

from __future__ import annotations

import asyncio
import sys

import msgspec
import uvloop

from telehealth import clock, config, log, metrics
from telehealth.alerting import evaluator
from telehealth.clock import ClinicalClock
from telehealth.errors import Unavailable
from telehealth.ingest import service
from telehealth.model.health import Health
from telehealth.store import db, evaluation
from telehealth.store.db import Database

_LONGEST_SECONDS = 240.0


class Result(msgspec.Struct):
    """Seconds since connecting: until the last receipt was published, and until nothing was due any more."""

    receipts: float
    episodes: float


async def run(count: int) -> Result:
    """Take in count messages. Settings as for the service."""
    settings = config.from_environment()
    ticking, health = ClinicalClock(), Health()
    async with (
        Database.open(settings.needed("database_url"), size=settings.database_connections) as database,
        asyncio.TaskGroup() as group,
    ):
        started = clock.monotonic()
        tasks = [
            group.create_task(service.run(settings=settings, database=database, clock=ticking, health=health)),
            group.create_task(evaluator.run(database=database, clock=ticking, health=health)),
        ]
        while _value("telehealth_messages_total") < count or _value("telehealth_receipts_waiting"):
            await _a_moment(0.01, started, "ingest")
        receipts = clock.monotonic() - started
        while rows := await _due(database, ticking):
            await _a_moment(0.05, started, f"evaluation, {rows} rows due")
        episodes = clock.monotonic() - started
        for task in tasks:
            task.cancel()
    return Result(receipts, episodes)


async def _a_moment(seconds: float, started: float, what: str) -> None:
    """Look again a little later: what is measured offers nothing to wait for, so as not to cost anything."""
    if clock.monotonic() - started > _LONGEST_SECONDS:
        counts = {name: _value(name) for name in ("telehealth_messages_total", "telehealth_receipts_waiting")}
        raise Unavailable(f"{what} does not come to an end: {counts}")
    await asyncio.sleep(seconds)


def _value(name: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, {"lane": "live"}) or 0.0


async def _due(database: Database, ticking: ClinicalClock) -> int:
    async with database.transaction(db.service("alerting"), read_only=True) as connection:
        rows, _ = await evaluation.queue(connection, ticking.horizon())
        return rows


if __name__ == "__main__":
    log.configure("error")
    sys.stdout.write(msgspec.json.encode(uvloop.run(run(int(sys.argv[1])))).decode() + "\n")
