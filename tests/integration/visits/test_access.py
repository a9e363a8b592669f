"""Staff of another ward reach nothing of a visit, by any function; links let in whom they are for, and nobody else."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, time, timedelta

import pytest

from telehealth.errors import NotFound
from telehealth.model import appointments as times
from telehealth.model import visits
from telehealth.store import (
    appointments,
    audit,
    calling,
    consultations,
    contacts,
    db,
    encounters,
    links,
    mail,
    messages,
    notes,
    participants,
    series,
    visit_desk,
)
from telehealth.store.db import Connection, Database
from telehealth.store.encounters import Ending
from tests.integration.visits import scene as scenes
from tests.integration.visits.scene import BORN, REAL, SENDER, T0, WEB

OPERATOR = db.operator("tests")


@dataclass(frozen=True)
class There:
    scene: scenes.Scene
    visit: int
    staff: int
    anna: int
    link: int
    appointment: int
    contact: int
    series: int
    actor: db.Actor


async def there(database: Database) -> There:
    scene = await scenes.build(database)
    contact = await scenes.contact(database, scene, scene.anna, "anna@home.example")
    booked = await scenes.book(database, scene)
    visit, staff, anna = await scenes.live(database, scene)
    new = times.NewSeries(scene.ward.id, "ward_round", [scene.anna.id], [0], time(9, 0), "Europe/London", T0.date())
    async with database.transaction(scene.actor) as connection:
        row = await series.begin(connection, new, sender=SENDER, actor=scene.actor, now=T0, real_now=REAL)
        link = (await links.of_visit(connection, visit))[0].id
    return There(
        scene, visit, staff, anna, link, booked.appointment_id, contact, row, db.staff(scene.stranger)
    )  # fmt: skip


Act = Callable[[Connection, There], Awaitable[object]]

#: Whatever somebody may do with a visit, an appointment, a link, a contact, a record.
ACTS: dict[str, Act] = {
    "open_for_appointment": lambda c, t: consultations.open_for_appointment(c, t.appointment, actor=t.actor, now=T0),
    "start": lambda c, t: consultations.start(
        c, kind="one_to_one", ward_id=t.scene.ward.id, resident_ids=[t.scene.anna.id], actor=t.actor, now=T0
    ),
    "load": lambda c, t: consultations.load(c, t.visit),
    "hold": lambda c, t: consultations.load(c, t.visit, hold=True),
    "admit": lambda c, t: consultations.admit(c, t.visit, t.anna, actor=t.actor, now=T0),
    "back_to_waiting": lambda c, t: consultations.back_to_waiting(c, t.visit, t.anna, actor=t.actor, now=T0),
    "remove": lambda c, t: consultations.remove(c, t.visit, t.anna, actor=t.actor, now=T0),
    "arrive": lambda c, t: consultations.arrive(c, t.visit, t.anna, ready=None, reason="", now=T0),
    "joined": lambda c, t: consultations.joined(c, t.visit, t.anna, now=T0),
    "left": lambda c, t: consultations.left(c, t.visit, t.anna, now=T0),
    "switch_subject": lambda c, t: consultations.switch_subject(
        c, t.visit, t.scene.anna.id, actor=t.actor, now=T0
    ),
    "lock": lambda c, t: consultations.lock(c, t.visit, True, actor=t.actor, now=T0),
    "mute": lambda c, t: consultations.mute(c, t.visit, t.anna, True, actor=t.actor, now=T0),
    "pin": lambda c, t: consultations.pin(c, t.visit, t.anna, True, actor=t.actor, now=T0),
    "set_media": lambda c, t: consultations.set_media(
        c, t.visit, t.anna, audio=False, video=False, screen=False, now=T0
    ),
    "raise_hand": lambda c, t: consultations.raise_hand(c, t.visit, t.anna, up=True, now=T0),
    "consent": lambda c, t: consultations.consent(c, t.visit, t.anna, given=True, now=T0),
    "end": lambda c, t: consultations.end(c, t.visit, Ending("other"), actor=t.actor, now=T0),
    "did_not_attend": lambda c, t: consultations.did_not_attend(c, t.visit, actor=t.actor, now=T0),
    "cancel": lambda c, t: consultations.cancel(c, t.visit, actor=t.actor, now=T0),
    "decide_reading": lambda c, t: consultations.decide_reading(
        c, t.visit, f"0.{'0' * 32}.0", "accepted", actor=t.actor, now=T0
    ),
    "note_event": lambda c, t: consultations.note_event(c, t.visit, "opened", actor=t.actor, now=T0),
    "of_staff": lambda c, t: participants.of_staff(c, t.visit, t.scene.stranger, now=T0),
    "of_link": lambda c, t: participants.of_link(c, t.link, now=T0),
    "make a link": lambda c, t: links.make(
        c, t.visit, role="carer", resident_id=t.scene.anna.id, name="x", actor=t.actor, now=T0, real_now=REAL,
        expires_at=REAL,
    ),
    "invite": lambda c, t: links.invite(
        c, t.visit, role="carer", resident_id=t.scene.anna.id, name="x", email=None, sender=SENDER, actor=t.actor,
        now=T0, real_now=REAL,
    ),
    "try_birth": lambda c, t: links.try_birth(c, t.link, BORN, now=T0),
    "allow_another": lambda c, t: links.allow_another(c, t.link, actor=t.actor, now=T0),
    "revoke": lambda c, t: links.revoke(c, t.link, actor=t.actor, now=T0, real_now=REAL),
    "say": lambda c, t: messages.say(c, t.visit, None, "x", key=uuid.uuid4(), actor=t.actor, now=T0),
    "save a note": lambda c, t: notes.save(c, t.visit, t.scene.anna.id, t.scene.stranger, "x", 0, now=T0),
    "ring": lambda c, t: calling.ring(c, t.visit, t.scene.anna.id, actor=t.actor, now=T0),
    "measure": lambda c, t: calling.measure(c, t.visit, t.scene.anna.id, ["spo2"], actor=t.actor, now=T0),
    "appointment": lambda c, t: appointments.get(c, t.appointment),
    "book": lambda c, t: appointments.book(
        c, times.New(t.scene.ward.id, "one_to_one", [t.scene.anna.id], T0 + timedelta(days=1)), sender=SENDER,
        actor=t.actor, now=T0, real_now=REAL,
    ),
    "move": lambda c, t: appointments.move(
        c, t.appointment, starts_at=T0 + timedelta(days=1), sender=SENDER, actor=t.actor, now=T0, real_now=REAL
    ),
    "cancel an appointment": lambda c, t: appointments.cancel(
        c, t.appointment, reason="x", sender=SENDER, actor=t.actor, now=T0, real_now=REAL
    ),
    "series": lambda c, t: series.get(c, t.series, now=T0),
    "end a series": lambda c, t: series.end(
        c, t.series, reason="x", sender=SENDER, actor=t.actor, now=T0, real_now=REAL
    ),
    "add a contact": lambda c, t: contacts.add(
        c, t.scene.anna.id, relation="self", name="x", email="x@x.example", actor=t.actor, now=T0
    ),
    "remove a contact": lambda c, t: contacts.remove(c, t.contact, actor=t.actor, now=T0),
    "finish a follow-up": lambda c, t: encounters.finish_follow_up(c, 1, actor=t.actor, now=T0),
    "encounter": lambda c, t: visit_desk.encounter(c, 1),
}  # fmt: skip


async def test_nothing_for_staff_of_another_ward(database: Database) -> None:
    """Not found, as if there were no such thing; and the visit is as it was."""
    found = await there(database)
    before = await scenes.look(database, found.visit)
    allowed = []
    for name, act in ACTS.items():
        try:
            async with database.transaction(found.actor) as connection:
                await act(connection, found)
            allowed.append(name)
        except NotFound:
            pass
    assert not allowed
    assert await scenes.look(database, found.visit) == before
    async with database.transaction(found.actor, read_only=True) as connection:
        assert await mail.listing(connection) == []
        assert await contacts.of_resident(connection, found.scene.anna.id) == []
        assert await links.of_visit(connection, found.visit) == []
        assert await visit_desk.encounters(connection, found.scene.anna.id) == []
        assert await appointments.listing(connection, since=T0, until=T0 + timedelta(days=90)) == []


async def make(database: Database, visit: int, scene: scenes.Scene) -> tuple[int, str]:
    async with database.transaction(scene.actor) as connection:
        return await links.make(
            connection, visit, role="resident", resident_id=scene.anna.id, name="Anna", actor=scene.actor, now=T0,
            real_now=REAL, expires_at=REAL + timedelta(hours=1),
        )  # fmt: skip


async def test_a_link_belongs_to_the_first_browser(database: Database) -> None:
    """Another is refused, which staff see, until they allow it; then the first one opens nothing."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    link, token = await make(database, visit, scene)
    async with database.transaction(WEB) as connection:
        found = await links.find(connection, token)
        assert found is not None
        assert (found.id, found.bound, found.asks_birth, found.over(REAL)) == (link, False, True, False)
        assert await links.find(connection, token[:-1] + "x") is None
        assert await links.find(connection, "") is None
        assert await links.bind(connection, link, b"first", now=REAL) == "bound"
        assert await links.bind(connection, link, b"first", now=REAL) == "same"
        assert await links.bind(connection, link, b"second", now=REAL) == "another"
        assert await links.of_browser(connection, link, b"second") is None
        assert await links.of_browser(connection, link, b"first") is not None
        await participants.of_link(connection, link, now=T0)
    assert (await scenes.look(database, visit)).people[0].refused_browsers == 1
    async with database.transaction(scene.actor) as connection:
        await links.allow_another(connection, link, actor=scene.actor, now=T0)
    async with database.transaction(WEB) as connection:
        assert await links.bind(connection, link, b"second", now=REAL) == "bound"
        assert await links.of_browser(connection, link, b"first") is None
    # what was refused before was settled by that
    assert (await scenes.look(database, visit)).people[0].refused_browsers == 0
    async with database.transaction(WEB) as connection:
        assert await links.bind(connection, link, b"first", now=REAL) == "another"
    assert (await scenes.look(database, visit)).people[0].refused_browsers == 1
    async with database.transaction(OPERATOR, read_only=True) as connection:
        denied = await audit.listing(connection, action="visit.link", outcome="denied")
        kept = await connection.fetchval("SELECT row_to_json(l)::text FROM join_link l WHERE id = $1", link)
    assert len(denied) == 2
    assert token not in kept


async def test_a_link_dies(database: Database) -> None:
    """When its time is over, when it is revoked, and with the visit."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    first, _ = await make(database, visit, scene)
    second, token = await make(database, visit, scene)
    async with database.transaction(scene.actor) as connection:
        await links.revoke(connection, first, actor=scene.actor, now=T0, real_now=REAL)
    async with database.transaction(WEB) as connection:
        assert await links.bind(connection, first, b"browser", now=REAL) == "over"
        assert await links.bind(connection, second, b"browser", now=REAL + timedelta(hours=1)) == "over"
        assert await links.bind(connection, second, b"browser", now=REAL) == "bound"
    async with database.transaction(scene.actor) as connection:
        await consultations.end(connection, visit, Ending("technical_failure"), actor=scene.actor, now=T0)
    async with database.transaction(WEB) as connection:
        assert await links.bind(connection, second, b"browser", now=REAL) == "over"
        found = await links.find(connection, token)
        assert found is not None
        assert found.over(REAL)
    async with database.transaction(scene.actor) as connection:
        with pytest.raises(visits.NotPossible):
            await make(database, visit, scene)


async def test_a_button_pressed_while_the_visit_ends(database: Database) -> None:
    """Both lock the visit first, so that neither waits for the other for ever."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    async with database.transaction(scene.actor) as connection:
        link, _ = await links.make(
            connection, visit, role="resident", resident_id=scene.anna.id, name="Anna", actor=scene.actor, now=T0,
            real_now=REAL, expires_at=REAL + timedelta(hours=4),
        )  # fmt: skip

    async def press() -> str:
        async with database.transaction(WEB) as connection:
            return await links.bind(connection, link, b"a browser", now=REAL, clinical=T0)

    async with asyncio.TaskGroup() as tasks, database.transaction(scene.actor) as connection:
        await consultations.load(connection, visit, hold=True)
        pressed = tasks.create_task(press())
        async with database.transaction(WEB, read_only=True) as other:
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await other.execute("SELECT pg_sleep(0.01)")
        ending = encounters.Ending("completed", {})
        await consultations.end(connection, visit, ending, actor=scene.actor, now=T0)
    assert pressed.result() == "over"


async def test_five_wrong_dates_of_birth(database: Database) -> None:
    """Then they wait as somebody whose identity was not checked, and the right date changes nothing any more."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    link, _ = await make(database, visit, scene)
    wrong = date(1950, 5, 18)
    async with database.transaction(WEB) as connection:
        answers = [await links.try_birth(connection, link, wrong, now=T0) for _ in range(6)]
        assert answers == [(False, 4), (False, 3), (False, 2), (False, 1), (False, 0), (False, 0)]
        assert await links.try_birth(connection, link, BORN, now=T0) == (False, 0)
        person = await participants.of_link(connection, link, now=T0)
    shown = (await scenes.look(database, visit)).participant(person)
    assert (shown.identity, shown.wrong_births) == ("not_checked", 5)


async def test_a_link_is_for_a_subject_of_the_visit(database: Database) -> None:
    """Nobody is invited to a visit with a resident whom it is not about."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    async with database.transaction(scene.actor) as connection:
        with pytest.raises(NotFound):
            await links.make(
                connection, visit, role="resident", resident_id=scene.bert.id, name="Bert", actor=scene.actor, now=T0,
                real_now=REAL, expires_at=REAL + timedelta(hours=1),
            )  # fmt: skip
