"""What a visit leaves in the record: encounters, notes, readings, chat, and what is to follow."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from telehealth.errors import Invalid, NotFound
from telehealth.model import visits
from telehealth.store import (
    consultations,
    db,
    encounters,
    messages,
    notes,
    participants,
    repair,
    residents_view,
    visit_desk,
    visit_policy,
)
from telehealth.store.db import Database
from telehealth.store.encounters import Ending, SubjectEnding
from tests.integration.visits import scene as scenes
from tests.integration.visits.scene import T0, WEB
from tests.support import world

OPERATOR = db.operator("tests")


async def gather(database: Database, visit: int) -> int:
    async with database.transaction(WEB) as connection:
        return await consultations.gather_readings(connection, visit, now=T0)


async def test_readings_of_a_visit(database: Database) -> None:
    """Those of the current subject that come in while it is live are offered once, and marked as supervised."""
    scene = await scenes.build(database)
    visit, _, _ = await scenes.live(database, scene)
    just_before, within = T0 - timedelta(minutes=1), T0 + timedelta(minutes=2)
    await world.readings(
        database, scene.anna, world.spo2(93.0, just_before), world.spo2(94.0, within),
        world.spo2(91.0, T0 - timedelta(minutes=10)), received_at=within,
    )  # fmt: skip
    await world.readings(
        database,
        scene.anna,
        world.spo2(90.0, just_before - timedelta(seconds=1)),
        received_at=T0 - timedelta(seconds=30),
    )
    await world.readings(database, scene.bert, world.spo2(89.0, within), received_at=within)
    assert await gather(database, visit) == 2
    assert await gather(database, visit) == 0
    loaded = await scenes.look(database, visit)
    assert [(r.value, r.unit, r.state, r.title) for r in loaded.readings] == [
        (93.0, "%", "offered", "Oxygen saturation"), (94.0, "%", "offered", "Oxygen saturation")
    ]  # fmt: skip
    async with database.transaction(WEB, read_only=True) as connection:
        marked = await connection.fetch("SELECT value FROM reading WHERE 'supervised' = ANY (marks) ORDER BY value")
    assert [row["value"] for row in marked] == [93.0, 94.0]
    first, second = (r.key for r in loaded.readings)
    async with database.transaction(scene.actor) as connection:
        await consultations.decide_reading(connection, visit, first, "left_out", actor=scene.actor, now=within)
        await consultations.decide_reading(connection, visit, second, "accepted", actor=scene.actor, now=within)
        with pytest.raises(NotFound):
            await consultations.decide_reading(connection, visit, "1.ab.2", "accepted", actor=scene.actor, now=within)
        with pytest.raises(Invalid):
            await consultations.decide_reading(connection, visit, first, "perhaps", actor=scene.actor, now=within)
    ended = await end(database, scene, visit)
    assert [(r["value"], r["unit"], r["state"]) for r in ended[0].readings] == [
        (93.0, "%", "left_out"), (94.0, "%", "accepted")
    ]  # fmt: skip


async def end(
    database: Database, scene: scenes.Scene, visit: int, **by_subject: SubjectEnding
) -> list[SimpleNamespace]:
    now = T0 + timedelta(minutes=20)
    names = {"anna": scene.anna.id, "bert": scene.bert.id}
    ending = Ending("advice", {names[name]: one for name, one in by_subject.items()})
    async with database.transaction(scene.actor) as connection:
        ids = await consultations.end(connection, visit, ending, actor=scene.actor, now=now)
        return [await scenes.written(connection, one) for one in ids]


async def test_the_mark_stays(database: Database) -> None:
    """Whatever staff put right afterwards: moved to another resident, it leaves the visit and stays supervised."""
    scene = await scenes.build(database)
    visit, _, _ = await scenes.live(database, scene)
    within = T0 + timedelta(minutes=2)
    await world.readings(
        database, scene.anna, world.spo2(93.0, within), world.spo2(94.0, within + timedelta(minutes=1)),
        received_at=within,
    )  # fmt: skip
    assert await gather(database, visit) == 2
    async with database.transaction(WEB, read_only=True) as connection:
        rows = await connection.fetch("SELECT taken_at, identity, value_key FROM reading ORDER BY value")
    moved, struck = (residents_view.ReadingKey(*row) for row in rows)
    async with database.transaction(OPERATOR) as connection:
        await repair.move(connection, moved, to=scene.bert.id, reason="mixed up", actor=OPERATOR, now=within)
        await repair.set_aside(connection, struck, reason="motion", actor=OPERATOR, now=within)
    async with database.transaction(WEB, read_only=True) as connection:
        assert await connection.fetchval("SELECT count(*) FROM reading WHERE 'supervised' = ANY (marks)") == 2
    assert not (await scenes.look(database, visit)).readings


async def test_the_end_of_a_visit(database: Database) -> None:
    """One encounter with people, notes, summary and task; nothing can happen to it afterwards."""
    scene = await scenes.build(database)
    visit, _, anna = await scenes.live(database, scene)
    async with database.transaction(scene.actor) as connection:
        await notes.save(connection, visit, scene.anna.id, scene.nurse, "  Well in herself.\n", 0, now=T0)
    async with database.transaction(WEB) as connection:
        await participants.set_quality(connection, anna, {"loss": 0.01, "mos": 4.1})
    ending = SubjectEnding("R42", "Please drink enough.", "Call on Friday", date(2026, 3, 6))
    (found,) = await end(database, scene, visit, anna=ending)
    assert (found.resident_id, found.kind, found.outcome, found.coding) == (
        scene.anna.id,
        "one_to_one",
        "advice",
        "R42",
    )
    assert (found.started_at, found.ended_at) == (T0, T0 + timedelta(minutes=20))
    assert [(p["role"], p["identity"], p["quality"]) for p in found.participants] == [
        ("resident", "birth_date", {"loss": 0.01, "mos": 4.1}), ("staff", "signed_in", None)
    ]  # fmt: skip
    assert {p["left_at"] for p in found.participants} == {"2026-03-02T09:20:00Z"}
    assert [n.text for n in found.notes] == ["Well in herself."]
    assert [(f.what, f.due_on) for f in found.follow_ups] == [("Call on Friday", date(2026, 3, 6))]
    loaded = await scenes.look(database, visit)
    assert (loaded.row.state, loaded.row.outcome, loaded.row.ended_by) == ("ended", "advice", scene.actor)
    async with database.transaction(scene.actor) as connection:
        with pytest.raises(visits.NotPossible, match="over"):
            await consultations.end(connection, visit, Ending("other"), actor=scene.actor, now=T0)
        with pytest.raises(visits.NotPossible, match="over"):
            await notes.save(connection, visit, scene.anna.id, scene.nurse, "more", 1, now=T0)
        left = await visit_desk.follow_ups_of_ward(connection, scene.ward.id)
        assert [one["what"] for one in left] == ["Call on Friday"]
        await encounters.finish_follow_up(connection, found.follow_ups[0].id, actor=scene.actor, now=T0)
        assert not await visit_desk.follow_ups_of_ward(connection, scene.ward.id)
    with pytest.raises(visits.NotPossible):
        await scenes.nurse(database, visit, scene.colleague)


async def test_a_summary_is_mailed_only_if_somebody_wishes_it(database: Database) -> None:
    """To the resident's own address, and to nobody else's."""
    scene = await scenes.build(database)
    await scenes.contact(database, scene, scene.anna, "anna@home.example")
    await scenes.contact(database, scene, scene.anna, "son@home.example", "family")
    for wished in (False, True):
        visit = await scenes.start(database, scene)
        await end(database, scene, visit, anna=SubjectEnding(summary="Drink enough.", mail_summary=wished))
        async with database.transaction(OPERATOR, read_only=True) as connection:
            rows = await connection.fetch("SELECT to_address, body FROM mail WHERE about = 'summary'")
        assert [row["to_address"] for row in rows] == ["anna@home.example"] * wished
    assert "Drink enough." in rows[0]["body"]


async def test_each_subject_has_only_what_is_theirs(database: Database) -> None:
    """A round: people, notes and readings of one resident are not in the encounter of another."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene, scene.anna, scene.bert, kind="ward_round")
    anna = await scenes.guest(database, scene, visit, scene.anna)
    bert = await scenes.guest(database, scene, visit, scene.bert)
    await scenes.nurse(database, visit, scene.nurse)
    await scenes.admit(database, scene, visit, anna)
    turn = T0 + timedelta(minutes=5)
    await world.readings(
        database, scene.anna, world.spo2(93.0, T0 + timedelta(minutes=1)), received_at=T0 + timedelta(minutes=1)
    )
    await gather(database, visit)
    async with database.transaction(scene.actor) as connection:
        await notes.save(connection, visit, scene.anna.id, scene.nurse, "of Anna", 0, now=T0)
        await consultations.switch_subject(connection, visit, scene.bert.id, actor=scene.actor, now=turn)
        await notes.save(connection, visit, scene.bert.id, scene.nurse, "of Bert", 0, now=turn)
    await scenes.admit(database, scene, visit, bert, now=turn)
    late = turn + timedelta(minutes=1)
    await world.readings(database, scene.anna, world.spo2(92.0, late), received_at=late)
    await world.readings(database, scene.bert, world.spo2(97.0, late), received_at=late)
    await gather(database, visit)
    loaded = await scenes.look(database, visit)
    assert [(r.resident_id, r.value) for r in loaded.readings] == [(scene.anna.id, 93.0), (scene.bert.id, 97.0)]
    async with database.transaction(scene.actor) as connection:
        for reading in loaded.readings:
            await consultations.decide_reading(connection, visit, reading.key, "accepted", actor=scene.actor, now=late)
    of_anna, of_bert = await end(database, scene, visit, anna=SubjectEnding("A"), bert=SubjectEnding("B"))
    assert (of_anna.coding, of_bert.coding) == ("A", "B")
    assert [[n.text for n in e.notes] for e in (of_anna, of_bert)] == [["of Anna"], ["of Bert"]]
    assert [[r["value"] for r in e.readings] for e in (of_anna, of_bert)] == [[93.0], [97.0]]
    assert [[p["role"] for p in e.participants] for e in (of_anna, of_bert)] == [["resident", "staff"]] * 2
    assert (of_anna.ended_at, of_bert.started_at) == (turn, turn)


async def test_staff_were_there_for_the_turn_only(database: Database) -> None:
    """In the record of Bert stands neither when the round began nor who left before his turn."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene, scene.anna, scene.bert, kind="ward_round")
    await scenes.nurse(database, visit, scene.nurse)
    colleague = await scenes.nurse(database, visit, scene.colleague)
    anna = await scenes.guest(database, scene, visit, scene.anna)
    await scenes.admit(database, scene, visit, anna)
    turn = T0 + timedelta(minutes=8)
    async with database.transaction(WEB) as connection:
        await consultations.left(connection, visit, colleague, now=turn - timedelta(minutes=1))
    async with database.transaction(scene.actor) as connection:
        await consultations.switch_subject(connection, visit, scene.bert.id, actor=scene.actor, now=turn)
    first, second = await end(database, scene, visit, anna=SubjectEnding(), bert=SubjectEnding())
    assert [(p["role"], p["joined_at"], p["left_at"]) for p in first.participants] == [
        ("staff", "2026-03-02T09:00:00Z", "2026-03-02T09:08:00Z"),
        ("staff", "2026-03-02T09:00:00Z", "2026-03-02T09:07:00Z"),
        ("resident", "2026-03-02T09:00:00Z", "2026-03-02T09:08:00Z"),
    ]
    assert [(p["role"], p["joined_at"], p["left_at"]) for p in second.participants] == [
        ("staff", "2026-03-02T09:08:00Z", "2026-03-02T09:20:00Z")
    ]


async def test_who_was_there_between_two_turns_only_is_not_in_the_record(database: Database) -> None:
    """Anna, Bert, Anna again: the colleague of Bert's turn is in his encounter alone."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene, scene.anna, scene.bert, kind="ward_round")
    await scenes.nurse(database, visit, scene.nurse)
    anna = await scenes.guest(database, scene, visit, scene.anna)
    await scenes.admit(database, scene, visit, anna)
    minutes = [T0 + timedelta(minutes=one) for one in range(20)]

    async def switch(to: world.Resident, at: int) -> None:
        async with database.transaction(scene.actor) as connection:
            await consultations.switch_subject(connection, visit, to.id, actor=scene.actor, now=minutes[at])

    await switch(scene.bert, 4)
    colleague = await scenes.nurse(database, visit, scene.colleague, now=minutes[5])
    async with database.transaction(WEB) as connection:
        await consultations.left(connection, visit, colleague, now=minutes[7])
    await switch(scene.anna, 8)
    first, second = await end(database, scene, visit, anna=SubjectEnding(), bert=SubjectEnding())
    times = {
        e.resident_id: [(p["joined_at"][11:16], p["left_at"][11:16]) for p in e.participants if p["role"] == "staff"]
        for e in (first, second)
    }
    assert times == {scene.anna.id: [("09:00", "09:20")], scene.bert.id: [("09:04", "09:08"), ("09:05", "09:07")]}


async def test_whose_turn_never_came_has_no_encounter(database: Database) -> None:
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene, scene.anna, scene.bert, kind="ward_round")
    anna = await scenes.guest(database, scene, visit, scene.anna)
    await scenes.nurse(database, visit, scene.nurse)
    await scenes.admit(database, scene, visit, anna)
    assert [e.resident_id for e in await end(database, scene, visit)] == [scene.anna.id]


@pytest.mark.parametrize("kept", [True, False])
async def test_chat_is_kept_where_the_ward_keeps_it(database: Database, kept: bool) -> None:
    scene = await scenes.build(database)
    async with database.transaction(OPERATOR) as connection:
        await visit_policy.set_for(connection, scene.ward.id, visits.Policy(keep_chat=kept), actor=OPERATOR, now=T0)
    visit, staff, anna = await scenes.live(database, scene)
    key = uuid.uuid4()
    async with database.transaction(WEB) as connection:
        assert await messages.say(connection, visit, anna, "Can you hear me?", key=key, now=T0) is not None
        assert await messages.say(connection, visit, anna, "Can you hear me?", key=key, now=T0) is None
        await messages.say(connection, visit, staff, "Yes.", key=uuid.uuid4(), now=T0)
    assert [m.text for m in (await scenes.look(database, visit)).messages] == ["Can you hear me?", "Yes."]
    (found,) = await end(database, scene, visit)
    assert [m["text"] for m in found.messages] == (["Can you hear me?", "Yes."] if kept else [])
    left = [m.text for m in (await scenes.look(database, visit)).messages]
    assert left == (["Can you hear me?", "Yes."] if kept else [])


async def test_who_waits_answers_and_says_nothing_to_the_room(database: Database) -> None:
    """Staff write to somebody who waits, who may answer; what was said with Bert is not in the encounter of Anna."""
    scene = await scenes.build(database)
    async with database.transaction(OPERATOR) as connection:
        await visit_policy.set_for(connection, scene.ward.id, visits.Policy(keep_chat=True), actor=OPERATOR, now=T0)
    visit = await scenes.start(database, scene, scene.anna, scene.bert, kind="ward_round")
    anna = await scenes.guest(database, scene, visit, scene.anna)
    bert = await scenes.guest(database, scene, visit, scene.bert)
    staff = await scenes.nurse(database, visit, scene.nurse)
    await scenes.admit(database, scene, visit, anna)
    async with database.transaction(WEB) as connection:
        with pytest.raises(visits.NotPossible, match="not in the visit"):
            await messages.say(connection, visit, bert, "Hello?", key=uuid.uuid4(), now=T0)
        await messages.say(connection, visit, staff, "Five minutes more.", key=uuid.uuid4(), to=bert, now=T0)
        await messages.say(connection, visit, bert, "Thank you", key=uuid.uuid4(), now=T0)
        with pytest.raises(Invalid):
            await messages.say(connection, visit, staff, " ", key=uuid.uuid4(), now=T0)
    assert [(m.to_participant_id, m.text) for m in (await scenes.look(database, visit)).messages] == [
        (bert, "Five minutes more."),
        (bert, "Thank you"),
    ]
    (found,) = await end(database, scene, visit)
    assert (found.resident_id, found.messages) == (scene.anna.id, [])


async def test_notes_are_never_overwritten(database: Database) -> None:
    """An older window of the same author is told of the newer text; an answer that was lost is no conflict."""
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene)
    async with database.transaction(scene.actor) as connection:
        assert await notes.save(connection, visit, scene.anna.id, scene.nurse, "one", 0, now=T0) == notes.Saved(1, T0)
        assert await notes.save(connection, visit, scene.anna.id, scene.nurse, "one", 0, now=T0) == notes.Saved(1, T0)
        assert await notes.save(connection, visit, scene.anna.id, scene.nurse, "two", 1, now=T0) == notes.Saved(2, T0)
        newer = await notes.save(connection, visit, scene.anna.id, scene.nurse, "other", 1, now=T0)
        assert newer == notes.Newer(2, "two", T0)
        with pytest.raises(NotFound):
            await notes.save(connection, visit, scene.bert.id, scene.nurse, "wrong resident", 0, now=T0)
    async with database.transaction(db.staff(scene.colleague)) as connection:
        await notes.save(connection, visit, scene.anna.id, scene.colleague, "mine", 0, now=T0)
        own = await visit_desk.own_notes(connection, visit, scene.colleague)
        others = await visit_desk.others_notes(connection, visit, scene.anna.id, scene.colleague)
    assert ([one["text"] for one in own], [one["text"] for one in others]) == (["mine"], ["two"])
