"""What was true, what devices measured and what the service stored, as the geometry of one picture a code. Pure."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from telehealth.web.shown import formats, measures

Json = dict[str, Any]

WIDTH, HEIGHT = 720, 168
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 22, 22
#: Half the width of a flag.
_FLAG = 10
#: A stored reading is a measured one if both say the same time (to the millisecond that the contract keeps).
_SAME = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Line:
    """Values of one code by time, ascending."""

    at: Sequence[datetime] = ()
    values: Sequence[float] = ()


@dataclass(frozen=True)
class Traces:
    """Of one code: what is true in the body, what devices showed, what is in the record."""

    truth: Line = field(default_factory=Line)
    measured: Line = field(default_factory=Line)
    stored: Line = field(default_factory=Line)


@dataclass(frozen=True)
class Band:
    """A stretch of time with a name: an illness, a fault. until None: still going on."""

    name: str
    kind: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Flag:
    """An alert about the code, where it was raised."""

    at: datetime
    number: int
    priority: str
    text: str
    alert_id: int


@dataclass(frozen=True)
class Span:
    """What is on the picture, and in which zone its times are told."""

    since: datetime
    until: datetime
    zone: str


def draw(code: str, traces: Traces, bands: Iterable[Band], flags: Iterable[Flag], span: Span) -> Json:
    """One picture; with counts for whoever does not see it."""
    shown = [
        value
        for line in (traces.truth, traces.measured, traces.stored)
        for value in line.values
        if math.isfinite(value)
    ]
    low, high = _range(code, shown)
    x, y = _across(span), _down(low, high)
    arrived = [(at, value, _has(traces.stored.at, at)) for at, value in _inside(traces.measured, span)]
    return {
        "code": code,
        "name": measures.name(code),
        "unit": measures.unit(code),
        "width": WIDTH,
        "height": HEIGHT,
        "left": _LEFT,
        "right": WIDTH - _RIGHT,
        "top": _TOP,
        "bottom": HEIGHT - _BOTTOM,
        "truth": _path(_inside(traces.truth, span), x, y),
        "measured": [{"x": x(at), "y": y(value), "arrived": there} for at, value, there in arrived],
        "stored": [
            {"x": x(at), "y": y(value), "foreign": _foreign(traces.measured, at)}
            for at, value in _inside(traces.stored, span)
        ],
        "bands": [_band(band, span, x) for band in bands if band.since < span.until and _ends(band, span) > span.since],
        "flags": [
            {
                "x": min(x(flag.at), WIDTH - _RIGHT - _FLAG),
                "number": flag.number,
                "priority": flag.priority,
                "text": flag.text,
                "id": flag.alert_id,
            }
            for flag in flags
            if span.since <= flag.at <= span.until
        ],
        "levels": [{"y": y(level), "text": formats.number(level)} for level in _levels(low, high)],
        "hours": [{"x": x(at), "text": _hour(at, span)} for at in _hours(span)],
        "counts": {
            "measured": len(arrived),
            "arrived": sum(there for _, _, there in arrived),
            "stored": sum(1 for _ in _inside(traces.stored, span)),
        },
    }


def _range(code: str, values: Sequence[float]) -> tuple[float, float]:
    usual = measures.height(code, None)
    if usual is not None:
        low, high = usual
    elif values:
        middle = sorted(values)[len(values) // 2]
        low, high = middle - 5, middle + 5
    else:
        low, high = 0.0, 1.0
    return (min([low, *values]), max([high, *values]))


def _across(span: Span) -> Any:
    whole = max((span.until - span.since).total_seconds(), 1.0)
    return lambda at: round(
        _LEFT + (min(max(at, span.since), span.until) - span.since).total_seconds() / whole * (WIDTH - _LEFT - _RIGHT),
        1,
    )


def _down(low: float, high: float) -> Any:
    reach = (high - low) or 1.0
    return lambda value: round(HEIGHT - _BOTTOM - (value - low) / reach * (HEIGHT - _BOTTOM - _TOP), 1)


def _inside(line: Line, span: Span) -> Iterable[tuple[datetime, float]]:
    for at, value in zip(line.at, line.values, strict=True):
        if span.since <= at <= span.until and math.isfinite(value):
            yield at, value


def _path(points: Iterable[tuple[datetime, float]], x: Any, y: Any) -> str:
    return "M" + "L".join(f"{x(at)} {y(value)}" for at, value in found) if (found := list(points)) else ""


def _has(times: Sequence[datetime], at: datetime) -> bool:
    place = bisect.bisect_left(times, at - _SAME)
    return place < len(times) and times[place] <= at + _SAME


def _foreign(measured: Line, at: datetime) -> bool:
    """Stored, but not what a device of theirs showed: somebody else's, or keyed. Of older times nothing is known."""
    return bool(measured.at) and at >= measured.at[0] and not _has(measured.at, at)


def _ends(band: Band, span: Span) -> datetime:
    return span.until if band.until is None else band.until


def _band(band: Band, span: Span, x: Any) -> Json:
    start, end = x(band.since), x(_ends(band, span))
    return {"name": band.name, "kind": band.kind, "x": start, "width": round(max(end - start, 1.5), 1)}


def _levels(low: float, high: float) -> list[float]:
    """Three or four round numbers within the range."""
    unit = 10.0 ** math.floor(math.log10((high - low) / 4 or 1.0))
    step = next(unit * times for times in (1, 2, 5, 10) if (high - low) / (unit * times) <= 4)
    first = math.ceil(low / step)
    return [round(index * step, 6) for index in range(first, math.floor(high / step) + 1)]


def _hours(span: Span) -> list[datetime]:
    """Round local times, about six of them."""
    hours = (span.until - span.since).total_seconds() / 3600
    step = next((size for size in (1, 2, 3, 6, 12, 24, 48, 96) if hours / size <= 7), 168)
    zone = formats.zone_of(span.zone)
    found: list[datetime] = []
    # By true hours from a local midnight, so that no hour is left out when clocks change.
    moment = span.since.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    while moment <= span.until:
        if moment >= span.since:
            found.append(moment)
        moment += timedelta(hours=step)
    return found


def _hour(at: datetime, span: Span) -> str:
    local = at.astimezone(formats.zone_of(span.zone))
    if span.until - span.since > timedelta(days=3):
        return f"{local.day} {local:%b}"
    return f"{local:%a %H:%M}"
