"""How much a viewer's line carries, and what follows for them and for whom they watch. Pure.

A browser estimates what it can receive (REMB). Passed on as it is, one weak line would make everybody's picture poor:
so it slows those who send down to a floor at most, and a viewer whose line cannot carry even that gets fewer pictures,
in the end none, and keeps the voices. Estimates are at most 1.5 times of what comes in, so that a low one means nothing
where little is sent: only one below what is sent does.
"""

from __future__ import annotations

from collections.abc import Iterable

#: bit/s of one picture: below it nobody is slowed down for a viewer.
FLOOR = 200_000
#: Above it nobody needs to be slowed down.
_CEILING = 2_000_000
_FRESH_SECONDS = 4.0
_WEAK_SECONDS = 3.0
_DIP = 0.7
#: A picture more is tried so long after one was taken away; twice as long whenever the line did not carry it.
_TRY_SECONDS = 10.0
_TRY_SECONDS_MOST = 80.0
#: A line that carried what was tried for so long has recovered.
_GOOD_SECONDS = 20.0
_HEAVY_LOSS = 0.25


def upstream(own: int, viewers: Iterable[float | None], floor: int = FLOOR) -> int:
    """bit/s to tell somebody who sends: their own line's estimate, or less for viewers, but not below the floor."""
    return int(min([own, *(max(floor, cap) for cap in viewers if cap is not None)]))


class Line:
    """One viewer's way down."""

    def __init__(self, floor: int = FLOOR) -> None:
        self._floor = floor
        #: Pictures at most; None: as many as there are.
        self.pictures: int | None = None
        #: bit/s of each picture; None: nobody need be slowed down for this viewer.
        self.cap: float | None = None
        self._estimate: float | None = None
        self._estimated_at = 0.0
        self._weak_since: float | None = None
        self._try_at = 0.0
        self._tried_at: float | None = None
        self._wait = _TRY_SECONDS

    @property
    def audio_only(self) -> bool:
        return self.pictures == 0

    def heard(self, estimate: float, now: float) -> None:
        """What the viewer's browser says that it can receive, in bit/s, all pictures together."""
        self._estimate, self._estimated_at = estimate, now

    def judge(self, *, sent: float, loss: float, pictures: int, wanted: int, now: float) -> None:
        """Once a second. sent: bit/s of pictures, smoothed over seconds; loss: share; pictures: that they have now;
        wanted: that they would have on a good line."""
        carried = self._carried(sent, loss, pictures, now)
        if carried is None:
            self._weak_since = None
            self._release(wanted, now)
            return
        self.cap = max(self._floor, carried / pictures)
        # Pictures may need less than the floor, and an estimate dips below what comes in whenever a line is full.
        least = min(sent, self._floor * pictures) / pictures
        if carried >= _DIP * least * pictures:
            self._weak_since = None
            return
        if self._weak_since is None:
            self._weak_since = now
        if now - self._weak_since >= _WEAK_SECONDS:
            self._take_away(int(carried // least), pictures, now)

    def _carried(self, sent: float, loss: float, pictures: int, now: float) -> float | None:
        """bit/s that the line carries; None: whatever is sent."""
        if pictures == 0 or sent <= 0:
            return None
        fresh = self._estimate is not None and now - self._estimated_at < _FRESH_SECONDS
        carried = self._estimate if fresh else None
        if loss >= _HEAVY_LOSS:
            carried = min(sent * (1 - loss), carried if carried is not None else sent)
        return carried if carried is not None and carried < 0.95 * sent else None

    def _take_away(self, carries: int, pictures: int, now: float) -> None:
        if self._tried_at is not None and now - self._tried_at < _GOOD_SECONDS:
            self._wait = min(_TRY_SECONDS_MOST, self._wait * 2)
        self.pictures = min(carries, pictures - 1)
        self.cap, self._weak_since, self._tried_at = None, None, None
        self._try_at = now + self._wait

    def _release(self, wanted: int, now: float) -> None:
        if self.cap is not None:
            self.cap *= 1.05
            if self.cap > _CEILING:
                self.cap = None
        if self._tried_at is not None and now - self._tried_at >= _GOOD_SECONDS:
            self._wait = _TRY_SECONDS
        if self.pictures is None or now < self._try_at or wanted == 0:
            return
        more = self.pictures + 1
        self.pictures = None if more >= wanted else more
        self._tried_at, self._try_at = now, now + self._wait
