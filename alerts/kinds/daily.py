"""What the kinds that judge daily values share: a window of days, the usual days before it, and how both are told."""

from __future__ import annotations

import bisect
import operator
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from alerts import codes, errors, limits, moments, statistics, telling
from alerts.kinds import base
from alerts.kinds.base import Day, Finding, Refusal

Direction = Literal["rise", "fall"]
DIRECTIONS: tuple[Direction, ...] = ("rise", "fall")

#: Days of history that there are at most.
MOST_DAYS = 60
#: Inputs told at most; more go into the numbers.
MOST_INPUTS = 40
_DAY = operator.itemgetter(0)


# Fields -------------------------------------------------------------------------------------------


def direction(entry: Mapping[str, Any], where: str) -> Direction:
    for word in DIRECTIONS:
        if entry.get("direction") == word:
            return word
    raise errors.RuleError(f"{where}.direction", "must be rise or fall")


def worse(direction: Direction) -> base.Worse:
    """Which end counts of a reading that came with different values: the one towards which the rule alerts."""
    return "high" if direction == "rise" else "low"


def whole(entry: Mapping[str, Any], key: str, where: str, default: int, least: int, most: int) -> int:
    return limits.seconds(entry, key, where, default, least, most)


def positive(entry: Mapping[str, Any], key: str, where: str, default: float, most: float) -> float:
    """A number greater than 0."""
    value = limits.number(entry, key, where) if key in entry else default
    if value is None or not 0 < value <= most:
        raise errors.RuleError(f"{where}.{key}", f"must be greater than 0, at most {most:g}")
    return value


def ordered(shared: Mapping[str, Any], where: str) -> None:
    """Red is the worse of the limits, and what has alerted can clear without going beyond normal."""
    base.ordered(shared["amber"], shared["red"], where)
    if shared["hysteresis"] > telling.lower(shared["amber"], shared["red"]):
        raise errors.RuleError(f"{where}.hysteresis", "is more than the limit: an alert could never clear")


def resolution(code: str) -> float:
    """The smallest difference that a device shows."""
    return float(10.0 ** -codes.BY_KEY[code].decimals)


# Days ---------------------------------------------------------------------------------------------


def between(days: Sequence[Day], first: int, last: int) -> Sequence[Day]:
    """The days from first to last, both included."""
    start = bisect.bisect_left(days, first, key=_DAY)
    return days[start : bisect.bisect_right(days, last, start, key=_DAY)]


def points(days: Sequence[Day], first: int, last: int) -> list[statistics.Point]:
    """(day, median) of the days from first to last, both included."""
    return [(entry.day, entry.median) for entry in between(days, first, last)]


def usual_days(days: Sequence[Day], first: int, last: int, least: int) -> Sequence[Day]:
    """The days from first to last, both included, that say what is usual: those without an open episode.

    Where fewer than `least` are left, and at least as many had an episode, that has become the usual: all of them.
    Else an episode that outlasts the baseline could never end.
    """
    window = between(days, first, last)
    clean = [entry for entry in window if not entry.excluded]
    return window if len(clean) < least <= len(window) - len(clean) else clean


def left_out(days: Sequence[Day], first: int, last: int, chosen: Sequence[Day]) -> list[dict[str, Any]]:
    """Evidence of the days from first to last that are not among the chosen ones, with the reason."""
    kept = {entry.day for entry in chosen}
    return [
        {"day": moments.iso_day(entry.day), "value": telling.tidy(entry.median), "why": "alert open"}
        for entry in between(days, first, last)
        if entry.day not in kept
    ]


def too_few(code: str, found: int, needed: int, first: int, last: int) -> Refusal:
    told = f"{found} of {needed} days with a value of {codes.inner(code)}"
    return Refusal("too_few", f"{told} from {moments.day(first)} to {moments.day(last)}")


# In words -----------------------------------------------------------------------------------------


def more_than(finding: Finding) -> str:
    """How the signal stands to that limit."""
    return "more than" if finding.level else "not more than"


def without(left: Sequence[Mapping[str, Any]]) -> str:
    """The end of a sentence about usual days: that some were left out, and why."""
    days = "1 day" if len(left) == 1 else f"{len(left)} days"
    return f", {days} with an open alert left out" if left else ""


def inputs(code: str, days: Sequence[Day]) -> list[dict[str, Any]]:
    """Evidence of daily values, the newest at most 40."""
    unit = codes.BY_KEY[code].unit
    return [
        {
            "code": code,
            "value": telling.tidy(entry.median),
            "unit": unit,
            "day": moments.iso_day(entry.day),
            "readings": entry.readings,
            **({"marks": ["conflict"]} if entry.other is not None else {}),
        }
        for entry in days[-MOST_INPUTS:]
    ]


def earlier(days: Sequence[Day]) -> dict[str, list[list[Any]]]:
    """What `inputs` leaves out, as [date, value]."""
    left = days[:-MOST_INPUTS]
    return {"earlier": pairs(left)} if left else {}


def pairs(days: Sequence[Day]) -> list[list[Any]]:
    """[date, value] of each day."""
    return [[moments.iso_day(entry.day), telling.tidy(entry.median)] for entry in days]


def usual_numbers(days: Sequence[Day], usual: statistics.Usual, floor: float) -> dict[str, Any]:
    """The baseline as a nurse can work it out again. days: at least one."""
    values = [entry.median for entry in days]
    middle = statistics.median([abs(value - usual.centre) for value in values])
    return {
        "median": telling.tidy(usual.centre),
        "mad": telling.tidy(middle),
        "floor": floor,
        "spread": telling.tidy(usual.spread),
        "days": len(days),
        "values": pairs(days),
    }


def finer_apart(code: str, value: float, *other: float | None) -> str:
    """A difference or a spread that was worked out from values: "0.87 kg", "1.5 percentage points"."""
    return telling.apart(code, telling.figure(value, codes.BY_KEY[code].decimals + 1, *other))


def finer(code: str, value: float, *other: float | None) -> str:
    """What was worked out from values, one decimal finer than they are: "0.87 kg"."""
    return codes.measure(code, telling.figure(value, codes.BY_KEY[code].decimals + 1, *other))
