"""What the fold remembers of each code: days, the newest readings, and how long glucose was in which band.

Pages in a state are never changed: the fold that goes on from it takes copies.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts import glucose, schedule, timeline
from alerts.kinds.base import Day, Keep, Sample, Worse

KEPT_SAMPLES = 200
#: Values of one local day of which the median is taken; of more, the first ones.
MOST_A_DAY = 2000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDINAL = _EPOCH.toordinal()
_QUARTER_US = 900_000_000
_HOUR_US = 3_600_000_000

#: Where a conflict of values is not decided, the more dangerous one counts: of these the lesser.
_LESS_IS_WORSE = frozenset({"spo2", "peak_flow", "fev1", "steps", "wellbeing"})


@dataclass(slots=True)
class Page:
    """One code. `values` are the current day's, sorted; `days` and `bands` are those before it.

    Changed in place by the desk that owns it; whoever keeps it takes a copy.
    """

    days: list[Day] = field(default_factory=list)
    day: int = 0
    values: list[float] = field(default_factory=list)
    at: int = 0
    excluded: bool = False
    samples: list[Sample] = field(default_factory=list)
    bands: list[tuple[int, ...]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    conflict_at: int = 0  #: of the newest sample that came with different values
    #: The current day's by the other ends, sorted; empty while nothing has come with different values.
    others: list[float] = field(default_factory=list)
    conflict_day: int = -1  #: the newest day on which something did

    def copy(self) -> Page:
        """One that may be changed."""
        return Page(
            self.days[:],
            self.day,
            self.values[:],
            self.at,
            self.excluded,
            self.samples[:],
            self.bands[:],
            self.counts[:],
            self.conflict_at,
            self.others[:],
            self.conflict_day,
        )

    @property
    def current(self) -> Day:
        """The current day so far; it has a value."""
        values, others = self.values, self.others
        other = (_median(others), others[0], others[-1]) if others else None
        return Day(self.day, len(values), _median(values), values[0], values[-1], self.at, self.excluded, other)

    @property
    def whole(self) -> Sequence[Day]:
        """All days, the current one last."""
        return [*self.days, self.current] if self.values else self.days

    def add(self, code: str, day: int, sample: Sample, excluded: bool, keep: Keep) -> None:
        """One more reading, later than all others, as far as it has to be kept."""
        if keep.hours:
            if sample.other is not None:
                self.conflict_at = sample.at
            self._sample(sample, sample.at - keep.hours * _HOUR_US)
        if keep.days:
            if day != self.day:
                self._turn(day - keep.days)
            if len(self.values) < MOST_A_DAY:
                self._value(day, sample)
            if code == "glucose":
                self._count(sample)
            self.excluded = self.excluded or excluded
        self.day, self.at = day, sample.at

    def _value(self, day: int, sample: Sample) -> None:
        if sample.other is not None and not self.others:
            self.others, self.conflict_day = self.values[:], day
        bisect.insort(self.values, sample.value)
        if self.conflict_day == day:
            bisect.insort(self.others, sample.value if sample.other is None else sample.other)

    def _sample(self, sample: Sample, oldest: int) -> None:
        samples = self.samples
        samples.append(sample)
        first = max(0, len(samples) - KEPT_SAMPLES)
        while samples[first].at < oldest:
            first += 1
        if first:
            del samples[:first]

    def _count(self, sample: Sample) -> None:
        if not self.counts:
            self.counts = [0] * 5
        self.counts[0] += 1
        found = glucose.bands(sample.value)
        if sample.other is not None:
            found = (*glucose.bands(sample.other)[:2], *found[2:])
        for place, inside in enumerate(found, 1):
            self.counts[place] += inside

    def leave_out(self, day: int, keep: Keep) -> None:
        """This day, today or one that no reading has come of yet: no baseline has it."""
        if keep.days and day > self.day:
            self._turn(day - keep.days)
            self.day = day
        self.excluded = self.excluded or day == self.day

    def _turn(self, oldest: int) -> None:
        """The current day is over; those before `oldest` are forgotten."""
        if self.values:
            self.days.append(self.current)
        if self.counts:
            self.bands.append((self.day, *self.counts))
        if self.days and self.days[0].day < oldest:
            self.days = [entry for entry in self.days if entry.day >= oldest]
            self.bands = [entry for entry in self.bands if entry[0] >= oldest]
        self.values, self.others, self.counts, self.excluded = [], [], [], False

    def to_json(self) -> list[Any]:
        """JSON form."""
        return [
            [list(day[:7] if day.other is None else day) for day in self.days],
            self.day,
            self.values,
            self.at,
            self.excluded,
            [list(sample[:3] if sample.other is None else sample) for sample in self.samples],
            [list(entry) for entry in self.bands],
            self.counts,
            self.conflict_at,
            self.others,
            self.conflict_day,
        ]

    @classmethod
    def from_json(cls, document: Sequence[Any]) -> Page:
        """Inverse of to_json."""
        days, day, values, at, excluded, samples, bands, counts, conflict_at, others, conflict_day = document
        return cls(
            [_day(entry) for entry in days],
            day,
            list(values),
            at,
            excluded,
            [Sample(*entry) for entry in samples],
            [tuple(entry) for entry in bands],
            list(counts),
            conflict_at,
            list(others),
            conflict_day,
        )


def _day(entry: Sequence[Any]) -> Day:
    known = Day(*entry[:7])
    return known if len(entry) == 7 else known._replace(other=tuple(entry[7]))


def _median(values: Sequence[float]) -> float:
    """Of sorted values, to nine decimals: equal days are to be equal, whatever they were worked out from."""
    half, odd = divmod(len(values), 2)
    return round(values[half] if odd else (values[half - 1] + values[half]) / 2, 9)


def _usual_end(code: str) -> Worse:
    return "low" if code in _LESS_IS_WORSE else "high"


class Desk:
    """The pages of one resident while the fold goes on, and the view that assessments are shown."""

    __slots__ = ("_last", "_level", "_own", "_pages", "_turned", "at", "day", "keeps", "zone")

    def __init__(
        self,
        zone: str,
        keeps: Mapping[str, Keep],
        pages: Mapping[str, Page],
        last: Callable[[str], Sequence[Any] | None],
        open_level: Callable[[str], int],
    ) -> None:
        self.zone = zone
        self.keeps = keeps
        self._pages = dict(pages)
        #: Codes whose page nobody else has.
        self._own: set[str] = set()
        self._last = last
        self._level = open_level
        self.at = 0
        self.day = 0
        #: Codes of which this moment has the first reading of the local day.
        self._turned: set[str] = set()

    def pages(self) -> dict[str, Page]:
        """As they are now, for a state; the desk goes on with copies."""
        self._own.clear()
        return dict(self._pages)

    def _page(self, code: str) -> Page:
        if code not in self._own:
            self._own.add(code)
            known = self._pages.get(code)
            self._pages[code] = Page() if known is None else known.copy()
        return self._pages[code]

    def note(self, at: int, code: str, low: float, high: float, quality: int, excluded: bool) -> None:
        """One more reading, none earlier than those before. NaN: a failed one, which is not kept."""
        if at != self.at:
            self._turned.clear()
        self.at, self.day = at, local_day(self.zone, at)
        keep = self.keeps.get(code)
        if keep is not None and low == low and not quality & timeline.POOR:
            value, other = (low, high) if _usual_end(code) == "low" else (high, low)
            sample = Sample(at, value, quality, other if low != high else None)
            page = self._page(code)
            if page.day != self.day or not page.values:
                self._turned.add(code)
            page.add(code, self.day, sample, excluded, keep)

    def turned(self, codes: frozenset[str]) -> bool:
        """Whether this moment has the first reading of the local day of any of these codes."""
        return not self._turned.isdisjoint(codes)

    def exclude(self, code: str, at: int) -> None:
        """An episode about this code is open at this time, and so on this day."""
        page = self._pages.get(code)
        if page is not None and page.day == local_day(self.zone, at) and page.values and not page.excluded:
            self._page(code).excluded = True

    def ended(self, code: str, at: int) -> None:
        """An episode about this code was open until then: the day is left out, whenever it is measured on it."""
        keep = self.keeps.get(code)
        if keep is not None:
            self._page(code).leave_out(local_day(self.zone, at - 1), keep)

    # What assessments see -------------------------------------------------------------------------

    def days(self, code: str, worse: Worse | None = None) -> Sequence[Day]:
        page = self._pages.get(code)
        if page is None:
            return ()
        days = page.whole
        if worse in (None, _usual_end(code)) or not days or page.conflict_day < days[0].day:
            return days
        return [day if day.other is None else _turned_over(day, day.other) for day in days]

    def samples(self, code: str, worse: Worse | None = None) -> Sequence[Sample]:
        page = self._pages.get(code)
        if page is None:
            return ()
        if worse is None or not page.conflict_at or page.conflict_at < page.samples[0].at:
            return page.samples
        choose = min if worse == "low" else max
        return [s if s.other is None else s._replace(value=choose(s.value, s.other)) for s in page.samples]

    def bands(self, code: str) -> Sequence[tuple[int, ...]]:
        page = self._pages.get(code)
        if page is None:
            return ()
        return [*page.bands, (page.day, *page.counts)] if page.counts else page.bands

    def last(self, code: str, worse: Worse | None = None) -> Sample | None:
        found = self._last(code)
        if found is None:
            return None
        return Sample(found[0], found[1] if (worse or _usual_end(code)) == "low" else found[2], found[3])

    def open_level(self, rule: str) -> int:
        return self._level(rule)


def _turned_over(day: Day, other: tuple[float, float, float]) -> Day:
    median, least, greatest = other
    return day._replace(median=median, least=least, greatest=greatest)


def local_day(zone: str, at: int) -> int:
    """Local date as days since 1970-01-01."""
    return _day_of_quarter(zone, at // _QUARTER_US)


# Every zone changes its offset on a whole quarter of an hour, and its days begin on one.
@functools.lru_cache(maxsize=65_536)
def _day_of_quarter(zone: str, quarter: int) -> int:
    moment = (_EPOCH + timedelta(minutes=15 * quarter)).astimezone(schedule.zone_named(zone))
    return moment.toordinal() - _ORDINAL


def to_json(pages: Mapping[str, Page]) -> dict[str, Any]:
    """JSON form of pages by code."""
    return {code: page.to_json() for code, page in pages.items()}


def from_json(document: Mapping[str, Any]) -> dict[str, Page]:
    """Inverse of to_json."""
    return {code: Page.from_json(page) for code, page in document.items()}
