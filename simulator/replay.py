"""Replays recorded readings through MQTT as devices would send them, and explains what was refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from simulator import clock, errors, kit, native, noise, outbox, publisher, receipts, recording, world

#: Most readings in one message, unless told otherwise.
READINGS = 100
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Parcel:
    """One message to be, and the line of the file of each of its readings."""

    batch: kit.Batch
    lines: tuple[int, ...]
    last_ms: int


@dataclass
class Outcome:
    """What came of a replay. refusals: line, error, field, detail of each refused reading."""

    persons: dict[str, str]
    shift_seconds: float
    bad: list[recording.BadLine]
    readings: int = 0
    messages: int = 0
    settled_messages: int = 0
    settled_readings: int = 0
    deliveries: int = 0
    refusals: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        counts = Counter(refusal["error"] for refusal in self.refusals)
        return {
            "readings": self.readings,
            "messages": self.messages,
            "settled_messages": self.settled_messages,
            "settled_readings": self.settled_readings,
            "accepted_readings": self.settled_readings - len(self.refusals),
            "refused_readings": len(self.refusals),
            "refused_by_reason": dict(sorted(counts.items())),
            "refusals": self.refusals,
            "bad_lines": len(self.bad),
            "bad": [{"line": bad.line, "error": bad.error} for bad in self.bad],
            "deliveries": self.deliveries,
            "shift_seconds": self.shift_seconds,
            "persons": self.persons,
            "notes": self.notes,
        }


def shift(rows: Sequence[recording.Row], how: str, now: datetime) -> int:
    """Milliseconds to add to every time: "end=now", "start=ISO" or "none". Raises BadInput."""
    times = [row.taken_ms for row in rows]
    if how == "none":
        return 0
    if how == "end=now":
        return clock.to_ms(now) - max(times)
    if how.startswith("start="):
        with contextlib.suppress(ValueError):
            start = datetime.fromisoformat(how.removeprefix("start="))
            if start.tzinfo is not None:
                return clock.to_ms(start) - min(times)
    raise errors.BadInput("--shift must be end=now, none, or start= and a time with an offset")


def assign(rows: Sequence[recording.Row], devices: Sequence[world.Device], given: dict[str, str]) -> dict[str, str]:
    """A device for each person: as given, else the next in order that measures all of the person's codes.

    More persons than devices share them, in turn. Raises BadInput for a given device that is not in the file.
    """
    known = {device.device_id for device in devices}
    unknown = sorted(set(given.values()) - known)
    if unknown:
        raise errors.BadInput(f"--map: not in the file of devices: {', '.join(unknown)}")
    codes: dict[str, set[str]] = {}
    for row in rows:
        codes.setdefault(row.person, set()).add(row.code)
    found = {person: given[person] for person in codes if person in given}
    uses = Counter(found.values())
    for person, measured in codes.items():
        if person not in found:
            able = [d for d in devices if measured <= set(d.codes)] or list(devices)
            # min takes the first of the least used: in order, and in turn when there are too few.
            chosen = min(able, key=lambda device: uses[device.device_id])
            found[person] = chosen.device_id
            uses[chosen.device_id] += 1
    return found


def parcels(
    rows: Sequence[recording.Row], persons: dict[str, str], shift_ms: int, now_ms: int, most: int
) -> list[Parcel]:
    """Messages, oldest first. Readings of one person and time stay together; none mixes live and old readings."""
    shared = {device for device, count in Counter(persons.values()).items() if count > 1}
    found: list[Parcel] = []
    ordered = sorted(rows, key=lambda row: (row.person, row.taken_ms, row.line))
    for (person, _old), chosen in groupby(
        ordered, key=lambda row: (row.person, native.lane(row.taken_ms + shift_ms, now_ms))
    ):
        device_id = persons[person]
        # Two people on one device at one time would look like one person with two values.
        source = f"p{noise.key(person):016x}"[:12] if device_id in shared else None
        groups: list[list[tuple[recording.Row, bytes]]] = []
        for taken_ms, together in groupby(chosen, key=lambda row: row.taken_ms):
            groups.append(_group(list(together), taken_ms + shift_ms, source))
        position = 0
        for pack in native.fitting([[entry for _, entry in group] for group in groups], most):
            count = sum(len(group) for group in pack)
            flat = [row for group in groups for row, _ in group][position : position + count]
            position += count
            body = b"[" + b",".join(entry for group in pack for entry in group) + b"]"
            first, last = flat[0].taken_ms + shift_ms, flat[-1].taken_ms + shift_ms
            batch = kit.Batch(device_id, first, now_ms, body, count)
            found.append(Parcel(batch, tuple(row.line for row in flat), last))
    return sorted(found, key=lambda parcel: (parcel.last_ms, parcel.batch.device_id))


def _group(rows: list[recording.Row], taken_ms: int, source: str | None) -> list[tuple[recording.Row, bytes]]:
    pressure = {"systolic", "diastolic"} <= {row.code for row in rows}
    set_id = f"{noise.key(rows[0].person, taken_ms):016x}"[:12] if pressure else None
    at = clock.from_ms(taken_ms)
    return [
        (row, native.encode(native.reading(row.code, row.value, at, unit=row.unit, set_id=set_id, source_id=source)))
        for row in rows
    ]


async def replay(
    recorded: recording.Recording,
    devices: Sequence[world.Device],
    broker: world.Broker,
    *,
    how: str = "end=now",
    speed: float | None = None,
    given: dict[str, str] | None = None,
    most: int = READINGS,
    state: Path | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Outcome:
    """Publishes everything and waits for every receipt. speed: times real time, None as fast as receipts come.

    Raises Refused for wrong credentials and Unreachable if receipts stop coming; what is unsettled then
    stays in the state folder, if there is one.
    """
    now = clock.now()
    moved = shift(recorded.rows, how, now)
    persons = assign(recorded.rows, devices, given or {})
    plan = parcels(recorded.rows, persons, moved, clock.to_ms(now), most)
    outcome = Outcome(persons, moved / 1000, recorded.bad)
    if len(set(persons.values())) < len(persons):
        outcome.notes.append(f"{len(persons)} persons share {len(set(persons.values()))} devices")
    lines: dict[tuple[str, str, int], tuple[int, ...]] = {}

    def refused(held: outbox.Held, refusal: receipts.Refusal) -> None:
        own = lines.get((held.device_id, *held.name), ())
        meant = own if refusal.index is None else own[refusal.index : refusal.index + 1]
        explained = {"error": refusal.error, "field": refusal.field, "detail": refusal.detail}
        outcome.refusals += [{"line": line, **explained} for line in meant]

    def settled(held: outbox.Held) -> None:
        if (held.device_id, *held.name) in lines:
            outcome.settled_messages += 1
            outcome.settled_readings += held.count

    journal = outbox.Outbox(state)
    try:
        sender = publisher.Publisher(
            broker, journal, on_refused=refused, on_settled=settled, beside="replay", announced=False
        )
        used = set(persons.values())
        for device in devices:
            if device.device_id in used or sender.left(device.device_id):
                sender.add(device)
        async with sender.running():
            await _pace(sender, plan, speed, lines)
            outcome.messages, outcome.readings = len(plan), sum(len(parcel.lines) for parcel in plan)
            await _finish(sender, outcome, len(plan), patience_seconds, progress)
            outcome.deliveries = sender.totals.deliveries
    finally:
        journal.close()
    outcome.refusals.sort(key=lambda refusal: int(refusal["line"]))
    return outcome


async def _pace(
    sender: publisher.Publisher,
    plan: Sequence[Parcel],
    speed: float | None,
    lines: dict[tuple[str, str, int], tuple[int, ...]],
) -> None:
    """Hands over all at once, or each when its time has come."""
    started = clock.monotonic()
    for some in [plan] if speed is None else [[parcel] for parcel in plan]:
        if speed is not None:
            due = started + (some[0].last_ms - plan[0].last_ms) / 1000 / speed
            await asyncio.sleep(max(0.0, due - clock.monotonic()))
        for held, parcel in zip(sender.publish(parcel.batch for parcel in some), some, strict=True):
            lines[(held.device_id, *held.name)] = parcel.lines


async def _finish(
    sender: publisher.Publisher,
    outcome: Outcome,
    messages: int,
    patience_seconds: float,
    progress: Callable[[int, int], None],
) -> None:
    last, quiet_since = -1, clock.monotonic()
    while sender.unsettled:
        try:
            await asyncio.wait_for(sender.changed(), 0.5)
        except TimeoutError:
            if sender.credentials_refused:
                raise errors.Refused("; ".join(sorted(sender.credentials_refused.values()))) from None
        progress(outcome.settled_messages, messages)
        if sender.unsettled != last:
            last, quiet_since = sender.unsettled, clock.monotonic()
        elif clock.monotonic() - quiet_since > patience_seconds:
            why = next(iter(sender.troubles.values()), "no receipt came")
            raise errors.Unreachable(f"{sender.unsettled} messages are not settled: {why}")
