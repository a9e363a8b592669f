"""An episode: one stretch of clinical time in which a rule held for a resident."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Priority = Literal["high", "medium", "low"]
Ending = Literal["cleared", "withdrawn", "paused", "discharged", "rule_removed"]

#: Greater is more urgent.
RANK: dict[str, int] = {"low": 1, "medium": 2, "high": 3}


@dataclass(frozen=True, slots=True)
class Episode:
    """A pure function of readings, rules in force and absolute times. All times in microseconds since the epoch.

    Identified by (resident, rule, started_at). `started_at` is when the rule's condition was met; evidence
    holds since when its readings were out of limits.
    """

    resident: int
    rule: str  #: threshold/spo2/low, threshold/spo2/high, news2, silence/spo2
    started_at: int
    ended_at: int | None
    ending: Ending | None  #: why it ended; "withdrawn": a repeat contradicted a provisional one
    peak_at: int
    peak_value: float | None  #: worst value, greatest score, or number of missed due times: peaks.unit says which
    priority: Priority  #: of its worst moment; never eases within an episode
    level: str  #: amber, red; low-medium, medium, high (NEWS2 band); missing
    provisional: bool  #: rests on an extreme or doubtful measurement that no repeat has confirmed
    reason: str  #: one sentence, times local to the resident
    evidence: Mapping[str, Any]  #: JSON: inputs with times, limits, rule version, what would clear it

    @property
    def key(self) -> tuple[int, str, int]:
        return (self.resident, self.rule, self.started_at)

    @classmethod
    def restore(
        cls,
        resident: int,
        rule: str,
        started_at: int,
        ended_at: int | None,
        peak_at: int,
        peak_value: float | None,
        priority: Priority,
        provisional: bool,
        evidence: Mapping[str, Any],
    ) -> Episode:
        """From a row of the episode table: level, reason and ending are in the evidence."""
        ended = evidence.get("ended")
        return cls(
            resident,
            rule,
            started_at,
            ended_at,
            None if ended is None else ended["how"],
            peak_at,
            peak_value,
            priority,
            evidence["level"],
            provisional,
            evidence["reason"],
            evidence,
        )

    def to_json(self) -> dict[str, Any]:
        """JSON form; times stay integers."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Episode:
        """Inverse of to_json."""
        return cls(**document)
