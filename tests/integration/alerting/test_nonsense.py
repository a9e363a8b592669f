"""A device that says nothing but nonsense is one technical alert, which clears by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from devices import formats
from telehealth.model.delivery import Delivery
from telehealth.store import db, devices, ingest, nonsense
from telehealth.store.db import Database
from tests.integration.alerting.conftest import Service
from tests.integration.ingest.wards import envelope, rows, spo2
from tests.support import world
from tests.support.world import T0


async def send(database: Database, device: world.Device, *payloads: bytes, at: datetime) -> None:
    topic = f"telehealth/v1/{device.device_id}/readings"
    found = [
        Delivery("live", topic, device.device_id, payload, at, formats.decode(None, device.device_id, payload))
        for payload in payloads
    ]
    async with database.transaction(db.service("ingest")) as connection:
        await ingest.take_in(connection, found, now=at)


async def judge(service: Service, at: datetime) -> list[Mapping[str, Any]]:
    """Evaluate at that moment; the nonsense alerts with their events."""
    await service.at(at)
    found = await rows(
        service.database,
        "SELECT a.*, (SELECT array_agg(e.event ORDER BY e.id) FROM alert_event e WHERE e.alert_id = a.id) AS events"
        " FROM alert a WHERE rule = 'nonsense' ORDER BY id",
    )
    return [dict(row) for row in found]


def garbage(count: int, mark: str = "") -> list[bytes]:
    return [f"{mark} nonsense {n}".encode() for n in range(count)]


@pytest.fixture
async def device(database: Database) -> world.Device:
    return await world.device(database, await world.ward(database))


async def test_a_flood_is_one_alert_and_a_good_message_clears_it(
    service: Service, database: Database, device: world.Device
) -> None:
    """However much comes; when it can be read again the alert clears, and comes back when it begins anew."""
    await send(database, device, *garbage(19), at=T0)
    assert await judge(service, T0) == []
    for minute in range(5):
        at = T0 + timedelta(minutes=minute)
        await send(database, device, *garbage(100, str(minute)), at=at)
        [alert] = await judge(service, at)
    assert (alert["kind"], alert["priority"], alert["condition"]) == ("technical", "low", "active")
    assert alert["device_pk"] == device.pk
    assert alert["onset_at"] == T0
    assert alert["events"] == ["raised"]
    at = T0 + timedelta(minutes=10)
    await send(database, device, envelope(spo2(97, at=at)), at=at)
    [alert] = await judge(service, at)
    assert (alert["condition"], alert["events"]) == ("cleared", ["raised", "cleared"])
    await send(database, device, *garbage(30, "again"), at=at + timedelta(minutes=1))
    [alert] = await judge(service, at + timedelta(minutes=1))
    assert alert["condition"] == "cleared", "something was taken in within the hour"
    [alert] = await judge(service, at + timedelta(hours=1))
    assert alert["events"] == ["raised", "cleared", "returned"]


async def test_good_messages_between_are_no_nonsense(
    service: Service, database: Database, device: world.Device
) -> None:
    """A hub with one broken sensor is not a broken hub."""
    for minute in range(10):
        at = T0 + timedelta(minutes=minute)
        await send(database, device, *garbage(10, str(minute)), envelope(spo2(97, at=at), seq=minute + 1), at=at)
    assert await judge(service, T0 + timedelta(hours=3)) == []


async def test_a_revoked_device_is_of_no_concern(service: Service, database: Database, device: world.Device) -> None:
    """Its alert clears when the daily upkeep looks."""
    await send(database, device, *garbage(nonsense.MESSAGES), at=T0)
    [alert] = await judge(service, T0)
    assert alert["condition"] == "active"
    async with database.transaction(world.ACTOR) as connection:
        found = await devices.find(connection, device.device_id)
        await devices.revoke(connection, found, actor=world.ACTOR, now=T0)
        await nonsense.look_at_revoked(connection, now=T0)
    [alert] = await judge(service, T0)
    assert alert["condition"] == "cleared"
