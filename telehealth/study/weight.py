"""Gains of weight: false alerts on people without heart failure, and how soon a gain that is added is found."""

from __future__ import annotations

import bisect
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from alerts import burden, rules
from telehealth import errors
from telehealth.study import cells, document, folding, models, resampling, rule_sets, sources, weight_logs, weight_rules
from telehealth.study.document import Point, Table, Target
from telehealth.study.resampling import Figure
from telehealth.study.weight_logs import Log

GAIN_KG = 2.3
LENGTHS = (14, 21, 30)
STARTS = 20  #: of each length, of one quarter of a year of one person, at most
SEED = 20_260_101
BUDGET = 1.0  #: false alerts per person-year
_YEAR = 365.25
_QUARTER = 91
_MODEL_STARTS = 2
_BEFORE_DAYS = 70  #: history that a replay with an added gain begins with


@dataclass(frozen=True, slots=True)
class Ramp:
    """A gain from `start` on, complete `length` days later, of one log."""

    log: int
    start: int
    length: int

    def gained(self, day: int) -> float:
        """kg by a day."""
        return GAIN_KG * min(max((day - self.start) / self.length, 0.0), 1.0)

    @property
    def days(self) -> range:
        """On which it may be found."""
        return range(self.start, self.start + self.length + 1)


@dataclass(frozen=True, slots=True)
class Study:
    """What is judged, the same for every rule."""

    logs: tuple[Log, ...]
    daily: tuple[dict[int, float], ...]
    regular: tuple[frozenset[int], ...]
    ramps: tuple[Ramp, ...]
    units: tuple[tuple[int, int], ...]  #: (log, quarter): what is resampled
    people: resampling.People

    def unit(self, log: int, day: int) -> tuple[int, int]:
        return log, (day - min(self.daily[log])) // _QUARTER

    @property
    def years(self) -> list[float]:
        """Person-years of regular weighing, by unit."""
        days = dict.fromkeys(self.units, 0)
        for log, regular in enumerate(self.regular):
            for day in regular:
                days[self.unit(log, day)] += 1
        return [days[unit] / _YEAR for unit in self.units]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one rule at one limit: false alerts by unit, and the gain at which each ramp was found (None: missed)."""

    name: str
    source: str
    limit: float | None
    published: bool
    false: tuple[int, ...]
    gains: tuple[float | None, ...]
    chance: tuple[bool, ...]  #: by ramp: an alert in the same days without any gain


def run(folder: Path, pathway: str | None = None) -> document.Report:
    """The whole study on the logs of a folder. pathway: whose rules, see rule_sets.weight."""
    logs, used = weight_logs.read(folder)
    return _judged(prepare(logs), used, rule_sets.weight(pathway))


def run_model(pathway: str | None = None) -> document.Report:
    """The same study on people who are made up."""
    used = sources.Used(files={"made up (telehealth/study/models.py), not people": "weights"})
    return _judged(prepare(models.weights(), starts=_MODEL_STARTS), used, rule_sets.weight(pathway))


def _judged(study: Study, used: sources.Used, chosen: rules.RuleSet) -> document.Report:
    own = engine(study, chosen)
    swept = [one for rule in weight_rules.SWEEP for one in sweep(study, rule)]
    return report(study, own, swept, used, chosen)


def prepare(logs: Sequence[Log], starts: int = STARTS) -> Study:
    """Chooses the people who weigh often enough, and where gains are added. Raises Invalid where nobody does."""
    daily = [log.daily() for log in logs]
    regular = [weight_logs.regular(sorted(days)) for days in daily]
    kept = [position for position, days in enumerate(regular) if days]
    if not kept:
        raise errors.Invalid("--data", "has nobody who weighs on 10 of 14 days (five times a week)")
    chosen = [logs[position] for position in kept]
    all_daily, all_regular = [daily[p] for p in kept], [frozenset(regular[p]) for p in kept]
    units = sorted(
        {(log, (day - min(all_daily[log])) // _QUARTER) for log, days in enumerate(all_regular) for day in days}
    )
    ramps = [
        ramp
        for log, days in enumerate(all_regular)
        for ramp in _ramps(log, chosen[log].person, all_daily[log], days, starts)
    ]
    people = resampling.People([chosen[log].person for log, _ in units])
    return Study(tuple(chosen), tuple(all_daily), tuple(all_regular), tuple(ramps), tuple(units), people)


def _ramps(log: int, person: str, daily: dict[int, float], regular: frozenset[int], starts: int) -> list[Ramp]:
    """Seeded starts: weighing is regular from the start to the end."""
    found = []
    first = min(daily)
    for length in LENGTHS:
        quarters: dict[int, list[int]] = {}
        for day in sorted(regular):
            if all(other in regular for other in range(day, day + length + 1)):
                quarters.setdefault((day - first) // _QUARTER, []).append(day)
        for quarter, days in sorted(quarters.items()):
            chance = random.Random(f"{SEED} {person.rpartition('/')[2]} {length} {quarter}")
            found += [Ramp(log, day, length) for day in sorted(chance.sample(days, min(starts, len(days))))]
    return found


# The engine ---------------------------------------------------------------------------------------


def engine(study: Study, rule_set: rules.RuleSet) -> Outcome:
    """The engine with a rule set: all its alerts together are one rule here."""
    plain = [_days(seen) for seen in folding.alerts([_record(log) for log in study.logs], rule_set)]
    replays = [_with(study.logs[ramp.log], ramp) for ramp in study.ramps]
    with_gain = [_days(seen) for seen in folding.alerts(replays, rule_set)]
    return _outcome(study, "engine", "", None, True, plain, with_gain)


def _record(log: Log) -> folding.Record:
    return folding.Record(log.at, ["weight"] * len(log.at), log.kg)


def _with(log: Log, ramp: Ramp) -> folding.Record:
    low = bisect.bisect_left(log.at, (ramp.start - _BEFORE_DAYS) * cells.DAY_US)
    high = bisect.bisect_left(log.at, (ramp.start + ramp.length + 1) * cells.DAY_US)
    at = log.at[low:high]
    kg = [value + ramp.gained(when // cells.DAY_US) for when, value in zip(at, log.kg[low:high], strict=True)]
    return folding.Record(at, ["weight"] * len(at), kg)


def _days(seen: Sequence[burden.Seen]) -> list[int]:
    return [alert.raised_at // cells.DAY_US for alert in seen]


# The sweep ----------------------------------------------------------------------------------------


def sweep(study: Study, rule: weight_rules.Simple) -> list[Outcome]:
    """One simple rule with its published limit and the others that are tried."""
    plain = [weight_rules.signals(rule, daily, sorted(daily)) for daily in study.daily]
    with_gain = []
    for ramp in study.ramps:
        daily = study.daily[ramp.log]
        days = [day for day in range(ramp.start - _BEFORE_DAYS, ramp.start + ramp.length + 1) if day in daily]
        with_gain.append(weight_rules.signals(rule, {day: daily[day] + ramp.gained(day) for day in days}, days))
    return [
        _outcome(
            study,
            rule.name,
            rule.source,
            limit,
            limit == rule.published,
            [weight_rules.alerts(found, limit) for found in plain],
            [weight_rules.alerts(found, limit) for found in with_gain],
        )
        for limit in sorted({rule.published, *weight_rules.TRIED})
    ]


def _outcome(
    study: Study,
    name: str,
    source: str,
    limit: float | None,
    published: bool,
    plain: Sequence[Sequence[int]],
    with_gain: Sequence[Sequence[int]],
) -> Outcome:
    false = dict.fromkeys(study.units, 0)
    for log, days in enumerate(plain):
        for day in days:
            if day in study.regular[log]:
                false[study.unit(log, day)] += 1
    gains, chance = [], []
    for ramp, days in zip(study.ramps, with_gain, strict=True):
        found = [day for day in days if day in ramp.days]
        gains.append(ramp.gained(found[0]) if found else None)
        chance.append(any(day in ramp.days for day in plain[ramp.log]))
    return Outcome(name, source, limit, published, tuple(false.values()), tuple(gains), tuple(chance))


# The report ---------------------------------------------------------------------------------------

Wanted = Callable[[Ramp], bool]


def false_rate(study: Study, outcome: Outcome) -> Figure:
    """False alerts per person-year."""
    return study.people.rate(outcome.false, study.years)


def found(study: Study, outcome: Outcome, wanted: Wanted) -> tuple[list[float], list[float]]:
    """(found, tried) by unit."""
    return _by_unit(study, wanted, [float(gain is not None) for gain in outcome.gains])


def spent(study: Study, outcome: Outcome, wanted: Wanted) -> tuple[list[float], list[float]]:
    """(sum of kg gained when it was found, all of it where it was missed; ramps) by unit."""
    return _by_unit(study, wanted, [GAIN_KG if gain is None else gain for gain in outcome.gains])


def _by_unit(study: Study, wanted: Wanted, values: Sequence[float]) -> tuple[list[float], list[float]]:
    sums, numbers = dict.fromkeys(study.units, 0.0), dict.fromkeys(study.units, 0.0)
    for ramp, value in zip(study.ramps, values, strict=True):
        if wanted(ramp):
            unit = study.unit(ramp.log, ramp.start)
            sums[unit] += value
            numbers[unit] += 1
    return list(sums.values()), list(numbers.values())


def _every(_: Ramp) -> bool:
    return True


def _of_length(length: int) -> Wanted:
    return lambda ramp: ramp.length == length


def _median_gain(outcome: Outcome) -> float | None:
    gains = [gain for gain in outcome.gains if gain is not None]
    return statistics.median(gains) if gains else None


def best(study: Study, outcomes: Sequence[Outcome]) -> Outcome | None:
    """Of the rules within the budget of false alerts, the one that finds most gains; then the one that finds sooner."""
    years = sum(study.years)
    within = [one for one in outcomes if sum(one.false) <= BUDGET * years]
    return max(
        within,
        key=lambda one: (
            sum(gain is not None for gain in one.gains),
            -sum(GAIN_KG if gain is None else gain for gain in one.gains),
        ),
        default=None,
    )


def report(
    study: Study, own: Outcome, swept: Sequence[Outcome], used: sources.Used, judged: rules.RuleSet
) -> document.Report:
    published = [one for one in swept if one.published]
    best_published, best_any = best(study, published), best(study, swept)
    chosen = [(own, "engine"), *((one, one.name) for one in published)]
    if best_any is not None and not best_any.published:
        chosen.append((best_any, f"{best_any.name.split('>')[0].strip() or best_any.name}, limit {best_any.limit} kg"))
    rate = false_rate(study, own)
    sensitivity = study.people.share(*found(study, own, _every))
    gain = study.people.mean(*spent(study, own, _every))
    figures = {
        "person_years": round(sum(study.years), 3),
        "people": len(study.logs),
        "false_alerts": sum(own.false),
        "false_alerts_per_person_year": rate,
        "sensitivity": sensitivity,
        "mean_gain_kg": gain,
        "median_gain_of_found_kg": _median_gain(own),
        "found_by_chance": study.people.share(*_by_unit(study, _every, [float(hit) for hit in own.chance])),
        **{f"sensitivity_{n}_days": study.people.share(*found(study, own, _of_length(n))) for n in LENGTHS},
        **_against("best_published", study, own, best_published),
        **_against("best_of_sweep", study, own, best_any),
    }
    return document.Report(
        "weight",
        "At no more than one false alert per person-year, is a gain of 2.3 kg over 14 to 30 days found as often and as"
        " soon as by the best simple rule?",
        (
            f"{len(study.logs)} people who weigh on at least 10 of 14 days, {sum(study.years):.2f} person-years of such"
            f" weighing, {len(study.ramps)} added gains; nobody is known to have heart failure, so that every alert on"
            " the logs as they are is a false one",
            *used.told(),
            _SOURCE,
        ),
        _METHOD,
        tuple(rule_sets.told(judged)),
        (
            _table(study, chosen),
            _compared(study, own, (("published limit", best_published), ("any limit", best_any))),
            _all_limits(study, own, swept),
        ),
        _targets(rate, study, own, best_published),
        tuple(used.notes()),
        _points(study, own, swept),
        ("false alerts per person-year", "share of gains found"),
        figures,
    )


_SOURCE = (
    "the figures of docs/clinical/performance.md come from one log of a scale, 2015 to 2022 (chekos, CC0), and from 12"
    " people weighed daily for 63 days (Krone 2020, PLoS ONE 15(5):e0232680, CC BY)"
)

_METHOD = (
    f"Added to the real logs: {GAIN_KG} kg, growing in a straight line over 14, 21 or 30 days (Gudmundsson 2016: +2.3"
    f" kg in the 30 days before admission); up to {STARTS} starts of each length in each quarter of each person's log,"
    f" drawn with seed {SEED} from the days on which weighing is regular until the gain is complete",
    "Found: an alert is raised between the start and the day on which the gain is complete; an alert that was open, or"
    " within its refractory time, at the start does not count. Gain at detection: what had been added by that day;"
    " its mean counts what was missed with the whole gain",
    "False: an alert on the logs as they are, on a day by which the person had weighed on at least 10 of the last 14",
    "Simple rules see the median of each day and alert at most once in 7 days; a gain within days is today's weight"
    " above the lowest of the days before. Every limit from 0.6 to 4 kg is tried besides the published one",
    "The engine's alerts are those of all its rules on gains together, joined within each rule's refractory time",
)


def _against(name: str, study: Study, own: Outcome, other: Outcome | None) -> dict[str, object]:
    if other is None:
        return {name: None}
    return {
        name: f"{other.name}, limit {other.limit} kg",
        f"{name}_sensitivity": study.people.share(*found(study, other, _every)),
        f"{name}_mean_gain_kg": study.people.mean(*spent(study, other, _every)),
        f"sensitivity_above_{name}": study.people.difference(found(study, own, _every), found(study, other, _every)),
        f"mean_gain_above_{name}": study.people.difference(spent(study, own, _every), spent(study, other, _every)),
    }


def _differences(study: Study, own: Outcome, other: Outcome) -> list[tuple[str, Figure, str]]:
    """(what, engine less the other, what is wanted of it)."""
    return [
        ("sensitivity", study.people.difference(found(study, own, _every), found(study, other, _every)), "at least 0"),
        ("mean gain, kg", study.people.difference(spent(study, own, _every), spent(study, other, _every)), "at most 0"),
    ]


def _compared(study: Study, own: Outcome, others: Sequence[tuple[str, Outcome | None]]) -> Table:
    rows: list[tuple[str | int | float | Figure | None, ...]] = [
        (why, f"{other.name}, {other.limit:g} kg", *(value for _, value, _ in _differences(study, own, other)))
        for why, other in others
        if other is not None and study.ramps
    ]
    return Table(
        "The engine less the best simple rule within the budget",
        ("which", "rule", "sensitivity", "mean gain, kg"),
        tuple(rows),
        "The best one at any limit is chosen with hindsight, on these very people; the engine's limits are not.",
    )


def _targets(rate: Figure, study: Study, own: Outcome, best_published: Outcome | None) -> tuple[Target, ...]:
    assert rate.value is not None  # there is somebody
    targets = [Target("false alerts per person-year", rate.told(), f"at most {BUDGET:g}", rate.value <= BUDGET)]
    if best_published is None or not study.ramps:
        return (*targets, Target("sensitivity and gain", "-", "a published rule within the budget", None))
    for name, value, wanted in _differences(study, own, best_published):
        assert value.value is not None
        met = value.value >= 0 if name == "sensitivity" else value.value <= 0
        told = f"{name} above that of the best published rule ({best_published.name}, {best_published.limit:g} kg)"
        targets.append(Target(told, value.told(), wanted, met))
    return tuple(targets)


def _table(study: Study, chosen: Sequence[tuple[Outcome, str]]) -> Table:
    rows: list[tuple[str | int | float | Figure | None, ...]] = []
    for one, name in chosen:
        median = _median_gain(one)
        rows.append(
            (
                name,
                sum(one.false),
                false_rate(study, one),
                *(study.people.share(*found(study, one, _of_length(length))) for length in LENGTHS),
                study.people.share(*found(study, one, _every)),
                study.people.mean(*spent(study, one, _every)),
                "-" if median is None else f"{median:.2f}",
            )
        )
    own = rows[0]
    told = ", ".join(
        f"{name} {figure.others()}"
        for name, figure in zip(
            ("false alerts per person-year", *(f"found of {n} days" for n in LENGTHS), "found", "mean gain"),
            own[2:8],
            strict=True,
        )
        if isinstance(figure, Figure)
    )
    return Table(
        "The engine and the published rules",
        (
            "rule", "false", "false per person-year", *(f"found, {n} days" for n in LENGTHS), "found, all",
            "mean gain, kg", "median gain of those found, kg",
        ),
        tuple(rows),
        f"Other people, engine: {told}.",
    )  # fmt: skip


def _all_limits(study: Study, own: Outcome, swept: Sequence[Outcome]) -> Table:
    years = sum(study.years)
    rows: list[tuple[str | int | float | Figure | None, ...]] = []
    for one in (own, *swept):
        tried = max(len(one.gains), 1)
        rows.append(
            (
                one.name,
                "-" if one.limit is None else f"{one.limit:g}{' published' if one.published else ''}",
                sum(one.false) / years,
                sum(gain is not None for gain in one.gains) / tried,
                sum(GAIN_KG if gain is None else gain for gain in one.gains) / tried,
            )
        )
    return Table(
        "The whole sweep", ("rule", "limit, kg", "false per person-year", "found", "mean gain, kg"), tuple(rows)
    )


def _points(study: Study, own: Outcome, swept: Sequence[Outcome]) -> tuple[Point, ...]:
    years = sum(study.years)
    return tuple(
        Point(
            one.name if one.limit is None else f"{one.name}, limit {one.limit:g} kg",
            sum(one.false) / years,
            sum(gain is not None for gain in one.gains) / max(len(one.gains), 1),
            one is own,
        )
        for one in (own, *swept)
        if sum(one.false) <= 5 * years
    )
