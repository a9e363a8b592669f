"""Other limits at other times of the day: by the resident's wall clock, also when the clocks change."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from alerts import codes, errors, limits, schedule

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LIMITS = ("red_low", "amber_low", "amber_high", "red_high")
DAY = 1440  #: minutes on a wall clock
MOST = 6

_MINUTE_US = 60_000_000
_QUARTER_US = 15 * _MINUTE_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Profile:
    """From `start` to before `stop` (minutes after local midnight; over midnight where stop is not later) these
    limits replace those of the rule; None takes a limit away.
    """

    start: int
    stop: int
    limits: tuple[tuple[str, float | None], ...]

    def covers(self, minute: int) -> bool:
        """Whether the profile is in force at this minute of the wall clock."""
        if self.start < self.stop:
            return self.start <= minute < self.stop
        return minute >= self.start or minute < self.stop

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """[from, to) within one day."""
        if self.start < self.stop:
            return ((self.start, self.stop),)
        return ((self.start, DAY), (0, self.stop)) if self.stop else ((self.start, DAY),)

    def to_json(self) -> dict[str, Any]:
        """As it is written in rules."""
        return {"from": told(self.start), "to": told(self.stop), **dict(self.limits)}

    def __str__(self) -> str:
        return f"{told(self.start)} to {told(self.stop)}"


def told(minute: int) -> str:
    """A minute of the wall clock as HH:MM."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def parse(entry: Mapping[str, Any], where: str) -> tuple[Profile, ...]:
    """From the `profiles` of a threshold rule. Raises RuleError. The rule checks the limits, all four together."""
    found = entry.get("profiles") or []
    if not isinstance(found, list | tuple) or len(found) > MOST:
        raise errors.RuleError(f"{where}.profiles", f"must be a list of at most {MOST} times of the day")
    parsed = tuple(_profile(one, f"{where}.profiles[{place}]") for place, one in enumerate(found))
    spans = sorted((span, place) for place, profile in enumerate(parsed) for span in profile.spans)
    for (before, _), (after, place) in itertools.pairwise(spans):
        if after[0] < before[1]:
            raise errors.RuleError(
                f"{where}.profiles[{place}]", f"overlaps with another one at {told(after[0])}: only one can be in force"
            )
    return parsed


def _profile(entry: object, where: str) -> Profile:
    if not isinstance(entry, Mapping):
        raise errors.RuleError(
            where, 'must be written with its times and limits: { from = "22:00", to = "07:00", amber_low = 88 }'
        )
    limits.known(entry, where, ("from", "to", *LIMITS))
    start, stop = _minute(entry.get("from"), f"{where}.from"), _minute(entry.get("to"), f"{where}.to")
    if start == stop:
        raise errors.RuleError(f"{where}.to", "must be another time than from")
    replaced = tuple((key, limits.number(entry, key, where)) for key in LIMITS if key in entry)
    if not replaced:
        raise errors.RuleError(where, "names no limit")
    return Profile(start, stop, replaced)


def _minute(value: object, where: str) -> int:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise errors.RuleError(where, "must be a local time as HH:MM, from 00:00 to 23:59")
    return 60 * int(match[1]) + int(match[2])


# Wall clocks --------------------------------------------------------------------------------------


def minute_of_day(at: int, zone: str) -> int:
    """Minutes after local midnight on the wall clock."""
    return (at // _MINUTE_US + _offset(zone, at // _QUARTER_US)) % DAY


def stretches(found: Sequence[Profile], start: int, stop: int, zone: str) -> Iterator[tuple[int, int, Profile | None]]:
    """[from, to) in microseconds since the epoch and what is in force then (None: no profile), from start to stop."""
    edges = sorted({minute for profile in found for minute in (profile.start, profile.stop % DAY)})
    begun, before = start, _covering(found, start, zone)
    at = start
    while edges and at < stop:
        minute = minute_of_day(at, zone)
        ahead = min((edge - minute - 1) % DAY + 1 for edge in edges)
        at = _unchanged_until(at, at - at % _MINUTE_US + ahead * _MINUTE_US, zone)
        now = _covering(found, at, zone)
        if now is not before and at < stop:
            yield begun, at, before
            begun, before = at, now
    if begun < stop:
        yield begun, stop, before


def _covering(found: Sequence[Profile], at: int, zone: str) -> Profile | None:
    minute = minute_of_day(at, zone)
    return next((profile for profile in found if profile.covers(minute)), None)


def _unchanged_until(at: int, wanted: int, zone: str) -> int:
    """`wanted`, or when the clocks change before it. At most one change in between."""
    first, last = at // _QUARTER_US, wanted // _QUARTER_US
    offset = _offset(zone, first)
    if _offset(zone, last) == offset:
        return wanted
    while last - first > 1:
        middle = (first + last) // 2
        first, last = (middle, last) if _offset(zone, middle) == offset else (first, middle)
    return last * _QUARTER_US


def minutes_of_day(at: Integers, zone: str) -> Integers:
    """minute_of_day of many moments in one zone."""
    days, which = np.unique(at // (96 * _QUARTER_US), return_inverse=True)
    starts = np.array([_offset(zone, 96 * day) for day in days.tolist()], np.int64)
    ends = np.array([_offset(zone, 96 * day + 95) for day in days.tolist()], np.int64)
    offsets: Integers = starts[which]
    changing = np.flatnonzero((starts != ends)[which])
    if len(changing):
        quarters, inner = np.unique(at[changing] // _QUARTER_US, return_inverse=True)
        offsets[changing] = np.array([_offset(zone, quarter) for quarter in quarters.tolist()], np.int64)[inner]
    result: Integers = (at // _MINUTE_US + offsets) % DAY
    return result


# Every zone changes its offset on a whole quarter of an hour.
@functools.lru_cache(maxsize=65_536)
def _offset(zone: str, quarter: int) -> int:
    """Minutes that the wall clock is ahead of UTC."""
    moment = (_EPOCH + timedelta(minutes=15 * quarter)).astimezone(schedule.zone_named(zone))
    offset = moment.utcoffset()
    assert offset is not None  # the zone is set
    return offset // timedelta(minutes=1)


# Columns ------------------------------------------------------------------------------------------


class Columns:
    """The profiles of many rule sets as columns. Rows of `tables` (one table for each set): code, from and to minute,
    then the six limits of judged; every span within one day, no two of one code overlapping.
    """

    def __init__(self, tables: Sequence[Floats], zones: Sequence[str]) -> None:
        """zones: by subject."""
        sets = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        table = np.concatenate(tables)
        starts = self._place(sets, table[:, 0].astype(np.int64), table[:, 1].astype(np.int64))
        order = np.argsort(starts)
        self._starts, self._limits = starts[order], table[order, 3:]
        self._stops = self._starts + (table[:, 2] - table[:, 1]).astype(np.int64)[order]
        self._has = np.zeros((len(tables), len(codes.CODES)), bool)
        self._has[sets, table[:, 0].astype(np.int64)] = True
        self._names = sorted(set(zones))
        numbers = {name: number for number, name in enumerate(self._names)}
        self._zones = np.array([numbers[zone] for zone in zones])

    def put(self, limits: Floats, which: Integers, code: Integers, at: Integers, subject: Integers) -> Floats:
        """limits (rows, 6) with those of profiles in force, by set, code, moment and subject of each row."""
        some = np.flatnonzero(self._has[which, code])
        if len(some) == 0:
            return limits
        place = self._place(which[some], code[some], self._minutes(at[some], subject[some]))
        found = np.searchsorted(self._starts, place, side="right") - 1
        inside = (found >= 0) & (place < self._stops[found])
        result = limits.copy()
        result[some[inside]] = self._limits[found[inside]]
        return result

    @staticmethod
    def _place(which: Integers, code: Integers, minute: Integers) -> Integers:
        # One more than the minutes of a day, so that a span to midnight does not touch the next code's.
        return (which * len(codes.CODES) + code) * (DAY + 1) + minute

    def _minutes(self, at: Integers, subject: Integers) -> Integers:
        zones = self._zones[subject]
        if len(self._names) == 1:
            return minutes_of_day(at, self._names[0])
        result = np.empty(len(at), np.int64)
        for number, name in enumerate(self._names):
            rows = np.flatnonzero(zones == number)
            if len(rows):
                result[rows] = minutes_of_day(at[rows], name)
        return result
