"""From due measurements to numbered messages, step by step: a function of world, seed, script and times alone.

However time is cut into steps, the same messages are made, as long as the script does not change. What changes
it (a fault, an illness, a wish to measure) is heard between two steps and counts from there on.
"""

from __future__ import annotations

import collections
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from simulator import clock, kit, native, noise, schedule
from simulator.homes import clocks, delivery, habits, malicious, moments, power, values
from simulator.homes.faults import Fault
from simulator.homes.malicious import Extra
from simulator.homes.script import Script

#: Most readings of a wearable in one message that it uploads.
JOINED: Final = 240
#: How far ahead is planned, and how often a device considers telling its charge and firmware.
AHEAD_MS: Final = 6 * 3_600_000
TELLING_MS: Final = 30 * 60_000
TELLING_FAULTY_MS: Final = 60_000


Watcher = Callable[[kit.Unit, Sequence[kit.Taken]], None]


@dataclass
class Made:
    """Messages in the order in which they are numbered, and what is sent beside them."""

    batches: list[kit.Batch] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)


@dataclass
class _Waiting:
    """What a device keeps that it cannot send yet."""

    batches: list[tuple[int, int, kit.Batch]] = field(default_factory=list)
    lost: int = 0


class Maker:
    """Stands at a time; step() makes everything up to another. start_ms: nothing before it is made."""

    def __init__(self, units: Sequence[kit.Unit], script: Script, start_ms: int) -> None:
        self.units = list(units)
        self.script = script
        self.at_ms = start_ms
        #: People measure again what went wrong or is not like them (simulator.homes.habits).
        self.careful = False
        #: As a service would ask about what is odd, where there is none.
        self.asked = False
        #: Told of everything that is measured, when it is made.
        self.watchers: list[Watcher] = []
        self._count = itertools.count()
        #: By unit: (made, taken, number, moment), and up to when is planned.
        self._queues: list[list[tuple[int, int, int, schedule.Moment]]] = [[] for _ in self.units]
        self._planned_to = [start_ms for _ in self.units]
        self._waiting: dict[str, _Waiting] = {}
        self._told: dict[str, tuple[float, str]] = {}
        self._first: dict[str, kit.Unit] = {}
        for unit in self.units:
            self._first.setdefault(unit.device_id, unit)
        for device_id in self._first:
            self._told[device_id] = self.state(device_id, start_ms)

    # What is asked of a device between steps

    def measure(self, index: int, at_ms: int) -> None:
        """An extra measurement of one unit, later than now."""
        unit = self.units[index]
        if unit.codes:
            self._push(index, schedule.Moment(max(at_ms, self.at_ms + 1), unit.codes, f"x{at_ms}"))

    def repace(self, index: int, cadence: schedule.Cadence) -> None:
        """Another pace from now on; what was measured and not yet uploaded leaves at once."""
        unit, queue = self.units[index], self._queues[index]
        unit.cadence = cadence
        kept = [entry[3] for entry in queue if entry[1] <= self.at_ms]
        queue.clear()
        for moment in kept:
            heapq.heappush(queue, (self.at_ms + 1, moment.at_ms, next(self._count), moment))
        self._planned_to[index] = self.at_ms

    def skip(self, to_ms: int) -> None:
        """Leaves out everything up to a time."""
        self.at_ms = max(self.at_ms, to_ms)
        self._queues = [[] for _ in self.units]
        self._planned_to = [self.at_ms for _ in self.units]

    # What is so at a time

    def state(self, device_id: str, at_ms: int) -> tuple[float, str]:
        """Charge and firmware as the device tells them."""
        unit = self._first.get(device_id)
        if unit is None:
            return 1.0, ""
        found = (*self.script.of(unit.targets, "device"), *self.script.of(unit.targets, "moments"))
        return power.told(unit.kind, device_id, found, at_ms), power.firmware(unit.kind, device_id, found, at_ms)

    def is_down(self, device_id: str, at_ms: int) -> bool:
        """Whether it has no connection."""
        targets = self._first[device_id].targets
        return delivery.down(self.script.of(targets, "link"), self._off(targets), at_ms)

    def interruptions(self, device_id: str, after_ms: int, to_ms: int) -> int:
        """How often its connection drops and returns in (after, to]."""
        found = self.script.of(self._first[device_id].targets, "link")
        if not found:
            return 0
        return delivery.storms(found, after_ms, to_ms) + int(delivery.interrupted(found, after_ms, to_ms))

    def waiting(self, device_id: str) -> tuple[int, int]:
        """Messages that it keeps because it cannot send, and those that its memory has lost."""
        found = self._waiting.get(device_id)
        return (len(found.batches), found.lost) if found else (0, 0)

    @property
    def device_ids(self) -> list[str]:
        return list(self._first)

    # Steps

    def step(self, to_ms: int) -> Made:
        """Everything made and let go in (now, to]."""
        after = self.at_ms
        made = Made()
        if to_ms <= after:
            return made
        fresh = [
            (batch.created_ms, batch.device_id, index, batch)
            for index, unit in enumerate(self.units)
            for batch in self._batches(index, unit, after, to_ms)
        ]
        for _, device_id, _, batch in sorted(fresh, key=lambda entry: entry[:3]):
            waiting = self._waiting.setdefault(device_id, _Waiting())
            waiting.batches.append((batch.created_ms, next(self._count), batch))
        made.batches = [batch for _, _, _, batch in sorted(self._released(after, to_ms), key=lambda found: found[:3])]
        made.extras = self._extras(after, to_ms)
        self.at_ms = to_ms
        return made

    def _off(self, targets: frozenset[str]) -> tuple[Fault, ...]:
        return (*self.script.of(targets, "moments"), *self.script.of(targets, "device"))

    def _batches(self, index: int, unit: kit.Unit, after: int, to_ms: int) -> Iterator[kit.Batch]:
        yield from self._events(unit, after, to_ms)
        # What is measured may be measured again at once, still within the step.
        while due := self._due(index, to_ms):
            yield from self._measured(index, unit, due)

    def _measured(self, index: int, unit: kit.Unit, due: list[tuple[int, schedule.Moment]]) -> Iterator[kit.Batch]:
        found = self._taken(unit, [moment for _, moment in due])
        if not found:
            return
        created = {id(moment): created for created, moment in due}
        taken = unit.take(found, self.script.of(unit.targets, "values"), self._body)
        if self.careful and not unit.device.is_continuous:
            for one in taken:
                again = habits.repeated(unit.profile, unit.device_id, one.moment, one.shown, asked=self.asked)
                if again is not None:
                    self._push(index, again)
        for watcher in self.watchers:
            watcher(unit, taken)
        wrong = self.script.of(unit.targets, "clock")
        groups = [unit.encoded(one, wrong) for one in taken]
        joined = unit.cadence.upload_ms is not None
        at = [created.get(id(moment)) or self._created(unit, moment) for moment in found]
        yield from _packed(unit, found, groups, at, JOINED if joined else 1)

    def _taken(self, unit: kit.Unit, due: list[schedule.Moment]) -> list[schedule.Moment]:
        """Those of the due measurements that take place."""
        course = unit.body.course
        if course is not None and not unit.device.is_continuous:
            times = np.array([moment.at_ms for moment in due], dtype=np.int64)
            part = course.adherence(times)
            due = [
                moment
                for moment, still in zip(due, part, strict=True)
                if still >= 1.0
                or noise.uniform_one(noise.key("adherence", unit.profile.seed, unit.person.key, moment.sitting)) < still
            ]
        off = self.script.of(unit.targets, "moments")
        warm_up = unit.kind.warm_up_seconds * 1000 if unit.device.is_continuous else 0
        return moments.taken(due, off, self.script.of(unit.targets, "device"), warm_up)

    def _events(self, unit: kit.Unit, after: int, to_ms: int) -> Iterator[kit.Batch]:
        course = unit.body.course
        if course is None:
            return
        for event in course.events(after, to_ms):
            what = {code: value for code, value in event.values.items() if code in unit.device.codes}
            if what and not moments.is_off(self._off(unit.targets), event.at_ms):
                moment = schedule.Moment(event.at_ms, tuple(what), "event")
                told = kit.Taken(moment, {code: values.Shown(value) for code, value in what.items()}, unit.subject)
                for watcher in self.watchers:
                    watcher(unit, [told])
                entries = unit.said(event.at_ms, what, self.script.of(unit.targets, "clock"))
                body = b"[" + b",".join(entries) + b"]"
                yield kit.Batch(unit.device_id, event.at_ms, event.at_ms, body, len(entries), created_ms=event.at_ms)

    def _body(self, device_id: str) -> kit.Body | None:
        unit = self._first.get(device_id)
        return unit.body if unit is not None else None

    # Planning

    def _due(self, index: int, to_ms: int) -> list[tuple[int, schedule.Moment]]:
        """(made, moment) of what is made up to a time, in the order of being taken."""
        if self._planned_to[index] < to_ms:
            self._plan(index, to_ms)
        queue, found = self._queues[index], []
        while queue and queue[0][0] <= to_ms:
            created, _, _, moment = heapq.heappop(queue)
            found.append((created, moment))
        return sorted(found, key=lambda entry: entry[1].at_ms)

    def _plan(self, index: int, to_ms: int) -> None:
        # In whole stretches of time, so that a long run in short steps need not look at its calendar at each.
        until = (to_ms // AHEAD_MS + 1) * AHEAD_MS
        for moment in self.units[index].moments(self._planned_to[index], until):
            self._push(index, moment)
        self._planned_to[index] = until

    def _push(self, index: int, moment: schedule.Moment) -> None:
        created = self._created(self.units[index], moment)
        heapq.heappush(self._queues[index], (created, moment.at_ms, next(self._count), moment))

    def _created(self, unit: kit.Unit, moment: schedule.Moment) -> int:
        """When the message with this measurement is put together."""
        low, high = unit.kind.sending_ms
        upload = unit.cadence.upload_ms
        if upload is None or moment.slot.startswith("x"):
            return moment.at_ms + low + noise.key(unit.device_id, moment.at_ms, "sending") % (high - low)
        phase = noise.key(unit.device_id, "upload") % min(upload, 60_000)
        return ((moment.at_ms - phase) // upload + 1) * upload + phase

    # Letting go

    def _released(self, after: int, to_ms: int) -> Iterable[tuple[int, int, int, kit.Batch]]:
        """(released, created, number, batch) of what leaves in (after, to]."""
        for device_id, waiting in self._waiting.items():
            if not waiting.batches:
                continue
            targets = self._first[device_id].targets
            found = (*self.script.of(targets, "messages"), *self.script.of(targets, "link"))
            off = self._off(targets)
            released = {
                number: delivery.release(found, off, device_id, created) if found or off else created
                for created, number, _ in waiting.batches
            }
            waiting.lost += self._overflow(device_id, waiting, released)
            stay = []
            for created, number, batch in waiting.batches:
                at = released[number]
                if at is None or at > to_ms:
                    stay.append((created, number, batch))
                    continue
                # What the script held up when it was made, and holds up no more, leaves now.
                at = max(at, after + 1) if at != created else created
                back = delivery.kept_back_ms(found, device_id, created) if found else 0
                more = delivery.copies(found, device_id, created) if found else 0
                yield at, created, number, replace(batch, sent_ms=at + back, copies=more)
            waiting.batches = stay

    def _overflow(self, device_id: str, waiting: _Waiting, released: Mapping[int, int | None]) -> int:
        """Its memory holds only so many messages: the oldest are lost when another one is made."""
        most = self._first[device_id].kind.buffer
        if len(waiting.batches) <= most:
            return 0
        kept: collections.deque[tuple[int, int, kit.Batch]] = collections.deque()
        gone: set[int] = set()
        for entry in waiting.batches:
            while kept and (leaves := released[kept[0][1]]) is not None and leaves <= entry[0]:
                kept.popleft()
            kept.append(entry)
            if len(kept) > most:
                gone.add(kept.popleft()[1])
        waiting.batches = [entry for entry in waiting.batches if entry[1] not in gone]
        return len(gone)

    def _extras(self, after: int, to_ms: int) -> list[Extra]:
        found: list[Extra] = []
        for device_id, unit in self._first.items():
            harm = self.script.of(unit.targets, "malicious")
            if harm:
                sent = malicious.sent(harm, device_id, (unit.codes or ("pulse",))[0], after, to_ms)
                found += [extra for extra in sent if not self.is_down(device_id, extra.at_ms)]
            found += self._statuses(unit, after, to_ms)
        return sorted(found, key=lambda extra: (extra.at_ms, extra.device_id))

    def _statuses(self, unit: kit.Unit, after: int, to_ms: int) -> Iterator[Extra]:
        device_id = unit.device_id
        found = [
            fault
            for stage in ("device", "moments")
            for fault in self.script.of(unit.targets, stage)
            if fault.kind in power.KINDS
        ]
        near: list[Fault] = []
        day = -1
        for at in _telling(found, after, to_ms):
            if at // clocks.DAY_MS != day:
                # A wearable is charged every day for a year: only one of these can matter.
                day = at // clocks.DAY_MS
                near = [fault for fault in found if fault.from_ms < (day + 1) * clocks.DAY_MS]
                near = [fault for fault in near if fault.to_ms is None or fault.to_ms > day * clocks.DAY_MS]
            now = power.told(unit.kind, device_id, near, at), power.firmware(unit.kind, device_id, near, at)
            if now != self._told[device_id] and not self.is_down(device_id, at):
                self._told[device_id] = now
                shown = clocks.shown(self.script.of(unit.targets, "clock"), at)
                payload = native.status(True, *now, clock.from_ms(shown))
                yield Extra(device_id, at, native.topic(device_id, "status"), payload, retain=True)


def _telling(found: Sequence[Fault], after: int, to_ms: int) -> list[int]:
    """When a device may have something new to say of itself: more often only while a fault changes its state."""
    times = set(range((after // TELLING_MS + 1) * TELLING_MS, to_ms + 1, TELLING_MS))
    for fault in found:
        first = max(after, fault.from_ms - 1) // TELLING_FAULTY_MS + 1
        last = to_ms if fault.to_ms is None else min(to_ms, fault.to_ms + TELLING_FAULTY_MS)
        times |= set(range(first * TELLING_FAULTY_MS, last + 1, TELLING_FAULTY_MS))
    return sorted(times)


def _packed(
    unit: kit.Unit,
    found: Sequence[schedule.Moment],
    groups: Sequence[Sequence[bytes]],
    created: Sequence[int],
    most: int,
) -> Iterator[kit.Batch]:
    """One message per measurement; joined, one per upload and so many readings."""
    position = 0
    for at, together in itertools.groupby(range(len(found)), key=lambda index: created[index]):
        own = [groups[index] for index in together]
        for pack in native.fitting(own, most) if most > 1 else [[group] for group in own]:
            entries = [entry for group in pack for entry in group]
            body = b"[" + b",".join(entries) + b"]"
            yield kit.Batch(unit.device_id, found[position].at_ms, at, body, len(entries), created_ms=at)
            position += len(pack)
