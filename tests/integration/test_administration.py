"""Wards, residents, devices and users as the commands keep them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from telehealth import errors
from telehealth.model import people
from telehealth.store import db, devices, residents, staff, wards
from telehealth.store.db import Connection, Database
from tests.conftest import Urls
from tests.support import world

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACTOR = db.operator("tests")


def newcomer(ward_id: int, serial: int = 1, changes: Mapping[str, Any] | None = None) -> people.NewResident:
    resident = people.NewResident(
        ward_id=ward_id,
        family_name="Smith",
        given_name="Anna",
        title="Ms",
        gender="female",
        born=date(1941, 8, 14),
        nhs_number=world.nhs_number(serial),
        zone="Europe/London",
        pathway="copd",
        pathway_version="1",
        schedule={"spo2": {"times": ["08:00", "20:00"], "grace_minutes": 120}},
        rules=world.rule_set(),
        admitted_at=NOW,
    )
    return dataclasses.replace(resident, **(changes or {}))


async def admitted(connection: Connection, serial: int = 1, *, simulated: bool = False) -> residents.Resident:
    name = f"Ward of {serial}"
    ward = await wards.add(connection, name=name, simulated=simulated, actor=ACTOR, now=NOW)
    await residents.add(connection, newcomer(ward.id, serial), actor=ACTOR, now=NOW)
    return await residents.find(connection, world.nhs_number(serial))


async def test_admission_gives_a_record_a_stay_rules_and_work_for_the_evaluator(database: Database) -> None:
    """What is needed from the first reading on is there after one call."""
    async with database.transaction(ACTOR) as connection:
        resident = await admitted(connection)
        history = await residents.history(connection, resident.id)
        due = await connection.fetchval("SELECT count(*) FROM evaluation_due WHERE resident_id = $1", resident.id)
    assert [spell["pathway"] for spell in history["spells"]] == ["copd"]
    assert history["rules"][0]["valid_from"] == NOW
    assert due == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nhs_number", "9990000019"),
        ("nhs_number", "999000001"),
        ("zone", "Europe/Atlantis"),
        ("zone", "../etc/passwd"),
        ("born", date(2030, 1, 1)),
        ("family_name", ""),
        ("given_name", "A\nB"),
        ("gender", "unknown"),
        ("schedule", {"spo2": {"times": ["25:00"]}}),
        ("schedule", {"spo2": {"times": []}}),
        ("schedule", {"spo2": {"times": ["08:00"], "grace_minutes": 0}}),
        ("admitted_at", NOW.replace(tzinfo=None)),
    ],
)
async def test_a_wrong_field_is_refused_by_name_without_its_value(
    database: Database, field: str, value: object
) -> None:
    """The message says which field and what to do; it does not repeat what was typed."""
    async with database.transaction(ACTOR) as connection:
        ward = await wards.add(connection, name="North", simulated=False, actor=ACTOR, now=NOW)
        with pytest.raises(errors.Invalid) as refused:
            await residents.add(connection, newcomer(ward.id, changes={field: value}), actor=ACTOR, now=NOW)
    assert refused.value.field.startswith(field)
    if isinstance(value, str) and value:
        assert value not in str(refused.value)


@pytest.mark.parametrize("kinds", [("threshold",), ("threshold", "news2")])
@pytest.mark.parametrize(("born", "young"), [(date(2010, 3, 2), False), (date(2010, 3, 3), True)])
async def test_news2_is_not_for_people_under_16(
    database: Database, kinds: tuple[str, ...], born: date, young: bool
) -> None:
    """Age at admission, in completed years where the resident lives; other rules have no such limit."""
    rules = world.rule_set(*[world.threshold(), {"kind": "news2", "scale": 1}][: len(kinds)])
    changes = {"born": born, "rules": rules}
    async with database.transaction(ACTOR) as connection:
        ward = await wards.add(connection, name="North", simulated=False, actor=ACTOR, now=NOW)
        if young and "news2" in kinds:
            with pytest.raises(errors.Invalid, match="16") as refused:
                await residents.add(connection, newcomer(ward.id, changes=changes), actor=ACTOR, now=NOW)
            assert refused.value.field == "born"
        else:
            assert await residents.add(connection, newcomer(ward.id, changes=changes), actor=ACTOR, now=NOW)


async def test_simulated_and_real_residents_never_mix(database: Database) -> None:
    """A simulated ward takes only never-issued numbers, and lends nothing to a real ward's residents."""
    async with database.transaction(ACTOR) as connection:
        simulated = await wards.add(connection, name="Simulated", simulated=True, actor=ACTOR, now=NOW)
        with pytest.raises(errors.Invalid, match="never-issued"):
            await residents.add(
                connection, newcomer(simulated.id, changes={"nhs_number": "9434765919"}), actor=ACTOR, now=NOW
            )
        resident = await admitted(connection)
        device, _ = await devices.add(
            connection, ward_id=simulated.id, device_id="sim-1", model="", codes=["spo2"], actor=ACTOR, now=NOW
        )
        with pytest.raises(errors.Conflict, match="never mix"):
            await devices.assign(connection, device, resident, since=NOW, until=None, actor=ACTOR, now=NOW)


async def test_the_database_itself_refuses_overlapping_assignments(database: Database, urls: Urls) -> None:
    """One device is one resident's at a time, even for somebody who writes SQL."""
    async with database.transaction(ACTOR) as connection:
        first, second = await admitted(connection, 1), await admitted(connection, 2)
        device, _ = await devices.add(
            connection, ward_id=first.ward_id, device_id="d-1", model="", codes=[], actor=ACTOR, now=NOW
        )
        later = NOW + timedelta(days=2)
        await devices.assign(connection, device, first, since=NOW, until=later, actor=ACTOR, now=NOW)
        await devices.assign(connection, device, second, since=later, until=None, actor=ACTOR, now=NOW)
    with pytest.raises(errors.Conflict, match="unassign"):
        async with database.transaction(ACTOR) as connection:
            await devices.assign(
                connection, device, second, since=NOW + timedelta(days=1), until=None, actor=ACTOR, now=NOW
            )
    superuser = await asyncpg.connect(urls.super)
    try:
        with pytest.raises(asyncpg.ExclusionViolationError):
            await superuser.execute("UPDATE device_assignment SET during = tstzrange($1, NULL)", NOW)
    finally:
        await superuser.close()


async def test_readings_follow_an_assignment_that_begins_in_the_past_and_leave_when_it_ends(database: Database) -> None:
    """Assigning finds waiting readings, unassigning lets them go, and both ask for a new judgement."""
    async with database.transaction(ACTOR) as connection:
        resident = await admitted(connection)
        device, _ = await devices.add(
            connection, ward_id=resident.ward_id, device_id="d-1", model="", codes=["spo2"], actor=ACTOR, now=NOW
        )
        for hour in (1, 2, 3):
            await connection.execute(
                "INSERT INTO reading (taken_at, identity, value_key, organisation_id, device_pk, effective_at,"
                " received_at, value, code, unit) VALUES ($1, gen_random_uuid(), $2, $3, $4, $1, $1, 96, 'spo2', '%')",
                NOW + timedelta(hours=hour),
                hour,
                resident.organisation_id,
                device.id,
            )
        await connection.execute("DELETE FROM evaluation_due")
        after = NOW + timedelta(hours=4)
        since = NOW + timedelta(hours=2)
        await devices.assign(connection, device, resident, since=since, until=None, actor=ACTOR, now=after)
        assert await _attributed(connection, resident) == [2, 3]
        due = await connection.fetchrow("SELECT earliest_at, cause FROM evaluation_due")
        assert due is not None
        assert (due["earliest_at"], due["cause"]) == (since, "attribution")
        latest = await connection.fetchval("SELECT effective_at FROM latest WHERE resident_id = $1", resident.id)
        assert latest == NOW + timedelta(hours=3)
        await devices.unassign(connection, device, at=NOW + timedelta(hours=2, minutes=30), actor=ACTOR, now=after)
        assert await _attributed(connection, resident) == [2]
        latest = await connection.fetchval("SELECT effective_at FROM latest WHERE resident_id = $1", resident.id)
        assert latest == NOW + timedelta(hours=2)
        journal = await connection.fetch("SELECT kind FROM attribution ORDER BY id")
        assert [row["kind"] for row in journal] == ["assigned", "unassigned"]


async def _attributed(connection: Connection, resident: residents.Resident) -> list[int]:
    rows = await connection.fetch("SELECT value_key FROM reading WHERE resident_id = $1 ORDER BY taken_at", resident.id)
    return [row["value_key"] for row in rows]


async def test_pauses_do_not_overlap_and_resume_ends_the_one_that_holds(database: Database) -> None:
    """A pause has an end or is resumed by hand; never both at once."""
    async with database.transaction(ACTOR) as connection:
        resident = await admitted(connection)
        day = timedelta(days=1)
        await residents.pause(
            connection, resident, since=NOW, until=NOW + 3 * day, reason="in hospital", actor=ACTOR, now=NOW
        )
        await residents.resume(connection, resident, at=NOW + day, actor=ACTOR, now=NOW + day)
        with pytest.raises(errors.Conflict):
            await residents.resume(connection, resident, at=NOW + 2 * day, actor=ACTOR, now=NOW)
        pauses = (await residents.history(connection, resident.id))["pauses"]
        assert [(p["paused_from"], p["paused_until"]) for p in pauses] == [(NOW, NOW + day)]


@pytest.mark.parametrize("died", [False, True])
async def test_the_end_of_a_stay_returns_the_devices(database: Database, died: bool) -> None:
    """After discharge or death the device's readings are nobody's, and a pause is over; the stay cannot end twice."""
    async with database.transaction(ACTOR) as connection:
        resident = await admitted(connection)
        device, _ = await devices.add(
            connection, ward_id=resident.ward_id, device_id="d-1", model="", codes=[], actor=ACTOR, now=NOW
        )
        await devices.assign(connection, device, resident, since=NOW, until=None, actor=ACTOR, now=NOW)
        end = NOW + timedelta(days=5)
        await residents.pause(connection, resident, since=NOW, until=None, reason="in hospital", actor=ACTOR, now=NOW)
        await devices.end_stay(connection, resident, at=end, died=died, reason="recovered", actor=ACTOR, now=end)
        assert await connection.fetchval("SELECT upper(during) FROM device_assignment") == end
        spell = (await residents.history(connection, resident.id))["spells"][0]
        assert (spell["ended_at"], spell["end_kind"]) == (end, "died" if died else "discharged")
        pauses = (await residents.history(connection, resident.id))["pauses"]
        assert [pause["paused_until"] for pause in pauses] == [end]
        with pytest.raises(errors.Conflict):
            await devices.end_stay(connection, resident, at=end, died=died, reason="again", actor=ACTOR, now=end)


async def test_a_password_and_a_token_are_kept_as_hashes_only(database: Database) -> None:
    """Nothing that opens a door is in the database."""
    async with database.transaction(ACTOR) as connection:
        await staff.add(
            connection,
            username="anna",
            display_name="Anna",
            role="clinician",
            wards=[],
            password="correct horse",
            actor=ACTOR,
            now=NOW,
        )
        token, _ = await staff.create_token(connection, username="anna", name="API", days=1, actor=ACTOR, now=NOW)
        login = await staff.by_username(connection, "anna")
        assert login is not None
        assert login.password_hash is not None
        assert login.password_hash.startswith("$argon2id$")
        stored = await connection.fetchval("SELECT encode(token_hash, 'escape') || name FROM api_token")
        assert token not in stored


async def test_staff_see_only_their_own_ward_through_these_functions(database: Database) -> None:
    """The same calls as a member of staff find nothing of another ward."""
    async with database.transaction(ACTOR) as connection:
        resident = await admitted(connection, 1)
        other = await admitted(connection, 2)
        member = await staff.add(
            connection,
            username="anna",
            display_name="Anna",
            role="clinician",
            wards=[resident.ward_id],
            password="correct horse",
            actor=ACTOR,
            now=NOW,
        )
    async with database.transaction(db.staff(member.id)) as connection:
        assert (await residents.find(connection, resident.nhs_number)).id == resident.id
        with pytest.raises(errors.NotFound):
            await residents.find(connection, other.nhs_number)
        assert [ward.id for ward, _ in await wards.listing(connection, now=NOW)] == [resident.ward_id]
