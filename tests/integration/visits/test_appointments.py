"""Appointments and series, and what time does to them."""

from __future__ import annotations

from datetime import date, time, timedelta

import asyncpg
import pytest
import structlog

from telehealth.clock import ClinicalClock, Step
from telehealth.consult import upkeep
from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.model import appointments as times
from telehealth.model import visits
from telehealth.notify import service as notify
from telehealth.store import appointments, consultations, contacts, db, links, mail, series, visit_desk
from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.visits import scene as scenes
from tests.integration.visits.scene import REAL, SENDER, T0, WEB
from tests.support import world

OPERATOR = db.operator("tests")


async def keep(database: Database, minutes: float) -> dict[str, int]:
    at = T0 + timedelta(minutes=minutes)
    return await upkeep.Upkeep(database, ClinicalClock(Step(at, at)), SENDER).once()


async def test_booking_warns_of_overlaps(database: Database) -> None:
    """A resident may be in two places by plan; staff are told, and decide."""
    scene = await scenes.build(database)
    first = await scenes.book(database, scene)
    second = await scenes.book(database, scene, starts_at=T0 + timedelta(days=2, minutes=10))
    other = await scenes.book(database, scene, scene.bert, starts_at=T0 + timedelta(days=2, minutes=10))
    after = await scenes.book(database, scene, starts_at=T0 + timedelta(days=2, minutes=30))
    assert first.overlaps == other.overlaps == after.overlaps == []
    assert [(o.resident_id, o.appointment_id) for o in second.overlaps] == [(scene.anna.id, first.appointment_id)]


async def test_a_booked_visit_is_there_at_once(database: Database) -> None:
    scene = await scenes.build(database)
    booked = await scenes.book(database, scene)
    async with database.transaction(scene.actor) as connection:
        found = await appointments.get(connection, booked.appointment_id)
        again = await consultations.open_for_appointment(connection, booked.appointment_id, actor=scene.actor, now=T0)
        assert (found.consultation_id, found.state, again) == (booked.consultation_id, "scheduled", again)
        assert found.resident_ids == [scene.anna.id]


async def test_moving_moves_the_links(database: Database) -> None:
    """Whoever had one keeps it, until two hours after the new end; what has begun is not moved."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    there = T0 + timedelta(days=5)
    async with database.transaction(scene.actor) as connection:
        before = (await links.of_visit(connection, booked.consultation_id))[0]
        moved = await appointments.move(
            connection, booked.appointment_id, starts_at=there, minutes=30, sender=SENDER, actor=scene.actor, now=T0,
            real_now=REAL,
        )  # fmt: skip
        (after,) = await links.of_visit(connection, booked.consultation_id)
    assert moved.told == booked.told
    assert before.expires_at == REAL + timedelta(days=2, minutes=20, hours=2)
    assert (after.id, after.expires_at) == (before.id, REAL + timedelta(days=5, minutes=30, hours=2))
    person = await scenes.guest(database, scene, booked.consultation_id, scene.anna, now=there)
    await scenes.nurse(database, booked.consultation_id, scene.nurse, now=there)
    await scenes.admit(database, scene, booked.consultation_id, person, now=there)
    async with database.transaction(scene.actor) as connection:
        with pytest.raises(visits.NotPossible, match="begun"):
            await appointments.move(
                connection, booked.appointment_id, starts_at=there + timedelta(days=1), sender=SENDER,
                actor=scene.actor, now=there, real_now=REAL,
            )  # fmt: skip


async def test_a_cancelled_visit_is_closed(database: Database) -> None:
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    async with database.transaction(scene.actor) as connection:
        await appointments.cancel(
            connection, booked.appointment_id, reason="in hospital", sender=SENDER, actor=scene.actor, now=T0,
            real_now=REAL,
        )  # fmt: skip
        (link,) = await links.of_visit(connection, booked.consultation_id)
        assert (link.state, link.over(REAL)) == ("cancelled", True)
        with pytest.raises(visits.NotPossible, match="cancelled"):
            await appointments.cancel(
                connection, booked.appointment_id, reason="again", sender=SENDER, actor=scene.actor, now=T0,
                real_now=REAL,
            )  # fmt: skip


async def test_who_did_not_attend(database: Database) -> None:
    """Half an hour after the planned end, if nobody came; not while somebody waits or a nurse is there."""
    scene = await scenes.build(database)
    start = T0 + timedelta(minutes=10)
    nobody = await scenes.book(database, scene, starts_at=start)
    waits = await scenes.book(database, scene, scene.bert, starts_at=start)
    staffed = await scenes.book(database, scene, starts_at=start)
    await scenes.guest(database, scene, waits.consultation_id, scene.bert)
    await scenes.nurse(database, staffed.consultation_id, scene.nurse)
    assert (await keep(database, 59))["did_not_attend"] == 0
    assert (await keep(database, 61))["did_not_attend"] == 1
    states = [(await scenes.look(database, one.consultation_id)).row.state for one in (nobody, waits, staffed)]
    assert states == ["did_not_attend", "waiting", "scheduled"]
    assert (await keep(database, 62))["did_not_attend"] == 0


async def test_what_nobody_used_and_what_nobody_ended(database: Database) -> None:
    """A visit begun at once that nobody came to is cancelled after a day; one that was live waits for a person."""
    scene = await scenes.build(database)
    unused = await scenes.start(database, scene, scene.bert)
    visit, staff, anna = await scenes.live(database, scene)
    async with database.transaction(WEB) as connection:
        await consultations.left(connection, visit, anna, now=T0)
        await consultations.left(connection, visit, staff, now=T0)
    assert (await keep(database, 25 * 60))["unused"] == 1
    assert (await scenes.look(database, unused)).row.state == "cancelled"
    assert (await scenes.look(database, visit)).row.state == "interrupted"
    async with database.transaction(scene.actor, read_only=True) as connection:
        found = await visit_desk.unfinished(connection, scene.ward.id, before=T0 + timedelta(hours=1))
    assert [(one.consultation_id, one.state, one.resident_ids) for one in found] == [
        (visit, "interrupted", [scene.anna.id])
    ]


async def test_a_visit_that_only_staff_looked_into_was_not_used(database: Database) -> None:
    """Whoever was to come did not; nobody has anything to write down."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    staff = await scenes.nurse(database, visit, scene.nurse)
    assert (await keep(database, 25 * 60))["unused"] == 0, "somebody is in it"
    async with database.transaction(WEB) as connection:
        await consultations.left(connection, visit, staff, now=T0)
    assert (await keep(database, 25 * 60))["unused"] == 1
    assert (await scenes.look(database, visit)).row.state == "cancelled"
    assert (await keep(database, 25 * 60))["unused"] == 0


async def test_a_visit_that_fails_stops_no_other(urls: Urls, database: Database) -> None:
    """It is left as it is and tried again later; what is logged of it is where it failed, as an error."""
    scene = await scenes.build(database)
    start = T0 + timedelta(minutes=10)
    fails, other = [await scenes.book(database, scene, one, starts_at=start) for one in (scene.anna, scene.bert)]
    late = T0 + timedelta(minutes=61)
    work = upkeep.Upkeep(database, ClinicalClock(Step(late, late)), SENDER)
    owner = await asyncpg.connect(urls.owner)
    try:
        await owner.execute(
            "ALTER TABLE consultation ADD CONSTRAINT fails"
            f" CHECK (id <> {fails.consultation_id} OR state = 'scheduled')"
        )
        with structlog.testing.capture_logs() as logged:
            assert (await work.once())["did_not_attend"] == 1
        errors = [(one["id"], one["error"]) for one in logged if one["log_level"] == "error"]
        assert errors == [(fails.consultation_id, "CheckViolationError")]
        assert "exc_info" not in str(logged)
        states = [(await scenes.look(database, one.consultation_id)).row.state for one in (fails, other)]
        assert states == ["scheduled", "did_not_attend"]
        await owner.execute("ALTER TABLE consultation DROP CONSTRAINT fails")
    finally:
        await owner.close()
    assert (await work.once())["did_not_attend"] == 0, "it is not tried again at once"
    assert (await keep(database, 61))["did_not_attend"] == 1


async def begin(database: Database, scene: scenes.Scene, **more: object) -> int:
    fields = {
        "ward_id": scene.ward.id, "kind": "ward_round", "resident_ids": [scene.anna.id, scene.bert.id],
        "weekdays": [0], "local_time": time(9, 0), "zone": "Europe/London", "first_on": date(2026, 3, 9),
    }  # fmt: skip
    new = times.NewSeries(**(fields | more))  # type: ignore[arg-type]  # fields by name, checked at run time
    async with database.transaction(scene.actor) as connection:
        return await series.begin(connection, new, sender=SENDER, actor=scene.actor, now=T0, real_now=REAL)


async def planned(database: Database, scene: scenes.Scene) -> list[appointments.Appointment]:
    async with database.transaction(scene.actor, read_only=True) as connection:
        return await appointments.listing(connection, since=T0, until=T0 + timedelta(days=200), ward_id=scene.ward.id)


async def test_a_series_is_made_ahead_and_goes_on(database: Database) -> None:
    """Eight weeks ahead; what was moved or cancelled is not made anew; the end cancels the rest."""
    scene = await scenes.build(database)
    row = await begin(database, scene)
    made = await planned(database, scene)
    assert [one.starts_at.date() for one in made] == [date(2026, 3, 9) + timedelta(weeks=n) for n in range(8)]
    assert {one.starts_at.hour for one in made} == {8, 9}
    assert {tuple(one.resident_ids) for one in made} == {(scene.anna.id, scene.bert.id)}
    async with database.transaction(scene.actor) as connection:
        await appointments.move(
            connection, made[0].id, starts_at=made[0].starts_at + timedelta(days=1), sender=SENDER, actor=scene.actor,
            now=T0, real_now=REAL,
        )  # fmt: skip
        await appointments.cancel(
            connection, made[1].id, reason="holiday", sender=SENDER, actor=scene.actor, now=T0, real_now=REAL
        )
        with pytest.raises(visits.NotPossible, match="another appointment"):
            await appointments.move(
                connection, made[2].id, starts_at=made[3].starts_at, sender=SENDER, actor=scene.actor, now=T0,
                real_now=REAL,
            )  # fmt: skip
    assert (await keep(database, 0))["series"] == 0
    assert (await keep(database, 14 * 24 * 60))["series"] == 1
    assert len(await planned(database, scene)) == 10
    later = T0 + timedelta(days=14)
    async with database.transaction(scene.actor) as connection:
        assert await series.end(
            connection, row, reason="over", sender=SENDER, actor=scene.actor, now=later, real_now=REAL
        ) == 8  # fmt: skip
        with pytest.raises(visits.NotPossible):
            await series.end(connection, row, reason="over", sender=SENDER, actor=scene.actor, now=T0, real_now=REAL)
    assert (await keep(database, 60 * 24 * 60))["series"] == 0


async def test_who_has_died_or_left_is_not_in_what_is_made_later(database: Database) -> None:
    scene = await scenes.build(database)
    await begin(database, scene)
    async with database.transaction(OPERATOR) as connection:
        await connection.execute("UPDATE resident SET died_at = $2 WHERE id = $1", scene.bert.id, T0)
    await keep(database, 7 * 24 * 60)
    made = await planned(database, scene)
    assert [one.resident_ids for one in made[-2:]] == [[scene.anna.id, scene.bert.id], [scene.anna.id]]


async def test_a_series_in_the_far_west_is_made_once_a_day(database: Database) -> None:
    """There it is still yesterday while the day has begun in Greenwich: nothing is done over and over."""
    scene = await scenes.build(database)
    await begin(database, scene, zone="America/Los_Angeles")
    done = [(await keep(database, hours * 60))["series"] for hours in range(0, 72, 6)]
    assert 1 <= sum(done) <= 3
    assert [(await keep(database, 66 * 60))["series"] for _ in range(2)] == [0, 0]


async def test_whoever_is_discharged_hears_no_more_of_the_rounds(database: Database) -> None:
    """Those that were made before, too; what was booked for them alone is as ever."""
    scene = await scenes.build(database)
    for one, name in ((scene.anna, "anna"), (scene.bert, "bert")):
        await scenes.contact(database, scene, one, f"{name}@home.example")
    await begin(database, scene)
    await scenes.book(database, scene, scene.bert, starts_at=T0 + timedelta(days=8))
    await world.discharge(database, scene.bert, T0)
    async with database.transaction(OPERATOR) as connection:
        await connection.execute("UPDATE mail SET due_at = $1", REAL)
    async with database.transaction(notify.ACTOR) as connection:
        await mail.waiting(connection, real_now=REAL, lease=timedelta(minutes=1), clinical=T0)
        rows = await connection.fetch(
            "SELECT DISTINCT m.to_address, a.series_id IS NOT NULL AS again, m.state = 'dropped' AS dropped"
            " FROM mail m JOIN appointment a ON a.id = m.appointment_id"
        )
    assert {tuple(row) for row in rows} == {
        ("anna@home.example", True, False),
        ("bert@home.example", True, True),
        ("bert@home.example", False, False),
    }


async def test_visits_of_who_died_are_called_off_without_a_word(database: Database) -> None:
    """Nobody is mailed about it; a round of others goes on."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.bert, "daughter@home.example", "family")
    alone = await scenes.book(database, scene, scene.bert)
    together = await scenes.book(database, scene, scene.anna, scene.bert, kind="ward_round")
    async with database.transaction(OPERATOR) as connection:
        before = await connection.fetchval("SELECT count(*) FROM mail")
        await connection.execute("UPDATE resident SET died_at = $2 WHERE id = $1", scene.bert.id, T0)
    assert (await keep(database, 1))["of_the_dead"] == 1
    states = [(await scenes.look(database, one.consultation_id)).row.state for one in (alone, together)]
    assert states == ["cancelled", "scheduled"]
    async with database.transaction(OPERATOR, read_only=True) as connection:
        assert await connection.fetchval("SELECT count(*) FROM mail") == before


async def test_series_announce_a_week_before(database: Database) -> None:
    """Nobody gets eight mails at once."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await begin(database, scene)
    async with database.transaction(OPERATOR, read_only=True) as connection:
        rows = await connection.fetch("SELECT due_at FROM mail WHERE about = 'booked' ORDER BY due_at")
    assert rows[0]["due_at"] == REAL
    assert rows[1]["due_at"] == REAL + timedelta(days=7)


async def test_a_contact_who_is_removed_comes_in_no_more(database: Database) -> None:
    """The link that they were sent opens nothing; another contact's does."""
    scene = await scenes.build(database)
    removed = await scenes.contact(database, scene, scene.anna, "former@home.example", "carer")
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    async with database.transaction(scene.actor) as connection:
        await contacts.remove(connection, removed, actor=scene.actor, now=T0)
        found = await links.of_visit(connection, booked.consultation_id)
    assert {link.role: link.over(REAL) for link in found} == {"carer": True, "resident": False}


async def test_contacts(database: Database) -> None:
    scene = await scenes.build(database)
    added = await scenes.contact(database, scene, scene.anna, "anna@home.example")
    async with database.transaction(scene.actor) as connection:
        for wrong in (
            *("anna", "anna@", "a b@c.example", "a@b@c.example", "a@b..example", "x" * 70 + "@c.example"),
            *("a@b.example\n", "a@b.example\r\nBcc: x@y.example", "a\x7f@b.example", "a(b@c.example", "a\\b@c.example"),
        ):
            with pytest.raises(Invalid):
                await contacts.add(
                    connection, scene.anna.id, relation="self", name="Anna", email=wrong, actor=scene.actor, now=T0
                )
        with pytest.raises(Conflict):
            await contacts.add(
                connection, scene.anna.id, relation="carer", name="A", email="ANNA@home.example", actor=scene.actor,
                now=T0,
            )  # fmt: skip
        await contacts.remove(connection, added, actor=scene.actor, now=T0)
        assert await contacts.of_resident(connection, scene.anna.id) == []
        with pytest.raises(NotFound):
            await contacts.remove(connection, added, actor=scene.actor, now=T0)
