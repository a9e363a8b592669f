"""Feeding a service: history by stepping its virtual clock, then live readings as time goes by."""

from __future__ import annotations

import asyncio
import bisect
import collections
import contextlib
import heapq
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from devices import commands
from simulator import clock, errors, kit, publisher, schedule, service

#: Old history in coarse steps; the last days finer, so that alerts in sight of the reader have good times.
COARSE = timedelta(hours=6)
FINE = timedelta(hours=2)
FINE_DAYS = timedelta(days=2)
#: Most readings of a wearable in one message of history.
JOINED = 240
#: Real seconds without any receipt after which a service is taken to be gone.
PATIENCE_SECONDS = 90.0
#: From a command to measure to the measurement.
REPEAT_MS = 20_000
#: How far ahead the live feed plans.
PLANNED_MS = 10 * 60_000

Progress = Callable[[datetime], None]


class DeviceClock:
    """What the devices' clocks show: a virtual moment while one is set, else real time."""

    def __init__(self) -> None:
        self.virtual: datetime | None = None

    def now(self) -> datetime:
        return self.virtual if self.virtual is not None else clock.now()


def taken(units: Iterable[kit.Unit], after_ms: int, to_ms: int) -> list[kit.Batch]:
    """Everything that the devices measure in (after, to], in the order in which it would be sent."""
    found: list[kit.Batch] = []
    for unit in units:
        moments = unit.moments(after_ms, to_ms)
        if moments:
            joined = JOINED if unit.cadence.every_ms is not None and len(moments) > 6 else 1
            found += kit.batches(unit, moments, most_per_message=joined)
    return sorted(found, key=_when)


def planned(units: Iterable[kit.Unit], start: datetime, steps: Sequence[datetime]) -> list[list[kit.Batch]]:
    """What is sent in each step of a long history: as taken() step by step, but worked out in one go per device."""
    ends = [clock.to_ms(step) for step in steps]
    found: list[list[kit.Batch]] = [[] for _ in steps]
    for unit in units:
        moments = unit.moments(clock.to_ms(start), ends[-1])
        groups = unit.measure(moments) if moments else []
        low = 0
        for number, end in enumerate(ends):
            high = bisect.bisect_right(moments, end, lo=low, key=lambda moment: moment.at_ms)
            if high > low:
                joined = JOINED if unit.cadence.every_ms is not None and high - low > 6 else 1
                found[number] += kit.packed(unit, moments[low:high], groups[low:high], most_per_message=joined)
            low = high
    return [sorted(batches, key=_when) for batches in found]


def _when(batch: kit.Batch) -> tuple[int, str]:
    return batch.sent_ms, batch.device_id


def boundaries(start: datetime, end: datetime) -> list[datetime]:
    """The moments to which history is stepped, up to and with end."""
    found: list[datetime] = []
    at = start
    while at < end:
        step = COARSE if at < end - FINE_DAYS else FINE
        at = min(at + step, end)
        found.append(at)
    return found


async def history(
    sender: publisher.Publisher,
    units: Sequence[kit.Unit],
    stepped: service.Service,
    devices: DeviceClock,
    start: datetime,
    end: datetime,
    progress: Progress = lambda _at: None,
) -> None:
    """Feeds (start, end] through the service's virtual clock, which stands at start. Ends in virtual time."""
    sender.as_planned = True
    try:
        steps = boundaries(start, end)
        for following, batches in zip(steps, planned(units, start, steps) if steps else [], strict=True):
            # First the rules of the time before fire, then the moment moves, then its readings come.
            await stepped.advance(following)
            devices.virtual = following
            await deliver(sender, _no_later(batches, following))
            progress(following)
    finally:
        sender.as_planned = False
        devices.virtual = None


async def deliver(sender: publisher.Publisher, batches: Sequence[kit.Batch]) -> None:
    """Publishes and waits for all receipts. Raises Unreachable if none comes for a long time."""
    if batches:
        sender.publish(batches)
    last = (-1, -1)
    quiet_since = clock.monotonic()
    while sender.unsettled:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sender.settled(), 1.0)
        state = (sender.unsettled, sender.totals.settled)
        if state != last:
            last, quiet_since = state, clock.monotonic()
        elif clock.monotonic() - quiet_since > PATIENCE_SECONDS:
            why = next(iter(sender.troubles.values()), "no receipt came")
            raise errors.Unreachable(f"{sender.unsettled} messages are not settled: {why}")


class Live:
    """Readings as real time goes by. Units may be changed (illness, silence) while it runs."""

    def __init__(self, sender: publisher.Publisher, units: Sequence[kit.Unit]) -> None:
        self._sender = sender
        self._units = list(units)
        self._queue: list[tuple[int, int, schedule.Moment]] = []
        #: Commands come at least once, and are obeyed once.
        self._obeyed: collections.deque[str] = collections.deque(maxlen=1000)
        self._planned_to = 0
        self._woken = asyncio.Event()

    def measure(self, index: int, at_ms: int) -> None:
        """An extra measurement of one unit: at the start, or because a command asked for it."""
        unit = self._units[index]
        if unit.codes and not (unit.silent_from_ms is not None and at_ms > unit.silent_from_ms):
            heapq.heappush(self._queue, (at_ms, index, schedule.Moment(at_ms, unit.codes, f"x{at_ms}")))
            self._woken.set()

    def obey(self, device_id: str, command: commands.Command) -> None:
        """Measures what it can of what it is asked for; everything else a simulated resident only hears."""
        if isinstance(command, commands.Measure) and command.id not in self._obeyed:
            self._obeyed.append(command.id)
            for index, unit in enumerate(self._units):
                if unit.device_id == device_id and not set(unit.codes).isdisjoint(command.codes):
                    # Somebody has to find the device and sit down first.
                    self.measure(index, clock.to_ms(clock.now()) + REPEAT_MS)

    async def run(self, after: datetime, until: datetime | None = None) -> None:
        """Feeds everything after a time, for ever or until a time."""
        self._planned_to = clock.to_ms(after)
        while True:
            now = clock.now()
            now_ms = clock.to_ms(now if until is None else min(now, until))
            self._plan(now_ms + PLANNED_MS)
            self._emit(now_ms)
            if until is not None and now >= until:
                return
            following = self._queue[0][0] if self._queue else now_ms + PLANNED_MS // 2
            wait = max(following - clock.to_ms(clock.now()), 0) / 1000 + 0.005
            if until is not None:
                wait = min(wait, (until - now).total_seconds() + 0.005)
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), min(wait, 60.0))

    def _plan(self, to_ms: int) -> None:
        # A little ahead only, so that what changes a device's pace shows soon; values are taken at their time anyway.
        if to_ms - self._planned_to < PLANNED_MS // 2 and self._planned_to:
            return
        for index, unit in enumerate(self._units):
            for moment in unit.moments(self._planned_to, to_ms):
                heapq.heappush(self._queue, (moment.at_ms, index, moment))
        self._planned_to = max(to_ms, self._planned_to)

    def _emit(self, now_ms: int) -> None:
        due: dict[int, list[schedule.Moment]] = {}
        while self._queue and self._queue[0][0] <= now_ms:
            _, index, moment = heapq.heappop(self._queue)
            due.setdefault(index, []).append(moment)
        found: list[kit.Batch] = []
        for index, moments in due.items():
            unit = self._units[index]
            if unit.silent_from_ms is None or moments[0].at_ms <= unit.silent_from_ms:
                found += kit.batches(unit, moments, most_per_message=JOINED if len(moments) > 6 else 1)
        if found:
            self._sender.publish(found)


def _no_later(batches: list[kit.Batch], at: datetime) -> list[kit.Batch]:
    """Nothing is sent after the virtual moment at which the service receives it."""
    limit = clock.to_ms(at)
    return [batch if batch.sent_ms <= limit else batch.at(limit) for batch in batches]


async def stepped_live(
    sender: publisher.Publisher,
    units: Sequence[kit.Unit],
    stepped: service.Service,
    devices: DeviceClock,
    *,
    speed: float,
    start: datetime,
    until: datetime | None,
    measure_first: bool,
) -> None:
    """Accelerated: each real second the service's virtual clock goes on by "speed" seconds. Exact, step by step."""
    sender.as_planned = True
    devices.virtual = at = start
    first = [schedule.Moment(clock.to_ms(start), (), "start")] if measure_first else []
    opening = [
        batch
        for unit in units
        for moment in first
        if unit.codes and unit.silent_from_ms is None
        for batch in kit.batches(unit, [schedule.Moment(moment.at_ms, unit.codes, moment.slot)])
    ]
    await deliver(sender, _no_later(opening, at))
    due = clock.monotonic()
    while until is None or at < until:
        following = at + timedelta(seconds=speed)
        following = following if until is None else min(following, until)
        await stepped.advance(following)
        devices.virtual = following
        await deliver(sender, _no_later(taken(units, clock.to_ms(at), clock.to_ms(following)), following))
        at = following
        due += 1.0
        if at != until:
            await asyncio.sleep(max(0.0, due - clock.monotonic()))
