"""Observations that staff key, and entries that they strike: from a form or the API to the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from devices import catalogue
from telehealth import errors
from telehealth.model import secrets
from telehealth.store import keyed as store_keyed
from telehealth.web import requests
from telehealth.web.access import Opened
from telehealth.web.shown import formats, measures

Json = dict[str, Any]

#: What the form of a resident's page offers, in the order in which it is measured.
FIELDS = (
    *("resp_rate", "spo2", "on_oxygen", "oxygen_flow", "systolic", "diastolic", "pulse", "consciousness"),
    *("temperature", "weight", "glucose", "peak_flow", "breathlessness", "pain"),
)

#: Offered only where the resident's rules look at them: most people have none of these signs.
SIGNS = (
    *("ketones", "fev1", "wellbeing"),
    *(entry.code for entry in catalogue.ENTRIES.values() if entry.kind == "boolean" and entry.code not in FIELDS),
)

_CONSCIOUSNESS = {
    "A": "Alert",
    "C": "New confusion",
    "V": "Responds to voice",
    "P": "Responds to pain",
    "U": "Unresponsive",
}
_YES_NO = [{"value": "true", "text": "Yes"}, {"value": "false", "text": "No"}]


class WrongForm(Exception):
    """The form cannot be taken; wrong: as the error summary wants it."""

    def __init__(self, wrong: list[Json]) -> None:
        super().__init__("the form is wrong")
        self.wrong = wrong


def blank(zone: str, now: datetime, asked: Collection[str] = ()) -> Json:
    """The form as it is offered: dated now, in the resident's zone. asked: codes that the resident's rules look at."""
    here = now.astimezone(formats.zone_of(zone))
    return {
        "entry": secrets.new_token()[:24],
        "date": formats.staff_date(now, zone),
        "time": here.strftime("%H:%M"),
        "fields": [_field(catalogue.ENTRIES[code]) for code in (*FIELDS, *(c for c in SIGNS if c in asked))],
    }


def asked_by(rules: Iterable[Mapping[str, Any]]) -> set[str]:
    """Codes that rules look at, as rule sets name them."""
    found: set[str] = set()
    for rule in rules:
        parts = (rule, *(one for one in rule.get("conditions") or () if isinstance(one, Mapping)))
        found |= {part["code"] for part in parts if isinstance(part.get("code"), str)} | set(rule.get("codes") or ())
    return found


def _field(entry: catalogue.Entry) -> Json:
    options: list[Json] = []
    if entry.kind == "boolean":
        options = _YES_NO
    elif entry.kind == "code":
        options = [{"value": code, "text": _CONSCIOUSNESS.get(code, code)} for code in entry.codes]
    limited = entry.kind == "number"
    return {
        "code": entry.code,
        "name": entry.display,
        "unit": measures.shown_unit(entry.unit),
        "kind": entry.kind,
        "min": entry.impossible_low if limited else None,
        "max": entry.impossible_high if limited else None,
        "step": entry.resolution if limited else None,
        "options": options,
    }


def from_form(form: Mapping[str, str], zone: str) -> requests.KeyedSet:
    """The observation set of a posted form. Raises WrongForm with everything that is wrong."""
    wrong: list[Json] = []
    taken_at = _moment(form, zone, wrong)
    values = []
    for code in (*FIELDS, *SIGNS):
        typed = form.get(code, "").strip()
        if typed:
            value = _value(catalogue.ENTRIES[code], typed, wrong)
            if value is not None:
                values.append(requests.KeyedValue(code=code, value=value))
    if not values and not wrong:
        wrong.append(_wrong(FIELDS[0], "Enter at least one observation"))
    entry = form.get("entry", "")
    if not 8 <= len(entry) <= 64 or not entry.replace("-", "").replace("_", "").isalnum() or not entry.isascii():
        wrong.append(_wrong("date", "This page was too old. Reload it and try again"))
    if wrong or taken_at is None:
        raise WrongForm(wrong)
    return requests.KeyedSet(entry=entry, taken_at=taken_at, values=values)


def _moment(form: Mapping[str, str], zone: str, wrong: list[Json]) -> datetime | None:
    day, clock = formats.read_date(form.get("date", "")), formats.read_time(form.get("time", ""))
    if day is None or not requests.ordinary(day):
        day = None
        wrong.append(_wrong("date", "Enter the date like this: 21-Nov-2026"))
    if clock is None:
        wrong.append(_wrong("time", "Enter the time of 24 hours like this: 09:05"))
    if day is None or clock is None:
        return None
    return datetime.combine(day, clock, formats.zone_of(zone))


def _value(entry: catalogue.Entry, typed: str, wrong: list[Json]) -> bool | float | str | None:
    if entry.kind == "boolean":
        if typed in ("true", "false"):
            return typed == "true"
        wrong.append(_wrong(entry.code, f"{entry.display}: choose yes or no"))
        return None
    if entry.kind == "code":
        if typed in entry.codes:
            return typed
        wrong.append(_wrong(entry.code, f"{entry.display}: choose one of the list"))
        return None
    try:
        number = float(typed) if len(typed) <= 12 and typed.isascii() else None
    except ValueError:
        number = None
    if number is None or not entry.possible(number):
        limits = f"{formats.number(entry.impossible_low)} to {formats.number(entry.impossible_high)}"
        unit = measures.shown_unit(entry.unit)
        wrong.append(_wrong(entry.code, f"{entry.display}: must be a number from {limits}{' ' + unit if unit else ''}"))
        return None
    return number


def _wrong(field: str, text: str) -> Json:
    return {"field": field, "text": text, "href": f"#{field}"}


async def take_in(view: Opened, asked: requests.KeyedSet, *, now: datetime) -> dict[str, int]:
    """Store the set as the caller's, all of it or nothing. Raises Invalid naming what cannot be taken."""
    assert view.resident_id is not None
    found = await store_keyed.take_in_keyed(
        view.connection,
        resident_id=view.resident_id,
        entries=[_entry(one) for one in asked.values],
        taken_at=asked.taken_at,
        entry_id=asked.entry,
        actor=view.caller.actor,
        now=now,
    )
    if found.refusals:
        first = found.refusals[0]
        code = "" if first.index is None else asked.values[first.index].code
        # a code that is none of ours would repeat what was sent
        raise errors.Invalid(code if code in catalogue.ENTRIES else "code", first.detail)
    view.audited = found.stored > 0
    return {"stored": found.stored, "duplicates": len(asked.values) - found.stored}


def _entry(one: requests.KeyedValue) -> store_keyed.Entry:
    known = catalogue.ENTRIES.get(one.code)
    value = one.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return store_keyed.Entry(one.code, value, one.unit or (None if known is None else known.unit))


async def strike(view: Opened, asked: requests.Strike, *, now: datetime) -> None:
    """Strike one entry of the resident. NotFound if it is not theirs, Conflict if it is struck already."""
    assert view.resident_id is not None
    try:
        identity, value_key = UUID(asked.identity), int(asked.value_key)
    except ValueError:
        raise errors.NotFound from None
    if not -(2**63) <= value_key < 2**63:
        raise errors.NotFound
    await store_keyed.strike(
        view.connection,
        resident_id=view.resident_id,
        taken_at=asked.taken_at,
        identity=identity,
        value_key=value_key,
        reason=asked.reason,
        actor=view.caller.actor,
        now=now,
    )
    view.audited = True
