"""One participant's transport: what their browser sends, and the slots in which it receives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import aiortc
from aiortc import rtp

from telehealth import clock, log
from telehealth.media import arrivals, bandwidth, inside, offers
from telehealth.media.source import Slot, Source
from telehealth.model.media import Refused

_log = log.get("media")

_CLOSE_SECONDS = 5.0
#: Nothing for so long from a browser that was sending: its network is away.
_SILENT_SECONDS = 3.0
#: From one that has nothing to send: it only checks the way and reports.
_STILL_SECONDS = 8.0
#: Such a transport is given up.
_LOST_SECONDS = 30.0
_CONNECT_SECONDS = 15.0
#: Each leaves its addresses behind, which are looked through at every check; a new transport begins without them.
_MOST_RESTARTS = 30
#: What was reported longer ago says nothing of now.
_REPORTED_SECONDS = 8.0


class Listener(Protocol):
    """What a transport tells its room."""

    def heard(self, peer: Peer, kind: str, packet: rtp.RtpPacket, now: float) -> None: ...
    def changed(self, peer: Peer) -> None: ...


@dataclass
class Holds:
    """Which participant each slot carries."""

    voices: list[int | None]
    pictures: list[int | None]
    screens: list[int | None]


@dataclass(frozen=True)
class Measured:
    """Of one participant over some seconds, as model.media.Quality has it."""

    up_loss: float
    down_loss: float
    round_trip: float | None
    up_rate: float
    down_rate: float


class Peer:
    """Made by answer(). state: "new", "up", "silent" or "down"."""

    def __init__(self, participant: int, offer: offers.Offer, listener: Listener) -> None:
        self.participant, self.offer = participant, offer
        self._listener = listener
        self.state = "new"
        self.sources: dict[str, Source] = {}
        self.voices: list[Slot] = []
        self.pictures: list[Slot] = []
        self.screens: list[Slot] = []
        #: Its way down, and its way up.
        self.line = bandwidth.Line()
        self.arrivals = arrivals.Arrivals()
        self.upward = bandwidth.Upward()
        #: As its room was last told.
        self.weak = (False, False)
        self._restarts = 0
        self._began_at = self._alive_at = clock.monotonic()
        self._sent_rate = 0.0
        self._line_bytes = 0
        self._up_before = (0, 0, 0)
        self._measured = (0.0, 0, 0, 0, 0)
        self._connection = aiortc.RTCPeerConnection(
            # No servers: the default one belongs to somebody else, and an address that browsers reach needs none.
            aiortc.RTCConfiguration(iceServers=[], bundlePolicy=aiortc.RTCBundlePolicy.MAX_BUNDLE)
        )
        self._connection.on("connectionstatechange", self._connection_changed)

    @classmethod
    async def answer(cls, participant: int, text: str, listener: Listener) -> tuple[Peer, str]:
        """A transport and the answer to its offer. Raises Refused."""
        offer = _read(text)
        peer = cls(participant, offer, listener)
        try:
            sdp = await peer._answer(offer, peer._fit_out)
        except BaseException:
            await peer.close()
            raise
        peer.holds = Holds([None] * len(peer.voices), [None] * len(peer.pictures), [None] * len(peer.screens))
        inside.withstand(peer._transport)
        peer._checks = inside.Checks(peer._transport, offer.ufrag, offer.password, peer._alive)
        return peer, sdp

    async def restart(self, text: str) -> str:
        """The answer to an offer that restarts ICE. Raises Refused where only a new transport helps."""
        offer = _read(text)
        if (
            self.state not in ("up", "silent")
            or offer.sections != self.offer.sections
            or self._restarts >= _MOST_RESTARTS
        ):
            raise Refused("restart impossible")
        self._restarts += 1
        self._checks.restart(offer.ufrag, offer.password)
        self.offer = offer
        return await self._answer(offer, lambda: None)

    async def _answer(self, offer: offers.Offer, fit_out: Callable[[], None]) -> str:
        connection = self._connection
        try:
            await connection.setRemoteDescription(aiortc.RTCSessionDescription(offer.sdp, "offer"))
            fit_out()
            await connection.setLocalDescription(await connection.createAnswer())
        except Refused:
            raise
        except Exception as error:
            # Whatever a browser wrote that passed offers.read: aiortc raises many sorts.
            _log.info("an offer could not be answered", error=type(error).__name__)
            raise Refused("bad offer") from None
        return offers.finished(connection.localDescription.sdp)

    def _fit_out(self) -> None:
        """Taps for what the browser sends, slots for what it receives; the last picture's slot is for screens."""
        lines = {transceiver.mid: transceiver for transceiver in self._connection.getTransceivers()}
        pictures = [section.mid for section in self.offer.sections if not section.sends and section.kind == "video"]
        for section in self.offer.sections:
            transceiver = lines[section.mid]
            if section.sends:
                transceiver.direction = "recvonly"
                kind = section.kind if section.kind not in self.sources else "screen"
                self.sources[kind] = Source(
                    kind, transceiver.receiver, self._heard, self._alive, self.arrivals, self._estimate
                )
                continue
            transceiver.direction = "sendonly"
            slot = Slot(section.mid, transceiver.sender, self.line, self._alive)
            if section.kind == "audio":
                slots = self.voices
            else:
                slots = self.screens if len(pictures) > 1 and section.mid == pictures[-1] else self.pictures
            name = "screen" if slots is self.screens else f"seat{len(slots)}"
            inside.name_stream(transceiver.sender, name)
            slots.append(slot)

    holds: Holds
    _checks: inside.Checks

    @property
    def _transport(self) -> aiortc.RTCDtlsTransport:
        return self._connection.getTransceivers()[0].sender.transport

    @property
    def slots(self) -> list[Slot]:
        return [*self.voices, *self.pictures, *self.screens]

    def _alive(self) -> None:
        self._alive_at = clock.monotonic()

    def _heard(self, kind: str, packet: rtp.RtpPacket, now: float) -> None:
        self._listener.heard(self, kind, packet, now)

    def _connection_changed(self) -> None:
        state = self._connection.connectionState
        if state == "connected" and self.state == "new":
            self._alive()
            self._become("up")
        elif state in ("failed", "closed"):
            self._become("down")

    def _become(self, state: str) -> None:
        if self.state not in (state, "down"):
            self.state = state
            self._listener.changed(self)

    def watch(self, now: float) -> None:
        """Now and then: whether the browser is still there."""
        if self.state == "new":
            if now - self._began_at > _CONNECT_SECONDS:
                self._become("down")
            return
        sources = [source for source in self.sources.values() if source.open and not self._rests(source)]
        came = [source.came_at for source in sources if source.came_at is not None]
        quiet = now - (max(came) if came else self._alive_at)
        if now - self._alive_at > _LOST_SECONDS:
            self._become("down")
        elif quiet > (_SILENT_SECONDS if came else _STILL_SECONDS):
            self._become("silent")
        elif self.state == "silent":
            self._become("up")

    def _rests(self, source: Source) -> bool:
        """It was asked to send nothing."""
        return self.upward.paused and source.kind != "audio"

    def forgive(self, seconds: float) -> None:
        """This process stood still for so long: what was not heard meanwhile was not silence."""
        self._alive_at += seconds
        self._began_at += seconds
        for source in self.sources.values():
            if source.came_at is not None:
                source.came_at += seconds

    @property
    def round_trip(self) -> float | None:
        """The least of what its slots' last reports say."""
        since = clock.monotonic() - _REPORTED_SECONDS
        found = [slot.outlet.round_trip for slot in self.slots if slot.outlet.reported_at >= since]
        return min((one for one in found if one is not None), default=None)

    def _estimate(self, own: int) -> int:
        """bit/s of all pictures that the browser should send: its line's, or less for those who watch."""
        now = clock.monotonic()
        most = [source.most(now) for source in self.sources.values() if source.kind != "audio"]
        return own if None in most else min(own, sum(one for one in most if one is not None))

    async def tick(self, now: float) -> None:
        round_trip = min(1.0, self.round_trip or 0.0) if self.sources else 0.0
        for source in self.sources.values():
            await source.tick(now, round_trip)

    def judge_line(self, wanted: int, seconds: float, now: float) -> bool:
        """Once a second, after so many seconds. wanted: pictures on a good line. Whether it takes fewer, or more, now.

        The browser's estimate is of pictures: voices do not count.
        """
        used = [slot for slot in (*self.pictures, *self.screens) if slot.source is not None]
        total = sum(slot.outlet.sent_bytes for slot in (*self.pictures, *self.screens))
        rate = 8 * (total - self._line_bytes) / max(seconds, 0.1)
        self._line_bytes = total
        self._sent_rate += 0.4 * (rate - self._sent_rate)
        self._judge_upward(seconds, now)
        before = self.line.pictures
        self.line.judge(sent=self._sent_rate, pictures=len(used), wanted=wanted, now=now)
        return self.line.pictures != before

    def _judge_upward(self, seconds: float, now: float) -> None:
        counts = [source.counts() for source in self.sources.values()]
        size = sum(source.bytes for source in self.sources.values() if source.kind != "audio")
        counted = (sum(count[0] for count in counts), sum(count[1] for count in counts), size)
        should, did, came = (new - old for new, old in zip(counted, self._up_before, strict=True))
        self._up_before = counted
        if self.state == "up":
            self.upward.judge(
                rate=8 * came / max(seconds, 0.1),
                queue=self.arrivals.queue / 1000,
                loss=max(0.0, 1 - did / should) if should > 0 else 0.0,
                now=now,
            )

    def measure(self, now: float) -> Measured:
        """What was measured since this was last asked."""
        counts = [source.counts() for source in self.sources.values()]
        expected, received = (sum(count[i] for count in counts) for i in (0, 1))
        up = sum(source.bytes for source in self.sources.values())
        down = sum(slot.outlet.sent_bytes for slot in self.slots)
        at, expected_before, received_before, up_before, down_before = self._measured
        self._measured = (now, expected, received, up, down)
        seconds = max(now - at, 0.1) if at else 1.0
        should, did = expected - expected_before, received - received_before
        losses = [slot.outlet.loss for slot in self.slots if slot.source is not None]
        return Measured(
            up_loss=min(1.0, max(0.0, 1 - did / should)) if should > 0 else 0.0,
            down_loss=sum(losses) / len(losses) if losses else 0.0,
            round_trip=self.round_trip,
            up_rate=8 * (up - up_before) / seconds,
            down_rate=8 * (down - down_before) / seconds,
        )

    def cut(self) -> None:
        """From now on nothing of it is forwarded, and nothing sent."""
        self.state = "down"
        for source in self.sources.values():
            source.open = False
        for slot in self.slots:
            slot.bind(None)

    async def close(self) -> None:
        """End the transport, which takes a moment."""
        self.cut()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._connection.close()
            return
        except Exception as error:  # it runs beside all other rooms: none of them may end by it
            _log.error("a transport did not close", error=type(error).__name__, where=log.where(error))
        with contextlib.suppress(Exception):  # what is wrong with it has been said
            async with asyncio.timeout(_CLOSE_SECONDS):
                await inside.hang_up(self._connection)


def _read(text: str) -> offers.Offer:
    try:
        return offers.read(text)
    except offers.BadOffer as bad:
        raise Refused(f"bad offer: {bad}") from None
