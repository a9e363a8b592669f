"""Resting pulse on home wearables: illnesses found, at the same number of false alerts as a CUSUM's."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from telehealth.study import (
    document,
    models,
    pulse_baseline,
    pulse_cases,
    pulse_logs,
    pulse_methods,
    rule_sets,
    sources,
)
from telehealth.study.document import Point, Table, Target
from telehealth.study.pulse_cases import Study
from telehealth.study.pulse_methods import Method, Outcome
from telehealth.study.resampling import Figure

BUDGET = 0.6  #: false alerts per person-month
#: People of each further set of assumptions.
_OTHERS = 400


def run(folder: Path) -> document.Report:
    """The whole study on the wearables of a folder."""
    people, used = pulse_logs.read(folder)
    return report(pulse_cases.prepare(people), used)


def run_model() -> document.Report:
    """The same study on people who are made up, by one set of assumptions after the other."""
    used = sources.Used(files={"made up (telehealth/study/models.py), not people": "resting pulse and onsets"})
    usual, *others = models.KINDS_OF_PULSE.values()
    assumed = [_assumed(kind, models.SEED + number) for number, kind in enumerate(others, start=1)]
    return report(pulse_cases.prepare(models.pulses(kind=usual), bouts=0), used, assumed)


def _assumed(kind: models.Pulse, seed: int) -> Sequence[str | int | float | Figure | None]:
    """Both at the budget, on people of other assumptions, and drawn anew."""
    study = pulse_cases.prepare(models.pulses(_OTHERS, seed=seed, kind=kind), bouts=0)
    both = [_at_budget(study, method) for method in (pulse_methods.engine(study), pulse_methods.cusum(study))]
    hits = [None if one is None else found(study, one, added=False) for one in both]
    return (
        kind.told,
        *(None if hit is None else study.resampled.share(*hit) for hit in hits),
        None if hits[0] is None or hits[1] is None else study.resampled.difference(hits[0], hits[1]),
    )


def _at_budget(study: Study, method: Method) -> Outcome | None:
    limit = method.within(BUDGET)
    return None if limit is None else method.outcome(limit)


def engine_limit() -> float:
    """The limit that the packaged pathway has."""
    (rule,) = rule_sets.told(rule_sets.pulse())
    return float(rule["amber"])


def false_rate(study: Study, outcome: Outcome) -> Figure:
    """False alerts per person-month."""
    return study.resampled.rate(outcome.false, study.months)


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
    study: Study, used: sources.Used, assumed: Sequence[Sequence[str | int | float | Figure | None]] = ()
) -> document.Report:
    """assumed: the same on other made-up people, as rows."""
    engine, cusum = pulse_methods.engine(study), pulse_methods.cusum(study)
    shipped, published = engine.outcome(engine_limit()), cusum.outcome(pulse_baseline.H)
    own, theirs = _at_budget(study, engine), _at_budget(study, cusum)
    judged = {
        "engine": ("engine, limit of the pathway", shipped),
        "cusum": ("CUSUM k 0.75, h 4", published),
        "engine_at_budget": ("engine, at the budget", own),
        "cusum_at_budget": ("CUSUM, at the budget", theirs),
        "engine_left_out": ("engine, limit of the others", engine.left_out(BUDGET)),
        "cusum_left_out": ("CUSUM, limit of the others", cusum.left_out(BUDGET)),
    }
    curve = [method.outcome(limit) for method in (engine, cusum) for limit in method.tried(everything=not assumed)]
    return document.Report(
        "pulse",
        f"At {BUDGET} false alerts per person-month, does the engine find more illnesses by resting pulse than a CUSUM"
        " with the same people and the same burden?",
        (
            f"{len(study.people)} people, {sum(study.months):.1f} person-months of healthy days with a baseline,"
            f" {sum(not case.added for case in study.cases)} onsets that can be judged",
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
                tuple(_row(study, name, one) for name, one in judged.values() if one is not None),
                _others(study, own or shipped),
            ),
            _compared(study, own, theirs),
            *([_by_assumption(assumed)] if assumed else []),
            _curve(study, curve),
        ),
        _targets(study, own, theirs),
        tuple(used.notes()),
        tuple(
            Point(
                f"{one.name}, limit {one.limit:g}",
                sum(one.false) / sum(study.months),
                _share(study, one),
                one.name == engine.name,
            )
            for one in curve
            if sum(study.months) and sum(one.false) / sum(study.months) <= 2
        ),
        ("false alerts per person-month", "share of all illnesses found, real and added"),
        _figures(study, {name: one for name, (_, one) in judged.items() if one is not None}),
    )  # fmt: skip


def _figures(study: Study, judged: dict[str, Outcome]) -> dict[str, object]:
    """For JSON: what the tables say, by name."""
    real = sum(not case.added for case in study.cases)
    figures: dict[str, object] = {
        "people": len(study.people),
        "healthy_months": round(sum(study.months), 2),
        "onsets": real,
        "added_illnesses": len(study.cases) - real,
        "engine_limit": engine_limit(),
        "false_per_month": false_rate(study, judged["engine"]),
        "cusum_false_per_month": false_rate(study, judged["cusum"]),
    }
    for name, one in judged.items():
        figures[f"{name}_limit"] = one.limit
        figures[f"{name}_sensitivity"] = study.resampled.share(*found(study, one, added=False))
        figures[f"{name}_sensitivity_added"] = study.resampled.share(*found(study, one, added=True))
    own, theirs = judged.get("engine_at_budget"), judged.get("cusum_at_budget")
    if own is not None and theirs is not None:
        for name, added in (("", False), ("_added", True)):
            figures[f"sensitivity{name}_above_cusum"] = study.resampled.difference(
                found(study, own, added=added), found(study, theirs, added=added)
            )
    return figures


_SOURCE = (
    "the figures of docs/clinical/performance.md come from Welltory's COVID-19 data (github.com/Welltory/hrv-covid19,"
    " CC0); Mishra 2020 (doi 10.1038/s41551-020-00640-6, MIT) has no dates of onset there"
)

_METHOD = (
    f"Found: an alert is raised from {pulse_cases.HIT_DAYS} days before to {pulse_cases.HIT_DAYS} days after the onset."
    f" An onset is judged where at least {pulse_cases.LEAST_DAYS} of those 15 days have a pulse, and 14 of the 28 days"
    " before it",
    f"False: an alert on a day with a baseline, more than {pulse_cases.UNWELL_BEFORE} days before and more than"
    f" {pulse_cases.UNWELL_AFTER} days after an onset; people without an onset are taken as healthy throughout",
    "CUSUM: k 0.75, h 4, against median and MAD (at least 1/min) of the 28 days before, each day capped at 4; begins"
    " anew after an alert and after 7 days without a value; at most one alert in 7 days",
    f"At the budget: of each method the lowest limit with at most {BUDGET} false alerts per person-month on these"
    " people, tried in steps of 0.5 and then of 0.1; illnesses are not looked at for that, and nothing else is changed",
    "Limit of the others: each person, healthy and ill, at the limit that everybody but them would have given",
    f"Added illnesses, because there are few onsets: to at most {pulse_cases.BOUTS} real healthy days a person, drawn"
    f" with seed {pulse_cases.SEED}, each of them alone; /min above usual by day from the onset:"
    f" {', '.join(f'{day} +{more:g}' for day, more in pulse_cases.BOUT.items())}."
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


def _by_assumption(rows: Sequence[Sequence[str | int | float | Figure | None]]) -> Table:
    return Table(
        "The same on people of other assumptions, both at the budget",
        ("assumed", "engine, onsets found", "CUSUM, onsets found", "difference"),
        tuple(tuple(row) for row in rows),
    )


def _curve(study: Study, outcomes: Sequence[Outcome]) -> Table:
    months = max(sum(study.months), 1e-9)
    rows: list[tuple[str | int | float | Figure | None, ...]] = []
    for one in outcomes:
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
