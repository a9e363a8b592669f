"""What really happened, as records of docs/schemas/truth.json. Never sent: written apart, for scoring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from simulator import clock, scenario

#: A course without an end is quiet, where it is to be quiet, for this long; no run is longer.
_FOREVER = timedelta(days=3660)


def run(seed: int, start: datetime, end: datetime | None, scenarios: Sequence[str]) -> dict[str, Any]:
    """The first record of a log. end: None while it runs."""
    return {
        "record": "run",
        "version": 1,
        "seed": seed,
        "from": clock.text(start),
        "to": _maybe(end),
        "scenarios": sorted(set(scenarios)),
    }


def resident(key: str, pathway: str | None, start: datetime, end: datetime | None) -> dict[str, Any]:
    """Time in which somebody was watched, [start, end)."""
    return {"record": "resident", "resident": key, "pathway": pathway, "from": clock.text(start), "to": _maybe(end)}


def course(
    found: scenario.Course, key: str, pathway: str | None, *, ended: datetime | None = None, number: int = 1
) -> dict[str, Any]:
    """A course in one resident; only what is said of the resident's pathway counts. ended: when it was taken away."""
    last = found.end if ended is None else min(ended, found.end or ended)
    notice = [
        {
            "what": one.what,
            "codes": list(one.codes) or None,
            "priority": one.priority,
            "by": clock.text(found.onset + timedelta(hours=one.by_hours)),
            "categories": list(one.categories),
        }
        for one in found.scenario.notice
        if _concerns(one.pathways, pathway) and (ended is None or found.onset + timedelta(hours=one.by_hours) <= ended)
    ]
    quiet = [
        {
            "codes": list(one.codes) or None,
            "from": clock.text(found.moment(one.from_hours)),
            "to": clock.text(_until(found, one.to_hours, last)),
            "why": one.why,
        }
        for one in found.scenario.quiet
        if _concerns(one.pathways, pathway) and found.moment(one.from_hours) < _until(found, one.to_hours, last)
    ]
    return {
        "record": "course",
        "id": found.id or f"{key}/{found.scenario.name}/{number}",
        "resident": key,
        "scenario": found.scenario.name,
        "onset": clock.text(found.onset),
        "peak": _maybe(found.peak),
        "end": _maybe(last),
        "notice": notice,
        "quiet": quiet,
    }


def overdue(
    key: str, code: str, due: datetime, alarm_from: datetime, alarm_by: datetime, measured: datetime | None
) -> dict[str, Any]:
    """A measurement that was due and did not take place in time."""
    return {
        "record": "overdue",
        "resident": key,
        "code": code,
        "due_at": clock.text(due),
        "alarm_from": clock.text(alarm_from),
        "alarm_by": clock.text(alarm_by),
        "measured_at": _maybe(measured),
    }


def fault(
    name: str,
    kind: str,
    key: str | None,
    device_id: str | None,
    start: datetime,
    end: datetime | None,
    technical_by: datetime | None = None,
    *,
    must_not_alarm: bool = True,
) -> dict[str, Any]:
    """A fault of a device or of a resident's devices; one of several residents is a record of each."""
    return {
        "record": "fault",
        "id": name,
        "kind": kind,
        "resident": key,
        "device_id": device_id,
        "from": clock.text(start),
        "to": _maybe(end),
        "technical_by": _maybe(technical_by),
        "must_not_alarm": must_not_alarm,
    }


def _until(found: scenario.Course, hours: float | None, last: datetime | None) -> datetime:
    to = last or found.onset + _FOREVER if hours is None else found.moment(hours)
    return to if last is None else min(to, last)


def _concerns(pathways: Sequence[str], pathway: str | None) -> bool:
    return not pathways or pathway is None or pathway in pathways


def _maybe(at: datetime | None) -> str | None:
    return None if at is None else clock.text(at)
