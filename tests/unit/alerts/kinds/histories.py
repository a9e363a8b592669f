"""Histories of one resident, as assessments are shown them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from alerts import book, errors, kinds
from alerts.kinds.base import Assessment, Finding, Keep, Refusal

DAY = 86_400_000_000
MINUTE = 60_000_000
#: Day 0 of a history: 4 October 2024.
FIRST = 20_000
NOON = 12 * 60 * MINUTE
ZONE = "Europe/London"

Desk = book.Desk


def daily(
    values: Mapping[int, float | Sequence[float]],
    code: str = "weight",
    *,
    excluded: Collection[int] = (),
    today: int | None = None,
) -> Desk:
    """Readings by day, from noon on, a minute apart; as of the last of them, or of noon of `today`."""
    desk = Desk(ZONE, {code: Keep(60, 168)}, {}, lambda _: None, lambda _: 0)
    for day in sorted(values):
        found = values[day]
        for position, value in enumerate([found] if isinstance(found, int | float) else found):
            at = (FIRST + day) * DAY + NOON + position * MINUTE
            desk.note(at, code, float(value), float(value), 0, day in excluded)
    if today is not None:
        desk.at, desk.day = (FIRST + today) * DAY + NOON, FIRST + today
    return desk


def sensor(
    readings: Sequence[tuple[float, float]], code: str = "glucose", *, open_level: int = 0, now: float | None = None
) -> Desk:
    """Readings by minute from noon of day 0; as of the last of them, or of the minute `now`."""
    desk = Desk(ZONE, {code: Keep(60, 168)}, {}, lambda _: None, lambda _: open_level)
    start = FIRST * DAY + NOON
    for minute, value in readings:
        desk.note(start + round(minute * MINUTE), code, value, value, 0, False)
    if now is not None:
        desk.at = start + round(now * MINUTE)
    return desk


def rule(kind: str, **fields: Any) -> Assessment:
    return kinds.parse({"kind": kind, **fields}, "rules[0]")


def found(given: Assessment, desk: Desk) -> Finding:
    finding = given.assess(desk)
    assert isinstance(finding, Finding), finding
    return finding


def refused(given: Assessment, desk: Desk) -> Refusal:
    refusal = given.assess(desk)
    assert isinstance(refusal, Refusal), refusal
    return refusal


def complaint(entry: Mapping[str, Any]) -> str:
    """What a rule is refused for; "" if it is not."""
    try:
        kinds.parse(entry, "rules[0]")
    except errors.RuleError as error:
        return str(error)
    return ""
