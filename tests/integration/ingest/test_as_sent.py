"""What was sent comes out again to the letter, beside what we made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from telehealth.cli import csv_field
from telehealth.store import db, export
from telehealth.store.db import Database
from tests.integration.ingest import wards
from tests.integration.ingest.wards import NOW, delivery
from tests.support import world

pytestmark = pytest.mark.postgres

#: Code, JSON token, unit, further fields.
SENT: tuple[tuple[str, str, str | None, str], ...] = (
    ("spo2", "96", "%", ""),
    ("spo2", "0.970", "1", ""),
    ("temperature", "36.60", "Cel", ""),
    ("temperature", "98.6", "[degF]", ""),
    ("pulse", "1e2", "/min", ""),
    ("pulse", "7.0E1", "bpm", ""),
    ("weight", "150.50", "[lb_av]", ""),
    ("breathlessness", "3", None, ""),
    ("on_oxygen", "true", None, ""),
    ("on_oxygen", "false", None, ""),
    ("consciousness", '"A"', None, ""),
    ("pulse", "null", "/min", ',"absent":"error"'),
    ("consciousness", "null", None, ',"absent":"not-performed"'),
)
INDIA = timezone(timedelta(hours=5, minutes=30))
TIMES = (
    NOW - timedelta(minutes=1),
    datetime(2026, 3, 2, 11, 0, 0, 123456, UTC),
    datetime(2026, 3, 2, 16, 30, 0, 1, INDIA),
    datetime(2024, 2, 29, 23, 59, 59, 999999, UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2038, 1, 19, 3, 14, 8, 500, UTC),
)


async def _exported(database: Database, device: world.Device) -> list[dict[str, Any]]:
    async with database.transaction(db.operator("tests"), read_only=True) as connection:
        selection = export.Selection(device_pk=device.pk)
        return [row async for row in export.readings(connection, selection)]


async def test_values_units_and_times(database: Database) -> None:
    """Every kind of value at every kind of time, exported as JSON token, CSV field, unit and instant of the message."""
    device = await world.device(database, await world.ward(database))
    sent = []
    for seq, at in enumerate(TIMES, 1):
        parts = []
        for n, (code, token, unit, more) in enumerate(SENT):
            named = "" if unit is None else f',"unit":"{unit}"'
            parts.append(
                f'{{"code":"{code}","value":{token}{named},"taken_at":"{at.isoformat()}","source_id":"{n}"{more}}}'
            )
            sent.append((code, token, "" if token == "null" else token.strip('"'), unit, at, "s", seq))
        message = f'{{"stream":"s","seq":{seq},"sent_at":"{wards.rfc3339(NOW)}","readings":[{",".join(parts)}]}}'
        taken = await wards.take(database, delivery(device.device_id, message.encode()))
        assert taken.answers[0].refused == []
    found = [
        (
            row["code"],
            bytes(row["value_sent"]).decode(),
            csv_field.text(row["value_sent"]),
            row["unit_sent"],
            datetime.fromisoformat(row["taken_at"]),
            row["stream"],
            row["seq"],
        )
        for row in await _exported(database, device)
    ]
    assert sorted(found, key=repr) == sorted(((*one[:4], one[4].astimezone(UTC), *one[5:]) for one in sent), key=repr)


async def test_microseconds_are_no_part_of_what_is_the_same(database: Database) -> None:
    """One reading, told once with microseconds and once without, is one; as it was told first."""
    device = await world.device(database, await world.ward(database))
    for seq, at in enumerate(("2026-03-02T11:00:00.123456Z", "2026-03-02T11:00:00.123Z"), 1):
        reading = {"code": "spo2", "value": 96, "unit": "%", "taken_at": at, "source_id": "a"}
        payload = json.dumps({"stream": "s", "seq": seq, "readings": [reading]}).encode()
        await wards.take(database, delivery(device.device_id, payload))
    (row,) = await _exported(database, device)
    assert (row["taken_at"], row["effective_at"]) == ("2026-03-02T11:00:00.123456Z", "2026-03-02T11:00:00.123Z")
    assert "conflict" not in row["flags"]
