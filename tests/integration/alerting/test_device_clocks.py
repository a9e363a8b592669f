"""A device's wrong clock is one technical alert of the lowest priority, which clears by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from devices import formats
from telehealth.model.delivery import Delivery
from telehealth.store import db, ingest
from telehealth.store.db import Database
from tests.integration.alerting.conftest import Service
from tests.integration.ingest.wards import envelope, rfc3339, spo2
from tests.support import world
from tests.support.world import T0

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


async def _send(
    database: Database, device: world.Device, value: float, at: datetime, skew: timedelta = timedelta(0), seq: int = 1
) -> None:
    """Taken 2 s before it is received, by a clock that is wrong by skew."""
    content = envelope(spo2(value, at=at - timedelta(seconds=2) + skew), seq=seq, sent_at=rfc3339(at + skew))
    topic = f"telehealth/v1/{device.device_id}/readings"
    one = Delivery("live", topic, device.device_id, content, at, formats.decode(None, device.device_id, content))
    async with database.transaction(db.service("ingest")) as connection:
        await ingest.take_in(connection, [one], now=at)


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (2 * HOUR, "about 2 h fast since 2 Mar 09:00 GMT: probably set to another time zone"),
        (datetime(2000, 1, 1, tzinfo=T0.tzinfo) - T0, "not set since 2 Mar 09:00 GMT"),
    ],
)
async def test_the_second_message_of_a_wrong_clock_raises_it_once(
    service: Service, skew: timedelta, words: str
) -> None:
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    device = await world.device(service.database, ward, resident=resident)
    await _send(service.database, device, 97, T0, skew)
    await service.at(T0)
    assert await service.alerts() == []
    for n in range(1, 6):
        await _send(service.database, device, 97, T0 + n * MINUTE, skew, seq=1 + n)
        await service.at(T0 + n * MINUTE)
    [alert] = await service.alerts()
    assert (alert.rule, alert.kind, alert.priority, alert.condition) == ("clock", "technical", "low", "active")
    assert (alert.device_pk, alert.onset_at) == (device.pk, T0)
    assert alert.reason == f"Device clock {words}; times of its readings are estimated"
    await _send(service.database, device, 97, T0 + 10 * MINUTE, seq=9)
    await service.at(T0 + 10 * MINUTE)
    [alert] = await service.alerts()
    assert alert.condition == "cleared"
    assert await service.events(alert.id) == ["raised", "cleared"]


async def test_a_red_value_after_the_clock_was_put_back_alerts_at_its_own_time(service: Service) -> None:
    """Somebody puts the clock back once too often: what follows is not judged an hour early."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward, rules=world.rule_set(world.threshold()))
    device = await world.device(service.database, ward, resident=resident)
    for n in range(3):
        await _send(service.database, device, 97, T0 + n * MINUTE, seq=n + 1)
    for n in range(3):
        await _send(service.database, device, 84, T0 + (10 + n) * MINUTE, -HOUR, seq=4 + n)
        await service.at(T0 + (10 + n) * MINUTE)
    by_rule = {alert.rule: alert for alert in await service.alerts()}
    assert set(by_rule) == {"threshold/spo2/low", "clock"}
    red = by_rule["threshold/spo2/low"]
    assert (red.condition, red.late) == ("active", False)
    assert abs(red.onset_at - (T0 + 10 * MINUTE)) < timedelta(seconds=5)
    assert "device clock wrong" in red.reason
    assert "about 1 h slow since 2 Mar 09:10 GMT: probably daylight saving" in by_rule["clock"].reason


async def test_what_was_believed_too_long_is_judged_anew(service: Service) -> None:
    """An hour early there were no rules yet: red, but no alert until the clock is known to be slow."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward, rules=world.rule_set(world.threshold()))
    one = await world.device(service.database, ward, resident=resident)
    other = await world.device(service.database, ward, resident=resident)
    await _send(service.database, other, 97, T0)
    for n in range(4):
        at = T0 + (1 + n) * MINUTE
        await _send(service.database, one, 84, at, -HOUR, seq=1 + n)
        await service.at(at)
    alerts = {alert.rule: alert for alert in await service.alerts(resident)}
    assert alerts["threshold/spo2/low"].condition == "active"
    assert abs(alerts["threshold/spo2/low"].onset_at - (T0 + MINUTE)) < timedelta(seconds=5)


async def test_one_message_that_is_wrong_is_no_alert(service: Service) -> None:
    ward = await world.ward(service.database)
    device = await world.device(service.database, ward)
    for n, skew in enumerate((timedelta(0), 2 * HOUR, timedelta(0))):
        await _send(service.database, device, 97, T0 + n * MINUTE, skew, seq=n + 1)
    await service.at(T0 + 5 * MINUTE)
    assert await service.alerts() == []
