"""How much a viewer's line carries, and what follows for them and for whom they watch. Pure.

A browser estimates what it can receive (REMB). Passed on as it is, one weak line would make everybody's picture poor:
so it slows those who send down to a floor at most, and a viewer whose line cannot carry even that gets fewer pictures,
in the end none, and keeps the voices.

An estimate alone says little. It is at most 1.5 times of what comes in, so that a low one means nothing where little is
sent; it lags behind where more is sent suddenly; and it falls where delays vary, though nothing is lost. So it counts
only where the line shows that it is full: packets are lost (a queue that is full overflows), wait long, or nothing is
heard of them at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

#: bit/s of one picture: below it nobody is slowed down for a viewer.
FLOOR = 200_000
#: Above it nobody needs to be slowed down.
_CEILING = 2_000_000
_FRESH_SECONDS = 4.0
_WEAK_SECONDS = 3.0
_DIP = 0.7
#: A picture more is tried so long after one was taken away; twice as long whenever the line did not carry it.
_TRY_SECONDS = 8.0
_TRY_SECONDS_MOST = 40.0
#: Before it is, those who send are slowed down.
_READY_SECONDS = 1.5
#: A picture that is tried is given up sooner: what it disturbs are the voices.
_TRIED_WEAK_SECONDS = 1.5
#: A line that carried what was tried for so long has recovered.
_GOOD_SECONDS = 20.0
_HEAVY_LOSS = 0.25
#: What reports say is of so long; of so few packets a loss is chance.
_REPORT_SECONDS = 3.0
_LAST_SECONDS = 0.7
_FEW = 20
_FULL_LOSS = 0.1
#: Longer than the least of the last so many seconds, packets wait in a queue.
_WAIT_SECONDS = 0.6
_BASE_SECONDS = 30.0
#: A browser that gets pictures reports each second. None for so long: its reports do not get through.
_DEAF_SECONDS = 3.5
#: Of a way up: pictures that wait longer in a queue, where no more than so many bit/s of them arrive.
_UP_WAIT_SECONDS = 0.3
_UP_LOSS = 0.15
_LITTLE = 70_000


def upstream(viewers: Iterable[float | None], floor: int = FLOOR) -> int | None:
    """bit/s that somebody should send at most for those who watch, none of whom pulls it below the floor; None: all."""
    return min((int(max(floor, cap)) for cap in viewers if cap is not None), default=None)


def _share(reports: Iterable[tuple[float, int, float, float | None]], few: int = _FEW) -> float:
    given = list(reports)
    packets = sum(report[1] for report in given)
    return min(1.0, sum(report[2] for report in given) / packets) if packets >= few else 0.0


class Tries:
    """What was stopped is tried again after a while, and after a longer one if it failed soon."""

    def __init__(self) -> None:
        self.at = 0.0
        self._wait = _TRY_SECONDS
        self._tried_at: float | None = None

    def stopped(self, now: float) -> None:
        if self.fresh(now):
            self._wait = min(_TRY_SECONDS_MOST, self._wait * 2)
        self.at, self._tried_at = now + self._wait, None

    def tried(self, now: float) -> None:
        """Also whatever is tried next waits as long."""
        self._tried_at, self.at = now, now + self._wait

    def fresh(self, now: float) -> bool:
        """Whether something was tried, and has not proved itself yet."""
        if self._tried_at is None:
            return False
        if now - self._tried_at < _GOOD_SECONDS:
            return True
        self._wait = _TRY_SECONDS
        return False


class Upward:
    """One sender's way up: whether it carries pictures at all. Browsers send at least 30 kbit/s of them."""

    def __init__(self) -> None:
        #: Pictures push the voice out: none should be sent.
        self.paused = False
        self._weak_since: float | None = None
        self._tries = Tries()

    def judge(self, *, rate: float, queue: float, loss: float, now: float) -> None:
        """Once a second. rate: bit/s of pictures that arrive; queue: seconds that they wait; loss: of all packets."""
        if self.paused:
            if now >= self._tries.at:
                self.paused = False
                self._tries.tried(now)
            return
        fresh = self._tries.fresh(now)
        full = queue >= _UP_WAIT_SECONDS or loss >= _UP_LOSS
        if not full or rate <= 0 or rate > _LITTLE:
            self._weak_since = None
            return
        if self._weak_since is None:
            self._weak_since = now
        if now - self._weak_since >= (_TRIED_WEAK_SECONDS if fresh else _WEAK_SECONDS):
            self.paused, self._weak_since = True, None
            self._tries.stopped(now)


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
        self._tries = Tries()
        #: When, packets, lost, and the delay of the newest (None: unknown).
        self._reports: deque[tuple[float, int, float, float | None]] = deque()
        self._delays: deque[tuple[float, float]] = deque()
        self._reported_at: float | None = None
        self._pictures_since: float | None = None

    @property
    def audio_only(self) -> bool:
        return self.pictures == 0

    def heard(self, estimate: float, now: float) -> None:
        """What the viewer's browser says that it can receive, in bit/s, all pictures together."""
        self._estimate, self._estimated_at = estimate, now

    def reported(self, packets: int, lost: float, behind: float | None, now: float) -> None:
        """What the browser says of one picture. behind: seconds since the newest packet that it has was sent."""
        self._reports.append((now, packets, lost, behind))
        if behind is not None:
            self._delays.append((now, behind))
        self._reported_at = now

    @property
    def loss(self) -> float:
        """Share of the packets of pictures that were lost lately, and still are."""
        if not self._reports:
            return 0.0
        newest = self._reports[-1][0]
        last = [report for report in self._reports if newest - report[0] <= _LAST_SECONDS]
        return min(_share(self._reports), _share(last, few=1))

    def judge(self, *, sent: float, pictures: int, wanted: int, now: float) -> None:
        """Once a second. sent: bit/s of pictures, smoothed over seconds; pictures: that they have now; wanted: that
        they would have on a good line."""
        self._forget(now)
        if pictures == 0:
            self._pictures_since = None
        elif self._pictures_since is None:
            self._pictures_since = now
        carried = self._carried(sent, pictures, now)
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
        if now - self._weak_since >= (_TRIED_WEAK_SECONDS if self._tries.fresh(now) else _WEAK_SECONDS):
            self._take_away(int(carried // least), pictures, now)

    def _forget(self, now: float) -> None:
        while self._reports and now - self._reports[0][0] > _REPORT_SECONDS:
            self._reports.popleft()
        while self._delays and now - self._delays[0][0] > _BASE_SECONDS:
            self._delays.popleft()

    def _full(self, now: float) -> bool:
        """Whether the line shows that it takes no more."""
        if self.loss >= _FULL_LOSS:
            return True
        lately = [report[3] for report in self._reports if report[3] is not None]
        if lately and min(lately) - min(delay for _, delay in self._delays) >= _WAIT_SECONDS:
            return True
        if self._pictures_since is None:
            return False
        return now - max(self._pictures_since, self._reported_at or 0.0) >= _DEAF_SECONDS

    def _carried(self, sent: float, pictures: int, now: float) -> float | None:
        """bit/s that the line carries; None: whatever is sent."""
        if pictures == 0 or sent <= 0 or not self._full(now):
            return None
        fresh = self._estimate is not None and now - self._estimated_at < _FRESH_SECONDS
        carried = self._estimate if fresh else None
        if self.loss >= _HEAVY_LOSS:
            carried = min(sent * (1 - self.loss), carried if carried is not None else sent)
        return carried if carried is not None and carried < 0.95 * sent else None

    def _take_away(self, carries: int, pictures: int, now: float) -> None:
        self.pictures = min(carries, pictures - 1)
        self.cap, self._weak_since = None, None
        self._tries.stopped(now)
        # What is said of them later is said of what was sent too much.
        self._reports.clear()

    def _release(self, wanted: int, now: float) -> None:
        if self.cap is not None:
            self.cap *= 1.05
            if self.cap > _CEILING:
                self.cap = None
        self._tries.fresh(now)
        if self.pictures is None or wanted == 0 or now < self._tries.at - _READY_SECONDS:
            return
        self.cap = self._floor
        if now < self._tries.at:
            return
        more = self.pictures + 1
        self.pictures = None if more >= wanted else more
        self._tries.tried(now)
