"""Links: what a scanner, a second browser, a stranger and somebody who guesses get."""

from __future__ import annotations

from datetime import timedelta

import aiohttp

from telehealth import clock
from telehealth.model import appointments as times
from telehealth.model import mails
from telehealth.store import appointments, consultations, links, visit_desk
from telehealth.web.calls import rooms
from tests.integration.calls.conftest import BORN, CHECK, NOW, WRONG, Clinic, press
from tests.integration.web.conftest import audited


async def test_a_program_that_looks_at_mails_changes_nothing(clinic: Clinic) -> None:
    visit = await clinic.visit()
    token = await clinic.link(visit)
    before = await clinic.events(visit)
    async with clinic.database.transaction(clinic.actor) as connection:
        link = await links.find(connection, token)
    scanner = await clinic.browser()
    for _ in range(10):
        async with scanner.session.get(f"/join/{token}") as response:
            assert response.status == 200
            assert "Set-Cookie" not in response.headers
            assert token not in await response.text()
            assert response.headers["Referrer-Policy"] == "strict-origin"
            assert response.headers["Cache-Control"] == "no-store"
        async with scanner.session.head(f"/join/{token}") as response:
            assert response.status == 200
    assert await clinic.events(visit) == before
    async with clinic.database.transaction(clinic.actor) as connection:
        assert await links.find(connection, token) == link
    # and the resident gets in afterwards
    _, path = await clinic.enter(token)
    assert link is not None
    assert path == f"/visit/{link.id}"


async def test_the_button_binds_the_link_to_its_browser(clinic: Clinic) -> None:
    visit = await clinic.visit()
    token = await clinic.link(visit)
    browser, path = await clinic.enter(token)
    async with browser.session.get(path) as response:
        assert response.status == 200
        assert "When were you born" in await response.text()
        assert "camera=(self)" in response.headers["Permissions-Policy"]
        assert "media-src 'self' blob:" in response.headers["Content-Security-Policy"]
    # the same browser again goes in; another does not, and staff are told
    await clinic.enter(token, browser)
    other = await clinic.browser()
    async with press(other, f"/join/{token}") as response:
        assert response.status == 403
        assert "another device" in await response.text()
        assert token not in await response.text()
    async with other.session.get(path) as response:
        assert response.status == 404
    assert (await clinic.events(visit)).count("refused_browser") == 1
    assert await audited(clinic.database, action="visit.link", outcome="denied") == 1


async def test_staff_let_another_browser_in_and_the_first_is_out(clinic: Clinic) -> None:
    visit = await clinic.visit()
    token = await clinic.link(visit)
    first, path = await clinic.enter(token)
    async with press(first, f"{path}/birth", **BORN) as response:
        assert response.status == 303
    call = await clinic.call(first, f"/ws{path}")
    await call.presence("checking")
    async with clinic.database.transaction(clinic.actor) as connection:
        await links.allow_another(connection, int(path.rpartition("/")[2]), actor=clinic.actor, now=NOW)
    second, _ = await clinic.enter(token)
    again = await clinic.call(second, f"/ws{path}")
    # whose date of birth was right already is not asked again, because staff know who they let in
    await again.presence("checking")
    await call.heard("bye", why="taken_over")
    async with first.session.get(path) as response:
        assert response.status == 404
    async with press(first, f"/join/{token}") as response:
        assert response.status == 403


async def test_the_device_before_hears_and_sees_nothing_more(clinic: Clinic) -> None:
    """From when another one has its link, not from when that one is in the room; which goes on without the ward."""
    visit = await clinic.visit()
    nurse = await clinic.nurse(visit)
    await nurse.joins()
    token = await clinic.link(visit, role="family")
    first, path = await clinic.enter(token)
    call = await clinic.call(first, f"/ws{path}")
    await call.presence("checking")
    await call.say("ready", check=CHECK, reason="")
    await call.presence("waiting")
    await clinic.admit(visit, call)
    await call.joins()
    async with clinic.database.transaction(clinic.actor) as connection:
        await links.allow_another(connection, int(path.rpartition("/")[2]), actor=clinic.actor, now=NOW)
    second, _ = await clinic.enter(token)
    await clinic.web[0].app[rooms.ROOMS].beat()
    await call.heard("bye", why="taken_over")
    await nurse.until(lambda: clinic.sfu.inside(visit) == {nurse.me})
    again = await clinic.call(second, f"/ws{path}")
    await again.presence("admitted")
    await again.joins()
    assert clinic.sfu.inside(visit) == {nurse.me, again.me}


async def test_a_link_that_is_none_is_kindly_refused(clinic: Clinic) -> None:
    browser = await clinic.browser()
    for token in ("x", "x" * 43, "%00", "%3Cscript%3E", "a/b", "A" * 200, "A" * 300):
        for method in ("GET", "POST"):
            async with browser.session.request(method, f"/join/{token}", headers={"Origin": browser.url}) as response:
                assert response.status == 404
                text = await response.text()
                assert "<script>" not in text
                assert len(token) < 10 or token not in text


async def test_links_end(clinic: Clinic) -> None:
    visit = await clinic.visit()
    expired, ended = await clinic.link(visit, hours=-0.01), await clinic.link(visit)
    browser = await clinic.browser()
    for method in ("GET", "POST"):
        async with browser.session.request(method, f"/join/{expired}", headers={"Origin": browser.url}) as response:
            assert response.status == 410
    bound, path = await clinic.enter(ended)
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.cancel(connection, visit, actor=clinic.actor, now=NOW)
    async with browser.session.get(f"/join/{ended}") as response:
        assert response.status == 410
        assert "over" in await response.text()
    async with bound.session.get(path) as response:
        assert response.status == 200
        assert "Your visit is over" in await response.text()
    ws = await bound.session.ws_connect(f"/ws{path}", headers={"Origin": bound.url})
    assert (await ws.receive_json()) == {"t": "bye", "why": "ended"}


async def test_a_role_cannot_be_asked_for(clinic: Clinic) -> None:
    visit = await clinic.visit()
    token = await clinic.link(visit)
    browser = await clinic.browser()
    async with press(browser, f"/join/{token}", role="staff") as response:
        assert response.status == 404
    async with press(browser, f"/join/{token}?role=staff") as response:
        assert response.status == 404
    uploads = aiohttp.FormData()
    uploads.add_field("role", "staff", filename="role.txt")
    for body in ({"json": {"role": "staff"}}, {"data": uploads}, {"data": b"role=staff"}):
        async with browser.session.post(f"/join/{token}", headers={"Origin": browser.url}, **body) as response:
            assert response.status == 404
    assert await denials(clinic) == 5
    _, path = await clinic.enter(token, browser)
    async with press(browser, f"{path}/birth", **BORN) as response:
        assert response.status == 303
    for query in ("role=staff", "participant=1", "tab=1&take=1&role=staff"):
        async with browser.session.get(f"/ws{path}?{query}") as response:
            assert response.status == 400
    assert await denials(clinic) == 8
    call = await clinic.call(browser, f"/ws{path}")
    assert (await call.presence("checking"))["you"]["role"] == "resident"


async def test_another_sites_button_does_nothing(clinic: Clinic) -> None:
    visit = await clinic.visit()
    token = await clinic.link(visit)
    browser = await clinic.browser()
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        async with browser.session.post(f"/join/{token}", headers=headers, allow_redirects=False) as response:
            assert response.status == 403
    browser, path = await clinic.guest(visit)
    ws = await browser.session.ws_connect(f"/ws{path}", headers={"Origin": "https://evil.example"})
    await ws.receive()
    assert ws.close_code == 4403


async def test_five_wrong_dates_of_birth_lead_to_the_waiting_area_unchecked(clinic: Clinic) -> None:
    visit = await clinic.visit()
    browser, path = await clinic.enter(await clinic.link(visit))
    async with press(browser, f"{path}/birth", day="31", month="2", year="1950") as response:
        assert response.status == 422  # no date at all counts for nothing
    ws = await browser.session.ws_connect(f"/ws{path}", headers={"Origin": browser.url})
    await ws.receive()
    assert ws.close_code == 4403  # nobody waits before the date of birth was asked
    assert await denials(clinic) == 1
    for _ in range(4):
        async with press(browser, f"{path}/birth", **WRONG) as response:
            assert response.status == 422
            assert "Anna" not in await response.text()
    async with press(browser, f"{path}/birth", **WRONG) as response:
        assert response.status == 303
    async with press(browser, f"{path}/birth", **BORN) as response:
        assert response.status == 303  # too late: staff ask
    call = await clinic.call(browser, f"/ws{path}")
    state = await call.presence("checking")
    assert state["you"]["identity"] == "not_checked"
    assert state["visit"]["people"] == [] == state["visit"]["subjects"]
    nurse = await clinic.nurse(visit)
    shown = await nurse.shows(lambda state: len(state["visit"]["people"]) == 2)
    found = next(person for person in shown["visit"]["people"] if person["role"] == "resident")
    assert (found["identity"], found["wrong_births"]) == ("not_checked", 5)
    assert (await clinic.events(visit)).count("wrong_birth") == 5


async def test_what_is_no_day_is_told_in_words_and_counts_for_nothing(clinic: Clinic) -> None:
    visit = await clinic.visit()
    browser, path = await clinic.enter(await clinic.link(visit))
    for typed, said in (
        (("29", "2", "1951"), "There is no such day: February 1951 has the days 1 to 28."),
        (("1", "13", "1951"), "Enter the month as a number from 1 to 12."),
        (("1", "1", "51"), "Enter the year with four digits"),
        (("1", "May", "1951"), "Enter the date of birth as numbers"),
    ):
        fields = dict(zip(("day", "month", "year"), typed, strict=True))
        async with press(browser, f"{path}/birth", **fields) as response:
            assert response.status == 422
            assert said in await response.text()
    async with press(browser, f"{path}/birth", **BORN) as response:
        assert response.status == 303
    assert "wrong_birth" not in await clinic.events(visit)


async def test_without_javascript_one_still_gets_to_the_waiting_area(clinic: Clinic) -> None:
    visit = await clinic.visit()
    browser, path = await clinic.guest(visit)
    async with press(browser, f"{path}/wait", reason="my knee") as response:
        assert response.status == 303
    async with clinic.database.transaction(clinic.actor) as connection:
        waiting = await visit_desk.waiting(connection, clinic.ward.id, now=NOW)
    assert [(one.name, one.reason) for one in waiting] == [("Anna", "my knee")]
    async with browser.session.get(path) as response:
        assert "The ward knows that you are here" in await response.text()


async def test_one_browser_may_hold_several_links(clinic: Clinic) -> None:
    """A daughter's tablet: her mother's visit and her father's, with the same cookie."""
    first, second = await clinic.visit(), await clinic.visit(clinic.bert)
    browser, one = await clinic.enter(await clinic.link(first, role="family"))
    _, two = await clinic.enter(await clinic.link(second, clinic.bert, role="family"), browser)
    for path in (one, two):
        async with browser.session.get(path) as response:
            assert response.status == 200


async def test_another_rooms_link_opens_only_its_own(clinic: Clinic) -> None:
    first, second = await clinic.visit(), await clinic.visit(clinic.bert)
    browser, path = await clinic.guest(first)
    _, other = await clinic.guest(second, clinic.bert)
    async with browser.session.get(other) as response:
        assert response.status == 404
    ws = await browser.session.ws_connect(f"/ws{other}", headers={"Origin": browser.url})
    await ws.receive()
    assert ws.close_code == 4401
    # nor the staff's socket
    ws = await browser.session.ws_connect(f"/ws/visits/{first}", headers={"Origin": browser.url})
    await ws.receive()
    assert ws.close_code == 4401
    assert path != other


async def test_what_is_refused_is_noted(clinic: Clinic) -> None:
    """A link that has run out, of a visit that is over or far away, and somebody else's page or socket."""
    visit = await clinic.visit()
    browser, _ = await clinic.guest(visit)
    other, path = await clinic.guest(await clinic.visit(clinic.bert), clinic.bert)
    expired, early = await clinic.link(visit, hours=-0.01), await clinic.link(await planned(clinic, hours=3))
    noted = 0
    for token, status in ((expired, 410), (early, 409)):
        for looks in ({"Sec-Purpose": "prefetch"}, {"Purpose": "prefetch"}):
            async with browser.session.get(f"/join/{token}", headers=looks) as response:
                assert response.status == (200 if token == early else status)
        async with browser.session.head(f"/join/{token}") as response:
            assert response.status == (200 if token == early else status)
        assert await denials(clinic) == noted, "what only looks ahead leaves nothing"
        async with browser.session.get(f"/join/{token}") as response:
            assert response.status == (200 if token == early else status)
        # whoever opens a link that has run out finds no button there that could be pressed
        noted += token == expired
        assert await denials(clinic) == noted
        async with press(browser, f"/join/{token}") as response:
            assert response.status == status
        noted += 1
        assert await denials(clinic) == noted
    async with browser.session.get(path) as response:
        assert response.status == 404
    async with press(browser, f"{path}/birth", **BORN) as response:
        assert response.status == 404
    ws = await browser.session.ws_connect(f"/ws{path}", headers={"Origin": browser.url})
    await ws.receive()
    assert await denials(clinic) == noted + 3
    async with (await clinic.browser()).session.get(path) as response:
        assert response.status == 404
    assert await denials(clinic) == noted + 3, "who holds no link can fill nothing"
    async with other.session.get(path) as response:
        assert response.status == 200


async def denials(clinic: Clinic) -> int:
    return await audited(clinic.database, action="visit.link", outcome="denied")


async def planned(clinic: Clinic, *, hours: float) -> int:
    """A visit with an appointment so long from now."""
    new = times.New(clinic.ward.id, "one_to_one", [clinic.anna.id], NOW + timedelta(hours=hours))
    async with clinic.database.transaction(clinic.actor) as connection:
        booked = await appointments.book(
            connection, new, sender=mails.Sender(), actor=clinic.actor, now=NOW, real_now=clock.real_now()
        )
    return booked.consultation_id


async def test_the_waiting_area_opens_in_time_by_whichever_way(clinic: Clinic) -> None:
    """With a script and without: half an hour before for residents, two hours for who comes with them."""
    visit = await planned(clinic, hours=1)
    browser, path = await clinic.guest(visit)
    async with press(browser, f"{path}/wait", reason="my knee") as response:
        assert response.status == 409
        assert "The waiting area opens 30 minutes before" in await response.text()
    call = await clinic.call(browser, f"/ws{path}")
    await call.presence("checking")
    await call.say("ready", check=CHECK, reason="")
    assert "opens 30 minutes before" in (await call.heard("refused", about="ready"))["why"]
    assert (await clinic.waits(visit, role="carer")).code is None
    assert "arrived" in await clinic.events(visit)


async def test_whose_link_is_taken_back_is_out_at_once(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse = await clinic.nurse(visit)
    await nurse.joins()
    browser, path = await clinic.guest(visit, role="family")
    guest = await clinic.call(browser, f"/ws{path}")
    await guest.presence("checking")
    await guest.say("ready", check=CHECK, reason="")
    await guest.presence("waiting")
    await clinic.admit(visit, guest)
    await guest.joins()
    async with clinic.database.transaction(clinic.actor) as connection:
        link = int(path.rpartition("/")[2])
        await links.revoke(connection, link, actor=clinic.actor, now=NOW, real_now=clock.real_now())
    await guest.heard("bye")
    await nurse.until(lambda: clinic.sfu.inside(visit) == {nurse.me})
    await nurse.shows(lambda s: all(p["presence"] == "left" for p in s["visit"]["people"] if p["id"] == guest.me))
    again = await clinic.call(browser, f"/ws{path}")
    await again.heard("bye", why="expired")
