"""How things are written for staff: 14-Aug-1941, 23:54, 999 476 5919, 4hr 32min; plain_* are for residents.

The forms follow the NHS Common User Interface guidance. Times are shown in the zone of the ward or
the resident, never in the browser's. Every function takes None and gives an empty string for it.
"""

from __future__ import annotations

import functools
import json
import re
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

import markupsafe

from telehealth.model import people

#: Where nobody said otherwise.
ZONE = "Europe/London"

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Moment = datetime | str | None

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def iso(moment: datetime | None) -> str | None:
    """2026-11-21T10:00:01.000Z, as in every JSON object that we send."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(moment: datetime) -> int:
    """Epoch milliseconds, as in chart data."""
    return round(moment.timestamp() * 1000)


def staff_date(moment: Moment, zone: str = ZONE) -> str:
    """14-Aug-1941"""
    at = _local(moment, zone)
    return "" if at is None else _date(at)


def staff_day(day: str) -> str:
    """A day of a record, 2026-11-21, as "21-Nov-2026"; what is no day as it is."""
    try:
        return staff_date(datetime.fromisoformat(f"{day}T12:00:00+00:00"), "UTC")
    except ValueError:
        return day


def staff_time(moment: Moment, zone: str = ZONE) -> str:
    """23:54; 01:30 BST where the zone has the hour twice."""
    at = _local(moment, zone)
    return "" if at is None else at.strftime("%H:%M") + _which(at)


def staff_moment(moment: Moment, zone: str = ZONE) -> str:
    """14-Aug-1941 23:54"""
    at = _local(moment, zone)
    return "" if at is None else f"{_date(at)} {at.strftime('%H:%M')}{_which(at)}"


def staff_second(moment: Moment, zone: str = ZONE) -> str:
    """14-Aug-1941 23:54:07"""
    at = _local(moment, zone)
    return "" if at is None else f"{_date(at)} {at.strftime('%H:%M:%S')}{_which(at)}"


def plain_time(moment: Moment, zone: str = ZONE) -> str:
    """5.30pm, 5pm, midday: times as residents read them."""
    at = _local(moment, zone)
    if at is None:
        return ""
    if at.minute == 0 and at.hour % 12 == 0:
        return "midday" if at.hour else "midnight"
    minutes = f".{at.minute:02}" if at.minute else ""
    return f"{at.hour % 12 or 12}{minutes}{'am' if at.hour < 12 else 'pm'}{_which(at)}"


def plain_date(moment: Moment, zone: str = ZONE) -> str:
    """Monday 23 November 2026: days as residents read them."""
    at = _local(moment, zone)
    return "" if at is None else f"{_DAYS[at.weekday()]} {at.day} {_MONTH_NAMES[at.month - 1]} {at.year}"


def born(day: date | str | None) -> str:
    """14-Aug-1941, of a date of birth, which has no zone."""
    if not day:
        return ""
    return _date(date.fromisoformat(day) if isinstance(day, str) else day)


def read_date(typed: str) -> date | None:
    """The day of 14-Aug-1941, 14 August 1941, 14/8/1941 or 1941-08-14; None for anything else."""
    parts = re.fullmatch(r"(\d{1,2})[-/. ]([a-z]{3,9}|\d{1,2})[-/. ](\d{4})", typed.strip(), re.ASCII | re.IGNORECASE)
    try:
        if parts is None:
            return date.fromisoformat(typed.strip()) if _ISO_DATE.fullmatch(typed.strip()) else None
        month = parts[2] if parts[2].isdigit() else _MONTHS.index(parts[2][:3].capitalize()) + 1
        return date(int(parts[3]), int(month), int(parts[1]))
    except ValueError:
        return None


def read_time(typed: str) -> time | None:
    """The time of 23:54; None for anything else."""
    parts = re.fullmatch(r"(\d{1,2}):(\d{2})", typed.strip(), re.ASCII)
    try:
        return None if parts is None else time(int(parts[1]), int(parts[2]))
    except ValueError:
        return None


def nhs_number(number: str | None) -> str:
    """999 476 5919"""
    if not number:
        return ""
    digits = number.replace(" ", "")
    return people.display_nhs_number(digits) if len(digits) == 10 else number


def duration(seconds: float | None) -> str:
    """4hr 32min, 3 days 4hr, 12min, 8sec: two units at most, no decimals."""
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours}hr" if hours else "")
    if hours:
        return f"{hours}hr" + (f" {minutes}min" if minutes else "")
    return f"{minutes}min" if minutes else f"{left}sec"


def age(since: Moment, now: Moment) -> str:
    """How long ago: 4hr 32min. Empty if either is unknown; 0sec for what is ahead of now."""
    then, at = _aware(since), _aware(now)
    return "" if then is None or at is None else duration((at - then).total_seconds())


def years(day: date, today: date) -> int:
    """Age in whole years."""
    return today.year - day.year - ((today.month, today.day) < (day.month, day.day))


def number(value: float, resolution: float | None = None) -> str:
    """36.8 or 96: with the decimals of the resolution, else as short as it can be."""
    if resolution is not None and resolution < 1:
        decimals = min(3, len(f"{resolution:.3f}".rstrip("0").split(".")[1]))
        return f"{value:.{decimals}f}"
    return f"{value:.3f}".rstrip("0").rstrip(".")


def json_script(value: Any) -> markupsafe.Markup:
    """JSON that is safe inside <script type="application/json">: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return markupsafe.Markup(text)


_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}

FILTERS: Mapping[str, Callable[..., Any]] = {
    "staff_date": staff_date,
    "staff_day": staff_day,
    "staff_time": staff_time,
    "staff_moment": staff_moment,
    "staff_second": staff_second,
    "plain_time": plain_time,
    "plain_date": plain_date,
    "born": born,
    "nhs_number": nhs_number,
    "duration": duration,
    "age": age,
    "json_script": json_script,
}


def zone_of(name: str | None) -> zoneinfo.ZoneInfo:
    """The zone of that name, or our own if this computer does not know it."""
    return _zone(name or ZONE)


@functools.lru_cache(maxsize=64)
def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo(ZONE)


def _aware(moment: Moment) -> datetime | None:
    if not moment:
        return None
    return datetime.fromisoformat(moment) if isinstance(moment, str) else moment


def _local(moment: Moment, zone: str) -> datetime | None:
    at = _aware(moment)
    return None if at is None else at.astimezone(zone_of(zone))


def _which(at: datetime) -> str:
    """BST or GMT after a time that comes twice when the clocks go back; else nothing."""
    return f" {at.tzname()}" if at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset() else ""


def _date(day: date) -> str:
    return f"{day.day:02d}-{_MONTHS[day.month - 1]}-{day.year:04d}"
