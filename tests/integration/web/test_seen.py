"""What staff have seen, and what a device gave up, as staff and devices are told."""

from __future__ import annotations

import json
from datetime import timedelta

from devices import formats
from telehealth.model.delivery import Delivery
from telehealth.store import db, ingest
from telehealth.store.db import Database
from tests.integration.ingest import sessions, wards
from tests.integration.ingest.sessions import Broker, Device
from tests.integration.web.conftest import NOW, Server, World
from tests.support import servers


async def _take(database: Database, device_id: str, **envelope: object) -> None:
    at = wards.rfc3339(NOW - timedelta(minutes=5))
    one = {"code": "spo2", "value": 97, "unit": "%", "taken_at": at, "set": "b7"}
    payload = json.dumps({"stream": "k", "sent_at": at, "readings": [one]} | envelope).encode()
    topic = f"telehealth/v1/{device_id}/readings"
    delivery = Delivery("live", topic, device_id, payload, NOW, formats.decode(None, device_id, payload))
    async with database.transaction(db.service("ingest")) as connection:
        await ingest.take_in(connection, [delivery], now=NOW)


async def test_a_set_is_seen_when_a_clinician_opens_the_page(server: Server, people: World) -> None:
    """Not by an administrator; once; and its device is told by a receipt that settles nothing."""
    device_id = people.oximeter.device_id
    await _take(server.database, device_id, seq=1)
    async with server.signed_in("adam") as browser, browser.session.get(f"/residents/{people.anna.id}") as response:
        await response.read()
    assert await wards.rows(server.database, "SELECT 1 FROM seen_set") == []
    async with server.signed_in("clara") as browser:
        for _ in range(2):
            async with browser.session.get(f"/residents/{people.anna.id}") as response:
                assert response.status == 200
    (found,) = await wards.rows(server.database, "SELECT set_id, seen_at, told_at FROM seen_set")
    assert (found["set_id"], found["seen_at"], found["told_at"]) == ("b7", NOW, None)
    with servers.mosquitto() as mosquitto:
        broker = Broker(mosquitto.port)
        async with Device(device_id).connected(broker) as device, sessions.ingest(server.database, broker):
            receipt = await device.answered(lambda receipt: receipt["seen"])
    assert receipt["seen"] == [{"set": "b7", "at": wards.rfc3339(NOW).replace(".000", "")}]
    assert (receipt["stream"], receipt["through"], receipt["also"]) == (None, 0, [])


async def test_what_a_device_gave_up_is_shown(server: Server, people: World) -> None:
    """As a number and in a sentence; what arrives late after all is no longer lost."""
    device_id = people.oximeter.device_id
    await _take(server.database, device_id, seq=5, oldest=4)
    sentence = "3 messages given up by the device before arriving: those readings are lost"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/api/v1/devices/{device_id}") as response:
            found = await response.json()
            assert (found["lost_messages"], found["lost"]) == (3, sentence)
        async with browser.session.get(f"/residents/{people.anna.id}") as response:
            assert sentence in await response.text()
        await _take(server.database, device_id, seq=2)
        async with browser.session.get("/api/v1/devices") as response:
            (found,) = [d for d in (await response.json())["items"] if d["device_id"] == device_id]
            assert found["lost_messages"] == 2


async def test_a_device_that_gave_nothing_up_has_lost_nothing(server: Server, people: World) -> None:
    """Neither one that has never sent anything nor one all of whose messages came."""
    device_id = people.oximeter.device_id
    async with server.signed_in("clara") as browser:
        for seq in (None, 1):
            if seq is not None:
                await _take(server.database, device_id, seq=seq)
            async with browser.session.get("/api/v1/devices") as response:
                items = (await response.json())["items"]
            assert items
            assert {(found["lost_messages"], found["lost"]) for found in items} == {(0, None)}
            async with browser.session.get(f"/residents/{people.anna.id}") as response:
                assert "given up" not in await response.text()
