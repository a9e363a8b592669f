"""Simple rules on daily weights, as leaflets and comparators of studies have them: the sweep to be beaten."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: One alert in seven days, of every rule.
REFRACTORY_DAYS = 7

#: Limits that are tried of each rule besides the published one, kg.
TRIED = tuple(round(0.6 + 0.1 * step, 1) for step in range(35))

Daily = Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Simple:
    """signal: kg gained by a day, None where the rule cannot say."""

    name: str
    published: float  #: limit, kg
    source: str
    signal: Callable[[Daily, int], float | None]


def _gain(days: int) -> Callable[[Daily, int], float | None]:
    """Today's weight above the lowest of the days before."""

    def signal(daily: Daily, day: int) -> float | None:
        before = [daily[other] for other in range(day - days, day) if other in daily]
        return daily[day] - min(before) if before and day in daily else None

    return signal


def _medians(daily: Daily, day: int) -> float | None:
    """Median of the last 3 days above that of days 5 to 14."""
    if day not in daily:
        return None
    new = [daily[other] for other in range(day - 2, day + 1) if other in daily]
    old = [daily[other] for other in range(day - 13, day - 3) if other in daily]
    if len(new) < 2 or len(old) < 5:
        return None
    return statistics.median(new) - statistics.median(old)


SWEEP: tuple[Simple, ...] = (
    Simple("> 2 kg in 3 days", 2.0, "heartfailurematters.org (ESC)", _gain(3)),
    Simple("> 1.36 kg in 1 day", 1.36, "Ledwidge 2013 (3 lb)", _gain(1)),
    Simple("> 2.27 kg in 7 days", 2.27, "North Cumbria NHS (5 lb)", _gain(7)),
    Simple("> 1 kg in 2 days", 1.0, "Plymouth NHS (2 lb)", _gain(2)),
    Simple("median of 3 days > median of days 5 to 14 + 2 kg", 2.0, "robust form of the same", _medians),
)


def signals(rule: Simple, daily: Daily, days: Sequence[int]) -> list[tuple[int, float]]:
    """(day, signal) of the days on which the rule can say something, ascending."""
    found = [(day, rule.signal(daily, day)) for day in days]
    return [(day, signal) for day, signal in found if signal is not None]


def alerts(found: Sequence[tuple[int, float]], limit: float) -> list[int]:
    """Days on which a rule would have called, at most once in seven days."""
    called: list[int] = []
    for day, signal in found:
        if signal > limit + 1e-9 and (not called or day - called[-1] >= REFRACTORY_DAYS):
            called.append(day)
    return called
