"""What a replay is worth: burden, sensitivity, lead time, precision and false alerts, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alerts import backtest, intervals, onsets
from alerts.backtest import Alert
from alerts.intervals import Estimate
from alerts.onsets import Onset

MONTH_DAYS = 30.4375
YEAR_DAYS = 365.25
_TOP = 0.1


@dataclass(frozen=True, slots=True)
class Judged:
    """Alerts and onsets of a replay set against each other."""

    replay: backtest.Replay
    truth: tuple[Onset, ...] | None  #: None: nobody said what really happened
    observed: tuple[bool, ...]  #: by onset: the person has a reading in its window, up to the onset
    hits: tuple[bool, ...]  #: by alert: it starts within the window of an onset
    found: tuple[tuple[int, ...], ...]  #: by onset: positions of the alerts that start within its window
    standing: tuple[bool, ...]  #: by onset: found by none, but an alert was open when its window began
    free_days: tuple[float, ...]  #: by person: followed outside every window


def judge(
    replay: backtest.Replay, history: backtest.History, truth: Sequence[Onset] | None, windows: onsets.Windows
) -> Judged:
    """Sets the alerts against what happened; truth None: only the burden can be measured."""
    whole = tuple(replay.days)
    if truth is None:
        none = (False,) * len(replay.alerts)
        return Judged(replay, None, (), none, (), (), whole)
    ordered = sorted(truth, key=lambda onset: (onset.person, onset.at, onset.kind))
    of_person: dict[int, list[int]] = {}
    for position, alert in enumerate(replay.alerts):
        of_person.setdefault(alert.person, []).append(position)
    hits = [False] * len(replay.alerts)
    spans: dict[int, list[tuple[int, int]]] = {}
    observed, found, standing = [], [], []
    for onset in ordered:
        first, last = windows.of(onset.kind).around(onset.at)
        spans.setdefault(onset.person, []).append((first, last))
        positions = of_person.get(onset.person, [])
        inside = tuple(p for p in positions if first <= replay.alerts[p].started_at <= last)
        for position in inside:
            hits[position] = True
        found.append(inside)
        observed.append(_has_reading(history, onset.person, first, onset.at))
        standing.append(not inside and any(_open_at(replay.alerts[p], first) for p in positions))
    free = [
        max(0.0, days - onsets.overlap(onsets.merged(stays), onsets.merged(spans.get(person, []))) / backtest.DAY_US)
        for person, (days, stays) in enumerate(zip(whole, replay.stays, strict=True))
    ]
    return Judged(replay, tuple(ordered), tuple(observed), tuple(hits), tuple(found), tuple(standing), tuple(free))


def _has_reading(history: backtest.History, person: int, first: int, last: int) -> bool:
    rows = history.readings
    low, high = np.searchsorted(rows.resident, [person, person + 1])
    start = low + int(np.searchsorted(rows.at[low:high], first))
    return bool(start < high and rows.at[start] <= last)


def _open_at(alert: Alert, at: int) -> bool:
    return alert.started_at < at and (alert.ended_at is None or alert.ended_at > at)


# Figures ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one rule, or of all together. What needs to know what happened is None where nobody said it."""

    alerts: int
    human: int
    withdrawn: int
    per_day: Estimate  #: alerts per resident-day
    human_per_day: Estimate
    top_people: int  #: the tenth of the people with most alerts
    top_share: Estimate
    top_per_day: Estimate
    onsets: int
    found: int
    sensitivity: Estimate
    lead_hours: Estimate  #: median, over the onsets found; before the onset is positive
    lead_quartiles: tuple[float, float] | None
    true: int
    precision: Estimate
    false: int
    false_per_day: Estimate  #: per person-day outside every window
    false_per_month: Estimate
    false_per_year: Estimate


def figures(judged: Judged, wanted: Iterable[str]) -> tuple[Figures, dict[str, Figures]]:
    """Of all rules together, and by rule: those wanted and every other that fired."""
    keys = sorted({*wanted, *(alert.rule for alert in judged.replay.alerts)})
    columns: list[Callable[[Alert], bool]] = [lambda _: True, *(_is_rule(key) for key in keys)]
    days = np.array(judged.replay.days)
    free = np.array(judged.free_days)
    counts = np.zeros((len(days), 3 * len(columns)))
    index = {key: number for number, key in enumerate(keys, start=1)}
    for alert, hit in zip(judged.replay.alerts, judged.hits, strict=True):
        for column in (0, index[alert.rule]):
            counts[alert.person, 3 * column] += 1
            counts[alert.person, 3 * column + 1] += not alert.auto
            counts[alert.person, 3 * column + 2] += judged.truth is not None and not hit
    exposure = np.column_stack([days, days, free])
    rates = intervals.rates(counts, np.hstack([exposure] * len(columns)))
    made = [
        _figures(judged, wanted_alert, counts[:, 3 * number : 3 * number + 3], rates[3 * number : 3 * number + 3], days)
        for number, wanted_alert in enumerate(columns)
    ]
    return made[0], dict(zip(keys, made[1:], strict=True))


def _is_rule(key: str) -> Callable[[Alert], bool]:
    return lambda alert: alert.rule == key


def _figures(
    judged: Judged,
    wanted: Callable[[Alert], bool],
    counts: intervals.Floats,
    rates: Sequence[Estimate],
    days: intervals.Floats,
) -> Figures:
    alerts = judged.replay.alerts
    number, human, false = (round(total) for total in counts.sum(axis=0))
    top = math.ceil(len(days) * _TOP)
    most = np.argsort(-counts[:, 0], kind="stable")[:top]
    leads = leads_of(judged, wanted)
    truth = judged.truth is not None
    return Figures(
        number,
        human,
        sum(alert.ending == "withdrawn" for alert in alerts if wanted(alert)),
        rates[0],
        rates[1],
        top,
        intervals.top_share(counts[:, 0], _TOP) if len(days) else intervals.NOTHING,
        intervals.poisson(round(counts[most, 0].sum()), float(days[most].sum())),
        sum(judged.observed),
        len(leads),
        intervals.proportion(len(leads), sum(judged.observed)),
        intervals.median(leads),
        _quartiles(leads),
        number - false if truth else 0,
        intervals.proportion(number - false, number) if truth else intervals.NOTHING,
        false,
        rates[2] if truth else intervals.NOTHING,
        scaled(rates[2], MONTH_DAYS) if truth else intervals.NOTHING,
        scaled(rates[2], YEAR_DAYS) if truth else intervals.NOTHING,
    )


def leads_of(judged: Judged, wanted: Callable[[Alert], bool]) -> list[float]:
    """Hours from the first wanted alert to the onset, of every observed onset that one found."""
    leads = []
    for onset, seen, positions in zip(judged.truth or (), judged.observed, judged.found, strict=True):
        first = min(
            (judged.replay.alerts[p].started_at for p in positions if wanted(judged.replay.alerts[p])), default=None
        )
        if seen and first is not None:
            leads.append((onset.at - first) / backtest.HOUR_US)
    return leads


def _quartiles(values: Sequence[float]) -> tuple[float, float] | None:
    if not values:
        return None
    low, high = np.quantile(values, (0.25, 0.75))
    return float(low), float(high)


def scaled(estimate: Estimate, by: float) -> Estimate:
    """The same figure in another unit of time."""
    low = None if estimate.low is None else estimate.low * by
    high = None if estimate.high is None else estimate.high * by
    return Estimate(None if estimate.value is None else estimate.value * by, low, high, estimate.method)


def by_kind(judged: Judged) -> dict[str, tuple[int, Estimate, Estimate]]:
    """(onsets observed, sensitivity, median lead in hours) of all rules together, by kind of onset."""
    found: dict[str, tuple[int, Estimate, Estimate]] = {}
    for kind in sorted({onset.kind for onset in judged.truth or ()}):
        chosen = [position for position, onset in enumerate(judged.truth or ()) if onset.kind == kind]
        part = Judged(
            judged.replay,
            tuple(_at(judged.truth or (), chosen)),
            tuple(_at(judged.observed, chosen)),
            judged.hits,
            tuple(_at(judged.found, chosen)),
            tuple(_at(judged.standing, chosen)),
            judged.free_days,
        )
        leads = leads_of(part, lambda _: True)
        seen = sum(part.observed)
        found[kind] = (seen, intervals.proportion(len(leads), seen), intervals.median(leads))
    return found


def _at(values: Sequence[Any], positions: Iterable[int]) -> list[Any]:
    return [values[position] for position in positions]


def per_person(replay: backtest.Replay) -> list[int]:
    """How many alerts each person had."""
    counts = [0] * len(replay.stays)
    for alert in replay.alerts:
        counts[alert.person] += 1
    return counts
