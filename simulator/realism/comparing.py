"""How alike twins and people are: distributions (Kolmogorov-Smirnov) and how measurements hang together in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from simulator import noise
from simulator.bodies import physiology
from simulator.bodies.vitals import VITALS
from simulator.noise import Floats, Integers
from simulator.realism import twins
from simulator.realism.people import Series

KS_LIMIT: Final = 0.1
LAG_LIMIT: Final = 0.1
#: With more people, or more readings of them, chance is no excuse.
MOST_PEOPLE: Final = 60
_MOST_READINGS: Final = 100_000
_CHANCES: Final = 10
#: Of fewer than so many nothing can be told of a distribution.
_ALONE: Final = 3
_RESAMPLED: Final = 400
#: Hours between two measurements, for the picture.
_GAPS: Final = (0.1, 0.3, 0.75, 1.5, 3.0, 6.0, 12.0, 20.0, 28.0, 52.0, 100.0, 200.0, 400.0)
_LEAST_PAIRS: Final = 30

Counts = dict[int, float]


@dataclass(frozen=True)
class Person:
    """One person beside the twin. Counts: steps of the resolution -> readings; twins' lives count together as one."""

    series: Series
    stays: int
    readings: int
    real: Counts
    twin: Counts
    real_apart: Counts
    twin_apart: Counts
    #: Sum over stays of readings times lag-1 autocorrelation.
    real_lag: float
    twin_lag: float
    #: By gap (index in _GAPS): pairs, and sums of products of deviations, real and twin.
    gaps: dict[int, tuple[int, float, float]]


@dataclass(frozen=True)
class Figures:
    """Of some people together."""

    people: int
    readings: int
    ks: float
    ks_apart: float
    lag_real: float
    lag_twin: float

    @property
    def lag_difference(self) -> float:
        return self.lag_twin - self.lag_real


@dataclass(frozen=True)
class Compared:
    """One vital sign, measured in one way."""

    code: str
    how: str
    resolution: float
    unit: str | None
    stays: int
    figures: Figures
    #: 95 % intervals over people: (low, high).
    ks_interval: tuple[float, float]
    lag_interval: tuple[float, float]
    halves: tuple[Figures, Figures]
    #: What distance chance alone makes in one of ten comparisons of so few people; None where nobody needs to know.
    chance: float | None
    persons: Sequence[Person]
    #: The instrument, where it is not as published, and the figures of twins who are told nothing of it.
    instrument: twins.Instrument | None
    published: Figures

    @property
    def verdict(self) -> str:
        """within; few: people, so that a larger distance or difference may be chance; outside."""
        if self.figures.ks <= KS_LIMIT and abs(self.figures.lag_difference) <= LAG_LIMIT:
            return "within"
        if self.chance is None:
            return "outside"
        low, high = self.lag_interval
        may_be = self.figures.ks <= max(KS_LIMIT, self.chance) and low <= LAG_LIMIT and high >= -LAG_LIMIT
        return "few" if may_be or self.figures.people < _ALONE else "outside"


def groups(series: Iterable[Series]) -> dict[tuple[str, str], list[Series]]:
    """By code and by how often it is measured; what is not simulated is left out."""
    found: dict[tuple[str, str], list[Series]] = {}
    for one in series:
        if one.code in VITALS and len(one.times_ms) >= twins.LEAST_READINGS:
            gap = one.gap_hours
            how = "continuous" if gap < 0.5 else "hourly" if gap < 1.5 else "spot"
            found.setdefault((one.code, how), []).append(one)
    return dict(sorted(found.items()))


def compare(code: str, how: str, series: Sequence[Series], seed: int) -> Compared | None:
    """None where nobody measured often enough."""
    stays = [stay for one in series for stay in twins.stays(one)]
    if not stays:
        return None
    kind = twins.instrument(stays)
    persons = [person for one in series if (person := beside(one, seed, kind)) is not None]
    published = figures(persons)
    if kind is not None:
        published = figures([person for one in series if (person := beside(one, seed)) is not None])
    vital = VITALS[twins.simulated_code(persons[0].series)]
    whole = figures(persons)
    ks, lag = _intervals(persons, seed)
    halves = [[one for one in persons if noise.key("half", one.series.person) % 2 == side] for side in (0, 1)]
    outside = whole.ks > KS_LIMIT or abs(whole.lag_difference) > LAG_LIMIT
    few = len(persons) <= MOST_PEOPLE and whole.readings <= _MOST_READINGS
    chance = _chance(persons, seed, kind) if outside and few else None
    return Compared(
        code, how, vital.resolution, vital.unit, sum(one.stays for one in persons), whole, ks, lag,
        (figures(halves[0]), figures(halves[1])), chance, persons, kind, published,
    )  # fmt: skip


def beside(series: Series, seed: int, kind: twins.Instrument | None = None) -> Person | None:
    """A person beside the twin; None where no stay is long enough."""
    resolution = VITALS[twins.simulated_code(series)].resolution
    person = Person(series, 0, 0, {}, {}, {}, {}, 0.0, 0.0, {})
    for stay in twins.stays(series):
        lived = twins.of(stay, seed, kind).lives
        rest = np.floor(stay.rest / resolution + 0.5) * resolution
        share = 1.0 / len(lived)
        _count(person.real, rest / resolution, 1.0)
        _count(person.twin, lived.ravel() / resolution, share)
        _count(person.real_apart, (rest - rest.mean()) / resolution, 1.0)
        _count(person.twin_apart, ((lived - lived.mean(axis=1, keepdims=True)) / resolution).ravel(), share)
        _add_gaps(person.gaps, stay, rest, lived)
        twin_lag = float(np.mean([twins.autocorrelation(row) for row in lived]))
        person = replace(
            person,
            stays=person.stays + 1,
            readings=person.readings + len(rest),
            real_lag=person.real_lag + len(rest) * twins.autocorrelation(rest),
            twin_lag=person.twin_lag + len(rest) * twin_lag,
        )
    return person if person.stays else None


def figures(persons: Sequence[Person], weights: Sequence[float] | None = None) -> Figures:
    """Pooled by reading. weights: how often each person counts (for intervals)."""
    weighed = [1.0] * len(persons) if weights is None else list(weights)
    readings = sum(one.readings * weight for one, weight in zip(persons, weighed, strict=True)) or 1.0
    real = sum(one.real_lag * weight for one, weight in zip(persons, weighed, strict=True)) / readings
    twin = sum(one.twin_lag * weight for one, weight in zip(persons, weighed, strict=True)) / readings
    return Figures(
        len(persons),
        sum(one.readings for one in persons),
        distance(_together([one.real for one in persons], weighed), _together([one.twin for one in persons], weighed)),
        distance(
            _together([one.real_apart for one in persons], weighed),
            _together([one.twin_apart for one in persons], weighed),
        ),
        real,
        twin,
    )


def distance(one: Counts, other: Counts) -> float:
    """Kolmogorov-Smirnov: the largest difference of the two distribution functions."""
    if not one or not other:
        return 0.0
    places, here, there = curves(one, other)
    del places
    return float(np.abs(here - there).max())


def curves(one: Counts, other: Counts) -> tuple[Integers, Floats, Floats]:
    """Both distribution functions at all steps that occur."""
    places = np.array(sorted(one.keys() | other.keys()), dtype=np.int64)
    shares = []
    for counts in (one, other):
        column = np.cumsum([counts.get(int(place), 0.0) for place in places])
        shares.append(column / column[-1])
    return places, shares[0], shares[1]


def pooled(persons: Sequence[Person], part: str) -> Counts:
    """real, twin, real_apart or twin_apart of all people together."""
    return _together([getattr(one, part) for one in persons], [1.0] * len(persons))


def by_gap(persons: Sequence[Person]) -> list[tuple[float, int, float, float]]:
    """(hours up to, pairs, autocorrelation of people, of twins), where there are enough pairs."""
    found = []
    for index, hours in enumerate(_GAPS):
        rows = [one.gaps[index] for one in persons if index in one.gaps]
        pairs = sum(row[0] for row in rows)
        if pairs >= _LEAST_PAIRS:
            found.append((hours, pairs, sum(row[1] for row in rows) / pairs, sum(row[2] for row in rows) / pairs))
    return found


def as_json(compared: Compared) -> dict[str, Any]:
    """Without anything that names a person."""
    return {
        "code": compared.code,
        "how": compared.how,
        "stays": compared.stays,
        **_figures_json(compared.figures),
        "ks_interval": [round(value, 4) for value in compared.ks_interval],
        "lag1_difference_interval": [round(value, 4) for value in compared.lag_interval],
        "chance_ks": None if compared.chance is None else round(compared.chance, 4),
        "halves": [_figures_json(half) for half in compared.halves],
        "instrument": None
        if compared.instrument is None
        else {"error": round(compared.instrument.error, 3), "pace": compared.instrument.pace},
        "as_published": _figures_json(compared.published),
        "by_gap": [
            {"hours_up_to": hours, "pairs": pairs, "real": round(real, 4), "twin": round(twin, 4)}
            for hours, pairs, real, twin in by_gap(compared.persons)
        ],
        "verdict": compared.verdict,
    }


def _figures_json(figures: Figures) -> dict[str, Any]:
    return {
        "people": figures.people,
        "readings": figures.readings,
        "ks_values": round(figures.ks, 4),
        "ks_deviations": round(figures.ks_apart, 4),
        "lag1_real": round(figures.lag_real, 4),
        "lag1_twin": round(figures.lag_twin, 4),
        "lag1_difference": round(figures.lag_difference, 4),
    }


def _count(counts: Counts, steps: Floats, share: float) -> None:
    places, times = np.unique(np.floor(steps + 0.5).astype(np.int64), return_counts=True)
    for place, number in zip(places.tolist(), times.tolist(), strict=True):
        counts[place] = counts.get(place, 0.0) + number * share


def _together(parts: Sequence[Counts], weights: Sequence[float]) -> Counts:
    total: Counts = {}
    for counts, weight in zip(parts, weights, strict=True):
        if weight:
            for place, number in counts.items():
                total[place] = total.get(place, 0.0) + number * weight
    return total


def _add_gaps(gaps: dict[int, tuple[int, float, float]], stay: twins.Stay, rest: Floats, lived: Floats) -> None:
    hours = np.diff(stay.times_ms[stay.known :]) / 3_600_000
    places = np.searchsorted(np.array(_GAPS), hours)
    real = _products(rest)
    twin = np.mean([_products(row) for row in lived], axis=0)
    for place in np.unique(places).tolist():
        if place < len(_GAPS):
            chosen = places == place
            pairs, one, other = gaps.get(place, (0, 0.0, 0.0))
            gaps[place] = (
                pairs + int(chosen.sum()), one + float(real[chosen].sum()), other + float(twin[chosen].sum())
            )  # fmt: skip


def _products(values: Floats) -> Floats:
    apart = values - values.mean()
    spread = float(np.sqrt((apart * apart).mean()))
    return np.asarray(apart[1:] * apart[:-1] / (spread * spread if spread > 1e-9 else 1.0), dtype=np.float64)


def _intervals(persons: Sequence[Person], seed: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Percentiles over people drawn with replacement."""
    distances, lags = [], []
    index = np.arange(len(persons), dtype=np.int64)
    for number in range(_RESAMPLED if len(persons) > 1 else 0):
        drawn = (noise.uniform(noise.key("people", seed, number), index) * len(persons)).astype(np.int64)
        weights = np.bincount(drawn, minlength=len(persons)).astype(np.float64)
        found = figures(persons, weights.tolist())
        distances.append(found.ks)
        lags.append(found.lag_difference)
    if not distances:
        return (0.0, 1.0), (-1.0, 1.0)
    return _middle(distances), _middle(lags)


def _middle(values: list[float]) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _chance(persons: Sequence[Person], seed: int, kind: twins.Instrument | None) -> float:
    """The distance when the people are themselves simulated: what so few people allow to be told at all."""
    found = []
    for number in range(_CHANCES):
        again = [beside(_played(one.series, seed + 50_000 + number), seed, kind) for one in persons]
        found.append(figures([one for one in again if one is not None]).ks)
    return float(np.percentile(found, 90))


def _played(series: Series, life: int) -> Series:
    """Somebody with the person's level, spread and times, whose values are simulated from the first day on."""
    code = twins.simulated_code(series)
    level, spread = float(series.values.mean()), float(series.values.std())
    profile = twins.somebody(series.person, code, level, spread, life)
    values = physiology.measured(profile, None, "twin", code, series.times_ms)
    return replace(series, values=values)
