"""Rules as data: the compiled rule set of one resident (a pathway version plus overrides)."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from alerts import codes, errors, kinds, limits, news2, schedule, single
from alerts.kinds import combination
from alerts.kinds.base import Assessment, Keep
from alerts.single import APPROVAL, CONTINUOUS_SECONDS, News2, Sampling, Silence, Threshold

__all__ = [
    "APPROVAL",
    "CONTINUOUS_SECONDS",
    "News2",
    "Rule",
    "RuleSet",
    "Sampling",
    "Silence",
    "Threshold",
    "Watch",
    "key_of",
]

#: Combinations of codes read together for which it is kept who looks at them.
_MOST_KEPT = 1000

Rule = Threshold | News2 | Silence | Assessment


class Watch(NamedTuple):
    """An assessment and what decides whether it has to be asked, worked out once."""

    rule: Assessment
    key: str
    codes: frozenset[str]
    calm_from: float
    calm_to: float
    by_day: bool
    rules: frozenset[str]  #: keys of other rules that it looks at


@dataclass(frozen=True)
class RuleSet:
    """Checked rules. Keep and reuse the object for one rule version: it caches its columns."""

    pathway: str
    version: str
    rules: tuple[Rule, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RuleSet:
        """From the jsonb of rule_version.rules. Raises RuleError naming the field."""
        pathway = limits.text(document, "pathway")
        version = limits.text(document, "version")
        entries = document.get("rules")
        if not isinstance(entries, list) or len(entries) > 200:
            raise errors.RuleError("rules", "must be a list of at most 200 rules")
        parsed = tuple(_parse(entry, f"rules[{position}]") for position, entry in enumerate(entries))
        seen: set[str] = set()
        for position, rule in enumerate(parsed):
            if (key := key_of(rule)) in seen:
                told = "with this name" if isinstance(rule, Assessment) else "for this code"
                raise errors.RuleError(f"rules[{position}]", f"there is a rule of this kind {told} already")
            seen.add(key)
        return cls(pathway, version, _bound(parsed))

    def to_json(self) -> dict[str, Any]:
        """Inverse of from_json."""
        return {
            "pathway": self.pathway,
            "version": self.version,
            "rules": [_dump(rule) for rule in self.rules],
        }

    @functools.cached_property
    def thresholds(self) -> dict[str, Threshold]:
        return {rule.code: rule for rule in self.rules if isinstance(rule, Threshold)}

    @functools.cached_property
    def news2(self) -> News2 | None:
        return next((rule for rule in self.rules if isinstance(rule, News2)), None)

    @functools.cached_property
    def silences(self) -> dict[str, Silence]:
        return {rule.code: rule for rule in self.rules if isinstance(rule, Silence)}

    @functools.cached_property
    def assessments(self) -> dict[str, Assessment]:
        """By key, in the order of the rules."""
        return {rule.key: rule for rule in self.rules if isinstance(rule, Assessment)}

    @functools.cached_property
    def in_order(self) -> tuple[Watch, ...]:
        """The assessments, those that look at other rules last."""
        order = sorted(self.assessments.values(), key=lambda rule: rule.kind == "combination")
        return tuple(
            Watch(rule, rule.key, frozenset(rule.codes), *rule.calm, rule.by_day, frozenset(_others(rule)))
            for rule in order
        )

    @functools.cached_property
    def combined(self) -> tuple[Watch, ...]:
        """Those that look at other rules."""
        return tuple(watch for watch in self.in_order if watch.rules)

    @functools.cached_property
    def assessed(self) -> dict[str, tuple[Watch, ...]]:
        """The assessments by code of the readings that they look at, in order."""
        every = {code for watch in self.in_order for code in watch.codes}
        return {code: tuple(watch for watch in self.in_order if code in watch.codes) for code in every}

    def looking_at(self, read: Sequence[str]) -> tuple[Watch, ...]:
        """The assessments that look at any of these codes, each once, in order."""
        if len(read) == 1:
            return self.assessed[read[0]]
        key = tuple(read)
        found = self._looking.get(key)
        if found is None:
            if len(self._looking) > _MOST_KEPT:
                self._looking.clear()
            found = self._looking[key] = tuple(w for w in self.in_order if not w.codes.isdisjoint(key))
        return found

    @functools.cached_property
    def _looking(self) -> dict[tuple[str, ...], tuple[Watch, ...]]:
        return {}

    @functools.cached_property
    def followed(self) -> dict[str, Keep]:
        """Codes whose history the assessments need, and how much of it."""
        found: dict[str, Keep] = {}
        for rule in self.assessments.values():
            for code in rule.codes:
                found[code] = rule.keeps.both(found.get(code, rule.keeps))
        return found

    @functools.cached_property
    def graces(self) -> schedule.Graces:
        """Of the silence rules, as schedules take them: the key under which they cache deadlines."""
        missing = [(rule.code, rule.grace_seconds) for rule in self.silences.values()]
        late = [(r.code, r.late_seconds, True) for r in self.silences.values() if r.late_seconds is not None]
        return (*missing, *late)

    def threshold(self, code: str) -> Threshold | None:
        """The threshold rule of a code."""
        return self.thresholds.get(code)

    def red(self, code: str, value: float) -> tuple[str, str] | None:
        """(side, why) when this value is beyond a red limit: ("low", "SpO2 84 %, below 88 % (red)"), else None.

        For values that reach no fold: without a usable time, or of a device that nobody has.
        """
        rule = self.thresholds.get(code)
        if rule is None or value != value:
            return None
        judged = codes.rounded(code, value)
        told = f"{codes.BY_KEY[code].name} {codes.shown(code, value)}"
        # Without a time nobody knows which profile holds: red is what is red at any time of the day.
        variants = [variant for _, variant in rule.variants]
        lows = [variant.red_low for variant in variants if variant.red_low is not None]
        highs = [variant.red_high for variant in variants if variant.red_high is not None]
        if lows and judged < max(lows):
            return "low", f"{told}, {codes.beyond(code, 'low', max(lows))} (red)"
        if highs and judged > min(highs):
            return "high", f"{told}, {codes.beyond(code, 'high', min(highs))} (red)"
        return None

    @functools.cached_property
    def limit_columns(self) -> npt.NDArray[np.float64]:
        """(codes, 6): red low, amber low, amber high, red high, clears low from, clears high up to."""
        columns = np.empty((len(codes.CODES), 6))
        columns[:] = (-np.inf, -np.inf, np.inf, np.inf, -np.inf, np.inf)
        for rule in self.thresholds.values():
            columns[codes.INDEX[rule.code]] = _limit_row(rule)
        return columns

    @functools.cached_property
    def profile_columns(self) -> npt.NDArray[np.float64]:
        """(spans, 9): code, from and to minute of the day, then as in limit_columns. No rows: no profiles."""
        rows = [
            (codes.INDEX[rule.code], *span, *_limit_row(variant))
            for rule in self.thresholds.values()
            if rule.profiles
            for profile, variant in rule.variants
            if profile is not None
            for span in profile.spans
        ]
        return np.array(rows, np.float64).reshape(-1, 9)

    @functools.cached_property
    def news2_columns(self) -> npt.NDArray[np.float64]:
        """(11,): scale (0: no rule), alerting bands single, urgent, emergency, then max ages in microseconds."""
        row = np.zeros(4 + len(news2.INPUT_CODES))
        rule = self.news2
        if rule is not None:
            row[0] = rule.scale
            row[1] = rule.single_priority is not None
            row[2] = rule.urgent_priority is not None
            row[3] = rule.emergency_priority is not None
            row[4:] = [rule.max_age_seconds[code] * 1e6 for code in news2.INPUT_CODES]
        return row


def _limit_row(rule: Threshold) -> tuple[float, ...]:
    low = rule.amber_low if rule.amber_low is not None else rule.red_low
    high = rule.amber_high if rule.amber_high is not None else rule.red_high
    tiny = 1e-9  # 36.0 + 0.2 must not keep 36.2 from clearing
    return (
        -np.inf if rule.red_low is None else rule.red_low,
        -np.inf if rule.amber_low is None else rule.amber_low,
        np.inf if rule.amber_high is None else rule.amber_high,
        np.inf if rule.red_high is None else rule.red_high,
        -np.inf if low is None else low + rule.hysteresis - tiny,
        np.inf if high is None else high - rule.hysteresis + tiny,
    )


def key_of(rule: Rule) -> str:
    """What a rule is called in overrides; episodes of a threshold add their side."""
    match rule:
        case Assessment():
            return rule.key
        case News2():
            return "news2"
        case Threshold():
            return f"threshold/{rule.code}"
        case Silence():
            return f"silence/{rule.code}"


def _parse(entry: object, where: str) -> Rule:
    if not isinstance(entry, Mapping):
        raise errors.RuleError(where, "must be an object")
    match entry.get("kind"):
        case "threshold":
            return single.threshold(entry, where)
        case "news2":
            return single.warning_score(entry, where)
        case "silence":
            return single.silence(entry, where)
        case str(kind) if kind in kinds.KINDS:
            return kinds.parse(entry, where)
        case _:
            raise errors.RuleError(
                f"{where}.kind", "must be one of " + ", ".join(("threshold", "news2", "silence", *kinds.KINDS))
            )


def _bound(parsed: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Rules that look at other rules, with the codes behind those. Raises RuleError where there is no such rule."""
    looked_at: dict[str, tuple[str, ...]] = {}
    for rule in parsed:
        match rule:
            case Threshold():
                sides = [side for side in ("low", "high") if rule.has(side)]
                looked_at |= {f"threshold/{rule.code}/{side}": (rule.code,) for side in sides}
            case News2():
                looked_at["news2"] = tuple(news2.INPUT_CODES)
            case Assessment():
                looked_at[rule.key] = rule.codes
    return tuple(
        rule.bound(looked_at, f"rules[{position}]") if isinstance(rule, combination.Combination) else rule
        for position, rule in enumerate(parsed)
    )


def _others(rule: Assessment) -> tuple[str, ...]:
    return rule.rules if isinstance(rule, combination.Combination) else ()


def _dump(rule: Rule) -> dict[str, Any]:
    return rule.dump() if isinstance(rule, Assessment) else single.dump(rule)
