"""The one place where callers reach into aiortc: packets as they come, without decoding them.

aiortc decodes whatever it receives, in a thread for each stream, and answers a gap once. A caller only counts frames,
and asks again for what is missing, as browsers do. Tests on a real connection show that it still fits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiortc import RTCRtpReceiver, RTCRtpSender, rtcrtpreceiver
from aiortc.rtp import RtpPacket

_RECEIVER = "_RTCRtpReceiver__"
_WORKER = "decoder_worker"

Heard = Callable[[RtpPacket], None]


class _Packets:
    """In place of a jitter buffer: hands packets on, and never has a frame to decode."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        self._heard(packet)
        return False, None


def hear(receiver: RTCRtpReceiver, heard: Heard) -> None:
    """Every packet of a receiver, retransmitted ones unwrapped; before it receives."""
    own: Any = receiver
    name = _RECEIVER + "jitter_buffer"
    getattr(own, name)  # of another version: AttributeError here, and not silence
    setattr(own, name, _Packets(heard))
    stock = own.receive

    async def receive(parameters: Any) -> None:
        # Its thread would wait for frames to decode. Nothing else runs meanwhile: receive() never waits.
        before = getattr(rtcrtpreceiver, _WORKER)
        setattr(rtcrtpreceiver, _WORKER, _nothing_to_decode)
        try:
            await stock(parameters)
        finally:
            setattr(rtcrtpreceiver, _WORKER, before)
        # Repeated packets have an SSRC of their own, which aiortc does not look up: where several receivers share a
        # payload type it drops them.
        for repeated in getattr(own, _RECEIVER + "rtx_ssrc"):
            own.transport._rtp_router.ssrc_table[repeated] = own

    own.receive = receive


def _nothing_to_decode(*_: object) -> None:
    return


def estimate_nothing(receiver: RTCRtpReceiver) -> None:
    """Say nothing of how much fits through: aiortc's estimate falls where only this computer is busy."""
    name = _RECEIVER + "remote_bitrate_estimator"
    getattr(receiver, name)
    setattr(receiver, name, None)


def missing(receiver: RTCRtpReceiver) -> set[int]:
    """Sequence numbers that a receiver of video waits for."""
    found = getattr(receiver, _RECEIVER + "nack_generator").missing
    assert isinstance(found, set)
    return found


async def ask_again(receiver: RTCRtpReceiver, ssrc: int, numbers: list[int]) -> None:
    own: Any = receiver
    await own._send_rtcp_nack(ssrc, numbers)


async def ask_whole(receiver: RTCRtpReceiver, ssrc: int) -> None:
    """For a picture that needs none before it."""
    own: Any = receiver
    await own._send_rtcp_pli(ssrc)


def speak(sender: RTCRtpSender, *, whole: Callable[[], None] | None, level: Callable[[], int] | None) -> None:
    """whole: somebody needs a whole picture. level: in dBov, of what is sent now."""
    own: Any = sender
    if whole is not None:
        own._send_keyframe = whole
    if level is not None:
        loudness, stock = level, own._next_encoded_frame

        async def next_frame(codec: Any) -> Any:
            frame = await stock(codec)
            if frame is not None:
                frame.audio_level = loudness()
            return frame

        own._next_encoded_frame = next_frame
