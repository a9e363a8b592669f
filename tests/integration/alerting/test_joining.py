"""Refractory time and automatic handling through the service, from checkpoints and with people in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from telehealth.store import alerts, db
from tests.integration.alerting.conftest import Service
from tests.support import servers, world
from tests.support.world import T0, Resident, spo2

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["postgres_18", "postgres_15"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


async def resident(service: Service, **more: Any) -> tuple[Resident, int]:
    ward = await world.ward(service.database)
    staff = await world.staff(service.database, ward)
    rules = world.rule_set(world.threshold(repeat_seconds=600, **more))
    return await world.resident(service.database, ward, rules=rules), staff


async def acknowledge(service: Service, alert_id: int, staff: int) -> None:
    async with service.database.transaction(db.staff(staff)) as connection:
        await alerts.acknowledge(connection, alert_id, actor=db.staff(staff), now=service.clock.now())


async def amber(service: Service, of: Resident, hours: float) -> None:
    """Twice amber, then normal."""
    at = T0 + timedelta(hours=hours)
    await world.readings(service.database, of, spo2(90, at), spo2(91, at + 5 * MINUTE))
    await service.at(at + 6 * MINUTE)
    await world.readings(service.database, of, spo2(96, at + 10 * MINUTE))
    await service.at(at + 11 * MINUTE)


async def test_what_comes_again_soon_calls_nobody(service: Service) -> None:
    """Although the alert was closed, and its episode over, long before the state that the fold goes on from."""
    of, staff = await resident(service, refractory_hours=4)
    await amber(service, of, 0)
    [alert] = await service.alerts(of)
    await acknowledge(service, alert.id, staff)
    assert await service.open(of) == []
    await world.readings(service.database, of, spo2(96, T0 + 2 * HOUR), spo2(97, T0 + 3 * HOUR))
    await service.at(T0 + 3 * HOUR)

    await world.readings(service.database, of, spo2(90, T0 + 3.5 * HOUR), spo2(90, T0 + 3.5 * HOUR + 5 * MINUTE))
    await service.at(T0 + 3.6 * HOUR)
    [again] = await service.open(of)
    assert (again.id, again.condition, again.handling) == (alert.id, "active", "acknowledged")
    assert (await service.events(alert.id))[-2:] == ["joined", "resumed"]

    await world.readings(service.database, of, spo2(96, T0 + 3.7 * HOUR))
    await service.at(T0 + 3.7 * HOUR)
    assert await service.open(of) == []

    await amber(service, of, 3.7 + 4.1)
    assert [one.handling for one in await service.alerts(of)] == ["acknowledged", "new"]


async def test_worse_within_the_time_calls_again(service: Service) -> None:
    of, staff = await resident(service, refractory_hours=4)
    await amber(service, of, 0)
    [alert] = await service.alerts(of)
    await acknowledge(service, alert.id, staff)
    await world.readings(service.database, of, spo2(84, T0 + HOUR))
    await service.at(T0 + HOUR)
    [again] = await service.open(of)
    assert (again.id, again.handling, again.priority) == (alert.id, "new", "high")


async def test_what_clears_itself_is_handled_automatically(service: Service) -> None:
    """By the service, in an event of its own kind; it is shown while it is active, kept and counted."""
    of, staff = await resident(service, auto=True)
    await world.readings(service.database, of, spo2(90, T0), spo2(91, T0 + 5 * MINUTE))
    await service.at(T0 + 6 * MINUTE)
    [alert] = await service.open(of)
    assert (alert.handling, alert.priority) == ("new", "medium")
    await world.readings(service.database, of, spo2(96, T0 + 10 * MINUTE))
    await service.at(T0 + 11 * MINUTE)
    assert await service.open(of) == []
    [alert] = await service.alerts(of)
    assert (alert.condition, alert.handling, alert.open) == ("cleared", "automatic", False)
    assert await service.rows("SELECT event, actor FROM alert_event WHERE alert_id = $1 ORDER BY id", alert.id) == [
        ("raised", "service:alerting"),
        ("cleared", "service:alerting"),
        ("auto_handled", "service:alerting"),
    ]
    async with service.database.transaction(db.staff(staff)) as connection:
        assert await alerts.handled_automatically(connection, of.ward.id, since=T0) == 1
        assert await alerts.handled_automatically(connection, of.ward.id, since=service.clock.now() + MINUTE) == 0
        assert [one.id for one in await alerts.page(connection, ward_id=of.ward.id, handling="automatic")] == [alert.id]

    await amber(service, of, 2)
    assert [one.handling for one in await service.alerts(of)] == ["automatic", "automatic"]


async def test_red_is_never_handled_automatically(service: Service) -> None:
    of, _ = await resident(service, auto=True)
    await world.readings(service.database, of, spo2(84, T0), spo2(96, T0 + 5 * MINUTE))
    await service.at(T0 + 6 * MINUTE)
    [alert] = await service.open(of)
    assert (alert.condition, alert.handling) == ("cleared", "new")


async def test_late_data_makes_it_red_after_all(service: Service) -> None:
    of, _ = await resident(service, auto=True)
    await amber(service, of, 0)
    assert await service.open(of) == []
    await world.readings(service.database, of, spo2(84, T0 + 7 * MINUTE), received_at=service.clock.now())
    await service.minutes(1)
    [alert] = await service.open(of)
    assert (alert.handling, alert.priority, alert.condition) == ("new", "high", "cleared")
