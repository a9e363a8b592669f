"""People in a room see and hear each other, and nobody else."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from telehealth.consult.backend import Workers
from telehealth.model.media import Allowed, Connected, Quality, Recorded, RecordingTo, Refused, Slot
from tests.integration.media import callers
from tests.integration.media.callers import Caller
from tests.integration.media.conftest import Visit, started


async def test_two_people_see_and_hear_each_other(visit: Visit) -> None:
    one = await visit.join(1)
    two = await visit.join(2)
    await visit.watched.connected(1)
    await visit.watched.connected(2)
    await asyncio.gather(one.sees(2), two.sees(1), one.hears(2), two.hears(1))


async def test_four_people_see_the_right_person_in_each_slot(visit: Visit) -> None:
    people = [await visit.join(number) for number in range(1, 5)]
    others = [(viewer, seen) for viewer in people for seen in people if viewer is not seen]
    await asyncio.gather(*(viewer.sees(seen.participant, more=10) for viewer, seen in others))
    for viewer, seen in others:
        mid = viewer.mid_of(seen.participant, "video")
        assert mid is not None
        # Coding and its colours cost a little.
        assert abs(viewer.shades[mid] - (20 + 20 * seen.participant)) < 14


async def test_one_who_comes_late_sees_those_who_are_there_and_is_seen(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    three = await visit.join(3)
    await visit.watched.until(lambda: one.mid_of(3, "video") and two.mid_of(3, "video"))
    await asyncio.gather(three.sees(1), three.sees(2), one.sees(3), two.sees(3), one.sees(2))


async def test_nobody_is_told_of_one_who_left(visit: Visit) -> None:
    one, *_ = [await visit.join(number) for number in (1, 2, 3)]
    await asyncio.gather(one.sees(2), one.sees(3))
    seat = one.mid_of(3, "video")
    gone = one.mid_of(2, "video")
    assert gone is not None
    await visit.workers.leave(visit.room, 2)
    await visit.watched.until(lambda: one.mid_of(2, "video") is None)
    seen = one.pictures[gone]
    await one.sees(3, more=10)
    assert one.mid_of(3, "video") == seat, "who stays keeps their place"
    assert one.pictures[gone] - seen <= 1, "one picture may have been on its way"
    await visit.workers.leave(visit.room, 2)  # once more changes nothing


async def test_what_is_muted_ends_at_the_server(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), one.hears(2))
    voice, picture = one.mid_of(2, "audio"), one.mid_of(2, "video")
    assert voice is not None
    assert picture is not None
    await visit.workers.allow(visit.room, 2, Allowed(audio=False, video=False))
    await visit.watched.until(lambda: one.slots[picture] is None)
    assert one.slots[voice] == Slot(2, "audio"), "a voice keeps its place: it is unmuted at once"
    before = one.sounds[voice], one.pictures[picture]
    await two.sees(1, more=15)  # a second of time passes, and two goes on sending
    # aiortc holds some packets back before it plays them.
    assert one.sounds[voice] - before[0] <= 8
    assert one.pictures[picture] - before[1] <= 1
    await visit.workers.allow(visit.room, 2, Allowed())
    await visit.watched.until(lambda: one.mid_of(2, "video") is not None)
    await asyncio.gather(one.sees(2), one.hears(2, more=20))


async def test_nobody_receives_anything_before_they_joined(visit: Visit) -> None:
    one = await visit.join(1)
    two = await visit.join(2)
    outsider = Caller(3)
    await outsider.offer()
    await asyncio.gather(one.sees(2, more=8), two.sees(1, more=8))
    assert not outsider.pictures
    assert one.mid_of(3, "video") is None
    await outsider.close()


async def test_a_second_join_replaces_the_first(visit: Visit) -> None:
    one, first = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), first.sees(1))
    seat = one.mid_of(2, "video")
    second = await visit.join(2)
    await second.sees(1)
    await one.sees(2, more=10)
    assert one.mid_of(2, "video") == seat
    assert [e for e in visit.watched.events if isinstance(e, Connected) and e.how == "down"] == []
    before = first.pictures.total()
    await second.sees(1, more=10)
    assert first.pictures.total() - before <= 1


async def test_a_screen_has_a_slot_of_its_own(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await one.sees(2)
    assert one.mid_of(2, "screen") is None
    await visit.workers.allow(visit.room, 2, Allowed(screen=True))
    await visit.watched.until(lambda: one.mid_of(2, "screen") is not None)
    two.screen.sender.replaceTrack(callers.Camera(220))
    await one.sees(2, "screen", more=8)
    await one.sees(2)
    assert two.mid_of(2, "screen") is None, "nobody is shown their own"


async def test_who_speaks_is_told(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.hears(2), two.hears(1))
    two.microphone.loud = True
    await visit.watched.speaks(2)
    two.microphone.loud = False
    one.microphone.loud = True
    await visit.watched.speaks(1)
    await visit.workers.allow(visit.room, 1, Allowed(audio=False))
    await visit.watched.speaks(None)


async def test_quality_is_measured(visit: Visit) -> None:
    one, _ = await visit.join(1), await visit.join(2)
    await one.sees(2)

    def measured() -> bool:
        found = [e for e in visit.watched.events if isinstance(e, Quality) and e.participant == 1]
        return any(e.up_rate > 1000 and e.down_rate > 1000 and e.round_trip is not None for e in found)

    await visit.watched.until(measured)
    assert all(0 <= e.up_loss <= 1 and 0 <= e.down_loss <= 1 for e in visit.watched.events if isinstance(e, Quality))


async def test_a_transport_that_ends_is_told(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    await two.connection.close()
    await visit.watched.connected(2, "down")
    await visit.watched.until(lambda: one.mid_of(2, "audio") is None)


async def test_a_full_worker_shows_fewer_pictures_and_then_refuses(workers: Workers) -> None:
    async with started(capacity=20) as worker:
        visit = Visit(workers, worker)
        people = [await visit.join(number) for number in (1, 2, 3, 4)]
        seen = [sum(one.mid_of(two.participant, "video") is not None for two in people) for one in people]
        # Four people are twelve voices and twelve pictures; twenty streams are two pictures each.
        assert seen == [2, 2, 2, 2]
        with pytest.raises(Refused, match="full"):
            await visit.join(5)
        await visit.close()


async def test_many_rooms_share_what_a_worker_can_carry(workers: Workers) -> None:
    """Also where many come at once: nobody's media suffer, the rest are refused."""
    async with started(capacity=8) as worker:
        visits = [Visit(workers, worker) for _ in range(4)]
        for visit in visits:
            await visit.join(1)  # alone: nothing to forward
        found = await asyncio.gather(*(visit.join(2) for visit in visits), return_exceptions=True)
        # Two people are two voices and two pictures.
        refused = [one for one in found if isinstance(one, Refused)]
        assert [one.why for one in refused] == ["full", "full"]
        inside = [visit for visit, one in zip(visits, found, strict=True) if not isinstance(one, Refused)]
        for visit in inside:
            one, two = (visit.people[number] for number in (1, 2))
            await visit.watched.until(lambda one=one: one.mid_of(2, "video") is not None)
            await asyncio.gather(one.sees(2), two.sees(1))
        # When somebody leaves there is room for others.
        await workers.leave(inside[0].room, 2)
        another = next(visit for visit in visits if visit not in inside)
        await another.join(2)
        for visit in visits:
            await visit.close()


async def test_offers_that_are_none_are_refused_and_the_room_is_unharmed(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    good = await visit.offer(3)
    for bad in (
        "",
        "v=0",
        good[:500],
        good.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
        good.replace("VP8", "XX8"),
        good.replace("a=mid:0", "a=mid:1"),
        good.replace("a=ice-pwd:", "a=ice-xxx:"),
        good.replace("a=fingerprint:sha-256", "a=fingerprint:sha-257"),
        good + "a=" + "x" * 70000,
        good.replace("a=sendonly", "a=sendrecv"),
    ):
        with pytest.raises(Refused, match="bad offer"):
            await visit.workers.join(visit.room, 3, bad, Allowed())
        with pytest.raises(Refused, match="bad offer"):
            await visit.workers.join(visit.room, 2, bad, Allowed())
    await asyncio.gather(one.sees(2), two.sees(1))


async def test_what_is_recorded_is_told(visit: Visit, tmp_path: Path) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    recording = uuid.uuid4()
    to = RecordingTo(recording, bytes(range(32)), str(tmp_path / "one"))
    await visit.workers.record(visit.room, {1: to})
    await two.sees(1, more=20)
    await visit.workers.record(visit.room, {})
    await visit.watched.until(lambda: any(isinstance(e, Recorded) and e.over for e in visit.watched.events))
    last = [e for e in visit.watched.events if isinstance(e, Recorded)][-1]
    assert last.recording == recording
    assert last.chunks > 1
    assert (tmp_path / "one").stat().st_size == last.size


async def test_a_browser_that_falls_silent_is_told_and_so_is_its_return(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    transport: Any = two.camera.sender.transport
    stock = transport._send_rtp

    async def nothing(_data: bytes) -> None:
        pass

    transport._send_rtp = nothing
    await visit.watched.connected(2, "silent")
    transport._send_rtp = stock
    await visit.watched.until(
        lambda: [e.how for e in visit.watched.events if isinstance(e, Connected) and e.participant == 2][-1] == "up"
    )
