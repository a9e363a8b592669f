"""Several evaluators share the work: one that dies or stands still is replaced, and writes nothing stale afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts import lifecycle
from telehealth import clock
from telehealth.alerting.evaluator import Evaluator
from telehealth.clock import ClinicalClock
from telehealth.store.db import Database
from tests.acceptance.evaluators import SECONDS, all_done, evaluator, until
from tests.chaos import watcher
from tests.conftest import Urls
from tests.integration.ingest import wards
from tests.support import world
from tests.support.world import Sample, spo2

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
#: What the fold said, without ids.
EPISODES = (
    "SELECT rule, started_at, ended_at, peak_at, peak_value, priority, provisional, evidence::text FROM episode"
    " WHERE resident_id = $1 ORDER BY rule, started_at"
)
#: Alerts that have not exactly one beginning, and second ones of a rule.
DOUBLED = (
    "SELECT a.id FROM alert a"
    " WHERE (SELECT count(*) FROM alert_event e WHERE e.alert_id = a.id AND e.event = 'raised') <> 1"
    " UNION ALL SELECT min(a.id) FROM alert a GROUP BY a.resident_id, a.rule HAVING count(*) > 1"
)
#: Which versions of their rows alerts have: another one means that a row was written.
WRITTEN = "SELECT id, xmin::text, ctid::text FROM alert ORDER BY id"
RAISED = "SELECT 1 FROM alert WHERE resident_id = $1 AND rule = 'threshold/spo2/low' AND condition = 'active'"


@contextlib.asynccontextmanager
async def _watching() -> AsyncIterator[tuple[watcher.Watcher, dict[str, str]]]:
    # Short, because a Unix socket's path may be.
    with tempfile.TemporaryDirectory(prefix="th-", dir="/tmp") as folder:
        path = Path(folder) / "w"
        async with watcher.watching(path) as watching:
            yield watching, {"TELEHEALTH_FAILPOINTS": str(path)}


async def _held(database: Database, resident: world.Resident) -> bool:
    """Whether an evaluator is at work on this resident."""
    free = "SELECT 1 FROM resident WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED"
    async with database.transaction(world.ACTOR) as connection:
        return await connection.fetchval(free, resident.id) is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_another_goes_on_where_one_stood(urls: Urls, database: Database, number: signal.Signals) -> None:
    """One of two is killed, or stopped, within its transaction, holding its locks: the other raises the alert. When the
    stopped one wakes up, it writes nothing of what it had begun, and takes its share again."""
    now = clock.real_now()
    ward = await world.ward(database)
    residents = [await world.resident(database, ward, admitted_at=now - MINUTE) for _ in range(3)]
    async with _watching() as (watching, settings), contextlib.AsyncExitStack() as stack:
        first, other = [await stack.enter_async_context(evaluator(urls.app, **settings)) for _ in range(2)]
        await all_done(database)
        struck_at: list[float] = []

        async def strike(pid: int) -> bool:
            if pid != first.pid or not await _held(database, residents[0]):
                return True
            os.kill(pid, number)
            struck_at.append(clock.monotonic())
            return number != signal.SIGKILL

        # The other one leaves the work to the first.
        other.send_signal(signal.SIGSTOP)
        await world.readings(database, residents[0], spo2(84, clock.real_now()))
        while not struck_at:
            assert await watching.once("alerting.before_commit", strike, seconds=SECONDS)
        other.send_signal(signal.SIGCONT)
        await world.readings(database, residents[1], spo2(84, clock.real_now()))
        for resident in residents[:2]:
            await until(database, RAISED, resident.id)
        print(f"{number.name}: taken over after {clock.monotonic() - struck_at[0]:.1f} s")
        assert await wards.rows(database, DOUBLED) == []
        if number == signal.SIGSTOP:
            written = await wards.rows(database, WRITTEN)
            first.send_signal(signal.SIGCONT)
            other.kill()
            await world.readings(database, residents[2], spo2(84, clock.real_now()))
            await until(database, RAISED, residents[2].id)
            await all_done(database)
            assert (await wards.rows(database, WRITTEN))[:2] == written
            assert first.returncode is None
        assert await wards.rows(database, DOUBLED) == []


def _history(chance: random.Random, first: datetime) -> list[Sample]:
    """Some hours of spot readings of a resident, going in and out of limits."""
    at, found = first, []
    for _ in range(24):
        at += chance.choice([2, 5, 20]) * MINUTE
        found.append(spo2(chance.choice([83, 86, 90, 91, 94, 97]), at))
    return found


async def _columns_say_what_events_say(database: Database) -> None:
    """An event that was written twice, or by somebody who knew only what was, would not fit."""
    told: dict[int, list[lifecycle.Event]] = {}
    for row in await wards.rows(database, "SELECT alert_id, event, priority FROM alert_event ORDER BY alert_id, id"):
        told.setdefault(row["alert_id"], []).append(lifecycle.Event(row["event"], row["priority"]))
    rows = await wards.rows(database, "SELECT id, condition, handling, priority FROM alert")
    assert rows
    for row in rows:
        assert lifecycle.derive(told[row["id"]]) == lifecycle.Standing(*row[1:])


async def _twin(
    database: Database, ward: world.Ward, samples: Sequence[Sample], admitted_at: datetime
) -> world.Resident:
    """The same history in order, evaluated by nobody but us."""
    twin = await world.resident(database, ward, admitted_at=admitted_at)
    for sample in sorted(samples, key=lambda sample: sample.at):
        await world.readings(database, twin, sample)
    return twin


async def test_killed_and_stopped_at_random(urls: Urls, database: Database) -> None:
    """A replay to three evaluators, of which one after the other is killed or stopped at any moment: in the end the
    episodes are those of an undisturbed one, every alert is there, and none twice."""
    chance = random.Random("evaluators")
    first = clock.real_now() - timedelta(hours=6)
    ward = await world.ward(database)
    residents = [await world.resident(database, ward, admitted_at=first) for _ in range(10)]
    histories = [_history(chance, first) for _ in residents]
    waiting = [(r, sample) for r, samples in zip(residents, histories, strict=True) for sample in samples]
    waiting.sort(key=lambda item: item[1].at)
    async with contextlib.AsyncExitStack() as stack:
        running = [await stack.enter_async_context(evaluator(urls.app)) for _ in range(3)]
        await all_done(database)
        stopped: list[asyncio.subprocess.Process] = []
        hurt = 0
        for position, (resident, sample) in enumerate(waiting):
            await world.readings(database, resident, sample)
            await asyncio.sleep(chance.uniform(0, 0.06))
            if position % 30 == 29:
                victim = running.pop(chance.randrange(len(running)))
                hurt += 1
                if chance.random() < 0.5:
                    victim.kill()
                    running.append(await stack.enter_async_context(evaluator(urls.app)))
                else:
                    victim.send_signal(signal.SIGSTOP)
                    stopped.append(victim)
                while len(stopped) > 1 or len(running) < 2:
                    back = stopped.pop(0)
                    back.send_signal(signal.SIGCONT)
                    running.append(back)
        assert hurt > 5
        await all_done(database)
        for process in stopped:
            process.send_signal(signal.SIGCONT)
        # What was stopped is awake when something comes that only it can do.
        for process in running:
            process.kill()
        last = histories[0][-1].at + MINUTE
        if stopped:
            await world.readings(database, residents[0], spo2(97, last), spo2(80, last + MINUTE))
            histories[0] += [spo2(97, last), spo2(80, last + MINUTE)]
            await all_done(database)
    assert await wards.rows(database, DOUBLED) == []
    await _columns_say_what_events_say(database)
    own = Evaluator(database, ClinicalClock())
    for resident, samples in zip(residents, histories, strict=True):
        twin = await _twin(database, ward, samples, first)
        await own.drain()
        told = await wards.rows(database, EPISODES, resident.id)
        assert told
        assert told == await wards.rows(database, EPISODES, twin.id)
        alerts = await wards.rows(database, "SELECT DISTINCT rule FROM alert WHERE resident_id = $1", resident.id)
        assert {row["rule"] for row in alerts} == {row["rule"] for row in told}


async def test_a_writer_that_commits_late_is_not_missed(urls: Urls, database: Database) -> None:
    """Its readings and its due row are older than what was evaluated meanwhile, by number and by time."""
    now = clock.real_now()
    ward = await world.ward(database)
    resident = await world.resident(
        database,
        ward,
        admitted_at=now - MINUTE,
        rules=world.rule_set(world.threshold(), world.threshold("pulse", unit="/min", red_low=40.0, amber_low=50.0)),
    )
    pulse = "SELECT 1 FROM alert WHERE rule = 'threshold/pulse/low' AND resident_id = $1"
    commits = asyncio.Event()

    async def slow(began: asyncio.Event) -> None:
        async with database.transaction(world.ACTOR) as connection:
            await world.insert_readings(connection, ward, [spo2(84, now - 2 * SECOND)], resident_id=resident.id)
            began.set()
            await commits.wait()

    async with evaluator(urls.app), asyncio.TaskGroup() as group:
        began = asyncio.Event()
        group.create_task(slow(began))
        await began.wait()
        since = clock.monotonic()
        await world.readings(database, resident, Sample("pulse", 35, now - SECOND, "/min"))
        await until(database, pulse, resident.id)
        await all_done(database)
        # 5 s in all, in which the evaluator looks for work again and again.
        await asyncio.sleep(max(0.0, 5.0 - (clock.monotonic() - since)))
        assert not await wards.rows(database, RAISED, resident.id)
        commits.set()
        await until(database, RAISED, resident.id)


async def test_any_delivery_of_one_history_ends_in_the_same_episodes(urls: Urls, database: Database) -> None:
    """Through the transaction that takes readings in and a running evaluator: in order, backwards, shuffled, several
    times each, in large messages and small, some of them hours late."""
    chance = random.Random("deliveries")
    now = clock.real_now().replace(microsecond=0)
    first = now - timedelta(hours=8)
    samples = sorted(_history(chance, first), key=lambda sample: sample.at)
    orders = [list(samples), samples[::-1], *(chance.sample(samples, len(samples)) for _ in range(3))]
    for order in orders[2:]:
        order += chance.sample(samples, len(samples) // 2)
    ward = await world.ward(database)
    made = []
    async with evaluator(urls.app), evaluator(urls.app):
        for order in orders:
            resident = await world.resident(database, ward, admitted_at=first)
            device = await world.device(database, ward, resident=resident, assigned_from=first)
            made.append(resident)
            seq = 0
            while order:
                seq += 1
                size = chance.choice([1, 1, 3, 8])
                sent = [wards.spo2(one.value, at=one.at, source_id=one.at.isoformat()) for one in order[:size]]
                del order[:size]
                received = clock.real_now()
                payload = wards.envelope(*sent, seq=seq, sent_at=wards.rfc3339(received))
                lane = "live" if chance.random() < 0.5 else "backlog"
                delivered = wards.delivery(device.device_id, payload, lane=lane, received_at=received)  # type: ignore[arg-type]  # a lane
                await wards.take(database, delivered, now=received)
                await asyncio.sleep(chance.uniform(0, 0.05))
        await all_done(database)
    told = [await wards.rows(database, EPISODES, resident.id) for resident in made]
    assert told[0]
    for other in told[1:]:
        assert [tuple(row) for row in other] == [tuple(row) for row in told[0]]
    assert await wards.rows(database, DOUBLED) == []
