"""The queries that every reading depends on go by an index."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from telehealth.store import db
from telehealth.store.db import Database
from telehealth.store.queries import sql
from tests.integration.ingest.wards import NOW, delivery, envelope, spo2, take
from tests.support import world

pytestmark = pytest.mark.postgres


async def _plan(database: Database, query: str, *arguments: object) -> dict[str, Any]:
    async with database.transaction(db.service("ingest")) as connection:
        # what a large table would be read by, with the few rows of a test
        await connection.execute("SET LOCAL enable_seqscan = off")
        (found,) = await connection.fetch(f"EXPLAIN (FORMAT json) {query}", *arguments)
        plan: dict[str, Any] = json.loads(found[0])[0]["Plan"]
        return plan


def _indexes(plan: dict[str, Any]) -> set[str]:
    found = {plan["Index Name"]} if "Index Name" in plan else set()
    return found.union(*(_indexes(part) for part in plan.get("Plans", ())))


def _scanned(plan: dict[str, Any]) -> set[str]:
    found = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*(_scanned(part) for part in plan.get("Plans", ())))


async def _some_readings(database: Database) -> world.Resident:
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    device = await world.device(database, ward, resident=resident)
    readings = [spo2(95, at=NOW - timedelta(minutes=n)) for n in range(200)]
    await take(database, delivery(device.device_id, envelope(*readings)))
    return resident


async def test_a_window_of_one_resident_and_code(database: Database) -> None:
    """Charts and folds read (resident, code, effective_at) by its index."""
    resident = await _some_readings(database)
    plan = await _plan(
        database,
        "SELECT value FROM reading WHERE resident_id = $1 AND code = 'spo2' AND effective_at > $2"
        " AND taken_at > $2 ORDER BY effective_at",
        resident.id,
        NOW - timedelta(hours=1),
    )
    assert any("resident" in name for name in _indexes(plan))
    assert not {name for name in _scanned(plan) if name.startswith("reading")}


async def test_the_duplicate_and_conflict_check(database: Database) -> None:
    """What is there already, and what contradicts it, is found by the primary key."""
    await _some_readings(database)
    plan = await _plan(database, sql("ingest.insert_readings"), *[None] * 28)
    assert any(name.endswith("_pkey") and name.startswith("reading") for name in _indexes(plan))
    assert not {name for name in _scanned(plan) if name.startswith("reading")}


async def test_devices_are_found_by_their_names(database: Database) -> None:
    """Resolving and locking the devices of a batch reads neither table as a whole."""
    plan = await _plan(database, sql("ingest.contact"), *[None] * 7)
    assert {"device_device_id_key", "device_pkey"} <= _indexes(plan)
