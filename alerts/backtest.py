"""A replay: any history of readings through the fold, and the alerts that would have been raised.

It knows nothing of people who act: an alert here is an episode, or several of one rule that follow each other within
its refractory time (alerts.burden).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alerts import about, burden, engine, news2, rules, schedule, timeline
from alerts.episodes import Episode, Priority

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

#: Readings folded at a time: between them progress is told.
_AT_ONCE = 20_000
_EMPTY = timeline.build([], [], [], [], [], [], [])


@dataclass(frozen=True, slots=True)
class History:
    """People and their readings. The resident of a row is the person's position in `people`."""

    people: tuple[str, ...]
    readings: timeline.Timeline


@dataclass(frozen=True, slots=True)
class Manner:
    """How a history is replayed."""

    zone: str = "Europe/London"  #: local days and times of everybody
    gap_days: float = 14.0  #: a longer time without any reading ends a stay; the next reading begins another
    join_hours: float = 0.0  #: refractory time of rules that have none of their own
    handled_minutes: float = burden.HANDLED_AFTER_US / MINUTE_US  #: how long people are assumed to take to act
    expected: Mapping[str, Any] | None = None  #: schedule of due times, for silence rules; None: nothing is expected
    watched: tuple[int, int] | None = None  #: everybody's only stay, where it is known; None: as their readings say


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a replay; times in microseconds since the epoch."""

    person: int
    rule: str
    started_at: int
    ended_at: int | None  #: None: open at the end of the history
    priority: Priority
    ending: str | None
    auto: bool  #: cleared by itself under a rule that leaves that to the service: nobody had to look
    episodes: int
    provisional: bool
    reason: str
    codes: tuple[str, ...] = ()  #: what it is about
    priorities: tuple[tuple[Priority, int], ...] = ()  #: since when it had which, rising


@dataclass(frozen=True, slots=True)
class Replay:
    """What a rule set would have said of a history."""

    rule_set: rules.RuleSet
    stays: tuple[tuple[tuple[int, int], ...], ...]  #: by person: when they were followed
    alerts: tuple[Alert, ...]  #: by (person, started_at, rule)

    @property
    def days(self) -> list[float]:
        """How long each person was followed."""
        return [sum(stop - start for start, stop in stays) / DAY_US for stays in self.stays]


def replay(
    history: History, rule_set: rules.RuleSet, manner: Manner, progress: Callable[[int], None] | None = None
) -> Replay:
    """Folds everything. progress is called with how many readings are done."""
    found = []
    done = 0
    for part in parts(history):
        found.append(_replay(part, rule_set, manner))
        done += len(part.readings)
        if progress is not None:
            progress(done)
    return together(rule_set, found)


def parts(history: History) -> list[History]:
    """The history cut between people into parts of about as many readings."""
    rows = history.readings
    bounds = np.searchsorted(rows.resident, np.arange(len(history.people) + 1)).tolist()
    found = []
    first = 0
    while first < len(history.people):
        stop = first + 1
        while stop < len(history.people) and bounds[stop + 1] - bounds[first] <= _AT_ONCE:
            stop += 1
        part = slice(bounds[first], bounds[stop])
        own = timeline.Timeline(
            rows.resident[part] - first,
            rows.at[part],
            rows.code[part],
            rows.low[part],
            rows.high[part],
            rows.quality[part],
        )
        found.append(History(history.people[first:stop], own))
        first = stop
    return found


def together(rule_set: rules.RuleSet, replays: Iterable[Replay]) -> Replay:
    """Replays of the parts of a history, in their order, as one of the whole."""
    stays: list[tuple[tuple[int, int], ...]] = []
    alerts: list[Alert] = []
    for one in replays:
        first = len(stays)
        alerts += [replace(alert, person=alert.person + first) for alert in one.alerts] if first else one.alerts
        stays += one.stays
    return Replay(rule_set, tuple(stays), tuple(alerts))


def _replay(history: History, rule_set: rules.RuleSet, manner: Manner) -> Replay:
    watched = manner.watched
    stays = followed(history, manner.gap_days) if watched is None else ((watched,),) * len(history.people)
    expected = schedule.parse(manner.expected or {}, manner.zone)
    people = range(len(history.people))
    folded = _fold(people, history.readings, stays, rule_set, expected, manner.zone)
    found: list[Alert] = []
    for person, episodes in zip(people, folded, strict=True):
        found += raised(person, episodes, manner)
    return Replay(rule_set, stays, tuple(found))


def followed(history: History, gap_days: float) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Each person's stays: from a first reading to one usual interval after the last.

    The usual interval is the median time between a person's readings, gaps longer than gap_days left out, at most a
    day; who has but one has a day.
    """
    bounds = np.searchsorted(history.readings.resident, np.arange(len(history.people) + 1))
    return tuple(
        _stays(np.unique(history.readings.at[low:high]), round(gap_days * DAY_US))
        for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    )


def _stays(at: timeline.Integers, gap: int) -> tuple[tuple[int, int], ...]:
    if len(at) == 0:
        return ()
    between = np.diff(at)
    near = between[between <= gap]
    usual = min(DAY_US, int(np.median(near))) if len(near) else DAY_US
    cuts = np.flatnonzero(between > gap)
    starts, stops = at[np.concatenate(([0], cuts + 1))], at[np.concatenate((cuts, [len(at) - 1]))]
    return tuple((start, stop + usual) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True))


def _fold(
    people: Sequence[int],
    rows: timeline.Timeline,
    stays: Sequence[Sequence[tuple[int, int]]],
    rule_set: rules.RuleSet,
    expected: schedule.Schedule,
    zone: str,
) -> list[list[Episode]]:
    """Episodes of some people, in their order."""
    subjects = []
    for person in people:
        # The last stay is left open: the fold is fastest where nothing ends. It goes on to the end below.
        spells = [
            engine.Spell(start, stop if position < len(stays[person]) - 1 else None, expected)
            for position, (start, stop) in enumerate(stays[person])
        ]
        first = spells[0].started_at if spells else 0
        subjects.append(engine.Subject(person, [(first, rule_set)], spells, [], zone))
    results = engine.fold(subjects, rows, -(2**62))
    found = []
    for subject, result in zip(subjects, results, strict=True):
        episodes = {episode.key: episode for episode in result.episodes}
        end = stays[subject.resident][-1][1] if stays[subject.resident] else 0
        if result.wake_at is not None and result.wake_at <= end:
            (last,) = engine.fold([replace(subject, state=result.state)], _EMPTY, end)
            episodes |= {episode.key: episode for episode in last.episodes}
        found.append(sorted(episodes.values(), key=lambda episode: (episode.started_at, episode.rule)))
    return found


def raised(person: int, episodes: Iterable[Episode], manner: Manner) -> list[Alert]:
    """Alerts of one person's episodes, by (started_at, rule)."""
    if manner.join_hours > 0:
        episodes = [_joining(episode, manner.join_hours) for episode in episodes]
    seen = burden.alerts(episodes, handled_after_us=round(manner.handled_minutes * MINUTE_US))
    return sorted((_alert(person, one) for one in seen), key=lambda alert: (alert.started_at, alert.rule))


def _joining(episode: Episode, hours: float) -> Episode:
    """With the given refractory time where its rule has none."""
    rule = episode.evidence["rule"]
    if rule.get("refractory_hours"):
        return episode
    return replace(episode, evidence={**episode.evidence, "rule": {**rule, "refractory_hours": hours}})


def _alert(person: int, seen: burden.Seen) -> Alert:
    first, last = seen.episodes[0], seen.episodes[-1]
    return Alert(
        person,
        seen.rule,
        seen.raised_at,
        last.ended_at,
        seen.priority,
        last.ending,
        seen.automatic,
        len(seen.episodes),
        all(episode.provisional for episode in seen.episodes),
        first.reason,
        tuple(dict.fromkeys(code for one in seen.episodes for code in about.codes(seen.rule, one.evidence))),
        about.priorities(seen.episodes),
    )


def keys(rule_set: rules.RuleSet, *, silence: bool = False) -> dict[str, frozenset[str]]:
    """Every key that alerts of these rules can have, also of rules that never fired; the codes that each looks at."""
    found: dict[str, frozenset[str]] = {}
    for rule in rule_set.rules:
        key = rules.key_of(rule)
        match rule:
            case rules.Threshold():
                limits = {side: (rule.limit(side, "red"), rule.limit(side, "amber")) for side in ("low", "high")}
                found |= {f"{key}/{side}": frozenset({rule.code}) for side, p in limits.items() if p != (None, None)}
            case rules.News2():
                found[key] = frozenset(news2.INPUT_CODES)
            case rules.Silence():
                found |= {key: frozenset({rule.code})} if silence else {}
            case _:
                found[key] = frozenset(rule.codes)
    return found
