"""A resident's rules as they are shown: in plain words, numbers with their sources, what is personal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any

from alerts import codes, personal, plain
from alerts import rules as engine
from alerts.kinds.base import Assessment
from alerts.pathways.model import Number, Pathway
from alerts.personal import Override, Rules
from telehealth.model.rules import Version

Json = dict[str, Any]

#: Numbers that a resident's page offers to change, by kind; of every other kind those of a history.
_CHANGEABLE: Mapping[str, tuple[str, ...]] = {
    "threshold": ("red_low", "amber_low", "amber_high", "red_high", "hysteresis"),
    "news2": (),
    "silence": ("grace_seconds",),
    "sustained": ("limit", "for_minutes", "back_minutes", "refractory_hours"),
}
_OF_A_HISTORY = ("reference", "amber", "red", "hysteresis", "refractory_hours")


def kind_of(rule: engine.Rule) -> str:
    match rule:
        case engine.Threshold():
            return "threshold"
        case engine.News2():
            return "news2"
        case engine.Silence():
            return "silence"
        case _:
            return rule.kind


def changeable(rule: engine.Rule) -> tuple[str, ...]:
    """The fields of a rule that a form offers."""
    offered = _CHANGEABLE.get(kind_of(rule), _OF_A_HISTORY)
    own = {field.name for field in fields(rule)}
    return tuple(field for field in offered if field in own)


def shown(version: Version, base: Pathway, names: Mapping[str, str], *, today: date) -> Json:
    """One version as JSON: rules in force with numbers, what is left out, reviews that are overdue."""
    now = version.rules
    titles = plain.titles(now.rule_set)
    return {
        "version": version.id,
        "valid_from": _iso(version.valid_from),
        "pathway": now.rule_set.pathway,
        "pathway_version": now.rule_set.version,
        "pathway_title": base.title,
        "spo2_scale": now.scale,
        "spo2_scale_personal": _personal(now, personal.SCALE, "scale", names, today),
        "reason": version.reason,
        "by": version.created_name,
        "made_at": _iso(version.created_at),
        "rules": [
            {**_rule(rule, now, base, names, today), "title": titles[engine.key_of(rule)]}
            for rule in now.rule_set.rules
        ],
        "left_out": _left_out(now, base, names, today),
        "overdue": sum(one.overdue(today) for one in now.overrides),
        "rule_set": now.rule_set.to_json(),
    }


def summary(version: Version, names: Mapping[str, str]) -> Json:
    """One version in a list of them."""
    return {
        "version": version.id,
        "valid_from": _iso(version.valid_from),
        "pathway": version.rules.rule_set.pathway,
        "pathway_version": version.rules.rule_set.version,
        "spo2_scale": version.rules.scale,
        "reason": version.reason,
        "by": version.created_name,
        "made_at": _iso(version.created_at),
        "personal": [override(one, names) for one in version.rules.overrides],
    }


def override(one: Override, names: Mapping[str, str]) -> Json:
    """What is personal, with who and why."""
    return {
        "rule": one.rule,
        "field": one.field,
        "value": one.value,
        "by": names.get(one.by, one.by),
        "at": one.at,
        "why": one.why,
        "review_on": one.review_on,
    }


def differences(before: Rules, after: Rules) -> list[Json]:
    """What a change changes, field by field, in the words of the page."""
    titles = plain.titles(before.rule_set) | plain.titles(after.rule_set)
    old = {engine.key_of(rule): rule for rule in before.rule_set.rules}
    new = {engine.key_of(rule): rule for rule in after.rule_set.rules}
    found: list[Json] = []
    if before.scale != after.scale:
        found.append(_difference(personal.SCALE, "SpO2 scale", "scale", str(before.scale), str(after.scale)))
    for key in dict.fromkeys((*old, *new)):
        mine, theirs = old.get(key), new.get(key)
        if mine is None or theirs is None:
            words = ("in force", "left out") if theirs is None else ("left out", "in force")
            found.append(_difference(key, titles[key], "", *words))
            continue
        was, will = _fields(mine), _fields(theirs)
        for field in will:
            if was.get(field) != will[field] and field not in ("source", "approval", "scale"):
                old_text, new_text = (
                    _value(rule, field, values.get(field)) for rule, values in ((mine, was), (theirs, will))
                )
                found.append(_difference(key, titles[key], plain.label(field), old_text, new_text))
    return found


def _difference(rule: str, title: str, label: str, before: str, after: str) -> Json:
    return {"rule": rule, "title": title, "label": label, "before": before, "after": after}


def _rule(rule: engine.Rule, now: Rules, base: Pathway, names: Mapping[str, str], today: date) -> Json:
    key = engine.key_of(rule)
    usual = personal.differing(now, base)
    known = {n.field: n for n in _numbers_of(base, key, now.scale)}
    document = _fields(rule)
    numbers = [
        _number(rule, field, value, known.get(field), usual.get((key, field), value), now, names, today)
        for field, value in _flat(document)
        # Words that this resident is not told, where others are, are told of as well.
        if value is not None or field != "resident_text" or (key, field) in usual
    ]
    return {
        "key": key,
        "kind": kind_of(rule),
        "title": plain.title(rule),
        "sentence": plain.sentence(rule),
        "clears_when": rule.clears_when() if isinstance(rule, Assessment) else "",
        "numbers": numbers,
        "profiles": _profiles(rule),
        "personal": any(number["personal"] or number["differs"] for number in numbers),
        "not_set": any(number["value"] is None and number["field"] == "reference" for number in numbers),
        "changeable": [
            {"field": field, "label": plain.label(field), "unit": plain.unit(rule, field)} for field in changeable(rule)
        ],
    }


def _number(
    rule: engine.Rule,
    field: str,
    value: Any,
    known: Number | None,
    usual: Any,
    now: Rules,
    names: Mapping[str, str],
    today: date,
) -> Json:
    own = _personal(now, engine.key_of(rule), field, names, today)
    differs = usual != value
    source, approval = ("", "")
    if own is not None:
        source, approval = f"set for this resident: {own['why']}", f"by {own['by']}, review on {own['review_on']}"
    elif differs:
        source, approval = "set for this resident when they were admitted", ""
    elif known is not None:
        source, approval = known.source, known.approval
    return {
        "field": field,
        "label": plain.label(field),
        "value": value,
        "text": _value(rule, field, value),
        "unit": plain.unit(rule, field),
        "source": source,
        "approval": approval,
        "usual": _value(rule, field, usual) if differs else None,
        "differs": differs,
        "personal": own,
    }


def _personal(now: Rules, key: str, field: str | None, names: Mapping[str, str], today: date) -> Json | None:
    found = next((one for one in now.overrides if one.rule == key and one.field == field), None)
    return None if found is None else {**override(found, names), "overdue": found.overdue(today)}


def _left_out(now: Rules, base: Pathway, names: Mapping[str, str], today: date) -> list[Json]:
    return [
        {
            "key": engine.key_of(rule),
            "title": plain.title(rule),
            "sentence": plain.sentence(rule),
            "personal": _personal(now, engine.key_of(rule), None, names, today),
        }
        for rule in personal.left_out(now, base)
    ]


def _numbers_of(base: Pathway, key: str, scale: int) -> list[Number]:
    return [number for number in base.numbers if number.rule in (key, f"{key} (scale {scale})")]


def _fields(rule: engine.Rule) -> Json:
    """The rule as it stands in a rule set."""
    (document,) = engine.RuleSet("x", "1", (rule,)).to_json()["rules"]
    return dict(document)


def _flat(document: Json) -> list[tuple[str, Any]]:
    """Numbers of a rule and words for the resident, nested ones by their path; those that say nothing are left out."""
    found: list[tuple[str, Any]] = []

    def walk(path: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                walk(f"{path}.{name}" if path else name, inner)
        elif isinstance(value, list):
            for place, inner in enumerate(value):
                walk(f"{path}[{place}]", inner)
        elif _is_number(path, value) or path == "resident_text" or (path == "reference" and value is None):
            found.append((path, value))

    walk("", {name: value for name, value in document.items() if name not in ("priority", "profiles")})
    return [(path, value) for path, value in found if not (value == 0 and path in ("hysteresis", "refractory_hours"))]


def _is_number(path: str, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and path != "scale"


def _profiles(rule: engine.Rule) -> list[Json]:
    """Other limits at times of the day, in words."""
    found = _fields(rule).get("profiles") or []
    limits = ("red_low", "amber_low", "amber_high", "red_high")
    return [
        {
            "since": one.get("from"),
            "to": one.get("to"),
            "text": ", ".join(
                f"{plain.label(name).lower()} {_value(rule, name, one[name])}"
                for name in limits
                if one.get(name) is not None
            ),
        }
        for one in found
        if isinstance(one, Mapping)
    ]


def _value(rule: engine.Rule, field: str, value: Any) -> str:
    if value is None:
        return "none" if field == "resident_text" else "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if isinstance(rule, engine.Threshold) and rule.code == "consciousness":
            return codes.shown(rule.code, value)
        if field.rpartition("_")[2] == "seconds" or field.startswith("max_age_seconds"):
            return f"{value / 3600:g} h" if value % 3600 == 0 and value else f"{value / 60:g} min"
        unit = plain.unit(rule, field)
        return f"{value:g} {unit}".rstrip()
    if isinstance(value, list):
        return "; ".join(str(one) for one in value) or "none"
    return str(value)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
