"""Video visits by API and forms: starting one, who waits, what staff do in the call, its end, what comes of it."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from telehealth import clock
from telehealth.store import consultations, db, links, participants, visit_desk
from telehealth.web.visits import visits_models
from tests.integration.web.conftest import NOW, Browser, Server, World, audited, member, token
from tests.support import world

WEB = db.service("web")


@asynccontextmanager
async def api(server: Server, username: str = "clara") -> AsyncIterator[aiohttp.ClientSession]:
    async with server.session(headers=await token(server.database, username)) as session:
        yield session


async def said(response: aiohttp.ClientResponse, status: int = 200) -> Any:
    assert response.status == status, await response.text()
    return await response.json()


async def post(session: aiohttp.ClientSession, path: str, status: int = 200, **body: Any) -> Any:
    async with session.post(f"/api/v1{path}", json=body) as response:
        return await said(response, status)


async def get(session: aiohttp.ClientSession, path: str, status: int = 200) -> Any:
    async with session.get(f"/api/v1{path}") as response:
        return await said(response, status)


async def started(server: Server, people: World, *residents: world.Resident, kind: Any = "one_to_one") -> int:
    """A visit that the north ward began at once."""
    async with server.database.transaction(world.ACTOR) as connection:
        return await consultations.start(
            connection,
            kind=kind,
            ward_id=people.north.id,
            resident_ids=[one.id for one in residents or (people.anna,)],
            actor=world.ACTOR,
            now=NOW,
        )


async def comes(
    server: Server, visit: int, resident: world.Resident, *, role: Any = "resident", name: str = "Anna", **check: str
) -> tuple[int, int]:
    """Somebody has come by a link and waits: participant and link."""
    real_now = clock.real_now()
    async with server.database.transaction(WEB) as connection:
        link, _ = await links.make(
            connection,
            visit,
            role=role,
            resident_id=resident.id,
            name=name,
            actor=WEB,
            now=NOW,
            real_now=real_now,
            expires_at=real_now + timedelta(hours=1),
        )
        await links.bind(connection, link, b"a browser", now=real_now)
        participant = await participants.of_link(connection, link, now=NOW)
        await consultations.arrive(
            connection, visit, participant, ready=check or {"camera": "ok"}, reason="my breathing", now=NOW
        )
    return participant, link


async def joins(server: Server, visit: int, participant: int) -> None:
    async with server.database.transaction(WEB) as connection:
        await consultations.joined(connection, visit, participant, now=NOW)


async def staff_joins(server: Server, visit: int, username: str) -> int:
    async with server.database.transaction(WEB) as connection:
        staff_id = await connection.fetchval("SELECT id FROM staff WHERE username = $1", username)
        mine = await participants.of_staff(connection, visit, staff_id, now=NOW)
        await consultations.joined(connection, visit, mine, now=NOW)
    return mine


# Starting -------------------------------------------------------------------------------------------


async def test_a_visit_is_started_once(server: Server, people: World) -> None:
    """From a resident's page or an alert's; asked for again, the open one is the answer."""
    async with api(server) as session:
        first = await post(session, f"/residents/{people.anna.id}/visits")
        assert first["new"]
        again = await post(session, f"/residents/{people.anna.id}/visits", kind="carer")
        assert again == {"visit": first["visit"], "new": False}
        assert (await post(session, f"/alerts/{people.anna_alert}/visits"))["visit"] == first["visit"]
        found = await get(session, f"/visits/{first['visit']}")
        visits_models.Visit.model_validate(found)
        assert (found["kind"], found["state"], found["subject"]["id"]) == ("one_to_one", "scheduled", people.anna.id)
    assert await audited(server.database, action="visit.create", object_kind="consultation") == 1


async def test_an_alert_tells_what_came_of_it(server: Server, people: World) -> None:
    async with api(server) as session:
        made = await post(session, f"/alerts/{people.anna_alert}/visits")
        alert = await get(session, f"/alerts/{people.anna_alert}")
        assert [(one["id"], one["state"]) for one in alert["visits"]] == [(made["visit"], "scheduled")]
        assert (await get(session, f"/visits/{made['visit']}"))["alert"] == people.anna_alert
    async with server.signed_in("clara") as browser, browser.session.get(f"/alerts/{people.anna_alert}") as page:
        assert f'/visits/{made["visit"]}"' in await page.text()


async def test_a_double_click_starts_one_visit(server: Server, people: World) -> None:
    """The forms of both pages lead to the same visit, which says that it was there."""
    async with server.signed_in("clara") as browser:
        path = f"/residents/{people.anna.id}/visits"
        first = await browser.post(f"/residents/{people.anna.id}", path)
        second = await browser.post(f"/residents/{people.anna.id}", path)
        third = await browser.post(f"/alerts/{people.anna_alert}", f"/alerts/{people.anna_alert}/visits")
        assert [r.status for r in (first, second, third)] == [303] * 3
        visit = first.headers["Location"]
        assert second.headers["Location"] == third.headers["Location"] == f"{visit}?done=open"
        async with browser.session.get(second.headers["Location"]) as page:
            assert "was open already" in await page.text()


async def test_an_open_round_about_another_is_not_opened_unasked(server: Server, people: World) -> None:
    """Started from a resident's page or an alert's, while a round that has them is about somebody else."""
    dora = await world.resident(server.database, people.north)
    round_ = await started(server, people, dora, people.anna, kind="ward_round")
    async with server.database.transaction(world.ACTOR) as connection:
        named = await visit_desk.names(connection, [dora.id, people.anna.id])
    starts = {
        f"/residents/{people.anna.id}": f"/residents/{people.anna.id}/visits",
        f"/alerts/{people.anna_alert}": f"/alerts/{people.anna_alert}/visits",
    }
    async with server.signed_in("clara") as browser:
        for page, start in starts.items():
            answer = await browser.post(page, start)
            text = await answer.text()
            assert answer.status == 409
            assert f"The open visit is about {named[dora.id]} now" in html.unescape(text)
            assert named[people.anna.id] in html.unescape(text)
            assert f'href="/visits/{round_}"' in text
            assert f'href="/residents/{people.anna.id}"' in text
            assert dora.nhs_number not in text
        mine = await browser.post(f"/residents/{dora.id}", f"/residents/{dora.id}/visits")
        assert mine.headers["Location"] == f"/visits/{round_}?done=open"
    assert await audited(server.database, action="visit.open", object_id=str(round_), resident_id=None) == 2


async def test_many_who_start_at_once_start_one(server: Server, people: World) -> None:
    """Several clicks at the same moment: one visit, and everybody is led to it."""
    async with api(server) as session:
        path = f"/residents/{people.anna.id}/visits"
        found = await asyncio.gather(*(post(session, path) for _ in range(5)))
        assert len({one["visit"] for one in found}) == 1
        assert sum(one["new"] for one in found) == 1
        body: dict[str, Any] = {
            "kind": "one_to_one",
            "residents": [people.anna.id],
            "starts_at": "2026-04-07T13:00:00Z",
        }
        booked = await asyncio.gather(*(post(session, f"/wards/{people.north.id}/visits", **body) for _ in range(5)))
        assert len({one["appointment"] for one in booked}) == 1
        assert sum(one["new"] for one in booked) == 1


async def test_nobody_starts_or_opens_a_second_call(server: Server, people: World) -> None:
    """Who is in one call is refused another's page, which shows nothing of it and names what to do."""
    dora = await world.resident(server.database, people.north)
    mine, other = await started(server, people, people.anna), await started(server, people, dora)
    await staff_joins(server, mine, "clara")
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/visits/{other}") as page:
            text = await page.text()
            assert page.status == 409
            assert "You are in another video visit" in text
            assert dora.nhs_number not in text
            assert f'action="/visits/{mine}/leave"' in text
        eve = await world.resident(server.database, people.north)
        refused = await browser.post(f"/residents/{eve.id}", f"/residents/{eve.id}/visits")
        assert refused.status == 409
        assert "another video visit" in await refused.text()
        left = await browser.post(f"/visits/{mine}", f"/visits/{mine}/leave", next=f"/visits/{other}")
        assert left.status == 303
        async with browser.session.get(f"/visits/{other}") as page:
            assert page.status == 200
            assert (await page.text()).count('class="th-identity__name"') == 1
    assert await audited(server.database, action="visit.open", object_id=str(other), resident_id=None) == 1


# The waiting area -----------------------------------------------------------------------------------


async def test_the_waiting_area_tells_who_waits_and_why(server: Server, people: World) -> None:
    visit = await started(server, people)
    participant, _ = await comes(server, visit, people.anna, camera="refused", network="slow")
    async with api(server) as session:
        area = await get(session, f"/wards/{people.north.id}/waiting")
        visits_models.WaitingArea.model_validate(area)
        (one,) = area["waiting"]
        assert (one["visit"], one["participant"], one["identity"]) == (visit, participant, "not_checked")
        assert (one["reason"], one["trouble"]) == ("my breathing", "camera not allowed, slow network")
        day = await get(session, f"/wards/{people.north.id}/visits")
        visits_models.WardVisits.model_validate(day)
        assert [(v["visit"], v["state"], v["waiting"]) for v in day["visits"]] == [(visit, "waiting", 1)]
        assert (await get(session, f"/wards/{people.north.id}/visits?date=2026-01-01"))["visits"] == []
        await get(session, f"/wards/{people.north.id}/visits?date=soon", 422)
    async with server.signed_in("clara") as browser:
        async with browser.session.get(f"/wards/{people.north.id}/visits") as page:
            text = await page.text()
        assert "identity not checked" in text
        assert "my breathing" in text
        assert "camera not allowed" in text
        assert re.search(r"Video visits<span[^>]*> \(1", text), "the navigation counts who waits"
        sent = await browser.post(
            f"/wards/{people.north.id}/visits",
            f"/visits/{visit}/message",
            participant=str(participant),
            text="We come soon",
            next=f"/wards/{people.north.id}/visits",
        )
        assert sent.headers["Location"] == f"/wards/{people.north.id}/visits?done=said"
        admitted = await browser.post(
            f"/wards/{people.north.id}/visits",
            f"/visits/{visit}/admit",
            participant=str(participant),
            next=f"/visits/{visit}",
        )
        assert admitted.headers["Location"] == f"/visits/{visit}?done=admitted"
    async with api(server) as session:
        found = await get(session, f"/visits/{visit}")
        assert [m["text"] for m in found["messages"]] == ["We come soon"]
        assert {p["presence"] for p in found["people"] if p["role"] == "resident"} == {"admitted"}
    assert await audited(server.database, action="visit.admitted", object_id=str(visit)) == 1


async def test_what_nobody_ended_stays_in_view(server: Server, people: World) -> None:
    """The ward's page of today tells of visits of days before that only a person can end; other days' do not."""
    visit = await started(server, people)
    participant, _ = await comes(server, visit, people.anna)
    mine = await staff_joins(server, visit, "clara")
    async with server.database.transaction(world.ACTOR) as connection:
        clara = await connection.fetchval("SELECT id FROM staff WHERE username = 'clara'")
        await consultations.admit(connection, visit, participant, actor=db.staff(clara), now=NOW)
    await joins(server, visit, participant)
    async with server.database.transaction(WEB) as connection:
        for one in (participant, mine):
            await consultations.left(connection, visit, one, now=NOW)
        await connection.execute(
            "UPDATE consultation SET created_at = $2, changed_at = $2 WHERE id = $1", visit, NOW - timedelta(days=2)
        )
    async with api(server) as session:
        day = await get(session, f"/wards/{people.north.id}/visits")
        visits_models.WardVisits.model_validate(day)
        assert [(one["visit"], one["state"]) for one in day["unfinished"]] == [(visit, "interrupted")]
        assert day["visits"] == []
        assert (await get(session, f"/wards/{people.north.id}/visits?date=2026-01-01"))["unfinished"] == []
    async with server.signed_in("clara") as browser:
        page = await opened(browser, f"/wards/{people.north.id}/visits")
    assert "Not ended yet" in page
    assert f'href="/visits/{visit}"' in page


# In the visit ---------------------------------------------------------------------------------------


async def test_what_staff_do_in_a_visit(server: Server, people: World) -> None:
    """Let in, send back, take out, mute, pin, lock: each changes the visit and counts the change."""
    visit = await started(server, people)
    participant, link = await comes(server, visit, people.anna)
    path = f"/visits/{visit}"
    async with api(server) as session:

        async def presence() -> str:
            found = await get(session, path)
            return str(next(p["presence"] for p in found["people"] if p["id"] == participant))

        seen = (await get(session, path))["seq"]
        for action, body, after in (
            ("admit", {}, "admitted"),
            ("waiting", {}, "waiting"),
            ("remove", {}, "removed"),
            ("waiting", {}, "waiting"),
            ("admit", {}, "admitted"),
            ("mute", {"on": True}, "admitted"),
            ("pin", {"on": True}, "admitted"),
        ):
            done = await post(session, f"{path}/{action}", participant=participant, **body)
            visits_models.Done.model_validate(done)
            assert done["seq"] > seen, action
            seen = done["seq"]
            assert await presence() == after, action
        person = next(p for p in (await get(session, path))["people"] if p["id"] == participant)
        assert person["muted_by_host"]
        assert person["pinned"]
        await post(session, f"{path}/lock", locked=True)
        await post(session, f"{path}/waiting", participant=participant)
        refused = await post(session, f"{path}/admit", 409, participant=participant)
        assert "locked" in refused["detail"]
        await post(session, f"{path}/lock", locked=False)
        await post(session, f"{path}/allow-browser", link=link)
        assert [one["state"] for one in (await get(session, path))["links"]] == ["allowed"]
        await post(session, f"{path}/leave")
        for action, wrong in (
            ("admit", {}),
            ("admit", {"participant": 0}),
            ("message", {"text": ""}),
            ("notes", {"resident": people.anna.id, "text": "x" * 20_001}),
            ("invite", {"role": "staff", "name": "x"}),
            ("readings", {"key": "nonsense", "decision": "accepted"}),
        ):
            await post(session, f"{path}/{action}", 422, **wrong)
        await post(session, f"{path}/admit", 404, participant=2**40)
        await post(session, f"{path}/notes", 404, resident=people.bert.id, text="of another", version=0)
    assert await audited(server.database, action="visit.mute", outcome="ok") == 1


async def test_devices_ring_and_measure_and_recording_is_asked_for(server: Server, people: World) -> None:
    """The resident's own devices only; where nothing can be recorded that is said."""
    visit = await started(server, people)
    path = f"/visits/{visit}"
    async with api(server) as session:
        found = await get(session, f"{path}/measures")
        visits_models.Measurables.model_validate(found)
        assert (found["resident"], [one["code"] for one in found["measures"]]) == (people.anna.id, ["spo2"])
        assert (await post(session, f"{path}/ring", resident=people.anna.id))["devices"] == 1
        assert (await post(session, f"{path}/measure", codes=["spo2"]))["devices"] == 1
        refused = await post(session, f"{path}/measure", 409, codes=["weight"])
        assert "No device" in refused["detail"]
        await post(session, f"{path}/measure", 422, codes=["mood"])
        await post(session, f"{path}/ring", 404, resident=people.bert.id)
        await post(session, f"{path}/record", 409, on=True)
        await post(session, f"{path}/record", on=False)
    async with server.signed_in("clara") as browser:
        asked = await browser.post(path, f"{path}/measure", code_spo2="on")
        assert asked.headers["Location"] == f"{path}?done=asked"
        none = await browser.post(path, f"{path}/measure")
        assert none.status == 422
        assert "Choose what is to be measured" in await none.text()
        rang = await browser.post(path, f"{path}/ring", resident=str(people.anna.id))
        assert rang.headers["Location"] == f"{path}?done=rang"
    async with server.database.transaction(world.ACTOR) as connection:
        kinds = [row["kind"] for row in await connection.fetch("SELECT kind FROM device_command ORDER BY id")]
    assert sorted(kinds) == ["measure", "measure", "ring", "ring"]


async def test_notes_are_kept_and_none_overwrites_another(server: Server, people: World) -> None:
    """With an older version nothing is saved; the newer text comes back. By form, both texts are shown."""
    visit = await started(server, people)
    path = f"/visits/{visit}/notes"
    async with api(server) as session:
        first = await post(session, path, resident=people.anna.id, text="chest clear", version=0)
        assert first["version"] == 1
        await post(session, path, resident=people.anna.id, text="chest clear, tired", version=1)
        refused = await post(session, path, 409, resident=people.anna.id, text="other", version=1)
        assert refused["newer"]["text"] == "chest clear, tired"
        assert refused["newer"]["version"] == 2
    async with server.signed_in("clara") as browser:
        answer = await browser.post(
            f"/visits/{visit}", path, resident=str(people.anna.id), text="typed elsewhere", version="1"
        )
        text = await answer.text()
        assert answer.status == 409
        assert "typed elsewhere" in text
        assert "chest clear, tired" in text
        kept = await browser.post(
            f"/visits/{visit}", path, resident=str(people.anna.id), text="chest clear, tired; typed", version="2"
        )
        assert kept.headers["Location"] == f"/visits/{visit}?done=noted"
        async with browser.session.get(f"/visits/{visit}") as page:
            assert "chest clear, tired; typed" in await page.text()
    async with api(server, "tess") as session:
        assert (await get(session, f"/visits/{visit}"))["notes"] == [], "a colleague has notes of their own"


async def test_who_is_invited_gets_a_link_that_is_told_once(server: Server, people: World) -> None:
    visit = await started(server, people)
    async with api(server) as session:
        made = await post(session, f"/visits/{visit}/invite", role="interpreter", name="Ines")
        visits_models.Invited.model_validate(made)
        assert made["link"].startswith(f"{server.url}/join/")
        shown = await get(session, f"/visits/{visit}")
        assert made["link"].rpartition("/")[2] not in str(shown)
        assert [(one["role"], one["name"], one["state"]) for one in shown["links"]] == [("interpreter", "Ines", "new")]
    async with server.signed_in("clara") as browser:
        answer = await browser.post(f"/visits/{visit}", f"/visits/{visit}/invite", role="family", name="Fred")
        text = await answer.text()
        assert answer.status == 200
        assert f"{server.url}/join/" in text
        wrong = await browser.post(f"/visits/{visit}", f"/visits/{visit}/invite", role="", name="Fred")
        assert wrong.status == 422
        assert "Choose who comes" in await wrong.text()


async def test_what_is_on_screen_belongs_to_the_current_resident(server: Server, people: World) -> None:
    """In a round one banner, one record; who was let in for the one before has left after the switch."""
    dora = await world.resident(server.database, people.north)
    visit = await started(server, people, people.anna, dora, kind="ward_round")
    anna, _ = await comes(server, visit, people.anna)
    doras, _ = await comes(server, visit, dora, name="Dora")
    async with server.signed_in("clara") as browser:
        page = f"/visits/{visit}"
        await browser.post(page, f"{page}/admit", participant=str(anna))
        await joins(server, visit, anna)
        refused = await browser.post(page, f"{page}/admit", participant=str(doras))
        assert refused.status == 409
        assert "another resident" in await refused.text()
        moved = await browser.post(page, f"{page}/subject", resident=str(dora.id))
        assert moved.headers["Location"] == f"{page}?done=subject"
        async with browser.session.get(page) as answer:
            text = await answer.text()
        assert text.count('class="th-identity__name"') == 1
        banner = text.split('class="th-identity__name"')[1].split("</dl>")[0].replace(" ", "")
        assert dora.nhs_number in banner
        assert people.anna.nhs_number not in banner
        assert "below 88 %" not in text, "no alert of the one before"
        await browser.post(page, f"{page}/notes", resident=str(dora.id), text="of Dora", version="0")
    async with api(server) as session:
        found = await get(session, page)
        assert found["subject"]["id"] == dora.id
        assert next(p["presence"] for p in found["people"] if p["id"] == anna) == "left"
        await post(session, f"{page}/subject", 404, resident=people.bert.id)


# Who may --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["sam", "adam"])
async def test_strangers_and_administrators_are_kept_out(server: Server, people: World, who: str) -> None:
    """Another ward's staff find nothing, which is noted; an administrator has no business in a call."""
    visit = await started(server, people)
    participant, _ = await comes(server, visit, people.anna)
    expected = 404 if who == "sam" else 403
    async with server.signed_in(who) as browser:
        async with browser.session.get(f"/visits/{visit}") as page:
            assert page.status == expected
        answer = await browser.post("/", f"/visits/{visit}/admit", participant=str(participant))
        assert answer.status == expected
    async with api(server, who) as session:
        await get(session, f"/visits/{visit}", expected)
        await post(session, f"/visits/{visit}/admit", expected, participant=participant)
        await get(session, f"/wards/{people.north.id}/waiting", 404 if who == "sam" else 200)
    assert await audited(server.database, outcome="denied") >= 4
    async with api(server) as session:
        assert next(p["presence"] for p in (await get(session, f"/visits/{visit}"))["people"]) == "waiting"


async def test_testers_visit_simulated_residents_only(server: Server, people: World) -> None:
    async with api(server, "tess") as session:
        await post(session, f"/residents/{people.bert.id}/visits", 404)
        assert (await post(session, f"/residents/{people.anna.id}/visits"))["new"]


async def test_a_colleague_helps_in_the_same_visit(server: Server, people: World) -> None:
    """Two of the ward see the same visit; each is there once, however often they open the page."""
    await member(server.database, "cleo", people.north)
    visit = await started(server, people)
    for name in ("clara", "cleo", "clara"):
        async with server.signed_in(name) as browser:
            await opened(browser, f"/visits/{visit}")
    async with api(server) as session:
        assert [p["name"] for p in (await get(session, f"/visits/{visit}"))["people"]] == ["Clara", "Cleo"]


async def opened(browser: Browser, path: str) -> str:
    async with browser.session.get(path) as page:
        assert page.status == 200
        return await page.text()
