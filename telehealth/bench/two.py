"""One and two processes of `telehealth serve --roles ingest` on the same preload."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from telehealth import clock
from telehealth.bench import drain, load, processes, publisher, servers
from telehealth.errors import Unavailable
from telehealth.store import db
from telehealth.store.db import Database
from telehealth.store.queries import sql

_LONGEST_SECONDS = 180.0
#: The ends are left out: processes start and stop there.
_FROM, _TO = 0.1, 0.9


@dataclass(frozen=True)
class Plan:
    messages: int = 100_000
    devices: int = 1000
    runs: int = 2


class Processes(msgspec.Struct):
    """Messages a second of each run, between a tenth and nine tenths of them."""

    messages: int
    one: list[float]
    two: list[float]
    ratio: float


async def measure(
    plan: Plan, url: str, broker: servers.Mosquitto, *, progress: Callable[[str], None] = lambda _: None
) -> Processes:
    """One and two processes in turn. Raises Unavailable when they do not come to an end."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    async with Database.open(url, size=2) as database:
        fleet = await load.fleet(database, plan.devices, prefix="two")
        for run in range(plan.runs):
            for count in (1, 2):
                rates[count].append(await _run(plan, fleet, database, url, broker, count, f"two{run}{count}"))
                progress(f"run {run + 1}, {count} of them: {rates[count][-1]:,.0f} messages/s")
    one, two = (statistics.median(rates[count]) for count in (1, 2))
    return Processes(plan.messages, rates[1], rates[2], two / one)


async def _run(
    plan: Plan, fleet: load.Fleet, database: Database, url: str, broker: servers.Mosquitto, count: int, stream: str
) -> float:
    each = plan.messages // plan.devices
    await drain.subscribe(broker)
    await publisher.publish(broker.port, load.messages(fleet.device_ids, each, stream=stream, last_at=clock.real_now()))
    total = each * plan.devices
    started = clock.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count):
            await stack.enter_async_context(processes.serving(url, broker, roles="ingest"))
        first = await _reached(database, stream, _FROM * total)
        last = await _reached(database, stream, _TO * total)
        await _reached(database, stream, total)
    await processes.forget_sessions(broker)
    if last[1] == first[1]:  # so few that they came together
        return total / (last[0] - started)
    return (last[1] - first[1]) / (last[0] - first[0])


async def _reached(database: Database, stream: str, wanted: float) -> tuple[float, int]:
    """When so many messages are settled, and how many they were then."""
    deadline = clock.monotonic() + _LONGEST_SECONDS
    while clock.monotonic() < deadline:
        async with database.transaction(db.operator("bench"), read_only=True) as connection:
            settled = await connection.fetchval(sql("bench.settled"), stream)
        if settled >= wanted:
            return clock.monotonic(), settled
        await asyncio.sleep(0.05)
    raise Unavailable(f"{settled} of {wanted:.0f} messages are settled, and it does not come to an end")
