"""Numbers of forwarded packets: what a viewer's slot sends is one unbroken stream, whoever's media it carries. Pure."""

from __future__ import annotations

#: Whoever jumps further forward has begun anew.
_JUMP = 3000
#: Later ones are of no use to anybody, and SRTP refuses them.
_LATE = 400


def ahead(a: int, b: int) -> int:
    """How far a 16-bit number a is ahead of b; negative: behind."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


class Numbers:
    """Gives packets of one source after another the numbers of one stream; gaps of a source stay gaps.

    first_sequence should be below 32768: a viewer that misses the first packets would else lose count of the wraps.
    """

    def __init__(self, first_sequence: int, first_timestamp: int, rate: int) -> None:
        self._sequence = (first_sequence - 1) & 0xFFFF
        self._timestamp = first_timestamp & 0xFFFFFFFF
        self._rate = rate
        self._sent_at: float | None = None
        self._ssrc: int | None = None
        self._from = 0  # the source's number of the first packet since it was taken up
        self._newest = 0  # and of the newest
        self._by = 0
        self._time_by = 0

    def restart(self) -> None:
        """The next packet is of another source, or follows a pause: it comes right after what was sent last."""
        self._ssrc = None

    def give(self, ssrc: int, sequence: int, timestamp: int, now: float) -> tuple[int, int] | None:
        """Sequence number and timestamp to send a packet with; None: it is too late to be sent."""
        forward = ahead(sequence, self._newest)
        if ssrc != self._ssrc or forward > _JUMP:
            self._begin(ssrc, sequence, timestamp, now)
            forward = 0
        if forward < 0 and ahead(sequence, self._from) < 0 and ahead(self._newest, self._from) < _JUMP:
            return None  # from before this source was taken up: its number is taken
        if forward < -_LATE:
            return None
        out = (sequence + self._by) & 0xFFFF
        out_time = (timestamp + self._time_by) & 0xFFFFFFFF
        if forward >= 0:
            self._newest, self._sequence, self._timestamp, self._sent_at = sequence, out, out_time, now
            if ahead(sequence, self._from) >= _JUMP:
                self._from = (sequence - _LATE) & 0xFFFF  # so that it never laps
        return out, out_time

    def _begin(self, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        passed = 0 if self._sent_at is None else max(1, round((now - self._sent_at) * self._rate))
        self._ssrc, self._from, self._newest = ssrc, sequence, sequence
        self._by = (self._sequence + 1 - sequence) & 0xFFFF
        self._time_by = (self._timestamp + passed - timestamp) & 0xFFFFFFFF


def vp8_key(payload: bytes) -> bool:
    """Whether a packet of VP8 begins a whole picture (RFC 7741): one from which a viewer can start."""
    if len(payload) < 2 or not payload[0] & 0x10 or payload[0] & 0x07:
        return False
    at = 1
    if payload[0] & 0x80:
        more = payload[1]
        at = 2
        if more & 0x80:
            if len(payload) <= at:
                return False
            at += 2 if payload[at] & 0x80 else 1
        at += bool(more & 0x40) + bool(more & 0x30)
    return len(payload) > at and not payload[at] & 0x01
