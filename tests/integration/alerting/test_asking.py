"""Devices are asked to repeat what an alert rests on, once, in the transaction that raises it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from telehealth.store import evaluation
from tests.integration.alerting.conftest import Service
from tests.support import servers, world
from tests.support.world import T0, Resident, spo2

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["postgres_18", "postgres_15"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


async def kit(service: Service, *rules: dict[str, Any]) -> Resident:
    """A resident with an oximeter, a scale, and an oximeter that is somebody else's now or revoked."""
    ward = await world.ward(service.database)
    of = await world.resident(service.database, ward, rules=world.rule_set(*rules))
    await world.device(service.database, ward, "oximeter", codes=("spo2", "pulse"), resident=of)
    await world.device(service.database, ward, "scale", codes=("weight",), resident=of)
    await world.device(service.database, ward, "nobodys", codes=("spo2",))
    gone = await world.device(service.database, ward, "revoked", codes=("spo2",), resident=of)
    async with service.database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE device SET revoked_at = $2 WHERE id = $1", gone.pk, T0)
    return of


async def asked(service: Service) -> list[tuple[Any, ...]]:
    return await service.rows(
        "SELECT d.device_id, c.codes, c.about_at, c.expires_at, c.state FROM device_command c"
        " JOIN device d ON d.id = c.device_pk ORDER BY c.about_at, d.device_id"
    )


async def test_a_red_spot_reading_asks_the_device_that_can(service: Service) -> None:
    """Only a device of the resident's, now, that measures it; once, however often the same is evaluated."""
    of = await kit(service)
    await world.readings(service.database, of, spo2(84, T0))
    await service.at(T0)
    expected = [("oximeter", ["spo2"], T0, T0 + 30 * MINUTE, "waiting")]
    assert await asked(service) == expected
    await world.readings(service.database, of, spo2(95, T0 - MINUTE))  # folds it anew
    await service.minutes(1)
    await world.readings(service.database, of, spo2(83, T0 + 2 * MINUTE))  # the repeat, no better
    await service.minutes(1)
    assert await asked(service) == expected


async def test_an_extreme_value_is_provisional_until_the_repeat(service: Service) -> None:
    of = await kit(service)
    await world.readings(service.database, of, spo2(62, T0, marks=["extreme"]))
    await service.at(T0)
    [alert] = await service.open(of)
    assert alert.provisional
    assert [row[0] for row in await asked(service)] == ["oximeter"]
    await world.readings(service.database, of, spo2(96, T0 + 2 * MINUTE))
    await service.minutes(2)
    [alert] = await service.alerts(of)
    assert (alert.condition, alert.provisional) == ("withdrawn", False)

    await world.readings(service.database, of, spo2(62, T0 + 60 * MINUTE, marks=["extreme"]))
    await service.at(T0 + 60 * MINUTE)
    await world.readings(service.database, of, spo2(64, T0 + 61 * MINUTE, marks=["extreme"]))
    await service.minutes(1)
    confirmed = (await service.open(of))[0]
    assert (confirmed.condition, confirmed.provisional) == ("active", False)


async def test_both_pressures_are_one_command(service: Service) -> None:
    ward = await world.ward(service.database)
    limits: dict[str, Any] = {"unit": "mm[Hg]", "red_low": None, "amber_low": None}
    rules = [world.threshold("systolic", red_high=180, **limits), world.threshold("diastolic", red_high=110, **limits)]
    of = await world.resident(service.database, ward, rules=world.rule_set(*rules))
    await world.device(service.database, ward, "cuff", codes=("systolic", "diastolic", "pulse"), resident=of)
    pair = [world.Sample("systolic", 200, T0, "mm[Hg]"), world.Sample("diastolic", 120, T0, "mm[Hg]")]
    await world.readings(service.database, of, *pair)
    await service.at(T0)
    assert [row[:2] for row in await asked(service)] == [("cuff", ["diastolic", "systolic"])]


async def test_nothing_is_asked_where_it_is_too_late_or_done(service: Service) -> None:
    """Late data, a repeat that came with it, or an amber value that waits: no command."""
    of = await kit(service)
    await world.readings(service.database, of, spo2(84, T0 - 45 * MINUTE))
    await service.at(T0)
    assert len(await service.open(of)) == 1
    await world.readings(service.database, of, spo2(96, T0))
    await service.minutes(1)
    await world.readings(service.database, of, spo2(90, T0 + 2 * MINUTE))
    await service.minutes(2)
    await world.readings(service.database, of, spo2(84, T0 + 10 * MINUTE), spo2(83, T0 + 11 * MINUTE))
    await service.at(T0 + 12 * MINUTE)
    assert await asked(service) == []


async def test_on_a_shared_kit_it_says_whom(service: Service) -> None:
    ward = await world.ward(service.database)
    of = await world.resident(service.database, ward)
    shared = await world.device(service.database, ward, "shared")
    async with service.database.transaction(world.ACTOR) as connection:
        await connection.execute(
            "INSERT INTO device_seat (organisation_id, device_pk, kind, label, resident_id, during, created_by,"
            " created_at) VALUES ($1, $2, 'subject', 'room-4', $3, tstzrange($4, NULL), 'operator:tests', $4)",
            ward.organisation_id,
            shared.pk,
            of.id,
            T0 - timedelta(days=1),
        )
    await world.readings(service.database, of, spo2(84, T0))
    await service.at(T0)
    assert await service.rows("SELECT subject FROM device_command") == [("room-4",)]


async def test_with_the_alert_or_not_at_all(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash before the commit leaves neither alert nor command; the next evaluation makes both, once."""
    of = await kit(service)
    await world.readings(service.database, of, spo2(84, T0))
    finish = evaluation.finish

    async def dies(*arguments: object, **_: object) -> None:
        await finish(*arguments)  # type: ignore[arg-type]  # passed through
        raise ConnectionResetError

    monkeypatch.setattr(evaluation, "finish", dies)
    with pytest.raises(ConnectionResetError):
        await service.at(T0)
    assert await asked(service) == []
    monkeypatch.undo()
    await service.at(T0)
    assert len(await asked(service)) == len(await service.open(of)) == 1
