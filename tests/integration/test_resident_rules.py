"""Rules of residents as the commands show and change them; pathway files of a hospital's own."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from alerts import pathways
from alerts.personal import Change
from telehealth import errors
from telehealth.cli.app import app
from telehealth.model import people
from telehealth.store import db, residents, rules, wards
from telehealth.store.db import Connection, Database
from tests.conftest import Urls
from tests.support import world
from tests.unit.alerts.test_pathway_files import GOOD

NOW = datetime.now(UTC).replace(microsecond=0)
ACTOR = db.operator("tests")
REVIEW = (NOW + timedelta(days=30)).date()


def call(urls: Urls, *arguments: str, **environment: str) -> tuple[int, str]:
    """A command in a thread of its own: it runs its own event loop."""
    found: list[Any] = []

    def run() -> None:
        settings = {"DATABASE_URL": urls.app, "COLUMNS": "200", **environment}
        found.append(CliRunner().invoke(app, list(arguments), env=settings))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0].exit_code, found[0].output


async def admitted(connection: Connection, serial: int = 40) -> residents.Resident:
    ward = await wards.add(connection, name=f"Ward {serial}", simulated=False, actor=ACTOR, now=NOW)
    pathway = pathways.load("heart_failure")
    new = people.NewResident(
        ward_id=ward.id, family_name="Smith", given_name="Anna", title="Ms", gender="female",
        born=datetime(1941, 8, 14, tzinfo=UTC).date(), nhs_number=world.nhs_number(serial), zone="Europe/London",
        pathway=pathway.name, pathway_version=pathway.version, schedule={}, rules=pathways.compile(pathway).to_json(),
        admitted_at=NOW - timedelta(days=3),
    )  # fmt: skip
    await residents.add(connection, new, actor=ACTOR, now=NOW)
    return await residents.find(connection, new.nhs_number)


async def test_what_was_in_force_at_a_time(database: Database, urls: Urls) -> None:
    """Versions follow each other; each moment has one answer, by the command too."""
    async with database.transaction(ACTOR) as connection:
        anna = await admitted(connection)
        for hours, weight in ((48, 78.0), (24, 77.0)):
            await rules.change(
                connection,
                anna.id,
                [Change("distance/dry_weight_gain", "reference", weight)],
                why=f"{weight} after diuresis",
                review_on=REVIEW,
                actor=ACTOR,
                now=NOW - timedelta(hours=hours),
            )
    expected = {72: None, 49: None, 48: 78.0, 25: 78.0, 24: 77.0, 0: 77.0}
    for hours, reference in expected.items():
        at = (NOW - timedelta(hours=hours)).isoformat()
        for name in (anna.nhs_number, str(anna.id)):
            status, out = call(urls, "resident", "rules", name, "--at", at, "--json")
            assert status == 0, out
            found = {rule["key"]: rule for rule in json.loads(out)["rules"]}
            numbers = {one["field"]: one for one in found["distance/dry_weight_gain"]["numbers"]}
            assert numbers["reference"]["value"] == reference
            assert (numbers["reference"]["personal"] is None) == (reference is None)
    status, out = call(urls, "resident", "rules", anna.nhs_number, "--at", (NOW - timedelta(days=9)).isoformat())
    assert (status, "no rules were in force" in out) == (1, True)
    status, out = call(urls, "resident", "rules", anna.nhs_number)
    assert "reference 77 kg (pathway: not set): set for this resident: 77.0 after diuresis" in out
    status, out = call(urls, "resident", "rules", anna.nhs_number, "--history", "--json")
    assert [one["reason"] for one in json.loads(out)] == ["77.0 after diuresis", "78.0 after diuresis", "admission"]


async def test_a_number_is_changed_by_command(database: Database, urls: Urls) -> None:
    async with database.transaction(ACTOR) as connection:
        anna = await admitted(connection)
    change = ("resident", "set-rule", anna.nhs_number, "threshold/pulse", "amber_high")
    why = ("--why", "usual for her", "--review", REVIEW.isoformat())
    status, out = call(urls, *change, "105", *why, "--json")
    assert status == 0, out
    (changed,) = json.loads(out)["changes"]
    assert (changed["label"], changed["before"], changed["after"]) == ("Amber above", "110 /min", "105 /min")
    for wrong, said in (
        ((*change, "140", *why), "threshold/pulse.red_high: must not be below amber_high"),
        ((*change[:4], "red_high", "1050", *why), "is outside what is possible at all, 10 to 350 /min"),
        ((*change, "100", "--review", REVIEW.isoformat()), "why"),
        ((*change, "100", "--why", "x", "--review", "2020-01-01"), "review_on"),
        ((*change[:3], "threshold/mood", "red_low", "1", *why), "threshold/mood"),
        ((*change[:4], *why), "value"),
    ):
        status, out = call(urls, *wrong)
        assert (status, said in out) == (1, True), out
    assert call(urls, *change[:4], "--back", *why)[0] == 0
    assert call(urls, *change[:3], "silence/spo2", "--leave-out", *why)[0] == 0
    assert call(urls, *change[:3], "spo2_scale", "2", *why)[0] == 0
    _, out = call(urls, "resident", "rules", anna.nhs_number)
    assert "silence/spo2 left out" in out
    assert "SpO2 scale 2" in out


async def test_two_changes_of_one_version_cannot_both_be_made(database: Database) -> None:
    """The second is told to look again."""
    async with database.transaction(ACTOR) as connection:
        anna = await admitted(connection)
        first = await rules.newest(connection, anna.id)
        for value in (105, 100):
            asked = rules.change(
                connection, anna.id, [Change("threshold/pulse", "amber_high", value)],
                why="x", review_on=REVIEW, expected=first.id, actor=ACTOR, now=NOW,
            )  # fmt: skip
            if value == 105:
                await asked
            else:
                with pytest.raises(errors.Conflict):
                    await asked


async def test_staff_change_rules_only_of_whom_they_see(database: Database) -> None:
    """The database itself refuses a version for somebody else's resident, or in somebody else's name."""
    north, south = await world.ward(database, "North"), await world.ward(database, "South")
    nurse = db.staff(await world.staff(database, north))
    anna, bert = await world.resident(database, north), await world.resident(database, south)
    change = [Change("threshold/spo2", "red_low", 86.0)]
    async with database.transaction(nurse) as connection:
        made = await rules.change(connection, anna.id, change, why="x", review_on=REVIEW, actor=nurse, now=NOW)
        assert made.created_by == nurse
        with pytest.raises(errors.NotFound):
            await rules.change(connection, bert.id, change, why="x", review_on=REVIEW, actor=nurse, now=NOW)
    for resident, actor in ((bert, nurse), (anna, db.staff(999))):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction(nurse) as connection:
                await connection.execute(
                    "INSERT INTO rule_version (organisation_id, resident_id, valid_from, rules, reason, created_by,"
                    " created_at) VALUES ($1, $2, $3, '{}', 'x', $4, $3)",
                    resident.ward.organisation_id, resident.id, NOW, actor,
                )  # fmt: skip


async def test_a_pathway_of_ones_own(database: Database, urls: Urls, tmp_path: Path) -> None:
    """Checked, listed, admitted with; its text stays as it was; another text needs another version."""
    (tmp_path / "north.toml").write_text(GOOD, "utf-8")
    (tmp_path / "broken.toml").write_text(GOOD.replace("value = 86", "value = 92"), "utf-8")
    folder = {"TELEHEALTH_PATHWAYS_DIR": str(tmp_path)}
    status, out = call(urls, "pathway", "check", str(tmp_path / "north.toml"), "--json")
    assert (status, json.loads(out)["ok"], json.loads(out)["needs_approval"]) == (0, True, 1)
    status, out = call(urls, "pathway", "check", str(tmp_path / "broken.toml"), "--json")
    (problem,) = json.loads(out)["problems"]
    assert (status, problem["line"], problem["field"]) == (1, 10, "rules[0].red_low")
    status, out = call(urls, "pathway", "list", "--json", **folder)
    found = {row["pathway"]: row for row in json.loads(out)}
    assert found["north_copd@2026.1"]["rules"] == 4
    assert "must not be above amber_low" in found[""]["remark"]
    (tmp_path / "broken.toml").unlink()
    async with database.transaction(ACTOR) as connection:
        await wards.add(connection, name="North", simulated=False, actor=ACTOR, now=NOW)

    def admit(serial: int) -> tuple[int, str]:
        return call(
            urls, "resident", "add", "--name", "SMITH, Anna", "--born", "1941-08-14", "--nhs-number",
            world.nhs_number(serial), "--ward", "North", "--pathway", "north_copd@2026.1", "--schedule", "pathway",
            "--zone", "Europe/London", **folder,
        )  # fmt: skip

    assert admit(50)[0] == 0
    (tmp_path / "north.toml").write_text(GOOD.replace("value = 86", "value = 85"), "utf-8")
    status, out = admit(51)
    assert (status, "give the file a new version" in out) == (1, True)
    (tmp_path / "north.toml").unlink()
    status, out = call(urls, "resident", "rules", world.nhs_number(50), "--json")
    shown = json.loads(out)
    assert shown["pathway_title"] == "COPD of the north hospital"
    numbers = {one["field"]: one for one in shown["rules"][0]["numbers"]}
    assert numbers["red_low"]["source"] == "ward meeting of 3 Nov 2026"
    assert shown["rules"][0]["profiles"] == [{"since": "22:00", "to": "07:00", "text": "amber below 88 %"}]
    status, out = call(urls, "pathway", "show", "north_copd", **folder)
    assert (status, "is not one of" in out) == (1, True)


async def test_another_version_takes_what_is_personal_along(database: Database, urls: Urls) -> None:
    """From now on; what does not fit is named; the stay says the new version and the past the old one."""
    async with database.transaction(ACTOR) as connection:
        anna = await admitted(connection)
        changes = [
            Change("threshold/pulse", "amber_high", 100),
            Change("distance/dry_weight_gain", "reference", 78.4),
            Change("silence/spo2", how="leave_out"),
        ]
        await rules.change(connection, anna.id, changes, why="x", review_on=REVIEW, actor=ACTOR, now=NOW)
    move = ("resident", "set-pathway", anna.nhs_number)
    status, out = call(urls, *move, "heart_failure@1", "--why", "as before", "--json")
    assert status == 0, out
    assert {one["rule"] for one in json.loads(out)["dropped"]} == {
        "distance/dry_weight_gain", "distance/dry_weight_loss",
    }  # fmt: skip
    assert call(urls, *move, "heart_failure@1", "--why", "again")[0] == 1
    assert call(urls, *move, "heart_failure@9", "--why", "x")[0] == 1
    async with database.transaction(ACTOR) as connection:
        newest = await rules.newest(connection, anna.id)
        history = await residents.history(connection, anna.id)
    assert newest.rules.rule_set.version == "1"
    assert newest.rules.rule_set.thresholds["pulse"].amber_high == 100
    assert "spo2" not in newest.rules.rule_set.silences
    assert history["spells"][0]["pathway_version"] == "1"
    usual = pathways.load("heart_failure").version
    assert [row["rules"]["version"] for row in history["rules"]] == ["1", usual, usual]
