"""Booking video visits by API and forms: once however often it is sent, at times that exist; moved, cancelled."""

from __future__ import annotations

import re
from typing import Any

from telehealth.store import contacts
from telehealth.web.visits import visits_models
from tests.integration.web.conftest import NOW, Server, World, audited
from tests.integration.web.test_visits import api, get, post
from tests.support import world

#: After the clocks have gone forward on 29 March 2026: 14:00 in London is 13:00 UTC.
LATER = "2026-04-07T13:00:00Z"


def form(people: World, **more: str) -> dict[str, str]:
    return {
        "kind": "one_to_one",
        f"resident_{people.anna.id}": "on",
        "date": "07-Apr-2026",
        "time": "14:00",
        "minutes": "20",
        "reason": "weekly review",
        "repeat": "once",
        **more,
    }


async def booked(server: Server, people: World, **more: Any) -> Any:
    async with api(server) as session:
        body: dict[str, Any] = {"kind": "one_to_one", "residents": [people.anna.id], "starts_at": LATER, **more}
        return await post(session, f"/wards/{people.north.id}/visits", **body)


async def test_a_visit_is_booked_once(server: Server, people: World) -> None:
    """The same again is answered with the same; another at the same time has to be wanted."""
    first = await booked(server, people)
    visits_models.Booked.model_validate(first)
    assert first["new"]
    assert await booked(server, people) == {**first, "new": False}
    async with api(server) as session:
        path = f"/wards/{people.north.id}/visits"
        body: dict[str, Any] = {"kind": "carer", "residents": [people.anna.id], "starts_at": LATER}
        refused = await post(session, path, 409, **body)
        assert "another visit at that time" in refused["detail"]
        assert (await post(session, path, **body, anyway=True))["new"]
        for wrong in (
            {**body, "starts_at": "2026-03-01T10:00:00Z"},
            {**body, "minutes": 4},
            {**body, "residents": []},
            {**body, "reason": "two\nlines"},
            {**body, "kind": "carer", "residents": [people.anna.id, people.anna.id], "anyway": True},
        ):
            await post(session, path, 422, **wrong)
        await post(session, path, 404, **{**body, "residents": [people.bert.id], "anyway": True})
        found = await get(session, f"/appointments/{first['appointment']}")
        visits_models.Appointment.model_validate(found)
        assert (found["starts_at"], found["visit"]) == ("2026-04-07T13:00:00.000Z", first["visit"])
    assert await audited(server.database, action="appointment.book", object_kind="appointment") == 2


async def test_the_form_books_and_a_second_click_leads_to_the_same(server: Server, people: World) -> None:
    async with server.signed_in("clara") as browser:
        page = f"/wards/{people.north.id}/visits/new"
        made = await browser.post(f"{page}?resident={people.anna.id}", page, **form(people))
        assert made.status == 303
        again = await browser.post(page, page, **form(people))
        assert again.headers["Location"] == made.headers["Location"]
        other = await browser.post(page, page, **form(people, time="14:10"))
        text = await other.text()
        assert other.status == 409
        assert "Book it anyway" in text
        assert 'value="weekly review"' in text
        forced = await browser.post(page, page, **form(people, time="14:10", anyway="on"))
        assert forced.status == 303
        async with browser.session.get(made.headers["Location"]) as answer:
            text = await answer.text()
        assert "07-Apr-2026 14:00" in text
        assert "The visit is booked." in text
        async with browser.session.get(f"/wards/{people.north.id}/visits?date=07-Apr-2026") as answer:
            text = await answer.text()
        assert text.count("weekly review") == 2


async def test_everything_that_is_wrong_is_said_at_once_and_kept(server: Server, people: World) -> None:
    async with server.signed_in("clara") as browser:
        page = f"/wards/{people.north.id}/visits/new"
        typed = {"kind": "ward_round", "date": "someday", "time": "25:00", "minutes": "3", "reason": "kept"}
        answer = await browser.post(page, page, **typed)
        text = await answer.text()
        assert answer.status == 422
        for said in ("Enter the date like this", "Enter the time of 24 hours", "Choose at least one", "5 to 480"):
            assert said in text
        for kept in ('value="someday"', 'value="25:00"', 'value="3"', 'value="kept"'):
            assert kept in text
        assert re.search(r'value="ward_round" checked', text)


async def test_times_that_the_clocks_skip_or_repeat(server: Server, people: World) -> None:
    """01:30 on 29 March 2026 does not exist; on 25 October it comes twice, and is asked about."""
    async with server.signed_in("clara") as browser:
        page = f"/wards/{people.north.id}/visits/new"
        skipped = await browser.post(page, page, **form(people, date="29-Mar-2026", time="01:30"))
        assert skipped.status == 422
        assert "There was no 01:30 that day" in await skipped.text()
        twice = form(people, date="25-Oct-2026", time="01:30")
        asked = await browser.post(page, page, **twice)
        text = await asked.text()
        assert asked.status == 422
        assert "came twice that day" in text
        assert 'name="fold"' in text
        starts = []
        for fold in ("0", "1"):
            made = await browser.post(page, page, **twice, fold=fold)
            assert made.status == 303
            async with api(server) as session:
                path = made.headers["Location"].partition("?")[0]
                starts.append((await get(session, path))["starts_at"])
        assert starts == ["2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"]


async def test_a_round_comes_again_and_is_cancelled_with_all_later_ones(server: Server, people: World) -> None:
    dora = await world.resident(server.database, people.north)
    async with server.signed_in("clara") as browser:
        page = f"/wards/{people.north.id}/visits/new"
        typed = form(people, kind="ward_round", repeat="weekly", every_weeks="1", date="03-Mar-2026")
        typed |= {f"resident_{dora.id}": "on", "day_1": "on", "day_3": "on"}
        made = await browser.post(page, page, **typed)
        assert made.status == 303
        path = made.headers["Location"].partition("?")[0]
        again = await browser.post(page, page, **typed)
        assert again.headers["Location"].partition("?")[0] == path
        async with browser.session.get(path) as answer:
            assert "Tuesday, Thursday, every week" in await answer.text()
        for day in ("05-Mar-2026", "10-Mar-2026", "31-Mar-2026"):
            async with browser.session.get(f"/wards/{people.north.id}/visits?date={day}") as answer:
                assert "14:00" in await answer.text(), f"{day}: the same time also after the clocks went forward"
        wrong = await browser.post(path, f"{path}/cancel", reason="", which="series")
        assert wrong.status == 422
        gone = await browser.post(path, f"{path}/cancel", reason="The round is on paper again", which="series")
        assert gone.status == 303
        async with browser.session.get(f"/wards/{people.north.id}/visits?date=10-Mar-2026") as answer:
            assert "cancelled" in await answer.text()


async def test_a_visit_is_moved_and_cancelled(server: Server, people: World) -> None:
    """Whoever was told is told again; a visit that is cancelled can be neither moved nor cancelled again."""
    async with server.database.transaction(world.ACTOR) as connection:
        await contacts.add(
            connection,
            people.anna.id,
            relation="self",
            name="Anna",
            email="anna@example.org",
            actor=world.ACTOR,
            now=NOW,
        )
    made = await booked(server, people)
    assert made["told"] == 1
    path = f"/appointments/{made['appointment']}"
    async with server.signed_in("clara") as browser:
        async with browser.session.get(path) as answer:
            text = await answer.text()
            assert "anna@example.org" in text
            assert "not opened yet" in text
        wrong = await browser.post(path, f"{path}/move", date="08-Apr-2026", time="noon", minutes="20")
        assert wrong.status == 422
        assert 'value="noon"' in await wrong.text()
        moved = await browser.post(path, f"{path}/move", date="08-Apr-2026", time="15:30", minutes="40")
        assert moved.headers["Location"] == f"{path}?done=moved_visit"
    async with api(server) as session:
        found = await get(session, path)
        assert (found["starts_at"], found["minutes"]) == ("2026-04-08T14:30:00.000Z", 40)
        assert {"booked", "moved", "reminder"} <= {one["about"] for one in found["mails"]}
        gone = await post(session, f"{path}/cancel", reason="in hospital")
        assert (gone["state"], gone["cancel_reason"]) == ("cancelled", "in hospital")
        assert [one["state"] for one in gone["links"]] == ["over"]
        await post(session, f"{path}/move", 409, starts_at=LATER, minutes=20)
        await post(session, f"{path}/cancel", reason="in hospital")
        assert (await get(session, f"/visits/{made['visit']}"))["state"] == "cancelled"
    async with server.signed_in("clara") as browser, browser.session.get(f"/visits/{made['visit']}") as answer:
        assert "was cancelled" in await answer.text()


async def test_links_of_an_appointment(server: Server, people: World) -> None:
    """A new one is told this once; one is taken back; one of another visit is refused."""
    made = await booked(server, people)
    path = f"/appointments/{made['appointment']}"
    async with api(server) as session:
        link = await post(session, f"{path}/links", resident=people.anna.id)
        visits_models.Made.model_validate(link)
        await post(session, f"{path}/links", 422, resident=people.anna.id, role="carer", name="")
        await post(session, f"{path}/links", 404, resident=people.bert.id, name="Bert")
        found = await get(session, path)
        assert [(one["role"], one["state"]) for one in found["links"]] == [("resident", "new")]
        allowed = await post(session, f"{path}/links/allow", link=link["id"])
        assert [(one["id"], one["state"]) for one in allowed["links"]] == [(link["id"], "allowed")]
        await post(session, f"{path}/links/allow", 404, link=999_999)
        assert link["link"].rpartition("/")[2] not in str(found)
    async with server.signed_in("clara") as browser:
        shown = await browser.post(path, f"{path}/links", role="carer", name="Carl", resident=str(people.anna.id))
        assert f"{server.url}/join/" in await shown.text()
        by_page = await browser.post(path, f"{path}/links/allow", link=str(link["id"]))
        assert by_page.headers["Location"] == f"{path}?done=allowed"
        revoked = await browser.post(path, f"{path}/links/revoke", link=str(link["id"]))
        assert revoked.headers["Location"] == f"{path}?done=revoked"
        other = await browser.post(path, f"{path}/links/revoke", link="999999")
        assert other.status == 404
    async with api(server) as session:
        assert [one["state"] for one in (await get(session, path))["links"]] == ["over", "new"]


async def test_the_calendar_file_names_nobody(server: Server, people: World) -> None:
    made = await booked(server, people)
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/appointments/{made['appointment']}/calendar.ics") as answer:
            text = await answer.text()
            assert answer.status == 200
            assert answer.content_type == "text/calendar"
        assert "DTSTART:20260407T130000Z" in text
        assert people.anna.nhs_number not in text
        assert "RESIDENT" not in text
        async with browser.session.get(f"/residents/{people.anna.id}") as answer:
            assert f"/appointments/{made['appointment']}" in await answer.text()


async def test_a_stranger_books_nothing(server: Server, people: World) -> None:
    made = await booked(server, people)
    async with api(server, "sam") as session:
        body: dict[str, Any] = {"kind": "one_to_one", "residents": [people.anna.id], "starts_at": LATER}
        await post(session, f"/wards/{people.north.id}/visits", 404, **body)
        await post(session, f"/wards/{people.south.id}/visits", 404, **body)
        await post(session, f"/appointments/{made['appointment']}/cancel", 404, reason="x")
    async with server.signed_in("adam") as browser:
        async with browser.session.get(f"/appointments/{made['appointment']}") as answer:
            assert answer.status == 200
            assert "To be changed by a clinician" in await answer.text()
        refused = await browser.post("/", f"/appointments/{made['appointment']}/cancel", reason="x")
        assert refused.status == 403
