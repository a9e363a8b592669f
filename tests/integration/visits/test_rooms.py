"""Who comes into a visit, who does not, and what of it is told and kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from telehealth.errors import NotFound
from telehealth.model import visits
from telehealth.store import audit, consultations, db, participants, visit_desk
from telehealth.store.db import Database
from tests.integration.visits import scene as scenes
from tests.integration.visits.scene import T0, WEB


async def events(database: Database, visit: int) -> list[str]:
    async with database.transaction(WEB, read_only=True) as connection:
        rows = await connection.fetch(
            "SELECT event FROM consultation_event WHERE consultation_id = $1 ORDER BY id", visit
        )
    return [row["event"] for row in rows]


async def test_a_visit_from_the_door_to_the_end(database: Database) -> None:
    """Waiting, let in, live, interrupted, live again: the state follows who is where, and each step is noted."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    assert (await scenes.look(database, visit)).row.state == "scheduled"
    anna = await scenes.guest(database, scene, visit, scene.anna)
    loaded = await scenes.look(database, visit)
    assert (loaded.row.state, loaded.participant(anna).identity) == ("waiting", "birth_date")
    staff = await scenes.nurse(database, visit, scene.nurse)
    await scenes.admit(database, scene, visit, anna)
    loaded = await scenes.look(database, visit)
    assert (loaded.row.state, loaded.row.started_at, loaded.subjects[0].since) == ("live", T0, T0)
    later = T0 + timedelta(minutes=3)
    async with database.transaction(WEB) as connection:
        await consultations.left(connection, visit, anna, gone=True, now=later)
    assert (await scenes.look(database, visit)).row.state == "interrupted"
    async with database.transaction(WEB) as connection:
        await consultations.joined(connection, visit, anna, now=later)
    loaded = await scenes.look(database, visit)
    assert (loaded.row.state, loaded.row.started_at, loaded.participant(staff).state) == ("live", T0, "joined")
    assert await events(database, visit) == [
        *("created", "invited", "bound", "opened", "arrived", "opened", "joined", "admitted", "joined"),
        *("left", "joined"),
    ]
    assert loaded.row.seq == 11
    async with database.transaction(db.operator("tests"), read_only=True) as connection:
        rows = {row["action"]: row for row in await audit.listing(connection)}
    assert {"visit.create", "visit.invite", "visit.admitted", "visit.joined", "visit.left"} <= set(rows)
    assert rows["visit.admitted"]["actor"] == scene.actor
    assert rows["visit.admitted"]["resident_id"] == scene.anna.id


async def test_nobody_joins_who_was_not_let_in(database: Database) -> None:
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    anna = await scenes.guest(database, scene, visit, scene.anna)
    with pytest.raises(visits.NotPossible, match="let you in"):
        async with database.transaction(WEB) as connection:
            await consultations.joined(connection, visit, anna, now=T0)
    assert (await scenes.look(database, visit)).participant(anna).state == "waiting"


async def test_nobody_is_in_two_visits(database: Database) -> None:
    """A member of staff leaves one before joining another; what was tried leaves nothing."""
    scene = await scenes.build(database)
    first = await scenes.start(database, scene)
    second = await scenes.start(database, scene, scene.bert)
    here = await scenes.nurse(database, first, scene.nurse)
    with pytest.raises(visits.NotPossible, match="another video visit"):
        await scenes.nurse(database, second, scene.nurse)
    assert not (await scenes.look(database, second)).visit.inside()
    async with database.transaction(scene.actor) as connection:
        await consultations.left(connection, first, here, now=T0)
    await scenes.nurse(database, second, scene.nurse)
    assert (await scenes.look(database, second)).visit.inside()


async def test_two_visits_at_the_same_moment(database: Database) -> None:
    """Whichever commits first has them; the other hears why not."""
    scene = await scenes.build(database)
    rooms = [await scenes.start(database, scene), await scenes.start(database, scene, scene.bert)]
    people = []
    for visit in rooms:
        async with database.transaction(scene.actor) as connection:
            people.append(await participants.of_staff(connection, visit, scene.nurse, now=T0))

    async def join(visit: int, person: int) -> bool:
        try:
            async with database.transaction(WEB) as connection:
                await consultations.joined(connection, visit, person, now=T0)
        except visits.NotPossible:
            return False
        return True

    done = await asyncio.gather(*(join(visit, person) for visit, person in zip(rooms, people, strict=True)))
    assert sorted(done) == [False, True]


async def test_the_next_resident_comes_when_the_previous_has_left(database: Database) -> None:
    """In a round: who is there for another resident is not let in; a switch empties the room of the previous."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene, scene.anna, scene.bert, kind="ward_round")
    anna = await scenes.guest(database, scene, visit, scene.anna)
    daughter = await scenes.guest(database, scene, visit, scene.anna, "family")
    bert = await scenes.guest(database, scene, visit, scene.bert)
    staff = await scenes.nurse(database, visit, scene.nurse)
    await scenes.admit(database, scene, visit, anna)
    await scenes.admit(database, scene, visit, daughter)
    with pytest.raises(visits.NotPossible, match="another resident"):
        await scenes.admit(database, scene, visit, bert)
    later = T0 + timedelta(minutes=10)
    async with database.transaction(scene.actor) as connection:
        await consultations.switch_subject(connection, visit, scene.bert.id, actor=scene.actor, now=later)
    await scenes.admit(database, scene, visit, bert, now=later)
    loaded = await scenes.look(database, visit)
    assert {p.id: p.state for p in loaded.people} == {
        anna: "left", daughter: "left", bert: "joined", staff: "joined"
    }  # fmt: skip
    assert loaded.row.subject_id == scene.bert.id
    assert [(s.id, s.since, s.until) for s in loaded.subjects] == [
        (scene.anna.id, T0, later), (scene.bert.id, later, None)
    ]  # fmt: skip


async def test_what_the_room_shows_of_somebody(database: Database) -> None:
    """Muted, pinned, a hand, consent: consent outlives a lost connection, and ends when somebody leaves."""
    scene = await scenes.build(database)
    visit, staff, anna = await scenes.live(database, scene)
    async with database.transaction(scene.actor) as connection:
        await consultations.mute(connection, visit, anna, True, actor=scene.actor, now=T0)
        await consultations.pin(connection, visit, staff, True, actor=scene.actor, now=T0)
        await consultations.pin(connection, visit, anna, True, actor=scene.actor, now=T0)
    async with database.transaction(WEB) as connection:
        await consultations.raise_hand(connection, visit, anna, up=True, now=T0)
        await consultations.set_media(connection, visit, anna, audio=True, video=False, screen=False, now=T0)
        await consultations.consent(connection, visit, anna, given=True, now=T0)
    loaded = await scenes.look(database, visit)
    shown = loaded.participant(anna)
    assert (shown.muted_by_host, shown.pinned, shown.hand_at, shown.video) == (True, True, T0, False)
    assert (shown.consent_at, loaded.participant(staff).pinned) == (T0, False)
    for gone, kept in ((True, T0), (False, None)):
        async with database.transaction(WEB) as connection:
            await consultations.left(connection, visit, anna, gone=gone, now=T0)
        assert (await scenes.look(database, visit)).participant(anna).consent_at == kept
        if gone:
            async with database.transaction(WEB) as connection:
                await consultations.joined(connection, visit, anna, now=T0)
    with pytest.raises(visits.NotPossible, match="not in the visit"):
        async with database.transaction(scene.actor) as connection:
            await consultations.mute(connection, visit, anna, False, actor=scene.actor, now=T0)
    assert {"muted", "pinned", "consent_given"} <= set(await events(database, visit))


async def test_a_visit_is_told_of(database: Database) -> None:
    """Whoever serves it hears its number; boards hear their ward."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    heard: list[str] = []
    async with database.listen("visits", heard.append):
        await scenes.guest(database, scene, visit, scene.anna)
        async with database.transaction(WEB) as connection:
            await connection.fetchval("SELECT 1")
    assert set(heard) == {str(visit)}


async def test_waiting_area_and_diary(database: Database) -> None:
    """Who waits since when; planned visits and those started at once in one list, residents by name."""
    scene = await scenes.build(database)
    booked = await scenes.book(database, scene)
    visit = await scenes.start(database, scene, scene.bert)
    bert = await scenes.guest(database, scene, visit, scene.bert)
    async with database.transaction(scene.actor, read_only=True) as connection:
        waiting = await visit_desk.waiting(connection, scene.ward.id, now=T0 + timedelta(minutes=2))
        diary = await visit_desk.diary(connection, scene.ward.id, T0, T0 + timedelta(days=3))
    assert [(w.participant_id, w.waited, w.role, w.resident_id) for w in waiting] == [
        (bert, 120.0, "resident", scene.bert.id)
    ]
    assert [(e.consultation_id, e.appointment_id, e.waiting) for e in diary] == [
        (visit, None, 1), (booked.consultation_id, booked.appointment_id, 0)
    ]  # fmt: skip
    async with database.transaction(db.staff(scene.stranger), read_only=True) as connection:
        assert await visit_desk.waiting(connection, scene.ward.id, now=T0) == []
        assert await visit_desk.diary(connection, scene.ward.id, T0, T0 + timedelta(days=3)) == []
        with pytest.raises(NotFound):
            await consultations.load(connection, visit)
