"""A packet on its way to many viewers: what is the same for all is made once, for each the few bytes that differ."""

from __future__ import annotations

import struct
import time
from typing import Final

from aiortc import rtp

_HEADER: Final = struct.Struct("!BBHLL")
_NTP_EPOCH_SECONDS: Final = 2_208_988_800
#: Times of sending, so far apart that no byte of theirs is the same.
_NONE, _ALL = 0x000000, 0xFFFFFF

#: Whether speech was detected, and how far below the loudest, in dB: what aiortc keeps of an audio level.
Level = tuple[bool, int]


class Onward:
    """A packet as it came, and when it goes on. ntp: 64 bits, seconds since 1900 and their fraction."""

    __slots__ = ("level", "mark", "ntp", "packet", "payload", "sent_at")

    def __init__(self, packet: rtp.RtpPacket, ntp: int) -> None:
        self.packet, self.ntp = packet, ntp
        self.payload = packet.payload
        self.mark = packet.marker << 7
        self.level: Level | None = packet.extensions.audio_level
        self.sent_at = ((ntp >> 14) & 0xFFFFFF).to_bytes(3, "big")


def ntp_now() -> int:
    return ntp(time.time_ns())


def ntp(nanoseconds: int) -> int:
    """Of a time since 1970; as aiortc's clock has it, but cheaper."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return (seconds + _NTP_EPOCH_SECONDS) << 32 | (rest << 32) // 1_000_000_000


class Layout:
    """How all packets of one slot look. extensions: the ids of header extensions that its viewer takes."""

    def __init__(self, payload_type: int, ssrc: int, mid: str | None, extensions: rtp.HeaderExtensionsMap) -> None:
        self._payload_type, self._ssrc, self._mid, self._extensions = payload_type, ssrc, mid, extensions
        self._known: dict[Level | None, tuple[int, bytes, bytes, bool]] = {}

    def packet(self, onward: Onward, number: int, timestamp: int) -> rtp.RtpPacket:
        """As aiortc would send it, and keeps it to repeat it."""
        packet = rtp.RtpPacket(
            self._payload_type, onward.packet.marker, number, timestamp, self._ssrc, onward.packet.payload
        )
        packet.padding_size = onward.packet.padding_size
        self._extend(packet, (onward.ntp >> 14) & 0xFFFFFF, onward.level)
        return packet

    def data(self, onward: Onward, number: int, timestamp: int) -> bytes:
        """The bytes of packet(), without the packet; only padding differs, which is random."""
        if onward.packet.padding_size:
            return self.packet(onward, number, timestamp).serialize(self._extensions)
        known = self._known.get(onward.level)
        if known is None:
            known = self._learn(onward.level)
        first, before, after, timed = known
        head = _HEADER.pack(first, onward.mark | self._payload_type, number, timestamp, self._ssrc)
        if timed:
            return b"".join((head, before, onward.sent_at, after, onward.payload))
        return b"".join((head, before, onward.payload))

    def _extend(self, packet: rtp.RtpPacket, sent_at: int, level: Level | None) -> None:
        packet.extensions.abs_send_time = sent_at
        packet.extensions.mid = self._mid
        packet.extensions.audio_level = level

    def _learn(self, level: Level | None) -> tuple[int, bytes, bytes, bool]:
        """The first byte, what comes before the time of sending and after it, and whether there is one.

        Found by letting aiortc write two packets that differ in that time only. Levels are 256 at most.
        """
        found = []
        for sent_at in (_NONE, _ALL):
            packet = rtp.RtpPacket(self._payload_type, 0, 0, 0, self._ssrc, b"")
            self._extend(packet, sent_at, level)
            found.append(packet.serialize(self._extensions))
        none, full = found
        differ = [at for at, (one, other) in enumerate(zip(none, full, strict=True)) if one != other]
        at = differ[0] if differ else len(none)
        known = none[0], none[_HEADER.size : at], none[at + 3 :], bool(differ)
        self._known[level] = known
        return known
