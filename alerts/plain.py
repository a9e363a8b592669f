"""A rule in plain words, as a nurse would say it, and the names of its numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from alerts import codes, rules
from alerts.kinds.base import Assessment
from alerts.pathways import entry

Json = Mapping[str, Any]

#: What the fields of rules are called on screens; the rest by their own name.
_LABELS = {
    "red_low": "Red below",
    "amber_low": "Amber below",
    "amber_high": "Amber above",
    "red_high": "Red above",
    "hysteresis": "Margin before it clears",
    "amber": "Amber limit",
    "red": "Red limit",
    "reference": "Set value",
    "confirm": "Readings that must agree",
    "window_hours": "Window",
    "window_days": "Window",
    "max_age_hours": "Oldest value that counts",
    "min_days": "Days needed",
    "min_readings": "Readings needed",
    "min_points": "Days needed",
    "for_minutes": "Must last",
    "back_minutes": "Must be back for",
    "reading_minutes": "One reading stands for",
    "gap_minutes": "Gap that interrupts",
    "refractory_hours": "Not again within",
    "grace_seconds": "Grace after the due time",
    "persistence_seconds": "Must hold (continuous)",
    "repeat_seconds": "Wait for a repeat",
    "limit": "Limit",
    "baseline_days": "Days of baseline",
    "skip_days": "Newest days left out of it",
    "days": "Days in a row",
    "floor": "Least spread",
    "scale": "SpO2 scale",
    "k": "Taken off each day (spreads)",
    "cap": "Most that a day counts (spreads)",
    "run_days": "Days that are summed up",
    "gap_days": "Gap that begins a new sum",
    "coverage": "Share of readings needed",
    "p": "Chance that is too small for chance",
    "fast_days": "Days of the fast average",
    "slow_days": "Days of the slow average",
    "min_span_days": "Days that values must span",
    "late_seconds": "Late after",
    "max_age_seconds": "Oldest value that counts",
    "resident_text": "The resident's devices show",
    "against": "Held against",
}
_UNITS = {
    "window_hours": "h",
    "max_age_hours": "h",
    "refractory_hours": "h",
    "grace_seconds": "s",
    "persistence_seconds": "s",
    "repeat_seconds": "s",
    "for_minutes": "min",
    "back_minutes": "min",
    "reading_minutes": "min",
    "gap_minutes": "min",
    "window_days": "days",
    "min_days": "days",
    "baseline_days": "days",
    "skip_days": "days",
    "days": "days",
}
#: Of every kind of rule in a pathway file.
_FIELDS = frozenset(field for kind in entry.kinds_of_rules() for field in entry.known(kind))
#: Fields whose unit is that of the measure.
_OF_THE_CODE = frozenset(
    {"red_low", "amber_low", "amber_high", "red_high", "reference", "limit", "floor", "crossing_limit"}
)
_SIGNAL = frozenset({"amber", "red", "hysteresis"})


def titles(rule_set: rules.RuleSet) -> dict[str, str]:
    """What the rules are called on a screen, by key; where two would be called the same, their names are added."""
    found = {rules.key_of(rule): title(rule) for rule in rule_set.rules}
    several = [told for told, count in Counter(found.values()).items() if count > 1]
    return {
        key: f"{told} ({key.partition('/')[2].replace('_', ' ')})" if told in several else told
        for key, told in found.items()
    }


def title(rule: rules.Rule) -> str:
    """What a rule is called on a screen where there is no other like it."""
    match rule:
        case rules.Threshold():
            return f"{codes.BY_KEY[rule.code].name}: limits"
        case rules.News2():
            return f"NEWS2, SpO2 scale {rule.scale}"
        case rules.Silence():
            return f"{codes.BY_KEY[rule.code].name}: not measured"
        case _:
            return rule.title[:1].upper() + rule.title[1:]


def label(field: str) -> str:
    return _LABELS.get(field, field.replace("_", " ").replace("[", " ").replace("]", "").capitalize())


def worded(problem: str) -> str:
    """What is wrong with a field, with the names of fields as people know them: must not be above "amber below"."""
    return _NAMED.sub(lambda match: f'"{_LABELS[match[0]][:1].lower()}{_LABELS[match[0]][1:]}"', problem)


_NAMED = re.compile(r"\b(?:" + "|".join(name for name in _LABELS if "_" in name) + r")\b")

#: red_low, profiles[0].amber_low, max_age_seconds.spo2
_FIELD = r"[a-z][a-z0-9_]*(?:\[\d+\])?(?:\.[a-z][a-z0-9_]*)?"
_SOURCED = re.compile(rf"({_FIELD}(?:, {_FIELD})*): (.*)", re.DOTALL)
_PERSONAL = re.compile(rf"({_FIELD}) (set for this resident by .*)", re.DOTALL)


def sources(source: str) -> list[dict[str, str]]:
    """Where the numbers of a rule are from, by what they are: label "Red below, amber below", text "NEWS2 (RCP 2017)".

    source: as rules carry it, "red_low, amber_low: NEWS2 (RCP 2017); hysteresis: chosen". label "": of the whole rule.
    """
    found: list[dict[str, str]] = []
    for part in filter(None, source.split("; ")):
        match = _SOURCED.fullmatch(part) or _PERSONAL.fullmatch(part)
        fields = match[1].split(", ") if match else []
        if match and all(_is_field(field) for field in fields):
            found.append({"label": _together([_labelled(field) for field in fields]), "text": match[2]})
        elif found:
            found[-1]["text"] += f"; {part}"
        else:
            found.append({"label": "", "text": part})
    return found


def _is_field(field: str) -> bool:
    return re.split(r"[.\[]", field)[0] in _FIELDS


def _labelled(field: str) -> tuple[str, str]:
    """What a number is, and which of several within the rule: "Red below", "time of day 1"."""
    head, _, last = field.partition(".")
    place = re.fullmatch(r"(\w+)\[(\d+)\]", head)
    if place is not None:
        where = {"profiles": "time of day", "conditions": "condition"}.get(place[1], place[1])
        return label(last) if last else "", f"{where} {int(place[2]) + 1}"
    return label(head), codes.inner(last) if last in codes.BY_KEY else last.replace("_", " ")


def _together(labels: list[tuple[str, str]]) -> str:
    """ "Red below, amber below (time of day 1)": each once, with all that it is about."""
    about: dict[str, list[str]] = {}
    for told, which in labels:
        about.setdefault(told, []).append(which)
    said = [f"{told} ({', '.join(filter(None, found))})" if any(found) else told for told, found in about.items()]
    first, *rest = said
    return ", ".join([first, *(one[:1].lower() + one[1:] for one in rest)])


def unit(rule: rules.Rule, field: str) -> str:
    """In which a number of the rule is; "" for counts, scores and sums."""
    last = field.rpartition(".")[2]
    if last in _UNITS:
        return _UNITS[last]
    if field.startswith("max_age_seconds"):
        return "s"
    document = rule.dump() if isinstance(rule, Assessment) else {}
    own = rule.code if isinstance(rule, rules.Threshold) else document.get("code")
    shown = _unit(own) if isinstance(own, str) and own in codes.BY_KEY else ""
    if isinstance(rule, rules.Threshold) and last != "scale":
        return shown
    if last in _OF_THE_CODE:
        return shown
    if last in _SIGNAL and isinstance(rule, Assessment):
        return _unit_of_the_signal(rule, document, shown)
    return ""


def _unit_of_the_signal(rule: Assessment, document: Json, shown: str) -> str:
    match rule.kind:
        case "change" | "average" | "slope" | "crossover":
            return shown
        case "distance":
            return "%" if document.get("percent") else shown
        case "baseline":
            return {"percent": "%", "value": shown}.get(str(document.get("unit")), "")
        case "in_range":
            return "%"
        case _:
            return ""


def sentence(rule: rules.Rule) -> str:
    """What it does, in one or two sentences with its numbers."""
    match rule:
        case rules.Threshold():
            return _threshold(rule)
        case rules.News2():
            return (
                f"The National Early Warning Score, with the limits of SpO2 scale {rule.scale}: 7 or more is an "
                "emergency, 5 or 6 is urgent, 3 for a single measure is looked at."
            )
        case rules.Silence():
            return (
                f"{codes.BY_KEY[rule.code].name} was due and did not come within {_span(rule.grace_seconds)} after it. "
                "Where the resident's schedule says how long to wait, that counts instead."
            )
        case _:
            words = _KINDS.get(rule.kind)
            told = words(rule.dump()) if words is not None else rule.title
            shown = getattr(rule, "resident_text", None)
            more = (
                f' "{shown}" is shown by the resident\'s devices when their own answer makes it red.' if shown else ""
            )
            return f"{told}. {_levels(rule)}".rstrip() + more


def _threshold(rule: rules.Threshold) -> str:
    parts = []
    for level in ("red", "amber"):
        sides = [
            codes.beyond(rule.code, side, value)
            for side in ("low", "high")
            if (value := rule.limit(side, level)) is not None
        ]
        if sides:
            parts.append(f"{level} {' or '.join(sides)}")
    name = codes.BY_KEY[rule.code].name
    told = f"{name} is {'; '.join(parts)}."
    if rule.hysteresis:
        told += f" It clears when it is back inside by {_number(rule.hysteresis)} {_unit(rule.code)}".rstrip() + "."
    return told


def _levels(rule: Assessment) -> str:
    """Only of kinds that have limits of their own in the sentence's unit."""
    if rule.kind == "sustained":
        return ""
    below = rule.dump().get("direction") == "below" and rule.kind in ("average", "in_range")
    word = "From" if rule.kind in ("symptom", "combination") else "Below" if below else "Above"
    parts: list[str] = []
    for level, value in (("amber", rule.amber), ("red", rule.red)):
        if value is not None:
            shown = unit(rule, level)
            parts.append(
                f"{word if not parts else word.lower()} {_number(value)}{' ' + shown if shown else ''} it is {level}"
            )
    return ", ".join(parts) + "." if parts else ""


def _name(document: Json) -> str:
    return codes.inner(str(document["code"]))


def _by(document: Json) -> str:
    return "the last reading" if document["confirm"] == 1 else f"all of the last {document['confirm']} readings"


def _change(d: Json) -> str:
    way = "up from the lowest" if d["direction"] == "rise" else "down from the highest"
    if d.get("against") == "median":
        way = f"{'up' if d['direction'] == 'rise' else 'down'} from the median"
    return f"How far {_name(d)} is {way} of the last {_span(d['window_hours'] * 3600)}, by {_by(d)}"


def _distance(d: Json) -> str:
    to = "a value that is not set yet: until it is, this rule decides nothing"
    if d["reference"] is not None:
        to = f"{_number(d['reference'])} {_unit(d['code'])}"
    share = ", in % of that" if d["percent"] else ""
    return f"How far {_name(d)} is {d['direction']} {to}{share}; judged by {_by(d)}"


def _average(d: Json) -> str:
    first = ", the first day left out" if d["drop_first_day"] else ""
    enough = f"from at least {d['min_readings']} readings on {d['min_days']} days"
    return f"The average of {_name(d)} over {d['window_days']} days{first}, {enough}"


def _slope(d: Json) -> str:
    chance = f"if it is hardly chance (p below {_number(d['p'])})"
    course = ""
    if d["crossing_limit"] is not None:
        limit = f"{_number(d['crossing_limit'])} {_unit(d['code'])}".rstrip()
        course = f" and on course to be beyond {limit} in {d['crossing_days']} days"
    return f"The steady {d['direction']} of {_name(d)} over {d['window_days']} days, {chance}{course}"


def _crossover(d: Json) -> str:
    way = "above" if d["direction"] == "rise" else "below"
    fast, slow = (f"that of about {_number(d[field])} days" for field in ("fast_days", "slow_days"))
    return f"Of two averages of {_name(d)}, how far {fast} is {way} {slow}"


def _cusum(d: Json) -> str:
    adding = f"what is more than {_number(d['k'])} spreads off is added up over {d['run_days']} days"
    return f"A slow {d['direction']} of {_name(d)} against the resident's own usual: {adding}"


def _baseline(d: Json) -> str:
    how = {"z": "in spreads", "percent": "in %"}.get(str(d["unit"]), f"in {_unit(d['code'])}".strip())
    way = "above" if d["direction"] == "rise" else "below"
    days = "today" if d["days"] == 1 else f"on each of {d['days']} days"
    usual = f"the resident's own usual of {d['baseline_days']} days before the last {d['skip_days']}"
    return f"How far {_name(d)} is {way} {usual}, {how}, {days}"


def _combination(d: Json) -> str:
    conditions = (str(one.get("label") or one.get("rule") or one.get("code")) for one in d["conditions"])
    return "How many of these hold: " + "; ".join(conditions)


def _symptom(d: Json) -> str:
    named = ", ".join(codes.inner(code) for code in d["codes"])
    answers = f"answers of the last {_span(d['max_age_hours'] * 3600)}"
    if len(d["codes"]) == 1:
        return f"The latest of the {answers}: {named}"
    return f"The latest {answers} added up, each yes counting 1: {named}"


def _sustained(d: Json) -> str:
    way = "below" if d["side"] == "low" else "above"
    for_, back = d["for_minutes"], d["back_minutes"]
    limit = f"{_number(d['limit'])} {_unit(d['code'])}"
    return f"{_name(d).capitalize()} {way} {limit} for {for_} minutes is {d['level']}; over after {back} minutes back"


def _in_range(d: Json) -> str:
    band = str(d["band"]).replace("_", " ")
    enough = f"if at least {_number(100 * d['coverage'])} % of them are there"
    return f"The share of glucose readings {band} over the {d['window_days']} whole days before, {enough}"


_KINDS = {
    "change": _change,
    "distance": _distance,
    "average": _average,
    "slope": _slope,
    "crossover": _crossover,
    "cusum": _cusum,
    "baseline": _baseline,
    "combination": _combination,
    "symptom": _symptom,
    "sustained": _sustained,
    "in_range": _in_range,
}


def _unit(code: object) -> str:
    unit = codes.BY_KEY[str(code)].unit
    return {"mm[Hg]": "mmHg", "Cel": "°C", "{steps}": "steps"}.get(unit, unit)


def _number(value: float) -> str:
    return f"{value:g}"


def _span(seconds: float) -> str:
    """ "2 h", "3 days", "30 min"."""
    if seconds % 86_400 == 0 and seconds > 86_400:
        return f"{seconds / 86_400:g} days"
    if seconds % 3600 == 0:
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min"
