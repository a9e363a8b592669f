"""One rule of a pathway file: its numbers with their sources apart from the rule as the engine takes it."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from alerts import codes, errors, kinds, rules
from alerts.pathways.model import Number

#: Of the kinds that are no assessments.
_FIELDS: dict[str, tuple[str, ...]] = {
    "threshold": (
        *("code", "unit", "red_low", "amber_low", "amber_high", "red_high", "hysteresis", "sampling"),
        *("persistence_seconds", "repeat_seconds", "profiles"),
    ),
    "news2": ("max_age_seconds",),
    "silence": ("code", "grace_seconds"),
}
_ALWAYS = ("kind", "scale", "priority", "source", "approval")
#: What nobody can know in advance: may be without a value, and is set for each resident.
UNSET = ("reference",)
#: Fields that are words; a number in them is a mistake, and they need no source.
_WORDS = frozenset(
    {"kind", "code", "name", "unit", "from", "to", "direction", "side", "level", "band", "rule", "label"}
)
_OF_A_NUMBER = ("value", "source", "approval", "unit")
_LEAST = 3  #: characters of a source

Say = Callable[[str, str], None]  #: (path below the rule, what is wrong)


def named(entry: Mapping[str, Any]) -> str:
    """What overrides call the rule: threshold/spo2, news2, change/weight_3_days; "" if it cannot be told."""
    kind, own = entry.get("kind"), entry.get("name", entry.get("code", ""))
    if kind == "news2":
        return "news2"
    return f"{kind}/{own}" if isinstance(kind, str) and isinstance(own, str) and own else ""


def split(entry: Mapping[str, Any], approval: str, say: Say) -> tuple[dict[str, Any], list[Number]]:
    """A rule with plain numbers, and the numbers. What is wrong is said; then the rule is of no use."""
    numbers: list[Number] = []
    scale = entry.get("scale")
    key = named(entry) + (f" (scale {scale})" if scale is not None else "")
    source, own = entry.get("source"), entry.get("approval", approval)
    code = entry.get("code")
    unit = codes.BY_KEY[code].unit if isinstance(code, str) and code in codes.BY_KEY else None

    def number(path: str, value: Any, given: Any, said: Any, state: Any) -> Any:
        field = re.split(r"[.\[]", path)[-1].rstrip("]")
        if value is None and field not in UNSET:
            say(path, "has no value: write value = 88 beside the source")
        elif isinstance(value, str) and _like_number(value):
            say(path, f"must be a number without quotes and with a decimal point: {value.strip().replace(',', '.')}")
        elif value is not None and not is_number(value):
            say(path, "must have a number as its value")
        if said is not None and unit is not None and said != unit:
            say(path, f"is given in {said!s:.20}, but limits of {code} are in {unit or 'no unit'}")
        if not isinstance(given, str) or len(given.strip()) < _LEAST:
            say(path, 'has no source: say where the number comes from, source = "..."')
        elif not isinstance(state, str) or len(state.strip()) < _LEAST:
            say(path, 'has no approval: write approval = "needs local approval", or who approved it and when')
        else:
            numbers.append(Number(key, path, None if value is None else value, given, state))
        return value

    def plain(path: str, value: Any) -> Any:
        field = re.split(r"[.\[]", path)[-1].rstrip("]")
        if isinstance(value, Mapping):
            if "source" in value or "value" in value:
                if wrong := [name for name in value if name not in _OF_A_NUMBER]:
                    say(path, unknown(wrong[0], _OF_A_NUMBER, "a number"))
                said = None if field in ("source",) else value.get("unit")
                given = value.get("source", source)
                return number(path, value.get("value"), given, said, value.get("approval", own))
            return {name: plain(f"{path}.{name}", inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [plain(f"{path}[{place}]", inner) for place, inner in enumerate(value)]
        if is_number(value) and field != "scale":
            return number(path, value, source, None, own)
        if isinstance(value, str) and field not in _WORDS and _like_number(value):
            say(path, f"must be a number without quotes and with a decimal point: {value.strip().replace(',', '.')}")
        return value

    rule = {field: plain(field, value) for field, value in entry.items() if field not in ("source", "approval")}
    rule["source"] = _together((number.field, number.source) for number in numbers) or str(source or "")[:500]
    rule["approval"] = "; ".join(dict.fromkeys(number.approval for number in numbers))[:500] or str(own)[:500]
    if entry.get("kind") not in ("threshold", "baseline") and unit is not None and "unit" in rule:
        if rule.pop("unit") != unit:
            say("unit", f"limits of {code} are in {unit or 'no unit'}")
    return rule, numbers


def check(entry: Mapping[str, Any], say: Say) -> bool:
    """Whether kind, code and the names of fields are known; says what is not."""
    kind = entry.get("kind")
    every = (*_FIELDS, *kinds.KINDS)
    if not isinstance(kind, str) or kind not in every:
        what = "is missing" if kind is None else f'is "{kind!s:.40}", which is not known{_like(str(kind), every)}'
        say("kind", f"{what}; kinds of rules are {', '.join(every)}")
        return False
    allowed = _known(kind)
    wrong = [name for name in entry if name not in allowed]
    for name in wrong:
        say(name, unknown(name, allowed, f"a {kind} rule"))
    if kind == "news2" and "scale" in entry:
        say("scale", "is set for each resident by a clinician, never by a pathway: leave it out of the news2 rule")
    elif "scale" in entry and (entry["scale"] not in (1, 2) or isinstance(entry["scale"], bool)):
        say("scale", "must be 1 or 2: the SpO2 scale of the residents whom the rule is for")
    known = [_code(entry.get("code"), "code", say)] if "code" in allowed else []
    if isinstance(several := entry.get("codes"), list):
        known += [_code(code, f"codes[{place}]", say) for place, code in enumerate(several)]
    if isinstance(conditions := entry.get("conditions"), list):
        for place, one in enumerate(conditions):
            if isinstance(one, Mapping) and "code" in one:
                known.append(_code(one["code"], f"conditions[{place}].code", say))
    return not wrong and all(known)


def _known(kind: str) -> tuple[str, ...]:
    if kind in _FIELDS:
        return (*_ALWAYS, *_FIELDS[kind])
    own = [f.name for f in fields(kinds.KINDS[kind]) if f.name not in ("red_priority", "amber_priority")]
    return tuple(dict.fromkeys((*_ALWAYS, *own, "unit")))


def _code(code: object, path: str, say: Say) -> bool:
    if isinstance(code, str) and code in codes.INDEX:
        return True
    if code is None:
        say(path, "is missing: it names the measure, such as spo2")
    else:
        say(path, f'"{code!s:.40}" is not a measure that is known{_like(str(code), codes.CODES)}')
    return False


def unknown(name: str, allowed: Sequence[str], what: str) -> str:
    return f'"{name:.40}" is not a field of {what}{_like(name, allowed)}; its fields are {", ".join(allowed)}'


def _like(word: str, allowed: Sequence[str]) -> str:
    found = difflib.get_close_matches(word, allowed, 1, 0.6)
    return f', did you mean "{found[0]}"?' if found else ""


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _like_number(text: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d+([.,]\d+)?\s*", text) is not None


def _together(pairs: Any) -> str:
    """Fields of one source together: "red_low, amber_low: NEWS2 (RCP 2017)"."""
    by_source: dict[str, list[str]] = {}
    for field, source in pairs:
        by_source.setdefault(source, []).append(field)
    return "; ".join(f"{', '.join(names)}: {source}" for source, names in by_source.items())[:500]


def parse(rule: Mapping[str, Any], where: str) -> rules.Rule:
    """The engine's own check of one rule. Raises RuleError."""
    if rule["kind"] in kinds.KINDS:
        return kinds.parse(rule, where)
    scale = {"scale": 1} if rule["kind"] == "news2" else {}
    try:
        (one,) = rules.RuleSet.from_json({"pathway": "x", "version": "1", "rules": [{**rule, **scale}]}).rules
    except errors.RuleError as error:
        raise errors.RuleError(error.field.replace("rules[0]", where), error.problem) from None
    return one
