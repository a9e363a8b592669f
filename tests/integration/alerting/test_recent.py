"""Many readings of one resident in a short time, in any order: states between the newest and midnight's."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from telehealth import clock as clocks
from telehealth.alerting import residents
from telehealth.alerting.evaluator import Evaluator
from telehealth.clock import ClinicalClock
from telehealth.store import evaluation
from tests.integration.alerting.conftest import Service
from tests.support import world
from tests.support.world import T0, spo2

SECOND = timedelta(seconds=1)
_BATCH = 64


def _value(n: int) -> int:
    return 84 if n % 250 in (100, 101) else 97


async def test_states_are_kept_and_thin_out(service: Service) -> None:
    """A thousand readings in a quarter of an hour leave a few states, fewer of the older ones, none of them later."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    for start in range(0, 1024, _BATCH):
        taken = [spo2(97, T0 + n * SECOND) for n in range(start, start + _BATCH)]
        await world.readings(service.database, resident, *taken)
        await service.at(T0 + (start + _BATCH) * SECOND)
        await service.evaluator.drain()
    kept = [at for (at,) in await service.rows("SELECT at FROM checkpoint WHERE kind = 'recent' ORDER BY at")]
    assert 3 <= len(kept) <= 6
    every = evaluation.RECENT_READINGS * SECOND
    assert kept[-1] == T0 + 1023 * SECOND
    assert kept[-1] - kept[-2] == every
    assert kept[1] - kept[0] >= every


async def test_shuffled_arrivals_end_in_the_same_episodes(service: Service) -> None:
    """Batches that overtake each other give the episodes that one fold of everything gives."""
    ward = await world.ward(service.database)
    straight = await world.resident(service.database, ward)
    shuffled = await world.resident(service.database, ward)
    everything = [spo2(_value(n), T0 + n * SECOND) for n in range(1024)]
    await world.readings(service.database, straight, *everything)
    batches = [everything[start : start + _BATCH] for start in range(0, len(everything), _BATCH)]
    chance = random.Random(12)
    # Each comes at most four places late, as when two sessions share one device's messages.
    order = sorted(range(len(batches)), key=lambda n: n + chance.uniform(0, 4))
    await service.at(T0 + 1100 * SECOND)
    for n in order:
        await world.readings(service.database, shuffled, *batches[n])
        await service.evaluator.drain()

    def said(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
        return [tuple(row) for row in rows]

    query = "SELECT rule, started_at, ended_at, peak_value, priority FROM episode WHERE resident_id = $1 ORDER BY 1, 2"
    expected = said(await service.rows(query, straight.id))
    assert len(expected) >= 4
    assert said(await service.rows(query, shuffled.id)) == expected


async def test_much_work_of_many_is_done_in_the_end(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has more readings than one transaction takes is not left for ever, and nobody waits behind them."""
    monkeypatch.setattr(residents, "MOST_READINGS", 100)
    ward = await world.ward(service.database)
    heavy = [await world.resident(service.database, ward) for _ in range(5)]
    light = await world.resident(service.database, ward)
    now = clocks.real_now()
    for resident in heavy:
        taken = [spo2(_value(n), now - (400 - n) * SECOND) for n in range(300)]
        await world.readings(service.database, resident, *taken)
    await world.readings(service.database, light, spo2(84, now))
    evaluator = Evaluator(service.database, ClinicalClock())
    await evaluator.cycle(patience_seconds=0.0)
    assert len(await service.alerts(light)) == 1
    await evaluator.drain()
    for resident in heavy:
        assert len(await service.alerts(resident)) == 1
