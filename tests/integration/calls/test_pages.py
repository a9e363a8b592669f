"""One person, several pages: which of them has the place in the visit, and when a closed one gives it up."""

from __future__ import annotations

from uuid import uuid4

from tests.integration.calls.conftest import Clinic, press


async def test_a_second_page_asks_before_it_takes_the_place(clinic: Clinic) -> None:
    visit = await clinic.visit()
    browser, path = await clinic.guest(visit)
    first, second = uuid4(), uuid4()
    call = await clinic.call(browser, f"/ws{path}?tab={first}")
    await call.presence("checking")
    other = await clinic.call(browser, f"/ws{path}?tab={second}")
    await other.heard("bye", why="elsewhere")
    await call.say("ping", n=1)
    await call.heard("pong", n=1)
    # the same page again, after a break of which the service has not heard yet
    again = await clinic.call(browser, f"/ws{path}?tab={first}")
    await again.presence("checking")
    await call.heard("bye", why="taken_over")
    # "Go on here"
    here = await clinic.call(browser, f"/ws{path}?tab={second}&take=1")
    await here.presence("checking")
    await again.heard("bye", why="taken_over")


async def test_a_closed_page_is_in_nobodys_way(clinic: Clinic) -> None:
    visit = await clinic.visit()
    browser, path = await clinic.guest(visit)
    call = await clinic.call(browser, f"/ws{path}?tab={uuid4()}")
    await call.presence("checking")
    await call.ws.close()
    before = (await clinic.events(visit)).count("opened")
    async with clinic.database.transaction(clinic.actor, read_only=True) as connection:
        while await connection.fetchval("SELECT count(*) FROM participant WHERE socket IS NOT NULL"):
            await connection.execute("SELECT pg_sleep(0.01)")
    other = await clinic.call(browser, f"/ws{path}?tab={uuid4()}")
    await other.presence("checking")
    assert (await clinic.events(visit)).count("opened") == before


async def test_who_a_page_is_is_all_that_it_says(clinic: Clinic) -> None:
    visit = await clinic.visit()
    browser, path = await clinic.guest(visit)
    for query in ("tab=1", "tab=", "take=2", "take=1&take=1&take=1", "tab=x&role=staff", "participant=1"):
        async with browser.session.get(f"/ws{path}?{query}", headers=UPGRADE) as response:
            assert response.status == 400, query


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def test_staff_who_closed_a_visits_page_go_on_to_the_next_at_once(clinic: Clinic) -> None:
    first = await clinic.visit()
    second = await clinic.visit(clinic.bert)
    nurse, guest = await clinic.live(first)
    browser = await clinic.stack.enter_async_context(clinic.web[0].signed_in("clara"))
    async with browser.session.get(f"/visits/{second}") as response:
        assert response.status == 409  # in the first one, with its page open
    await nurse.ws.close()
    await guest.shows(lambda s: any(p["role"] == "staff" and p["quality"] == "lost" for p in s["visit"]["people"]))
    # the page that was closed may come back: until then it is as with a broken line
    async with browser.session.get(f"/visits/{second}") as response:
        assert response.status == 200
    await guest.shows(lambda s: not any(p["role"] == "staff" for p in s["visit"]["people"]))
    assert clinic.sfu.inside(first) == {guest.me}
    again = await clinic.nurse(second)
    await again.joins()
    assert (await clinic.events(first)).count("left") == 1


async def test_whose_page_is_closed_is_shown_as_away(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    waiting = await clinic.waits(visit, role="family")
    me, other = guest.me, waiting.me
    await guest.ws.close()
    await waiting.ws.close()
    await nurse.shows(lambda s: {p["id"] for p in s["visit"]["people"] if p["away"]} == {me, other})
    # without a script there is no socket that could be missing
    browser, path = await clinic.guest(visit, role="carer")
    async with press(browser, f"{path}/wait", reason="") as response:
        assert response.status == 303
    state = await nurse.shows(lambda s: any(p["role"] == "carer" for p in s["visit"]["people"]))
    assert not next(p for p in state["visit"]["people"] if p["role"] == "carer")["away"]
