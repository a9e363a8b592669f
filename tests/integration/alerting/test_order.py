"""The order in which readings are delivered changes nothing but when the service learnt of them."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from simulator import trial
from tests.integration.alerting.conftest import Service
from tests.support import world
from tests.support.world import T0, Sample

MINUTE = timedelta(minutes=1)

RULES = world.rule_set(
    world.threshold(),
    world.threshold("pulse", unit="/min", red_low=40.0, amber_low=50.0, amber_high=110.0, red_high=130.0),
    {"kind": "news2", "scale": 1, "source": "test", "approval": "draft"},
    {"kind": "silence", "code": "spo2", "grace_seconds": 3600, "source": "test", "approval": "draft"},
)
SCHEDULE = {"spo2": {"times": ["10:00", "16:00"], "grace_minutes": 30}}


def _samples(seed: int) -> list[Sample]:
    """Five days with an oximeter, which shows both values at one moment, some of them ill and some forgotten."""
    made = trial.run(
        "copd", scenario="copd_exacerbation_fast", after_days=0, days=5, start=T0, seed=seed, realistic_faults=True
    )
    units = {"spo2": "%", "pulse": "/min"}
    return [
        Sample(r.code, r.value, r.at, units[r.code]) for r in made.readings if r.code in units and r.value is not None
    ]


@pytest.mark.parametrize("seed", [11, 12, 13])
async def test_any_order_gives_the_same_episodes(service: Service, seed: int) -> None:
    """Readings delivered in order, backwards, and shuffled in batches: one set of episodes."""
    chance = random.Random(seed)
    samples = _samples(seed)
    orders = [list(samples), samples[::-1], *(chance.sample(samples, len(samples)) for _ in range(3))]
    ward = await world.ward(service.database)
    told = []
    residents = []
    await service.at(max(sample.at for sample in samples) + MINUTE)
    for order in orders:
        resident = await world.resident(
            service.database, ward, rules=RULES, schedule=SCHEDULE, admitted_at=T0 - 60 * MINUTE
        )
        residents.append(resident)
        left = list(order)
        while left:
            size = chance.choice([1, 2, 7])
            await world.readings(service.database, resident, *left[:size])
            del left[:size]
            await service.evaluator.drain()
        told.append([row[1:] for row in await service.episodes(resident)])
    assert told[0]
    for other in told[1:]:
        assert other == told[0]

    # Folding everything again says the same again, and writes none of it.
    tables = ("episode", "alert", "alert_event", "alert_episode")
    before = [await service.written(table) for table in tables]
    async with service.database.transaction(world.ACTOR) as connection:
        for resident in residents:
            await world.due(connection, ward, resident_id=resident.id, earliest_at=T0 - 90 * MINUTE, cause="rules")
    await service.evaluator.drain()
    assert before == [await service.written(table) for table in tables]
