"""The fold: readings, rule versions, pauses and due times of many residents into episodes.

A pure function: no clock, no IO. The same set of events gives the same episodes, folded at once or from
any checkpoint, in whatever order they were handed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alerts import rules, schedule, timeline
from alerts.episodes import Episode
from alerts.state import State


@dataclass(frozen=True, slots=True)
class Spell:
    """A stay on the virtual ward, [started_at, ended_at), and what is expected in it."""

    started_at: int
    ended_at: int | None
    schedule: schedule.Schedule


@dataclass(frozen=True, slots=True)
class Subject:
    """What decides besides readings. Times in microseconds since the epoch."""

    resident: int
    versions: Sequence[tuple[int, rules.RuleSet]]  #: (valid_from, rules), any order; the greatest not after an event
    spells: Sequence[Spell]
    pauses: Sequence[tuple[int, int | None]]  #: [from, to)
    zone: str  #: for the times in reasons
    state: State | None = None  #: where to go on; None: from the beginning


@dataclass(frozen=True, slots=True)
class Result:
    """What the fold says of one resident."""

    resident: int
    episodes: tuple[Episode, ...]  #: those open in the given state or started since, by (started_at, rule)
    state: State  #: the head checkpoint
    daily: tuple[State, ...]  #: one for each UTC midnight crossed by events, through = midnight - 1
    wake_at: int | None  #: fold again then even if nothing arrives


def fold(subjects: Sequence[Subject], readings: timeline.Timeline, now_us: int) -> list[Result]:
    """Folds every given reading after each subject's state, in order; results in the order of `subjects`.

    Time-driven rules fire up to `now_us`, and up to the last reading given where that is later. Readings at or
    before a state's `through`, and of residents who are no subject, are left out. An event on a boundary:
    spell, pause and rule version first (intervals are half open), then readings, then deadlines.
    """
    raise NotImplementedError
