"""The hot queries find their rows by an index, on tables of a realistic size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from alerts import codes, timeline
from telehealth.store import db, evaluation
from telehealth.store.db import Database
from telehealth.store.queries import sql
from tests.conftest import Urls
from tests.support import world
from tests.support.world import T0

#: 400 residents with five weeks of hourly readings of three codes, and as many days of alerts and checkpoints.
WORLD = """
INSERT INTO resident (organisation_id, ward_id, simulated, nhs_number, family_name, given_name, born, zone, created_by,
    created_at)
SELECT w.organisation_id, w.id, w.simulated, (9990000000 + n)::text, 'R' || n, 'Test', '1950-01-01', 'UTC', 'test',
    $1::timestamptz
FROM generate_series(1, 400) AS n JOIN ward w ON w.name = 'Plan ' || n % 8;

INSERT INTO reading (taken_at, identity, value_key, organisation_id, resident_id, effective_at, received_at, value,
    code)
SELECT at, gen_random_uuid(), 1, r.organisation_id, r.id,
       CASE WHEN random() < 0.01 THEN at + interval '1 minute' ELSE at END, at, 95, code
FROM resident r, unnest(ARRAY['spo2', 'pulse', 'temperature']) AS code,
     generate_series($1::timestamptz - interval '35 days', $1::timestamptz, '4 hours') AS at;

INSERT INTO evaluation_due (organisation_id, resident_id, due_at, earliest_at, cause, written_at)
SELECT organisation_id, id, $1::timestamptz + random() * interval '1 day', 'infinity', 'time', $1::timestamptz
FROM resident, generate_series(1, 20);
INSERT INTO evaluation_due (organisation_id, resident_id, earliest_at, cause, written_at)
SELECT organisation_id, id, $1::timestamptz, 'reading', $1::timestamptz FROM resident WHERE id % 20 = 0;

INSERT INTO alert (organisation_id, ward_id, resident_id, rule, kind, priority, condition, handling, onset_at,
    raised_at, changed_at, reason, evidence)
SELECT organisation_id, ward_id, id, 'threshold/spo2/low', 'physiological', 'high', 'cleared',
       CASE WHEN day = 0 THEN 'new' ELSE 'resolved' END, $1::timestamptz - day * interval '1 day',
       $1::timestamptz - day * interval '1 day', $1::timestamptz, '', '{}'
FROM resident, generate_series(0, 35) AS day;

INSERT INTO checkpoint (resident_id, kind, at, organisation_id, state)
SELECT id, 'daily', $1::timestamptz - day * interval '1 day', organisation_id, '{}'
FROM resident, generate_series(0, 35) AS day;
"""


@pytest.fixture
async def full(urls: Urls, database: Database) -> AsyncIterator[Database]:
    """A database with the world above."""
    for number in range(8):
        await world.ward(database, f"Plan {number}")
    owner = await asyncpg.connect(urls.owner)
    try:
        for month in {T0 - timedelta(days=35), T0 - timedelta(days=20), T0}:
            await owner.execute("SELECT ensure_reading_partition($1)", month.date().replace(day=1))
        for statement in WORLD.split(";\n"):
            if statement.strip():
                await owner.execute(statement, T0)
        await owner.execute("ANALYZE")
        yield database
    finally:
        await owner.close()


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", []) for node in _nodes(part))]


async def _scans(database: Database, actor: db.Actor, name: str, *arguments: Any) -> dict[str, set[str]]:
    """Table -> how the query reads it: the names of indexes, or "all of it"."""
    found: dict[str, set[str]] = {}
    async with database.transaction(actor) as connection:
        statement = await connection.prepare(sql(name))
        [plan] = await statement.explain(*arguments)
    for node in _nodes(plan["Plan"]):
        if node["Node Type"] == "Bitmap Index Scan":
            found.setdefault("by bitmap", set()).add(node["Index Name"])
        elif "Relation Name" in node and node["Node Type"] != "Bitmap Heap Scan":
            how = "all of it" if node["Node Type"] == "Seq Scan" else node.get("Index Name", node["Node Type"])
            found.setdefault(node["Relation Name"], set()).add(how)
    return found


ACTOR = db.service("alerting")


async def _residents(database: Database, number: int) -> list[int]:
    async with database.transaction(ACTOR) as connection:
        return [row["id"] for row in await connection.fetch("SELECT id FROM resident ORDER BY id LIMIT $1", number)]


async def test_hot_queries_use_indexes(full: Database) -> None:
    """One world, because it takes seconds to make; each part says which query it is about."""
    await _due_rows(full)
    await _readings_since_a_checkpoint(full)
    await _checkpoints(full)
    await _open_alerts_of_a_ward(full)
    await _alerts_of_residents(full)


def _indexes(scans: dict[str, set[str]], table: str) -> set[str]:
    """What a query used to read a table; bitmaps name only their index."""
    return scans.get(table, set()) | scans.get("by bitmap", set())


async def _due_rows(full: Database) -> None:
    """Finding work reads the front of the queue; taking the work of residents reads their rows."""
    scans = await _scans(full, ACTOR, "evaluation.candidates", T0, 100, evaluation.END, True, True, 0.0, 100)
    assert _indexes(scans, "evaluation_due") == {"evaluation_due_came", "evaluation_due_fell"}
    scans = await _scans(
        full, ACTOR, "evaluation.take_of_residents", await _residents(full, 5), T0, evaluation.END, True
    )
    assert _indexes(scans, "evaluation_due") <= {
        "evaluation_due_resident",
        "evaluation_due_came",
        "evaluation_due_fell",
    }


async def _readings_since_a_checkpoint(full: Database) -> None:
    """Readings of residents since a moment come from the index of the month, and nothing reads a whole month."""
    residents = await _residents(full, 5)
    since = [T0 - timedelta(hours=4)] * 5
    marks, flags = timeline.MARKS, sorted(timeline.POOR_FLAGS)
    scans = await _scans(
        full,
        ACTOR,
        "evaluation.readings",
        residents,
        since,
        ["spo2", "pulse"],
        min(since),
        evaluation.END,
        codes.CONSCIOUSNESS,
        list(marks),
        list(marks.values()),
        flags,
        timeline.POOR,
    )
    month = f"reading_{T0:%Y_%m}"
    assert f"{month}_resident_id_code_effective_at_idx" in _indexes(scans, month)
    assert "all of it" not in scans.get(month, set()) | scans.get("reading_2026_02", set())


async def _checkpoints(full: Database) -> None:
    """The newest checkpoint before a moment is one step into the index."""
    scans = await _scans(full, ACTOR, "evaluation.checkpoints", await _residents(full, 5), [T0] * 5)
    assert scans["checkpoint"] == {"checkpoint_pkey"}


async def _open_alerts_of_a_ward(full: Database) -> None:
    """Open alerts of a ward are found among the open ones, also by a member of its staff; pages by time."""
    async with full.transaction(world.ACTOR) as connection:
        ward_id = await connection.fetchval("SELECT min(id) FROM ward")
        organisation = await connection.fetchval("SELECT min(id) FROM organisation")
    nurse = db.staff(await world.staff(full, world.Ward(ward_id, organisation)))
    for actor in (nurse, db.service("web")):
        scans = await _scans(full, actor, "alerts.open_of_ward", ward_id, 100)
        assert "alert_open_ward" in _indexes(scans, "alert")
        scans = await _scans(full, actor, "alerts.page_of_ward", ward_id, T0, 10**9, None, None, None, 20)
        assert "alert_ward" in _indexes(scans, "alert")


async def _alerts_of_residents(full: Database) -> None:
    """The evaluator finds open alerts of residents without reading the others."""
    scans = await _scans(full, ACTOR, "evaluation.alerts", await _residents(full, 5), [1, 2])
    assert _indexes(scans, "alert") >= {"alert_open_resident", "alert_pkey"}
