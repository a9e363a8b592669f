"""How video visits end: what is written into whose record, what is left to be done, and who is told."""

from __future__ import annotations

import re

from telehealth.web.visits import visits_models
from tests.integration.web.conftest import Server, World
from tests.integration.web.test_visits import api, comes, get, joins, post, started
from tests.support import world


async def test_a_visit_is_ended_and_written_into_the_record(server: Server, people: World) -> None:
    """Outcome, coding, words to the resident, notes, a follow-up; sent twice, it is written once."""
    visit = await started(server, people)
    participant, _ = await comes(server, visit, people.anna)
    page = f"/visits/{visit}"
    anna = people.anna.id
    async with server.signed_in("clara") as browser:
        await browser.post(page, f"{page}/admit", participant=str(participant))
        await joins(server, visit, participant)
        await browser.post(page, f"{page}/notes", resident=str(anna), text="chest clear", version="0")
        typed = {
            f"coding_{anna}": "185317003",
            f"summary_{anna}": "Drink more, please.",
            f"follow_up_{anna}": "Ring the chemist",
            f"follow_up_due_{anna}": "soon",
        }
        wrong = await browser.post(f"{page}/end", f"{page}/end", **typed)
        text = await wrong.text()
        assert wrong.status == 422
        assert "Choose what came of it" in text
        assert "Enter the day like this" in text
        assert "Drink more, please." in text
        assert 'value="185317003"' in text
        assert 'value="soon"' in text
        typed |= {f"follow_up_due_{anna}": "05-Mar-2026", "outcome": "advice"}
        done = await browser.post(f"{page}/end", f"{page}/end", **typed)
        encounter = done.headers["Location"].partition("?")[0]
        assert done.status == 303
        assert encounter.startswith("/encounters/")
        again = await browser.session.post(
            f"{page}/end",
            data={"csrf": await browser.csrf("/"), **typed},
            headers={"Origin": server.url},
            allow_redirects=False,
        )
        assert again.headers["Location"] == page
        for path in (encounter, f"/residents/{anna}"):
            async with browser.session.get(path) as answer:
                text = await answer.text()
                assert "Ring the chemist" in text, path
                assert "Advice given" in text, path
        async with browser.session.get(page) as answer:
            assert encounter in await answer.text()
        ward = f"/wards/{people.north.id}/visits"
        async with browser.session.get(ward) as answer:
            task = re.search(r'action="(/follow-ups/\d+/done)"', await answer.text())
        assert task is not None
        for _ in range(2):
            ticked = await browser.session.post(
                task[1],
                data={"csrf": await browser.csrf(ward), "next": ward},
                headers={"Origin": server.url},
                allow_redirects=False,
            )
            assert ticked.headers["Location"] == f"{ward}?done=ticked"
        async with browser.session.get(ward) as answer:
            assert "Nothing is left to do" in await answer.text()
    async with api(server) as session:
        found = await get(session, f"/residents/{anna}/encounters")
        visits_models.Encounters.model_validate(found)
        (one,) = found["items"]
        assert (one["outcome"], one["coding"], one["summary"]) == ("advice", "185317003", "Drink more, please.")
        assert [(n["text"], n["by"]) for n in one["notes"]] == [("chest clear", "Clara")]
        assert [(f["what"], f["due_on"], f["done_by"]) for f in one["follow_ups"]] == [
            ("Ring the chemist", "2026-03-05", "Clara")
        ]
        assert await get(session, f"/encounters/{one['id']}") == one
        await post(session, f"/visits/{visit}/admit", 409, participant=participant)
        await post(session, f"/visits/{visit}/end", 409, outcome="advice")
        assert (await get(session, f"/residents/{anna}/encounters?limit=1&cursor={one['id']}"))["items"] == []
        await get(session, f"/residents/{anna}/encounters?cursor=x", 422)


async def test_contacts_are_written_to(server: Server, people: World) -> None:
    """Added and removed by form and API; the words to the resident go to their own address if somebody ticks it."""
    anna = people.anna.id
    path = f"/residents/{anna}/contacts"
    async with server.signed_in("clara") as browser:
        page = f"/residents/{anna}"
        typed = {"contact-relation": "self", "contact-name": "Anna", "contact-email": "anna at home"}
        wrong = await browser.post(page, path, **typed)
        text = await wrong.text()
        assert wrong.status == 422
        assert "Enter an e-mail address" in text
        assert 'value="anna at home"' in text
        typed["contact-email"] = "anna@example.org"
        assert (await browser.post(page, path, **typed)).headers["Location"] == f"{page}?done=contact"
        again = await browser.post(page, path, **typed)
        assert again.status == 409
        visit = await started(server, people)
        ended = f"/visits/{visit}/end"
        told = {"outcome": "advice", f"summary_{anna}": "Drink more, please.", f"mail_{anna}": "on"}
        assert (await browser.post(ended, ended, **told)).status == 303
    async with api(server) as session:
        found = await get(session, path)
        visits_models.Contacts.model_validate(found)
        assert [(one["email"], one["reminders"]) for one in found["items"]] == [("anna@example.org", False)]
        await post(session, path, 422, relation="self", name="Anna", email="nowhere")
        left = await post(session, f"/contacts/{found['items'][0]['id']}/remove")
        assert left["items"] == []
        await post(session, f"/contacts/{found['items'][0]['id']}/remove", 404)
    async with server.database.transaction(world.ACTOR) as connection:
        mails = await connection.fetch("SELECT about, to_address, body FROM mail")
    assert [(row["about"], row["to_address"]) for row in mails] == [("summary", "anna@example.org")]
    assert "Drink more, please." in mails[0]["body"]


async def test_a_round_writes_each_residents_own(server: Server, people: World) -> None:
    """Only those whose turn came, or of whom something was written; the next visit is offered filled in."""
    dora, eve = [await world.resident(server.database, people.north) for _ in range(2)]
    visit = await started(server, people, people.anna, dora, eve, kind="ward_round")
    async with api(server) as session:
        await post(session, f"/visits/{visit}/notes", resident=dora.id, text="of Dora", version=0)
        await post(session, f"/visits/{visit}/subject", resident=dora.id)
    async with server.signed_in("clara") as browser:
        page = f"/visits/{visit}/end"
        done = await browser.post(page, page, outcome="completed", **{f"next_{dora.id}": "on"})
        assert done.headers["Location"].startswith(f"/wards/{people.north.id}/visits/new?resident={dora.id}")
        async with browser.session.get(done.headers["Location"]) as answer:
            assert re.search(rf'name="resident_{dora.id}"[^>]* checked', await answer.text())
    async with api(server) as session:
        notes = {}
        for one in (people.anna, dora, eve):
            found = (await get(session, f"/residents/{one.id}/encounters"))["items"]
            notes[one.id] = [[n["text"] for n in e["notes"]] for e in found]
        assert notes[dora.id] == [["of Dora"]]
        assert notes[eve.id] == []
        assert "of Dora" not in str(notes[people.anna.id])
