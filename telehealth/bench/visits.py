"""Video visits: what forwarding costs beside a relay that decodes and beside Janus, and how visits fare."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from telehealth import clock
from telehealth.bench import visit_callers, visit_janus, visit_rooms, visit_servers
from telehealth.bench.visit_callers import Callers, Picture
from telehealth.bench.visit_rooms import Room
from telehealth.bench.visit_servers import Process, Size
from telehealth.consult import backend

#: Callers in one process: more, and it is they who are late.
_PER_PROCESS = 2
_SETTLE_SECONDS = 3.0
_CUT_SECONDS = 5.0
#: Of every caller's line, each way.
_LOSS = {"loss": 0.05}
_SLOW_RATE = 15
_LIMIT_SECONDS = 60.0
_ROUND_PEOPLE = 3
#: What is kept by design is there after so many rounds.
_WARM_ROUNDS = 20


@dataclass(frozen=True)
class Plan:
    """seconds: of what goes on for a time; people: of the large room; repeats: of what is timed; runs: to compare."""

    seconds: float = 20.0
    people: int = 6
    repeats: int = 10
    rounds: int = 200
    runs: int = 3
    #: Of one call that goes on; 0: none.
    minutes: float = 0.0


class Forwarded(msgspec.Struct):
    """cpu: percent of one core, of the server; streams: a picture with its voice, from one person to one other.

    delivered: received of what should have been. lag_ms: 99th percentile of how late the server's loop was; null:
    not known.
    """

    people: int
    cpu: float
    streams: int
    delivered: float
    lag_ms: float | None

    @property
    def each(self) -> float:
        """Percent of one core."""
        return self.cpu / self.streams


class Lossy(msgspec.Struct):
    """Of all pictures at 15 a second on lines that lose 5 % each way. longest: seconds between two frames."""

    seconds: float
    frames: int
    freezes: int
    longest: float


class Rounds(msgspec.Struct):
    """Of people who join and leave."""

    rounds: int
    people: int
    before: Size
    after: Size


class Long(msgspec.Struct):
    """One call of two people, after its first minute (or tenth) and at its end. sizes: of the worker, each minute."""

    minutes: float
    delivered: float
    lag_ms: float
    freezes: int
    sizes: list[Size]


class Visits(msgspec.Struct):
    """Seconds but where said otherwise; medians of runs for what is compared. janus null: it is not installed."""

    two: Forwarded
    decoded: Forwarded
    many: Forwarded
    janus: Forwarded | None
    joins: list[float]
    recoveries: list[float]
    crashes: list[float]
    lossy: Lossy
    rounds: Rounds
    notes: list[str] = msgspec.field(default_factory=list)
    long: Long | None = None


async def measure(plan: Plan, *, progress: Callable[[str], None]) -> Visits:
    """One after the other; what is compared takes turns."""
    twos, decodeds, manys, januses = _Runs(), _Runs(), _Runs(), _Runs()
    notes = []
    for run in range(plan.runs):
        progress(f"visits: run {run + 1} of {plan.runs}: forwarding for two")
        twos.add(await _forwarded(2, plan.seconds))
        progress(f"visits: run {run + 1} of {plan.runs}: decoding and encoding for two")
        decodeds.add(await _decoded(plan.seconds))
        progress(f"visits: run {run + 1} of {plan.runs}: forwarding for {plan.people}")
        manys.add(await _forwarded(plan.people, plan.seconds))
        if visit_janus.installed():
            progress(f"visits: run {run + 1} of {plan.runs}: Janus for {plan.people}")
            januses.add(await _janus(plan.people, plan.seconds))
    if not januses.found:
        notes.append("Janus is not installed (apt-get install janus): not compared")
    progress(f"visits: {plan.repeats} joins")
    joins = await _joins(plan.repeats)
    progress(f"visits: {max(1, plan.repeats // 3)} outages of {_CUT_SECONDS:.0f} s")
    recoveries = await _recoveries(max(1, plan.repeats // 3))
    progress(f"visits: {max(1, plan.repeats // 3)} crashes of a worker")
    crashes = [await _crash() for _ in range(max(1, plan.repeats // 3))]
    progress("visits: lines that lose 5 % each way")
    lossy = await _lossy(max(plan.seconds, 5.0))
    progress(f"visits: {plan.rounds} rounds of {_ROUND_PEOPLE} people who come and go")
    rounds = await _rounds(plan.rounds)
    long = None
    if plan.minutes:
        progress(f"visits: one call of {plan.minutes:g} minutes")
        long = await _long(plan.minutes, progress)
    return Visits(
        twos.median(),
        decodeds.median(),
        manys.median(),
        januses.median() if januses.found else None,
        joins,
        [seconds for each in recoveries for seconds in each],
        crashes,
        lossy,
        rounds,
        notes,
        long,
    )


@dataclass
class _Runs:
    found: list[Forwarded] = field(default_factory=list)

    def add(self, one: Forwarded) -> None:
        self.found.append(one)

    def median(self) -> Forwarded:
        """Of CPU; delivered and lag are the worst."""
        lags = [one.lag_ms for one in self.found if one.lag_ms is not None]
        return Forwarded(
            self.found[0].people,
            statistics.median(one.cpu for one in self.found),
            self.found[0].streams,
            min(one.delivered for one in self.found),
            max(lags) if lags else None,
        )


@contextlib.asynccontextmanager
async def _people(count: int, picture: Picture) -> AsyncIterator[dict[int, Callers]]:
    async with contextlib.AsyncExitStack() as stack:
        needed = -(-count // _PER_PROCESS)
        found = [await stack.enter_async_context(visit_callers.callers(picture)) for _ in range(needed)]
        yield {number + 1: found[number % needed] for number in range(count)}


def _processes(people: dict[int, Callers]) -> list[Callers]:
    return list(dict.fromkeys(people.values()))


# What forwarding costs ---------------------------------------------------------------------------------


async def _forwarded(count: int, seconds: float) -> Forwarded:
    async with (
        _people(count, Picture()) as people,
        visit_servers.worker() as worker,
        backend.Workers().running() as workers,
    ):
        room = Room(workers, people)
        began = clock.monotonic()
        await room.open(worker)
        await room.seen(began)
        found = await _over(worker, people, seconds)
        found.lag_ms = worker.told.lag * 1e3
        return found


async def _decoded(seconds: float) -> Forwarded:
    async with _people(2, Picture()) as people, visit_servers.decoding() as server:
        for who, callers in people.items():
            answer = await server.answer(who, await callers.offer(who, cameras=1, screen=False))
            callers.answer(who, answer, {})
        return await _over(server, people, seconds)


async def _janus(count: int, seconds: float) -> Forwarded:
    async with _people(count, Picture()) as people, visit_janus.janus() as server:
        for who, callers in people.items():
            await server.publish(who, callers)
        for who, callers in people.items():
            await server.subscribe(who, callers)
        return await _over(server, people, seconds)


async def _over(server: Process, people: dict[int, Callers], seconds: float) -> Forwarded:
    """Over some seconds, when everything has settled."""
    await asyncio.sleep(_SETTLE_SECONDS)
    processes = _processes(people)
    before, cpu = await visit_rooms.counted(processes), server.cpu_seconds()
    await asyncio.sleep(seconds)
    after, used = await visit_rooms.counted(processes), server.cpu_seconds() - cpu
    others = len(people) - 1
    due = (after.sent - before.sent) * others
    delivered = (after.received - before.received) / due if due else 0.0
    return Forwarded(len(people), 100 * used / (after.at - before.at), len(people) * others, min(delivered, 1.0), None)


# How visits fare ------------------------------------------------------------------------------------------


async def _joins(repeats: int) -> list[float]:
    """A second person joins the first, again and again; from their offer to their first frame."""
    found: list[float] = []
    async with (
        _people(2, Picture(rate=_SLOW_RATE)) as people,
        visit_servers.worker() as worker,
        backend.Workers().running() as workers,
    ):
        room = Room(workers, people)
        await room.open(worker)
        for _ in range(repeats):
            await room.leave(2)
            since = clock.monotonic()
            await room.join(2)
            found += await room.seen(since, by=[2])
    return found


async def _recoveries(repeats: int) -> list[list[float]]:
    """Nothing gets through to the second person for five seconds; from then to the next frame of both."""
    found = []
    async with (
        _people(2, Picture(rate=_SLOW_RATE)) as people,
        visit_servers.worker() as worker,
        backend.Workers().running() as workers,
    ):
        room = Room(workers, people, line={})
        began = clock.monotonic()
        await room.open(worker)
        await room.seen(began)
        for _ in range(repeats):
            await asyncio.sleep(1.0)
            people[2].cut(2, _CUT_SECONDS)
            over = clock.monotonic() + _CUT_SECONDS
            await asyncio.sleep(_CUT_SECONDS)
            found.append(await room.seen(over))
    return found


async def _crash() -> float:
    """A worker is killed; until all three see each other on another. The slowest."""
    async with (
        _people(3, Picture(rate=_SLOW_RATE)) as people,
        visit_servers.worker() as first,
        visit_servers.worker() as second,
        backend.Workers().running() as workers,
    ):
        room = Room(workers, people)
        began = clock.monotonic()
        await room.open(first)
        await room.seen(began)
        killed = clock.monotonic()
        first.kill()
        async with asyncio.timeout(_LIMIT_SECONDS):
            await room.gone.wait()
            await room.move(second)
            await room.seen(clock.monotonic())
        return clock.monotonic() - killed


async def _lossy(seconds: float) -> Lossy:
    async with (
        _people(2, Picture(rate=_SLOW_RATE)) as people,
        visit_servers.worker() as worker,
        backend.Workers().running() as workers,
    ):
        room = Room(workers, people, line=_LOSS)
        began = clock.monotonic()
        await room.open(worker)
        await room.seen(began)
        await asyncio.sleep(seconds)
        found = await visit_rooms.counted(_processes(people))
        longest = max(counts["longest"] for counts in found.people.values())
        return Lossy(seconds, int(found.total("frames")), int(found.total("freezes")), longest)


async def _rounds(rounds: int) -> Rounds:
    async with (
        _people(_ROUND_PEOPLE, Picture(160, 120, _SLOW_RATE, 100_000)) as people,
        visit_servers.worker() as worker,
        backend.Workers().running() as workers,
    ):
        await _come_and_go(min(_WARM_ROUNDS, rounds), people, worker, workers, first=1)
        before = worker.size()
        await _come_and_go(rounds, people, worker, workers, first=1 + _WARM_ROUNDS)
        return Rounds(rounds, _ROUND_PEOPLE, before, worker.size())


async def _come_and_go(
    rounds: int,
    people: dict[int, Callers],
    worker: visit_servers.MediaWorker,
    workers: backend.Workers,
    *,
    first: int,
) -> None:
    for number in range(rounds):
        room = Room(workers, people, consultation=first + number, slots=_ROUND_PEOPLE - 1)
        since = clock.monotonic()
        await room.open(worker)
        await room.seen(since)
        for who in people:
            await room.leave(who)
    await asyncio.sleep(1.0)


async def _long(minutes: float, progress: Callable[[str], None]) -> Long:
    """Two people as browsers send at most, for long."""
    async with (
        _people(2, Picture()) as people,
        visit_servers.worker() as worker,
        backend.Workers().running() as workers,
    ):
        room = Room(workers, people)
        began = clock.monotonic()
        await room.open(worker)
        await room.seen(began)
        first = min(60.0, minutes * 6)
        await asyncio.sleep(first)
        processes = _processes(people)
        before, sizes = await visit_rooms.counted(processes), [worker.size()]
        over = before.at + minutes * 60 - first
        while (left := over - clock.monotonic()) > 0:
            await asyncio.sleep(min(60.0, left))
            sizes.append(worker.size())
            if len(sizes) % 10 == 0:
                progress(f"visits: minute {len(sizes)} of {minutes:g}: {sizes[-1].bytes / 1e6:.0f} MB")
        after = await visit_rooms.counted(processes)
        due = after.sent - before.sent
        delivered = (after.received - before.received) / due if due else 0.0
        freezes = int(after.total("freezes") - before.total("freezes"))
        return Long(minutes, min(1.0, delivered), worker.told.lag * 1e3, freezes, sizes)


def p95(values: Sequence[float]) -> float:
    found = sorted(values)
    return found[min(len(found) - 1, int(len(found) * 0.95))]
