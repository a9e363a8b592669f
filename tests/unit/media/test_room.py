"""Ten people come, go, mute themselves and share screens in any order: who gets what of whom stays what was said.

Rooms, sources and slots are real; below them packets go nowhere, and are counted.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiortc import rtp
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from telehealth.media import arrivals, bandwidth, inside, peer, protocol, room, rooms, source
from telehealth.model import media

PEOPLE = st.integers(1, 12)
MOSTLY = st.sampled_from([True, True, True, False])
ALLOWED = st.builds(media.Allowed, audio=MOSTLY, video=MOSTLY, screen=st.booleans())
ALL = ("audio", "video", "screen")
KEY = b"\x10\x00key"


class Outlet:
    """Notes that a viewer would be sent something."""

    ready = True
    reached: ClassVar[list[Outlet]] = []

    def __init__(self, *_: Any, **__: Any) -> None:
        self.in_use = False
        self.loss = 0.0

    def restart(self) -> None:
        pass

    def send(self, *_: Any) -> None:
        self.reached.append(self)


class Transport(peer.Peer):
    """A participant's, without a connection."""

    def __init__(self, participant: int, kinds: tuple[str, ...], listener: peer.Listener) -> None:
        self.participant, self._listener, self.state = participant, listener, "up"
        self.line, self.upward, self.arrivals = bandwidth.Line(), bandwidth.Upward(), arrivals.Arrivals()
        self.sources = {
            kind: source.Source(kind, None, self._heard, self._alive, self.arrivals, lambda own: own)  # type: ignore[arg-type]  # nothing is received
            for kind in kinds
        }
        self.voices, self.pictures, self.screens = (
            [self._slot(f"{name}{number}") for number in range(count)]
            for name, count in (("voice", 9), ("picture", 9), ("screen", 1))
        )
        self.holds = peer.Holds([None] * 9, [None] * 9, [None])
        self.closed = False

    def _slot(self, mid: str) -> source.Slot:
        return source.Slot(mid, None, self.line, self._alive)  # type: ignore[arg-type]  # nothing is sent

    async def close(self) -> None:
        self.cut()
        self.closed = True


@pytest.fixture(autouse=True)
def _nothing_below(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace(monkeypatch)


def _replace(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inside, "Outlet", Outlet)
    patch.setattr(inside, "Inlet", lambda *_, **__: SimpleNamespace(missing=set()))

    async def answer(participant: int, text: str, listener: peer.Listener) -> tuple[Transport, str]:
        await asyncio.sleep(0)
        if text == "bad":
            raise media.Refused("bad offer")
        return Transport(participant, tuple(text.split()), listener), "sdp"

    patch.setattr(peer.Peer, "answer", answer)


class Ten(RuleBasedStateMachine):
    """allowed, sharing: what was asked for, of who is in."""

    inside = Bundle("inside")

    @initialize(target=inside, people=st.integers(0, protocol.MOST_PEOPLE))
    def open(self, people: int) -> Any:
        self.patch = pytest.MonkeyPatch()
        _replace(self.patch)
        self.loop = asyncio.new_event_loop()
        self.jobs: list[Any] = []
        self.told: dict[int, dict[str, media.Slot | None]] = {}
        self.room = room.Room(1, 1, tell=self._hear, later=lambda job: self.jobs.append(job), opener=None, now=0.0)
        self.allowed: dict[int, media.Allowed] = {}
        self.kinds: dict[int, tuple[str, ...]] = {}
        self.sharing: list[int] = []
        self.preferred: dict[int, list[int]] = {}
        self.once: list[Transport] = []
        for who in range(1, people + 1):
            self.join(who, ALL, media.Allowed())
        return multiple(*range(1, people + 1))

    def teardown(self) -> None:
        self._run(asyncio.sleep(0))
        self._run(asyncio.sleep(0))
        assert all(one.closed for one in self.once)
        self.patch.undo()
        self.loop.close()

    def _run(self, job: Any) -> None:
        """What the room does in the background is done a step later, so that nothing depends on it."""
        jobs, self.jobs = self.jobs, []
        for later in (*jobs, job):
            self.loop.run_until_complete(later)

    def _hear(self, event: media.Event) -> None:
        if isinstance(event, media.Slots):
            self.told[event.participant] |= event.slots

    # What is asked ---------------------------------------------------------------------------------

    @rule(
        target=inside,
        who=PEOPLE,
        kinds=st.sampled_from([ALL, ALL, ALL, ("audio", "video"), ("audio",), ()]),
        allowed=ALLOWED,
    )
    def join(self, who: int, kinds: tuple[str, ...], allowed: media.Allowed) -> Any:
        """For the first time, or anew."""
        before = self.room.people.get(who)
        full = before is None and len(self.room.people) == protocol.MOST_PEOPLE
        self.room._offers.clear()  # minutes pass
        joining = self.room.join(who, " ".join(kinds), allowed)
        if full:
            with pytest.raises(media.Refused, match="full"):
                self._run(joining)
            return multiple()
        self._run(joining)
        self.told[who] = dict(self.room.slots_of(who))
        if isinstance(before, Transport):
            self.once.append(before)
        self.kinds[who] = kinds
        self._allow(who, allowed)
        return who if before is None else multiple()

    @rule(who=consumes(inside))
    def leave(self, who: int) -> None:
        gone = self.room.people.get(who)
        self.room.leave(who)
        self._is_gone(who, gone)

    @rule(who=consumes(inside))
    def break_off(self, who: int) -> None:
        """Their transport ends by itself; that of one who came anew is not touched by the end of the one before."""
        gone = self.room.people[who]
        gone._become("down")
        self._is_gone(who, gone)
        if self.once:
            self.once[0]._become("down")

    def _is_gone(self, who: int, gone: peer.Peer | None) -> None:
        assert who not in self.room.people
        assert isinstance(gone, Transport)
        self.once.append(gone)
        for kept in (self.allowed, self.kinds, self.preferred, self.told):
            kept.pop(who, None)
        self.sharing = [one for one in self.sharing if one != who]

    @rule(who=inside, allowed=ALLOWED)
    def allow(self, who: int, allowed: media.Allowed) -> None:
        self.room.allow(who, allowed)
        self._allow(who, allowed)

    def _allow(self, who: int, allowed: media.Allowed) -> None:
        self.allowed[who] = allowed
        if not (allowed.screen and "screen" in self.kinds[who]):
            self.sharing = [one for one in self.sharing if one != who]
        elif who not in self.sharing:
            self.sharing.append(who)

    @rule(who=inside, order=st.lists(PEOPLE, max_size=12))
    def prefer(self, who: int, order: list[int]) -> None:
        self.room.prefer(who, order)
        self.preferred[who] = order

    @rule(limit=st.none() | st.integers(2, 5))
    def strain(self, limit: int | None) -> None:
        self.room.limit = limit
        self.room.arrange()

    @rule(who=inside, pictures=st.none() | st.integers(0, 5))
    def weaken(self, who: int, pictures: int | None) -> None:
        self.room.people[who].line.pictures = pictures
        self.room.arrange()

    @rule(who=inside)
    def speak(self, who: int) -> None:
        self.room._voices.spoke = [who, *(one for one in self.room._voices.spoke if one != who)]
        self.room.arrange()

    # What must be so -------------------------------------------------------------------------------

    @invariant()
    def everybody_hears_everybody_else(self) -> None:
        for viewer, transport in self.room.people.items():
            heard = [who for who in transport.holds.voices if who is not None]
            assert sorted(heard) == sorted(who for who in self.room.people if who != viewer)

    @invariant()
    def everybody_sees_what_is_shown_as_far_as_their_line_goes(self) -> None:
        for viewer, transport in self.room.people.items():
            seen = [who for who in transport.holds.pictures if who is not None]
            screens = [who for who in self.sharing if who != viewer][-1:]
            limits = [one for one in (self.room.limit, transport.line.pictures) if one is not None]
            most = min(limits, default=10)
            assert [who for who in transport.holds.screens if who is not None] == screens[:most]
            shown = {who for who in self.room.people if who != viewer and self._shows(who)}
            assert len(seen) == len(set(seen)) == min(len(shown), max(0, most - len(screens)))
            assert set(seen) <= shown
            wanted = [who for who in dict.fromkeys(self.preferred.get(viewer, [])[:10]) if who in shown]
            assert set(wanted[: len(seen)]) <= set(seen), "a pinned interpreter is among them"

    def _shows(self, who: int) -> bool:
        return self.allowed[who].video and "video" in self.kinds[who]

    @invariant()
    def viewers_were_told_what_they_get(self) -> None:
        for viewer in self.room.people:
            assert self.told[viewer] == self.room.slots_of(viewer)

    @invariant()
    def slots_and_sources_agree(self) -> None:
        bound = 0
        for transport in self.room.people.values():
            for slot, kind, who in room._held(transport):
                expected = None if who is None else self.room.people[who].sources.get(kind)
                assert slot.source is expected
                assert expected is None or expected.slots.count(slot) == 1
                bound += expected is not None
        sources = [one for transport in self.room.people.values() for one in transport.sources.values()]
        assert sum(len(one.slots) for one in sources) == bound == self.room.streams
        for gone in self.once[-3:]:
            assert all(slot.source is None for slot in gone.slots)
            assert all(not one.open and not one.slots for one in gone.sources.values())

    @invariant()
    def packets_reach_exactly_those_who_should_have_them(self) -> None:
        viewers = {id(slot.outlet): who for who, transport in self.room.people.items() for slot in transport.slots}
        for who, transport in [*self.room.people.items(), *((0, one) for one in self.once[-3:])]:
            for kind, medium in transport.sources.items():
                Outlet.reached.clear()
                medium._heard(rtp.RtpPacket(96, 1, 1, 0, 7, KEY))
                reached = sorted(viewers[id(outlet)] for outlet in Outlet.reached)
                if who == 0 or not getattr(self.allowed[who], kind):
                    assert reached == []
                else:
                    assert reached == sorted(viewers[id(slot.outlet)] for slot in medium.slots)


Ten.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestTen = Ten.TestCase


@pytest.fixture
async def kept() -> Any:
    found = rooms.Rooms(capacity=100, tell=lambda *_: None, opener=None)
    running = asyncio.create_task(found.run(), name="rooms")
    yield found
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_one_who_cannot_come_in_does_not_close_the_room_before_another_who_is_about_to(kept: rooms.Rooms) -> None:
    def join(who: int, offer: str) -> protocol.Join:
        return protocol.Join(1, 1, who, offer, media.Allowed())

    bad, good = await asyncio.gather(kept.do(join(1, "bad")), kept.do(join(2, "audio video")), return_exceptions=True)
    assert isinstance(bad, media.Refused)
    assert isinstance(good, media.Answer)
    assert (await kept.do(protocol.Allow(1, 1, 2, media.Allowed(audio=False)))) is None


async def test_a_transport_that_does_not_end_ends_no_other_room(
    kept: rooms.Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever close() of a transport raises: the worker, and everybody else's rooms, go on."""
    for consultation in (1, 2):
        await kept.do(protocol.Join(consultation, 1, 7, "audio", media.Allowed()))
    monkeypatch.setattr(Transport, "close", peer.Peer.close)
    gone: Any = kept._rooms[1].people[7]

    class Connection:
        async def close(self) -> None:
            raise RuntimeError("a socket was closed before")

        def getTransceivers(self) -> list[Any]:
            return []

    gone._connection = Connection()
    await kept.do(protocol.Leave(1, 1, 7))
    for _ in range(50):
        await asyncio.sleep(0)
    assert [task.get_name() for task in asyncio.all_tasks()].count("rooms") == 1, "it keeps them still"
    await kept.do(protocol.Allow(2, 1, 7, media.Allowed()))


async def test_offers_again_and_again_are_refused_before_others_suffer(kept: rooms.Rooms) -> None:
    """Each costs some hundredths of a second in which nothing is forwarded; who was let in may send twenty a second."""
    offer = protocol.Join(1, 1, 2, "audio video", media.Allowed())
    await kept.do(protocol.Join(1, 1, 1, "audio video", media.Allowed()))
    found = [(await asyncio.gather(kept.do(offer), return_exceptions=True))[0] for _ in range(30)]
    assert all(isinstance(one, media.Answer) for one in found[:18])
    assert [str(one) for one in found[22:]] == ["too often"] * 8
    assert await kept.do(protocol.Join(1, 1, 1, "audio video", media.Allowed())), "others may"
    # A place that somebody was made to leave, and was let into again, begins anew.
    await kept.do(protocol.Leave(1, 1, 2))
    assert await kept.do(offer)


async def test_one_rooms_trouble_is_told_once_and_is_no_other_rooms(
    kept: rooms.Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    for consultation in (1, 2):
        await kept.do(protocol.Join(consultation, 1, 7, "audio", media.Allowed()))
    ticked = asyncio.Event()
    told: list[int] = []

    async def fails(_now: float) -> None:
        raise RuntimeError

    async def ticks(_now: float) -> None:
        if len(told) >= 1:
            ticked.set()

    monkeypatch.setattr(kept._rooms[1], "tick", fails)
    monkeypatch.setattr(kept._rooms[2], "tick", ticks)
    monkeypatch.setattr(rooms, "_log", SimpleNamespace(error=lambda *_, consultation, **__: told.append(consultation)))
    for _ in range(3):
        ticked.clear()
        await asyncio.wait_for(ticked.wait(), 10)
    assert told == [1]
