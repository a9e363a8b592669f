"""One run of chaos: a fleet that goes on measuring while one thing after the other is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from telehealth import clock
from telehealth.store import alerts, db
from telehealth.store.db import Database
from tests.chaos import faults, stack, verdict, watcher
from tests.chaos.faults import Faults
from tests.chaos.fleet import Device, Said
from tests.chaos.verdict import Verdict
from tests.integration.ingest import wards
from tests.support import world

_DEVICES = 12
#: A device stops measuring while it holds so much: what is tested is not how much it can hold.
_KEPT = 150
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
#: What must get through after a fault before the next one.
_PROGRESS = 24
_RECOVERY_SECONDS = 90.0


@dataclass
class Report:
    """done: faults by kind. stuck: faults after which nothing got through in time."""

    seed: int
    done: Counter[str]
    reached: Counter[str]
    stuck: list[str]
    said: Said
    verdict: Verdict


async def chaos(
    rounds: int, seed: int, *, faketime: Path, never_returns: bool = False, tell: Callable[[int, str], None]
) -> Report:
    """tell(kills done, what is next) is called before every fault. never_returns: half way one service stays dead."""
    # Short, because a Unix socket's path may be; and readable for the account that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="th-chaos-", dir="/tmp"))
    os.chmod(folder, 0o755)
    try:
        async with (
            watcher.watching(folder / "failpoints") as watching,
            stack.running(folder, folder / "failpoints", faketime) as running,
            Database.open(running.app_url, size=4) as database,
        ):
            return await _run(rounds, seed, running, watching, database, never_returns, tell)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(
    rounds: int,
    seed: int,
    running: stack.Stack,
    watching: watcher.Watcher,
    database: Database,
    never_returns: bool,
    tell: Callable[[int, str], None],
) -> Report:
    said, residents = Said(), dict[str, int]()
    ward = await world.ward(database)
    nurse = await world.staff(database, ward)
    fleet = []
    for n in range(_DEVICES):
        resident = await world.resident(database, ward, admitted_at=_FIRST)
        await world.device(database, ward, f"chaos-{n}", resident=resident, assigned_from=_FIRST)
        residents[f"chaos-{n}"] = resident.id
        fleet.append(Device(f"chaos-{n}", f"{seed} {n}", said, clock.monotonic))
    for service in running.services.values():
        await service.start()
    hurting = Faults(running, watching, fleet, random.Random(f"faults {seed}"))
    stuck: list[str] = []
    async with asyncio.TaskGroup() as group:
        talking = [group.create_task(device.run(running.broker.port)) for device in fleet]
        measuring = group.create_task(_measure(fleet, random.Random(f"measuring {seed}")))
        nursing = group.create_task(_nurse(database, ward, nurse))
        await _progress(said, "the beginning", stuck)
        for n, kill in enumerate(faults.kills(rounds, seed)):
            tell(n, str(kill))
            if never_returns and n == rounds // 2:
                hurting.never_returns = "one"
            await hurting.kill(kill)
            if n % 3 == 2:
                await hurting.nuisance()
            await _progress(said, str(kill), stuck)
        tell(rounds, "waiting until everything is settled and judged")
        measuring.cancel()
        running.step_clock(0)
        with contextlib.suppress(TimeoutError):
            await stack.until(lambda: not any(device.kept for device in fleet), seconds=_RECOVERY_SECONDS * 2)
        if any(device.kept for device in fleet):
            stuck.append("the end: devices still hold messages without a receipt")
        if not await _judged(database):
            stuck.append("the end: not everything was evaluated")
        for task in (*talking, nursing):
            task.cancel()
    found = await verdict.reach(database, said, residents, [world.threshold()])
    return Report(seed, hurting.done, watching.reached, stuck, said, found)


async def _measure(fleet: list[Device], chosen: random.Random) -> None:
    while True:
        for device in fleet:
            if len(device.kept) < _KEPT and chosen.random() < 0.7:
                device.measure()
        await asyncio.sleep(0.2)


async def _nurse(database: Database, ward: world.Ward, staff_id: int) -> None:
    """Somebody resolves what is over, so that further episodes need alerts of their own."""
    actor = db.staff(staff_id)
    while True:
        await asyncio.sleep(2.0)
        with contextlib.suppress(*db.AWAY, *db.COLLIDED):
            async with database.transaction(actor) as connection:
                for alert in await alerts.open_of_ward(connection, ward.id):
                    if alert.condition == "cleared":
                        now = datetime.now(UTC)
                        await alerts.resolve(connection, alert.id, actor=actor, outcome="no_action_needed", now=now)


async def _progress(said: Said, after: str, stuck: list[str]) -> None:
    """Until receipts come again."""
    wanted = len(said.receipted) + _PROGRESS
    try:
        await stack.until(lambda: len(said.receipted) >= wanted, seconds=_RECOVERY_SECONDS)
    except TimeoutError:
        stuck.append(after)


async def _judged(database: Database) -> bool:
    deadline = clock.monotonic() + _RECOVERY_SECONDS
    while clock.monotonic() < deadline:
        with contextlib.suppress(*db.AWAY):
            rows = await wards.rows(database, "SELECT 1 FROM evaluation_due WHERE due_at = '-infinity' LIMIT 1")
            if not rows:
                return True
        await asyncio.sleep(0.2)
    return False
