"""Readings in the database become episodes and alerts, once, whatever happens in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from telehealth.alerting.evaluator import Evaluator
from telehealth.store import alerts, db, evaluation
from tests.integration.alerting.conftest import Service
from tests.support import servers, world
from tests.support.world import T0, spo2

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["postgres_18", "postgres_15"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


SILENCE = {"kind": "silence", "code": "spo2", "grace_seconds": 3600, "source": "test", "approval": "draft"}


async def test_red_spot_reading_alerts(service: Service) -> None:
    """One red reading is one alert after one evaluation, with a reason that can be read and its evidence."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(96, T0 - 5 * MINUTE), spo2(84, T0))
    assert await service.evaluator.cycle()

    [alert] = await service.alerts(resident)
    assert (alert.rule, alert.kind, alert.priority) == ("threshold/spo2/low", "physiological", "high")
    assert (alert.condition, alert.handling, alert.open, alert.late) == ("active", "new", True, False)
    assert (alert.ward_id, alert.onset_at, alert.raised_at) == (ward.id, T0, T0)
    assert "84 %" in alert.reason
    assert "88 %" in alert.reason
    assert alert.evidence
    assert await service.events(alert.id) == ["raised"]
    assert await service.rows("SELECT count(*) FROM evaluation_due WHERE due_at <= $1", T0) == [(0,)]


async def test_same_reading_ten_times_adds_nothing(service: Service) -> None:
    """A redelivered reading, and a due row without news, write neither episode nor alert nor event."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(84, T0))
    await service.minutes(1)
    before = [await service.written(table) for table in ("episode", "alert", "alert_event", "alert_episode")]
    for _ in range(10):
        assert await world.readings(service.database, resident, spo2(84, T0)) == 0
        async with service.database.transaction(world.ACTOR) as connection:
            await world.due(connection, ward, resident_id=resident.id, earliest_at=T0, cause="reading")
        await service.evaluator.drain()
    after = [await service.written(table) for table in ("episode", "alert", "alert_event", "alert_episode")]
    assert before == after


async def test_work_survives_a_crash_before_commit(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dying at any point before the commit leaves the work due and writes nothing; the next evaluator does it."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(84, T0))
    finish = evaluation.finish

    async def dies(*arguments: object, **_: object) -> None:
        await finish(*arguments)  # type: ignore[arg-type]  # passed through
        raise ConnectionResetError

    monkeypatch.setattr(evaluation, "finish", dies)
    with pytest.raises(ConnectionResetError):
        await service.evaluator.cycle()
    assert not await service.alerts()
    assert not await service.episodes()
    assert not await service.rows("SELECT 1 FROM checkpoint")
    monkeypatch.undo()
    await service.evaluator.drain()
    assert len(await service.alerts(resident)) == 1


async def test_late_reading_is_judged_at_its_time(service: Service) -> None:
    """A red reading that arrives an hour late raises an alert marked late, cleared by what came since."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(97, T0 - 2 * HOUR), spo2(97, T0))
    await service.minutes(1)
    assert not await service.alerts(resident)
    await world.readings(service.database, resident, spo2(83, T0 - HOUR))
    await service.minutes(1)
    [alert] = await service.alerts(resident)
    assert (alert.late, alert.condition, alert.handling) == (True, "cleared", "new")
    assert alert.onset_at == T0 - HOUR
    assert alert.raised_at == T0 + 2 * MINUTE


async def test_late_normal_reading_splits_an_episode(service: Service) -> None:
    """A late reading between two red ones makes two episodes of one; the open alert keeps both."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(84, T0 - HOUR), spo2(85, T0))
    await service.minutes(1)
    assert len(await service.episodes(resident)) == 1
    await world.readings(service.database, resident, spo2(97, T0 - HOUR / 2))
    await service.minutes(1)
    assert len(await service.episodes(resident)) == 2
    [alert] = await service.alerts(resident)
    assert alert.condition == "active"
    linked = await service.rows("SELECT count(*) FROM alert_episode WHERE alert_id = $1", alert.id)
    assert linked == [(2,)]


async def test_struck_reading_withdraws_its_alert(service: Service) -> None:
    """An entry made in error leaves the fold, and the alert that it raised is withdrawn, not lost."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    wrong = spo2(84, T0)
    await world.readings(service.database, resident, spo2(96, T0 - HOUR), wrong)
    await service.minutes(1)
    await world.strike(service.database, resident, wrong)
    await service.minutes(1)
    [alert] = await service.alerts(resident)
    assert (alert.condition, alert.handling) == ("withdrawn", "new")
    assert await service.events(alert.id) == ["raised", "withdrawn"]
    assert not await service.episodes(resident)


async def test_silence_is_raised_by_time_and_withdrawn_by_late_data(service: Service) -> None:
    """Nothing arrived: time alone raises the alert, and data that were there after all take it back."""
    ward = await world.ward(service.database)
    resident = await world.resident(
        service.database,
        ward,
        rules=world.rule_set(world.threshold(), SILENCE),
        schedule={"spo2": {"times": ["10:00"], "grace_minutes": 30}},
        admitted_at=T0 - HOUR,
    )
    await service.at(T0)
    assert not await service.alerts(resident)
    await service.at(T0 + 4 * HOUR)
    [alert] = await service.alerts(resident)
    assert (alert.rule, alert.kind, alert.condition) == ("silence/spo2", "technical", "active")
    await world.readings(service.database, resident, spo2(97, T0 + HOUR))
    await service.minutes(1)
    [alert] = await service.alerts(resident)
    assert alert.condition == "withdrawn"
    assert not await service.episodes(resident)


async def test_pause_stops_rules_and_ends_by_itself(service: Service) -> None:
    """No alert within a pause; the first red reading after it alerts."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.pause(service.database, resident, T0, T0 + HOUR)
    await world.readings(service.database, resident, spo2(84, T0 + 10 * MINUTE))
    await service.at(T0 + 20 * MINUTE)
    assert not await service.alerts(resident)
    await world.readings(service.database, resident, spo2(84, T0 + HOUR + MINUTE))
    await service.at(T0 + HOUR + 2 * MINUTE)
    assert [alert.onset_at for alert in await service.alerts(resident)] == [T0 + HOUR + MINUTE]


async def test_pause_and_discharge_end_what_is_active(service: Service) -> None:
    """A pause or a discharge clears an active alert, which stays open until somebody has seen it."""
    ward = await world.ward(service.database)
    residents = [await world.resident(service.database, ward) for _ in range(2)]
    for resident in residents:
        await world.readings(service.database, resident, spo2(84, T0))
    await service.minutes(1)
    await world.pause(service.database, residents[0], T0 + MINUTE, None)
    await world.discharge(service.database, residents[1], T0 + MINUTE)
    await service.minutes(1)
    for resident in residents:
        [alert] = await service.alerts(resident)
        assert (alert.condition, alert.handling, alert.open) == ("cleared", "new", True)


async def test_readings_before_the_stay_never_alert(service: Service) -> None:
    """History from before the admission feeds charts, not alerts."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward, admitted_at=T0)
    await world.readings(service.database, resident, spo2(80, T0 - HOUR))
    await service.minutes(1)
    assert not await service.alerts(resident)


async def test_nothing_new_writes_only_the_head(service: Service) -> None:
    """A normal reading moves the head checkpoint and the queue; no other row of any table is written."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(96, T0))
    await service.minutes(1)
    tables = ("episode", "alert", "alert_event", "alert_episode", "rule_version", "spell", "reading")
    before = [await service.written(table) for table in tables]
    daily = await service.rows("SELECT at FROM checkpoint WHERE kind = 'daily'")
    await world.readings(service.database, resident, spo2(97, T0 + MINUTE))
    before[-1] = await service.written("reading")
    await service.minutes(1)
    assert before == [await service.written(table) for table in tables]
    assert daily == await service.rows("SELECT at FROM checkpoint WHERE kind = 'daily'")
    assert await service.rows("SELECT at FROM checkpoint WHERE kind = 'head'") == [(T0 + MINUTE,)]


async def test_two_evaluators_at_once(service: Service) -> None:
    """Several evaluators share the work: nothing is done twice and nothing is left."""
    ward = await world.ward(service.database)
    residents = [await world.resident(service.database, ward) for _ in range(12)]
    await service.at(T0 + 3 * MINUTE)
    evaluators = [Evaluator(service.database, service.clock, batch=5) for _ in range(3)]
    for step in range(3):
        for resident in residents:
            await world.readings(service.database, resident, spo2(84 + step % 2, T0 + step * MINUTE))

        async def work(evaluator: Evaluator) -> None:
            while await service.rows("SELECT 1 FROM evaluation_due WHERE due_at = '-infinity' LIMIT 1"):
                await evaluator.cycle()

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for evaluator in evaluators:
                group.create_task(work(evaluator))
    for resident in residents:
        [alert] = await service.alerts(resident)
        assert (await service.events(alert.id))[0] == "raised"
    assert await service.rows("SELECT count(*) FROM episode") == [(12,)]


async def test_acknowledged_alert_and_a_further_episode(service: Service) -> None:
    """The same episode leaves an acknowledged alert alone; a new episode after the clear is a new alert."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    nurse = db.staff(await world.staff(service.database, ward))
    await world.readings(service.database, resident, spo2(84, T0))
    await service.minutes(1)
    [alert] = await service.alerts(resident)
    async with service.database.transaction(nurse) as connection:
        assert await alerts.acknowledge(connection, alert.id, actor=nurse, now=service.clock.now(), note="rang her")
    await world.readings(service.database, resident, spo2(85, T0 + 10 * MINUTE))
    await service.at(T0 + 11 * MINUTE)
    [alert] = await service.alerts(resident)
    assert (alert.condition, alert.handling, alert.open) == ("active", "acknowledged", True)
    await world.readings(service.database, resident, spo2(97, T0 + 20 * MINUTE))
    await service.at(T0 + 21 * MINUTE)
    assert not await service.open(resident)
    await world.readings(service.database, resident, spo2(83, T0 + 40 * MINUTE))
    await service.at(T0 + 41 * MINUTE)
    first, second = await service.alerts(resident)
    assert (first.condition, first.handling) == ("cleared", "acknowledged")
    assert (second.condition, second.handling) == ("active", "new")


async def test_further_episode_joins_an_open_alert(service: Service) -> None:
    """While nobody has looked, a second episode of the rule joins the alert: never two open ones."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(84, T0), spo2(97, T0 + 10 * MINUTE))
    await service.at(T0 + 11 * MINUTE)
    await world.readings(service.database, resident, spo2(83, T0 + 20 * MINUTE))
    await service.at(T0 + 21 * MINUTE)
    [alert] = await service.alerts(resident)
    assert (alert.condition, alert.handling) == ("active", "new")
    assert await service.rows("SELECT count(*) FROM alert_episode WHERE alert_id = $1", alert.id) == [(2,)]


async def test_new_rules_hold_from_their_time(service: Service) -> None:
    """A corrected limit refolds from when it is valid."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(84, T0 + MINUTE))
    await service.minutes(2)
    lower = world.rule_set(world.threshold(red_low=80.0, amber_low=82.0))
    await world.new_rules(service.database, resident, lower, T0)
    await service.minutes(1)
    [alert] = await service.alerts(resident)
    assert alert.condition == "withdrawn"
