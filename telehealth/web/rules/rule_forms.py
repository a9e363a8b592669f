"""The form in which staff change one rule of a resident: what it offers, and what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from alerts.personal import SCALE, Change
from telehealth.web.shown import formats

Json = dict[str, Any]
Form = Mapping[str, str]

HOWS = ("set", "keep", "back", "leave_out")
_LIMITS = ("red_low", "amber_low", "amber_high", "red_high")
#: What may be empty: no limit, or not set.
_MAY_BE_NONE = frozenset({*_LIMITS, "amber", "red", "reference"})
_WHOLE = frozenset({"grace_seconds", "refractory_hours", "for_minutes", "back_minutes"})


class WrongForm(Exception):
    """The form cannot be taken; wrong: as the error summary wants it."""

    def __init__(self, wrong: list[Json]) -> None:
        super().__init__("the form is wrong")
        self.wrong = wrong


def offered(rule: Json) -> list[str]:
    """The fields of numbers that the form has."""
    return [one["field"] for one in rule["changeable"]]


def blank(rule: Json, review_on: date) -> Json:
    """What the form shows at first: the values in force."""
    form = {field: _typed(field, rule["values"].get(field)) for field in offered(rule)}
    daytime: Json = next(iter(rule["values"].get("profiles") or []), {})
    for name in ("from", "to"):
        form[f"night_{name}"] = daytime.get(name) or ""
    for name in _LIMITS:
        form[f"night_{name}"] = _typed(name, daytime.get(name))
    return {**form, "how": "set", "review": formats.born(review_on)}


def changes(form: Form, rule: Json) -> list[Change]:
    """What a form asks for. Raises WrongForm with everything that is wrong with it."""
    wrong: list[Json] = []
    how = form.get("how", "set")
    if how not in HOWS:
        wrong.append(fault("how", "Choose what is to happen with the rule"))
    if how == "keep":
        return [Change(rule["key"], field, rule["values"].get(field)) for field in rule["own"]]
    if how == "back":
        return [Change(rule["key"], how="back")]
    if how == "leave_out":
        return [Change(rule["key"], how="leave_out")]
    found: list[Change] = []
    for field in offered(rule):
        value = _number(form, field, wrong)
        if value is None and field not in _MAY_BE_NONE:
            value = 0.0
        if value is not None and field == "grace_seconds":
            value *= 60
        if value is not None and field in _WHOLE and value.is_integer():
            value = int(value)
        if value != rule["values"].get(field):
            found.append(Change(rule["key"], field, value))
    if rule["kind"] == "threshold":
        found += _night(form, rule, wrong)
    if wrong:
        raise WrongForm(wrong)
    if not found:
        first = next(iter(offered(rule)), "how")
        raise WrongForm([fault(first, "Nothing is changed: these are the values in force")])
    return found


def scale(form: Form) -> list[Change]:
    """The SpO2 scale that was chosen."""
    chosen = form.get("scale", "")
    if chosen not in ("1", "2"):
        raise WrongForm([fault("scale", "Choose the SpO2 scale")])
    return [Change(SCALE, "scale", int(chosen))]


def reason(form: Form, wrong: list[Json]) -> tuple[str, date | None]:
    """Why, and when it is to be looked at again."""
    why = form.get("why", "").strip()
    if not 1 <= len(why) <= 500 or not why.isprintable():
        wrong.append(fault("why", "Say why, in at most 500 characters"))
    review_on = formats.read_date(form.get("review", ""))
    if review_on is None:
        wrong.append(fault("review", "Enter the date of the review like this: 21-Feb-2027"))
    return why, review_on


def fault(field: str, text: str) -> Json:
    return {"field": field, "text": text, "href": f"#{field}"}


def _night(form: Form, rule: Json, wrong: list[Json]) -> list[Change]:
    """Other limits at one time of the day; nothing typed: none."""
    start, end = form.get("night_from", "").strip(), form.get("night_to", "").strip()
    limits = {name: _number(form, f"night_{name}", wrong) for name in _LIMITS}
    given = {name: value for name, value in limits.items() if value is not None}
    wanted: list[Json] = []
    if start or end or given:
        for field, typed in (("night_from", start), ("night_to", end)):
            if formats.read_time(typed) is None:
                wrong.append(fault(field, "Enter the time of 24 hours like this: 22:00"))
        if not given:
            wrong.append(fault("night_red_low", "Enter at least one limit for this time of the day"))
        wanted = [{"from": start, "to": end, **given}]
    before = [{k: v for k, v in one.items() if v is not None} for one in rule["values"].get("profiles") or []]
    if len(before) > 1 and not wanted:
        return []
    return [Change(rule["key"], "profiles", wanted)] if wanted != before and not wrong else []


def _number(form: Form, name: str, wrong: list[Json]) -> float | None:
    typed = form.get(name, "").strip().replace(",", ".")
    if not typed:
        return None
    try:
        value = float(typed)
    except ValueError:
        value = float("nan")
    if not abs(value) <= 1_000_000:
        wrong.append(fault(name, "Enter a number"))
        return None
    return value


def _typed(field: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value / 60:g}" if field == "grace_seconds" else f"{value:g}"
