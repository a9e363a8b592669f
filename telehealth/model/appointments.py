"""When visits are: local times in a zone, and the occurrences of a series. Pure."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

from telehealth.errors import Invalid
from telehealth.model import people, visits

#: Series' appointments are made so far ahead.
AHEAD: Final = timedelta(weeks=8)
#: An appointment may be booked so late: somebody types while the time passes.
_LATE: Final = timedelta(minutes=15)
_FURTHEST: Final = timedelta(days=2 * 366)
#: Subjects of one visit.
MOST_SUBJECTS: Final = 30

Which = Literal["first", "second"]


class Ambiguous(Invalid):
    """A local time that comes twice that day, because the clocks go back: say which, "first" or "second"."""

    def __init__(self, first: datetime, second: datetime) -> None:
        super().__init__("time", "comes twice that day, because the clocks go back: say the first or the second")
        #: Both aware, UTC.
        self.first = first
        self.second = second


@dataclass(frozen=True)
class New:
    """What is booked. resident_ids: in order; starts_at: aware; reason: for staff, never in a mail."""

    ward_id: int
    kind: visits.Kind
    resident_ids: Sequence[int]
    starts_at: datetime
    minutes: int = 20
    reason: str = ""

    def checked(self, *, now: datetime) -> New:
        """Itself, or Invalid naming the first field that is wrong."""
        check_kind(self.kind, self.resident_ids)
        check_start(self.starts_at, now=now)
        check_minutes(self.minutes)
        check_reason(self.reason)
        return self


@dataclass(frozen=True)
class NewSeries:
    """What comes again: on weekdays (Monday is 0) of every so many weeks, at a local time in a zone."""

    ward_id: int
    kind: visits.Kind
    resident_ids: Sequence[int]
    weekdays: Sequence[int]
    local_time: time
    zone: str
    first_on: date
    every_weeks: int = 1
    last_on: date | None = None
    minutes: int = 60
    reason: str = ""

    def checked(self, *, now: datetime) -> NewSeries:
        """Itself, or Invalid naming the first field that is wrong."""
        check_kind(self.kind, self.resident_ids)
        people.check_zone(self.zone)
        check_minutes(self.minutes)
        check_reason(self.reason)
        if not self.weekdays or not set(self.weekdays) <= set(range(7)):
            raise Invalid("weekdays", "must be some of Monday to Sunday")
        if not 1 <= self.every_weeks <= 12:
            raise Invalid("every_weeks", "must be 1 to 12")
        today = now.astimezone(zoneinfo.ZoneInfo(self.zone)).date()
        if not today <= self.first_on <= today + _FURTHEST:
            raise Invalid("first_on", "must be between today and two years from now")
        if self.last_on is not None and self.last_on < self.first_on:
            raise Invalid("last_on", "must not be before the first day")
        return self


def check_kind(kind: str, resident_ids: Sequence[int]) -> None:
    """Invalid, if so many residents do not fit the kind."""
    if kind not in visits.KINDS:
        raise Invalid("kind", "must be one of " + ", ".join(visits.KINDS))
    if not 1 <= len(resident_ids) <= MOST_SUBJECTS or len(set(resident_ids)) != len(resident_ids):
        raise Invalid("residents", f"must be 1 to {MOST_SUBJECTS}, each once")
    if kind in visits.SINGLE and len(resident_ids) != 1:
        raise Invalid("residents", "must be one for a visit of this kind")


def check_start(starts_at: datetime, *, now: datetime) -> None:
    """Invalid, if a visit cannot begin then."""
    people.aware("starts_at", starts_at)
    if starts_at < now - _LATE:
        raise Invalid("starts_at", "is in the past")
    if starts_at > now + _FURTHEST:
        raise Invalid("starts_at", "is more than two years from now")


def check_minutes(minutes: int) -> None:
    """Invalid, if a visit cannot be planned for so long."""
    if not 5 <= minutes <= 480:
        raise Invalid("minutes", "must be 5 to 480")


def check_reason(reason: str) -> None:
    """Invalid, if it cannot be stored."""
    if reason:
        people.text("reason", reason, 200)


def at_local(day: date, clock_time: time, zone: str, which: Which | None = None) -> datetime:
    """The moment of a local time, aware and in UTC.

    Raises Invalid for a time that the clocks skip that day, and Ambiguous for one that comes twice unless which says.
    """
    people.check_zone(zone)
    first, second = _both(day, clock_time, zone)
    if first == second:
        return first
    if _skipped(first, day, clock_time, zone):
        raise Invalid("time", "does not exist that day: the clocks go forward over it")
    if which is None:
        raise Ambiguous(first, second)
    return first if which == "first" else second


def occurrences(series: NewSeries, *, after: date | None, until: date) -> Iterator[tuple[date, datetime]]:
    """Days and moments (UTC) of a series after a day, up to and with another.

    Nobody is there to be asked: of a time that comes twice it is the first, and one that the clocks skip is as much
    later as they go forward.
    """
    last = until if series.last_on is None else min(until, series.last_on)
    monday = series.first_on - timedelta(days=series.first_on.weekday())
    day = series.first_on if after is None else max(series.first_on, after + timedelta(days=1))
    while day <= last:
        if day.weekday() in series.weekdays and (day - monday).days // 7 % series.every_weeks == 0:
            yield day, _both(day, series.local_time, series.zone)[0]
        day += timedelta(days=1)


def _both(day: date, clock_time: time, zone: str) -> tuple[datetime, datetime]:
    local = datetime.combine(day, clock_time, zoneinfo.ZoneInfo(zone))
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _skipped(moment: datetime, day: date, clock_time: time, zone: str) -> bool:
    back = moment.astimezone(zoneinfo.ZoneInfo(zone))
    return (back.date(), back.time()) != (day, clock_time.replace(tzinfo=None))
