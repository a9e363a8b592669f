"""From RTP packets as they arrive to whole sounds and pictures in order, with their times. No clock, no IO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from telehealth.media.taps import Packet

#: Packets that one order holds at most, whatever their age.
_MOST_HELD: Final = 1024
#: Of one picture. A sender that never ends one is not waited for.
MOST_BYTES: Final = 1024 * 1024
#: A step of numbers so large is not loss: the sender began anew.
_JUMP: Final = 3000
#: Times of sender and clock that differ by more: the sender slept, or began anew. Seconds.
_ASTRAY: Final = 2.0
#: Of fewer nobody can tell how late the quickest is.
_FEW: Final = 10


class Order:
    """Gives packets in the order of their numbers; waits for a missing one until the oldest that waits is so old.

    The age counts, not the gap: waiting for gap after gap would fall behind for good.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._held: dict[int, tuple[Packet, float]] = {}
        self._next: int | None = None
        self._ssrc: int | None = None

    def put(self, packet: Packet, arrived: float) -> bool:
        """Take a packet; whether its sender began anew, so that nothing before has to do with it."""
        anew = self._ssrc is not None and packet.ssrc != self._ssrc
        number = packet.sequence_number
        if not anew and self._next is not None:
            number = self._next + ((packet.sequence_number - self._next + 0x8000) & 0xFFFF) - 0x8000
            anew = abs(number - self._next) > _JUMP
        if anew or self._next is None:
            self._held.clear()
            number = packet.sequence_number
            self._next = number
        self._ssrc = packet.ssrc
        if number >= self._next and number not in self._held:
            self._held[number] = packet, arrived
        return anew

    def take(self, now: float) -> tuple[list[tuple[Packet, float]], bool]:
        """What may go now, with when it arrived; and whether something before or among it is lost for good."""
        ready: list[tuple[Packet, float]] = []
        lost = False
        while self._held and not lost:
            assert self._next is not None
            found = self._held.pop(self._next, None)
            if found is None:
                oldest = min(arrived for _, arrived in self._held.values())
                if now - oldest < self._patience and len(self._held) < _MOST_HELD:
                    break
                if ready:
                    break  # first those before the gap; what is lost is told with the next call
                self._next = min(self._held)
                lost = True
                found = self._held.pop(self._next)
            ready.append(found)
            self._next += 1
        return ready, lost

    @property
    def waiting(self) -> bool:
        return bool(self._held)


@dataclass(frozen=True)
class Picture:
    """One VP8 frame. whole: it needs no other one."""

    data: bytes
    timestamp: int
    arrived: float
    whole: bool

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height, where it is whole."""
        if not self.whole or len(self.data) < 10 or self.data[3:6] != b"\x9d\x01\x2a":
            return None
        width, height = (int.from_bytes(self.data[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        return (width, height) if width and height else None


class Pictures:
    """Puts packets in order together to pictures. Begins with a whole one, and after a loss waits for the next."""

    def __init__(self) -> None:
        #: Nothing is given until a whole picture comes.
        self.wanting = True
        #: Pictures that came and could not be used.
        self.dropped = 0
        self._parts: list[bytes] | None = None
        self._bytes = 0
        self._timestamp = 0
        self._arrived = 0.0

    def lost(self) -> None:
        """Packets before the next one are missing."""
        self._parts = None
        self.wanting = True

    def put(self, packet: Packet, arrived: float) -> Picture | None:
        """A picture, where this packet ends one that can be shown."""
        part = vp8_payload(packet.payload)
        if part is None:
            return None
        data, begins = part
        if begins:
            self._parts, self._bytes, self._timestamp, self._arrived = [], 0, packet.timestamp, arrived
        elif self._parts is not None and packet.timestamp != self._timestamp:
            self.lost()
        if self._parts is None:
            return None
        self._parts.append(data)
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            self.lost()
            return None
        if not packet.marker:
            return None
        picture = b"".join(self._parts)
        self._parts = None
        whole = bool(picture) and not picture[0] & 1
        if not picture or (self.wanting and not whole):
            self.dropped += 1
            return None
        self.wanting = False
        return Picture(picture, self._timestamp, self._arrived, whole)


def vp8_payload(payload: bytes) -> tuple[bytes, bool] | None:
    """What is behind the payload descriptor (RFC 7741), and whether a picture begins with it; None: nothing is."""
    if not payload:
        return None
    first, at = payload[0], 1
    if first & 0x80:
        if len(payload) < 2:
            return None
        more, at = payload[1], 2
        if more & 0x80:
            at += 2 if len(payload) > at and payload[at] & 0x80 else 1
        at += bool(more & 0x40) + bool(more & 0x30)
    if at >= len(payload):
        return None
    return payload[at:], bool(first & 0x10) and not first & 0x07


class Times:
    """Times of a sender's media in ms since the recording started: the first by its arrival, the rest by the sender."""

    def __init__(self, rate: int, zero: float) -> None:
        self._rate = rate
        self._zero = zero
        self._base: tuple[int, float] | None = None
        self._last = -1
        self._least = float("inf")
        self._seen = 0

    def anew(self) -> None:
        """The sender's numbers have nothing to do with those before."""
        self._base = None

    def of(self, timestamp: int, arrived: float) -> int:
        """Always later than the one before."""
        seconds = max(0.0, arrived - self._zero)
        if self._base is not None:
            began, at = self._base
            said = at + (((timestamp - began + 0x80000000) & 0xFFFFFFFF) - 0x80000000) / self._rate
            if abs(said - seconds) > _ASTRAY:
                self._base = None
            else:
                self._least, self._seen = min(self._least, seconds - said), self._seen + 1
                # The difference is kept small, so that no number of ticks is too large for its 32 bits.
                self._base = timestamp, said
                seconds = said
        if self._base is None:
            self._base = timestamp, seconds
            self._least, self._seen = float("inf"), 0
        self._last = max(self._last + 1, int(seconds * 1000))
        return self._last

    def lateness(self) -> float | None:
        """How long after its time the quickest of what came since this was asked last arrived, in s; None: too few did.

        The network delays one and another; what all of them have is a difference between the sender's clock and ours.
        """
        least, seen = self._least, self._seen
        self._least, self._seen = float("inf"), 0
        return least if seen >= _FEW else None

    def later(self, seconds: float) -> None:
        """From here on by so much."""
        if self._base is not None:
            self._base = self._base[0], self._base[1] + seconds
