"""People in a video visit, for tests: aiortc as a browser would be, with a small picture and a tone."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from fractions import Fraction
from typing import Any

import aiortc
import av
import numpy as np
from aiortc import mediastreams

from telehealth.consult.backend import Workers
from telehealth.model.media import Allowed, Connected, Event, Room, Slots, Speaking
from telehealth.model.media import Slot as Seen

VOICES, PICTURES = 9, 10


class Camera(mediastreams.MediaStreamTrack):
    """A moving grey picture, 15 a second. shade: tells one person's from another's."""

    kind = "video"

    def __init__(self, shade: int) -> None:
        super().__init__()
        self._shade, self._number, self._began = shade, 0, 0.0

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        self._number += 1
        await asyncio.sleep(max(0.0, self._began + self._number / 15 - loop.time()))
        pixels = np.full((120, 160, 3), self._shade, np.uint8)
        pixels[:, self._number % 150 : self._number % 150 + 8] = 255
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = self._number * 6000, Fraction(1, 90000)
        return frame


class Microphone(mediastreams.MediaStreamTrack):
    """A tone, or silence."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.loud = False
        self._number, self._began = 0, 0.0

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        self._number += 1
        await asyncio.sleep(max(0.0, self._began + self._number / 50 - loop.time()))
        wave = np.sin(np.arange(960) * 440 * 2 * np.pi / 48000) * (12000 if self.loud else 0)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self._number * 960, Fraction(1, 48000)
        return frame


class Caller:
    """One person. Pictures that they see are counted by the mid on which they came."""

    def __init__(self, participant: int, *, camera: bool = True) -> None:
        self.participant = participant
        self.microphone = Microphone()
        self.pictures: Counter[str] = Counter()
        self.sounds: Counter[str] = Counter()
        self.shades: dict[str, int] = {}
        self.slots: dict[str, Seen | None] = {}
        self.connection = aiortc.RTCPeerConnection(
            aiortc.RTCConfiguration(iceServers=[], bundlePolicy=aiortc.RTCBundlePolicy.MAX_BUNDLE)
        )
        self.connection.addTransceiver(self.microphone, direction="sendonly")
        picture: Any = Camera(20 + 20 * (participant % 10)) if camera else "video"
        self.camera = self.connection.addTransceiver(picture, direction="sendonly")
        self.screen = self.connection.addTransceiver("video", direction="sendonly")
        for kind, number in (("audio", VOICES), ("video", PICTURES)):
            for _ in range(number):
                self.connection.addTransceiver(kind, direction="recvonly")
        self._seen: asyncio.Condition = asyncio.Condition()
        self._readers: list[asyncio.Task[None]] = []

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def join(self, workers: Workers, room: Room, allowed: Allowed | None = None) -> None:
        answer = await workers.join(room, self.participant, await self.offer(), allowed or Allowed())
        self.slots = dict(answer.slots)
        await self.take(answer.sdp)

    async def take(self, sdp: str) -> None:
        await self.connection.setRemoteDescription(aiortc.RTCSessionDescription(sdp, "answer"))
        for transceiver in self.connection.getTransceivers():
            track = transceiver.receiver.track
            if transceiver.currentDirection == "recvonly" and track is not None:
                self._readers.append(asyncio.create_task(self._read(str(transceiver.mid), track)))

    async def _read(self, mid: str, track: Any) -> None:
        with contextlib.suppress(mediastreams.MediaStreamError):
            while True:
                frame = await track.recv()
                if track.kind == "video":
                    self.pictures[mid] += 1
                    self.shades[mid] = int(np.median(frame.to_ndarray(format="gray")))
                else:
                    self.sounds[mid] += 1
                async with self._seen:
                    self._seen.notify_all()

    def mid_of(self, participant: int, source: str) -> str | None:
        """Where this person is seen or heard now."""
        return next((mid for mid, slot in self.slots.items() if slot == Seen(participant, source)), None)

    def listen(self, mid: str) -> list[Any]:
        """Packets that come in on this mid from now on, retransmissions as they come.

        aiortc's own pictures stand still for many seconds after one lost packet, which browsers' do not.
        """
        found: list[Any] = []
        receiver: Any = next(t.receiver for t in self.connection.getTransceivers() if t.mid == mid)
        stock = receiver._handle_rtp_packet

        async def heard(packet: Any, arrival_time_ms: int) -> None:
            found.append(packet)
            await stock(packet, arrival_time_ms)
            async with self._seen:
                self._seen.notify_all()

        receiver._handle_rtp_packet = heard
        return found

    async def until(self, condition: Any, seconds: float = 20.0) -> None:
        """Until condition() holds, looked at whenever something is seen or heard."""
        async with asyncio.timeout(seconds), self._seen:
            await self._seen.wait_for(condition)

    async def sees(self, participant: int, source: str = "video", *, more: int = 3) -> None:
        """Until some more pictures of this person have been decoded."""
        mid = self.mid_of(participant, source)
        assert mid is not None, f"{self.participant} has no {source} of {participant}"
        target = self.pictures[mid] + more
        await self.until(lambda: self.pictures[mid] >= target)

    async def hears(self, participant: int, *, more: int = 5) -> None:
        mid = self.mid_of(participant, "audio")
        assert mid is not None
        target = self.sounds[mid] + more
        await self.until(lambda: self.sounds[mid] >= target)

    async def close(self) -> None:
        await self.connection.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


class Watched:
    """What a worker tells of a room; whoever is in it learns their slots from it."""

    def __init__(self, workers: Workers, room: Room) -> None:
        self.events: list[Event] = []
        self.people: dict[int, Caller] = {}
        self.gone = asyncio.Event()
        self._heard = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self.stop = workers.watch(room, self._take, self.gone.set)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Slots) and event.participant in self.people:
            self.people[event.participant].slots |= event.slots
        task = asyncio.create_task(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self._heard:
            self._heard.notify_all()

    async def until(self, condition: Any, seconds: float = 20.0) -> None:
        """Until condition() holds, looked at with each event."""
        async with asyncio.timeout(seconds), self._heard:
            await self._heard.wait_for(condition)

    async def connected(self, participant: int, how: str = "up") -> None:
        await self.until(
            lambda: any(isinstance(e, Connected) and e.participant == participant and e.how == how for e in self.events)
        )

    async def speaks(self, participant: int | None) -> None:
        await self.until(lambda: [e.participant for e in self.events if isinstance(e, Speaking)][-1:] == [participant])
