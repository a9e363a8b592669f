"""One rule of a pathway file: its numbers with their sources apart from the rule as the engine takes it."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alerts import codes, errors, kinds, rules
from alerts.kinds import base
from alerts.pathways import approval as approvals
from alerts.pathways.model import Number

#: Of the kinds that are no assessments.
_FIELDS: dict[str, tuple[str, ...]] = {
    "threshold": (
        *("code", "unit", "red_low", "amber_low", "amber_high", "red_high", "hysteresis", "sampling"),
        *("persistence_seconds", "repeat_seconds", "profiles", "refractory_hours", "auto", "provisional"),
    ),
    "news2": ("max_age_seconds", "refractory_hours"),
    "silence": ("code", "grace_seconds", "late_seconds", "late_priority", "auto", "calls_after_hours"),
}
_ALWAYS = ("kind", "scale", "priority", "source", "approval")
#: What nobody can know in advance: may be without a value, and is set for each resident.
UNSET = ("reference",)
#: Fields that are words for the resident, with source and approval as numbers have them.
TEXTS = ("resident_text",)
#: Fields that are words; a number in them is a mistake, and they need no source.
_WORDS = frozenset(
    {"kind", "code", "name", "unit", "from", "to", "direction", "against", "side", "level", "band", "rule", "label"}
)
_OF_A_TEXT = ("value", "source", "approval")
_OF_A_NUMBER = ("value", "source", "approval", "unit")
LEAST = 3  #: characters of a source
_NO_QUOTES = "must be a number without quotes and with a decimal point: "

Say = Callable[[str, str], None]  #: (path below the rule, what is wrong)


def named(entry: Mapping[str, Any]) -> str:
    """What overrides call the rule: threshold/spo2, news2, change/weight_3_days; "" if it cannot be told."""
    kind, own = entry.get("kind"), entry.get("name", entry.get("code", ""))
    if kind == "news2":
        return "news2"
    return f"{kind}/{own}" if isinstance(kind, str) and isinstance(own, str) and own else ""


def split(entry: Mapping[str, Any], approval: str, say: Say) -> tuple[dict[str, Any], list[Number]]:
    """A rule with plain numbers, and the numbers. What is wrong is said; then the rule is of no use."""
    scale, code = entry.get("scale"), entry.get("code")
    entry = _approved(entry, "approval", say)
    key = named(entry) + (f" (scale {scale})" if scale is not None else "")
    unit = codes.BY_KEY[code].unit if isinstance(code, str) and code in codes.BY_KEY else None
    splitter = _Splitter(key, unit, say)
    default = (entry.get("source"), entry.get("approval", approval))
    rule = {
        field: splitter.plain(field, value, default)
        for field, value in entry.items()
        if field not in ("source", "approval")
    }
    numbers = splitter.numbers
    rule["source"] = _together(numbers) or str(default[0] or "")[:500]
    rule["approval"] = "; ".join(dict.fromkeys(number.approval for number in numbers))[:500] or str(default[1])[:500]
    if entry.get("kind") not in ("threshold", "baseline") and unit is not None and rule.pop("unit", unit) != unit:
        percent = (
            "; for limits in per cent of the set value write percent = true" if entry["kind"] == "distance" else ""
        )
        say("unit", f"limits of {code} are in {unit or 'no unit'}{percent}")
    return rule, numbers


class _Splitter:
    def __init__(self, key: str, unit: str | None, say: Say) -> None:
        self._key, self._unit, self._say = key, unit, say
        self.numbers: list[Number] = []

    def plain(self, path: str, value: Any, default: tuple[Any, Any]) -> Any:
        """The value without sources. default: source and approval of numbers that have none of their own."""
        field = re.split(r"[.\[]", path)[-1].rstrip("]")
        if path in TEXTS:
            return self._text(path, value, default)
        if isinstance(value, Mapping):
            value = _approved(value, f"{path}.approval", self._say)
            own = (value.get("source", default[0]), value.get("approval", default[1]))
            if "value" in value or ("source" in value and set(value) <= set(_OF_A_NUMBER)):
                return self._number(path, value, own)
            return {
                name: self.plain(f"{path}.{name}", inner, own)
                for name, inner in value.items()
                if name not in ("source", "approval")
            }
        if isinstance(value, list):
            return [self.plain(f"{path}[{place}]", inner, default) for place, inner in enumerate(value)]
        if is_number(value) and field != "scale":
            return self._number(path, {"value": value}, default)
        if isinstance(value, str) and field not in _WORDS and _like_number(value):
            self._say(path, _NO_QUOTES + value.strip().replace(",", "."))
        return value

    def _number(self, path: str, given: Mapping[str, Any], own: tuple[Any, Any]) -> Any:
        value, unit = given.get("value"), given.get("unit", self._unit)
        field = re.split(r"[.\[]", path)[-1].rstrip("]")
        if wrong := [name for name in given if name not in _OF_A_NUMBER]:
            self._say(path, unknown(wrong[0], _OF_A_NUMBER, "a number"))
        if value is None and field not in UNSET:
            self._say(path, "has no value: write value = 88 beside the source")
        elif isinstance(value, str) and _like_number(value):
            self._say(path, _NO_QUOTES + value.strip().replace(",", "."))
        elif value is not None and not is_number(value):
            self._say(path, "must have a number as its value")
        if self._unit is not None and unit != self._unit:
            self._say(path, f"is given in {unit!s:.20}, but this measure is judged in {self._unit or 'no unit'}")
        self._keep(path, value, own, "the number comes")
        return value

    def _text(self, path: str, value: Any, default: tuple[Any, Any]) -> Any:
        """Words: their own checks are the rule's."""
        own = default
        if isinstance(value, Mapping):
            given = _approved(value, f"{path}.approval", self._say)
            if wrong := [name for name in given if name not in _OF_A_TEXT]:
                self._say(path, unknown(wrong[0], _OF_A_TEXT, "a text"))
            own = (given.get("source", default[0]), given.get("approval", default[1]))
            value = given.get("value")
            if value is None:
                self._say(path, 'has no value: write value = "..." beside the source, the words for the resident')
        if value is not None:
            self._keep(path, value, own, "the words come")
        return value

    def _keep(self, path: str, value: Any, own: tuple[Any, Any], what: str) -> None:
        if not isinstance(own[0], str) or len(own[0].strip()) < LEAST:
            self._say(path, f'has no source: say where {what} from, source = "..."')
        else:
            self.numbers.append(Number(self._key, path, value, own[0], own[1]))


def _approved(entry: Mapping[str, Any], path: str, say: Say) -> Mapping[str, Any]:
    """What stands beside an approval that says nothing is read as if there were none, so that this is told once."""
    if "approval" not in entry or (wrong := approvals.problem(entry["approval"])) is None:
        return entry
    say(path, wrong)
    return {**entry, "approval": base.APPROVAL}


def check(entry: Mapping[str, Any], say: Say) -> bool:
    """Whether kind, code and the names of fields are known; says what is not."""
    kind = entry.get("kind")
    every = kinds_of_rules()
    if not isinstance(kind, str) or kind not in every:
        what = "is missing" if kind is None else f'is "{kind!s:.40}", which is not known{similar(str(kind), every)}'
        say("kind", _listed(what, "kinds of rules are", every))
        return False
    allowed = known(kind)
    wrong = [name for name in entry if name not in allowed]
    for name in wrong:
        say(name, unknown(name, allowed, f"a {kind} rule"))
    if kind == "news2" and "scale" in entry:
        say("scale", "is set for each resident by a clinician, never by a pathway: leave it out of the news2 rule")
    elif "scale" in entry and (entry["scale"] not in (1, 2) or isinstance(entry["scale"], bool)):
        say("scale", "must be 1 or 2: the SpO2 scale of the residents whom the rule is for")
    good = [_table(entry, field, example, say) for field, example in _tables(kind).items()]
    good += [_code(entry.get("code"), "code", say)] if "code" in allowed else []
    if isinstance(several := entry.get("codes"), list):
        good += [_code(code, f"codes[{place}]", say) for place, code in enumerate(several)]
    if isinstance(conditions := entry.get("conditions"), list):
        for place, one in enumerate(conditions):
            if isinstance(one, Mapping) and "code" in one:
                good.append(_code(one["code"], f"conditions[{place}].code", say))
    return not wrong and all(good)


def kinds_of_rules() -> tuple[str, ...]:
    """Every word that a rule's kind can be."""
    return (*_FIELDS, *kinds.KINDS)


def known(kind: str) -> tuple[str, ...]:
    """Names of the fields that a rule of a kind can have in a pathway file."""
    if kind in _FIELDS:
        return (*_ALWAYS, *_FIELDS[kind])
    return tuple(dict.fromkeys((*_ALWAYS, *base.written(kinds.KINDS[kind]), "unit")))


def _tables(kind: str) -> dict[str, str]:
    """Fields of a kind that are several values in braces, each with an example."""
    if kind == "silence":
        return {}
    if kind == "news2":
        return {
            "priority": 'priority = { emergency = "high", urgent = "medium", single = "low" }',
            "max_age_seconds": 'max_age_seconds.spo2 = { value = 43200, source = "..." }, for each measure',
        }
    return {"priority": 'priority = { red = "high", amber = "medium" }'}


def _table(entry: Mapping[str, Any], field: str, example: str, say: Say) -> bool:
    if isinstance(entry.get(field, {}), Mapping):
        return True
    say(field, f"must be written as {example}")
    return False


def _code(code: object, path: str, say: Say) -> bool:
    if isinstance(code, str) and code in codes.INDEX:
        return True
    if code is None:
        say(path, "is missing: it names the measure, such as spo2")
    else:
        say(path, f'"{code!s:.40}" is not a measure that is known{similar(str(code), codes.CODES)}')
    return False


def unknown(name: str, allowed: Sequence[str], what: str) -> str:
    return _listed(f'"{name:.40}" is not a field of {what}{similar(name, allowed)}', "its fields are", allowed)


def _listed(said: str, these: str, names: Sequence[str]) -> str:
    """What is wrong, and what there is: a new sentence after a question."""
    start = f" {these[0].upper()}{these[1:]}" if said.endswith("?") else f"; {these}"
    return f"{said}{start} {', '.join(names)}"


def similar(word: str, allowed: Sequence[str]) -> str:
    found = difflib.get_close_matches(word, allowed, 1, 0.6)
    return f', did you mean "{found[0]}"?' if found else ""


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _like_number(text: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d+([.,]\d+)?\s*", text) is not None


def _together(numbers: Sequence[Number]) -> str:
    """Fields of one source together: "red_low, amber_low: NEWS2 (RCP 2017)"."""
    by_source: dict[str, list[str]] = {}
    for number in numbers:
        by_source.setdefault(number.source, []).append(number.field)
    return "; ".join(f"{', '.join(names)}: {source}" for source, names in by_source.items())[:500]


def looked_at(key: str, rule: Mapping[str, Any]) -> list[str]:
    """What a combination calls a rule that it looks at: of thresholds each side that has a limit."""
    kind = rule.get("kind")
    if kind in ("silence", "combination"):
        return []
    if kind != "threshold":
        return [key]
    profiles = rule.get("profiles")
    every = [rule, *(one for one in (profiles if isinstance(profiles, list) else ()) if isinstance(one, Mapping))]
    return [
        f"{key}/{side}"
        for side in ("low", "high")
        if any(one.get(f"{level}_{side}") is not None for one in every for level in ("red", "amber"))
    ]


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
