"""Virtual time moves in exact steps, and everybody follows it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from telehealth.clock import ClinicalClock, Step
from telehealth.errors import Conflict, Invalid, Unavailable
from telehealth.store import clock
from telehealth.store.db import Database
from tests.integration.alerting.conftest import Service
from tests.support import world
from tests.support.world import T0, spo2

HOUR = timedelta(hours=1)

SILENCE = {"kind": "silence", "code": "spo2", "grace_seconds": 3600, "source": "test", "approval": "draft"}


async def _working(service: Service, stop: asyncio.Event) -> None:
    while not stop.is_set():
        if not await service.evaluator.cycle():
            await asyncio.sleep(0.01)


async def test_step_fires_time_driven_rules_before_it_moves(service: Service) -> None:
    """Readings of a step arrive before time speaks: no silence is raised for data that the step still brings."""
    ward = await world.ward(service.database)
    residents = [
        await world.resident(
            service.database,
            ward,
            rules=world.rule_set(world.threshold(), SILENCE),
            schedule={"spo2": {"times": ["10:00"], "grace_minutes": 30}},
            admitted_at=T0 - HOUR,
        )
        for _ in range(2)
    ]
    stop = asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(_working(service, stop))
        step = await clock.advance(service.database, service.clock, T0 + 5 * HOUR)
        assert step == Step(T0 + 5 * HOUR, T0)
        assert service.clock.now() == T0 + 5 * HOUR
        # It is 14:00 and the deadline has passed, but the readings of these five hours come only now.
        await world.readings(service.database, residents[0], spo2(97, T0 + HOUR))
        await clock.advance(service.database, service.clock, None)
        assert service.clock.horizon() == T0 + 5 * HOUR
        stop.set()
    assert await service.alerts(residents[0]) == []
    assert [alert.rule for alert in await service.alerts(residents[1])] == ["silence/spo2"]


async def _expected_at_ten(service: Service) -> world.Resident:
    """A resident who is to measure at 10:00, until 10:30; judged once."""
    ward = await world.ward(service.database)
    resident = await world.resident(
        service.database,
        ward,
        rules=world.rule_set(world.threshold(), SILENCE),
        schedule={"spo2": {"times": ["10:00"], "grace_minutes": 30}},
        admitted_at=T0 - HOUR,
    )
    await service.evaluator.drain()
    return resident


async def test_a_step_is_judged_as_the_transaction_sees_it(service: Service) -> None:
    """A process that has heard of a step's end judges nothing before the readings of that step are to be seen."""
    resident = await _expected_at_ten(service)
    service.clock.step = Step(T0 + 8 * HOUR, T0 + 8 * HOUR)
    await service.evaluator.drain()
    assert await service.alerts(resident) == []


async def test_the_readings_of_a_step_are_judged_together(service: Service) -> None:
    """Whichever comes first: a late reading does not make time pass, and so silence, before the earlier ones are in."""
    resident = await _expected_at_ten(service)
    stop = asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(_working(service, stop))
        await clock.advance(service.database, service.clock, T0 + 8 * HOUR)
        await world.readings(service.database, resident, spo2(84, T0 + 8 * HOUR))
        await service.evaluator.drain()
        assert await service.alerts(resident) == []
        await world.readings(service.database, resident, spo2(97, T0 + HOUR))
        await clock.advance(service.database, service.clock, None)
        stop.set()
    alerts = await service.alerts(resident)
    assert [(alert.rule, alert.raised_at) for alert in alerts] == [("threshold/spo2/low", T0 + 8 * HOUR)]


async def test_refuses_what_cannot_be(service: Service) -> None:
    """Time never goes back, nobody waits for ever for an evaluator that does not work, real time is left alone."""
    ward = await world.ward(service.database)
    with pytest.raises(Invalid, match="goes back"):
        await clock.advance(service.database, service.clock, T0 - HOUR)
    with pytest.raises(Conflict):
        await clock.set_virtual(service.database, service.clock, T0 - HOUR)
    await world.resident(service.database, ward)
    with pytest.raises(Unavailable):
        await clock.advance(service.database, service.clock, T0 + HOUR, within_seconds=0)
    assert service.clock.now() == T0
    await clock.make_real(service.database, service.clock)
    assert not service.clock.virtual
    with pytest.raises(Conflict):
        await clock.advance(service.database, service.clock, T0 + HOUR)


async def test_others_follow(database: Database) -> None:
    """Another process's clock moves when the row does, and becomes real with it."""
    mine, theirs = ClinicalClock(), ClinicalClock()
    await clock.set_virtual(database, mine, T0)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        following = group.create_task(clock.follow(database, theirs))

        async def until(step: Step | None) -> None:
            while theirs.step != step:  # noqa: ASYNC110 - a clock tells nobody that it moved
                await asyncio.sleep(0.005)

        await until(Step(T0, T0))
        await clock.set_virtual(database, mine, T0 + HOUR)
        await until(Step(T0 + HOUR, T0 + HOUR))
        await clock.make_real(database, mine)
        await until(None)
        following.cancel()


def test_older_read_changes_nothing() -> None:
    """A read that was overtaken does not turn the clock back."""
    following = ClinicalClock(Step(T0, T0))
    clock.keep_in_step(following, Step(T0 - HOUR, T0 - HOUR))
    assert following.now() == T0
