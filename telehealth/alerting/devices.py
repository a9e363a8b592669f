"""What is wrong with devices: red readings that belong to nobody, clocks (alerting.clocks), nothing but nonsense
(store.nonsense), and what wears out or falls silent (alerting.technical).

Nobody's are those of a device without a resident, or of a clock that cannot be believed.

No rule of a resident can fire on them, so they raise a technical alert on the device's ward. Its
episode lasts from the first red reading to the first that is not red, the device's next assignment,
or a day after the last red one: a pure function of the readings and assignments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from alerts import codes, pathways, reasons
from alerts.episodes import Episode
from telehealth.alerting import clocks, residents, technical
from telehealth.alerting.residents import ACTOR, Moment
from telehealth.store import clocks as clock_store
from telehealth.store import episodes, evaluation, nonsense, silence, troubles, unattributed
from telehealth.store.db import Connection
from telehealth.store.library import Library
from telehealth.store.unattributed import Reading

_LASTS_US = timedelta(days=1) // timedelta(microseconds=1)


async def evaluate(
    connection: Connection, device_pks: Sequence[int], moment: Moment, library: Library
) -> evaluation.Done:
    """Do the due work of those devices that nobody else holds; returns how much. All or nothing."""
    taken = await evaluation.take_devices(connection, device_pks, moment.horizon)
    if not taken.subjects:
        return taken.done()
    since = await unattributed.since(connection, taken)
    given = await unattributed.load(connection, since, library)
    horizon = evaluation.micros(moment.horizon)
    wrong = await clock_store.periods(connection, since)
    broken, wakes = await technical.judge(connection, list(taken.subjects), since, moment.now)
    folded = {
        i: [
            *fold(i, given.readings.get(i, ()), given.assigned.get(i, ())),
            *clocks.episodes(i, wrong.get(i, ())),
            *broken[i],
        ]
        for i in taken.subjects
    }
    known = {i: [until(episode, horizon) for episode in found] for i, found in folded.items()}
    # One microsecond before: what began exactly then is part of what is decided anew.
    before = {i: evaluation.micros(at) - 1 for i, at in since.items()}
    stored = await evaluation.history(connection, before, devices=True)
    await troubles.over(connection, taken.subjects, now=moment.now, actor=ACTOR)
    planned = residents.plan(taken.subjects, known, stored, before, moment.now)
    await episodes.apply(connection, planned, now=moment.now, actor=ACTOR)
    again = await nonsense.decide(connection, taken.subjects, now=moment.now, actor=ACTOR)
    speaking = [i for i in taken.subjects if any(work.cause == "status" for work in taken.work[i])]
    if speaking:
        await silence.explain(connection, await silence.of_devices(connection, speaking, moment.now), now=moment.now)
    looks = {i: _wake(found, horizon, again.get(i), wakes.get(i)) for i, found in folded.items()}
    await unattributed.finish(connection, taken, looks, moment.real)
    return taken.done()


def fold(device_pk: int, readings: Sequence[Reading], assigned: Sequence[int]) -> list[Episode]:
    """Episodes of one device, each with the end that it has or will have if nothing else comes.

    readings: of nobody; assigned: when assignments begin. Times in microseconds since the epoch.
    """
    return [
        episode
        for rule, series in sorted(_by_rule(readings).items())
        for episode in _episodes(device_pk, rule, series, assigned)
    ]


def until(episode: Episode, horizon: int) -> Episode:
    """The episode as it is known at the horizon: an end that is still to come is none."""
    if episode.ended_at is not None and episode.ended_at <= horizon:
        return episode
    evidence = {key: value for key, value in episode.evidence.items() if key != "ended"}
    return replace(episode, ended_at=None, ending=None, evidence=evidence)


def _wake(found: Sequence[Episode], horizon: int, *also: int | None) -> int | None:
    ends = [e.ended_at for e in found if e.ended_at is not None and e.ended_at > horizon]
    return min([*ends, *(at for at in also if at is not None)], default=None)


class _Sample(NamedTuple):
    """One reading as a rule sees it; why: red on the rule's side, in words, or None."""

    at: int
    code: str
    value: float
    why: str | None


def _by_rule(readings: Sequence[Reading]) -> Mapping[str, list[_Sample]]:
    found: dict[str, list[_Sample]] = {}
    for reading in sorted(readings, key=lambda r: (r.at, r.code, r.identity)):
        value = codes.encode(reading.value, reading.value_code)
        if math.isnan(value) or reading.code not in codes.INDEX:
            continue
        family = "unassigned" if reading.time_known else "clock"
        red = (reading.rules or pathways.unassigned()).red(reading.code, value)
        for side in ("low", "high"):
            why = red[1] if red is not None and red[0] == side else None
            sample = _Sample(reading.at, reading.code, value, why)
            found.setdefault(f"{family}/{reading.code}/{side}", []).append(sample)
    return found


def _episodes(device_pk: int, rule: str, series: Sequence[_Sample], assigned: Sequence[int]) -> Iterator[Episode]:
    run: list[_Sample] = []
    # Where values of one moment differ (those of unknown time that came together do), red counts.
    reds = {sample.at for sample in series if sample.why is not None}
    for sample in series:
        if sample.why is None and sample.at in reds:
            continue
        if run and (sample.why is None or _end(run, assigned) <= sample.at):
            yield _episode(device_pk, rule, run, min(sample.at, _end(run, assigned)))
            run = []
        if sample.why is not None:
            run.append(sample)
    if run:
        yield _episode(device_pk, rule, run, _end(run, assigned))


def _end(run: Sequence[_Sample], assigned: Sequence[int]) -> int:
    return min([run[-1].at + _LASTS_US, *(at for at in assigned if at > run[0].at)])


def _episode(device_pk: int, rule: str, run: Sequence[_Sample], ended_at: int) -> Episode:
    sign = 1 if rule.endswith("/high") else -1
    peak = max(run, key=lambda sample: (sign * sample.value, -sample.at))
    known = rule.startswith("unassigned/")
    reason = f"{peak.why}; {'from a device without a resident' if known else 'device clock wrong, time unknown'}"
    return Episode(
        resident=device_pk,
        rule=rule,
        started_at=run[0].at,
        ended_at=ended_at,
        ending="cleared",
        peak_at=peak.at,
        peak_value=peak.value,
        priority="high",
        level="red",
        provisional=False,
        reason=reason,
        evidence={
            "level": "red",
            "reason": reason,
            "code": peak.code,
            "time_known": known,
            "readings": len(run),
            "peak": {"at": reasons.instant(peak.at), "shown": codes.shown(peak.code, peak.value)},
            "last": {"at": reasons.instant(run[-1].at), "shown": codes.shown(peak.code, run[-1].value)},
            "ended": {"at": reasons.instant(ended_at), "how": "cleared"},
            "clears_when": "a reading within limits, an assignment of the device, or a day without another red one",
        },
    )
