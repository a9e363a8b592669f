"""One transaction of evaluation: fold residents' readings, and bring alerts in step with the episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts import engine, joining, reconcile
from alerts.episodes import Episode
from alerts.state import State
from telehealth.alerting import asking, folding
from telehealth.store import db, episodes, evaluation, loading, plausibility, silence, troubles
from telehealth.store.db import Connection
from telehealth.store.library import Library

ACTOR = db.service("alerting")

#: Residents in one transaction who must be folded anew from an older state, which may mean many readings.
MOST_REFOLDS = 50
#: Readings of those in one transaction, and of those whose newest state is old: live work waits for the whole fold.
MOST_READINGS = 12_000
#: Residents who may be much work and are looked at first for how much it is; while it is little, twice as many more.
_FIRST_WEIGHED = 8
#: A newest state older than this may have many readings after it.
_OLD = timedelta(minutes=15)


@dataclass(frozen=True)
class Moment:
    """When an evaluation happens: clinical now, how far time-driven rules may fire, and real time.

    until: readings after it wait. Under a virtual clock that is the horizon: the readings of a step
    come in any order, and a late one of one device must not make time pass for the others. Under the
    real clock nothing waits: a device that is ahead by some seconds is judged at once.
    """

    now: datetime
    horizon: datetime
    real: datetime
    until: datetime = evaluation.END


async def evaluate(
    connection: Connection, resident_ids: Sequence[int], moment: Moment, library: Library, *, late: bool = True
) -> evaluation.Done:
    """Do the due work of those residents whom nobody else holds; returns how much. All or nothing.

    late False: only what is live; what came late stays due, and is folded in when its turn comes.
    """
    taken = await evaluation.take_residents(connection, resident_ids, moment.horizon, until=moment.until, late=late)
    versions = await loading.versions(connection, list(taken.subjects), library)
    bases = {
        i: base
        for i, base in (await evaluation.checkpoints(connection, taken)).items()
        if engine.fits(base.state, versions.get(i, ()))
    }
    left = await _too_much(connection, taken, bases, moment)
    if left:
        taken.keep(i for i in taken.subjects if i not in left)
    if not taken.subjects:
        return taken.done()
    states = {i: base.state for i, base in bases.items() if i in taken.subjects}
    load = await loading.load(connection, taken, states, versions, library, until=moment.until)
    results = await folding.fold(connection, load, evaluation.micros(moment.horizon))
    await _follow(connection, taken, results, states, moment)
    silent = [r.resident for r in results if any(key.startswith(silence.PREFIX) for key in r.state.tracks)]
    await silence.explain(connection, silent, now=moment.now)
    await plausibility.judge(connection, taken, now=moment.now)
    await evaluation.finish(connection, taken, results, bases, moment.real)
    if moment.until != evaluation.END:
        await evaluation.hold_back(connection, taken, moment.until, moment.real)
    return taken.done()


async def _too_much(
    connection: Connection,
    taken: evaluation.Taken,
    bases: Mapping[int, evaluation.Base],
    moment: Moment,
) -> set[int]:
    """Residents to leave to a later transaction: of those who may be much work, those who are little go first."""
    old = evaluation.micros(moment.now - _OLD)
    heavy = [i for i in taken.subjects if i not in bases or bases[i].kind != "head" or bases[i].state.through < old]
    if moment.until != evaluation.END:
        # Under a virtual clock nothing live waits, and the newest state is as old as the step.
        return set([i for i in heavy if i not in bases or bases[i].kind != "head"][MOST_REFOLDS:])
    # Who has waited longest comes first, whatever it takes: nobody waits for ever. Beside that one, those who turn out
    # to be little work, the newest first: what has just come in does not wait behind many who are much work.
    heavy.sort(key=lambda i: min(work.id for work in taken.work[i]))
    kept, room, few = set(heavy[:1]), MOST_READINGS, _FIRST_WEIGHED
    waiting = sorted(heavy[1:], key=lambda i: -max(work.id for work in taken.work[i]))
    while waiting and room > 0:
        weighed, waiting = waiting[:few], waiting[few:]
        since = {i: evaluation.moment(bases[i].state.through) if i in bases else evaluation.BEGINNING for i in weighed}
        weights = await evaluation.weights(connection, since, MOST_READINGS)
        for i in sorted(weighed, key=lambda i: weights[i]):
            room -= weights[i]
            if room >= 0:
                kept.add(i)
        few *= 2
    return set(heavy) - kept


async def _follow(
    connection: Connection,
    taken: evaluation.Taken,
    results: Sequence[engine.Result],
    states: Mapping[int, State],
    moment: Moment,
) -> None:
    since = {i: states[i].through if i in states else evaluation.BEGINNING_US for i in taken.subjects}
    folded = {result.resident: result.episodes for result in results}
    await troubles.over(connection, taken.subjects, now=moment.now, actor=ACTOR)
    stored = await evaluation.touched(connection, since)
    changing = {
        i: since[i]
        for i, found in folded.items()
        if {(episode.rule, episode.started_at): episode for episode in found} != stored.get(i, {})
    }
    if not changing:
        return
    # What ended before, but so lately that a further episode joins its alert, decides as well.
    reach = {i: max(at - joining.reach_us(folded[i]), evaluation.BEGINNING_US) for i, at in changing.items()}
    history = await evaluation.history(connection, reach)
    planned = plan(taken.subjects, {i: folded[i] for i in changing}, history, changing, moment.now)
    await episodes.apply(connection, planned, now=moment.now, actor=ACTOR)
    await asking.ask(connection, planned, results, now=moment.now)
    await asking.tell(connection, planned, now=moment.now)


def plan(
    subjects: Mapping[int, evaluation.Subject],
    folded: Mapping[int, Sequence[Episode]],
    stored: evaluation.History,
    since: Mapping[int, int],
    now: datetime,
) -> list[episodes.Planned]:
    """What to write, by (subject, rule); what needs nothing is left out."""
    by_rule: dict[evaluation.Key, list[Episode]] = {}
    for subject_id, found in folded.items():
        for episode in found:
            by_rule.setdefault((subject_id, episode.rule), []).append(episode)
    now_us = evaluation.micros(now)
    planned = []
    for key in sorted(by_rule.keys() | stored.episodes.keys()):
        subject_id, rule = key
        before = stored.episodes.get(key, [])
        what = reconcile.plan(stored.alerts.get(key, []), before, by_rule.get(key, []), since[subject_id], now_us)
        if not episodes.empty(what):
            known = {s.episode.started_at: s.episode_id for s in before if s.episode_id not in what.remove}
            planned.append(episodes.Planned(subjects[subject_id], rule, what, known))
    return planned
