"""From folded episodes to alerts: what to store and which events to append, for one (subject, rule).

Episodes are facts of clinical time and are replaced by every refold; alerts are what the service has
said, and are only ever added to. This module decides how the second follows the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alerts import lifecycle
from alerts.episodes import Episode, Priority

#: An alert is late when the service learnt of its episode longer after the onset than this.
LATE_US = 15 * 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """An episode in the database and the alert that it is linked to."""

    episode_id: int
    alert_id: int
    episode: Episode


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert in the database: every open one of the (subject, rule), and every one linked to a Stored."""

    alert_id: int
    standing: lifecycle.Standing
    provisional: bool
    raised_at: int


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one alert. `alert_id` None: insert it (kind "raised" is its first event).

    `episodes` are the started_at of all its episodes afterwards: rewrite its links to exactly these.
    """

    alert_id: int | None
    standing: lifecycle.Standing
    provisional: bool
    late: bool | None  #: of a new alert; None: leave as it is
    onset_at: int
    reason: str | None  #: None: leave as it is (withdrawn: nothing is left to tell)
    evidence: Mapping[str, Any] | None
    episodes: tuple[int, ...]
    events: tuple[tuple[lifecycle.Event, Mapping[str, Any]], ...]  #: with the detail to store; `at` is now


@dataclass(frozen=True, slots=True)
class Plan:
    """Apply in this order: remove, update, insert, then the changes (links move with them)."""

    remove: tuple[int, ...] = ()  #: episode ids that the refold no longer has
    update: tuple[tuple[int, Episode], ...] = ()  #: the same episode, with another end, peak or evidence
    insert: tuple[Episode, ...] = ()
    changes: tuple[Change, ...] = field(default=())


def plan(
    alerts: Sequence[Alert], stored: Sequence[Stored], folded: Sequence[Episode], since_us: int, now_us: int
) -> Plan:
    """What to do after a fold that went on from a state with through = `since_us` (very small: from the beginning).

    `stored`: every stored episode that was open at `since_us` or started or ended after it, with others harmless.
    `folded`: the fold's episodes of this rule. All of one (subject, rule).
    """
    raise NotImplementedError


__all__ = ["LATE_US", "Alert", "Change", "Plan", "Priority", "Stored", "plan"]
