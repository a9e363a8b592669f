"""A ward with two nurses and two residents who have visits, and the steps that people take in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import SimpleNamespace

from telehealth import clock
from telehealth.model import appointments as times
from telehealth.model import mails, visits
from telehealth.store import appointments, consultations, contacts, db, links, participants, visit_desk, visit_view
from telehealth.store.db import Actor, Connection, Database
from tests.support import world

T0 = world.T0
WEB = db.service("web")
#: Real time of these tests: another day than the clinical one.
REAL = clock.real_now().replace(microsecond=0)
SENDER = mails.Sender(public_url="https://ward.example", mail_from="ward@ward.example")
BORN = date(1950, 5, 17)


@dataclass(frozen=True)
class Scene:
    ward: world.Ward
    nurse: int
    colleague: int
    #: Of another ward.
    stranger: int
    anna: world.Resident
    bert: world.Resident

    @property
    def actor(self) -> Actor:
        return db.staff(self.nurse)


async def build(database: Database) -> Scene:
    ward, other = await world.ward(database), await world.ward(database)
    return Scene(
        ward,
        await world.staff(database, ward),
        await world.staff(database, ward),
        await world.staff(database, other),
        await world.resident(database, ward),
        await world.resident(database, ward),
    )


async def start(database: Database, scene: Scene, *residents: world.Resident, kind: visits.Kind = "one_to_one") -> int:
    async with database.transaction(scene.actor) as connection:
        return await consultations.start(
            connection, kind=kind, ward_id=scene.ward.id, resident_ids=[r.id for r in residents or (scene.anna,)],
            actor=scene.actor, now=T0,
        )  # fmt: skip


async def book(
    database: Database, scene: Scene, *residents: world.Resident, kind: visits.Kind = "one_to_one",
    starts_at: datetime = T0 + timedelta(days=2), now: datetime = T0,
) -> appointments.Booked:  # fmt: skip
    new = times.New(scene.ward.id, kind, [r.id for r in residents or (scene.anna,)], starts_at)
    async with database.transaction(scene.actor) as connection:
        return await appointments.book(connection, new, sender=SENDER, actor=scene.actor, now=now, real_now=REAL)


async def contact(
    database: Database, scene: Scene, of: world.Resident, email: str, relation: str = "self", **more: bool
) -> int:
    async with database.transaction(scene.actor) as connection:
        return await contacts.add(
            connection, of.id, relation=relation, name="Anna", email=email, actor=scene.actor, now=T0, **more
        )


async def guest(
    database: Database, scene: Scene, visit: int, of: world.Resident, role: visits.Role = "resident", *,
    arrives: bool = True, now: datetime = T0,
) -> int:  # fmt: skip
    """Somebody with a link who has come as far as the waiting area; their participant id."""
    async with database.transaction(scene.actor) as connection:
        link, _ = await links.make(
            connection, visit, role=role, resident_id=of.id, name="Anna", actor=scene.actor, now=now, real_now=REAL,
            expires_at=REAL + timedelta(hours=4),
        )  # fmt: skip
    async with database.transaction(WEB) as connection:
        assert await links.bind(connection, link, f"browser {link}".encode(), now=REAL, clinical=now) == "bound"
        if role == "resident":
            assert await links.try_birth(connection, link, BORN, now=now) == (True, 5)
        person = await participants.of_link(connection, link, now=now)
        if arrives:
            await consultations.arrive(connection, visit, person, ready={"camera": "ok"}, reason="", now=now)
    return person


async def nurse(database: Database, visit: int, staff_id: int, *, now: datetime = T0) -> int:
    """A member of staff opens the visit and joins."""
    async with database.transaction(db.staff(staff_id)) as connection:
        person = await participants.of_staff(connection, visit, staff_id, now=now)
    async with database.transaction(WEB) as connection:
        await consultations.joined(connection, visit, person, now=now)
    return person


async def admit(database: Database, scene: Scene, visit: int, person: int, *, now: datetime = T0) -> None:
    """The nurse lets somebody in, whose media then flow."""
    async with database.transaction(scene.actor) as connection:
        await consultations.admit(connection, visit, person, actor=scene.actor, now=now)
    async with database.transaction(WEB) as connection:
        await consultations.joined(connection, visit, person, now=now)


async def look(database: Database, visit: int) -> visit_view.Loaded:
    async with database.transaction(WEB, read_only=True) as connection:
        return await consultations.load(connection, visit)


async def written(connection: Connection, encounter_id: int) -> SimpleNamespace:
    """An encounter as pages show it, with its notes and follow_ups."""
    row = await visit_desk.encounter(connection, encounter_id)
    notes = await visit_desk.notes(connection, [encounter_id])
    follow_ups = await visit_desk.follow_ups(connection, [encounter_id])
    return SimpleNamespace(
        **dict(row),
        notes=[SimpleNamespace(**dict(one)) for one in notes],
        follow_ups=[SimpleNamespace(**dict(one)) for one in follow_ups],
    )


async def live(database: Database, scene: Scene) -> tuple[int, int, int]:
    """A visit of the nurse with Anna that is live: its id, the nurse's participant and Anna's."""
    visit = await start(database, scene)
    anna = await guest(database, scene, visit, scene.anna)
    staff = await nurse(database, visit, scene.nurse)
    await admit(database, scene, visit, anna)
    return visit, staff, anna
