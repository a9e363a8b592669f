"""When a visit is recorded and when not, what is known of the files, and that they are deleted in time."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from telehealth.errors import NotFound
from telehealth.model import media, recording_keys, recordings, visits
from telehealth.model.recording_keys import Master
from telehealth.model.recordings import Heard
from telehealth.store import consultations, db, recorded_visits, visit_policy
from telehealth.store import recordings as store
from telehealth.store.db import Database
from telehealth.store.recordings import Place
from telehealth.upkeep import recordings as upkeep
from tests.integration.visits import scene
from tests.integration.visits.scene import T0, WEB, Scene
from tests.support import world


@pytest.fixture
def where(tmp_path: Path) -> Place:
    key = secrets.token_bytes(32)
    return Place(str(tmp_path), recording_keys.masters(_text(key)))


def _text(key: bytes) -> str:
    import base64

    return base64.b64encode(key).decode()


@pytest.fixture
async def at(database: Database) -> Scene:
    found = await scene.build(database)
    await policy(database, found)
    return found


async def policy(database: Database, at: Scene, *, recording: bool = True, days: int = 30) -> None:
    async with database.transaction(world.ACTOR) as connection:
        decided = visits.Policy(recording=recording, keep_recording_days=days)
        await visit_policy.set_for(connection, at.ward.id, decided, actor=world.ACTOR, now=T0)


async def consent(database: Database, visit: int, *people: int, given: bool = True) -> None:
    async with database.transaction(WEB) as connection:
        for person in people:
            await consultations.consent(connection, visit, person, given=given, now=T0)


async def settle(database: Database, visit: int, where: Place | None) -> dict[int, media.RecordingTo]:
    async with database.transaction(WEB) as connection:
        return await recorded_visits.settle(connection, visit, where=where, now=T0)


async def ask(database: Database, visit: int, where: Place | None) -> None:
    async with database.transaction(WEB) as connection:
        await recorded_visits.ask(connection, visit, where=where, actor=None, now=T0)


async def events(database: Database, visit: int) -> list[str]:
    async with database.transaction(WEB) as connection:
        rows = await connection.fetch(
            "SELECT event FROM consultation_event WHERE consultation_id = $1 AND event LIKE 'recording%' ORDER BY id",
            visit,
        )
    return [row["event"] for row in rows]


async def rows(database: Database, visit: int) -> list[dict[str, Any]]:
    async with database.transaction(WEB) as connection:
        found = await connection.fetch("SELECT * FROM recording WHERE consultation_id = $1 ORDER BY started_at", visit)
    return [dict(row) for row in found]


async def recorded(database: Database, at: Scene, where: Place) -> tuple[int, int, int, dict[int, media.RecordingTo]]:
    """A live visit that is being recorded."""
    visit, nurse, anna = await scene.live(database, at)
    await ask(database, visit, where)
    await consent(database, visit, nurse, anna)
    return visit, nurse, anna, await settle(database, visit, where)


async def test_it_begins_once_everybody_has_consented(database: Database, at: Scene, where: Place) -> None:
    visit, nurse, anna = await scene.live(database, at)
    assert await settle(database, visit, where) == {}
    await ask(database, visit, where)
    assert await settle(database, visit, where) == {}
    await consent(database, visit, nurse)
    assert await settle(database, visit, where) == {}
    await consent(database, visit, anna)
    found = await settle(database, visit, where)
    assert set(found) == {nurse, anna}
    assert len({to.key for to in found.values()}) == 2
    for person, to in found.items():
        assert (to.participant, len(to.key)) == (person, 32)
        assert to.path == where.path(to.recording)
    # Asked again, by whichever process: the same.
    assert await settle(database, visit, where) == found
    kept = await rows(database, visit)
    assert all({one["participant_id"] for one in row["consents"]} == {nurse, anna} for row in kept)
    assert all(to.key not in row["wrapped_key"] for row in kept for to in found.values())
    assert all(row["delete_after"] == T0 + timedelta(days=30) for row in kept)
    assert await events(database, visit) == ["recording_asked", "recording_started", "recording_started"]


async def test_it_stops_when_anybody_withdraws_and_does_not_begin_by_itself(
    database: Database, at: Scene, where: Place
) -> None:
    visit, nurse, anna, _ = await recorded(database, at, where)
    with pytest.raises(visits.NotPossible, match="being recorded already"):
        await ask(database, visit, where)
    await consent(database, visit, anna, given=False)
    assert await settle(database, visit, where) == {}
    assert all(row["ended_at"] == T0 for row in await rows(database, visit))
    # nobody's consent outlives what it was given to
    assert {person.consent_at for person in (await scene.look(database, visit)).people} == {None}
    await consent(database, visit, anna)
    assert await settle(database, visit, where) == {}
    assert (await events(database, visit))[-1] == "recording_stopped"
    await ask(database, visit, where)
    # everybody is asked afresh: what they agreed to was the recording before
    assert await settle(database, visit, where) == {}
    await consent(database, visit, nurse, anna)
    again = await settle(database, visit, where)
    assert len(again) == 2
    assert len(await rows(database, visit)) == 4


async def test_it_stops_when_somebody_is_let_in_who_has_not_consented(
    database: Database, at: Scene, where: Place
) -> None:
    visit, _, _, found = await recorded(database, at, where)
    daughter = await scene.guest(database, at, visit, at.anna, "family")
    assert await settle(database, visit, where) == found  # she waits outside
    async with database.transaction(at.actor) as connection:
        await consultations.admit(connection, visit, daughter, actor=at.actor, now=T0)
    assert await settle(database, visit, where) == {}
    await scene.nurse(database, visit, at.nurse)
    assert await settle(database, visit, where) == {}


async def test_what_staff_said_in_a_round_belongs_to_whose_turn_it_was(
    database: Database, at: Scene, where: Place
) -> None:
    """So looking at it is noted with that resident, and not with whoever came last."""
    visit = await scene.start(database, at, at.anna, at.bert, kind="ward_round")
    anna = await scene.guest(database, at, visit, at.anna)
    nurse = await scene.nurse(database, visit, at.nurse)
    await scene.admit(database, at, visit, anna)
    await ask(database, visit, where)
    await consent(database, visit, nurse, anna)
    begun = await settle(database, visit, where)
    async with database.transaction(at.actor) as connection:
        await consultations.switch_subject(connection, visit, at.bert.id, actor=at.actor, now=T0)
    for actor in (at.actor, WEB):
        async with database.transaction(actor, read_only=True) as connection:
            found = [(await store.one(connection, begun[person].recording)).resident_id for person in (nurse, anna)]
        assert found == [at.anna.id, at.anna.id]


async def test_another_worker_writes_files_of_its_own(database: Database, at: Scene, where: Place) -> None:
    visit, nurse, _, before = await recorded(database, at, where)
    async with database.transaction(WEB) as connection:
        await connection.execute("UPDATE consultation SET epoch = epoch + 1 WHERE id = $1", visit)
    after = await settle(database, visit, where)
    assert set(after) == set(before)
    assert after[nurse].recording != before[nurse].recording
    assert after[nurse].key != before[nurse].key
    assert await settle(database, visit, where) == after
    assert sum(row["ended_at"] is None for row in await rows(database, visit)) == 2


async def test_it_ends_with_the_visit(database: Database, at: Scene, where: Place) -> None:
    visit, *_ = await recorded(database, at, where)
    async with database.transaction(WEB) as connection:
        await connection.execute(
            "UPDATE consultation SET state = 'ended', ended_at = $2, ended_by = 'x', outcome = 'advice' WHERE id = $1",
            visit,
            T0 + timedelta(minutes=5),
        )
    assert await settle(database, visit, where) == {}
    assert all(row["ended_at"] is not None for row in await rows(database, visit))


async def test_a_ward_that_does_not_record_and_a_service_without_a_place_refuse(
    database: Database, at: Scene, where: Place
) -> None:
    visit, nurse, anna = await scene.live(database, at)
    await consent(database, visit, nurse, anna)
    with pytest.raises(visits.NotPossible, match="no place or no key"):
        await ask(database, visit, None)
    await policy(database, at, recording=False)
    with pytest.raises(visits.NotPossible, match="does not record"):
        await ask(database, visit, where)
    async with database.transaction(WEB) as connection:
        with pytest.raises(visits.NotPossible, match="does not record"):
            await recorded_visits.begin(connection, visit, where=where, now=T0)
        loaded = await consultations.load(connection, visit)
        assert await recorded_visits.standing(connection, loaded, where) == recorded_visits.Standing(
            False, False, False
        )
    await policy(database, at)
    await consent(database, visit, anna, given=False)
    async with database.transaction(WEB) as connection:
        with pytest.raises(visits.NotPossible, match="consented"):
            await recorded_visits.begin(connection, visit, where=where, now=T0)


async def test_what_a_worker_tells_is_kept_and_never_goes_back(database: Database, at: Scene, where: Place) -> None:
    visit, nurse, anna, found = await recorded(database, at, where)
    to = found[nurse].recording
    async with database.transaction(WEB) as connection:
        for chunks, over in ((5, False), (9, False), (7, False)):
            told = media.Recorded(to, chunks, chunks * 100, bytes([chunks]) * 32, over)
            assert not await recorded_visits.progress(connection, told, now=T0)
        kept = await store.one(connection, to)
        assert (kept.chunks, kept.bytes, kept.head) == (9, 900, b"\x09" * 32)
        assert kept.key(where) == found[nurse].key
        # A full disk: nobody had ended it.
        assert await recorded_visits.progress(connection, media.Recorded(to, 9, 900, b"\x09" * 32, True), now=T0)
        assert (await store.one(connection, to)).ended_at == T0
    assert "recording_stopped" not in await events(database, visit)
    async with database.transaction(WEB) as connection:
        last = media.Recorded(found[anna].recording, 3, 30, b"h" * 32, True)
        assert await recorded_visits.progress(connection, last, now=T0)
    assert (await events(database, visit))[-1] == "recording_stopped"


async def test_a_disk_that_takes_no_more_stops_all_of_a_visit(database: Database, at: Scene, where: Place) -> None:
    """Once, and it does not begin again by itself."""
    visit, nurse, _, found = await recorded(database, at, where)
    async with database.transaction(WEB) as connection:
        told = media.Recorded(found[nurse].recording, 4, 400, b"h" * 32, True, failed=True)
        assert await recorded_visits.progress(connection, told, now=T0)
        assert not await recorded_visits.progress(connection, told, now=T0)
    assert await settle(database, visit, where) == {}
    assert all(row["ended_at"] == T0 for row in await rows(database, visit))
    assert (await events(database, visit)).count("recording_stopped") == 1


async def test_staff_of_the_ward_see_recordings_and_change_none(database: Database, at: Scene, where: Place) -> None:
    visit, nurse, _, found = await recorded(database, at, where)
    async with database.transaction(at.actor) as connection:
        assert {one.participant_id for one in await store.of_consultation(connection, visit)} == set(found)
        assert await connection.execute("UPDATE recording SET delete_after = now()") == "UPDATE 0"
        await store.one(connection, found[nurse].recording)
    async with database.transaction(db.staff(at.stranger)) as connection:
        assert await store.of_consultation(connection, visit) == []
        with pytest.raises(NotFound):
            await store.one(connection, found[nurse].recording)
    async with database.transaction(at.actor) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM recording")


async def test_what_is_kept_long_enough_is_deleted_and_its_key_with_it(
    database: Database, at: Scene, where: Place
) -> None:
    visit, nurse, _, found = await recorded(database, at, where)
    to = found[nurse].recording
    files = [Path(one.path) for one in found.values()]
    other = Path(where.directory) / "notes.txt"
    strange = Path(where.path(UUID(int=1)))
    for path in (*files, other, strange):
        path.write_bytes(b"noise")
    async with database.transaction(WEB) as connection:
        await recorded_visits.progress(connection, media.Recorded(to, 9, 900, b"\x09" * 32, False), now=T0)
        await recorded_visits.stop(connection, visit, why="asked", actor=None, now=T0)
    due = T0 + timedelta(days=30)
    assert await upkeep.once(database, db.service("upkeep"), where, now=due - timedelta(seconds=1)) == 0
    assert all(path.exists() for path in files)
    # A process that does not reach the files deletes the keys; one that does finds the files later.
    assert await upkeep.once(database, db.service("upkeep"), None, now=due) == 2
    assert all(path.exists() for path in files)
    assert await upkeep.once(database, db.service("upkeep"), where, now=due) == 0
    assert not any(path.exists() for path in files)
    assert all(path.exists() for path in (other, strange))
    async with database.transaction(WEB) as connection:
        kept = await store.one(connection, to)
        assert (kept.deleted_at, kept.wrapped_key, kept.head) == (due, b"", b"\x09" * 32)
        with pytest.raises(recording_keys.NoKey):
            kept.key(where)
        # Nothing that comes late brings it back.
        await recorded_visits.progress(connection, media.Recorded(to, 99, 900, b"\x10" * 32, True), now=due)
        assert (await store.one(connection, to)).chunks == 9
        audited = await connection.fetchval("SELECT count(*) FROM audit WHERE action = 'recording.delete'")
    assert audited == 2


async def test_what_nobody_ended_ends_with_its_visit(database: Database, at: Scene, where: Place) -> None:
    visit, *_ = await recorded(database, at, where)
    async with database.transaction(WEB) as connection:
        await connection.execute(
            "UPDATE consultation SET state = 'ended', ended_at = $2, ended_by = 'x', outcome = 'advice' WHERE id = $1",
            visit,
            T0 + timedelta(minutes=5),
        )
    await upkeep.once(database, db.service("upkeep"), where, now=T0 + timedelta(hours=1))
    assert {row["ended_at"] for row in await rows(database, visit)} == {T0 + timedelta(minutes=5)}


def test_the_rule_is_about_who_is_in_the_room_or_let_in() -> None:
    yes, no = Heard(1, "joined", T0), Heard(2, "joined", None)
    assert recordings.stop_needed([yes]) is None
    assert recordings.stop_needed([yes, no], against={2}) == "withdrawn"
    assert recordings.stop_needed([yes, Heard(2, "admitted", None)]) == "newcomer"
    assert recordings.stop_needed([yes, no], against={3}) == "newcomer"
    outside: list[visits.Presence] = ["checking", "waiting", "left", "removed"]
    for presence in outside:
        assert recordings.stop_needed([yes, Heard(2, presence, None)]) is None
    assert recordings.stop_needed([Heard(1, "left", T0)]) == "nobody"


def test_keys_are_named_and_never_shown(where: Place) -> None:
    assert isinstance(where.masters[0], Master)
    assert where.masters[0].key.hex() not in repr(where)
