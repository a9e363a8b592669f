"""The four reads that are made all the time find readings by an index, and only in the months that can hold them.

Latest per resident and code, a window per resident and code, the ward board, and the export; on a table of a year.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from telehealth.store import db, storage
from telehealth.store.db import Database
from telehealth.store.queries import sql
from tests.conftest import Urls
from tests.support import world

#: 100 residents of 25 wards, each with a device, three codes, a reading of each every eight hours for 13 months;
#: one in a hundred by a clock that was wrong.
WORLD = """
INSERT INTO resident (organisation_id, ward_id, simulated, nhs_number, family_name, given_name, born, zone, created_by,
    created_at)
SELECT w.organisation_id, w.id, w.simulated, (9990000000 + n)::text, 'R' || n, 'Test', '1950-01-01', 'UTC', 'test',
    $1::timestamptz
FROM generate_series(1, 100) AS n JOIN ward w ON w.name = 'Plan ' || n % 25;

INSERT INTO spell (organisation_id, resident_id, ward_id, pathway, pathway_version, schedule, during, created_by,
    created_at)
SELECT organisation_id, id, ward_id, 'test', '1', '{}', tstzrange($1::timestamptz - interval '400 days', NULL), 'test',
    $1::timestamptz
FROM resident;

INSERT INTO device (organisation_id, ward_id, device_id, password_hash, created_by, created_at)
SELECT organisation_id, ward_id, 'kit-' || id, '', 'test', $1::timestamptz FROM resident;

INSERT INTO reading (taken_at, identity, value_key, organisation_id, device_pk, resident_id, effective_at, received_at,
    value, unit, code)
SELECT at, gen_random_uuid(), 1, r.organisation_id, d.id, CASE WHEN n % 200 = 0 THEN NULL ELSE r.id END,
       CASE WHEN n % 100 = 1 THEN at + interval '40 days' ELSE at END, at, 95, '%', code
FROM resident r JOIN device d ON d.device_id = 'kit-' || r.id, unnest(ARRAY['spo2', 'pulse', 'temperature']) AS code,
     generate_series($1::timestamptz - interval '390 days', $1::timestamptz, '8 hours') WITH ORDINALITY AS s (at, n);

INSERT INTO latest (resident_id, code, organisation_id, effective_at, taken_at, received_at, identity, value, unit,
    method)
SELECT DISTINCT ON (resident_id, code) resident_id, code, organisation_id, effective_at, taken_at, received_at,
    identity, value, unit, method
FROM reading WHERE resident_id IS NOT NULL ORDER BY resident_id, code, effective_at DESC;
"""

#: Late in its month, so that the month is full.
END = world.T0 - timedelta(days=3)
WEEK = END - timedelta(days=7)
SERVICE = db.service("web")


@pytest.fixture
async def full(urls: Urls, database: Database) -> Database:
    """A database with the world above."""
    for number in range(25):
        await world.ward(database, f"Plan {number}")
    owner = await asyncpg.connect(urls.owner)
    try:
        for number in range(-14, 3):
            await owner.execute("SELECT ensure_reading_partition($1)", storage.month(END, number))
        for statement in WORLD.split(";\n"):
            if statement.strip():
                await owner.execute(statement, *([END] if "$1" in statement else []))
        await owner.execute("VACUUM ANALYZE")
    finally:
        await owner.close()
    return database


def nodes(plan: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


#: Of the few readings whose effective_at is not their taken_at, in every month.
_FEW = re.compile(r"reading_\w+?_effective_at_idx")


async def months(database: Database, actor: db.Actor, name: str, *arguments: Any) -> set[str]:
    """The months of readings that a query would look into; fails if it would read any of them through.

    Left out: where it only looks into the index of the few readings whose clock was wrong, and what is empty.
    """
    async with database.transaction(actor) as connection:
        statement = await connection.prepare(sql(name))
        [explained] = await statement.explain(*arguments)
        filled = {month.name for month in (await storage.measure(connection)).partitions if month.readings}
    found = set()
    for node in nodes(explained["Plan"]):
        table = node.get("Relation Name", "")
        if not re.fullmatch(r"reading_(\d{4}_\d{2}|default)", table) or table not in filled:
            continue
        assert node["Node Type"] != "Seq Scan", f"{name} reads {table} through as {actor}"
        used = {part["Index Name"] for part in nodes(node) if "Index Name" in part}
        if not all(_FEW.fullmatch(index) and "resident_id" not in index for index in used):
            found.add(table.removeprefix("reading_"))
    return found


def names(since: datetime, until: datetime) -> set[str]:
    """The months of a time."""
    first, last = storage.month(since), storage.month(until)
    found = {storage.month(since, n) for n in range(20)}
    return {f"{month:%Y_%m}" for month in found if first <= month <= last}


async def test_hot_reads(full: Database) -> None:
    """One world, because it takes seconds to make; by services and by a member of staff."""
    async with full.transaction(SERVICE) as connection:
        ward_id = await connection.fetchval("SELECT min(id) FROM ward")
        residents = [row["id"] for row in await connection.fetch("SELECT id FROM resident WHERE ward_id = $1", ward_id)]
        devices = [row["id"] for row in await connection.fetch("SELECT id FROM device WHERE ward_id = $1", ward_id)]
        organisation = await connection.fetchval("SELECT min(id) FROM organisation WHERE name = 'Test Trust'")
    nurse = db.staff(await world.staff(full, world.Ward(ward_id, organisation)))
    for actor in (SERVICE, nurse):
        await _latest(full, actor, residents)
        await _window(full, actor, residents[0])
        await _board(full, actor, ward_id, residents)
        await _export(full, actor, residents, devices)


async def _latest(full: Database, actor: db.Actor, residents: list[int]) -> None:
    """The latest values are a table of their own; found anew they come from the end of an index."""
    assert await months(full, actor, "board.latest", residents) == set()
    if actor == SERVICE:
        await months(full, actor, "ingest.recompute_latest", residents[:2], ["spo2", "pulse"])


async def _window(full: Database, actor: db.Actor, resident: int) -> None:
    """A week of a resident and code: for the charts and for the list."""
    assert await months(full, actor, "residents_view.points", resident, WEEK, END, ["spo2"], 60.0) <= names(WEEK, END)
    listed = await months(full, actor, "residents_view.readings", resident, "spo2", WEEK, END, None, None, None, 100)
    assert listed <= names(WEEK, END)


async def _board(full: Database, actor: db.Actor, ward_id: int, residents: list[int]) -> None:
    """The board reads readings only for its small charts, of a day."""
    assert await months(full, actor, "board.residents", ward_id, END, None) == set()
    assert await months(full, actor, "alerts.open_of_ward", ward_id, 100) == set()
    day = END - timedelta(days=1)
    codes = ["spo2"] * len(residents)
    assert await months(full, actor, "board.sparks", residents, codes, day, END) <= names(day, END)


async def _export(full: Database, actor: db.Actor, residents: list[int], devices: list[int]) -> None:
    """Of one resident and of a ward, of a week and of everything."""
    for whom in ((residents[:1], None, []), (residents, None, devices)):
        assert await months(full, actor, "export.readings", *whom, WEEK, END) <= names(WEEK, END)
    everything = await months(full, actor, "export.readings", residents[:1], None, [], None, None)
    assert names(END - timedelta(days=390), END) <= everything
    assert await months(full, actor, "resident_export.readings", residents[0]) == everything
