"""A gateway's Bluetooth frames in the record: once, at their local time, with slot, set and flags."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from devices import formats
from telehealth.model.delivery import Delivery
from telehealth.store.db import Database
from tests.integration.ingest import wards
from tests.integration.ingest.wards import NOW, take
from tests.support import world
from tests.unit.devices import gatt_frames as sent

pytestmark = pytest.mark.postgres


def _delivery(device: world.Device, *, received_at: datetime = NOW) -> Delivery:
    local = NOW.replace(tzinfo=None) - timedelta(hours=2)
    at = (local.year, local.month, local.day, local.hour, local.minute, local.second)
    cuff = sent.cuff(*map(sent.sfloat, (138, 88, sent.NAN)), at=at, pulse=sent.sfloat(60), status=0b10_0111)
    noisy = sent.spot(sent.sfloat(97), sent.sfloat(60), status=1 << 14, sensor=0xFFFF, amplitude=sent.sfloat(18, -1))
    content = {
        "stream": "hub",
        "seq": 4,
        "zone": "Etc/GMT",
        "sent_at": wards.rfc3339(received_at),
        "frames": [
            sent.frame("2A35", cuff),
            sent.frame("2A5E", noisy, taken_at=wards.rfc3339(NOW - timedelta(hours=1))),
            sent.frame("2A37", b"\x00"),
        ],
    }
    payload = json.dumps(content).encode()
    topic = f"telehealth/v1/{device.device_id}/readings/gatt"
    message = formats.decode("gatt", device.device_id, payload)
    return Delivery("live", topic, device.device_id, payload, received_at, message)


async def test_frames_are_stored_once_with_what_they_said(database: Database) -> None:
    ward = await world.ward(database)
    device = await world.device(database, ward, resident=await world.resident(database, ward))
    first = await take(database, _delivery(device))
    again = await take(database, _delivery(device, received_at=NOW + timedelta(minutes=10)))
    assert (first.stored, again.stored) == (6, 0)
    stored = await wards.rows(
        database, "SELECT code, value, absent, taken_at, set_id, flags FROM reading ORDER BY taken_at, code"
    )
    assert [(row["code"], row["value"], row["absent"]) for row in stored] == [
        ("diastolic", 88, None),
        ("mean_arterial", None, "not-a-number"),
        ("pulse", 60, None),
        ("systolic", 138, None),
        ("pulse", 60, None),
        ("spo2", 97, None),
    ]
    assert {row["taken_at"] for row in stored[:4]} == {NOW.replace(microsecond=0).astimezone(UTC) - timedelta(hours=2)}
    assert len({row["set_id"] for row in stored[:4]}) == 1
    assert len(stored[5]["flags"]) == 16
