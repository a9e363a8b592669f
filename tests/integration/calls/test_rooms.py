"""Rooms: workers that go, browsers that go and come back, processes that go, and what is measured meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from telehealth.model import media
from telehealth.store import call_sockets, consultations, encounters
from telehealth.web.calls import call_room, rooms
from tests.integration.calls.conftest import CHECK, NOW, WEB, Call, Clinic, worker_of
from tests.integration.web.conftest import observe
from tests.support import world

STATS = {
    "rtt": 0.04,
    "up_loss": 0.0,
    "down_loss": 0.0,
    "jitter": 0.01,
    "freezes": 0,
    "frozen": 0.0,
    "frames": 75,
    "join": 0.8,
    "path": "host",
}


async def test_a_worker_that_goes_is_replaced_once_for_everybody(clinic: Clinic) -> None:
    """Two processes lose the same worker: everybody is told to rebuild with the same new epoch, and does."""
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    colleague = await clinic.nurse(visit, "carl", at=1)
    await colleague.joins()
    people = [nurse, guest, colleague]
    clinic.sfu.kill(await worker_of(clinic.database, visit))
    epochs = {(await one.heard("rebuild"))["epoch"] for one in people}
    assert epochs == {2}
    for one in people:
        await one.say("offer", epoch=2, sdp="v=0 offer", restart=False)
    for one in people:
        await one.heard("answer", epoch=2)
        await one.shows(lambda s: s["visit"]["room"] == {"epoch": 2})
    assert clinic.sfu.inside(visit) == {one.me for one in people}
    await asyncio.gather(*(one.presence("joined") for one in people))
    assert (await clinic.events(visit)).count("rebuilt") == 1
    for one in people:
        assert [m["epoch"] for m in one.told if m["t"] == "rebuild"] == [2]


async def test_an_offer_to_the_room_before_is_sent_to_the_new_one(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse = await clinic.nurse(visit)
    await nurse.joins()
    clinic.sfu.kill(await worker_of(clinic.database, visit))
    await nurse.say("offer", epoch=1, sdp="v=0 late", restart=True)
    await nurse.heard("rebuild", epoch=2)
    await nurse.say("offer", epoch=2, sdp="v=0 restart of nothing", restart=True)
    await nurse.until(lambda: sum(m["t"] == "rebuild" for m in nurse.told) >= 2)
    assert nurse.code is None


async def test_without_a_worker_the_room_waits_for_one(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse = await clinic.nurse(visit)
    await nurse.joins()
    async with clinic.database.transaction(WEB) as connection:
        await connection.execute("UPDATE media_worker SET seen_at = '2020-01-01'")
    clinic.sfu.kill(await worker_of(clinic.database, visit))
    await nurse.shows(lambda s: s["visit"]["room"] is None)
    await nurse.say("offer", epoch=1, sdp="v=0 offer", restart=False)
    await nurse.heard("refused", about="offer")
    async with clinic.database.transaction(WEB) as connection:
        await connection.execute("UPDATE media_worker SET seen_at = now() + interval '1 day'")
    await nurse.heard("rebuild", epoch=2)


async def test_a_full_worker_is_told_in_words_to_both(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, guest = await clinic.nurse(visit), await clinic.waits(visit)
    await nurse.joins()
    await clinic.admit(visit, guest)
    clinic.sfu.full = True
    await guest.say("offer", epoch=1, sdp="v=0 offer", restart=False)
    assert "full" in (await guest.heard("refused", about="offer"))["why"]
    assert "full" in (await nurse.heard("refused", about="visit"))["why"]
    clinic.sfu.full = False
    await guest.joins()


async def test_a_lost_connection_shows_and_the_place_is_kept_for_a_while(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    clinic.sfu.tell(media.Connected(visit, 1, guest.me, "silent"))
    await nurse.shows(lambda s: quality(s, guest) == "lost")
    clinic.sfu.tell(media.Connected(visit, 1, guest.me, "up"))
    await nurse.shows(lambda s: quality(s, guest) != "lost")
    who = guest.me
    await guest.ws.close()
    await nurse.shows(lambda s: any(p["id"] == who and p["quality"] == "lost" for p in s["visit"]["people"]))
    async with clinic.database.transaction(WEB) as connection:
        await connection.execute(
            "UPDATE participant SET seen_at = seen_at - $2::interval WHERE id = $1", who, call_room.GONE
        )
    # not yet: a database that was away a moment ago has heard of nobody
    [served] = [server.app[rooms.ROOMS] for server in clinic.web]
    await served.sweep()
    await nurse.shows(lambda s: any(p["id"] == who and p["presence"] == "joined" for p in s["visit"]["people"]))
    # nobody has heard of it for long enough: whichever process, the place is free, and no new admission is needed
    monkeypatch.setattr(rooms, "STEADY_SECONDS", 0.0)
    await served.sweep()
    shown = await nurse.shows(lambda s: all(p["presence"] != "joined" for p in s["visit"]["people"] if p["id"] == who))
    assert next(p["presence"] for p in shown["visit"]["people"] if p["id"] == who) == "admitted"
    assert shown["visit"]["state"] == "interrupted"
    await nurse.until(lambda: clinic.sfu.inside(visit) == {nurse.me})


def quality(state: dict[str, Any], who: Call) -> str | None:
    found: str | None = next(p["quality"] for p in state["visit"]["people"] if p["id"] == who.me)
    return found


async def test_a_process_that_dies_leaves_nothing_to_be_repaired(clinic: Clinic) -> None:
    """Its sockets are gone without a word; the browsers come to another process and the room is where it was."""
    visit = await clinic.visit()
    browser, path = await clinic.guest(visit)
    nurse = await clinic.nurse(visit)
    await nurse.joins()
    guest = await clinic.call(browser, f"/ws{path}")
    await guest.presence("checking")
    await guest.say("ready", check=CHECK)
    await guest.presence("waiting")
    await clinic.admit(visit, guest)
    await guest.joins()
    other = await clinic.browser(1)
    other.session.cookie_jar.update_cookies({c.key: c.value for c in browser.session.cookie_jar})
    again = await clinic.call(other, f"/ws{path}")
    state = await again.presence("joined")
    assert state["visit"]["room"] == {"epoch": 1}
    assert not [m for m in again.told if m["t"] == "rebuild"]
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.remove(connection, visit, again.me, actor=clinic.actor, now=NOW)
    await again.heard("bye", why="removed")
    await nurse.until(lambda: clinic.sfu.inside(visit) == {nurse.me})


async def test_what_is_measured_is_shown_in_a_word_and_kept(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    await guest.say("stats", **STATS)
    await nurse.shows(lambda s: quality(s, guest) == "good")
    await guest.say("stats", **{**STATS, "down_loss": 0.3})
    await nurse.shows(lambda s: quality(s, guest) == "poor")
    assert guest.state["visit"]["people"]
    async with clinic.database.transaction(WEB, read_only=True) as connection:
        kept = (await consultations.load(connection, visit)).participant(guest.me).quality
    assert kept is not None
    assert (kept["join"], kept["path"], kept["seconds"], kept["now"]) == (0.8, "host", 10.0, "poor")
    assert 1 <= kept["mos"] <= 4.5


async def test_time_without_pictures_is_as_long_as_it_was(clinic: Clinic) -> None:
    """A worker tells how it goes every two seconds, a browser every five."""
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    clinic.sfu.tell(
        media.Quality(
            visit, 1, guest.me, up_loss=0.0, down_loss=0.0, round_trip=0.04, up_rate=1.0, down_rate=1.0, audio_only=True
        )
    )
    await nurse.shows(lambda s: quality(s, guest) == "good")
    async with clinic.database.transaction(WEB, read_only=True) as connection:
        kept = (await consultations.load(connection, visit)).participant(guest.me).quality
    assert kept is not None
    assert kept["seconds"] == kept["audio_only_seconds"] == media.QUALITY_SECONDS


async def test_readings_that_come_in_during_the_visit_are_offered(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, _guest = await clinic.live(visit)
    await nurse.shows(lambda s: s["visit"]["state"] == "live")
    await observe(clinic.database, clinic.bert, world.spo2(90.0, NOW + timedelta(seconds=1)))
    await observe(clinic.database, clinic.anna, world.spo2(93.0, NOW + timedelta(seconds=2)))
    shown = await nurse.shows(lambda s: s["visit"]["readings"])
    assert [(r["code"], r["value"], r["state"]) for r in shown["visit"]["readings"]] == [("spo2", 93.0, "offered")]


async def test_the_page_that_waits_rings(clinic: Clinic) -> None:
    visit = await clinic.visit()
    guest = await clinic.waits(visit)
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.note_event(connection, visit, "rang", actor=clinic.actor, now=NOW)
    await guest.heard("ring")


async def test_who_speaks_and_whose_picture_comes_first(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    other = await clinic.waits(visit, role="interpreter")
    await clinic.admit(visit, other)
    await other.joins()
    clinic.sfu.tell(media.Speaking(visit, 1, other.me))
    await guest.heard("speaking", participant=other.me)
    clinic.sfu.tell(media.Slots(visit, 1, guest.me, {"3": media.Slot(nurse.me, "video")}))
    assert (await guest.heard("slots"))["slots"] == {"3": {"participant": nurse.me, "source": "video"}}
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.pin(connection, visit, other.me, True, actor=clinic.actor, now=NOW)
    await guest.shows(lambda s: any(p["pinned"] for p in s["visit"]["people"]))
    await guest.until(lambda: clinic.sfu.orders.get((visit, guest.me)) == [other.me, nurse.me])


async def test_the_end_closes_the_room_and_the_links(clinic: Clinic) -> None:
    visit = await clinic.visit()
    nurse, guest = await clinic.live(visit)
    async with clinic.database.transaction(clinic.actor) as connection:
        await consultations.end(
            connection, visit, encounters.Ending("advice", {}), actor=clinic.actor, now=NOW + timedelta(minutes=5)
        )
    await guest.heard("bye", why="ended")
    await nurse.heard("bye", why="ended")
    assert (visit, 1) in clinic.sfu.closed


async def test_signing_out_ends_the_staffs_socket(clinic: Clinic) -> None:
    visit = await clinic.visit()
    async with clinic.web[0].signed_in("clara") as browser:
        call = await clinic.call(browser, f"/ws/visits/{visit}")
        await call.presence("waiting")
        csrf = await browser.csrf("/")
        async with browser.session.post("/sign-out", data={"csrf": csrf}, headers={"Origin": browser.url}):
            pass
        assert await call.ended() == 4401


async def test_two_sockets_at_the_same_moment_leave_one(clinic: Clinic) -> None:
    visit = await clinic.visit()
    browser, path = await clinic.guest(visit)
    other = await clinic.browser(1)
    other.session.cookie_jar.update_cookies({c.key: c.value for c in browser.session.cookie_jar})
    calls = await asyncio.gather(
        *(clinic.call(one, f"/ws{path}") for one in (browser, other, browser, other, browser, other))
    )
    # all but one are told; which one is the database's choice
    ends = [asyncio.ensure_future(call.ended()) for call in calls]
    over: set[asyncio.Future[int]] = set()
    while len(over) < len(calls) - 1:
        done, _ = await asyncio.wait(set(ends) - over, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert done
        over |= done
    [left] = [call for call in calls if call.code is None]
    ends[calls.index(left)].cancel()
    await left.presence("checking")
    async with clinic.database.transaction(WEB, read_only=True) as connection:
        seen = await call_sockets.seen(connection, visit)
    assert seen[left.me].socket is not None
