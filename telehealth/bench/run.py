"""All of the benchmark, on servers of its own; each phase has a database and a broker to itself."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from telehealth.bench import (
    backlog,
    drain,
    folding,
    live,
    month,
    overload,
    screen,
    servers,
    targets,
    two,
    visits,
    wards,
)
from telehealth.bench.targets import Figures, Target
from telehealth.store import db
from telehealth.store.db import Database

_SHOWN = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers")
PHASES: Final = (
    "evaluation",
    "wards",
    "screen",
    "drain",
    "two",
    "live",
    "memory",
    "backlog",
    "overload",
    "visits",
    "simulator",
)
_SCREENS = (200, 1000)
#: Messages a second that are tried in an overload where the drain was not measured.
_SUSTAINABLE = 8000
_TIMES = 10


@dataclass(frozen=True)
class Plan:
    """What to measure, in the order of PHASES. seconds: of publishing, of the phases that go on for a time."""

    drains: drain.Plan = field(default_factory=drain.Plan)
    phases: Sequence[str] = PHASES
    screen_seconds: int = 20
    seconds: int = 30
    connections: int = 5000
    backlog_devices: int = 1000
    residents: int = 10_000
    visits: visits.Plan = field(default_factory=visits.Plan)
    simulated: month.Plan = field(default_factory=month.Plan)


class Report(msgspec.Struct):
    """Rates are messages a second unless named otherwise; postgres: as SHOW says; load: of the computer, before."""

    cores: int
    load: float
    postgres: dict[str, str]
    mosquitto: str
    mosquitto_conf: str
    figures: Figures
    targets: list[Target]


async def everything(plan: Plan, *, progress: Callable[[str], None]) -> Report:
    """Measure what is asked for, one after the other."""
    before = os.getloadavg()[0]
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="telehealth-bench-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        async with servers.mosquitto(folder) as broker:
            about = _About(broker.version)
            for phase in PHASES:
                if phase in plan.phases:
                    await _phase(phase, plan, figures, folder, broker, about, progress)
    found = targets.judged(figures)
    return Report(os.cpu_count() or 1, before, about.shown, about.version, servers.MOSQUITTO, figures, found)


@dataclass
class _About:
    version: str
    shown: dict[str, str] = field(default_factory=dict)


async def _phase(
    phase: str,
    plan: Plan,
    figures: Figures,
    folder: Path,
    broker: servers.Mosquitto,
    about: _About,
    progress: Callable[[str], None],
) -> None:
    if phase == "evaluation":
        progress("evaluation: residents a second on one core")
        figures.evaluation = folding.measure()
        return
    if phase == "wards":
        progress("wards: residents of all pathways with four weeks of history")
        figures.wards = wards.measure(plan.residents)
        return
    if phase == "visits":
        figures.visits = await visits.measure(plan.visits, progress=progress)
        return
    async with _database(folder / phase, about) as url:
        if phase == "screen":
            for a_second in _SCREENS:
                progress(f"screen: publish to screen at {a_second} messages/s")
                figures.screen.append(await screen.measure(screen.Plan(a_second, plan.screen_seconds), url, broker))
        elif phase == "drain":
            drains = plan.drains
            progress(f"drain: {drains.per_device * drains.devices:,} messages, {drains.runs} runs of each")
            figures.drain = await drain.measure(drains, url, broker, progress=progress)
        elif phase == "two":
            progress("two: one and two processes of ingest")
            each = two.Plan(plan.drains.messages, plan.drains.devices)
            figures.two = await two.measure(each, url, broker, progress=progress)
        elif phase == "live":
            progress(f"live: 2,000 messages/s for {plan.seconds} s")
            figures.live = await live.measure(
                live.Plan(
                    "live",
                    seconds=plan.seconds,
                    devices=plan.drains.devices,
                    whole_pathways=plan.drains.whole_pathways,
                ),
                url,
                broker,
            )
        elif phase == "memory":
            progress(f"memory: {plan.connections:,} connected devices, 1,000 messages/s for {plan.seconds} s")
            connected = live.Plan("memory", 1000, plan.seconds, plan.connections, each_connected=True)
            figures.memory = await live.measure(connected, url, broker)
        elif phase == "backlog":
            progress(f"backlog: {plan.backlog_devices:,} devices with 48 hours, and red readings meanwhile")
            figures.backlog = await backlog.measure(backlog.Plan(plan.backlog_devices), url, broker)
        elif phase == "overload":
            sustainable = _SUSTAINABLE if figures.drain is None else int(figures.drain.durable_median)
            progress(f"overload: {_TIMES} times {sustainable:,} messages/s tried for {plan.seconds} s")
            figures.overload = await overload.measure(overload.Plan(_TIMES * sustainable, plan.seconds), url, broker)
        elif phase == "simulator":
            figures.simulator = await month.measure(plan.simulated, url, broker, progress=progress)


@contextlib.asynccontextmanager
async def _database(folder: Path, about: _About) -> AsyncIterator[str]:
    async with servers.postgres(folder) as url:
        if not about.shown:
            about.shown = await _settings(url)
        yield url


async def _settings(url: str) -> dict[str, str]:
    async with (
        Database.open(url, size=1) as database,
        database.transaction(db.operator("bench"), read_only=True) as connection,
    ):
        return {name: str(await connection.fetchval(f"SHOW {name}")) for name in _SHOWN}
