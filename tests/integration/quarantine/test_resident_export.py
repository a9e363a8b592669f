"""Everything held of one resident comes out by command: as documented, audited, and nothing of anybody else."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import stat
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema

from telehealth.store import audit
from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.ingest.wards import NOW, delivery, envelope, rows, spo2, take
from tests.integration.web.conftest import planned
from tests.support import world

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "resident_export.json").read_text())


async def telehealth(urls: Urls, *arguments: str) -> tuple[int, str, str]:
    """The command as an operator runs it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "telehealth",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": urls.app},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), said.decode()


async def test_everything_of_one_resident(urls: Urls, database: Database, tmp_path: Path) -> None:
    """A document as described, with every section, and a table of the readings; only the owner can read the files."""
    ward = await world.ward(database)
    anna, bert = await world.resident(database, ward), await world.resident(database, ward)
    for person, name, value in ((anna, "annas-kit", 36.60), (bert, "berts-kit", 37.7)):
        device = await world.device(database, ward, name, resident=person)
        payload = envelope(
            spo2(91, at=NOW - timedelta(minutes=5)),
            {"code": "temperature", "value": value, "unit": "Cel", "taken_at": "2026-03-02T11:00:00.000123Z"},
            {"code": "pulse", "value": None, "absent": "error", "unit": "/min", "taken_at": "2026-03-02T11:01:00Z"},
        ).replace(b"36.6", b"36.60")
        await take(database, delivery(device.device_id, payload))
    await world.pause(database, anna, NOW - timedelta(hours=3), NOW - timedelta(hours=2))
    async with database.transaction(world.ACTOR) as connection:
        moved = {"from": anna.id, "to": 987654, "readings": 1}
        await audit.write(connection, world.ACTOR, "resident.open", resident_id=anna.id, detail=moved)
        await connection.execute(
            "INSERT INTO reading_strike (organisation_id, resident_id, taken_at, identity, value_key, reason, actor,"
            " at) SELECT organisation_id, resident_id, taken_at, identity, value_key, 'mistake', $2, $3 FROM reading"
            " WHERE resident_id = $1 LIMIT 1",
            anna.id,
            world.ACTOR,
            NOW,
        )
        await connection.execute(
            "WITH e AS (INSERT INTO episode (organisation_id, resident_id, rule, started_at, peak_at, priority,"
            " evidence) VALUES ($1, $2, 'threshold/spo2/low', $3, $3, 'medium', '{}') RETURNING id), a AS ("
            "INSERT INTO alert (organisation_id, ward_id, resident_id, rule, kind, priority, condition, handling,"
            " onset_at, raised_at, changed_at, reason, evidence) VALUES ($1, $4, $2, 'threshold/spo2/low',"
            " 'physiological', 'medium', 'active', 'new', $3, $3, $3, 'low', '{}') RETURNING id)"
            " INSERT INTO alert_episode SELECT a.id, e.id FROM a, e",
            ward.organisation_id,
            anna.id,
            NOW,
            ward.id,
        )
    for person in (anna, bert):
        await planned(database, person)
    folder = tmp_path / "out"
    status, out, said = await telehealth(
        urls, "export", "resident", anna.nhs_number, "--output", f"{folder}/", "--json"
    )
    assert status == 0, said
    found: dict[str, Any] = json.loads((folder / "resident.json").read_text())
    jsonschema.validate(found, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert json.loads(out)["readings"] == 3
    assert found["resident"]["nhs_number"] == anna.nhs_number
    by_code = {reading["code"]: reading for reading in found["readings"]}
    assert '"value_sent":36.60' in (folder / "resident.json").read_text()
    assert by_code["temperature"]["taken_at"] == "2026-03-02T11:00:00.000123Z"
    assert by_code["pulse"]["absent"] == "error"
    empty = {name for name, rows in found.items() if rows == []}
    assert empty == {"attributions", "doubts", "mails"}
    assert [(one["kind"], one["state"]) for one in found["visits"]] == [("one_to_one", "scheduled")]
    assert [(one["outcome"], one["summary"]) for one in found["encounters"]] == [("advice", "Drink more.")]
    assert [one["what"] for one in found["follow_ups"]] == ["Ring the chemist"]
    assert found["alerts"][0]["episodes"] == [found["episodes"][0]["id"]]
    assert [row["action"] for row in found["audit"]] == ["resident.open", "export.resident"]
    # Not to whom a reading of theirs was moved.
    assert found["audit"][0]["detail"] == {"readings": 1}
    everything = (folder / "resident.json").read_text() + (folder / "readings.csv").read_text()
    assert not any(other in everything for other in ("berts-kit", bert.nhs_number, ":37.7,", ",37.7,"))
    table = list(csv.DictReader((folder / "readings.csv").read_text().splitlines()))
    assert [row["value_sent"] for row in table if row["code"] == "temperature"] == ["36.60"]
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await rows(database, "SELECT id FROM audit WHERE action = 'export.resident' AND resident_id = $1", anna.id)


async def test_what_is_there_already_is_not_overwritten(urls: Urls, database: Database, tmp_path: Path) -> None:
    """Nor is anything left behind by a command that failed."""
    person = await world.resident(database, await world.ward(database))
    file = tmp_path / "anna.json"
    file.write_text("mine")
    status, _, said = await telehealth(urls, "export", "resident", person.nhs_number, "--output", str(file))
    assert status == 1
    assert "--output" in said
    assert file.read_text() == "mine"
    status, _, _ = await telehealth(urls, "export", "resident", "9990000018", "--output", str(tmp_path / "nobody.json"))
    assert status == 1
    assert os.listdir(tmp_path) == ["anna.json"]


async def test_with_a_members_rights_only_what_they_see(urls: Urls, database: Database, tmp_path: Path) -> None:
    """Another ward's resident is not found, and the audit trail is the operators'."""
    north, south = await world.ward(database), await world.ward(database)
    anna = await world.resident(database, north)
    await world.staff(database, north, username="clara")
    await world.staff(database, south, username="sam")
    for username, expected in (("clara", 0), ("sam", 1)):
        file = tmp_path / f"{username}.json"
        status, _, _ = await telehealth(
            urls, "export", "resident", anna.nhs_number, "--output", str(file), "--user", username
        )
        assert (status, file.exists()) == (expected, expected == 0)
    found = json.loads((tmp_path / "clara.json").read_text())
    jsonschema.validate(found, SCHEMA)
    assert found["audit"] == []
    denied = await rows(database, "SELECT actor FROM audit WHERE action = 'export.resident' AND outcome = 'denied'")
    assert len(denied) == 1
