"""Many devices come back with two days of readings each, while red readings are taken live by others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from telehealth import clock
from telehealth.bench import load, offered, processes, raw, servers, watching
from telehealth.errors import Unavailable
from telehealth.store import db
from telehealth.store.db import Database
from telehealth.store.queries import sql

_RECEIPTS = "telehealth/v1/+/receipts"
#: By contract: messages of the backlog lane that a device may have unsettled.
_UNSETTLED = 4
_QUIET_SECONDS = 60.0
_EVERY = timedelta(minutes=10)
_STEPS = 6
_OLDEST = timedelta(hours=48)


@dataclass(frozen=True)
class Plan:
    """devices: with a backlog; live: others that are red once each, one every so often while it drains."""

    devices: int = 1000
    live: int = 100
    live_every_seconds: float = 0.25


class Backlog(msgspec.Struct):
    """Seconds from the reconnection on; live_ms: from publish to screen of the live red readings meanwhile."""

    devices: int
    hours: int
    messages: int
    readings: int
    received_seconds: float
    evaluated_seconds: float
    live_ms: offered.Percentiles
    service_bytes: int


async def measure(plan: Plan, url: str, broker: servers.Mosquitto) -> Backlog:
    """Raises Unavailable if a live alert does not arrive or the backlog does not drain."""
    async with Database.open(url, size=4) as database:
        fleet = await load.fleet(database, plan.devices, prefix="backlog")
        others = await load.fleet(database, plan.live, prefix="meanwhile")
        token = await watching.token(database, others.ward_id, "backlog")
        devices = offered.Devices(fleet.device_ids, "backlog")
        ear = raw.Client("bench-backlog", devices.heard)
        live = offered.Devices(others.device_ids, "meanwhile")
        mouth = raw.Client("bench-meanwhile")
        async with (
            processes.serving(url, broker) as service,
            watching.watching(service, token, others.ward_id) as screen,
            offered.connected(broker.port, [ear], [_RECEIPTS]),
            offered.connected(broker.port, [mouth]),
            asyncio.TaskGroup() as group,
        ):
            started = clock.monotonic()
            published: dict[int, float] = {}
            measuring = group.create_task(_live(plan, others, live, mouth, published))
            received = await _send_all(fleet, devices, ear) - started
            evaluated = await _evaluated(database, fleet) - started
            measuring.cancel()
            await screen.all(len(published), _QUIET_SECONDS)
    await processes.forget_sessions(broker)
    missing = [resident for resident in published if resident not in screen.seen]
    if missing:
        raise Unavailable(f"{len(missing)} of {len(published)} live alerts did not arrive")
    return Backlog(
        plan.devices,
        int(_OLDEST.total_seconds()) // 3600,
        devices.sent,
        devices.sent * _STEPS * 2,
        received,
        evaluated,
        offered.percentiles([screen.seen[resident] - at for resident, at in published.items()]),
        service.most_bytes,
    )


async def _live(
    plan: Plan, others: load.Fleet, live: offered.Devices, mouth: raw.Client, published: dict[int, float]
) -> None:
    """A red reading of another resident every so often; from the second round on they are red already."""
    for device_id, resident_id in zip(others.device_ids, others.resident_ids, strict=True):
        await asyncio.sleep(plan.live_every_seconds)
        published[resident_id] = clock.monotonic()
        live.publish(mouth, device_id, offered.pair(84))


async def _send_all(fleet: load.Fleet, devices: offered.Devices, client: raw.Client) -> float:
    """As devices do: no more than a few unsettled each; when the last one was answered."""
    waiting = {name: _messages(n) for n, name in enumerate(fleet.device_ids)}
    while waiting:
        devices.progress.clear()
        for name in list(waiting):
            while devices.unsettled(name) < _UNSETTLED:
                readings = next(waiting[name], None)
                if readings is None:
                    del waiting[name]
                    break
                devices.publish(client, name, readings, channel="backlog")
        await client.drain()
        if waiting:
            try:
                async with asyncio.timeout(_QUIET_SECONDS):
                    await devices.progress.wait()
            except TimeoutError:
                raise Unavailable("the backlog does not drain") from None
            # Answers come together.
            await asyncio.sleep(0.02)
    if not await devices.all_settled(_QUIET_SECONDS):
        raise Unavailable("the backlog does not drain")
    return clock.monotonic()


def _messages(device: int) -> Iterator[str]:
    """An hour each, oldest first; red for an hour once."""
    at = clock.real_now() - _OLDEST
    hours = int(_OLDEST.total_seconds()) // 3600
    for hour in range(hours):
        spo2 = 84 if hour == device % hours else 96
        yield ",".join(_pair(spo2, at + hour * timedelta(hours=1) + step * _EVERY) for step in range(_STEPS))


def _pair(spo2: int, at: datetime) -> str:
    taken = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return (
        f'{{"code":"spo2","value":{spo2},"unit":"%","taken_at":"{taken}"}},'
        f'{{"code":"pulse","value":72,"unit":"/min","taken_at":"{taken}"}}'
    )


async def _evaluated(database: Database, fleet: load.Fleet) -> float:
    """When nothing of theirs is due any more."""
    deadline = clock.monotonic() + 10 * _QUIET_SECONDS
    while clock.monotonic() < deadline:
        async with database.transaction(db.operator("bench"), read_only=True) as connection:
            if not await connection.fetchval(sql("bench.due"), list(fleet.resident_ids)):
                return clock.monotonic()
        await asyncio.sleep(0.2)
    raise Unavailable("the backlog is not evaluated")
