"""What a resident, a ward, a member of staff and a device must be to be taken in."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nhs_number.validate import is_valid

from telehealth.errors import Invalid

ROLES = ("clinician", "tester", "admin")
GENDERS = ("female", "male", "other", "not known", "not specified")
_DEVICE_ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
#: The service's own account and topics at the broker.
_RESERVED = frozenset({"telehealth", "check"})
_USERNAME = re.compile(r"^[a-z0-9][a-z0-9._@-]{0,63}$")
_TIME = re.compile(r"^([01][0-9]|2[0-3]):[0-5][0-9]$")


@dataclass(frozen=True)
class NewResident:
    """Everything that admission to a virtual ward requires; checked, nothing guessed."""

    ward_id: int
    family_name: str
    given_name: str
    title: str | None
    gender: str
    born: date
    nhs_number: str
    zone: str
    pathway: str
    pathway_version: str
    schedule: Mapping[str, Any]
    rules: Mapping[str, Any]
    admitted_at: datetime
    spo2_scale: int | None = None  #: with which the rules were compiled; None: what their NEWS2 says

    def checked(self, *, today: date) -> NewResident:
        """Itself, or Invalid naming the first field that is wrong."""
        text("family_name", self.family_name, 100)
        text("given_name", self.given_name, 100)
        if self.title is not None:
            text("title", self.title, 35)
        if self.gender not in GENDERS:
            raise Invalid("gender", f"must be one of {', '.join(GENDERS)}")
        if not date(1890, 1, 1) <= self.born <= today:
            raise Invalid("born", "must be a date between 1890 and today")
        check_nhs_number(self.nhs_number)
        check_zone(self.zone)
        check_schedule(self.schedule)
        aware("admitted_at", self.admitted_at)
        if self._scores_news2 and age(self.born, self.admitted_at.astimezone(zoneinfo.ZoneInfo(self.zone)).date()) < 16:
            raise Invalid("born", "is less than 16 years before admission: choose a pathway without NEWS2")
        return self

    @property
    def _scores_news2(self) -> bool:
        return any(rule.get("kind") == "news2" for rule in self.rules.get("rules", ()))


def age(born: date, on: date) -> int:
    """Completed years; somebody born on 29 February is a year older on 1 March of other years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def text(field: str, value: str, longest: int) -> str:
    """A line of text that a person typed: 1 to longest printable characters."""
    if not 1 <= len(value.strip()) <= longest or not value.isprintable():
        raise Invalid(field, f"must be 1 to {longest} printable characters")
    return value


def aware(field: str, moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise Invalid(field, "needs a time zone or offset, for example 2026-11-21T10:00:00Z")
    return moment


def check_nhs_number(number: str) -> str:
    """Ten digits with a valid check digit (Modulus 11)."""
    if not re.fullmatch(r"[0-9]{10}", number) or not is_valid(number):
        raise Invalid("nhs_number", "must be ten digits with a valid check digit")
    return number


def never_issued(number: str) -> bool:
    """In the range 999 000 0000 to 999 999 9999, kept for tests and simulations."""
    return number.startswith("999")


def check_zone(zone: str) -> str:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("zone", "must be an IANA time zone, for example Europe/London") from None
    return zone


def check_schedule(schedule: Mapping[str, Any]) -> Mapping[str, Any]:
    """{"spo2": {"times": ["08:00", "20:00"], "grace_minutes": 120}}, local times of the resident."""
    if not isinstance(schedule, Mapping) or len(schedule) > 50:
        raise Invalid("schedule", "must be an object of at most 50 codes")
    for code, entry in schedule.items():
        where = f"schedule.{code}" if re.fullmatch(r"[a-z0-9_]{1,40}", str(code)) else "schedule"
        times = entry.get("times") if isinstance(entry, Mapping) else None
        if not isinstance(times, list) or not 1 <= len(times) <= 48 or len(set(map(str, times))) != len(times):
            raise Invalid(where, "needs times: 1 to 48 different local times such as 08:00")
        if not all(isinstance(t, str) and _TIME.match(t) for t in times):
            raise Invalid(where, "times must look like 08:00")
        grace = entry.get("grace_minutes", 120)
        if isinstance(grace, bool) or not isinstance(grace, int) or not 1 <= grace <= 2880:
            raise Invalid(where, "grace_minutes must be a whole number from 1 to 2880")
    return schedule


def check_device_id(device_id: str) -> str:
    if not _DEVICE_ID.fullmatch(device_id):
        raise Invalid("device_id", "must be 1 to 64 of A-Z a-z 0-9 _ -")
    if device_id.lower() in _RESERVED:
        raise Invalid("device_id", "is a name of the service itself: choose another")
    return device_id


def check_username(username: str) -> str:
    if not _USERNAME.fullmatch(username):
        raise Invalid("username", "must be 1 to 64 of a-z 0-9 . _ @ - and begin with a letter or digit")
    return username


def check_role(role: str) -> str:
    if role not in ROLES:
        raise Invalid("role", f"must be one of {', '.join(ROLES)}")
    return role


def display_name(family: str, given: str, title: str | None) -> str:
    """SMITH, Anna (Ms): the form of staff screens (ISB 1506)."""
    return f"{family.upper()}, {given}" + (f" ({title})" if title else "")


def display_nhs_number(number: str) -> str:
    """943 476 5919 (ISB 1504)."""
    return f"{number[:3]} {number[3:6]} {number[6:]}"
