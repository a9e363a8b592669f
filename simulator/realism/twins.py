"""A simulated twin of one person's stay: the same times, and of the person only what is known at admission.

A stay is at most twelve weeks (six where something measures all the time) without a gap of four weeks: so long people
are watched at home. Its first third is the admission: the usual level and the spread of that third are given to the
twin; everything else, how values hang together in time, rhythm, tails, error and resolution, are the body's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulator.bodies import physiology, vitals
from simulator.bodies.profile import Profile
from simulator.noise import Floats, Integers
from simulator.realism.people import Series

DAY: Final = 86_400_000
LEAST_READINGS: Final = 15
_LEAST_KNOWN: Final = 5
#: What the published spread counts for beside a person's own, in measurements.
_PRIOR: Final = 2.0
#: Times at which a spread is worked out: more add nothing.
_MOST_KNOWN: Final = 600
_REHEARSALS: Final = 24
#: mmol/L a minute: more than twice what sensors show at their fastest (4 mg/dL a minute); share of steps at most.
_FASTEST: Final = 0.5
_MOST_JUMPS: Final = 0.05
#: What the published steadiness counts for, in pairs of measurements, against the difference that is still near; at
#: how many stays, and in how many lives of each, an instrument is looked at.
_INSTRUMENT_PRIOR: Final = 400.0
_NEAR: Final = 0.08
_MOST_STAYS: Final = 40
_TRIES: Final = 4
#: Instruments that are tried: (times the published error, pace).
_LOOSER: Final = ((1.15, 1), (1.3, 1), (1.6, 1), (2.0, 1), (2.5, 1), (3.0, 1), (4.0, 1), (6.0, 1), (10.0, 1))
_STEADIER: Final = ((0.8, 1), (0.6, 1), (0.4, 1), (0.2, 1), (0.1, 1), (0.4, 2), (0.2, 2), (0.1, 2), (0.2, 4), (0.1, 8))
#: Readings a twin has in all its lives together, about.
_LIVED: Final = 4000


@dataclass(frozen=True)
class Stay:
    """One stay of one person. known: how many measurements, from the first, belong to the admission."""

    series: Series
    times_ms: Integers
    values: Floats
    known: int

    @property
    def rest(self) -> Floats:
        """What is compared."""
        return self.values[self.known :]


@dataclass(frozen=True)
class Twins:
    """Measurements of a twin in several lives: one row each, at the times that are compared."""

    stay: Stay
    lives: Floats


def stays(series: Series) -> Iterator[Stay]:
    """Cuts a person's measurements into stays that are long enough to be compared."""
    length = (42 if series.gap_hours < 1.0 else 84) * DAY
    times = series.times_ms
    start = 0
    while start < len(times):
        end = int(np.searchsorted(times, times[start] + length))
        gaps = np.flatnonzero(np.diff(times[start:end]) > 28 * DAY)
        if len(gaps):
            end = start + int(gaps[0]) + 1
        known = max(_LEAST_KNOWN, (end - start) // 3)
        if end - start >= LEAST_READINGS and not _mixed(series, start, end):
            yield Stay(series, times[start:end], series.values[start:end], known)
        start = end


def _mixed(series: Series, start: int, end: int) -> bool:
    """Whether two sensors are mixed up: glucose that again and again jumps faster than any body's."""
    if series.code != "glucose" or series.gap_hours >= 0.5:
        return False
    minutes = np.diff(series.times_ms[start:end]) / 60_000
    jumps = np.abs(np.diff(series.values[start:end])) / np.maximum(minutes, 1.0)
    return float((jumps > _FASTEST).mean()) > _MOST_JUMPS


@dataclass(frozen=True)
class Instrument:
    """How an instrument repeats itself. error: part of the variance; pace: it smooths over so many times as long."""

    error: float
    pace: int


def instrument(every: Sequence[Stay]) -> Instrument | None:
    """The instrument that the first thirds of all stays together speak for; None: as published, or near enough.

    One watch shows each night's pulse, another the mean of a week: that is no property of a body, and is seen at
    admission. Judged by the autocorrelation of the first thirds, with the published one as so many pairs besides.
    """
    chosen = every[:: max(1, len(every) // _MOST_STAYS)]
    code = simulated_code(chosen[0].series)
    pairs = [min(stay.known, _MOST_KNOWN) - 1 for stay in chosen]
    seen = _steadiness(
        [autocorrelation(stay.values[: more + 1]) for stay, more in zip(chosen, pairs, strict=True)], pairs
    )
    error = physiology.VITALS[code].error
    usual = _rehearsed_steadiness(chosen, pairs, code, None)
    if abs(seen - usual) * sum(pairs) / (_INSTRUMENT_PRIOR + sum(pairs)) <= _NEAR:
        return None
    wanted = seen
    kinds = [Instrument(min(error * part, 0.95), pace) for part, pace in (_LOOSER if wanted < usual else _STEADIER)]
    found = [(abs(_rehearsed_steadiness(chosen, pairs, code, kind) - wanted), kind) for kind in kinds]
    nearest, kind = min(found, key=lambda each: each[0])
    return kind if nearest < abs(usual - wanted) else None


def autocorrelation(values: Floats) -> float:
    """Of consecutive measurements, about their own mean; 0 where nothing varies."""
    apart = values - values.mean()
    whole = float((apart * apart).sum())
    return float((apart[1:] * apart[:-1]).sum()) / whole if whole > 1e-12 else 0.0


def _rehearsed_steadiness(chosen: Sequence[Stay], pairs: Sequence[int], code: str, kind: Instrument | None) -> float:
    found = []
    for stay, more in zip(chosen, pairs, strict=True):
        level, spread = float(stay.values[: stay.known].mean()), float(stay.values[: stay.known].std())
        profile = _with(somebody(stay.series.person, code, level, spread or 1.0, 0), code, kind)
        times = stay.times_ms[: more + 1]
        found.append(float(np.mean([autocorrelation(measured(profile, code, life, times)) for life in range(_TRIES)])))
    return _steadiness(found, pairs)


def _steadiness(found: Sequence[float], pairs: Sequence[int]) -> float:
    return sum(one * more for one, more in zip(found, pairs, strict=True)) / sum(pairs)


def _with(profile: Profile, code: str, kind: Instrument | None) -> Profile:
    if kind is None:
        return profile
    return replace(profile, errors={code: kind.error}, paces={code: kind.pace})


def of(stay: Stay, seed: int, kind: Instrument | None = None) -> Twins:
    """The twin's measurements at the stay's times."""
    code = simulated_code(stay.series)
    profile = _admitted(stay, code, seed, kind)
    rest = stay.times_ms[stay.known :]
    lives = max(1, min(25, _LIVED // len(rest)))
    rows = [measured(profile, code, seed + 1000 + life, rest) for life in range(lives)]
    return Twins(stay, np.array(rows))


def simulated_code(series: Series) -> str:
    """Resting pulse several times a day is pulse at rest; once a day it is the day's figure."""
    return "pulse" if series.code == "resting_pulse" and series.gap_hours < 12.0 else series.code


def measured(profile: Profile, code: str, life: int, times_ms: Integers) -> Floats:
    return physiology.measured(replace(profile, seed=life), None, "twin", code, times_ms)


def _admitted(stay: Stay, code: str, seed: int, kind: Instrument | None) -> Profile:
    """Somebody whose measurements in the first third have, in the mean, the person's mean and spread."""
    step = max(1, stay.known // _MOST_KNOWN)
    times, values = stay.times_ms[: stay.known : step], stay.values[: stay.known : step]
    level, spread = float(values.mean()), float(values.std())
    usual = physiology.VITALS[code].spread
    if code in vitals.LEVELS:
        usual *= level / vitals.LEVELS[code]
    profile = _with(somebody(stay.series.person, code, level, usual, seed), code, kind)
    _, variance = _rehearsed(profile, code, times)
    # What slow wandering has not shown within the third is added: the rehearsals had no more time either.
    own = len(values) - 1
    ratio = float(np.sqrt((_PRIOR + own * spread * spread / max(variance, 1e-9)) / (_PRIOR + own)))
    profile = replace(profile, spreads={code: usual * ratio})
    mean, _ = _rehearsed(profile, code, times)
    return replace(profile, baselines=profile.baselines | {code: 2 * level - mean})


def _rehearsed(profile: Profile, code: str, times_ms: Integers) -> tuple[float, float]:
    """Mean of the means and of the variances over several lives."""
    rows = [measured(profile, code, life, times_ms) for life in range(_REHEARSALS)]
    return float(np.mean([row.mean() for row in rows])), float(np.mean([row.var() for row in rows]))


def somebody(name: str, code: str, level: float, spread: float, seed: int) -> Profile:
    """A body that has this usual level and spread of one vital sign."""
    levels = {"systolic": level + 45.0 if code == "diastolic" else 125.0, "diastolic": 75.0, code: level}
    return Profile(f"twin of {name}", seed, 60, "female", "none", "UTC", False, {}, levels, {code: spread})
