"""What all kinds of assessment share: their common fields, what they are shown and how they answer.

An assessment judges the history of a resident's readings, not one value. It is pure and keeps no state of its own:
the same view gives the same answer. All signals are oriented so that greater is worse; beyond a limit is strict.
"""

from __future__ import annotations

import abc
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self

from alerts import codes, errors, limits
from alerts.episodes import Priority

APPROVAL = "needs local approval"
_NAME = re.compile(r"[a-z0-9_]{1,40}")
_TINY = 1e-9
#: Marks a field that a rule set works out and nobody writes.
WORKED_OUT = {"worked_out": True}


#: On which side of a rule a value is the more dangerous.
Worse = Literal["low", "high"]


class Day(NamedTuple):
    """One local day of one code: of the readings that neither failed nor were doubted by the device."""

    day: int  #: local date, days since 1970-01-01
    readings: int
    median: float
    least: float
    greatest: float
    at: int  #: microseconds of the newest reading
    excluded: bool  #: an episode about this code was open: baselines leave the day out
    #: median, least and greatest by the other ends, where one came with different values
    other: tuple[float, float, float] | None = None


class Sample(NamedTuple):
    """One reading: microseconds, canonical value, quality bits (timeline)."""

    at: int
    value: float
    quality: int
    other: float | None = None  #: it came with different values, and the other end of them is this


class Keep(NamedTuple):
    """How much of a code's history a rule needs."""

    days: int  #: local days before today's; 0: none, nor today's
    hours: int  #: of single samples

    def both(self, other: Keep) -> Keep:
        """Enough for two rules."""
        return Keep(max(self.days, other.days), max(self.hours, other.hours))


class View(Protocol):
    """All of one resident as of one moment, the readings of that moment included."""

    at: int  #: microseconds
    day: int  #: local day
    zone: str

    def days(self, code: str, worse: Worse | None = None) -> Sequence[Day]:
        """Ascending, of the days that the rules need; the last one may be today's, so far.

        worse: which end of every reading counts that came with different values of which nobody has decided yet.
        """

    def samples(self, code: str, worse: Worse | None = None) -> Sequence[Sample]:
        """Ascending by time, of the hours that the rules need; at most the newest 200.

        worse: which end counts where one came with different values and nobody has decided yet.
        """

    def bands(self, code: str) -> Sequence[tuple[int, ...]]:
        """(day, readings, below 3.0, below 3.9, above 10.0, above 13.9) of each local day; of glucose only."""

    def last(self, code: str, worse: Worse | None = None) -> Sample | None:
        """The latest value of this stay; worse as in `samples`."""

    def open_level(self, rule: str) -> int:
        """0, or the level at which another rule is open now: 1 amber, 2 red."""


@dataclass(frozen=True, slots=True)
class Finding:
    """level: 0 normal, 1 amber, 2 red. clears: inside again, beyond the hysteresis."""

    level: int
    signal: float
    clears: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """The rule cannot decide. needs: what it lacks, in plain words: "9 of 14 days with a weight"."""

    why: Literal["not_set", "too_few", "too_short", "too_old", "too_many", "gap"]
    needs: str


@dataclass(frozen=True, slots=True)
class Told:
    """Why, for people: one sentence, the inputs (at most 40) and the numbers worked out from them; all JSON."""

    sentence: str
    inputs: list[dict[str, Any]]
    numbers: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment(abc.ABC):
    """One rule over a history. amber, red: limits of the signal, None is no limit; not both None."""

    kind: ClassVar[str]
    #: What it finds changes only with the local day: it is asked at the first reading of one.
    by_day: ClassVar[bool] = False

    name: str
    amber: float | None = None
    red: float | None = None
    hysteresis: float = 0.0
    red_priority: Priority = "high"
    amber_priority: Priority = "medium"
    refractory_hours: int = 0
    auto: bool = False
    calls_after_hours: int = 0  #: needs auto: what clears itself before has called nobody
    source: str = ""
    approval: str = APPROVAL

    @property
    def key(self) -> str:
        """Of its episodes, and of overrides."""
        return f"{self.kind}/{self.name}"

    @property
    @abc.abstractmethod
    def codes(self) -> tuple[str, ...]:
        """Readings of these codes make it look; their history is kept."""

    @property
    def keeps(self) -> Keep:
        """How much of their history: at most 60 days and 168 hours, as where a kind says nothing."""
        return Keep(60, 168)

    @property
    def calm(self) -> tuple[float, float]:
        """While nothing is open, values from here to there find nothing: it need not be asked. Usually none are."""
        return (math.inf, -math.inf)

    @property
    def title(self) -> str:
        """What a nurse calls it."""
        return self.name.replace("_", " ")

    @abc.abstractmethod
    def assess(self, view: View) -> Finding | Refusal:
        """Judges the moment. Called after every moment at which one of its codes was read: keep it cheap."""

    @abc.abstractmethod
    def tell(self, view: View, finding: Finding) -> Told:
        """Explains a finding of this view."""

    @abc.abstractmethod
    def clears_when(self) -> str:
        """What would end an episode, in words."""

    @classmethod
    @abc.abstractmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        """From JSON. Raises RuleError naming the field."""

    def dump(self) -> dict[str, Any]:
        """Inverse of parse: every field of the dataclass, priorities as one object."""
        document: dict[str, Any] = {"kind": self.kind}
        for name in written(type(self)):
            value = getattr(self, name)
            document[name] = list(value) if isinstance(value, tuple) else value
        document["priority"] = {"red": self.red_priority, "amber": self.amber_priority}
        return document

    def judged(self, signal: float) -> Finding:
        """The finding of a signal by the rule's limits."""
        return Finding(level(signal, self.amber, self.red), signal, self.inside(signal))

    def inside(self, signal: float) -> bool:
        """Whether a signal is back inside its lower limit, beyond the hysteresis."""
        lower = self.amber if self.amber is not None else self.red
        assert lower is not None  # parse refuses a rule without limits
        return signal <= lower - self.hysteresis + _TINY


def level(signal: float, amber: float | None, red: float | None) -> int:
    """2 above red, 1 above amber, else 0; strictly, but for the last bits of sums and differences."""
    if red is not None and signal > red + _TINY:
        return 2
    return 1 if amber is not None and signal > amber + _TINY else 0


def written(cls: type[Assessment]) -> list[str]:
    """Names of the fields that a rule of this kind has in JSON, beside kind and priority."""
    hidden = ("red_priority", "amber_priority")
    return [field.name for field in fields(cls) if field.name not in hidden and field.metadata != WORKED_OUT]


def common(
    cls: type[Assessment], entry: Mapping[str, Any], where: str, *, name: str | None = None, positive: bool = True
) -> dict[str, Any]:
    """The fields that all assessments share, checked; refuses fields that the kind does not have.

    name: what it is called if the entry does not say. positive: limits are amounts, greater than 0.
    """
    limits.known(entry, where, ("kind", *written(cls), "priority"))
    missing = [f.name for f in fields(cls) if f.default is MISSING and f.name != "name" and f.name not in entry]
    if missing:
        raise errors.RuleError(f"{where}.{missing[0]}", f"is needed for a {cls.kind} rule")
    called = entry.get("name", name)
    if not isinstance(called, str) or not _NAME.fullmatch(called):
        raise errors.RuleError(f"{where}.name", "must be 1 to 40 small letters, digits or _")
    amber, red = limits.number(entry, "amber", where), limits.number(entry, "red", where)
    if amber is None and red is None:
        raise errors.RuleError(where, "has no limit at all: give amber, red or both")
    for key, limit in (("amber", amber), ("red", red)):
        if positive and limit is not None and limit <= 0:
            raise errors.RuleError(f"{where}.{key}", "must be greater than 0")
    hysteresis = limits.number(entry, "hysteresis", where) or 0.0
    if hysteresis < 0:
        raise errors.RuleError(f"{where}.hysteresis", "must not be negative")
    priority = entry.get("priority") or {}
    if not isinstance(priority, Mapping):
        raise errors.RuleError(f"{where}.priority", "must give a priority for red, for amber or for both")
    limits.known(priority, f"{where}.priority", ("red", "amber"))
    auto = entry.get("auto", False)
    if not isinstance(auto, bool):
        raise errors.RuleError(f"{where}.auto", "must be true or false")
    calls_after = limits.seconds(entry, "calls_after_hours", where, 0, 0, 168)
    if calls_after and not auto:
        raise errors.RuleError(f"{where}.calls_after_hours", "needs auto = true: only what clears itself can wait")
    return {
        "name": called,
        "amber": amber,
        "red": red,
        "hysteresis": hysteresis,
        "red_priority": limits.priority(priority, "red", f"{where}.priority", "high"),
        "amber_priority": limits.priority(priority, "amber", f"{where}.priority", "medium"),
        "refractory_hours": limits.seconds(entry, "refractory_hours", where, 0, 0, 24 * 60),
        "auto": auto,
        "calls_after_hours": calls_after,
        "source": limits.note(entry, "source", where, ""),
        "approval": limits.note(entry, "approval", where, APPROVAL),
    }


def ordered(amber: float | None, red: float | None, where: str) -> None:
    """Red is the worse of the two: not below amber."""
    if amber is not None and red is not None and red < amber:
        raise errors.RuleError(f"{where}.red", "must not be nearer to normal than amber")


def choice(entry: Mapping[str, Any], key: str, where: str, allowed: Sequence[str]) -> str:
    """One of a few words."""
    value = entry.get(key)
    if value not in allowed or not isinstance(value, str):
        raise errors.RuleError(f"{where}.{key}", "must be " + " or ".join(allowed))
    return value


def measured(entry: Mapping[str, Any], where: str) -> str:
    """The code, which must be one that is a number."""
    code = limits.code(entry, where)
    if code == "consciousness" or code in codes.YES_NO:
        raise errors.RuleError(f"{where}.code", f"{codes.BY_KEY[code].name} is not a number that can be followed")
    return code
