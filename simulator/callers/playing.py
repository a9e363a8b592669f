"""A caller's camera and microphone: a clip and a tone in a loop, at their own pace."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack

from simulator.callers import clip

_VIDEO_CLOCK = 90_000
#: What is later than this is left out: somebody who was stopped does not catch up by a burst.
_LATE_SECONDS = 0.5


class _Paced(MediaStreamTrack):
    def __init__(self, interval: float, ticks: int) -> None:
        super().__init__()
        self._interval, self._ticks = interval, ticks
        self._number = 0
        self._began: float | None = None

    async def _wait(self) -> int:
        """Until the next one is due; returns its number since the beginning."""
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = loop.time()
        due = self._began + self._number * self._interval
        ahead = due - loop.time()
        if ahead > 0:
            await asyncio.sleep(ahead)
        elif ahead < -_LATE_SECONDS:
            self._number += int(-ahead / self._interval)
        self._number += 1
        return self._number - 1

    def _packet(self, data: bytes, number: int) -> av.Packet[Any]:
        packet = av.Packet(data)
        packet.pts = number * self._ticks
        packet.time_base = Fraction(1, round(self._ticks / self._interval))
        return packet


class Camera(_Paced):
    """whole() makes it start again with a whole picture; hide() stops pictures until show()."""

    kind = "video"

    def __init__(self, shown: clip.Clip) -> None:
        super().__init__(1 / shown.rate, _VIDEO_CLOCK // shown.rate)
        self._shown = shown
        self._at = 0
        self._on = asyncio.Event()
        self._on.set()
        self.sent = 0

    def whole(self) -> None:
        self._at = 0

    def hide(self) -> None:
        self._on.clear()

    def show(self) -> None:
        self.whole()
        self._on.set()

    async def recv(self) -> av.Packet[Any]:
        await self._on.wait()
        number = await self._wait()
        data = self._shown.frames[self._at]
        self._at = (self._at + 1) % len(self._shown.frames)
        self.sent += 1
        return self._packet(data, number)


class Microphone(_Paced):
    """talking: the tone is heard; else silence."""

    kind = "audio"

    def __init__(self, sounds: clip.Sounds) -> None:
        super().__init__(clip.AUDIO_FRAME / clip.AUDIO_RATE, clip.AUDIO_FRAME)
        self._sounds = sounds
        self.talking = True

    def level(self) -> int:
        return self._sounds.level if self.talking else -127

    async def recv(self) -> av.Packet[Any]:
        number = await self._wait()
        packets = self._sounds.tone if self.talking else self._sounds.silence
        return self._packet(packets[number % len(packets)], number)
