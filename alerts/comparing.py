"""Two rule sets on one history: what each found that the other did not, and what each costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alerts import backtest, intervals, pairing
from alerts.backtest import Alert
from alerts.intervals import Estimate
from alerts.measures import Judged
from alerts.pairing import Pairs


@dataclass(frozen=True, slots=True)
class Found:
    """Positions of observed onsets by who found them; the sensitivity of the second less that of the first."""

    both: tuple[int, ...]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]
    neither: tuple[int, ...]
    difference: Estimate
    earlier_hours: Estimate  #: median, over those that both found, of how much earlier the second was


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences are the second less the first, per resident-day; false ones per person-day outside all windows."""

    pairs: Pairs
    earlier_hours: Estimate  #: median, over the alerts that both raised, of how much earlier the second was
    alerts: Estimate
    human: Estimate
    false: Estimate | None  #: None: nobody said what really happened
    found: Found | None


def compare(first: Judged, second: Judged) -> Comparison:
    """Sets two replays of one history, judged by one truth, side by side."""
    pairs = pairing.pair(first.replay.alerts, second.replay.alerts)
    earlier = [
        (first.replay.alerts[one].started_at - second.replay.alerts[other].started_at) / backtest.HOUR_US
        for one, other in pairs.both
    ]
    days, free = np.array(first.replay.days), np.array(first.free_days)
    truth = first.truth is not None
    return Comparison(
        pairs,
        intervals.median(earlier),
        _difference(first, second, days, lambda _alert, _hit: True),
        _difference(first, second, days, lambda alert, _hit: not alert.auto),
        _difference(first, second, free, lambda _alert, hit: not hit) if truth else None,
        _found(first, second) if truth else None,
    )


def _difference(
    first: Judged, second: Judged, exposure: intervals.Floats, counts: Callable[[Alert, bool], bool]
) -> Estimate:
    people = len(exposure)
    totals = []
    for judged in (first, second):
        numbers = np.zeros(people)
        for alert, hit in zip(judged.replay.alerts, judged.hits, strict=True):
            numbers[alert.person] += counts(alert, hit)
        totals.append(numbers)
    return intervals.rate_difference(totals[0], totals[1], exposure)


def _found(first: Judged, second: Judged) -> Found:
    groups: dict[tuple[bool, bool], list[int]] = {(one, two): [] for one in (True, False) for two in (True, False)}
    earlier = []
    for position in range(len(first.truth or ())):
        if not first.observed[position]:
            continue
        one, two = (first_alert(judged, position) for judged in (first, second))
        groups[one is not None, two is not None].append(position)
        if one is not None and two is not None:
            earlier.append((one.started_at - two.started_at) / backtest.HOUR_US)
    both, only_first, only_second, neither = (
        tuple(groups[key]) for key in ((True, True), (True, False), (False, True), (False, False))
    )
    difference = intervals.paired(len(both), len(only_first), len(only_second), len(neither))
    return Found(both, only_first, only_second, neither, difference, intervals.median(earlier))


def first_alert(judged: Judged, onset: int) -> Alert | None:
    """The first alert that found an onset."""
    alerts = [judged.replay.alerts[position] for position in judged.found[onset]]
    return min(alerts, key=lambda alert: (alert.started_at, alert.rule), default=None)


def by_rule(first: Judged, second: Judged, pairs: Pairs) -> dict[str, tuple[int, int, int]]:
    """(both, only the first, only the second) by rule, of every rule that fired."""
    found: dict[str, list[int]] = {}
    for column, positions in enumerate(((one for one, _ in pairs.both), pairs.only_first, pairs.only_second)):
        alerts = second.replay.alerts if column == 2 else first.replay.alerts
        for position in positions:
            found.setdefault(alerts[position].rule, [0, 0, 0])[column] += 1
    return {rule: (counts[0], counts[1], counts[2]) for rule, counts in sorted(found.items())}
