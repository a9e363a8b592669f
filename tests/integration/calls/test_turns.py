"""Whose turn it is decides who reads, hears and keeps what, also for what was on its way when the turn ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from telehealth.store import consultations, messages, visit_desk
from tests.integration.calls.conftest import NOW, Call, Clinic
from tests.integration.calls.test_recording import allowed, ask, begun, recorded
from tests.integration.web.conftest import token
from tests.support import world


async def switch(clinic: Clinic, visit: int, to: world.Resident) -> None:
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.switch_subject(connection, visit, to.id, actor=clinic.actor, now=NOW)


async def said(clinic: Clinic, visit: int) -> list[str]:
    async with clinic.database.transaction(clinic.actor) as connection:
        rows = await connection.fetch("SELECT text FROM consultation_message WHERE consultation_id = $1", visit)
    return [row["text"] for row in rows]


async def post(clinic: Clinic, path: str, **body: Any) -> tuple[int, Any]:
    async with (
        clinic.web[0].session(headers=await token(clinic.database, "clara")) as session,
        session.post(f"/api/v1{path}", json=body) as response,
    ):
        return response.status, await response.json()


async def test_what_was_written_for_one_resident_never_reaches_the_next(clinic: Clinic) -> None:
    """A message that waited for the connection, or crossed a colleague's switch on its way."""
    visit = await clinic.visit(clinic.anna, clinic.bert, kind="ward_round")
    nurse, _ = await clinic.live(visit)
    key = str(uuid4())
    await nurse.say("chat", key=key, text="of Anna", to=None, about=clinic.anna.id)
    await nurse.shows(lambda s: s["visit"]["messages"])
    await switch(clinic, visit, clinic.bert)
    await nurse.shows(lambda s: s["visit"]["subject"]["id"] == clinic.bert.id)
    for _ in range(4):
        await nurse.say("chat", key=str(uuid4()), text="of Anna, late", to=None, about=clinic.anna.id)
        await nurse.say("caption", key=str(uuid4()), text="of Anna, late", about=clinic.anna.id)
    # the one that had arrived is only sent again
    await nurse.say("chat", key=key, text="of Anna", to=None, about=clinic.anna.id)
    await nurse.say("chat", key=str(uuid4()), text="of Bert", to=None, about=clinic.bert.id)
    await nurse.shows(lambda s: [m["text"] for m in s["visit"]["messages"]] == ["of Bert"])
    assert await said(clinic, visit) == ["of Anna", "of Bert"]
    refused = [m for m in nurse.told if m["t"] == "refused"]
    assert [m["about"] for m in refused] == ["chat", "caption"] * 4
    assert "another resident" in refused[0]["why"]
    assert nurse.code is None
    assert "refused_chat" not in await clinic.events(visit), "a colleague was quicker: nobody tried anything"


async def test_what_is_asked_for_one_resident_is_not_done_to_the_next(clinic: Clinic) -> None:
    """A page that does not know yet of a colleague's switch: it says for whom it asks."""
    for one in (clinic.anna, clinic.bert):
        await world.device(clinic.database, clinic.ward, resident=one)
    visit = await clinic.visit(clinic.anna, clinic.bert, kind="ward_round")
    await switch(clinic, visit, clinic.bert)
    for path, body in (
        ("measure", {"codes": ["spo2"]}),
        ("message", {"text": "of Anna"}),
    ):
        status, answer = await post(clinic, f"/visits/{visit}/{path}", resident=clinic.anna.id, **body)
        assert status == 409
        assert "another resident" in answer["detail"]
        status, _ = await post(clinic, f"/visits/{visit}/{path}", resident=clinic.bert.id, **body)
        assert status == 200
    status, _ = await post(clinic, f"/visits/{visit}/measure", resident=2**40, codes=["spo2"])
    assert status == 404
    # a link is for whom it was made, whoever's turn it is
    status, _ = await post(clinic, f"/visits/{visit}/invite", resident=clinic.anna.id, role="interpreter", name="Ines")
    assert status == 200
    async with clinic.database.transaction(clinic.actor) as connection:
        asked = await connection.fetch("SELECT resident_id FROM device_command")
        made = await visit_desk.links(connection, visit)
    assert [row["resident_id"] for row in asked] == [clinic.bert.id]
    assert [row["resident_id"] for row in made] == [clinic.anna.id]


async def test_a_recording_ends_with_the_turn(clinic: Clinic) -> None:
    """What people agreed to was about one resident; the next begins unrecorded, and unasked."""
    await allowed(clinic)
    visit = await clinic.visit(clinic.anna, clinic.bert, kind="ward_round")
    nurse, anna = await clinic.live(visit)
    await begun(clinic, visit, nurse, anna)
    await switch(clinic, visit, clinic.bert)
    state = await nurse.recorded(False)
    assert (state["visit"]["recording"]["stopped"]["why"], state["visit"]["recording"]["asked"]) == ("switched", False)
    assert recorded(clinic, visit) == set()
    # nor does an answer to the question of one turn count in another
    await ask(clinic, visit)
    await nurse.shows(lambda s: s["visit"]["recording"]["asked"])
    await switch(clinic, visit, clinic.anna)
    await nurse.shows(lambda s: not s["visit"]["recording"]["asked"])
    assert recorded(clinic, visit) == set()


async def test_in_a_group_a_recording_goes_on(clinic: Clinic) -> None:
    await allowed(clinic)
    visit = await clinic.visit(clinic.anna, clinic.bert, kind="group")
    nurse, anna = await clinic.live(visit)
    await begun(clinic, visit, nurse, anna)
    await switch(clinic, visit, clinic.bert)
    await nurse.shows(lambda s: s["visit"]["subject"]["id"] == clinic.bert.id)
    assert recorded(clinic, visit) == {nurse.me, anna.me}


async def test_what_was_said_while_somebody_was_out_stays_unread(clinic: Clinic) -> None:
    """Sent back to the waiting area, so that the others could talk: let in again, they read from then on."""
    visit = await clinic.visit(kind="carer")
    nurse, anna = await clinic.live(visit)
    carer = await clinic.waits(visit, role="carer")
    await let_in(clinic, visit, carer)
    await say(nurse, "to all")
    await carer.shows(lambda s: texts(s) == ["to all"])
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.back_to_waiting(connection, visit, carer.me, actor=clinic.actor, now=NOW)
    await carer.presence("waiting")
    await say(nurse, "does the carer hurt you?")
    await anna.shows(lambda s: len(texts(s)) == 2)
    await let_in(clinic, visit, carer, seconds=1)
    async with clinic.database.transaction(clinic.actor) as connection:
        await messages.say(connection, visit, nurse.me, "to all again", key=uuid4(), actor=clinic.actor, now=later(2))
    shown = await carer.shows(lambda s: "to all again" in texts(s))
    assert texts(shown) == ["to all again"]
    assert "hurt" not in str(carer.told)
    assert len(texts(anna.state)) == 3, "a resident who stayed has it all"


async def test_a_connection_that_comes_back_has_missed_nothing(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, anna = await clinic.live(visit)
    await say(nurse, "first")
    await anna.shows(lambda s: texts(s) == ["first"])
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.left(connection, visit, anna.me, now=NOW, gone=True)
    await say(nurse, "second")
    await anna.presence("admitted")
    await anna.joins()
    await anna.shows(lambda s: texts(s) == ["first", "second"])


def later(seconds: float) -> Any:
    return NOW + timedelta(seconds=seconds)


async def let_in(clinic: Clinic, visit: int, guest: Call, *, seconds: float = 0) -> None:
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.admit(connection, visit, guest.me, actor=clinic.actor, now=later(seconds))
    await guest.presence("admitted")
    await guest.joins()


async def say(who: Call, text: str) -> None:
    await who.say("chat", key=str(uuid4()), text=text, to=None)


def texts(state: dict[str, Any]) -> list[str]:
    return [message["text"] for message in state["visit"]["messages"]]
