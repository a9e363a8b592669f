"""Which measurement should be repeated: of an episode that rests on one reading, the one that opened it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.episodes import Episode

#: Where the rule does not say how long its repeat is waited for.
_WAITS = timedelta(minutes=30)
#: What a device says, or we say of it, that a repeat could dispel.
_DOUBTS = frozenset({"extreme", "poor_quality"})


@dataclass(frozen=True, slots=True)
class Repeat:
    """Measure these codes again, until a time: after it the answer comes too late."""

    resident: int
    codes: tuple[str, ...]
    about_at: datetime  #: of the reading that is to be repeated
    until: datetime


def wanted(episode: Episode) -> Repeat | None:
    """What a repeat would confirm or withdraw: a provisional episode; and a red one that one spot reading opened."""
    if episode.ended_at is not None:
        return None
    evidence = episode.evidence
    inputs = [entry for entry in evidence.get("inputs") or () if "code" in entry and "at" in entry]
    if not inputs:
        return None
    if episode.rule == "news2":
        doubtful = [entry for entry in inputs if entry.get("points") and _DOUBTS.intersection(entry["marks"])]
        return _repeat(episode, doubtful) if episode.provisional and doubtful else None
    spot = episode.rule.startswith("threshold/") and _rule(episode).get("sampling") == "spot"
    if episode.provisional or (spot and episode.level == "red" and evidence.get("how") == "at once"):
        return _repeat(episode, inputs[-1:])
    return None


def _repeat(episode: Episode, entries: list[Mapping[str, Any]]) -> Repeat:
    at = max(datetime.fromisoformat(entry["at"]) for entry in entries)
    seconds = _rule(episode).get("repeat_seconds")
    waits = timedelta(seconds=seconds) if seconds else _WAITS
    return Repeat(episode.resident, tuple(sorted({entry["code"] for entry in entries})), at, at + waits)


def _rule(episode: Episode) -> Mapping[str, Any]:
    rule: Mapping[str, Any] = episode.evidence.get("rule") or {}
    return rule
