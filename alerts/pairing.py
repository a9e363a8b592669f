"""Which alerts of two replays of one history are the same, and which only one of them has."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from alerts.backtest import HOUR_US, Alert

#: Alerts of one rule that do not overlap are the same if they start at most so far apart.
NEAR_HOURS = 24

_NEAR_US = NEAR_HOURS * HOUR_US
_EVER = 2**62


@dataclass(frozen=True, slots=True)
class Pairs:
    """Positions in the two lists of alerts."""

    both: tuple[tuple[int, int], ...]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]


def pair(first: Sequence[Alert], second: Sequence[Alert]) -> Pairs:
    """Each alert with at most one other: of the same person and rule, overlapping or near, the nearest start first."""
    by_rule: dict[tuple[int, str], list[int]] = {}
    for position in sorted(range(len(second)), key=lambda position: second[position].started_at):
        by_rule.setdefault((second[position].person, second[position].rule), []).append(position)
    candidates = []
    for position, alert in enumerate(first):
        others = by_rule.get((alert.person, alert.rule), [])
        near = bisect.bisect_left(others, alert.started_at - _NEAR_US, key=lambda other: second[other].started_at)
        # Alerts of one person and rule follow each other: of those that began long before, only the last can overlap.
        for other in others[max(near - 1, 0) :]:
            if second[other].started_at > max(
                alert.started_at + _NEAR_US, _EVER if alert.ended_at is None else alert.ended_at
            ):
                break
            if _same(alert, second[other]):
                candidates.append((abs(alert.started_at - second[other].started_at), position, other))
    candidates.sort()
    taken: dict[int, int] = {}
    used: set[int] = set()
    for _, position, other in candidates:
        if position not in taken and other not in used:
            taken[position] = other
            used.add(other)
    return Pairs(
        tuple(sorted(taken.items())),
        tuple(position for position in range(len(first)) if position not in taken),
        tuple(position for position in range(len(second)) if position not in used),
    )


def _same(one: Alert, other: Alert) -> bool:
    if abs(one.started_at - other.started_at) <= _NEAR_US:
        return True
    early, late = sorted((one, other), key=lambda alert: alert.started_at)
    return early.ended_at is None or early.ended_at > late.started_at
