"""A caller's one peer connection: sends a face and a tone, counts what comes in every slot."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.rtp import RtpPacket

from simulator import errors
from simulator.callers import clip, inside, playing, watching

Path = Literal["direct", "udp", "tcp", "tls"]

#: As browsers do about: a gap that is still there after so long is asked for again, so many times.
REPAIR_SECONDS = 0.06
_ASK_TIMES = 5
_CLOSE_SECONDS = 5.0
_ADDRESS = re.compile(r"^(a=candidate:\S+ \d+ udp \d+ )(\S+) (\d+)( typ host.*)$", re.IGNORECASE)


@dataclass(frozen=True)
class Sending:
    """What is sent, and room for whom: recvonly lines for voices and pictures, and one for a shared screen.

    estimates: the other side is told how much fits through, and may send less.
    """

    face: clip.Clip
    sounds: clip.Sounds
    cameras: int = 9
    screen: bool = True
    estimates: bool = True


@dataclass
class Slot:
    """One receiving line. whose: participant and source, or nobody."""

    receiver: RTCRtpReceiver
    kind: str
    picture: watching.Picture | None
    whose: tuple[int, str] | None = None
    ssrc: int | None = None
    packets: int = 0


class Peer:
    """offer(), answered(), then media flow until close(). Times are the loop's. silent: for accept(), sends nothing."""

    def __init__(
        self,
        sending: Sending,
        *,
        path: Path = "direct",
        ice_servers: Sequence[Mapping[str, Any]] = (),
        silent: bool = False,
    ) -> None:
        self.camera = playing.Camera(sending.face)
        self.microphone = playing.Microphone(sending.sounds)
        self._connection = RTCPeerConnection(_configuration(path, ice_servers))
        self._connection.on("connectionstatechange", self._changed)
        self._estimates = sending.estimates
        if not silent:
            self._lines(sending)
        self.slots: dict[str, Slot] = {}
        self.connected = asyncio.Event()
        self.seen_first = asyncio.Event()
        self.over = asyncio.Event()
        #: When the last packet came.
        self.heard_at: float | None = None
        self.offered_at: float | None = None

    def _lines(self, sending: Sending) -> None:
        add = self._connection.addTransceiver
        voice = add(self.microphone, direction="sendonly")
        inside.speak(voice.sender, whole=None, level=self.microphone.level)
        picture = add(self.camera, direction="sendonly")
        inside.speak(picture.sender, whole=self.camera.whole, level=None)
        if sending.screen:
            add("video", direction="sendonly")
        for _ in range(sending.cameras):
            add("audio", direction="recvonly")
        for _ in range(sending.cameras + sending.screen):
            add("video", direction="recvonly")

    async def offer(self, *, hidden: bool = False) -> str:
        """The SDP, with all candidates. Raises Unreachable where no relay lets us in.

        hidden: without them, so that the other side finds no way around a proxy.
        """
        await self._connection.setLocalDescription(await self._connection.createOffer())
        for line in self._connection.getTransceivers():
            if line.direction == "recvonly":
                self._hear(line)
        self.offered_at = asyncio.get_running_loop().time()
        sdp = self._connection.localDescription.sdp
        if "a=candidate:" not in sdp:
            raise errors.Unreachable("no relay gives us an address")
        return _hidden(sdp) if hidden else sdp

    async def accept(self, sdp: str) -> str:
        """Only receive, by the other side's offer (Janus): the answer."""
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        for line in self._connection.getTransceivers():
            line.direction = "recvonly"
            self._hear(line)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        self.offered_at = asyncio.get_running_loop().time()
        return str(self._connection.localDescription.sdp)

    def _hear(self, line: RTCRtpTransceiver) -> None:
        slot = Slot(line.receiver, line.kind, watching.Picture() if line.kind == "video" else None)
        self.slots[str(line.mid)] = slot
        inside.hear(line.receiver, functools.partial(self._came, slot))
        if not self._estimates:
            inside.estimate_nothing(line.receiver)

    async def answered(self, sdp: str, slots: Mapping[str, Any], *, through: tuple[str, int] | None = None) -> None:
        """through: a proxy before the address in the answer."""
        self.told(slots)
        if through is not None:
            sdp = redirected(sdp, through)
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    def told(self, slots: Mapping[str, Any]) -> None:
        """What slots carry from now on; as messages have it."""
        for mid, whose in slots.items():
            slot = self.slots.get(mid)
            if slot is None:
                continue
            now = None if whose is None else (int(whose["participant"]), str(whose["source"]))
            if now != slot.whose and slot.picture is not None:
                slot.picture.rest()
            slot.whose = now

    async def watch(self) -> None:
        """Ask again for what is missing, until cancelled."""
        asked: dict[tuple[str, int], int] = {}
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(REPAIR_SECONDS)
            for mid, slot in self.slots.items():
                if slot.picture is None or slot.ssrc is None:
                    continue
                if slot.picture.tick(loop.time()):
                    await inside.ask_whole(slot.receiver, slot.ssrc)
                gone = inside.missing(slot.receiver)
                again = []
                for number in gone:
                    asked[mid, number] = asked.get((mid, number), 0) + 1
                    if 1 < asked[mid, number] <= 1 + _ASK_TIMES:
                        again.append(number)
                if again:
                    await inside.ask_again(slot.receiver, slot.ssrc, sorted(again))
            if len(asked) > 1000:
                asked = {
                    key: times for key, times in asked.items() if key[1] in inside.missing(self.slots[key[0]].receiver)
                }

    async def close(self) -> None:
        """Returns soon, also where a relay cannot be told any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._connection.close()

    def pictures(self) -> list[watching.Seen]:
        """Of every slot in which a picture came."""
        return [
            slot.picture.seen for slot in self.slots.values() if slot.picture is not None and slot.picture.seen.packets
        ]

    async def round_trip_and_loss(self) -> tuple[float | None, float]:
        """As the other side reports of our pictures: seconds (None: not known yet), and the share that was lost."""
        for sender in self._connection.getSenders():
            if sender.track is not self.camera:
                continue
            for found in (await sender.getStats()).values():
                if found.type == "remote-inbound-rtp":
                    round_trip = None if found.roundTripTime is None else max(0.0, found.roundTripTime)
                    return round_trip, min(1.0, found.fractionLost / 256)
        return None, 0.0

    async def sent(self) -> dict[str, int]:
        """Packets by kind."""
        found = {"audio": 0, "video": 0}
        for sender in self._connection.getSenders():
            if sender.track in (self.camera, self.microphone):
                for each in (await sender.getStats()).values():
                    if each.type == "outbound-rtp":
                        found[sender.kind] += each.packetsSent
        return found

    def _came(self, slot: Slot, packet: RtpPacket) -> None:
        now = asyncio.get_running_loop().time()
        self.heard_at = now
        slot.packets += 1
        slot.ssrc = packet.ssrc
        if slot.picture is not None and packet.payload:
            # Whether to ask for a whole picture is watch()'s to act on.
            slot.picture.add(watching.Piece(packet.sequence_number, bool(packet.marker), packet.payload), now)
            if slot.picture.seen.frames:
                self.seen_first.set()

    def _changed(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self.connected.set()
        elif state in ("failed", "closed"):
            self.over.set()


def _configuration(path: Path, ice_servers: Sequence[Mapping[str, Any]]) -> RTCConfiguration:
    if path == "direct":
        # None at all: aiortc's own list is somebody's on the internet.
        return RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    for server in ice_servers:
        urls = server["urls"] if isinstance(server["urls"], list) else [server["urls"]]
        fitting = [url for url in urls if transport_of(url) == path]
        if fitting:
            chosen = RTCIceServer(fitting[0], server.get("username"), server.get("credential"))
            return RTCConfiguration([chosen], RTCIceTransportPolicy.RELAY, RTCBundlePolicy.MAX_BUNDLE)
    raise errors.Refused(f"the service names no relay by {path}")


def transport_of(url: str) -> str:
    """Of a relay's URL: "udp", "tcp" or "tls"."""
    if url.startswith("turns:"):
        return "tls"
    return "tcp" if url.endswith("transport=tcp") else "udp"


def redirected(sdp: str, through: tuple[str, int]) -> str:
    """The same answer with one candidate, which is the proxy."""
    lines, done = [], False
    for line in sdp.splitlines():
        found = _ADDRESS.match(line)
        if line.startswith("a=candidate:"):
            if found and not done and ":" not in found[2]:
                lines.append(f"{found[1]}{through[0]} {through[1]}{found[4]}")
                done = True
            continue
        if line.startswith("m="):
            done = False
        lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def _hidden(sdp: str) -> str:
    return "".join(line for line in sdp.splitlines(keepends=True) if not line.startswith("a=candidate:"))


def candidate(sdp: str) -> tuple[str, int]:
    """The first address of an answer, IPv4, UDP. Raises Refused without one."""
    for line in sdp.splitlines():
        found = _ADDRESS.match(line)
        if found and ":" not in found[2]:
            return found[2], int(found[3])
    raise errors.Refused("the service's answer has no address to send to")
