"""Device clocks: what is learnt of them by the messages of a batch, and what follows for readings that were believed.

Inside the ingest transaction and under the devices' locks. Most batches say nothing new and cost nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from devices import catalogue, clockwork, timing
from devices.clockwork import Clock, Sent
from telehealth.model.delivery import Delivery
from telehealth.store import attribution
from telehealth.store.attribution import Pairs
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: With this many devices in a batch of which none is on time, it is not the devices' clocks.
_MANY = 5
#: How old buffered readings may be that are looked at again.
_BUFFERED = timedelta(days=31)
#: A change of the skew by less does not change what an alert says.
_REMARKABLE_MS = 60_000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Clock).decode


class Device(Protocol):
    """What is needed of a device's row."""

    @property
    def pk(self) -> int: ...
    @property
    def organisation_id(self) -> int: ...
    @property
    def clock(self) -> Clock: ...


def stored(state: str | None) -> Clock:
    """The state as device_contact holds it, as text. One of another version is none."""
    if state is None:
        return clockwork.UNKNOWN
    try:
        return _decode(state)
    except msgspec.MsgspecError:
        return clockwork.UNKNOWN


@dataclass
class Judged:
    """By which clock each delivery of a batch is judged, and what was learnt: before and after, by device_id."""

    clocks: list[Clock]
    changed: dict[str, tuple[Clock, Clock]] = field(default_factory=dict)


def judge(deliveries: Sequence[Delivery], devices: Mapping[str, Device], *, stepped: bool) -> Judged:
    """Learn from a batch. stepped: received_at is the end of a virtual clock's step, and says nothing of delays."""
    clocks = [devices[delivery.device_id].clock for delivery in deliveries]
    judged = Judged(clocks)
    remarkable = [
        place
        for place, delivery in enumerate(deliveries)
        if delivery.message.sent_at is not None
        and not delivery.again
        and not clockwork.unremarkable(clocks[place], delivery.message.sent_at, delivery.received_at)
    ]
    if not remarkable or _ours(deliveries):
        return judged
    wanted = {deliveries[place].device_id for place in remarkable}
    latest: dict[str, Clock] = {}
    places: dict[str, list[int]] = {}
    for place, delivery in enumerate(deliveries):
        device_id, message = delivery.device_id, delivery.message
        if device_id not in wanted:
            continue
        before = latest.get(device_id, clocks[place])
        after = before
        if message.sent_at is not None and not delivery.again:
            taken_at = max((r.taken_at for r in message.readings if r.taken_at is not None), default=None)
            sent = Sent(message.sent_at, delivery.received_at, message.stream, message.seq, taken_at)
            after = clockwork.observe(before, sent, prompt=delivery.lane == "live" and not stepped)
        places.setdefault(device_id, []).append(place)
        clocks[place] = latest[device_id] = after
        if after.since != before.since and after.since is not None and after.since < delivery.received_at:
            # It has been so for some messages already.
            for earlier in places[device_id]:
                if deliveries[earlier].received_at >= after.since:
                    clocks[earlier] = after
    for device_id, after in latest.items():
        if after is not devices[device_id].clock:
            judged.changed[device_id] = devices[device_id].clock, after
    return judged


def _ours(deliveries: Sequence[Delivery]) -> bool:
    """Whether it is rather us: a queue that is drained, or the service's own clock."""
    on_time: dict[str, bool] = {}
    for delivery in deliveries:
        sent_at = delivery.message.sent_at
        if sent_at is not None and not delivery.again:
            near = abs(sent_at - delivery.received_at) <= timing.TOLERANCE
            on_time[delivery.device_id] = near or on_time.get(delivery.device_id, False)
    return len(on_time) >= _MANY and not any(on_time.values())


async def learn(
    connection: Connection, changed: Mapping[str, tuple[Clock, Clock]], devices: Mapping[str, Device], *, now: datetime
) -> Pairs:
    """Keep what was learnt, and repair what was believed before. now: clinical.

    Returns the (resident, code) whose latest values may have changed.
    """
    if not changed:
        return set()
    order = sorted(changed, key=lambda device_id: devices[device_id].pk)
    states = [_encode(changed[device_id][1]).decode() for device_id in order]
    await connection.execute(sql("clocks.note"), [devices[device_id].pk for device_id in order], states)
    await _periods(connection, [(devices[device_id], *changed[device_id]) for device_id in order])
    touched: Pairs = set()
    for device_id in order:
        before, after = changed[device_id]
        if after.kind == "slow" and (before.kind, before.since) != (after.kind, after.since):
            touched |= await _repair(connection, devices[device_id], after, now)
    return touched


@dataclass(frozen=True)
class Period:
    """A time during which a clock was surely wrong; until None: it still is. skew_ms: device minus true."""

    kind: clockwork.Kind
    since: datetime
    until: datetime | None
    skew_ms: int
    step_ms: int | None


async def periods(connection: Connection, since: Mapping[int, datetime]) -> dict[int, list[Period]]:
    """Those of devices that began at a moment of each, or later; in order."""
    found: dict[int, list[Period]] = {}
    for row in await connection.fetch(sql("clocks.periods"), list(since), list(since.values())):
        device_pk, *rest = row
        found.setdefault(device_pk, []).append(Period(*rest))
    return found


async def _periods(connection: Connection, changed: Sequence[tuple[Device, Clock, Clock]]) -> None:
    due: dict[int, datetime] = {}
    over = [
        (device.pk, after.since or after.noted_at)
        for device, before, after in changed
        if before.wrong and (before.kind, before.since) != (after.kind, after.since)
    ]
    if over:
        for row in await connection.fetch(sql("clocks.close"), [pk for pk, _ in over], [until for _, until in over]):
            if row["sure"]:
                due[row["device_pk"]] = row["since"]
    wrong = [(device, before, after) for device, before, after in changed if after.wrong]
    if wrong:
        await connection.execute(
            sql("clocks.open"),
            [device.organisation_id for device, _, _ in wrong],
            [device.pk for device, _, _ in wrong],
            [after.kind for _, _, after in wrong],
            [after.since for _, _, after in wrong],
            [after.skew_ms for _, _, after in wrong],
            [after.step_ms for _, _, after in wrong],
            [after.sure for _, _, after in wrong],
        )
        for device, before, after in wrong:
            same = before.since == after.since and before.sure
            told = same and abs(before.skew_ms - after.skew_ms) < _REMARKABLE_MS
            if after.sure and not told and after.since is not None:
                due[device.pk] = min(after.since, due.get(device.pk, after.since))
    if due:
        await connection.execute(sql("clocks.due"), list(due), list(due.values()))


async def _repair(connection: Connection, device: Device, clock: Clock, now: datetime) -> Pairs:
    """Estimate the times of what was received since the clock is behind, and was believed."""
    assert clock.since is not None
    claims = (await attribution.claims(connection, [device.pk])).get(device.pk)
    residents = sorted(claims.residents()) if claims is not None else []
    skew = timedelta(milliseconds=clock.skew_ms)
    rows = await connection.fetch(
        sql("clocks.believed"),
        device.pk,
        residents,
        clock.since,
        clock.since + skew - _BUFFERED,
        now + timing.TOLERANCE,
        list(catalogue.ENTRIES),
    )
    found: list[tuple[Any, datetime]] = []
    for row in rows:
        clock_set = timing.CLOCK_NOT_SET not in (row["flags"] or ())
        at, uncertain = clockwork.effective(
            clock, row["taken_at"], row["sent_at"], row["received_at"], clock_set=clock_set
        )
        if uncertain and at is not None and at != row["effective_at"]:
            found.append((row, at))
    if not found:
        return set()
    columns = ([row[name] for row, _ in found] for name in ("taken_at", "identity", "value_key"))
    await connection.execute(sql("clocks.rewrite"), *columns, [at for _, at in found])
    first = min(min(row["effective_at"], at) for row, at in found)
    earliest = attribution.first_touched((min(row["effective_at"], at), row["resident_id"]) for row, at in found)
    await attribution.due(connection, earliest, "clock")
    touched = {(row["resident_id"], row["code"]) for row, _ in found if row["resident_id"] is not None}
    return touched | await attribution.derive(connection, device.pk, since=first, now=now)
