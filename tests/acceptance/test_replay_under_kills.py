"""A replay of some thousand readings while evaluators are killed at random: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts import engine, rules, schedule, timeline
from telehealth import clock
from telehealth.store import evaluation
from telehealth.store.db import Database
from tests.acceptance.evaluators import SECONDS, all_done, evaluator
from tests.chaos import watcher
from tests.conftest import Urls
from tests.integration.ingest import wards
from tests.support import world
from tests.support.world import Sample, spo2

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]

RESIDENTS, READINGS, MESSAGE = 40, 75, 5
KILLS = 6
#: How long nobody may do the work of one that was killed.
TAKEN_OVER_SECONDS = 10.0
MINUTE = timedelta(minutes=1)
RULES = world.rule_set(
    world.threshold(),
    world.threshold("pulse", unit="/min", red_low=40.0, amber_low=50.0, amber_high=110.0, red_high=130.0),
    {"kind": "change", "code": "spo2", "direction": "fall", "window_hours": 12, "confirm": 2, "amber": 4, "red": 8},
)
#: Alerts that have not exactly one beginning, second open ones of a rule, and episodes that nobody is told of.
DOUBLED = (
    "SELECT a.id FROM alert a"
    " WHERE (SELECT count(*) FROM alert_event e WHERE e.alert_id = a.id AND e.event = 'raised') <> 1"
    " UNION ALL SELECT min(a.id) FROM alert a GROUP BY a.resident_id, a.rule HAVING count(*) > 1"
)
LOST = "SELECT e.id FROM episode e WHERE NOT EXISTS (SELECT FROM alert_episode l WHERE l.episode_id = e.id)"
ALERTED = "SELECT resident_id, rule, condition FROM alert"
TOLD = (
    "SELECT resident_id, rule, started_at, ended_at, peak_at, peak_value, priority, provisional, evidence->>'reason'"
    " FROM episode ORDER BY resident_id, rule, started_at"
)

Message = tuple[world.Resident, list[Sample]]


def _history(chance: random.Random, first: datetime) -> list[Sample]:
    """Spot readings of two measures, going in and out of limits."""
    at = first
    found: list[Sample] = []
    while len(found) < READINGS:
        at += chance.choice([2, 5, 20]) * MINUTE
        found.append(spo2(chance.choice([83, 86, 90, 91, 94, 97, 97]), at))
        if chance.random() < 0.3:
            found.append(Sample("pulse", chance.choice([38.0, 72.0, 80.0, 118.0, 135.0]), at, "/min"))
    return found[:READINGS]


async def _feed(database: Database, messages: list[Message]) -> None:
    for resident, samples in messages:
        await world.readings(database, resident, *samples)


async def _kill(watching: watcher.Watcher, skip: int) -> int | None:
    """Kills whoever is about to commit after some others have; its pid. None: nobody had anything to do."""
    killed: list[int] = []

    async def let(_: int) -> bool:
        return True

    async def strike(pid: int) -> bool:
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)
        return False

    for _ in range(skip):
        await watching.once("alerting.before_commit", let, seconds=2.0)
    await watching.once("alerting.before_commit", strike, seconds=5.0)
    return killed[0] if killed else None


async def _taken_over(watching: watcher.Watcher, fallen: set[int]) -> None:
    """Another one reaches its commit: the locks of the fallen are free, and its work is done by somebody."""
    others: list[int] = []

    async def note(pid: int) -> bool:
        others.append(pid)
        return True

    async with asyncio.timeout(TAKEN_OVER_SECONDS):
        while not set(others) - fallen:
            await watching.once("alerting.before_commit", note, seconds=TAKEN_OVER_SECONDS)


async def test_a_replay_while_evaluators_are_killed(urls: Urls, database: Database) -> None:
    """Of three evaluators one after the other dies at its commit, wherever that is. Each time another goes on within
    10 s; in the end there are the episodes of one fold of everything, each under exactly one alert.

    An amber value that nothing follows for half an hour calls for somebody; how much of a history is there when it is
    evaluated is luck, so an alert may be left whose next message came later. It says that it is withdrawn.
    """
    chance = random.Random("replay")
    first = clock.real_now().replace(microsecond=0) - timedelta(hours=20)
    ward = await world.ward(database)
    people = [await world.resident(database, ward, admitted_at=first, rules=RULES) for _ in range(RESIDENTS)]
    histories = {resident.id: _history(chance, first) for resident in people}
    messages = [
        (resident, histories[resident.id][at : at + MESSAGE])
        for at in range(0, READINGS, MESSAGE)
        for resident in chance.sample(people, len(people))
    ]
    share = -(-len(messages) // KILLS)
    fallen: set[int] = set()
    with tempfile.TemporaryDirectory(prefix="th-", dir="/tmp") as folder:
        path = Path(folder) / "w"  # short, because a Unix socket's path may be
        async with watcher.watching(path) as watching, contextlib.AsyncExitStack() as stack:
            settings = {"TELEHEALTH_FAILPOINTS": str(path)}
            for _ in range(3):
                await stack.enter_async_context(evaluator(urls.app, **settings))
            for part in range(KILLS):
                async with asyncio.TaskGroup() as group:
                    group.create_task(_feed(database, messages[part * share : (part + 1) * share]))
                    killed = await _kill(watching, chance.randrange(4))
                    assert killed is not None
                    fallen.add(killed)
                    await _taken_over(watching, fallen)
                if part < KILLS - 1:
                    await stack.enter_async_context(evaluator(urls.app, **settings))
            assert len(fallen) == KILLS
            await all_done(database, seconds=SECONDS)
    assert await wards.rows(database, DOUBLED) == []
    assert await wards.rows(database, LOST) == []
    stored = [tuple(row) for row in await wards.rows(database, TOLD)]
    assert stored == _folded(people, histories, first, clock.real_now())
    alerted = {tuple(row) for row in await wards.rows(database, ALERTED)}
    told = {row[:2] for row in stored}
    assert {row[:2] for row in alerted} >= told
    # what is called for while the next message has not come, and no more when it has: nothing else is left without one
    withdrawn = {row[:2]: row[2] for row in alerted if row[:2] not in told}
    assert set(withdrawn.values()) <= {"withdrawn"}
    assert withdrawn.keys() <= _called_for_meanwhile(people, histories, first, clock.real_now())


def _called_for_meanwhile(
    people: list[world.Resident], histories: dict[int, list[Sample]], first: datetime, now: datetime
) -> set[tuple[object, ...]]:
    """Residents and rules that had an episode after any number of messages."""
    return {
        row[:2]
        for end in range(MESSAGE, READINGS + MESSAGE, MESSAGE)
        for row in _folded(people, {one: history[:end] for one, history in histories.items()}, first, now)
    }


def _folded(
    people: list[world.Resident], histories: dict[int, list[Sample]], first: datetime, now: datetime
) -> list[tuple[object, ...]]:
    """Rows as TOLD gives them, of one fold of everything."""
    rule_set = rules.RuleSet.from_json(RULES)
    start = evaluation.micros(first)
    spell = engine.Spell(start, None, schedule.parse({}, "Europe/London"))
    subjects = [engine.Subject(one.id, [(start, rule_set)], [spell], [], "Europe/London") for one in people]
    readings = [
        timeline.Reading(resident, evaluation.micros(sample.at), sample.code, float(sample.value), None, number)
        for resident, samples in histories.items()
        for number, sample in enumerate(samples)
        if isinstance(sample.value, int | float)
    ]
    found = [
        (
            one.resident,
            one.rule,
            evaluation.moment(one.started_at),
            None if one.ended_at is None else evaluation.moment(one.ended_at),
            evaluation.moment(one.peak_at),
            one.peak_value,
            one.priority,
            one.provisional,
            one.reason,
        )
        for result in engine.fold(subjects, timeline.from_readings(readings), evaluation.micros(now))
        for one in result.episodes
    ]
    return sorted(found, key=lambda row: (row[0], row[1], row[2]))
