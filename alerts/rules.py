"""Rules as data: the compiled rule set of one resident (a pathway version plus overrides)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from alerts.episodes import Priority

Sampling = Literal["spot", "continuous"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """Four limits in canonical units; None is no limit. Red below red_low or above red_high, amber likewise;
    a value equal to a limit is inside it. red_low <= amber_low < amber_high <= red_high.
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
    source: str = ""
    approval: str = "needs local approval"


@dataclass(frozen=True, slots=True)
class News2:
    """NEWS2 on scale 1 or 2 (a clinician's setting). Greatest age of each input in seconds; null priority: no alert."""

    scale: Literal[1, 2]
    max_age_seconds: Mapping[str, int]
    emergency_priority: Priority | None = "high"
    urgent_priority: Priority | None = "medium"
    single_priority: Priority | None = "medium"
    source: str = ""
    approval: str = "needs local approval"


@dataclass(frozen=True, slots=True)
class Silence:
    """An expected measure did not come. The schedule's own grace goes before this one."""

    code: str
    grace_seconds: int
    priority: Priority = "low"
    source: str = ""
    approval: str = "needs local approval"


@dataclass(frozen=True)
class RuleSet:
    """Checked rules. Keep and reuse the object for one rule version: it caches its columns."""

    pathway: str
    version: str
    rules: tuple[Threshold | News2 | Silence, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RuleSet:
        """From the jsonb of rule_version.rules. Raises RuleError naming the field."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Inverse of from_json."""
        raise NotImplementedError

    def threshold(self, code: str) -> Threshold | None:
        """The threshold rule of a code."""
        raise NotImplementedError

    def red(self, code: str, value: float) -> str | None:
        """Why this value is beyond a red limit ("84 %, below 88 % (red)"), or None: for values without a usable time."""
        raise NotImplementedError
