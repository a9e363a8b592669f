"""Hourly vital signs in hospital: sepsis found, at the burden of plain NEWS2 of 5 or more."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alerts import burden
from telehealth.study import document, folding, hospital_stays, plain_news2, resampling, rule_sets, sources
from telehealth.study.document import Point, Table, Target
from telehealth.study.hospital_stays import Stay
from telehealth.study.resampling import Figure

HOUR_US = 3_600_000_000
#: The engine's operating point: one alert for what comes again within a day, unless it is worse.
REFRACTORY_HOURS = 24
_ENGINE_JOINS = (0, 12, 24, 48)
_PLAIN_JOINS = (0, 4, 8, 12, 24, 48)
_LIMITS = (5, 4, 6, 7)
NEAR_HOURS = 48


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one method: by stay the hours of its calls before the stay's end or the onset."""

    name: str
    own: bool
    join_hours: int
    calls: tuple[tuple[int, ...], ...]


def run(folder: Path) -> document.Report:
    """The whole study on the stays of a folder."""
    stays, used = hospital_stays.read(folder)
    engine = [_engine(stays, hours) for hours in _ENGINE_JOINS]
    totals = [plain_news2.scores(stay) for stay in stays]
    plain = [_plain(stays, totals, limit, hours) for limit in _LIMITS for hours in _PLAIN_JOINS]
    return report(stays, engine, plain, used)


def _engine(stays: Sequence[Stay], refractory_hours: int) -> Outcome:
    """Every time an alert is shown as new, or again because it is worse."""
    records = [_record(stay) for stay in stays]
    seen = folding.alerts(records, rule_sets.hospital(refractory_hours))
    calls = []
    for stay, alerts in zip(stays, seen, strict=True):
        hours = sorted(hour for alert in alerts for hour in _hours(alert))
        calls.append(tuple(hour for hour in hours if hour < stay.stop))
    return Outcome(
        f"engine, NEWS2 with all bands, refractory {refractory_hours} h", True, refractory_hours, tuple(calls)
    )


def _hours(alert: burden.Seen) -> list[int]:
    """When it was raised; and when a later episode of it called again because it was worse than those before."""
    found = [alert.raised_at // HOUR_US]
    worst = folding.rank(alert.episodes[0])
    for episode in alert.episodes[1:]:
        if folding.rank(episode) > worst:
            worst = folding.rank(episode)
            found.append(episode.started_at // HOUR_US)
    return found


def _record(stay: Stay) -> folding.Record:
    rows = [(hour * HOUR_US, code, value) for code, by_hour in stay.values.items() for hour, value in by_hour.items()]
    # A chart that begins without any value is a stay all the same.
    rows = rows or [(stay.first * HOUR_US, "steps", 0.0)]
    return folding.Record([at for at, _, _ in rows], [code for _, code, _ in rows], [value for _, _, value in rows])


def _plain(stays: Sequence[Stay], totals: Sequence[Sequence[int]], limit: int, join_hours: int) -> Outcome:
    calls = tuple(
        tuple(
            hour
            for hour in (stay.first + place for place in plain_news2.episodes(scores, limit, join_hours))
            if hour < stay.stop
        )
        for stay, scores in zip(stays, totals, strict=True)
    )
    joined = f", joined within {join_hours} h" if join_hours else ""
    return Outcome(f"plain NEWS2 >= {limit}{joined}", False, join_hours, calls)


# The report ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Study:
    """The stays, and how they are resampled."""

    stays: tuple[Stay, ...]
    people: resampling.People

    def burden(self, one: Outcome) -> Figure:
        """Calls per patient-day."""
        return self.people.rate([len(calls) for calls in one.calls], [stay.days for stay in self.stays])

    def found(self, one: Outcome, *, near: bool = False) -> tuple[list[float], list[float]]:
        """(found, tried) by septic patient; near: only calls of the last 48 hours before the onset."""
        hits, tries = [], []
        for stay, calls in zip(self.stays, one.calls, strict=True):
            hits.append(float(any(not near or hour >= self._near(stay) for hour in calls) and stay.onset is not None))
            tries.append(float(stay.onset is not None))
        return hits, tries

    @staticmethod
    def _near(stay: Stay) -> int:
        return (stay.onset or 0) - NEAR_HOURS

    def others_called(self, one: Outcome) -> tuple[list[float], list[float]]:
        """(called, patients) of those without sepsis."""
        return (
            [float(bool(calls) and stay.onset is None) for stay, calls in zip(self.stays, one.calls, strict=True)],
            [float(stay.onset is None) for stay in self.stays],
        )

    def leads(self, one: Outcome) -> list[int]:
        """Hours from the first call to the onset, of those found."""
        return [
            stay.onset - calls[0]
            for stay, calls in zip(self.stays, one.calls, strict=True)
            if stay.onset is not None and calls
        ]

    def whole_leads(self, one: Outcome) -> tuple[list[float], list[float]]:
        """(hours of lead, septic patients); who is not found has a lead of 0."""
        return (
            [
                float(stay.onset - calls[0]) if stay.onset is not None and calls else 0.0
                for stay, calls in zip(self.stays, one.calls, strict=True)
            ],
            [float(stay.onset is not None) for stay in self.stays],
        )


def report(
    stays: Sequence[Stay], engine: Sequence[Outcome], plain: Sequence[Outcome], used: sources.Used
) -> document.Report:
    study = Study(tuple(stays), resampling.People([stay.patient for stay in stays]))
    own = next(one for one in engine if one.join_hours == REFRACTORY_HOURS)
    counted = sum(len(calls) for calls in own.calls)
    fives = [one for one in plain if one.name.startswith("plain NEWS2 >= 5")]
    same = next(one for one in fives if one.join_hours == REFRACTORY_HOURS)
    heavier = [one for one in fives if sum(len(calls) for calls in one.calls) >= counted]
    # Of the plain scores that call at least as often, the one that is nearest.
    rival = min(heavier, key=lambda one: sum(len(calls) for calls in one.calls), default=None)
    septic = sum(stay.onset is not None for stay in stays)
    figures: dict[str, object] = {
        "patients": len(stays),
        "septic": septic,
        "patient_days": round(sum(stay.days for stay in stays), 1),
        "per_patient_day": study.burden(own),
        "sensitivity": study.people.share(*study.found(own)),
        "sensitivity_48_hours": study.people.share(*study.found(own, near=True)),
        "median_lead_hours": _median(study.leads(own)),
        "others_called": study.people.share(*study.others_called(own)),
    }
    for name, one in (("rival", rival), ("plain_same_refractory", same)):
        if one is not None:
            figures[name] = one.name
            figures[f"{name}_per_patient_day"] = study.burden(one)
            figures[f"{name}_sensitivity"] = study.people.share(*study.found(one))
            figures[f"{name}_sensitivity_48_hours"] = study.people.share(*study.found(one, near=True))
            figures[f"{name}_median_lead_hours"] = _median(study.leads(one))
            figures[f"sensitivity_above_{name}"] = study.people.difference(study.found(own), study.found(one))
            figures[f"mean_lead_above_{name}"] = study.people.difference(study.whole_leads(own), study.whole_leads(one))
    return document.Report(
        "hospital",
        "At the burden of plain NEWS2 >= 5, values carried forward for 8 hours, is more sepsis found, or sooner?",
        (
            f"{len(stays):,} patients, {septic:,} of them with sepsis,"
            f" {sum(stay.days for stay in stays):,.0f} patient-days until the end of the stay or the onset",
            *used.told(),
            _SOURCE,
        ),
        _METHOD,
        tuple(rule_sets.told(rule_sets.hospital(REFRACTORY_HOURS))),
        (_table(study, (own, *(one for one in engine if one is not own), *plain), own),),
        _targets(study, own, rival),
        tuple(used.notes()),
        tuple(
            Point(one.name, study_burden, share, one.own)
            for one, study_burden, share in ((one, *_point(study, one)) for one in (*engine, *plain))
        ),
        ("calls per patient-day", "share of septic patients called before the onset"),
        figures,
    )


_SOURCE = (
    "the figures of docs/clinical/performance.md come from PhysioNet Challenge 2019, hospital B (doi"
    " 10.13026/v64v-d857): 565 septic and 752 other patients"
)

_METHOD = (
    "Onset: six hours after the label turns 1 (PhysioNet Challenge 2019). Sensitivity: septic patients with at least"
    " one call before the onset; lead: from the first call to the onset. Stays are judged up to the onset or their end",
    "Every value holds for 8 hours. Consciousness is not charted; oxygen is known only where FiO2 was charted; scale 1",
    'Plain: each time the sum goes from below to at least the limit is a call; "joined within h": not within so many'
    " hours after the sum was last back below",
    f"Engine: NEWS2 with all bands of the Royal College (5 or 6, 7 or more, and a single parameter of 3), and a"
    f" refractory time of {REFRACTORY_HOURS} h, within which only what is worse calls again; each time counts",
    f"Equal burden: the refractory time is {REFRACTORY_HOURS} h (one call a day for what is known, unless it is worse);"
    " compared is plain >= 5 with that joining time, of those listed, with which it calls at least as often as the"
    " engine and nearest to it. Nobody's sepsis is looked at for that. Joining takes no patient from plain >= 5: its"
    " sensitivity and lead are the same at any joining time",
    f"Called in the last {NEAR_HOURS} h: septic patients with a call in that time; it falls with any joining, because"
    " the call came before",
)


def _point(study: Study, one: Outcome) -> tuple[float, float]:
    hits, tries = study.found(one)
    burden = sum(len(calls) for calls in one.calls) / max(sum(stay.days for stay in study.stays), 1e-9)
    return burden, sum(hits) / max(sum(tries), 1)


def _median(values: Sequence[int]) -> float | None:
    return float(statistics.median(values)) if values else None


def _table(study: Study, outcomes: Sequence[Outcome], own: Outcome) -> Table:
    rows = tuple(
        (
            one.name,
            study.burden(one),
            study.people.share(*study.found(one)),
            f"{statistics.median(leads):g}" if (leads := study.leads(one)) else "-",
            study.people.share(*study.found(one, near=True)),
            study.people.share(*study.others_called(one)),
        )
        for one in outcomes
    )
    told = ", ".join(
        f"{name} {figure.others()}"
        for name, figure in zip(("calls per patient-day", "sensitivity"), rows[0][1:3], strict=True)
        if isinstance(figure, Figure)
    )
    return Table(
        "Calls and sepsis",
        (
            "method", "calls per patient-day", "sensitivity", "median lead, h", f"called in the last {NEAR_HOURS} h",
            "patients without sepsis who were called",
        ),
        rows,
        f"Other people, {own.name}: {told}.",
    )  # fmt: skip


def _targets(study: Study, own: Outcome, rival: Outcome | None) -> tuple[Target, ...]:
    if rival is None or not sum(study.found(own)[1]):
        return (Target("sensitivity at equal burden", "-", "septic patients, and a plain score as frequent", None),)
    burden = study.people.difference(
        ([len(c) for c in own.calls], [s.days for s in study.stays]),
        ([len(c) for c in rival.calls], [s.days for s in study.stays]),
    )
    sensitivity = study.people.difference(study.found(own), study.found(rival))
    lead = study.people.difference(study.whole_leads(own), study.whole_leads(rival))
    assert burden.value is not None
    assert sensitivity.value is not None
    assert lead.value is not None
    better = (sensitivity.value > 0 and lead.value >= 0) or (lead.value > 0 and sensitivity.value >= 0)
    return (
        Target(f"calls per patient-day above {rival.name}", burden.told(3), "at most 0", burden.value <= 0),
        Target(
            f"sensitivity above {rival.name}",
            f"{sensitivity.told(3)}; mean lead, 0 where missed, longer by {lead.told(1)} h",
            "higher, or as high and sooner",
            better,
        ),
    )
