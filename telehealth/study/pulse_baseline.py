"""The baseline to be beaten: a CUSUM of the daily deviation from the 28 days before."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

K = 0.75
H = 4.0
BASELINE_DAYS = 28
MIN_DAYS = 14
CAP = 4.0  #: of one day's deviation
FLOOR = 1.0  #: of the spread, /min: the resolution of the values
GAP_DAYS = 7
REFRACTORY_DAYS = 7


def known(daily: Mapping[int, float], day: int) -> bool:
    """Whether a baseline exists: at least 14 of the 28 days before have a value."""
    return sum(other in daily for other in range(day - BASELINE_DAYS, day)) >= MIN_DAYS


#: A day with a baseline, and how many spreads it is above usual, at most CAP.
Deviation = tuple[int, float]


def deviations(daily: Mapping[int, float]) -> list[Deviation]:
    """Each day that has a value and a baseline, ascending."""
    found: list[Deviation] = []
    for day in sorted(daily):
        before = [daily[other] for other in range(day - BASELINE_DAYS, day) if other in daily]
        if len(before) >= MIN_DAYS:
            middle = statistics.median(before)
            spread = max(1.4826 * statistics.median(abs(value - middle) for value in before), FLOOR)
            found.append((day, min((daily[day] - middle) / spread, CAP)))
    return found


def alerts(days: Sequence[Deviation], limit: float) -> list[int]:
    """Days on which the sum is above a limit; the sum begins anew then, and after a gap of more than seven days."""
    called: list[int] = []
    total, last = 0.0, None
    for day, above in days:
        if last is not None and day - last > GAP_DAYS:
            total = 0.0
        last = day
        total = max(0.0, total + above - K)
        if total > limit and (not called or day - called[-1] >= REFRACTORY_DAYS):
            called.append(day)
            total = 0.0
    return called
