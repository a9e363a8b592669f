"""Resting pulse on home wearables: illnesses found, at the same number of false alerts as a CUSUM's."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from telehealth import errors
from telehealth.study import (
    cells,
    document,
    folding,
    models,
    pulse_baseline,
    pulse_logs,
    resampling,
    rule_sets,
    sources,
)
from telehealth.study.document import Point, Table, Target
from telehealth.study.pulse_logs import Person
from telehealth.study.resampling import Figure

BUDGET = 0.6  #: false alerts per person-month
HIT_DAYS = 7  #: an alert so long before or after the onset finds it
_MONTH = 30.4375
_UNWELL_BEFORE, _UNWELL_AFTER = 14, 28  #: around an onset days are neither healthy nor, outside the hit window, ill
_LEAST_DAYS = 5  #: with a pulse around an onset, or it cannot be found by anybody
SEED = 20_260_101
BOUTS = 6  #: illnesses added to each person's healthy days, at most

#: /min above usual by day from the onset: what is added.
BOUT: Mapping[int, float] = {-2: 1.5, -1: 3.0, 0: 4.5, 1: 6.0, 2: 6.0, 3: 6.0, 4: 5.0, 5: 4.0, 6: 3.0, 7: 2.0, 8: 1.0}

#: Limits tried of both, to have both at the same burden.
CUSUM_LIMITS = tuple(round(2.0 + 0.25 * step, 2) for step in range(29))
ENGINE_LIMITS = tuple(round(2.5 + 0.5 * step, 2) for step in range(19))


@dataclass(frozen=True, slots=True)
class Case:
    """An onset that can be judged: of whom, on which day; added: not a real one."""

    person: int
    onset: int
    added: bool


@dataclass(frozen=True, slots=True)
class Study:
    """What is judged, the same for both."""

    people: tuple[Person, ...]
    healthy: tuple[frozenset[int], ...]  #: by person: days on which an alert is false
    cases: tuple[Case, ...]
    unknown: int  #: people all of whose illnesses are undated: shown, not judged
    resampled: resampling.People

    @property
    def months(self) -> list[float]:
        return [len(days) / _MONTH for days in self.healthy]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one method at one limit. found: by case the day of its alert, from the onset on; None: missed."""

    name: str
    limit: float
    false: tuple[int, ...]  #: by person
    found: tuple[int | None, ...]


Alerts = Callable[[Sequence[Mapping[int, float]]], list[list[int]]]


def run(folder: Path) -> document.Report:
    """The whole study on the wearables of a folder."""
    people, used = pulse_logs.read(folder)
    return _judged(prepare(people), used, ENGINE_LIMITS, CUSUM_LIMITS)


def run_model() -> document.Report:
    """The same study on people who are made up."""
    used = sources.Used(files={"made up (telehealth/study/models.py), not people": "resting pulse and onsets"})
    return _judged(prepare(models.pulses(), bouts=0), used, (3.0, 3.5, 4.0, 4.5), (3.5, 3.75, 4.0, 4.25))


def _judged(
    study: Study, used: sources.Used, engine_limits: Sequence[float], cusum_limits: Sequence[float]
) -> document.Report:
    usual = engine_limit()
    engine = {limit: judge(study, "engine", limit, _engine(limit)) for limit in sorted({usual, *engine_limits})}
    cusum = {limit: judge(study, "CUSUM", limit, _cusum(limit)) for limit in sorted({pulse_baseline.H, *cusum_limits})}
    return report(study, engine, cusum, usual, used)


def prepare(people: Sequence[Person], bouts: int = BOUTS) -> Study:
    """Who and when is judged. Raises Invalid where nobody has a baseline."""
    judged = [person for person in people if person.onset is not None or not person.cases_only]
    healthy = [_healthy(person) for person in judged]
    kept = [
        position
        for position, days in enumerate(healthy)
        if days or (judged[position].onset is not None and _judgeable(judged[position].daily, judged[position].onset))
    ]
    if not kept:
        raise errors.Invalid("--data", "has nobody with 14 days of resting pulse within 28 before a judged day")
    chosen = [judged[position] for position in kept]
    days = [healthy[position] for position in kept]
    cases = [
        Case(position, person.onset, False)
        for position, person in enumerate(chosen)
        if person.onset is not None and _judgeable(person.daily, person.onset)
    ]
    cases += [
        case for position, person in enumerate(chosen) for case in _added(position, person, days[position], bouts)
    ]
    resampled = resampling.People([f"{position}" for position in range(len(chosen))])
    return Study(tuple(chosen), tuple(days), tuple(cases), len(people) - len(judged), resampled)


def _healthy(person: Person) -> frozenset[int]:
    unwell = range(0)
    if person.onset is not None:
        unwell = range(person.onset - _UNWELL_BEFORE, person.onset + _UNWELL_AFTER + 1)
    return frozenset(day for day in person.daily if day not in unwell and pulse_baseline.known(person.daily, day))


def _judgeable(daily: Mapping[int, float], onset: int | None) -> bool:
    if onset is None:
        return False
    seen = [day for day in range(onset - HIT_DAYS, onset + HIT_DAYS + 1) if day in daily]
    return len(seen) >= _LEAST_DAYS and pulse_baseline.known(daily, onset)


def _added(position: int, person: Person, healthy: frozenset[int], bouts: int) -> list[Case]:
    """Seeded onsets on days whose surroundings are healthy, and at least four weeks apart."""
    around = range(-HIT_DAYS, HIT_DAYS + 1)
    unwell = range(0)
    if person.onset is not None:
        unwell = range(person.onset - _UNWELL_BEFORE - HIT_DAYS, person.onset + _UNWELL_AFTER + HIT_DAYS + 1)
    days = [day for day in sorted(healthy) if day not in unwell and _judgeable(person.daily, day)]
    chance = random.Random(f"{SEED} {person.name}")
    chosen: list[int] = []
    for day in chance.sample(days, len(days)):
        if len(chosen) < bouts and all(abs(day - other) >= 2 * len(around) for other in chosen):
            chosen.append(day)
    return [Case(position, day, True) for day in sorted(chosen)]


# Two methods --------------------------------------------------------------------------------------


def engine_limit() -> float:
    """The limit that the packaged pathway has."""
    (rule,) = rule_sets.told(rule_sets.pulse())
    return float(rule["amber"])


def _engine(limit: float) -> Alerts:
    def alerts(logs: Sequence[Mapping[int, float]]) -> list[list[int]]:
        records = [_record(daily) for daily in logs]
        seen = folding.alerts(records, rule_sets.pulse(limit))
        return [[alert.raised_at // cells.DAY_US for alert in one] for one in seen]

    return alerts


def _record(daily: Mapping[int, float]) -> folding.Record:
    days = sorted(daily)
    noon = [day * cells.DAY_US + cells.DAY_US // 2 for day in days]
    return folding.Record(noon, ["resting_pulse"] * len(days), [daily[day] for day in days])


def _cusum(limit: float) -> Alerts:
    return lambda logs: [pulse_baseline.alerts(daily, limit) for daily in logs]


def judge(study: Study, name: str, limit: float, alerts: Alerts) -> Outcome:
    """One method at one limit."""
    plain = alerts([person.daily for person in study.people])
    false = [sum(day in healthy for day in days) for days, healthy in zip(plain, study.healthy, strict=True)]
    added = iter(alerts([_with(study.people[case.person].daily, case.onset) for case in study.cases if case.added]))
    found = [_first(next(added) if case.added else plain[case.person], case.onset) for case in study.cases]
    return Outcome(name, limit, tuple(false), tuple(found))


def _with(daily: Mapping[int, float], onset: int) -> dict[int, float]:
    """The log up to a week after an added illness."""
    return {day: value + BOUT.get(day - onset, 0.0) for day, value in daily.items() if day <= onset + HIT_DAYS}


def _first(days: Sequence[int], onset: int) -> int | None:
    return next((day - onset for day in days if abs(day - onset) <= HIT_DAYS), None)


# The report ---------------------------------------------------------------------------------------


def false_rate(study: Study, outcome: Outcome) -> Figure:
    """False alerts per person-month."""
    return study.resampled.rate(outcome.false, study.months)


def within(study: Study, outcomes: Mapping[float, Outcome]) -> Outcome | None:
    """The lowest limit that keeps to the budget of false alerts; onsets are not looked at."""
    months = sum(study.months)
    return next((one for _, one in sorted(outcomes.items()) if sum(one.false) <= BUDGET * months), None)


def found(study: Study, outcome: Outcome, *, added: bool) -> tuple[list[float], list[float]]:
    """(found, tried) by person, of the real or of the added illnesses."""
    hits, tries = [0.0] * len(study.people), [0.0] * len(study.people)
    for case, day in zip(study.cases, outcome.found, strict=True):
        if case.added == added:
            hits[case.person] += day is not None
            tries[case.person] += 1
    return hits, tries


def _lead(study: Study, outcome: Outcome, *, added: bool) -> str:
    leads = [
        -day for case, day in zip(study.cases, outcome.found, strict=True) if case.added == added and day is not None
    ]
    return f"{statistics.median(leads):g}" if leads else "-"


def report(
    study: Study, engine: Mapping[float, Outcome], cusum: Mapping[float, Outcome], usual: float, used: sources.Used
) -> document.Report:
    own, theirs = within(study, engine), within(study, cusum)
    shipped, published = engine[usual], cusum[pulse_baseline.H]
    real = sum(not case.added for case in study.cases)
    rows = [
        _row(study, "engine, limit of the pathway", shipped),
        _row(study, "CUSUM k 0.75, h 4", published),
        *([_row(study, "engine, at the budget", own)] if own else []),
        *([_row(study, "CUSUM, at the budget", theirs)] if theirs else []),
    ]
    figures: dict[str, object] = {
        "people": len(study.people),
        "healthy_months": round(sum(study.months), 2),
        "onsets": real,
        "added_illnesses": len(study.cases) - real,
        "engine_limit": usual,
        "false_per_month": false_rate(study, shipped),
        "cusum_false_per_month": false_rate(study, published),
    }
    for name, one in (
        ("engine", shipped), ("cusum", published), ("engine_at_budget", own), ("cusum_at_budget", theirs),
    ):  # fmt: skip
        if one is not None:
            figures[f"{name}_limit"] = one.limit
            figures[f"{name}_sensitivity"] = study.resampled.share(*found(study, one, added=False))
            figures[f"{name}_sensitivity_added"] = study.resampled.share(*found(study, one, added=True))
    if own is not None and theirs is not None:
        for name, added in (("", False), ("_added", True)):
            figures[f"sensitivity{name}_above_cusum"] = study.resampled.difference(
                found(study, own, added=added), found(study, theirs, added=added)
            )
    return document.Report(
        "pulse",
        f"At {BUDGET} false alerts per person-month, does the engine find more illnesses by resting pulse than a CUSUM"
        " with the same people and the same burden?",
        (
            f"{len(study.people)} people, {sum(study.months):.1f} person-months of healthy days with a baseline,"
            f" {real} onsets that can be judged",
            *(
                [f"{study.unknown} people of whom is only known that they fell ill, not when: left out"]
                if study.unknown
                else []
            ),
            *used.told(),
            _SOURCE,
        ),
        _METHOD,
        tuple(rule_sets.told(rule_sets.pulse())),
        (
            Table(
                "Illnesses found and false alerts",
                (
                    "method", "limit", "false per person-month", "onsets found", "median lead, days",
                    "added illnesses found", "median lead, days",
                ),
                tuple(rows),
                _others(study, own or shipped),
            ),
            _compared(study, own, theirs),
            _curve(study, engine, cusum),
        ),
        _targets(study, own, theirs),
        tuple(used.notes()),
        tuple(
            Point(f"{one.name}, limit {one.limit:g}", sum(one.false) / sum(study.months), _share(study, one), engine_is)
            for outcomes, engine_is in ((engine, True), (cusum, False))
            for one in outcomes.values()
            if sum(study.months) and sum(one.false) / sum(study.months) <= 2
        ),
        ("false alerts per person-month", "share of all illnesses found, real and added"),
        figures,
    )  # fmt: skip


_SOURCE = (
    "the figures of docs/clinical/performance.md come from Welltory's COVID-19 data (github.com/Welltory/hrv-covid19,"
    " CC0); Mishra 2020 (doi 10.1038/s41551-020-00640-6, MIT) has no dates of onset there"
)

_METHOD = (
    f"Found: an alert is raised from {HIT_DAYS} days before to {HIT_DAYS} days after the onset. An onset is judged"
    f" where at least {_LEAST_DAYS} of those 15 days have a pulse, and 14 of the 28 days before it",
    f"False: an alert on a day with a baseline, more than {_UNWELL_BEFORE} days before and more than {_UNWELL_AFTER}"
    " days after an onset; people without an onset are taken as healthy throughout",
    "CUSUM: k 0.75, h 4, against median and MAD (at least 1/min) of the 28 days before, each day capped at 4; begins"
    " anew after an alert and after 7 days without a value; at most one alert in 7 days",
    f"At the budget: of each method the lowest limit of those tried with at most {BUDGET} false alerts per person-month"
    " on these people; illnesses are not looked at for that, and nothing else is changed",
    "Added illnesses, because there are few onsets: to real healthy days, at most six a person, drawn with seed"
    f" {SEED}; /min above usual by day from the onset: {', '.join(f'{day} +{more:g}' for day, more in BOUT.items())}."
    " The shape is assumed, not published",
)


def _row(study: Study, name: str, one: Outcome) -> tuple[str | int | float | Figure | None, ...]:
    return (
        name,
        f"{one.limit:g}",
        false_rate(study, one),
        study.resampled.share(*found(study, one, added=False)),
        _lead(study, one, added=False),
        study.resampled.share(*found(study, one, added=True)),
        _lead(study, one, added=True),
    )


def _others(study: Study, one: Outcome) -> str:
    rate, real = false_rate(study, one), study.resampled.share(*found(study, one, added=False))
    more = study.resampled.share(*found(study, one, added=True))
    return (
        f"Other people, engine with limit {one.limit:g}: false {rate.others()}, onsets found {real.others()}, added"
        f" illnesses found {more.others()}."
    )


def _share(study: Study, one: Outcome) -> float:
    return sum(day is not None for day in one.found) / max(len(study.cases), 1)


def _curve(study: Study, engine: Mapping[float, Outcome], cusum: Mapping[float, Outcome]) -> Table:
    months = max(sum(study.months), 1e-9)
    rows: list[tuple[str | int | float | Figure | None, ...]] = []
    for outcomes in (engine, cusum):
        for one in outcomes.values():
            real, added = found(study, one, added=False), found(study, one, added=True)
            rows.append(
                (
                    one.name,
                    f"{one.limit:g}",
                    sum(one.false) / months,
                    f"{sum(real[0]):.0f} of {sum(real[1]):.0f}",
                    f"{sum(added[0]):.0f} of {sum(added[1]):.0f}",
                )
            )
    return Table(
        "By limit", ("method", "limit", "false per person-month", "onsets found", "added illnesses found"), tuple(rows)
    )


def _targets(study: Study, own: Outcome | None, theirs: Outcome | None) -> tuple[Target, ...]:
    name = f"sensitivity at {BUDGET} false alerts per person-month"
    if own is None or theirs is None:
        return (Target(name, "-", "a limit within the budget", None),)
    ours, others = found(study, own, added=False), found(study, theirs, added=False)
    difference = study.resampled.difference(ours, others)
    if difference.value is None:
        return (Target(name, "no onset in these data", "above the CUSUM's", None),)
    told = (
        f"{sum(ours[0]):.0f} of {sum(ours[1]):.0f} onsets, CUSUM {sum(others[0]):.0f}, difference {difference.told()}"
    )
    return (Target(name, told, "above the CUSUM's", difference.value > 0),)


def _compared(study: Study, own: Outcome | None, theirs: Outcome | None) -> Table:
    rows: list[tuple[str | int | float | Figure | None, ...]] = []
    if own is not None and theirs is not None:
        for what, added in (("onsets", False), ("added illnesses", True)):
            ours, others = found(study, own, added=added), found(study, theirs, added=added)
            rows.append((what, round(sum(ours[1])), study.resampled.difference(ours, others)))
    return Table(
        "The engine's sensitivity less the CUSUM's, both at the budget", ("of", "number", "difference"), tuple(rows)
    )
