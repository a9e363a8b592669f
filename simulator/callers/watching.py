"""What somebody sees of a picture that comes in packets: frames, freezes, gaps. Pure: times are arguments.

A frame counts when all of its packets and everything before it are there, as a decoder needs it; after a packet that
stays away nothing counts until the next whole picture.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

#: So long a missing packet is waited for; browsers give up about then and ask for a whole picture.
GIVE_UP_SECONDS = 1.0
#: And ask again after so long.
_ASK_AGAIN_SECONDS = 0.5
_KNOWN_INTERVALS = 30
_WRAP = 1 << 16


@dataclass(frozen=True)
class Piece:
    """One RTP packet with VP8 in it."""

    seq: int
    marker: bool
    payload: bytes


@dataclass
class Seen:
    """Seconds; first, last: when frames were there. packets: without repeats. frozen: of freezes as browsers count."""

    packets: int = 0
    missing: int = 0
    frames: int = 0
    freezes: int = 0
    frozen: float = 0.0
    longest: float = 0.0
    first: float | None = None
    last: float | None = None
    whole_asked: int = 0


@dataclass
class Picture:
    """One incoming picture. tick() says whether a whole picture should be asked for."""

    seen: Seen = field(default_factory=Seen)

    def __post_init__(self) -> None:
        self._next: int | None = None
        self._held: dict[int, tuple[Piece, float]] = {}
        self._broken = True
        self._frame_broken = True
        self._last: float | None = None
        self._asked: float | None = None
        self._intervals: deque[float] = deque(maxlen=_KNOWN_INTERVALS)

    def add(self, piece: Piece, at: float) -> None:
        if self._next is None:
            self._next = piece.seq
        if (piece.seq - self._next) % _WRAP >= _WRAP // 2 or piece.seq in self._held:
            return  # came again, or too late
        self.seen.packets += 1
        self._held[piece.seq] = (piece, at)
        self._take_in_order(at)
        self._give_up(at)

    def tick(self, at: float) -> bool:
        """Time passes. Whether a whole picture should be asked for now."""
        self._give_up(at)
        if (
            not self._broken
            or self._next is None
            or (self._asked is not None and at - self._asked < _ASK_AGAIN_SECONDS)
        ):
            return False
        self._asked = at
        self.seen.whole_asked += 1
        return True

    def rest(self) -> None:
        """Nothing is expected for now (camera off, somebody else): what comes next ends no freeze."""
        self._last = None
        self._intervals.clear()

    def silent(self, at: float) -> float:
        """Seconds since the last frame; 0 while none is expected."""
        return 0.0 if self._last is None else at - self._last

    def _take_in_order(self, at: float) -> None:
        assert self._next is not None
        while self._next in self._held:
            piece, _ = self._held.pop(self._next)
            self._next = (self._next + 1) % _WRAP
            start = starts_frame(piece.payload)
            if start:
                self._frame_broken = self._broken and not whole_picture(piece.payload)
            if piece.marker:
                if not self._frame_broken:
                    self._broken = False
                    self._frame(at)
                self._frame_broken = self._broken

    def _give_up(self, at: float) -> None:
        if not self._held or self._next is None:
            return
        expected = self._next
        first = min(self._held, key=lambda seq: (seq - expected) % _WRAP)
        if at - self._held[first][1] < GIVE_UP_SECONDS:
            return
        self.seen.missing += (first - expected) % _WRAP
        self._next = first
        self._broken = self._frame_broken = True
        self._take_in_order(at)

    def _frame(self, at: float) -> None:
        seen = self.seen
        seen.frames += 1
        seen.last = at
        if seen.first is None:
            seen.first = at
        if self._last is not None:
            gap = at - self._last
            seen.longest = max(seen.longest, gap)
            if self._intervals:
                usual = sum(self._intervals) / len(self._intervals)
                # As getStats' freezeCount.
                if gap > max(3 * usual, usual + 0.15):
                    seen.freezes += 1
                    seen.frozen += gap
            self._intervals.append(gap)
        self._last = at


def starts_frame(payload: bytes) -> bool:
    """Of VP8: S is set and the partition is the first (RFC 7741)."""
    return len(payload) > 0 and payload[0] & 0x10 != 0 and payload[0] & 0x07 == 0


def whole_picture(payload: bytes) -> bool:
    """Whether a packet that starts a frame starts a key frame."""
    header = _header_bytes(payload)
    return starts_frame(payload) and len(payload) > header and payload[header] & 0x01 == 0


def _header_bytes(payload: bytes) -> int:
    if not payload or not payload[0] & 0x80:
        return 1
    flags = payload[1] if len(payload) > 1 else 0
    size = 2
    if flags & 0x80:
        size += 2 if len(payload) > 2 and payload[2] & 0x80 else 1
    if flags & 0x40:
        size += 1
    if flags & 0x30:
        size += 1
    return size
