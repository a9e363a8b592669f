"""From episodes to alerts as people would have seen them: for counting what rules cost, without a service.

It assumes that somebody handles whatever is shown a fixed time after it began to be shown, if it is still there to be
handled; a rule's refractory time and the auto-handling tier then do what they do in the service (alerts.reconcile).
An episode is taken with the priority of its worst moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from alerts import joining
from alerts.episodes import RANK, Episode, Priority

#: How long people are assumed to take to handle what they are shown.
HANDLED_AFTER_US = 30 * 60 * 1_000_000

_FOR_EVER = 2**62


@dataclass(frozen=True, slots=True)
class Seen:
    """One alert. raised_at: microseconds since the epoch."""

    resident: int
    rule: str
    raised_at: int
    episodes: tuple[Episode, ...]
    priority: Priority  #: the worst of its episodes
    calls: int  #: how often it was shown as new: once, and again for each later episode that says so
    automatic: bool  #: cleared of itself each time before anybody handled it, by a rule that leaves that to the service


@dataclass(slots=True)
class _Open:
    """An alert while episodes are gone through."""

    episodes: list[Episode]
    called_at: int
    priority: Priority
    handling: Literal["new", "human", "automatic"] = "new"
    calls: int = 1
    human: bool = field(default=False)

    def until(self, at: int, handled_after_us: int) -> None:
        """What became of it by a time."""
        if self.handling != "new":
            return
        newest = self.episodes[-1]
        due, ended = self.called_at + joining.waits_us(newest) + handled_after_us, newest.ended_at
        if ended is not None and ended <= min(at, due) and joining.handled_automatically(self.episodes):
            self.handling = "automatic"
        elif due <= at:
            self.handling, self.human = "human", True

    def join(self, episode: Episode) -> None:
        """A further episode of it."""
        worse = RANK[episode.priority] > RANK[self.priority]
        if self.handling == "automatic" or (self.handling == "human" and worse):
            self.handling, self.called_at = "new", episode.started_at
            self.calls += 1
        self.priority = episode.priority if worse else self.priority
        self.episodes.append(episode)

    def seen(self) -> Seen:
        first = self.episodes[0]
        return Seen(
            first.resident,
            first.rule,
            first.started_at,
            tuple(self.episodes),
            self.priority,
            self.calls,
            not self.human,
        )


@dataclass(slots=True)
class _Line:
    """One rule of one resident."""

    newest: _Open  #: the only one that can be shown as new
    counting: tuple[Episode, _Open] | None = None  #: the last episode that a later one may follow up on

    def take(self, episode: Episode) -> bool:
        """Whether the episode belongs to an alert that there is already."""
        if self.newest.handling == "new":
            owner = self.newest
        elif self.counting is not None and joining.soon([self.counting[0]], episode):
            owner = self.counting[1]
        else:
            return False
        owner.join(episode)
        self.newest = owner
        return True


def alerts(episodes: Iterable[Episode], *, handled_after_us: int = HANDLED_AFTER_US) -> list[Seen]:
    """The alerts of episodes given in any order, by the time at which they were raised."""
    found: list[_Open] = []
    lines: dict[tuple[int, str], _Line] = {}
    for episode in sorted(episodes, key=lambda episode: (episode.started_at, episode.resident, episode.rule)):
        line = lines.get((episode.resident, episode.rule))
        if line is not None:
            line.newest.until(episode.started_at, handled_after_us)
        if line is None or not line.take(episode):
            found.append(_Open([episode], episode.started_at, episode.priority))
            counting = None if line is None else line.counting
            line = lines[episode.resident, episode.rule] = _Line(found[-1], counting)
        if joining.counts(episode):
            line.counting = (episode, line.newest)
    for one in found:
        one.until(_FOR_EVER, handled_after_us)
    return sorted([one.seen() for one in found], key=lambda seen: (seen.raised_at, seen.resident, seen.rule))
