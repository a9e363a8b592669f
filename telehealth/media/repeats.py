"""Which packets are sent again to a viewer who asks for them. Pure.

On a full line every packet that is sent again pushes another one out, which is asked for in turn: without a limit, ten
times as much was repeated as sent.
"""

from __future__ import annotations

#: Repeated bytes for each sent one, and how many may be saved up.
_SHARE = 0.5
_MOST_BYTES = 40_000.0
#: The same packet again after a round trip, which is this at least, and this at most.
_PAUSE_SECONDS = (0.02, 0.5)
_KEPT = 256
#: Seconds, and round trips: a picture so old is overtaken by a whole new one before it is complete.
_STALE_SECONDS = 1.0
_STALE_ROUND_TRIPS = 4.0


def stale(age: float, round_trip: float | None) -> bool:
    """Whether a packet that was first sent so many seconds ago helps less than a whole new picture.

    After a line was cut, or took another path, a viewer asks for all of that time: sending it would keep the picture
    still for longer than it was cut.
    """
    return age > max(_STALE_SECONDS, _STALE_ROUND_TRIPS * (round_trip or 0.0))


class Repeats:
    """Of one slot."""

    def __init__(self) -> None:
        self._bytes = _MOST_BYTES / 2
        self._at: dict[int, float] = {}

    def sent(self, size: int) -> None:
        self._bytes = min(_MOST_BYTES, self._bytes + _SHARE * size)

    def allows(self, number: int, size: int, now: float, round_trip: float | None) -> bool:
        """Whether a packet of so many bytes is sent again now; then it counts as sent."""
        least, most = _PAUSE_SECONDS
        before = self._at.get(number)
        if before is not None and now - before < min(most, max(least, round_trip or 0.0)):
            return False
        if size > self._bytes:
            return False
        self._bytes -= size
        self._at.pop(number, None)
        self._at[number] = now
        if len(self._at) > _KEPT:
            del self._at[next(iter(self._at))]
        return True
