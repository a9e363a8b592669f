"""The sockets of a visit: who may say what, and what each is told."""

from __future__ import annotations

import json
from uuid import uuid4

from telehealth.store import consultations, messages
from telehealth.web.calls import call_messages
from tests.integration.calls.conftest import CHECK, NOW, WEB, Clinic
from tests.integration.web.conftest import audited


async def test_a_resident_waits_is_let_in_and_talks(clinic: Clinic) -> None:
    visit = await clinic.visit()
    guest, nurse = await clinic.waits(visit), await clinic.nurse(visit)
    assert guest.state["visit"]["people"] == []
    shown = await nurse.shows(lambda s: any(p["presence"] == "waiting" and p["ready"] for p in s["visit"]["people"]))
    anna = next(p for p in shown["visit"]["people"] if p["role"] == "resident")
    assert (anna["reason"], anna["identity"], anna["ready"]) == ("my knee", "birth_date", CHECK)
    assert shown["visit"]["subject"]["nhs_number"] == clinic.anna.nhs_number
    await nurse.joins()
    await clinic.admit(visit, guest)
    await guest.joins()
    state = await guest.shows(lambda s: len(s["visit"]["people"]) == 2 and s["visit"]["state"] == "live")
    assert clinic.anna.nhs_number not in json.dumps(state)
    assert "1950" not in json.dumps(state)
    await nurse.shows(lambda s: s["visit"]["state"] == "live")
    assert clinic.sfu.inside(visit) == {guest.me, nurse.me}
    events = await clinic.events(visit)
    assert [e for e in events if e in ("arrived", "admitted")] == ["arrived", "admitted"]
    assert events.count("joined") == 2


async def test_what_people_do_inside_is_seen_by_the_others(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    await guest.say("media", audio=False, video=True, screen=False)
    await guest.say("hand", up=True)
    await guest.say("chat", key=str(uuid4()), text="Good morning", to=None)
    shown = await nurse.shows(lambda s: s["visit"]["messages"])
    anna = next(p for p in shown["visit"]["people"] if p["id"] == guest.me)
    assert (anna["audio"], anna["consent"], anna["hand_at"] is not None) == (False, None, True)
    assert shown["visit"]["messages"][0]["text"] == "Good morning"
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.mute(connection, visit, guest.me, True, actor=clinic.actor, now=NOW)
    await guest.shows(lambda s: s["visit"]["people"] and any(p["muted_by_host"] for p in s["visit"]["people"]))
    await guest.say("media", audio=True, video=True, screen=False)
    await guest.shows(lambda s: all(p["audio"] for p in s["visit"]["people"]))
    allowed = next(iter(clinic.sfu.rooms.values()))[guest.me]
    assert not allowed.audio  # by the host, whatever the browser says


async def test_the_unadmitted_may_only_wait(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse = await clinic.nurse(visit)
    await nurse.joins()
    for t, more in (
        ("offer", {"epoch": 1, "sdp": "v=0 offer", "restart": False}),
        ("media", {"audio": True, "video": True, "screen": False}),
        ("hand", {"up": True}),
        ("chat", {"key": str(uuid4()), "text": "hello", "to": None}),
        ("consent", {"recording": True}),
    ):
        guest = await clinic.waits(visit)
        await guest.say(t, **more)
        await guest.heard("refused", about=t)
        assert f"refused_{t}" in await clinic.events(visit)
        assert guest.state["visit"]["people"] == []
        await guest.say("ping", n=7)
        await guest.heard("pong", n=7)
    assert clinic.sfu.inside(visit) == {nurse.me}
    assert nurse.code is None


async def test_somebody_who_waits_answers_the_ward_and_nobody_else_reads_it(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, inside = await clinic.live(visit)
    guest = await clinic.waits(visit, role="family")
    async with clinic.database.transaction(clinic.actor) as connection:
        await messages.say(
            connection, visit, nurse.me, "One moment please", key=uuid4(), to=guest.me, actor=clinic.actor, now=NOW
        )
    await guest.shows(lambda s: s["visit"]["messages"])
    await guest.say("chat", key=str(uuid4()), text="Of course", to=None)
    await nurse.shows(lambda s: len(s["visit"]["messages"]) == 2)
    await inside.say("chat", key=str(uuid4()), text="Is somebody there?", to=None)
    shown = await inside.shows(lambda s: s["visit"]["messages"])
    assert [m["text"] for m in shown["visit"]["messages"]] == ["Is somebody there?"]
    assert len(guest.state["visit"]["messages"]) == 2


NOT_OURS = (
    "not json",
    "[]",
    "{}",
    json.dumps({"t": "offer", "epoch": 99, "sdp": "v=0", "restart": False}),
    json.dumps({"t": "offer", "epoch": 1, "sdp": "v=0", "role": "staff"}),
    json.dumps({"t": "media", "audio": True, "video": True, "screen": False, "participant": 1}),
    json.dumps({"t": "hand", "up": "yes"}),
    json.dumps({"t": "admit", "participant": 1}),
    json.dumps({"t": "chat", "key": str(uuid4()), "text": "x" * 2001, "to": None}),
    json.dumps({"t": "chat", "key": str(uuid4()), "text": "hello", "to": 1}),
    json.dumps({"t": "offer", "epoch": 1, "sdp": "nothing of the sort", "restart": False}),
    json.dumps({"t": "offer", "epoch": 1, "sdp": "v" * 70_000, "restart": False}),
    "x" * (call_messages.MOST_BYTES + 1),
    "[" * 20_000,
)


async def test_what_is_not_ours_is_refused_and_the_third_ends_the_line(clinic: Clinic) -> None:
    """The room goes on, and so does whoever comes back with something better to say."""
    visit = await clinic.visit()
    nurse = await clinic.nurse(visit)
    await nurse.joins()
    browser, path = await clinic.guest(visit)
    guest = await clinic.call(browser, f"/ws{path}")
    await guest.presence("checking")
    await guest.say("ready", check=CHECK, reason="")
    await guest.presence("waiting")
    await clinic.admit(visit, guest)
    await guest.joins()
    noted = 0
    for text in NOT_OURS:
        await guest.ws.send_str(text)
        await guest.heard("refused")
        assert guest.code is None
        await guest.ws.send_str(text)
        await guest.ws.send_str(text)
        assert await guest.ended() == 1008
        noted += 3
        assert sum(event.startswith("refused_") for event in await clinic.events(visit)) == noted, text[:60]
        assert await audited(clinic.database, action="visit.message", outcome="denied") == noted
        assert clinic.sfu.inside(visit) == {nurse.me, guest.me}
        guest = await clinic.call(browser, f"/ws{path}")
        await guest.presence("joined")
        await nurse.say("ping", n=noted)
        await nurse.heard("pong", n=noted)


async def test_bytes_and_floods_end_the_line(clinic: Clinic) -> None:
    visit = await clinic.visit()
    guest = await clinic.waits(visit)
    for _ in range(3):
        await guest.ws.send_bytes(b"\x00" * 10)
    assert await guest.ended() == 1008
    guest = await clinic.waits(visit)
    for n in range(200):
        await guest.say("ping", n=n)
    assert await guest.ended() == 1008
    guest = await clinic.waits(visit)
    await guest.ws.send_str("x" * (call_messages.HARD_BYTES + 1))
    assert await guest.ended() == 1009
    assert "refused_message" in await clinic.events(visit)


async def test_staff_of_another_ward_do_not_get_in(clinic: Clinic) -> None:
    visit = await clinic.visit()
    async with clinic.web[0].signed_in("sam") as browser:
        ws = await browser.session.ws_connect(f"/ws/visits/{visit}", headers={"Origin": browser.url})
        await ws.receive()
        assert ws.close_code == 4403
    assert await audited(clinic.database, action="visit.socket", outcome="denied") == 1


async def test_a_second_window_takes_over(clinic: Clinic) -> None:
    visit = await clinic.visit()
    browser, path = await clinic.guest(visit)
    first = await clinic.call(browser, f"/ws{path}")
    await first.presence("checking")
    second = await clinic.call(browser, f"/ws{path}")
    await second.presence("checking")
    await first.heard("bye", why="taken_over")
    assert await first.ended() == 1000
    # also at another process: cookies are of the host, whatever the port
    cookies = {c.key: c.value for c in browser.session.cookie_jar}
    other = await clinic.browser(1)
    other.session.cookie_jar.update_cookies(cookies)
    third = await clinic.call(other, f"/ws{path}")
    await third.presence("checking")
    await second.heard("bye", why="taken_over")


async def test_a_page_that_is_loaded_again_goes_on_where_it_was(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse = await clinic.nurse(visit)
    await nurse.joins()
    browser, path = await clinic.guest(visit)
    for presence in ("checking", "waiting", "admitted", "joined"):
        call = await clinic.call(browser, f"/ws{path}")
        await call.presence(presence)
        if presence == "checking":
            await call.say("ready", check=CHECK, reason="")
            await call.presence("waiting")
        elif presence == "waiting":
            await clinic.admit(visit, call)
        elif presence == "admitted":
            await call.joins()
        await call.ws.close()
    assert (await clinic.events(visit)).count("arrived") == 1
    # a visit that takes longer than its link is worth goes on for whoever is in it
    async with clinic.database.transaction(WEB) as connection:
        await connection.execute("UPDATE join_link SET expires_at = '2020-01-01'")
    call = await clinic.call(browser, f"/ws{path}")
    await call.presence("joined")
    await call.say("leave")
    await call.heard("bye", why="ended")
    call = await clinic.call(browser, f"/ws{path}")
    await call.heard("bye", why="expired")


async def test_whoever_leaves_or_is_put_out_is_told_and_gone(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    other = await clinic.waits(visit, role="family")
    await clinic.admit(visit, other)
    await other.joins()
    await guest.say("leave")
    await guest.heard("bye", why="ended")
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.back_to_waiting(connection, visit, other.me, actor=clinic.actor, now=NOW)
    state = await other.presence("waiting")
    assert state["visit"]["people"] == []
    await nurse.shows(lambda s: sum(p["presence"] == "joined" for p in s["visit"]["people"]) == 1)
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.remove(connection, visit, other.me, actor=clinic.actor, now=NOW)
    await other.heard("bye", why="removed")
    await nurse.say("leave")
    await nurse.presence("left")
    assert nurse.code is None  # beside the record
    await nurse.until(lambda: clinic.sfu.inside(visit) == set())


async def test_nobody_is_in_two_visits(clinic: Clinic) -> None:
    first, second = await clinic.visit(), await clinic.visit(clinic.bert)
    nurse = await clinic.nurse(first)
    await nurse.joins()
    other = await clinic.nurse(second)
    state = await other.shows(lambda s: s["visit"]["room"] is not None)
    await other.say("offer", epoch=state["visit"]["room"]["epoch"], sdp="v=0", restart=False)
    assert "another video visit" in (await other.heard("refused", about="offer"))["why"]
    assert clinic.sfu.inside(second) == set()
    # nor does what is meant for one resident's room reach that of another
    await other.say("chat", key=str(uuid4()), text="Lie down, please", to=None)
    assert "another video visit" in (await other.heard("refused", about="chat"))["why"]


async def test_a_ward_round_is_about_one_resident_at_a_time(clinic: Clinic) -> None:
    visit = await clinic.visit(clinic.anna, clinic.bert, kind="ward_round")
    nurse, anna = await clinic.live(visit)
    bert = await clinic.waits(visit, clinic.bert)
    daughter = await clinic.waits(visit, role="family")
    await clinic.admit(visit, daughter)
    await daughter.joins()
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.switch_subject(connection, visit, clinic.bert.id, actor=clinic.actor, now=NOW)
    for gone in (anna, daughter):
        await gone.heard("bye", why="ended")
    shown = await nurse.shows(lambda s: s["visit"]["subject"]["id"] == clinic.bert.id)
    assert {p["id"] for p in shown["visit"]["people"] if p["presence"] == "joined"} == {nurse.me}
    await nurse.until(lambda: clinic.sfu.inside(visit) == {nurse.me})
    await clinic.admit(visit, bert)
    await bert.joins()
    state = await bert.shows(lambda s: len(s["visit"]["people"]) == 2)
    for secret in (clinic.anna.nhs_number, clinic.bert.nhs_number):
        assert secret not in json.dumps(bert.told)
    assert {s["id"] for s in state["visit"]["subjects"]} == {clinic.bert.id}


async def test_the_service_stops_and_says_so(clinic: Clinic) -> None:
    visit = await clinic.visit()
    guest = await clinic.waits(visit)
    await clinic.web[0].app.shutdown()
    await guest.heard("bye", why="service")
    assert await guest.ended() == 1001
