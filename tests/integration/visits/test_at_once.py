"""Several people act in a visit at the same moment: one after the other, and none of them past a rule."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from telehealth.errors import TelehealthError
from telehealth.model import visits
from telehealth.store import consultations, notes
from telehealth.store.db import Connection, Database
from telehealth.store.encounters import Ending
from tests.integration.visits import scene as scenes
from tests.integration.visits.scene import T0, WEB

Act = Callable[[Connection], Awaitable[object]]


async def all_at_once(database: Database, scene: scenes.Scene, *acts: Act) -> list[bool]:
    """Whether each was done."""

    async def one(act: Act) -> bool:
        try:
            async with database.transaction(scene.actor) as connection:
                await act(connection)
        except TelehealthError:
            return False
        return True

    return await asyncio.gather(*(one(act) for act in acts))


async def test_two_nurses_let_in_more_than_there_is_room_for(database: Database) -> None:
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    guests = [await scenes.guest(database, scene, visit, scene.anna, "family") for _ in range(visits.MOST_PEOPLE + 3)]

    def admit(person: int) -> Act:
        return lambda c: consultations.admit(c, visit, person, actor=scene.actor, now=T0)

    done = await all_at_once(database, scene, *(admit(person) for person in guests))
    assert sum(done) == visits.MOST_PEOPLE
    inside = [p for p in (await scenes.look(database, visit)).people if p.state == "admitted"]
    assert len(inside) == visits.MOST_PEOPLE


async def test_a_switch_and_an_admission_cross(database: Database) -> None:
    """Whichever comes first: nobody of the one resident is in with the other."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene, scene.anna, scene.bert, kind="ward_round")
    anna = await scenes.guest(database, scene, visit, scene.anna)
    bert = await scenes.guest(database, scene, visit, scene.bert)
    for turn in range(6):
        to = (scene.bert, scene.anna)[turn % 2]

        def switch(c: Connection, to: int = to.id) -> Awaitable[object]:
            return consultations.switch_subject(c, visit, to, actor=scene.actor, now=T0)

        await all_at_once(
            database,
            scene,
            lambda c: consultations.admit(c, visit, anna, actor=scene.actor, now=T0),
            switch,
            lambda c: consultations.admit(c, visit, bert, actor=scene.actor, now=T0),
        )
        loaded = await scenes.look(database, visit)
        assert loaded.row.subject_id == to.id
        assert {p.resident_id for p in loaded.people if p.state == "admitted"} <= {to.id}
        async with database.transaction(WEB) as connection:
            for person in (anna, bert):
                await consultations.arrive(connection, visit, person, ready=None, reason="", now=T0)


async def test_two_end_it_while_a_third_writes_and_a_fourth_lets_in(database: Database) -> None:
    """It is ended once; the note is in the record, or its author is told that it is too late; nobody is let in."""
    scene = await scenes.build(database)
    for _ in range(3):
        visit = await scenes.start(database, scene)
        guest = await scenes.guest(database, scene, visit, scene.anna)

        def end(c: Connection, visit: int = visit) -> Awaitable[object]:
            return consultations.end(c, visit, Ending("advice"), actor=scene.actor, now=T0)

        def write(c: Connection, visit: int = visit) -> Awaitable[object]:
            return notes.save(c, visit, scene.anna.id, scene.nurse, "typed", 0, now=T0)

        def admit(c: Connection, visit: int = visit, guest: int = guest) -> Awaitable[object]:
            return consultations.admit(c, visit, guest, actor=scene.actor, now=T0)

        first, wrote, _, second = await all_at_once(database, scene, end, write, admit, end)
        assert (first, second).count(True) == 1
        async with database.transaction(WEB, read_only=True) as connection:
            kept = await connection.fetchval(
                "SELECT count(*) FROM encounter_note n JOIN encounter e ON e.id = n.encounter_id"
                " WHERE e.consultation_id = $1",
                visit,
            )
            left = await connection.fetchval("SELECT count(*) FROM consultation_note WHERE consultation_id = $1", visit)
            encounters = await connection.fetchval("SELECT count(*) FROM encounter WHERE consultation_id = $1", visit)
        assert (kept, left, encounters) == (1 if wrote else 0, 0, 1)
        assert (await scenes.look(database, visit)).participant(guest).state == "left"
