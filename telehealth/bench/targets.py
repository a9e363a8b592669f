"""What was measured, and what it should be."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from telehealth.bench.backlog import Backlog
from telehealth.bench.drain import Drains
from telehealth.bench.folding import Folding
from telehealth.bench.live import Live
from telehealth.bench.month import Simulated
from telehealth.bench.overload import Overload
from telehealth.bench.screen import Latencies
from telehealth.bench.two import Processes
from telehealth.bench.visits import Visits, p95
from telehealth.bench.wards import Wards

_MEMORY_BYTES = 300e6
#: Of publish to screen at so many messages a second: milliseconds.
_SCREEN_MS = {200: 250.0, 1000: 500.0}
#: A live red reading while a backlog drains.
_MEANWHILE_MS = 500.0
_RECEIPT_MS = 1000.0
_OVERLOAD_BYTES = 500e6
#: Of visits: seconds, and by how much a media worker may grow over all rounds of people who come and go.
_JOIN_SECONDS = 1.5
_RECOVERY_SECONDS = 2.0
_CRASH_SECONDS = 8.0
_FREEZE_SECONDS = 0.5
_LAG_MS = 10.0
_GROWTH_BYTES = 5e6
#: Of the simulator: a month of 50 residents within five minutes; 10,000 connections within a core and this much memory.
_DAYS_A_MINUTE = 6.0
_LOAD_BYTES = 1e9
_LOAD_CORES = 1.0


class Figures(msgspec.Struct):
    """null: not measured."""

    evaluation: Folding | None = None
    wards: Wards | None = None
    screen: list[Latencies] = msgspec.field(default_factory=list)
    drain: Drains | None = None
    two: Processes | None = None
    live: Live | None = None
    memory: Live | None = None
    backlog: Backlog | None = None
    overload: Overload | None = None
    visits: Visits | None = None
    simulator: Simulated | None = None


class Target(msgspec.Struct):
    """found must be at least wanted, or at most."""

    name: str
    found: float
    wanted: float
    at_least: bool
    unit: str = ""

    met: bool = False

    def __post_init__(self) -> None:
        self.met = self.found >= self.wanted if self.at_least else self.found <= self.wanted


def judged(figures: Figures) -> list[Target]:
    """Of everything that was measured."""
    return list(_judged(figures))


def _judged(figures: Figures) -> Iterator[Target]:
    if (wards := figures.wards) is not None:
        yield Target(f"{wards.residents:,} residents, one new set each", wards.milliseconds, 1000.0, False, "ms")
        ratio = wards.micros_of_many / wards.micros_of_few
        name = f"a resident among {wards.residents * 5:,} / among {wards.residents // 10:,}"
        yield Target(name, ratio, 1.25, False)
        yield Target(f"replay of {wards.replayed:,} readings", wards.replay_seconds, 20.0, False, "s")
        yield Target("state of a resident, spot measures", wards.state_bytes / 1e3, 20.0, False, "kB")
        yield Target("state of a resident, continuous glucose", wards.state_bytes_glucose / 1e3, 160.0, False, "kB")
    for seen in figures.screen:
        name = f"publish to screen at {seen.messages_a_second}/s, p99"
        yield Target(name, seen.p99, _SCREEN_MS[seen.messages_a_second], False, "ms")
    if (drain := figures.drain) is not None:
        yield Target("durable with alerting / bare drain", drain.ratio, 0.45, True)
    if (two := figures.two) is not None:
        yield Target("two processes of ingest / one", two.ratio, 0.9, True)
    if (live := figures.live) is not None:
        yield Target(f"{live.messages_a_second}/s live, receipt p99", live.receipt_ms.p99, _RECEIPT_MS, False, "ms")
    if (memory := figures.memory) is not None:
        name = f"memory with {memory.connections - 1} connected devices"
        yield Target(name, memory.service_bytes / 1e6, _MEMORY_BYTES / 1e6, False, "MB")
    if (backlog := figures.backlog) is not None:
        yield Target("live red while a backlog drains, p99", backlog.live_ms.p99, _MEANWHILE_MS, False, "ms")
    if (over := figures.overload) is not None:
        yield Target("overload: readings missing", over.missing_readings, 0, False)
        yield Target("overload: red residents without an alert", over.residents_red - over.residents_alerted, 0, False)
        yield Target("overload: processes that ended", 0 if over.alive else 1, 0, False)
        yield Target("overload: memory", over.service_bytes / 1e6, _OVERLOAD_BYTES / 1e6, False, "MB")
    if figures.visits is not None:
        yield from _of_visits(figures.visits)
    if (simulated := figures.simulator) is not None:
        name = f"simulated days a minute of {simulated.month.residents} residents"
        yield Target(name, simulated.month.days_a_minute, _DAYS_A_MINUTE, True)
        for held in (simulated.many, simulated.quick):
            name = f"{held.devices:,} devices from one process"
            yield Target(
                f"{name}: messages/s of those asked for", held.made_a_second / held.wanted_a_second, 0.99, True
            )
            yield Target(f"{name}: lost or away", held.lost + held.devices - held.connected, 0, False)
            yield Target(f"{name}: cores", held.cores, _LOAD_CORES, False)
            yield Target(f"{name}: memory", held.bytes / 1e6, _LOAD_BYTES / 1e6, False, "MB")


def _of_visits(found: Visits) -> Iterator[Target]:
    yield Target("a forwarded stream of two / decoded and encoded", found.two.each / found.decoded.each, 0.25, False)
    if found.janus is not None:
        name = f"a forwarded stream of {found.many.people} / of Janus"
        yield Target(name, found.many.each / found.janus.each, 1.5, False)
    for some in (found.two, found.many):
        yield Target(f"packets delivered, {some.people} people", 100 * some.delivered, 98, True, "%")
        if some.lag_ms is not None:
            yield Target(f"media worker's loop, {some.people} people, p99", some.lag_ms, _LAG_MS, False, "ms")
    yield Target("join to first frame, p95", p95(found.joins), _JOIN_SECONDS, False, "s")
    yield Target("after an outage of 5 s, longest", max(found.recoveries), _RECOVERY_SECONDS, False, "s")
    yield Target("media worker killed, media back, longest", max(found.crashes), _CRASH_SECONDS, False, "s")
    yield Target("5 % loss each way, longest freeze", found.lossy.longest, _FREEZE_SECONDS, False, "s")
    rounds = found.rounds
    name = f"{rounds.rounds} rounds of {rounds.people} people: more"
    yield Target(f"{name} memory", (rounds.after.bytes - rounds.before.bytes) / 1e6, _GROWTH_BYTES / 1e6, False, "MB")
    yield Target(f"{name} threads", rounds.after.threads - rounds.before.threads, 0, False)
    yield Target(f"{name} descriptors", rounds.after.files - rounds.before.files, 0, False)
    if (long := found.long) is not None:
        first, last = long.sizes[0], long.sizes[-1]
        name = f"a call of {long.minutes:g} minutes:"
        yield Target(f"{name} more memory", (last.bytes - first.bytes) / 1e6, _GROWTH_BYTES / 1e6, False, "MB")
        yield Target(f"{name} more threads", last.threads - first.threads, 0, False)
        yield Target(f"{name} more descriptors", last.files - first.files, 0, False)
        yield Target(f"{name} packets delivered", 100 * long.delivered, 98, True, "%")
        yield Target(f"{name} media worker's loop, p99", long.lag_ms, _LAG_MS, False, "ms")
