"""Rules as data: the compiled rule set of one resident (a pathway version plus overrides)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from alerts import codes, errors, kinds, limits, news2, profiles, schedule
from alerts.episodes import Priority
from alerts.kinds import combination
from alerts.kinds.base import Assessment, Keep
from alerts.profiles import Profile

Sampling = Literal["spot", "continuous"]

#: Readings farther apart than this are judged one by one, whatever the rule calls its sampling.
CONTINUOUS_SECONDS = 300

#: Combinations of codes read together for which it is kept who looks at them.
_MOST_KEPT = 1000

APPROVAL = "needs local approval"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Four limits in canonical units; None is no limit. Red below red_low or above red_high, amber likewise;
    a value equal to a limit is inside it. red_low <= amber_low < amber_high <= red_high.

    An amber spot reading waits `repeat_seconds` for its repeat; where readings come at most
    CONTINUOUS_SECONDS apart and sampling is continuous, a level must hold `persistence_seconds`.
    refractory_hours and auto: see alerts.joining.
    """

    code: str
    unit: str
    red_low: float | None
    amber_low: float | None
    amber_high: float | None
    red_high: float | None
    hysteresis: float = 0.0
    sampling: Sampling = "spot"
    persistence_seconds: int = 60
    repeat_seconds: int = 1800
    red_priority: Priority = "high"
    amber_priority: Priority = "medium"
    refractory_hours: int = 0
    auto: bool = False
    source: str = ""
    approval: str = APPROVAL
    profiles: tuple[Profile, ...] = ()  #: other limits at times of the day

    def limit(self, side: str, level: str) -> float | None:
        """side low or high, level red or amber; outside the profiles."""
        value: float | None = getattr(self, f"{level}_{side}")
        return value

    def has(self, side: str) -> bool:
        """Whether there is a limit on this side, at any time of the day."""
        return any(rule.limit(side, level) is not None for _, rule in self.variants for level in ("red", "amber"))

    @property
    def variants(self) -> list[tuple[Profile | None, Threshold]]:
        """The rule outside its profiles (None) and in each of them, as rules without profiles."""
        plain = dataclasses.replace(self, profiles=()) if self.profiles else self
        return [(None, plain), *((profile, plain.changed(dict(profile.limits))) for profile in self.profiles)]

    def changed(self, four: Mapping[str, float | None]) -> Threshold:
        """With some of the four limits replaced."""
        return dataclasses.replace(
            self,
            red_low=four.get("red_low", self.red_low),
            amber_low=four.get("amber_low", self.amber_low),
            amber_high=four.get("amber_high", self.amber_high),
            red_high=four.get("red_high", self.red_high),
        )

    def in_force(self, side: str, minute: int) -> tuple[Profile | None, Threshold]:
        """The variant at a minute of the wall clock; where that has no limit on this side, one that has."""
        if not self.profiles:
            return None, self
        order = sorted(self.variants, key=lambda variant: variant[0] is None or not variant[0].covers(minute))
        return next((variant for variant in order if variant[1].has(side)), order[0])


@dataclass(frozen=True, slots=True)
class News2:
    """NEWS2 on scale 1 or 2 (a clinician's setting). Greatest age of each input in seconds, by code.

    A priority of None: no alert for that band. A single parameter that scores 3 is an episode of this rule only
    where no threshold rule of the same set has found that value red: it is told there already, and twice is alarm
    fatigue. The bands of the sum count everything.
    """

    scale: Literal[1, 2]
    max_age_seconds: Mapping[str, int]
    emergency_priority: Priority | None = "high"
    urgent_priority: Priority | None = "medium"
    single_priority: Priority | None = "medium"
    refractory_hours: int = 0
    source: str = ""
    approval: str = APPROVAL


@dataclass(frozen=True, slots=True)
class Silence:
    """An expected measure did not come. The schedule's own grace goes before this one.

    late_seconds after the due time it is late, which is an episode already; None: only missing is.
    """

    code: str
    grace_seconds: int
    priority: Priority = "low"
    source: str = ""
    approval: str = APPROVAL
    late_seconds: int | None = None
    late_priority: Priority = "low"


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
        return {"pathway": self.pathway, "version": self.version, "rules": [_dump(rule) for rule in self.rules]}

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
            return _threshold(entry, where)
        case "news2":
            return _news2(entry, where)
        case "silence":
            return _silence(entry, where)
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


def _threshold(entry: Mapping[str, Any], where: str) -> Threshold:
    limits.known(
        entry,
        where,
        (
            "kind",
            "code",
            "unit",
            "red_low",
            "amber_low",
            "amber_high",
            "red_high",
            "hysteresis",
            "sampling",
            "persistence_seconds",
            "repeat_seconds",
            "priority",
            "refractory_hours",
            "auto",
            "source",
            "approval",
            "profiles",
        ),
    )
    code = limits.code(entry, where)
    unit = entry.get("unit", codes.BY_KEY[code].unit)
    if unit != codes.BY_KEY[code].unit:
        raise errors.RuleError(f"{where}.unit", f"limits of {code} are in {codes.BY_KEY[code].unit or 'no unit'}")
    four = [limits.number(entry, key, where) for key in ("red_low", "amber_low", "amber_high", "red_high")]
    hysteresis = limits.number(entry, "hysteresis", where) or 0.0
    limits.ordered(four, hysteresis, where)
    sampling = entry.get("sampling", "spot")
    if sampling not in ("spot", "continuous"):
        raise errors.RuleError(f"{where}.sampling", "must be spot or continuous")
    priority = entry.get("priority") or {}
    if not isinstance(priority, Mapping):
        raise errors.RuleError(f"{where}.priority", "must be an object with red and amber")
    limits.known(priority, f"{where}.priority", ("red", "amber"))
    rule = Threshold(
        code,
        unit,
        four[0],
        four[1],
        four[2],
        four[3],
        hysteresis=hysteresis,
        sampling=sampling,
        persistence_seconds=limits.seconds(entry, "persistence_seconds", where, 60, 0, CONTINUOUS_SECONDS),
        repeat_seconds=limits.seconds(entry, "repeat_seconds", where, 1800, 60, 86_400),
        red_priority=limits.priority(priority, "red", f"{where}.priority", "high"),
        amber_priority=limits.priority(priority, "amber", f"{where}.priority", "medium"),
        refractory_hours=limits.seconds(entry, "refractory_hours", where, 0, 0, limits.MOST_REFRACTORY_HOURS),
        auto=limits.switch(entry, "auto", where),
        source=limits.note(entry, "source", where, ""),
        approval=limits.note(entry, "approval", where, APPROVAL),
        profiles=profiles.parse(entry, where),
    )
    for place, (profile, variant) in enumerate(rule.variants):
        if profile is not None:
            merged = (variant.red_low, variant.amber_low, variant.amber_high, variant.red_high)
            limits.ordered(merged, hysteresis, f"{where}.profiles[{place - 1}]")
    return rule


def _news2(entry: Mapping[str, Any], where: str) -> News2:
    limits.known(
        entry, where, ("kind", "scale", "max_age_seconds", "priority", "refractory_hours", "source", "approval")
    )
    scale = entry.get("scale")
    if scale not in (1, 2) or isinstance(scale, bool):
        raise errors.RuleError(f"{where}.scale", "must be 1 or 2, set by a clinician")
    ages = entry.get("max_age_seconds") or {}
    if not isinstance(ages, Mapping):
        raise errors.RuleError(f"{where}.max_age_seconds", "must be an object of seconds by code")
    limits.known(ages, f"{where}.max_age_seconds", news2.INPUT_CODES)
    usual = news2.DEFAULT_MAX_AGE_SECONDS
    ages = {
        code: limits.seconds(ages, code, f"{where}.max_age_seconds", usual[code], 60, 30 * 86_400)
        for code in news2.INPUT_CODES
    }
    priority = entry.get("priority") or {}
    if not isinstance(priority, Mapping):
        raise errors.RuleError(f"{where}.priority", "must be an object with emergency, urgent and single")
    limits.known(priority, f"{where}.priority", ("emergency", "urgent", "single"))
    return News2(
        scale,
        ages,
        limits.optional_priority(priority, "emergency", f"{where}.priority", "high"),
        limits.optional_priority(priority, "urgent", f"{where}.priority", "medium"),
        limits.optional_priority(priority, "single", f"{where}.priority", "medium"),
        limits.seconds(entry, "refractory_hours", where, 0, 0, limits.MOST_REFRACTORY_HOURS),
        limits.note(entry, "source", where, ""),
        limits.note(entry, "approval", where, APPROVAL),
    )


def _silence(entry: Mapping[str, Any], where: str) -> Silence:
    names = ("kind", "code", "grace_seconds", "late_seconds", "priority", "late_priority", "source", "approval")
    limits.known(entry, where, names)
    grace = limits.seconds(entry, "grace_seconds", where, 7200, 60, 86_400)
    late = None if entry.get("late_seconds") is None else limits.seconds(entry, "late_seconds", where, 0, 0, 86_400)
    if late is not None and late >= grace:
        raise errors.RuleError(f"{where}.late_seconds", f"must be less than grace_seconds ({grace}): late comes first")
    return Silence(
        limits.code(entry, where),
        grace,
        limits.priority(entry, "priority", where, "low"),
        limits.note(entry, "source", where, ""),
        limits.note(entry, "approval", where, APPROVAL),
        late,
        limits.priority(entry, "late_priority", where, "low"),
    )


def _dump(rule: Rule) -> dict[str, Any]:
    match rule:
        case Assessment():
            return rule.dump()
        case Threshold():
            return {
                "kind": "threshold",
                "code": rule.code,
                "unit": rule.unit,
                "red_low": rule.red_low,
                "amber_low": rule.amber_low,
                "amber_high": rule.amber_high,
                "red_high": rule.red_high,
                "hysteresis": rule.hysteresis,
                "sampling": rule.sampling,
                "persistence_seconds": rule.persistence_seconds,
                "repeat_seconds": rule.repeat_seconds,
                "priority": {"red": rule.red_priority, "amber": rule.amber_priority},
                **({"refractory_hours": rule.refractory_hours} if rule.refractory_hours else {}),
                **({"auto": True} if rule.auto else {}),
                "source": rule.source,
                "approval": rule.approval,
                **({"profiles": [profile.to_json() for profile in rule.profiles]} if rule.profiles else {}),
            }
        case News2():
            return {
                "kind": "news2",
                "scale": rule.scale,
                "max_age_seconds": dict(rule.max_age_seconds),
                "priority": {
                    "emergency": rule.emergency_priority,
                    "urgent": rule.urgent_priority,
                    "single": rule.single_priority,
                },
                **({"refractory_hours": rule.refractory_hours} if rule.refractory_hours else {}),
                "source": rule.source,
                "approval": rule.approval,
            }
        case Silence():
            return {
                "kind": "silence",
                "code": rule.code,
                "grace_seconds": rule.grace_seconds,
                "priority": rule.priority,
                "source": rule.source,
                "approval": rule.approval,
            } | (
                {}
                if rule.late_seconds is None
                else {"late_seconds": rule.late_seconds, "late_priority": rule.late_priority}
            )
