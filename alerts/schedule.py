"""When a resident is expected to measure: due times in local time, and their deadlines."""

from __future__ import annotations

import bisect
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from alerts import codes, errors, limits

DAY_US = 86_400_000_000
_SECOND_US = 1_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_KEPT_DAYS = 64

#: (code, grace in seconds) of the silence rules in force; with a third, True: when it is late, before it is missing.
Graces = tuple[tuple[str, int] | tuple[str, int, bool], ...]


class Deadline(NamedTuple):
    """The moment at which a due measure is missing, or late. Microseconds since the epoch."""

    at: int  #: due time plus grace
    code: str
    due: int
    counts_from: int  #: a reading taken from here on is the one that was due
    late: bool = False  #: it is late only, and will be missing later


@dataclass(frozen=True, slots=True)
class Expected:
    """One measure's due times: minutes after local midnight, ascending."""

    minutes: tuple[int, ...]
    grace_seconds: int | None  #: None: the silence rule's
    early_seconds: int | None  #: None: from halfway after the due time before


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Expected measures in one time zone. Keep and reuse the object: it caches the days it has worked out."""

    zone: zoneinfo.ZoneInfo
    expected: Mapping[str, Expected]
    _days: dict[tuple[int, Graces], list[Deadline]] = field(default_factory=dict, repr=False)

    def deadlines(self, day: int, graces: Graces) -> list[Deadline]:
        """Deadlines falling on one UTC day (days since the epoch), ascending."""
        key = (day, graces)
        found = self._days.get(key)
        if found is None:
            if len(self._days) >= _KEPT_DAYS:
                self._days.clear()
            found = self._days[key] = sorted(self._worked_out(day, graces))
        return found

    def after(self, at: int, graces: Graces) -> Deadline | None:
        """The first deadline later than `at`, or None when nothing is expected."""
        if not graces or not self.expected:
            return None
        day = at // DAY_US
        for ahead in range(4):
            found = self.deadlines(day + ahead, graces)
            position = bisect.bisect_right(found, at, key=lambda deadline: deadline.at) if ahead == 0 else 0
            if position < len(found):
                return found[position]
        return None

    def following(self, deadline: Deadline, graces: Graces) -> Deadline | None:
        """The next in order after this one; several may fall on one moment."""
        found = self.deadlines(deadline.at // DAY_US, graces)
        position = bisect.bisect_right(found, deadline)
        if position < len(found):
            return found[position]
        return self.after((deadline.at // DAY_US + 1) * DAY_US - 1, graces)

    def _worked_out(self, day: int, graces: Graces) -> list[Deadline]:
        result = []
        full = {rule[0]: rule[1] for rule in graces if len(rule) == 2}
        for rule in graces:
            code, late = rule[0], len(rule) > 2
            entry = self.expected.get(code)
            if entry is None:
                continue
            grace = full.get(code, rule[1]) if entry.grace_seconds is None else entry.grace_seconds
            if late and rule[1] >= grace:
                continue  # the schedule's own grace is over before it would be late
            grace = (rule[1] if late else grace) * _SECOND_US
            for local_day in range(day - 2, day + 2):
                for position, minute in enumerate(entry.minutes):
                    due = self._instant(local_day, minute)
                    if (due + grace) // DAY_US == day:
                        counts_from = self._counts_from(entry, local_day, position, due)
                        result.append(Deadline(due + grace, code, due, counts_from, late))
        return result

    def _counts_from(self, entry: Expected, local_day: int, position: int, due: int) -> int:
        if entry.early_seconds is not None:
            return due - entry.early_seconds * _SECOND_US
        before = (
            self._instant(local_day, entry.minutes[position - 1])
            if position
            else self._instant(local_day - 1, entry.minutes[-1])
        )
        return due - (due - before) // 2

    def _instant(self, local_day: int, minute: int) -> int:
        """A local wall-clock time; one skipped by a clock change comes as much later, a doubled one is the first."""
        midnight = datetime.fromordinal(_EPOCH + local_day).replace(tzinfo=self.zone)
        moment = midnight.replace(hour=minute // 60, minute=minute % 60).astimezone(UTC)
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """Raises RuleError for a zone that is not known."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise errors.RuleError("zone", "is not an IANA time zone") from None


def parse(document: Mapping[str, Any], zone: str) -> Schedule:
    """From {"<code>": {"times": ["08:00"], "grace_minutes": 120, "early_minutes": 240}} and an IANA zone.

    grace_minutes may be left out (the silence rule's grace), early_minutes too (a reading counts from halfway
    after the due time before). Raises RuleError.
    """
    if not isinstance(document, Mapping):
        raise errors.RuleError("schedule", "must be an object by code")
    return Schedule(zone_named(zone), {code: _entry(code, entry) for code, entry in document.items()})


def is_time(value: object) -> bool:
    """A local time of day, HH:MM."""
    return isinstance(value, str) and _CLOCK.fullmatch(value) is not None


def _entry(code: str, entry: object) -> Expected:
    where = f"schedule.{code}" if code in codes.INDEX else "schedule"
    if code not in codes.INDEX:
        raise errors.RuleError(where, "names a code that is not known")
    if not isinstance(entry, Mapping):
        raise errors.RuleError(where, "must be an object with times")
    limits.known(entry, where, ("times", "grace_minutes", "early_minutes"))
    times = entry.get("times")
    if not isinstance(times, list) or not 1 <= len(times) <= 24:
        raise errors.RuleError(f"{where}.times", "must be a list of 1 to 24 times")
    minutes = set()
    for time in times:
        if not is_time(time):
            raise errors.RuleError(f"{where}.times", "must be local times as HH:MM")
        minutes.add(int(time[:2]) * 60 + int(time[3:]))
    grace, early = (
        None if entry.get(key) is None else 60 * limits.seconds(entry, key, where, 0, 1, 1440)
        for key in ("grace_minutes", "early_minutes")
    )
    return Expected(tuple(sorted(minutes)), grace, early)
