"""What became of every alert, course, overdue measurement and fault. Pure; times are milliseconds since 1970.

Every rule here stands in docs/simulator/scoring.md and in simulator/scoring/definitions.py, in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from simulator import clock
from simulator.scoring import reading, records

#: Of an alert. The first four are counted; unwatched: of somebody, or at a time, that the truth does not speak of.
Verdict = Literal["right", "excused", "false", "false_quiet", "unwatched"]
#: Of an overdue measurement. open: the time in which to tell was not watched to its end, or it was measured in it.
Told = Literal["on_time", "standing", "late", "missed", "open"]

_FOR_EVER = 2**62
NOBODY = ""


@dataclass(frozen=True)
class Stay:
    """Time in which somebody was watched and the list speaks of, [start, stop)."""

    resident: str
    pathway: str
    start: int
    stop: int


@dataclass(frozen=True)
class JudgedAlert:
    """noticed: ids of the courses that it is the notice of; excused: by a fault that may alarm, or data away."""

    alert: records.Alert
    at: int
    verdict: Verdict
    because: str
    pathway: str


@dataclass(frozen=True)
class JudgedNotice:
    """at: when it was met; judged: whether the resident was watched until its end."""

    notice: records.Notice
    judged: bool
    at: int | None
    alert: str | None
    standing: bool


@dataclass(frozen=True)
class JudgedCourse:
    """judged: all notices are, and there is one. first: the earliest alert that meets one of them."""

    course: records.Course
    pathway: str
    notices: tuple[JudgedNotice, ...]

    @property
    def judged(self) -> bool:
        return bool(self.notices) and all(one.judged for one in self.notices)

    @property
    def noticed(self) -> bool:
        return all(one.at is not None for one in self.notices)

    @property
    def first(self) -> int | None:
        return min((one.at for one in self.notices if one.at is not None), default=None)

    @property
    def standing(self) -> bool:
        """Not noticed, but of each notice that was missed an alert stood already."""
        return not self.noticed and all(one.standing for one in self.notices if one.at is None)


@dataclass(frozen=True)
class JudgedOverdue:
    overdue: records.Overdue
    pathway: str
    told: Told
    at: int | None


@dataclass(frozen=True)
class JudgedFault:
    """told: None where no technical alert is wanted, or its time was not over."""

    fault: records.Fault
    pathway: str
    told: bool | None


@dataclass(frozen=True)
class Judged:
    stays: tuple[Stay, ...]
    alerts: tuple[JudgedAlert, ...]
    courses: tuple[JudgedCourse, ...]
    overdue: tuple[JudgedOverdue, ...]
    faults: tuple[JudgedFault, ...]


@dataclass
class _Person:
    """Everything about one resident."""

    stays: list[Stay] = field(default_factory=list)
    courses: list[records.Course] = field(default_factory=list)
    overdue: list[records.Overdue] = field(default_factory=list)
    faults: list[records.Fault] = field(default_factory=list)
    alerts: list[records.Alert] = field(default_factory=list)

    def stay(self, at: int) -> Stay | None:
        return next((one for one in self.stays if one.start <= at < one.stop), None)

    def pathway(self, at: int) -> str:
        """At a time; else of the first stay."""
        found = self.stay(at) or (self.stays[0] if self.stays else None)
        return found.pathway if found else NOBODY

    def over(self, by: int) -> bool:
        """Whether they were watched until then. Of whom nothing is said, always."""
        return not self.stays or any(one.start <= by <= one.stop for one in self.stays)

    @property
    def last(self) -> int:
        return max((one.stop for one in self.stays), default=_FOR_EVER)


def judge(truth: reading.Truth, alerts: reading.Alerts) -> Judged:
    """Sets one against the other."""
    people = _people(truth, alerts)
    by_device: dict[str, list[records.Fault]] = {}
    for fault in truth.faults.values():
        if fault.device_id is not None:
            by_device.setdefault(fault.device_id, []).append(fault)
    empty, technical = _Person(), _technical(alerts.alerts)
    return Judged(
        tuple(stay for person in people.values() for stay in person.stays),
        tuple(_alert(alert, people.get(alert.resident or "", empty), by_device) for alert in alerts.alerts),
        tuple(_course(course, people[course.resident]) for course in truth.courses.values()),
        tuple(_overdue(one, people[one.resident]) for one in truth.overdue.values()),
        tuple(_fault(one, people.get(one.resident or "", empty), technical) for one in truth.faults.values()),
    )


def _people(truth: reading.Truth, alerts: reading.Alerts) -> dict[str, _Person]:
    people: dict[str, _Person] = {}

    def person(name: str) -> _Person:
        return people.setdefault(name, _Person())

    for stay in _stays(truth, alerts.listed):
        person(stay.resident).stays.append(stay)
    for course in truth.courses.values():
        person(course.resident).courses.append(course)
    for overdue in truth.overdue.values():
        person(overdue.resident).overdue.append(overdue)
    for fault in truth.faults.values():
        if fault.resident is not None:
            person(fault.resident).faults.append(fault)
    for alert in alerts.alerts:
        if alert.resident in people:
            people[alert.resident].alerts.append(alert)
    return people


def _stays(truth: reading.Truth, listed: records.AlertList) -> Sequence[Stay]:
    end = listed.exported_at if truth.run is None or truth.run.to is None else truth.run.to
    low, high = ms(listed.from_, -_FOR_EVER), ms(listed.to, _FOR_EVER)
    found = []
    for _, one in truth.stays.values():
        start, stop = max(ms(one.from_), low), min(ms(one.to or end), high)
        found.append(Stay(one.resident, one.pathway or NOBODY, start, max(start, stop)))
    return sorted(found, key=lambda stay: (stay.resident, stay.start))


def ms(at: datetime | None, otherwise: int = 0) -> int:
    return otherwise if at is None else clock.to_ms(at)


# Courses ------------------------------------------------------------------------------------------


def reached(alert: records.Alert, priority: records.Priority) -> int | None:
    """When it first had at least this priority."""
    for step in alert.priorities:
        if records.RANK[step.priority] >= records.RANK[priority]:
            return clock.to_ms(step.at)
    if alert.priorities or records.RANK[alert.priority] < records.RANK[priority]:
        return None
    return clock.to_ms(alert.raised_at)


def about(alert: records.Alert, codes: list[str] | None) -> bool:
    """Whether it is about one of the codes; None: about anything."""
    return codes is None or not set(codes).isdisjoint(alert.codes)


def meets(alert: records.Alert, notice: records.Notice, onset: datetime) -> int | None:
    """When the alert met the notice."""
    if alert.category not in notice.categories or not about(alert, notice.codes):
        return None
    at = reached(alert, notice.priority)
    return at if at is not None and clock.to_ms(onset) <= at <= clock.to_ms(notice.by) else None


def _course(course: records.Course, person: _Person) -> JudgedCourse:
    by = [clock.to_ms(notice.by) for notice in course.notice]
    return JudgedCourse(
        course,
        person.pathway(max(clock.to_ms(course.onset), person.stays[0].start if person.stays else 0)),
        tuple(_notice(course, notice, person, person.over(end)) for notice, end in zip(course.notice, by, strict=True)),
    )


def _notice(course: records.Course, notice: records.Notice, person: _Person, judged: bool) -> JudgedNotice:
    onset = clock.to_ms(course.onset)
    met = [(at, alert.id) for alert in person.alerts if (at := meets(alert, notice, course.onset)) is not None]
    first = min(met, default=None)
    standing = first is None and any(
        alert.category in notice.categories
        and about(alert, notice.codes)
        and ((at := reached(alert, notice.priority)) is not None and at < onset)
        and ms(alert.cleared_at, _FOR_EVER) > onset
        for alert in person.alerts
    )
    return JudgedNotice(notice, judged, first and first[0], first and first[1], standing)


# Alerts -------------------------------------------------------------------------------------------


def _alert(alert: records.Alert, person: _Person, by_device: dict[str, list[records.Fault]]) -> JudgedAlert:
    at = clock.to_ms(alert.raised_at)
    faults = [*person.faults, *by_device.get(alert.device_id or "", ())]
    stay = person.stay(at)
    if stay is None and (alert.resident is not None or not faults):
        return JudgedAlert(alert, at, "unwatched", "", NOBODY)
    verdict, because = _verdict(alert, at, person, faults)
    return JudgedAlert(alert, at, verdict, because, stay.pathway if stay else NOBODY)


def _verdict(alert: records.Alert, at: int, person: _Person, faults: Sequence[records.Fault]) -> tuple[Verdict, str]:
    for course in person.courses:
        if any(meets(alert, notice, course.onset) is not None for notice in course.notice):
            return "right", f"notices course {course.id}"
    if alert.category == "technical":
        told = next((fault for fault in faults if _told_in(fault, at)), None)
        return ("right", f"fault {told.id}") if told else ("false", "")
    if alert.category == "silence":
        for overdue in person.overdue:
            if _tells(alert, at, overdue, person.last):
                return "right", f"overdue {overdue.code} of {clock.text(overdue.due_at)}"
    for course in person.courses:
        for quiet in course.quiet:
            if about(alert, quiet.codes) and clock.to_ms(quiet.from_) <= at <= clock.to_ms(quiet.to):
                return "false_quiet", f"course {course.id}: {quiet.why}"
    for course in person.courses:
        if clock.to_ms(course.onset) <= at <= ms(course.end, _FOR_EVER):
            return "right", f"in course {course.id}"
    here = [fault for fault in faults if clock.to_ms(fault.from_) <= at <= ms(fault.to, _FOR_EVER)]
    for fault in here:
        if alert.category == "silence" or not fault.must_not_alarm:
            return "excused", f"fault {fault.id}"
    return "false", f"fault {here[0].id}" if here else ""


def _told_in(fault: records.Fault, at: int) -> bool:
    """Whether a technical alert of then is about it: what was over before it had to be told may still be told."""
    end = max(ms(fault.to, _FOR_EVER), ms(fault.technical_by))
    return clock.to_ms(fault.from_) <= at <= end


# Overdue measurements and faults ------------------------------------------------------------------


def _names(alert: records.Alert, code: str) -> bool:
    return alert.category == "silence" and (not alert.codes or code in alert.codes)


def _tells(alert: records.Alert, at: int, overdue: records.Overdue, last: int) -> bool:
    end = max(clock.to_ms(overdue.alarm_by), ms(overdue.measured_at, last))
    return _names(alert, overdue.code) and clock.to_ms(overdue.alarm_from) <= at <= end


def _overdue(overdue: records.Overdue, person: _Person) -> JudgedOverdue:
    start, by = clock.to_ms(overdue.alarm_from), clock.to_ms(overdue.alarm_by)
    own = [alert for alert in person.alerts if _names(alert, overdue.code)]
    raised = min((at for a in own if (at := clock.to_ms(a.raised_at)) >= start), default=None)
    told: Told
    if not person.over(by) or ms(overdue.measured_at, _FOR_EVER) <= by:
        told, raised = "open", None
    elif any(clock.to_ms(a.raised_at) < start <= ms(a.cleared_at, _FOR_EVER) for a in own):
        told, raised = "standing", None
    elif raised is not None and raised <= by:
        told = "on_time"
    elif raised is not None and raised <= ms(overdue.measured_at, person.last):
        told = "late"
    else:
        told, raised = "missed", None
    return JudgedOverdue(overdue, person.pathway(start), told, raised)


def _fault(fault: records.Fault, person: _Person, technical: dict[tuple[str, str], list[int]]) -> JudgedFault:
    pathway = person.pathway(clock.to_ms(fault.from_))
    if fault.technical_by is None or not person.over(clock.to_ms(fault.technical_by)):
        return JudgedFault(fault, pathway, None)
    start, by = clock.to_ms(fault.from_), clock.to_ms(fault.technical_by)
    heard = (
        *technical.get(("device", fault.device_id or ""), ()),
        *technical.get(("resident", fault.resident or ""), ()),
    )
    return JudgedFault(fault, pathway, any(start <= at <= by for at in heard))


def _technical(alerts: Sequence[records.Alert]) -> dict[tuple[str, str], list[int]]:
    """When technical alerts were raised, by the device and by the resident that they are about."""
    found: dict[tuple[str, str], list[int]] = {}
    for alert in alerts:
        if alert.category == "technical":
            for key in (("device", alert.device_id), ("resident", alert.resident)):
                if key[1] is not None:
                    found.setdefault((key[0], key[1]), []).append(clock.to_ms(alert.raised_at))
    return found
