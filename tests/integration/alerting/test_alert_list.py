"""Alerts come out for scoring: as documented, audited, with what each member of staff may see."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema

from simulator.scoring import reading
from telehealth.store import alerts, db
from tests.conftest import Urls
from tests.integration.alerting.conftest import Service
from tests.integration.quarantine.test_resident_export import telehealth
from tests.support import world
from tests.support.world import T0, spo2

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/alerts.json").read_text("utf-8"))
MINUTE = timedelta(minutes=1)


def instant(minutes: float) -> str:
    return (T0 + minutes * MINUTE).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def exported(urls: Urls, *options: str) -> Any:
    status, out, said = await telehealth(urls, "export", "alerts", "--format", "json", *options)
    assert (status, said) == (0, "")
    found = json.loads(out)
    jsonschema.validate(found, SCHEMA)
    reading.alerts_of(out.encode())
    return found


async def test_alerts_for_scoring(service: Service, urls: Urls) -> None:
    """When it had which priority, when it cleared, who handled it when; by time, ward and resident; audited."""
    ward, other = await world.ward(service.database), await world.ward(service.database)
    anna, bert = await world.resident(service.database, ward), await world.resident(service.database, other)
    nurse = db.staff(await world.staff(service.database, ward, username="clara"))
    for minute, value in ((0, 90), (5, 90), (10, 85)):
        await world.readings(service.database, anna, spo2(value, T0 + minute * MINUTE))
        await service.at(T0 + minute * MINUTE)
    [alert] = await service.open(anna)
    async with service.database.transaction(nurse) as connection:
        await alerts.acknowledge(connection, alert.id, actor=nurse, now=T0 + 12 * MINUTE)
    await world.readings(service.database, anna, spo2(97, T0 + 20 * MINUTE))
    await service.minutes(20)
    await world.readings(service.database, bert, spo2(84, T0 + 40 * MINUTE))
    await service.minutes(40)

    found = await exported(urls)
    first, second = found["alerts"]
    assert [first["resident"], second["resident"]] == [anna.nhs_number, bert.nhs_number]
    assert (first["rule"], first["kind"], first["codes"]) == ("threshold/spo2/low", "threshold", ["spo2"])
    assert [step["priority"] for step in first["priorities"]] == ["medium", "high"]
    assert first["priorities"][1]["at"] == instant(10)
    assert first["handled_at"] == instant(12)
    assert (first["cleared_at"] is None, second["cleared_at"]) == (False, None)
    assert (first["human"], first["category"], second["handled_at"]) == (True, "clinical", None)
    assert found["exported_at"] > first["raised_at"]

    by_ward = await exported(urls, "--ward", str(ward.id), "--from", instant(0), "--to", instant(60))
    assert [one["id"] for one in by_ward["alerts"]] == [first["id"]]
    assert (by_ward["from"], by_ward["to"]) == (instant(0), instant(60))
    assert [one["id"] for one in (await exported(urls, "--resident", bert.nhs_number))["alerts"]] == [second["id"]]
    assert (await exported(urls, "--from", instant(600)))["alerts"] == []
    assert [one["id"] for one in (await exported(urls, "--user", "clara"))["alerts"]] == [first["id"]]
    audited = await service.rows("SELECT object_kind FROM audit WHERE action = 'export.alerts' ORDER BY id")
    assert [kind for (kind,) in audited] == ["all", "ward", "resident", "all", "all"]


async def test_other_formats_want_one_of_resident_device_and_ward(service: Service, urls: Urls) -> None:
    status, _, said = await telehealth(urls, "export", "alerts", "--format", "jsonl")
    assert status == 1
    assert "exactly one" in said
