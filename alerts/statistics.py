"""Statistics of short, irregular series: robust, deterministic, exact on ties; in plain Python, fastest at this size.

Everything here is a closed formula of its arguments, so that the same days give the same alert everywhere.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

#: Makes the median absolute deviation of a normal distribution its standard deviation.
MAD_TO_SD = 1.4826

#: (day, value); days ascending, each once.
Point = tuple[int, float]


class Line(NamedTuple):
    """value = intercept + slope * day."""

    slope: float
    intercept: float

    def value(self, day: float) -> float:
        return self.intercept + self.slope * day


class Trend(NamedTuple):
    """Mann-Kendall's test. score: pairs that rise minus pairs that fall; p: two-sided."""

    score: int
    variance: float
    z: float
    p: float


class Usual(NamedTuple):
    """What is usual: the median, and the spread in the unit of the values, never below the floor."""

    centre: float
    spread: float


def median(values: Sequence[float]) -> float:
    """The middle one, or the mean of the two in the middle. At least one value."""
    return _middle(sorted(values))


def _middle(ordered: Sequence[float]) -> float:
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2


def usual(values: Sequence[float], floor: float) -> Usual:
    """Median and scaled median absolute deviation, the latter at least `floor`. At least one value."""
    centre = _middle(sorted(values))
    spread = MAD_TO_SD * _middle(sorted([abs(value - centre) for value in values]))
    return Usual(centre, spread if spread > floor else floor)


def theil_sen(points: Sequence[Point]) -> Line:
    """The median of the slopes of all pairs, and the median of what each point then leaves as intercept.

    At least two points on different days.
    """
    slopes = [
        (value - earlier) / (day - before)
        for position, (day, value) in enumerate(points)
        for before, earlier in points[:position]
    ]
    slopes.sort()
    slope = _middle(slopes)
    return Line(slope, median([value - slope * day for day, value in points]))


def mann_kendall(values: Sequence[float]) -> Trend:
    """Whether values in order of time rise or fall: normal approximation, corrected for ties and continuity."""
    count = len(values)
    ordered: list[float] = []
    score = 0
    for position, value in enumerate(values):
        above = bisect.bisect_right(ordered, value)
        score += bisect.bisect_left(ordered, value, 0, above) + above - position
        ordered.insert(above, value)
    eighteenths = count * (count - 1) * (2 * count + 5)
    for _, equal in itertools.groupby(ordered):
        ties = len(list(equal))
        if ties > 1:
            eighteenths -= ties * (ties - 1) * (2 * ties + 5)
    if score == 0 or eighteenths <= 0:
        return Trend(score, eighteenths / 18, 0.0, 1.0)
    z = (score - 1 if score > 0 else score + 1) / math.sqrt(eighteenths / 18)
    return Trend(score, eighteenths / 18, z, math.erfc(abs(z) / math.sqrt(2)))


def decayed(points: Sequence[Point], days: float) -> float:
    """Time-decayed average: starts at the first value; a value dt days later pulls it by 1 - exp(-dt/days).

    At least one point; days > 0.
    """
    pulls = _pulls(days)
    before, average = points[0]
    for day, value in points:
        step = day - before
        average += (pulls[step] if step < _STEPS else 1 - math.exp(-step / days)) * (value - average)
        before = day
    return average


_STEPS = 64


@functools.lru_cache(maxsize=256)
def _pulls(days: float) -> tuple[float, ...]:
    return tuple([1 - math.exp(-step / days) for step in range(_STEPS)])


def cusum(points: Sequence[Point], target: Usual, sign: int, k: float, cap: float, gap_days: int) -> list[float]:
    """The sum after each point: max(0, sum + min(z, cap) - k), z how far above (sign 1) or below (-1) the usual.

    One point adds at most cap - k. A step of more than gap_days between points sets the sum to 0, and that point
    then counts.
    """
    centre, spread = target.centre, sign * target.spread
    sums = []
    total = 0.0
    before = points[0][0] if points else 0
    for day, value in points:
        if day - before > gap_days:
            total = 0.0
        before = day
        z = (value - centre) / spread
        total += (z if z < cap else cap) - k
        if total < 0.0:
            total = 0.0
        sums.append(total)
    return sums
