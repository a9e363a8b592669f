"""The fold: readings, rule versions, pauses and due times of many residents into episodes.

A pure function: no clock, no IO. The same set of events gives the same episodes, folded at once or from
any checkpoint, in whatever order they were handed over.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alerts import book, course, errors, judged, news2, rules, timeline, walk
from alerts.codes import CODES
from alerts.course import Spell
from alerts.episodes import Episode
from alerts.kinds.base import Finding, Keep
from alerts.state import State

__all__ = ["Episode", "Result", "Spell", "State", "Subject", "fold"]


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
    readings: int = 0  #: folded since the given state


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where one subject's rows are and what holds for them."""

    subject: Subject
    line: course.Course
    start: int  #: where the fold goes on
    end: int
    first: int  #: its rows are rows[first:stop]
    stop: int
    piece: int  #: of the course at `start`
    steady: bool  #: no boundary between start and end
    kept: Mapping[str, Keep]  #: how much of each code's history is kept


def fold(subjects: Sequence[Subject], readings: timeline.Timeline, now_us: int) -> list[Result]:
    """Folds every given reading after each subject's state, in order; results in the order of `subjects`.

    Time-driven rules fire up to `now_us`, and up to the last reading given where that is later. Readings at or
    before a state's `through`, and of residents who are no subject, are left out. On a boundary: spell, pause
    and rule version first (intervals are half open), then readings, then deadlines. Raises InputError when a
    resident is named twice or has overlapping spells.
    """
    if not subjects:
        return []
    with _no_collection():
        return _fold(subjects, readings, now_us)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """A fold makes no cycles. Looking for them meanwhile, through everybody's history, took half of its time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _fold(subjects: Sequence[Subject], readings: timeline.Timeline, now_us: int) -> list[Result]:
    rows, plans = _plans(subjects, readings, now_us)
    if len(rows) == 0:
        return [_folded(plan, [], None, unusual=False) for plan in plans]
    verdicts, live, subject_of_row = _judge(rows, plans)
    unusual = (verdicts.low_level + verdicts.high_level) > 0
    if verdicts.warnings is not None:
        unusual |= (verdicts.warnings.row_of >= 0) & (verdicts.warnings.level[verdicts.warnings.row_of] > 0)
    anything = np.bincount(subject_of_row, weights=unusual, minlength=len(plans)) > 0
    columns = _Columns(rows, verdicts, live.tolist())
    return [
        _folded(plan, columns.plain(plan.first, plan.stop), columns, unusual=bool(anything[position]))
        for position, plan in enumerate(plans)
    ]


# Preparation --------------------------------------------------------------------------------------


def _plans(
    subjects: Sequence[Subject], readings: timeline.Timeline, now_us: int
) -> tuple[timeline.Timeline, list[_Plan]]:
    """Keeps the rows that are new to their subject, and finds each subject's."""
    residents = np.array([subject.resident for subject in subjects], np.int64)
    order = np.argsort(residents, kind="stable")
    ranked = residents[order]
    if len(ranked) > 1 and (ranked[1:] == ranked[:-1]).any():
        raise errors.InputError("a resident is named twice")
    lines = [course.lay(subject.versions, subject.spells, subject.pauses) for subject in subjects]
    starts = [_start(subject) for subject in subjects]
    through = np.array(
        [start if subject.state is not None else _EVER for subject, start in zip(subjects, starts, strict=True)],
        np.int64,
    )
    position = np.minimum(np.searchsorted(ranked, readings.resident), len(ranked) - 1)
    keep = (ranked[position] == readings.resident) & (readings.at > through[order][position])
    rows = (
        readings
        if keep.all()
        else timeline.Timeline(
            readings.resident[keep],
            readings.at[keep],
            readings.code[keep],
            readings.low[keep],
            readings.high[keep],
            readings.quality[keep],
        )
    )
    first = np.searchsorted(rows.resident, residents, side="left").tolist()
    stop = np.searchsorted(rows.resident, residents, side="right").tolist()
    plans = []
    for subject, line, start, low, high in zip(subjects, lines, starts, first, stop, strict=True):
        end = max(now_us, int(rows.at[high - 1])) if high > low else now_us
        piece = line.piece(start)
        steady = piece == len(line.cuts) or line.cuts[piece] > end
        plans.append(_Plan(subject, line, start, max(end, start), low, high, piece, steady, _kept(subject)))
    return rows, plans


_EVER = -(2**62)


def fits(state: State, versions: Sequence[tuple[int, rules.RuleSet]]) -> bool:
    """Whether the state holds the history that these rules need; else fold from the beginning."""
    return _within(_followed(versions), state.kept)


def _within(needed: Mapping[str, Keep], kept: Mapping[str, Keep]) -> bool:
    return needed == kept or all(code in kept and kept[code].both(keep) == kept[code] for code, keep in needed.items())


def _kept(subject: Subject) -> Mapping[str, Keep]:
    needed = _followed(subject.versions)
    if subject.state is None:
        return needed
    if _within(needed, subject.state.kept):
        return subject.state.kept
    raise errors.InputError("the state lacks history that the rules need: fold from the beginning")


def _followed(versions: Sequence[tuple[int, rules.RuleSet]]) -> Mapping[str, Keep]:
    if len(versions) == 1:
        return versions[0][1].followed
    found: dict[str, Keep] = {}
    for _, rule_set in versions:
        for code, keep in rule_set.followed.items():
            found[code] = keep.both(found.get(code, keep))
    return found


def _start(subject: Subject) -> int:
    """Where to go on; without a state, where the first spell begins: nothing before it can matter."""
    if subject.state is not None:
        return subject.state.through
    return min((spell.started_at for spell in subject.spells), default=0)


def _judge(rows: timeline.Timeline, plans: Sequence[_Plan]) -> tuple[judged.Judged, judged.Flags, judged.Integers]:
    sets: dict[int, int] = {}
    used: list[rules.RuleSet] = []
    subject_of_row, segment, set_of_row = (np.zeros(len(rows), np.int64) for _ in range(3))
    live = np.zeros(len(rows), bool)
    seeded = np.full(len(plans), -1)
    number = 0
    for position in sorted(range(len(plans)), key=lambda position: plans[position].first):
        plan = plans[position]
        if plan.first == plan.stop:
            continue
        subject_of_row[plan.first : plan.stop] = position
        number += 1
        before: course.Monitored | None = None
        for low, high, piece in _runs(plan, rows.at):
            stay, rule_set = plan.line.monitored[piece], plan.line.sets[piece]
            number += stay is not before
            before = stay
            which = sets.setdefault(id(rule_set), len(used))
            if which == len(used):
                used.append(rule_set)
            segment[low:high] = number
            set_of_row[low:high] = which
            live[low:high] = stay is not None
            if stay is not None and stay is plan.line.monitored[plan.piece]:
                seeded[position] = number
    states = [plan.subject.state for plan in plans]
    zones = [plan.subject.zone for plan in plans]
    verdicts = judged.judge(rows, subject_of_row, segment, live, used, set_of_row, states, seeded, zones)
    return verdicts, live, subject_of_row


def _runs(plan: _Plan, at: judged.Integers) -> list[tuple[int, int, int]]:
    """(first, stop, piece) of the subject's rows, cut where its course is."""
    if plan.steady and at[plan.first] > plan.start:
        return [(plan.first, plan.stop, plan.piece)]
    pieces = np.searchsorted(np.array(plan.line.cuts, np.int64), at[plan.first : plan.stop], side="right")
    bounds = [0, *(np.flatnonzero(np.diff(pieces)) + 1).tolist(), len(pieces)]
    return [(plan.first + low, plan.first + high, int(pieces[low])) for low, high in itertools.pairwise(bounds)]


#: at, code, low, high, quality, live
_Plain = tuple[int, str, float, float, int, bool]


class _Columns:
    """The columns as Python lists, made once: element access is what the sequential part does."""

    def __init__(self, rows: timeline.Timeline, verdicts: judged.Judged, live: list[bool]) -> None:
        self.at = rows.at.tolist()
        self.code = [CODES[code] for code in rows.code.tolist()]
        self.low, self.high, self.quality = rows.low.tolist(), rows.high.tolist(), rows.quality.tolist()
        self.live = live
        self.verdicts = verdicts

    def plain(self, low: int, high: int) -> list[_Plain]:
        part = slice(low, high)
        return list(
            zip(
                self.at[part],
                self.code[part],
                self.low[part],
                self.high[part],
                self.quality[part],
                self.live[part],
                strict=True,
            )
        )

    def judged(self, low: int, high: int) -> list[walk.Row]:
        part = slice(low, high)
        verdicts = self.verdicts
        return [
            walk.Row(*plain, low_level, high_level, low_clears, high_clears, None)
            for plain, low_level, high_level, low_clears, high_clears in zip(
                self.plain(low, high),
                verdicts.low_level[part].tolist(),
                verdicts.high_level[part].tolist(),
                verdicts.low_clears[part].tolist(),
                verdicts.high_clears[part].tolist(),
                strict=True,
            )
        ]

    def warning(self, row: int, *, wanted: bool) -> tuple[int, list[Any]] | None:
        """(level, sample) of the score that a row completes; None where there is none or nobody wants a normal one."""
        scores = self.verdicts.warnings
        if scores is None:
            return None
        column = int(scores.row_of[row])
        if column < 0 or not (wanted or scores.level[column]):
            return None
        inputs = [
            [code, value if value == value else None, at, points, quality, fresh]
            for code, value, at, points, quality, fresh in zip(
                news2.INPUT_CODES,
                scores.value[:, column].tolist(),
                scores.at[:, column].tolist(),
                scores.points[:, column].tolist(),
                scores.quality[:, column].tolist(),
                scores.fresh[:, column].tolist(),
                strict=True,
            )
        ]
        quality = 0
        for entry in inputs:
            quality |= entry[4] if entry[3] > 0 else 0
        return int(scores.level[column]), [self.at[row], int(scores.total[column]), quality, inputs]


# The two ways through -----------------------------------------------------------------------------


def _is_quiet(plan: _Plan, anything: bool) -> bool:
    """Nothing out of limits, nothing pending or open, no boundary and no missed deadline in reach."""
    state = plan.subject.state
    if anything or not plan.steady or (state is not None and state.tracks):
        return False
    stay = plan.line.monitored[plan.piece]
    if stay is None:
        return True
    last, away = ({}, {}) if state is None else (state.last, state.away)
    deadline = walk.next_deadline(stay, plan.line.sets[plan.piece], last, away, plan.start)
    return deadline is None or deadline.at > plan.end


def _folded(plan: _Plan, rows: list[_Plain], columns: _Columns | None, *, unusual: bool) -> Result:
    result = _quiet(plan, rows) if _is_quiet(plan, unusual) else None
    if result is None:
        judged_rows = [] if columns is None else columns.judged(plan.first, plan.stop)
        result = _walked(plan, judged_rows, columns)
    return result


def _quiet(plan: _Plan, rows: list[_Plain]) -> Result | None:
    """The result where nothing happens; None: a history is out of the ordinary, which has to be walked."""
    state = plan.subject.state
    through = plan.start if state is not None else plan.start - 1
    last = {} if state is None else dict(state.last)
    failed = {} if state is None else dict(state.failed)
    away = {} if state is None else dict(state.away)
    daily = []
    midnight = None if state is None else (through // walk.DAY_US + 1) * walk.DAY_US
    rule_set, kept = plan.line.sets[plan.piece], plan.kept
    desk = book.Desk(plan.subject.zone, kept, {} if state is None else state.pages, last.get, _nothing_open)
    paused = plan.line.paused if plan.line.pauses else _never
    read: list[str] = []
    span = _SEVERAL
    for at, code, low, high, quality, live in rows:
        if read and at != desk.at:
            if _finds(rule_set, desk, read, *span):
                return None
            read = []
        if midnight is None or at >= midnight:
            today = at // walk.DAY_US * walk.DAY_US
            if midnight is not None:
                daily.append(State(today - 1, dict(last), dict(failed), {}, kept, desk.pages(), dict(away)))
            midnight = today + walk.DAY_US
        through = at
        if code in kept and not paused(at):
            desk.note(at, code, low, high, quality, False)
        if not live:
            if low == low and paused(at):
                away[code] = at
            continue
        if low == low:
            last[code] = [at, low, high, quality, 0]  # red is not quiet
            if code in rule_set.assessed and not quality & timeline.POOR:
                read.append(code)
                span = (low, high) if len(read) == 1 else _SEVERAL
        else:
            failed[code] = at
    if read and _finds(rule_set, desk, read, *span):
        return None
    stay, line = plan.line.monitored[plan.piece], plan.line
    cut = line.cuts[plan.piece] if plan.piece < len(line.cuts) else None
    wake_at = walk.wake(stay, rule_set, last, away, cut, [], plan.end)
    head = State(through, last, failed, {}, kept, desk.pages(), away)
    return Result(plan.subject.resident, (), head, tuple(daily), wake_at, len(rows))


#: What is known of the value where several are read at one moment.
_SEVERAL = (math.nan, math.nan)


def _finds(rule_set: rules.RuleSet, desk: book.Desk, read: list[str], low: float, high: float) -> bool:
    for watch in rule_set.looking_at(read):
        if walk.asked(watch, desk, low, high, watched=False):
            found = watch.rule.assess(desk)
            if isinstance(found, Finding) and found.level:
                return True
    return False


def _never(_: int) -> bool:
    return False


def _nothing_open(_: str) -> int:
    return 0


def _walked(plan: _Plan, rows: list[walk.Row], columns: _Columns | None) -> Result:
    subject = plan.subject
    path = walk.Walk(subject.resident, subject.zone, plan.line, subject.state, plan.start, plan.kept)
    for offset, row in enumerate(rows):
        warning = None if columns is None else columns.warning(plan.first + offset, wanted="news2" in path.tracks)
        path.reading(row if warning is None else row._replace(warning=warning))
    episodes, wake_at = path.finish(plan.end)
    return Result(subject.resident, episodes, path.state(), tuple(path.daily), wake_at, len(rows))
