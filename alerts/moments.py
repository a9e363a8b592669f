"""Moments and days in words: instants in UTC for records, local clock times and dates for people."""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, timedelta

from alerts import schedule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDINAL = _EPOCH.toordinal()
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def instant(at: int) -> str:
    """ISO 8601, UTC, milliseconds."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="milliseconds")[:-6] + "Z"


def clock(at: int, zone: str, day_of: int | None = None) -> str:
    """Local time, "10:02"; "23:40 on 20-Nov" when it is another local day than `day_of`'s.

    "01:30 BST" where the zone has the hour twice.
    """
    moment = _local(at, zone)
    told = f"{moment.hour:02d}:{moment.minute:02d}"
    if moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset():
        told += f" {moment.tzname()}"
    if day_of is None or _local(day_of, zone).date() == moment.date():
        return told
    return f"{told} on {_named(moment)}"


def day(number: int) -> str:
    """A local day (days since 1970-01-01) for people: "21-Nov"."""
    return _named(date.fromordinal(number + _ORDINAL))


def date_of(at: int, zone: str) -> str:
    """The local day of a moment for people: "21-Nov"."""
    return _named(_local(at, zone))


def iso_day(number: int) -> str:
    """A local day (days since 1970-01-01) for records: "2026-11-21"."""
    return date.fromordinal(number + _ORDINAL).isoformat()


def named(iso: str) -> str:
    """A day of a record for people: "21-Nov" of "2026-11-21"; what is no day as it is."""
    try:
        return _named(date.fromisoformat(iso))
    except ValueError:
        return iso


def _named(moment: date) -> str:
    return f"{moment.day:02d}-{_MONTHS[moment.month - 1]}"


def _local(at: int, zone: str) -> datetime:
    return (_EPOCH + timedelta(microseconds=at)).astimezone(_zone(zone))


_zone = functools.lru_cache(maxsize=1024)(schedule.zone_named)
