"""From a resident's history to the charts of their page. Pure; the shape is in templates/CONTEXT.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts import errors, profiles
from telehealth.store.db import Record
from telehealth.store.residents_view import History
from telehealth.web.shown import formats, measures, rows
from telehealth.web.shown.formats import milliseconds

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PRESSURE = ("systolic", "diastolic")
_PRESSURE_KEY = "blood_pressure"
_SHOWN_MARKS = {"clock_uncertain": "uncertain", "extreme": "extreme", "conflict": "conflict"}


def build(resident_id: int, zone: str, history: History, *, since: datetime, until: datetime, now: datetime) -> Json:
    """Everything that the charts of [since, until] need."""
    by_code: dict[str, list[Record]] = {}
    for point in history.points:
        if measures.is_number(point["code"]):
            by_code.setdefault(point["code"], []).append(point)
    end = min(until, now)
    charts = [
        _chart(key, [by_code[c] for c in codes if c in by_code], codes, history, (since, end, until), zone)
        for key, codes in _keys(by_code)
    ]
    return {
        "resident_id": resident_id,
        "zone": zone,
        "from_ms": milliseconds(since),
        "to_ms": milliseconds(until),
        "now_ms": milliseconds(now),
        "charts": charts,
        "alerts": [_mark(row, {chart["key"] for chart in charts}, zone) for row in history.alerts],
        "pauses": [
            [
                milliseconds(row["paused_from"]) if row["paused_from"] is not None else milliseconds(since),
                None if row["paused_until"] is None else milliseconds(row["paused_until"]),
            ]
            for row in history.pauses
        ],
        "truncated": False,
    }


def chart_key(code: str | None) -> str | None:
    """On which chart a code is drawn."""
    return _PRESSURE_KEY if code in _PRESSURE else code


def _keys(codes: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    found: dict[str, tuple[str, ...]] = {}
    for code in sorted(codes, key=measures.order):
        found[chart_key(code) or code] = _PRESSURE if code in _PRESSURE else (code,)
    return list(found.items())


def _chart(
    key: str,
    columns: Sequence[Sequence[Record]],
    codes: tuple[str, ...],
    history: History,
    span: tuple[datetime, datetime, datetime],
    zone: str,
) -> Json:
    """span: from, to at most now, and to."""
    since, end, until = span
    times = sorted({point["effective_at"] for column in columns for point in column})
    gaps = [(round(a * 1000), round(b * 1000)) for a, b in _gaps(times, end)]
    values = [point["value"] for column in columns for point in column]
    low, high = measures.height(codes[0], history.medians.get(codes[0])) or (min(values), max(values))
    pressure = key == _PRESSURE_KEY
    return {
        "key": key,
        "name": "Blood pressure" if pressure else measures.name(codes[0]),
        "unit": measures.unit(codes[0]),
        "y": [min(low, *values), max(high, *values)] if values else [low, high],
        "kind": "pressure" if pressure else "line",
        "series": _aligned(columns, times) if pressure else [_series(column, gaps) for column in columns],
        "gaps": [list(gap) for gap in gaps],
        "limits": _limits(codes[0], history.rules, since, until, zone),
        "latest": _moment(columns, -1),
        "previous": _moment(columns, -2),
    }


def _gaps(times: Sequence[datetime], end: datetime) -> list[tuple[float, float]]:
    return measures.gaps([at.timestamp() for at in times], end.timestamp()) if times else []


def _series(column: Sequence[Record], gaps: Sequence[tuple[int, int]]) -> Json:
    drawn: list[tuple[int, float | None, str]] = [
        (milliseconds(point["effective_at"]), point["value"], _marks(point)) for point in column
    ]
    last = drawn[-1][0]
    drawn += [((start + end) // 2, None, "") for start, end in gaps if end <= last]
    drawn.sort(key=lambda point: point[0])
    return {
        "code": column[0]["code"],
        "t": [at for at, _, _ in drawn],
        "v": [value for _, value, _ in drawn],
        "marks": [marks for _, _, marks in drawn],
    }


def _aligned(columns: Sequence[Sequence[Record]], times: Sequence[datetime]) -> list[Json]:
    """Series that share their times; null where one of them has no value."""
    found = []
    for column in columns:
        by_time = {point["effective_at"]: point for point in column}
        points = [by_time.get(at) for at in times]
        found.append(
            {
                "code": column[0]["code"],
                "t": [milliseconds(at) for at in times],
                "v": [None if point is None else point["value"] for point in points],
                "marks": ["" if point is None else _marks(point) for point in points],
            }
        )
    return found


def _marks(point: Record) -> str:
    words = [_SHOWN_MARKS[mark] for mark in point["marks"] or () if mark in _SHOWN_MARKS]
    if point["method"] == "keyed":
        words.append("keyed")
    return " ".join(words)


def _moment(columns: Sequence[Sequence[Record]], place: int) -> Json | None:
    """The latest (-1) or the previous (-2) value, of a pressure both numbers."""
    if any(len(column) < -place for column in columns) or not columns:
        return None
    points = [column[place] for column in columns]
    return {
        "text": "/".join(measures.text(point["code"], point["value"], None) for point in points),
        "at": formats.iso(points[0]["effective_at"]),
    }


def _limits(code: str, rules: Sequence[Record], since: datetime, until: datetime, zone: str) -> list[Json]:
    """The resident's own limits, each from when to when they held: also by the time of the day."""
    found: list[Json] = []
    for place, version in enumerate(rules):
        start = max(version["valid_from"], since)
        stop = rules[place + 1]["valid_from"] if place + 1 < len(rules) else None
        if stop is not None and stop <= start:
            continue
        rule = next(
            (r for r in rows.rule_list(version["rules"]) if r.get("kind") == "threshold" and r.get("code") == code), {}
        )
        found += _by_the_clock(rule, start, stop, until, zone) if rule.get("profiles") else [_held(rule, start, stop)]
    return found


def _by_the_clock(rule: Json, start: datetime, stop: datetime | None, until: datetime, zone: str) -> list[Json]:
    """Limits of a rule with others at other times of the day. The last go on where the version does."""
    try:
        known = profiles.parse(rule, "rule")
    except errors.RuleError:  # a rule of a version that is read no more
        return [_held(rule, start, stop)]
    end = max(start, until) if stop is None else min(stop, max(start, until))
    found = [
        _held(rule if profile is None else {**rule, **dict(profile.limits)}, _moment_of(first), _moment_of(last))
        for first, last, profile in profiles.stretches(known, _micros(start), _micros(end), zone)
    ]
    if found:
        found[-1]["to_ms"] = None if stop is None else milliseconds(stop)
    return found


def _held(rule: Json, start: datetime, stop: datetime | None) -> Json:
    return {"from_ms": milliseconds(start), "to_ms": None if stop is None else milliseconds(stop)} | {
        limit: rule.get(limit) for limit in profiles.LIMITS
    }


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _moment_of(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _mark(row: Record, charts: set[str], zone: str) -> Json:
    key = chart_key(rows.rule_code(row["rule"], row["evidence"]))
    return {
        "id": row["id"],
        "chart": key if key in charts else None,
        "priority": row["priority"],
        "from_ms": milliseconds(row["started_at"]),
        "to_ms": None if row["ended_at"] is None else milliseconds(row["ended_at"]),
        "label": f"{formats.staff_moment(row['started_at'], zone)} {row['reason']}",
        "open": row["open"],
    }
