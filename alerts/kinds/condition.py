"""Conditions of combinations: on the latest value of a code, or on another rule being open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from alerts import codes, errors, limits, moments, telling, timeline
from alerts.kinds import window
from alerts.kinds.base import Sample, View

Comparison = Literal["above", "below", "is"]
_COMPARISONS: tuple[Comparison, ...] = ("above", "below", "is")
_KEY = re.compile(r"news2|threshold/[a-z0-9_]{1,40}/(low|high)|[a-z0-9_]{1,20}/[a-z0-9_]{1,40}")
#: Of NEWS2 "red" is the aggregate of 7 or more, everything that alerts is "amber".
_NEWS2_RED = 3


class Verdict(NamedTuple):
    """met: None where it is unknown. holds: met as far as is known, an older or doubted value included."""

    met: bool | None
    holds: bool
    sample: Sample | None
    why: str  #: why it is unknown


@dataclass(frozen=True, slots=True)
class ValueIs:
    """The latest value of a code, rounded to its resolution, is above or below (strictly) or is a value."""

    code: str
    comparison: Comparison
    value: float
    max_age_hours: int
    label: str

    def look(self, view: View) -> Verdict:
        sample = self._sample(view)
        if sample is None:
            return Verdict(None, False, None, "never measured in this stay")
        if sample.quality & timeline.POOR:
            return Verdict(None, True, sample, "doubted by the device")
        found = codes.rounded(self.code, sample.value)
        if self.comparison == "is":
            met = found == self.value
        else:
            met = found > self.value if self.comparison == "above" else found < self.value
        if sample.at < view.at - self.max_age_hours * window.HOUR_US:
            return Verdict(None, met, sample, "too old")
        return Verdict(met, met, sample, "")

    def _sample(self, view: View) -> Sample | None:
        """The latest; of different values of one reading the one that meets the condition."""
        if self.comparison != "is":
            return view.last(self.code, "high" if self.comparison == "above" else "low")
        least = view.last(self.code, "low")
        if least is None or codes.rounded(self.code, least.value) == self.value:
            return least
        return view.last(self.code, "high")

    def document(self) -> dict[str, Any]:
        """JSON form, as it is written in rules."""
        return {
            "code": self.code,
            self.comparison: _written(self.code, self.value),
            "max_age_hours": self.max_age_hours,
            "label": self.label,
        }


@dataclass(frozen=True, slots=True)
class RuleOpen:
    """Another rule is open now at a level or worse."""

    rule: str
    level: Literal["amber", "red"]
    label: str

    def look(self, view: View) -> Verdict:
        needed = 1 if self.level == "amber" else _NEWS2_RED if self.rule == "news2" else 2
        met = view.open_level(self.rule) >= needed
        return Verdict(met, met, None, "")

    def document(self) -> dict[str, Any]:
        """JSON form, as it is written in rules."""
        return {"rule": self.rule, "level": self.level, "label": self.label}


Condition = ValueIs | RuleOpen


def parse(entry: object, where: str) -> Condition:
    """From JSON. Raises RuleError naming the field."""
    if not isinstance(entry, Mapping):
        raise errors.RuleError(where, "must be written in braces, with code or rule")
    if ("code" in entry) == ("rule" in entry):
        raise errors.RuleError(where, "must have either code or rule")
    label = entry.get("label")
    if label is not None and (not isinstance(label, str) or not 1 <= len(label) <= 100):
        raise errors.RuleError(f"{where}.label", "must be a text of 1 to 100 characters")
    return _rule_open(entry, label, where) if "rule" in entry else _value_is(entry, label, where)


def _rule_open(entry: Mapping[str, Any], label: str | None, where: str) -> RuleOpen:
    limits.known(entry, where, ("rule", "level", "label"))
    key = entry["rule"]
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise errors.RuleError(
            f"{where}.rule", "must name a rule, such as change/weight, threshold/pulse/high or news2"
        )
    kind = key.partition("/")[0]
    if kind == "silence":
        raise errors.RuleError(f"{where}.rule", "must not be a rule about readings that did not come")
    if kind == "combination":
        raise errors.RuleError(f"{where}.rule", "must not be another combination")
    level = entry.get("level", "amber")
    if level not in ("amber", "red"):
        raise errors.RuleError(f"{where}.level", "must be amber or red")
    return RuleOpen(
        key, "red" if level == "red" else "amber", label or f"{_rule_named(key)} open{' at red' * (level == 'red')}"
    )


def _value_is(entry: Mapping[str, Any], label: str | None, where: str) -> ValueIs:
    limits.known(entry, where, ("code", *_COMPARISONS, "max_age_hours", "label"))
    code = limits.code(entry, where)
    given = [comparison for comparison in _COMPARISONS if comparison in entry]
    if len(given) != 1:
        raise errors.RuleError(where, "must have one of above, below and is")
    value = _value(entry[given[0]], code, f"{where}.{given[0]}")
    told = (
        codes.shown(code, value) if code in codes.YES_NO or code == "consciousness" else telling.limit_of(code, value)
    )
    own = f"{codes.BY_KEY[code].name} {'' if given[0] == 'is' else given[0] + ' '}{told}"
    age = limits.seconds(entry, "max_age_hours", where, 24, 1, 24 * 31)
    return ValueIs(code, given[0], value, age, label or own)


def _value(given: object, code: str, where: str) -> float:
    if code in codes.YES_NO:
        if given is True or given is False or given in (0, 1):
            return float(bool(given))
        raise errors.RuleError(where, "must be true or false")
    if code == "consciousness":
        if isinstance(given, str) and len(given) == 1 and given in codes.CONSCIOUSNESS:
            return float(codes.CONSCIOUSNESS.index(given))
        raise errors.RuleError(where, "must be one of the letters A, C, V, P, U")
    value = limits.number({"value": given}, "value", where)
    if value is None:
        raise errors.RuleError(where, "must be a number")
    return value


def _written(code: str, value: float) -> float | bool | str:
    if code in codes.YES_NO:
        return bool(value)
    return codes.shown(code, value) if code == "consciousness" else value


def _rule_named(key: str) -> str:
    """ "change of weight" of change/weight, "pulse high" of threshold/pulse/high."""
    kind, _, rest = key.partition("/")
    if kind == "news2":
        return "NEWS2"
    code, _, side = rest.partition("/")
    name = codes.inner(code) if code in codes.INDEX else code.replace("_", " ")
    return f"{name} {side}" if kind == "threshold" else f"{kind.replace('_', ' ')} of {name}"


def told(condition: Condition, verdict: Verdict, view: View) -> str:
    """A condition that is met, with its value: "SpO2 below 92 % (90 % at 10:02)"."""
    if not isinstance(condition, ValueIs) or verdict.sample is None:
        return condition.label
    at = moments.clock(verdict.sample.at, view.zone, view.at)
    return f"{condition.label} ({codes.shown(condition.code, verdict.sample.value)} at {at})"


def evidence(condition: Condition, verdict: Verdict, view: View) -> dict[str, Any]:
    """JSON form of a condition as it was found."""
    found: dict[str, Any] = {"label": condition.label, "met": verdict.met}
    if verdict.met is None:
        found["why"] = verdict.why
    if isinstance(condition, RuleOpen):
        return {**found, "rule": condition.rule, "level": condition.level}
    if verdict.sample is None:
        return {**found, "code": condition.code}
    return {**found, **telling.reading(condition.code, verdict.sample, view.at)}
