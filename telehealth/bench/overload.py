"""Far more than the service can take in: it must neither fall over nor grow, and lose nothing that is red."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from telehealth import clock
from telehealth.bench import load, offered, processes, raw, servers, watching
from telehealth.errors import Unavailable
from telehealth.store import db
from telehealth.store.db import Database
from telehealth.store.queries import sql

_QUIET_SECONDS = 60.0
_UNACKNOWLEDGED = 20_000
_RECEIPTS = "telehealth/v1/+/receipts"


@dataclass(frozen=True)
class Plan:
    """a_second: what is tried; broker and publisher may allow less. most_waiting: then devices keep the rest.

    Each device is red once, evenly over the time.
    """

    a_second: int
    seconds: int = 20
    devices: int = 500
    most_waiting: int = 1_500_000


class Overload(msgspec.Struct):
    """offered: messages that the broker took; bytes: most of the service's resident memory."""

    tried_a_second: int
    offered_a_second: float
    seconds: int
    messages: int
    #: From the last publish until every message was answered, and every red reading was an alert.
    drain_seconds: float
    alive: bool
    missing_readings: int
    residents_red: int
    residents_alerted: int
    service_bytes: int
    receipt_ms: offered.Percentiles


async def measure(plan: Plan, url: str, broker: servers.Mosquitto) -> Overload:
    """Offer more than can be taken in, then wait until all is."""
    async with Database.open(url, size=4) as database:
        fleet = await load.fleet(database, plan.devices, prefix="overload")
        token = await watching.token(database, fleet.ward_id, "overload")
    devices = offered.Devices(fleet.device_ids, "overload")
    ear = raw.Client("bench-overload-ear", devices.heard)
    mouth = raw.Client("bench-overload")
    started = clock.monotonic()
    red: set[int] = set()

    def send(n: int) -> None:
        which = n % plan.devices
        turn = int((clock.monotonic() - started) / plan.seconds * plan.devices)
        is_red = turn % plan.devices == which
        if is_red:
            red.add(fleet.resident_ids[which])
        devices.publish(mouth, fleet.device_ids[which], offered.pair(84 if is_red else 97))

    async def room() -> None:
        await mouth.drain()
        await mouth.acknowledged(_UNACKNOWLEDGED)
        while devices.sent - devices.settled > plan.most_waiting:
            devices.progress.clear()
            await devices.progress.wait()

    async with (
        processes.serving(url, broker) as service,
        watching.watching(service, token, fleet.ward_id) as screen,
        offered.connected(broker.port, [ear], [_RECEIPTS]),
        offered.connected(broker.port, [mouth]),
    ):
        started = clock.monotonic()
        count = await offered.steadily(plan.a_second, plan.seconds, send, room)
        sent = clock.monotonic()
        answered = await devices.all_settled(_QUIET_SECONDS)
        await screen.all(len(red), _QUIET_SECONDS)
        drained = clock.monotonic() - sent
        alive = service.alive
    await processes.forget_sessions(broker)
    if not answered:
        raise Unavailable(f"{devices.sent - devices.settled} of {devices.sent} messages got no receipt")
    async with (
        Database.open(url, size=2) as database,
        database.transaction(db.operator("bench"), read_only=True) as connection,
    ):
        stored = await connection.fetchval(sql("bench.readings_of"), list(fleet.resident_ids))
        alerted = await connection.fetchval(sql("bench.alerted"), watching.RULE, list(red))
    return Overload(
        plan.a_second,
        count / (sent - started),
        plan.seconds,
        count,
        drained,
        alive,
        2 * count - stored,
        len(red),
        alerted,
        service.most_bytes,
        offered.percentiles(devices.took),
    )
