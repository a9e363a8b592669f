"""From publish to screen: a red reading until its alert is on a clinician's WebSocket, by the whole service."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from telehealth import clock
from telehealth.bench import load, offered, processes, raw, servers, watching
from telehealth.errors import Unavailable
from telehealth.store import db, evaluation
from telehealth.store.db import Database

_QUIET_SECONDS = 20.0


@dataclass(frozen=True)
class Plan:
    """residents: on one ward, on one screen; each becomes red once, evenly over the time."""

    a_second: int = 200
    seconds: int = 20
    residents: int = 200


class Latencies(msgspec.Struct):
    """Milliseconds from publish to the alert on the WebSocket."""

    messages_a_second: int
    seconds: int
    residents_on_the_ward: int
    alerts: int
    p50: float
    p99: float
    longest: float


async def _judged(url: str) -> None:
    """Until nobody waits to be evaluated. Raises TimeoutError."""
    async with Database.open(url, size=2) as database, asyncio.timeout(_QUIET_SECONDS):
        while True:
            async with database.transaction(db.service("bench"), read_only=True) as connection:
                rows, _ = await evaluation.queue(connection, clock.real_now())
            if not rows:
                return
            await asyncio.sleep(0.1)


async def measure(plan: Plan, url: str, broker: servers.Mosquitto) -> Latencies:
    """Publish to the whole service at a steady rate. Raises Unavailable if an alert does not arrive."""
    name = f"screen{plan.a_second}"
    async with Database.open(url, size=4) as database:
        fleet = await load.fleet(database, plan.residents, prefix=name)
        token = await watching.token(database, fleet.ward_id, name)
    published: dict[int, float] = {}
    devices = offered.Devices(fleet.device_ids, name)
    client = raw.Client("bench-screen")
    count = plan.a_second * plan.seconds
    every = count // plan.residents

    def send(n: int) -> None:
        """Every device in turn; one of each so many messages is the first red of its resident."""
        red, turn = n % every == 0, n // every
        which = turn % plan.residents if red else (n * 7) % plan.residents
        if red and turn < plan.residents:
            published[fleet.resident_ids[which]] = clock.monotonic()
        # Who has been red stays so, and who has not is well: nobody else alarms or clears.
        devices.publish(client, fleet.device_ids[which], offered.pair(84 if red or which < turn else 97))

    async with (
        processes.serving(url, broker) as service,
        watching.watching(service, token, fleet.ward_id) as screen,
        offered.connected(broker.port, [client]),
    ):
        # A ward whose service is up: that everybody was just admitted is not what is measured.
        await _judged(url)
        await offered.steadily(plan.a_second, plan.seconds, send, client.drain)
        await screen.all(plan.residents, _QUIET_SECONDS)
    await processes.forget_sessions(broker)
    if len(screen.seen) < plan.residents:
        raise Unavailable(f"{plan.residents - len(screen.seen)} of {plan.residents} alerts did not arrive")
    took = offered.percentiles([screen.seen[resident] - at for resident, at in published.items()])
    return Latencies(plan.a_second, plan.seconds, plan.residents, took.count, took.p50, took.p99, took.longest)
