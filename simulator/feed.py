"""Feeding a service: through its virtual clock, step by step, or as real time goes by."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from devices import commands
from simulator import cast, clock, created, errors, outbox, pace, publisher, service
from simulator.homes.malicious import Extra

#: Old history in coarse steps; the last days finer, so that alerts in sight of the reader have good times.
COARSE: Final = timedelta(hours=6)
FINE: Final = timedelta(hours=2)
FINE_DAYS: Final = timedelta(days=2)
#: The grid of a run: its steps while anything is worn, and else. Where nothing is sent, up to so long at once.
GRID_WORN_MS: Final = 60_000
GRID_SPOT_MS: Final = 300_000
GRID_IDLE_MS: Final = 3_600_000
#: How far ahead messages are made where nobody can change the script.
AHEAD_MS: Final = 24 * 3_600_000
#: Real seconds without any receipt after which a service is taken to be gone.
PATIENCE_SECONDS: Final = 90.0
#: From a command to measure to the measurement.
REPEAT_MS: Final = 20_000
#: A live feed looks so often for what is due.
LOOK_SECONDS: Final = 1.0

Progress = Callable[[datetime], None]


class DeviceClock:
    """What it is while devices measure: a virtual moment while one is set, else real time."""

    def __init__(self) -> None:
        self.virtual: datetime | None = None

    def now(self) -> datetime:
        return self.virtual if self.virtual is not None else clock.now()


class Feeder:
    """Makes messages and hands them to the devices' side of the contract, up to a time after the other."""

    def __init__(
        self,
        found: cast.Cast,
        sender: publisher.Publisher,
        devices: DeviceClock,
        log: created.Log | None = None,
        on_created: Callable[[list[outbox.Held]], None] = lambda _held: None,
        on_extra: Callable[[Extra, bool], None] = lambda _extra, _sent: None,
    ) -> None:
        self.cast = found
        self.sender = sender
        self.devices = devices
        self._log = log
        self._on_created = on_created
        self._on_extra = on_extra
        self._extras: list[tuple[int, int, Extra]] = []
        self._upcoming: list[int] = []
        self._count = itertools.count()
        self._down: set[str] = set()
        #: Commands come at least once, and are obeyed once.
        self._obeyed: collections.deque[str] = collections.deque(maxlen=1000)
        self._asked: list[int] = []
        self.woken = asyncio.Event()
        self.at_ms = found.maker.at_ms

    # One step

    def make(self, to_ms: int) -> None:
        """Makes what leaves up to a time; it is sent when that has come."""
        made = self.cast.maker.step(to_ms)
        held = self.sender.keep(made.batches)
        if self._log is not None:
            self._log.add(held, [batch.created_ms for batch in made.batches])
            self._log.add_extras(made.extras)
        self._on_created(held)
        for one in held:
            heapq.heappush(self._upcoming, one.sent_ms)
        for extra in made.extras:
            heapq.heappush(self._extras, (extra.at_ms, next(self._count), extra))
            heapq.heappush(self._upcoming, extra.at_ms)

    def step(self, to_ms: int, ahead_ms: int = 0) -> None:
        """Everything up to a time, which has come."""
        self._listen()
        if to_ms > self.cast.maker.at_ms:
            self.make(to_ms + ahead_ms)
        self._connections(to_ms, returning=True)
        self.sender.send_due()
        while self._extras and self._extras[0][0] <= to_ms:
            extra = heapq.heappop(self._extras)[-1]
            sent = self.sender.say(extra.device_id, extra.topic, extra.payload, retain=extra.retain)
            self._on_extra(extra, sent)
        self._connections(to_ms, returning=False)
        while self._upcoming and self._upcoming[0] <= to_ms:
            heapq.heappop(self._upcoming)
        if self._log is not None:
            self._log.flush(to_ms)
        self.at_ms = to_ms

    async def delivered(self) -> None:
        """Waits for the receipts of what was sent. Raises Unreachable if none comes for a long time."""
        last = (-1, -1)
        quiet_since = clock.monotonic()
        while due := self.sender.due:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.sender.nothing_due(), 1.0)
            state = (due, self.sender.totals.settled)
            if state != last:
                last, quiet_since = state, clock.monotonic()
            elif clock.monotonic() - quiet_since > PATIENCE_SECONDS:
                why = next(iter(self.sender.troubles.values()), "no receipt came")
                raise errors.Unreachable(f"{due} messages are not settled: {why}")

    def _connections(self, to_ms: int, *, returning: bool) -> None:
        """Cuts connections that are down, gives back those that are not, drops those that were interrupted."""
        maker = self.cast.maker
        for device_id in maker.device_ids:
            is_down = maker.is_down(device_id, to_ms)
            if returning:
                if not is_down and device_id in self._down:
                    self._down.discard(device_id)
                    self.sender.restore(device_id)
                continue
            if is_down and device_id not in self._down:
                self._down.add(device_id)
                self.sender.cut(device_id)
            elif not is_down and maker.interruptions(device_id, self.at_ms, to_ms):
                # However often it was between two steps: each return sends everything unsettled again.
                self.sender.cut(device_id)
                self.sender.restore(device_id)

    # Wishes

    def measure(self, index: int, at_ms: int) -> None:
        """An extra measurement of one unit."""
        self.cast.maker.measure(index, at_ms)
        self.woken.set()

    def obey(self, device_id: str, command: commands.Command) -> None:
        """Measures what it can of what it is asked for; everything else a simulated resident only hears."""
        if isinstance(command, commands.Measure) and command.id not in self._obeyed:
            self._obeyed.append(command.id)
            for index, unit in enumerate(self.cast.units):
                named = command.subject is None or command.subject == unit.subject
                if unit.device_id == device_id and named and not set(unit.codes).isdisjoint(command.codes):
                    self._asked.append(index)

    def _listen(self) -> None:
        """Commands are heard at the boundary after they came."""
        for index in self._asked:
            # Somebody has to find the device and sit down first.
            self.cast.maker.measure(index, self.at_ms + REPEAT_MS)
        self._asked.clear()

    # Courses of time

    async def history(self, stepped: service.Service, end: datetime, progress: Progress = lambda _at: None) -> None:
        """Feeds up to end through the service's virtual clock, which stands where this stands. Ends in virtual time."""
        self.sender.as_planned = True
        try:
            for following in boundaries(clock.from_ms(self.at_ms), end):
                # First the rules of the time before fire, then the moment moves, then its readings come.
                await stepped.advance(following)
                self.devices.virtual = following
                to_ms = clock.to_ms(following)
                self.step(to_ms, min(AHEAD_MS, clock.to_ms(end) - to_ms))
                await self.delivered()
                progress(following)
        finally:
            self.sender.as_planned = False
            self.devices.virtual = None

    async def stepped(
        self,
        stepping: service.Service,
        going: pace.Pace,
        until: datetime | None,
        *,
        grid_ms: int | None = None,
        live: bool = False,
    ) -> None:
        """Steps the service's virtual clock at a pace, on a grid from where this stands; live: obeys what it hears.

        grid_ms None: one step a real second.
        """
        self.sender.as_planned = True
        start_ms = self.at_ms
        self.devices.virtual = clock.from_ms(self.at_ms)
        end_ms = None if until is None else clock.to_ms(until)
        while end_ms is None or self.at_ms < end_ms:
            following = self._following(start_ms, end_ms, going, grid_ms, live)
            if not await going.reach(self.at_ms, following):
                continue
            await stepping.advance(clock.from_ms(following))
            self.devices.virtual = clock.from_ms(following)
            # What would be made beyond the end belongs to nobody's run.
            ahead_ms = AHEAD_MS if end_ms is None else min(AHEAD_MS, end_ms - following)
            self.step(following, 0 if live else ahead_ms)
            await self.delivered()
            going.stepped(following)

    def _following(self, start_ms: int, end_ms: int | None, going: pace.Pace, grid_ms: int | None, live: bool) -> int:
        if grid_ms is None:
            speed = 60.0 if going.speed is None else going.speed
            following = self.at_ms + max(int(speed * 1000), 1000)
        else:
            following = start_ms + ((self.at_ms - start_ms) // grid_ms + 1) * grid_ms
            if not live and self.cast.maker.at_ms >= following:
                # Where nothing is sent there is nothing to step for, but what only time brings.
                coming = self._upcoming[0] if self._upcoming else self.cast.maker.at_ms
                next_ms = max(min(coming, self.cast.maker.at_ms, self.at_ms + GRID_IDLE_MS), following)
                following = start_ms - (-(next_ms - start_ms) // grid_ms) * grid_ms
        return following if end_ms is None else min(following, end_ms)

    def skip(self, to: datetime) -> None:
        """Goes on from a time, leaving out what was before it."""
        self.cast.maker.skip(clock.to_ms(to))
        self.at_ms = clock.to_ms(to)

    async def real(self, until: datetime | None = None, turned: asyncio.Event | None = None) -> None:
        """Feeds as real time goes by, for ever, until a time, or until time has turned virtual."""
        while turned is None or not turned.is_set():
            now = clock.now()
            self.step(clock.to_ms(now if until is None else min(now, until)))
            if until is not None and now >= until:
                return
            wait = LOOK_SECONDS if until is None else min(LOOK_SECONDS, (until - now).total_seconds() + 0.005)
            self.woken.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), wait)


async def offline(
    found: cast.Cast, journal: outbox.Outbox, log: created.Log, end: datetime, stop: asyncio.Event
) -> int:
    """Makes everything up to end (or stop) without any service, as if all was settled at once. Number of readings."""
    end_ms, readings = clock.to_ms(end), 0
    while found.maker.at_ms < end_ms and not stop.is_set():
        to_ms = min(found.maker.at_ms + AHEAD_MS, end_ms)
        made = found.maker.step(to_ms)
        held = journal.put((b.device_id, b.taken_ms, b.sent_ms, b.count, b.readings) for b in made.batches)
        log.add(held, [batch.created_ms for batch in made.batches])
        log.add_extras(made.extras)
        log.flush(to_ms)
        for one in held:
            readings += one.count
            journal.settle(one)
        # Somebody may want it to stop.
        await asyncio.sleep(0)
    return readings


def boundaries(start: datetime, end: datetime) -> list[datetime]:
    """The moments to which history is stepped, up to and with end."""
    found: list[datetime] = []
    at = start
    while at < end:
        step = COARSE if at < end - FINE_DAYS else FINE
        at = min(at + step, end)
        found.append(at)
    return found
