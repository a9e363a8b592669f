"""What an episode is about, and since when it had which priority: read from its evidence, for lists of alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from alerts.codes import BY_KEY
from alerts.episodes import RANK, Episode, Priority

Category = Literal["clinical", "silence", "technical"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def codes(rule: str, evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """Of NEWS2 what scored (all inputs where nothing is said to have); of others what the rule looked at."""
    named = rule.split("/")[1:2]
    if named and named[0] in BY_KEY and rule.partition("/")[0] in ("threshold", "silence", "unassigned", "clock"):
        return (named[0],)
    inputs = [one for one in evidence.get("inputs") or () if isinstance(one, Mapping) and one.get("code") in BY_KEY]
    scored = [one for one in inputs if one.get("points")]
    return tuple(dict.fromkeys(str(one["code"]) for one in scored or inputs))


def category(rule: str, *, technical: bool = False) -> Category:
    """silence: about measurements that did not come."""
    return "technical" if technical else "silence" if rule.startswith("silence/") else "clinical"


def priorities(episodes: Iterable[Episode]) -> tuple[tuple[Priority, int], ...]:
    """(priority, since when in microseconds) of an alert of these episodes, rising."""
    found: list[tuple[Priority, int]] = []
    for episode in episodes:
        rose = episode.evidence.get("rose") or ()
        steps = [(one["priority"], _micros(one["at"])) for one in rose] or [(episode.priority, episode.started_at)]
        for priority, at in steps:
            if not found or RANK[priority] > RANK[found[-1][0]]:
                found.append((priority, at))
    return tuple(found)


def _micros(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
