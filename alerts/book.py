"""What the fold remembers of each code: days, the newest readings, and how long glucose was in which band.

Pages are values: a checkpoint keeps them, and the fold goes on from them without changing them.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from alerts import glucose, schedule, timeline
from alerts.kinds.base import Day, Keep, Sample

KEPT_SAMPLES = 200
#: Values of one local day of which the median is taken; of more, the first ones.
MOST_A_DAY = 2000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDINAL = _EPOCH.toordinal()
_QUARTER_US = 900_000_000
_HOUR_US = 3_600_000_000

#: Where a conflict of values is not decided, the more dangerous one counts: of these the lesser.
_LESS_IS_WORSE = frozenset({"spo2", "peak_flow", "fev1", "steps", "wellbeing"})


class Page(NamedTuple):
    """One code. The current day's values are sorted; `days` are those before it."""

    days: tuple[Day, ...] = ()
    day: int = 0
    values: tuple[float, ...] = ()
    at: int = 0
    excluded: bool = False
    samples: tuple[Sample, ...] = ()
    bands: tuple[tuple[int, ...], ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def current(self) -> Day:
        """The current day so far; it has a value."""
        values = self.values
        half, odd = divmod(len(values), 2)
        median = values[half] if odd else (values[half - 1] + values[half]) / 2
        return Day(self.day, len(values), median, values[0], values[-1], self.at, self.excluded)

    @property
    def whole(self) -> tuple[Day, ...]:
        """All days, the current one last."""
        return (*self.days, self.current) if self.values else self.days

    def add(self, code: str, day: int, sample: Sample, excluded: bool, keep: Keep) -> Page:
        """The page after one more reading, later than all others, as far as it has to be kept."""
        samples = _newest(self.samples, sample, keep.hours * _HOUR_US) if keep.hours else ()
        if not keep.days:
            return Page(day=day, at=sample.at, samples=samples)
        page = self if day == self.day and self.values else self._turn(day, day - keep.days)
        values, counts = page.values, page.counts
        if len(values) < MOST_A_DAY:
            position = bisect.bisect_right(values, sample.value)
            values = (*values[:position], sample.value, *values[position:])
        if code == "glucose":
            found = glucose.bands(sample.value)
            counts = tuple(a + b for a, b in zip(counts or (0,) * 5, (1, *found), strict=True))
        return Page(page.days, day, values, sample.at, page.excluded or excluded, samples, page.bands, counts)

    def _turn(self, day: int, oldest: int) -> Page:
        """The current day is over; those before `oldest` are forgotten."""
        days, bands = self.days, self.bands
        if self.values:
            days = (*days, self.current)
        if self.counts:
            bands = (*bands, (self.day, *self.counts))
        if days and days[0].day < oldest:
            days = tuple([entry for entry in days if entry.day >= oldest])
            bands = tuple([entry for entry in bands if entry[0] >= oldest])
        return Page(days, day, bands=bands)

    def to_json(self) -> list[Any]:
        """JSON form."""
        return [
            [list(day) for day in self.days],
            self.day,
            list(self.values),
            self.at,
            self.excluded,
            [list(sample) for sample in self.samples],
            [list(entry) for entry in self.bands],
            list(self.counts),
        ]

    @classmethod
    def from_json(cls, document: Sequence[Any]) -> Page:
        """Inverse of to_json."""
        days, day, values, at, excluded, samples, bands, counts = document
        return cls(
            tuple([Day(*entry) for entry in days]),
            day,
            tuple(values),
            at,
            excluded,
            tuple([Sample(*entry) for entry in samples]),
            tuple([tuple(entry) for entry in bands]),
            tuple(counts),
        )


def _newest(samples: tuple[Sample, ...], sample: Sample, kept_us: int) -> tuple[Sample, ...]:
    oldest = sample.at - kept_us
    first = 0 if len(samples) < KEPT_SAMPLES else len(samples) - KEPT_SAMPLES + 1
    while first < len(samples) and samples[first].at < oldest:
        first += 1
    return (*samples[first:], sample)


class Desk:
    """The pages of one resident while the fold goes on, and the view that assessments are shown."""

    __slots__ = ("_last", "_level", "at", "day", "keeps", "pages", "zone")

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
        self.pages = dict(pages)
        self._last = last
        self._level = open_level
        self.at = 0
        self.day = 0

    def note(self, at: int, code: str, low: float, high: float, quality: int, excluded: bool) -> None:
        """One more reading, none earlier than those before. NaN: a failed one, which is not kept."""
        self.at, self.day = at, local_day(self.zone, at)
        keep = self.keeps.get(code)
        if keep is not None and low == low and not quality & timeline.POOR:
            sample = Sample(at, low if code in _LESS_IS_WORSE else high, quality)
            self.pages[code] = self.pages.get(code, _BLANK).add(code, self.day, sample, excluded, keep)

    def exclude(self, code: str) -> None:
        """An episode about this code is open today."""
        page = self.pages.get(code)
        if page is not None and page.day == self.day and page.values and not page.excluded:
            self.pages[code] = page._replace(excluded=True)

    # What assessments see -------------------------------------------------------------------------

    def days(self, code: str) -> Sequence[Day]:
        page = self.pages.get(code)
        return () if page is None else page.whole

    def samples(self, code: str) -> Sequence[Sample]:
        page = self.pages.get(code)
        return () if page is None else page.samples

    def bands(self, code: str) -> Sequence[tuple[int, ...]]:
        page = self.pages.get(code)
        if page is None:
            return ()
        return (*page.bands, (page.day, *page.counts)) if page.counts else page.bands

    def last(self, code: str) -> Sample | None:
        found = self._last(code)
        if found is None:
            return None
        return Sample(found[0], found[1] if code in _LESS_IS_WORSE else found[2], found[3])

    def open_level(self, rule: str) -> int:
        return self._level(rule)


_BLANK = Page()


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
