"""The baseline: stock aiortc with MediaRelay, which decodes whatever comes and encodes it again for each viewer.

A process of its own: `python -m telehealth.bench.visit_relay`; JSON lines {"who": 1, "sdp": offer} are answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaBlackhole, MediaRelay

#: What a caller offers: sends a voice and a picture, and receives the same.
_SENDS = 2
_PEOPLE = 2


class Relay:
    """A room of two."""

    def __init__(self) -> None:
        self._relay = MediaRelay()
        self._connections: list[RTCPeerConnection] = []
        self._tracks: dict[int, dict[str, MediaStreamTrack]] = {}
        self._outlets: dict[int, list[RTCRtpSender]] = {}

    async def answer(self, who: int, sdp: str) -> str:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._connections.append(connection)
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        lines = connection.getTransceivers()
        self._tracks[who] = {line.kind: line.receiver.track for line in lines[:_SENDS]}
        self._outlets[who] = [line.sender for line in lines[_SENDS:]]
        for line in lines[_SENDS:]:
            line.direction = "sendonly"
        sink = MediaBlackhole()
        for track in self._tracks[who].values():
            sink.addTrack(self._relay.subscribe(track))
        await sink.start()
        if len(self._tracks) == _PEOPLE:
            for one, other in (tuple(self._tracks), tuple(self._tracks)[::-1]):
                for sender in self._outlets[one]:
                    sender.replaceTrack(self._relay.subscribe(self._tracks[other][sender.kind]))
        await connection.setLocalDescription(await connection.createAnswer())
        return str(connection.localDescription.sdp)


async def run() -> None:
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    relay = Relay()
    _say({"ready": True})
    while line := await reader.readline():
        asked = json.loads(line)
        _say({"who": asked["who"], "sdp": await relay.answer(asked["who"], asked["sdp"])})


def _say(said: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(run())
