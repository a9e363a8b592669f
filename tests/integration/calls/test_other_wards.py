"""Visits about residents of several wards: what staff of one of them see, and what becomes of who may not look on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest

from telehealth import clock
from telehealth.model import appointments as times
from telehealth.model import mails
from telehealth.store import (
    appointments,
    consultations,
    contacts,
    db,
    links,
    notes,
    participants,
    recordings,
    sessions,
)
from telehealth.web.calls import rooms
from tests.conftest import Urls
from tests.integration.calls.conftest import NOW, WEB, Call, Clinic
from tests.integration.web.conftest import audited, member, token
from tests.support import world


@dataclass(frozen=True)
class Conference:
    """Of North, about Anna of North and Sue of South. chief: belongs to both."""

    visit: int
    sue: world.Resident
    chief: int


@pytest.fixture
async def conference(clinic: Clinic) -> Conference:
    database = clinic.database
    east = await world.ward(database, "East")
    sue = await world.resident(database, east)
    chief = await member(database, "chief", clinic.ward, east)
    actor = db.staff(chief)
    async with database.transaction(actor) as connection:
        visit = await consultations.start(
            connection,
            kind="case_conference",
            ward_id=clinic.ward.id,
            resident_ids=[clinic.anna.id, sue.id],
            actor=actor,
            now=NOW,
        )
    return Conference(visit, sue, chief)


async def waits(clinic: Clinic, visit: int, of: world.Resident) -> int:
    """A resident of another ward, who waits; their participant."""
    real_now = clock.real_now()
    async with clinic.database.transaction(WEB) as connection:
        link, _ = await links.make(
            connection,
            visit,
            role="resident",
            resident_id=of.id,
            name="Sue",
            actor=WEB,
            now=NOW,
            real_now=real_now,
            expires_at=real_now + timedelta(hours=1),
        )
        guest = await participants.of_link(connection, link, now=NOW)
        await consultations.arrive(connection, visit, guest, ready=None, reason="my knee", now=NOW)
    return guest


async def switch(clinic: Clinic, conference: Conference, to: world.Resident) -> None:
    actor = db.staff(conference.chief)
    async with clinic.database.transaction(actor) as connection:
        await consultations.switch_subject(connection, conference.visit, to.id, actor=actor, now=NOW)


async def asked(clinic: Clinic, method: str, path: str, by: str = "clara", **body: object) -> int:
    """The status that Clara, or somebody else, gets from the API."""
    async with (
        clinic.web[0].session(headers=await token(clinic.database, by)) as session,
        session.request(method, f"/api/v1{path}", json=body or None) as response,
    ):
        assert isinstance(response, aiohttp.ClientResponse)
        return response.status


async def read(clinic: Clinic, path: str) -> Any:
    """As Clara, by the API."""
    async with (
        clinic.web[0].session(headers=await token(clinic.database, "clara")) as session,
        session.get(f"/api/v1{path}") as response,
    ):
        assert response.status == 200
        return await response.json()


async def test_nothing_of_a_resident_of_another_ward(clinic: Clinic, conference: Conference) -> None:
    """Neither who they are, nor who waits for their turn, nor what was said in it."""
    visit, sue = conference.visit, conference.sue
    guest = await waits(clinic, visit, sue)
    area, opened = [await read(clinic, path) for path in (f"/wards/{clinic.ward.id}/waiting", f"/visits/{visit}")]
    assert [(one["name"], one["resident"], one["reason"]) for one in area["waiting"]] == [
        ("Somebody of another ward", None, None)
    ]
    assert (opened["links"], opened["people"]) == ([], [])
    assert "Sue" not in json.dumps([area, opened])
    clara, chief = await clinic.nurse(visit), await clinic.nurse(visit, "chief")
    shown = await chief.shows(lambda s: any(p["presence"] == "waiting" and p["link"] for p in s["visit"]["people"]))
    assert sue.nhs_number in json.dumps(shown)
    await clara.say("ping", n=1)
    await clara.heard("pong", n=1)
    assert clara.state["visit"]["subject"]["id"] == clinic.anna.id
    told = json.dumps(clara.told)
    assert sue.nhs_number not in told
    assert [s["id"] for s in clara.state["visit"]["subjects"]] == [clinic.anna.id]
    assert guest not in {p["id"] for p in clara.state["visit"]["people"]}
    assert str(guest) not in clara.state["visit"]["names"]


async def test_when_it_is_about_somebody_else_they_are_out(clinic: Clinic, conference: Conference) -> None:
    """Picture, sound, record and what may be done: all of it ends with the switch, and comes back with the next."""
    visit, sue = conference.visit, conference.sue
    clara, chief = await clinic.nurse(visit), await clinic.nurse(visit, "chief")
    await clara.joins()
    await chief.joins()
    await switch(clinic, conference, sue)
    assert await clara.ended() == 4403
    await chief.until(lambda: clinic.sfu.inside(visit) == {chief.me})
    await chief.shows(lambda s: presence(s, clara) == "left")
    assert sue.nhs_number not in json.dumps(clara.told)
    for method, path, body in (
        ("GET", "", {}),
        ("GET", "/measures", {}),
        ("POST", "/message", {"text": "hello"}),
        ("POST", "/lock", {"locked": True}),
        ("POST", "/subject", {"resident": sue.id}),
    ):
        assert await asked(clinic, method, f"/visits/{visit}{path}", **body) == 404, path
    assert await audited(clinic.database, action="visit.open", outcome="denied") == 2
    async with clinic.web[0].signed_in("clara") as browser:
        call = await clinic.call(browser, f"/ws/visits/{visit}")
        assert await call.ended() == 4403
        assert call.told == []
        async with browser.session.get(f"/visits/{visit}") as page:
            assert page.status == 404
    await switch(clinic, conference, clinic.anna)
    await (await clinic.nurse(visit, presence="left")).joins()


async def test_who_is_no_longer_of_the_ward_is_out_at_once(clinic: Clinic, urls: Urls) -> None:
    """A broken connection keeps its place for a while; somebody who may not be there does not."""
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    owner = await asyncpg.connect(urls.owner)
    try:
        await owner.execute("DELETE FROM membership WHERE staff_id = $1", clinic.clara)
    finally:
        await owner.close()
    await clinic.web[0].app[rooms.ROOMS].beat()
    assert await nurse.ended() == 4403
    await guest.until(lambda: clinic.sfu.inside(visit) == {guest.me})
    await guest.shows(lambda s: [p["id"] for p in s["visit"]["people"]] == [guest.me])


async def test_who_signs_out_is_out_at_once(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    async with clinic.database.transaction(WEB) as connection:
        await sessions.sweep(connection, now=NOW.replace(year=2099))
    await clinic.web[0].app[rooms.ROOMS].beat()
    assert await nurse.ended() == 4401
    await guest.until(lambda: clinic.sfu.inside(visit) == {guest.me})


async def test_the_end_is_written_into_every_record(clinic: Clinic, conference: Conference) -> None:
    """Also by somebody who may not see all of them: notes of a resident of another ward are not lost."""
    visit, sue = conference.visit, conference.sue
    await switch(clinic, conference, sue)
    async with clinic.database.transaction(db.staff(conference.chief)) as connection:
        await notes.save(connection, visit, sue.id, conference.chief, "Of Sue.", 0, now=NOW)
        await notes.save(connection, visit, clinic.anna.id, conference.chief, "Of Anna.", 0, now=NOW)
    foreign = {"resident": sue.id, "summary": "not theirs to write"}
    assert await asked(clinic, "POST", f"/visits/{visit}/end", outcome="completed", subjects=[foreign]) == 422
    assert await asked(clinic, "POST", f"/visits/{visit}/end", outcome="completed") == 200
    async with clinic.database.transaction(WEB, read_only=True) as connection:
        rows = await connection.fetch(
            "SELECT e.resident_id, n.text, e.written_by FROM encounter e JOIN encounter_note n ON n.encounter_id = e.id"
        )
    actor = db.staff(clinic.clara)
    assert {tuple(row) for row in rows} == {(sue.id, "Of Sue.", actor), (clinic.anna.id, "Of Anna.", actor)}


async def test_whoever_is_invited_is_told_when_it_is_moved_and_cancelled(clinic: Clinic) -> None:
    """Also people of a resident who is on another ward by now: nobody is left to wait for what does not come."""
    new = times.New(clinic.ward.id, "one_to_one", [clinic.anna.id], NOW + timedelta(days=2))
    sender = mails.Sender("https://ward.example", "ward@ward.example")
    async with clinic.database.transaction(clinic.actor) as connection:
        await contacts.add(
            connection, clinic.anna.id, relation="self", name="Anna", email="anna@home.example", actor=clinic.actor,
            now=NOW,
        )  # fmt: skip
        booked = await appointments.book(
            connection, new, sender=sender, actor=clinic.actor, now=NOW, real_now=clock.real_now()
        )
    await moves(clinic, clinic.anna)
    path = f"/appointments/{booked.appointment_id}"
    later = (NOW + timedelta(days=3)).isoformat()
    assert await asked(clinic, "POST", f"{path}/move", starts_at=later, minutes=20) == 200
    assert await asked(clinic, "POST", f"{path}/cancel", reason="on another ward") == 200
    async with clinic.database.transaction(WEB, read_only=True) as connection:
        rows = await connection.fetch("SELECT about, state FROM mail WHERE about <> 'reminder' ORDER BY written_at")
    assert [tuple(row) for row in rows] == [("booked", "dropped"), ("moved", "dropped"), ("cancelled", "waiting")]


async def moves(clinic: Clinic, resident: world.Resident) -> world.Ward:
    """To another ward."""
    east = await world.ward(clinic.database, "East")
    async with clinic.database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE resident SET ward_id = $2 WHERE id = $1", resident.id, east.id)
    return east


async def test_a_visit_because_of_an_old_alert_is_of_the_ward_where_the_resident_is_now(clinic: Clinic) -> None:
    async with clinic.database.transaction(world.ACTOR) as connection:
        alert = await connection.fetchval(
            "INSERT INTO alert (organisation_id, ward_id, resident_id, rule, kind, priority, condition, handling,"
            " onset_at, raised_at, changed_at, reason, evidence) VALUES ($1, $2, $3, 'news2', 'physiological',"
            " 'medium', 'active', 'new', $4, $4, $4, 'worse', '{}') RETURNING id",
            clinic.ward.organisation_id, clinic.ward.id, clinic.anna.id, NOW,
        )  # fmt: skip
    east = await moves(clinic, clinic.anna)
    assert await asked(clinic, "POST", f"/alerts/{alert}/visits") == 404, "Clara is of the ward before only"
    await member(clinic.database, "chief", clinic.ward, east)
    assert await asked(clinic, "POST", f"/alerts/{alert}/visits", by="chief") == 200
    async with clinic.database.transaction(WEB, read_only=True) as connection:
        rows = await connection.fetch("SELECT ward_id, alert_id FROM consultation")
    assert [tuple(row) for row in rows] == [(east.id, alert)]


async def test_whose_resident_moves_during_a_call_is_out(clinic: Clinic) -> None:
    """And sees nothing any more of what was recorded of them before."""
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    async with clinic.database.transaction(WEB) as connection:
        for who in (nurse.me, guest.me):
            await connection.execute(
                "INSERT INTO recording (organisation_id, consultation_id, participant_id, started_at, key_id,"
                " wrapped_key, consents, delete_after) SELECT organisation_id, id, $2, $3, 'k', '', '[]', $3 "
                "FROM consultation WHERE id = $1",
                visit, who, NOW,
            )  # fmt: skip

    async def recorded() -> list[int]:
        async with clinic.database.transaction(clinic.actor, read_only=True) as connection:
            return [one.participant_id for one in await recordings.of_consultation(connection, visit)]

    assert sorted(await recorded()) == sorted([nurse.me, guest.me])
    await moves(clinic, clinic.anna)
    await guest.say("hand", up=True)
    assert await nurse.ended() == 4403
    await guest.until(lambda: clinic.sfu.inside(visit) == {guest.me})
    assert await recorded() == [nurse.me]
    # what is left to do: the visit can be ended, without a word of whose it is
    async with clinic.web[0].signed_in("clara") as browser:
        async with browser.session.get(f"/visits/{visit}/end") as page:
            text = await page.text()
            assert page.status == 200
            assert "somebody on another ward" in text
            assert clinic.anna.nhs_number not in text
        ended = await browser.post(f"/visits/{visit}/end", f"/visits/{visit}/end", outcome="completed")
        assert ended.headers["Location"] == f"/wards/{clinic.ward.id}/visits?done=ended"
    async with clinic.database.transaction(WEB, read_only=True) as connection:
        rows = await connection.fetch("SELECT resident_id FROM encounter WHERE consultation_id = $1", visit)
    assert [row["resident_id"] for row in rows] == [clinic.anna.id]


def presence(state: dict[str, Any], who: Call) -> str | None:
    found: str | None = next((p["presence"] for p in state["visit"]["people"] if p["id"] == who.me), None)
    return found
