"""What nobody may close but a person, what a ward sees of it, and what a visit that was moved leaves behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from telehealth.clock import ClinicalClock, Step
from telehealth.consult import upkeep
from telehealth.model import visits
from telehealth.store import appointments, consultations, notes, visit_desk
from telehealth.store.db import Database
from tests.integration.visits import scene as scenes
from tests.integration.visits.scene import REAL, SENDER, T0, WEB

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)


async def keep(database: Database, at: datetime) -> dict[str, int]:
    return await upkeep.Upkeep(database, ClinicalClock(Step(at, at)), SENDER).once()


async def unfinished(database: Database, scene: scenes.Scene, before: datetime) -> list[int]:
    async with database.transaction(scene.actor, read_only=True) as connection:
        return [one.consultation_id for one in await visit_desk.unfinished(connection, scene.ward.id, before=before)]


async def day(database: Database, scene: scenes.Scene, since: datetime) -> list[int]:
    async with database.transaction(scene.actor, read_only=True) as connection:
        found = await visit_desk.diary(connection, scene.ward.id, since, since + timedelta(days=1))
    return [one.consultation_id for one in found]


async def note(database: Database, scene: scenes.Scene, visit: int, text: str) -> None:
    async with database.transaction(scene.actor) as connection:
        await notes.save(connection, visit, scene.anna.id, scene.nurse, text, 0, now=T0)


async def test_what_a_nurse_noted_of_somebody_who_did_not_come_is_not_lost(database: Database) -> None:
    """A visit with notes is neither closed by itself nor cancelled: it is listed until somebody ends it."""
    scene = await scenes.build(database)
    start = T0 + timedelta(minutes=10)
    noted, blank = [(await scenes.book(database, scene, starts_at=start)) for _ in range(2)]
    at_once = await scenes.start(database, scene, scene.bert)
    await note(database, scene, noted.consultation_id, "Phoned: no answer.")
    await note(database, scene, blank.consultation_id, "  \n")
    async with database.transaction(scene.actor) as connection:
        await notes.save(connection, at_once, scene.bert.id, scene.nurse, "Phoned.", 0, now=T0)
    done = await keep(database, T0 + timedelta(hours=25))
    assert (done["did_not_attend"], done["unused"]) == (1, 0)
    assert (await scenes.look(database, noted.consultation_id)).row.state == "scheduled"
    assert await unfinished(database, scene, MIDNIGHT) == [at_once, noted.consultation_id]
    async with database.transaction(scene.actor) as connection:
        with pytest.raises(visits.NotPossible, match="notes"):
            await appointments.cancel(
                connection, noted.appointment_id, reason="x", sender=SENDER, actor=scene.actor, now=T0, real_now=REAL
            )
    async with database.transaction(scene.actor) as connection:
        with pytest.raises(visits.NotPossible, match="notes"):
            await consultations.cancel(connection, at_once, actor=scene.actor, now=T0)


async def test_a_visit_over_midnight_is_on_both_days(database: Database) -> None:
    """Before it begins, while it lasts, and when nobody has ended it."""
    scene = await scenes.build(database)
    booked = await scenes.book(database, scene, starts_at=MIDNIGHT - timedelta(minutes=10))
    visit = booked.consultation_id
    today = MIDNIGHT - timedelta(days=1)
    assert await day(database, scene, today) == await day(database, scene, MIDNIGHT) == [visit]
    assert await day(database, scene, MIDNIGHT + timedelta(days=1)) == []
    before, after = MIDNIGHT - timedelta(minutes=5), MIDNIGHT + timedelta(minutes=5)
    at_once = await scenes.start(database, scene, scene.bert)
    anna = await scenes.guest(database, scene, visit, scene.anna, now=before)
    staff = await scenes.nurse(database, visit, scene.nurse, now=before)
    await scenes.admit(database, scene, visit, anna, now=before)
    assert await unfinished(database, scene, MIDNIGHT) == [], "what is still planned for today is in its diary"
    bert = await scenes.guest(database, scene, at_once, scene.bert, now=before)
    await scenes.nurse(database, at_once, scene.colleague, now=before)
    await scenes.admit(database, scene, at_once, bert, now=before)
    assert await unfinished(database, scene, MIDNIGHT) == [at_once], "live, and of yesterday"
    async with database.transaction(WEB) as connection:
        for person in (anna, staff):
            await consultations.left(connection, visit, person, now=after)
    assert await day(database, scene, MIDNIGHT) == [visit]
    assert await unfinished(database, scene, MIDNIGHT + timedelta(days=1)) == [at_once, visit]


async def test_nobody_waits_for_a_visit_that_was_moved(database: Database) -> None:
    """Else they would wait for days on the ward's screen, and nobody could have missed the new time."""
    scene = await scenes.build(database)
    booked = await scenes.book(database, scene, starts_at=T0 + timedelta(minutes=10))
    visit = booked.consultation_id
    anna = await scenes.guest(database, scene, visit, scene.anna)
    carer = await scenes.guest(database, scene, visit, scene.anna, "carer")
    async with database.transaction(scene.actor) as connection:
        await consultations.admit(connection, visit, carer, actor=scene.actor, now=T0)
        await appointments.move(
            connection, booked.appointment_id, starts_at=T0 + timedelta(days=1), sender=SENDER, actor=scene.actor,
            now=T0, real_now=REAL,
        )  # fmt: skip
    loaded = await scenes.look(database, visit)
    assert (loaded.row.state, {p.state for p in loaded.people}) == ("scheduled", {"checking"})
    async with database.transaction(scene.actor, read_only=True) as connection:
        assert await visit_desk.waiting(connection, scene.ward.id, now=T0) == []
    assert (await keep(database, T0 + timedelta(days=1, hours=2)))["did_not_attend"] == 1
    async with database.transaction(WEB) as connection:
        with pytest.raises(visits.NotPossible):
            await consultations.joined(connection, visit, anna, now=T0)
