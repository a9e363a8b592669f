"""Rules that judge a moment: four limits of one value, NEWS2, and what was due and did not come."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from alerts import codes, errors, limits, news2, profiles
from alerts.episodes import Priority
from alerts.profiles import Profile

Sampling = Literal["spot", "continuous"]

#: Readings farther apart than this are judged one by one, whatever the rule calls its sampling.
CONTINUOUS_SECONDS = 300

APPROVAL = "needs local approval"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Four limits in canonical units; None is no limit. Red below red_low or above red_high, amber likewise;
    a value equal to a limit is inside it. red_low <= amber_low < amber_high <= red_high.

    An amber spot reading waits `repeat_seconds` for its repeat; where readings come at most
    CONTINUOUS_SECONDS apart and sampling is continuous, a level must hold `persistence_seconds`.
    provisional: one spot reading opens an episode that is provisional until another confirms it.
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
    provisional: bool = False

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
    auto, calls_after_hours: what is measured before it has been missing so long needs nobody (alerts.joining).
    """

    code: str
    grace_seconds: int
    priority: Priority = "low"
    source: str = ""
    approval: str = APPROVAL
    late_seconds: int | None = None
    late_priority: Priority = "low"
    auto: bool = False
    calls_after_hours: int = 0


_THRESHOLD_FIELDS = (
    "kind", "code", "unit", *profiles.LIMITS, "hysteresis", "sampling", "persistence_seconds", "repeat_seconds",
    "priority", "refractory_hours", "auto", "provisional", "source", "approval", "profiles",
)  # fmt: skip


def threshold(entry: Mapping[str, Any], where: str) -> Threshold:
    """A threshold rule from JSON. Raises RuleError naming the field."""
    limits.known(entry, where, _THRESHOLD_FIELDS)
    code = limits.code(entry, where)
    unit = entry.get("unit", codes.BY_KEY[code].unit)
    if unit != codes.BY_KEY[code].unit:
        raise errors.RuleError(f"{where}.unit", f"limits of {code} are in {codes.BY_KEY[code].unit or 'no unit'}")
    four = [limits.number(entry, key, where) for key in profiles.LIMITS]
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
        provisional=limits.switch(entry, "provisional", where),
    )
    for place, (profile, variant) in enumerate(rule.variants):
        if profile is not None:
            merged = (variant.red_low, variant.amber_low, variant.amber_high, variant.red_high)
            limits.ordered(merged, hysteresis, f"{where}.profiles[{place - 1}]")
    return rule


def warning_score(entry: Mapping[str, Any], where: str) -> News2:
    """A NEWS2 rule from JSON. Raises RuleError naming the field."""
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


def silence(entry: Mapping[str, Any], where: str) -> Silence:
    """A silence rule from JSON. Raises RuleError naming the field."""
    names = ("kind", "code", "grace_seconds", "late_seconds", "priority", "late_priority", "source", "approval")
    limits.known(entry, where, (*names, "auto", "calls_after_hours"))
    grace = limits.seconds(entry, "grace_seconds", where, 7200, 60, 86_400)
    late = None if entry.get("late_seconds") is None else limits.seconds(entry, "late_seconds", where, 0, 0, 86_400)
    if late is not None and late >= grace:
        raise errors.RuleError(f"{where}.late_seconds", f"must be less than grace_seconds ({grace}): late comes first")
    auto = limits.switch(entry, "auto", where)
    calls_after = limits.seconds(entry, "calls_after_hours", where, 0, 0, 168)
    if calls_after and not auto:
        raise errors.RuleError(f"{where}.calls_after_hours", "needs auto = true: only what clears itself can wait")
    return Silence(
        limits.code(entry, where),
        grace,
        limits.priority(entry, "priority", where, "low"),
        limits.note(entry, "source", where, ""),
        limits.note(entry, "approval", where, APPROVAL),
        late,
        limits.priority(entry, "late_priority", where, "low"),
        auto,
        calls_after,
    )


def dump(rule: Threshold | News2 | Silence) -> dict[str, Any]:
    """Inverse of the parsers."""
    match rule:
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
                **({"provisional": True} if rule.provisional else {}),
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
                **({"auto": True} if rule.auto else {}),
                **({"calls_after_hours": rule.calls_after_hours} if rule.calls_after_hours else {}),
            } | (
                {}
                if rule.late_seconds is None
                else {"late_seconds": rule.late_seconds, "late_priority": rule.late_priority}
            )
