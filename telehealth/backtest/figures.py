"""Figures of a report as people read them: on the page and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

#: Text, where in the overall figures, and whether it is shown in per cent (None: a whole number).
_LINES: tuple[tuple[str, tuple[str, ...], bool | None], ...] = (
    ("Alerts", ("alerts",), None),
    ("of which handled by a human", ("human_handled",), None),
    ("of which withdrawn by a repeat", ("withdrawn",), None),
    ("Alerts per resident-day", ("per_resident_day",), False),
    ("Human-handled alerts per resident-day", ("human_per_resident_day",), False),
    ("Share of alerts of the top 10 % of people", ("top_tenth", "share"), True),
    ("Alerts per resident-day of these", ("top_tenth", "per_resident_day"), False),
    ("Onsets observed", ("onsets",), None),
    ("of which found", ("found",), None),
    ("Sensitivity", ("sensitivity",), True),
    ("Lead time in hours, median", ("lead_hours",), False),
    ("Precision", ("precision",), True),
    ("False alerts", ("false_alerts", "count"), None),
    ("False alerts per person-day", ("false_alerts", "per_person_day"), False),
    ("False alerts per person-month", ("false_alerts", "per_person_month"), False),
    ("False alerts per person-year", ("false_alerts", "per_person_year"), False),
)
_MOST_COLUMNS = 24


def lines(overall: Sequence[Json]) -> list[tuple[str, list[str], list[str]]]:
    """(text, one cell for each of the overall figures given, their methods)."""
    found = []
    for text, path, percent in _LINES:
        if path[0] not in overall[0]:
            continue
        values = [_at(one, path) for one in overall]
        cells = [f"{value:,}" if percent is None else told(value, percent=percent) for value in values]
        methods = [] if percent is None else [str(value["method"]) for value in values]
        found.append((text, cells, list(dict.fromkeys(methods))))
    return found


def _at(found: Json, path: Sequence[str]) -> Any:
    value: Any = found
    for key in path:
        value = value[key]
    return value


def told(estimate: Json | None, *, percent: bool = False) -> str:
    """A figure with its interval: "0.43 (0.09 to 1.26)"; "-" where there is nothing to count."""
    if estimate is None or estimate["value"] is None:
        return "-"
    value, low, high = (_number(estimate[key], percent=percent) for key in ("value", "low", "high"))
    if estimate["low"] is None:
        return f"{value} (too few for an interval)"
    return f"{value} ({low} to {high})"


def _number(value: float | None, *, percent: bool) -> str:
    if value is None:
        return "-"
    if percent:
        return f"{100 * value:.1f} %"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


def histogram(values: Sequence[float]) -> tuple[list[float], list[int]]:
    """Edges and counts of round steps."""
    if not values:
        return [], []
    low, high = min(*values, 0.0), max(*values, 1.0)
    rough = (high - low) / _MOST_COLUMNS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999999)
    first = math.floor(low / step)
    count = math.floor(high / step) - first + 1
    counts = [0] * count
    for value in values:
        counts[min(math.floor(value / step) - first, count - 1)] += 1
    return [(first + number) * step for number in range(count + 1)], counts
