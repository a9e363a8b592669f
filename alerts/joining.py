"""What belongs to one alert: episodes that follow each other soon, and what clears itself before anybody had to act.

Both are said by the rule as it stood when the episode began, which the episode carries in its evidence.
"""

from __future__ import annotations

from collections.abc import Sequence

from alerts.episodes import Episode

_HOUR_US = 3_600_000_000

#: Levels that need a human, whatever the rule says.
_GRAVE = frozenset({"red", "medium", "high"})


def refractory_us(episode: Episode) -> int:
    """How long after the end of the one before this episode still joins its alert; 0: not at all."""
    rule = episode.evidence.get("rule") or {}
    return int(rule.get("refractory_hours") or 0) * _HOUR_US


def counts(episode: Episode) -> bool:
    """Whether a later episode may follow up on this one: what a repeat contradicted was nothing."""
    return episode.ending != "withdrawn"


def soon(earlier: Sequence[Episode], after: Episode) -> bool:
    """Whether an episode begins within its rule's refractory time after the end of the one before.

    earlier: those of its rule that began before it, ascending.
    """
    allowed = refractory_us(after)
    before = next((episode for episode in reversed(earlier) if counts(episode)), None) if allowed else None
    if before is None or before.ended_at is None:
        return False
    return after.started_at - before.ended_at <= allowed


def reach_us(episodes: Sequence[Episode]) -> int:
    """How far before the first of these episodes one can have ended that still matters to them."""
    return max((refractory_us(episode) for episode in episodes), default=0)


def waits_us(episode: Episode) -> int:
    """How long an episode that its rule leaves to the service may last before anybody is called; 0: at once."""
    rule = episode.evidence.get("rule") or {}
    return int(rule.get("calls_after_hours") or 0) * _HOUR_US if may_be_automatic(episode) else 0


def may_be_automatic(episode: Episode) -> bool:
    """Whether the rule leaves this episode to the service once it has cleared: never a red or high priority one."""
    rule = episode.evidence.get("rule") or {}
    return bool(rule.get("auto")) and episode.level not in _GRAVE and episode.priority != "high"


def handled_automatically(episodes: Sequence[Episode]) -> bool:
    """Whether an alert with these episodes, which nobody has handled, needed nobody: all cleared of themselves, or were
    contradicted by a repeat, which says that nothing was there.
    """
    return bool(episodes) and all(
        needs_nobody(episode) and episode.ending in ("cleared", "withdrawn") for episode in episodes
    )


def needs_nobody(episode: Episode) -> bool:
    """Whether people may be left out of it, unless it goes on."""
    return not counts(episode) or may_be_automatic(episode)
