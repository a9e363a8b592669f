"""Captions: what is said, written down by staff, an interpreter or a captioner, for everybody in the room."""

from __future__ import annotations

from uuid import uuid4

import pytest

from telehealth.model import visits
from telehealth.store import consultations, db, messages, visit_desk, visit_policy
from telehealth.store.encounters import Ending
from tests.integration.calls.conftest import NOW, WEB, Call, Clinic, Json

OPERATOR = db.operator("tests")


async def captioner(clinic: Clinic, visit: int) -> Call:
    call = await clinic.waits(visit, role="captioner")
    await clinic.admit(visit, call)
    await call.joins()
    return call


def lines(state: Json) -> list[str]:
    return [line["text"] for line in state["visit"]["captions"]]


async def kept(clinic: Clinic, visit: int) -> list[str]:
    async with clinic.database.transaction(WEB, read_only=True) as connection:
        rows = await connection.fetch(
            "SELECT text FROM consultation_message WHERE consultation_id = $1 AND caption ORDER BY id", visit
        )
    return [row["text"] for row in rows]


async def test_everybody_inside_reads_them(clinic: Clinic) -> None:
    visit = await clinic.visit(kind="carer")
    nurse, guest = await clinic.live(visit)
    writer = await captioner(clinic, visit)
    assert "caption" in writer.state["you"]["may"]
    key = str(uuid4())
    for _ in range(2):
        await writer.say("caption", key=key, text="Good  morning,\nAnna.")
    for one in (nurse, guest, writer):
        state = await one.shows(lines)
        assert lines(state) == ["Good morning, Anna."]
        assert state["visit"]["names"][str(writer.me)] == "Anna"
        assert state["visit"]["messages"] == []
    await nurse.say("caption", key=str(uuid4()), text="How are you?")
    await guest.shows(lambda s: len(lines(s)) == 2)
    # the resident is not asked to write them, and who waits reads none
    await guest.say("caption", key=str(uuid4()), text="Fine.")
    assert "Captions are written by" in (await guest.heard("refused", about="caption"))["why"]
    waiting = await clinic.waits(visit, role="family")
    assert lines(waiting.state) == []


async def test_the_newest_are_on_screen_and_no_more_than_some_are_there(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    async with clinic.database.transaction(WEB) as connection:
        for number in range(messages.UNKEPT_CAPTIONS + 5):
            await messages.caption(connection, visit, nurse.me, f"line {number}", key=uuid4(), now=NOW)
    await guest.shows(lambda s: lines(s) == ["line 22", "line 23", "line 24"])
    assert len(await kept(clinic, visit)) == messages.UNKEPT_CAPTIONS
    async with clinic.database.transaction(clinic.actor) as connection:
        (encounter,) = await consultations.end(connection, visit, Ending("completed", {}), actor=clinic.actor, now=NOW)
        assert (await visit_desk.encounter(connection, encounter))["messages"] == []
    assert await kept(clinic, visit) == []


async def test_they_are_kept_where_the_chat_is_and_belong_to_a_turn(clinic: Clinic) -> None:
    async with clinic.database.transaction(OPERATOR) as connection:
        policy = visits.Policy(keep_chat=True)
        await visit_policy.set_for(connection, clinic.ward.id, policy, actor=OPERATOR, now=NOW)
    visit = await clinic.visit(clinic.anna, clinic.bert, kind="ward_round")
    nurse, _ = await clinic.live(visit)
    await nurse.say("caption", key=str(uuid4()), text="of Anna")
    await nurse.shows(lines)
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.switch_subject(connection, visit, clinic.bert.id, actor=clinic.actor, now=NOW)
    await nurse.shows(lambda s: not lines(s))
    await nurse.say("caption", key=str(uuid4()), text="of Bert")
    await nurse.shows(lambda s: lines(s) == ["of Bert"])
    async with clinic.database.transaction(clinic.actor) as connection:
        ids = await consultations.end(connection, visit, Ending("completed", {}), actor=clinic.actor, now=NOW)
        found = [await visit_desk.encounter(connection, one) for one in ids]
    assert [[(m["text"], m["caption"]) for m in one["messages"]] for one in found] == [
        [("of Anna", True)],
        [("of Bert", True)],
    ]


@pytest.mark.parametrize("text", ["", "x" * 301])
async def test_what_is_no_line_is_refused(clinic: Clinic, text: str) -> None:
    visit = await clinic.visit()
    nurse, _ = await clinic.live(visit)
    await nurse.say("caption", key=str(uuid4()), text=text)
    await nurse.heard("refused", about="caption")
    assert await kept(clinic, visit) == []
