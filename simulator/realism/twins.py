"""A simulated twin of one person's stay: the same times, and of the person only what is known at admission.

A stay is at most twelve weeks (six where something measures all the time) without a gap of four weeks: so long people
are watched at home. Its first third is the admission: the usual level and the spread of that third are given to the
twin; everything else, how values hang together in time, rhythm, tails, error and resolution, are the body's own.
"""

from __future__ import annotations

from collections.abc import Iterator
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


def of(stay: Stay, seed: int) -> Twins:
    """The twin's measurements at the stay's times."""
    code = simulated_code(stay.series)
    profile = _admitted(stay, code, seed)
    rest = stay.times_ms[stay.known :]
    lives = max(1, min(25, _LIVED // len(rest)))
    rows = [measured(profile, code, seed + 1000 + life, rest) for life in range(lives)]
    return Twins(stay, np.array(rows))


def simulated_code(series: Series) -> str:
    """Resting pulse several times a day is pulse at rest; once a day it is the day's figure."""
    return "pulse" if series.code == "resting_pulse" and series.gap_hours < 12.0 else series.code


def measured(profile: Profile, code: str, life: int, times_ms: Integers) -> Floats:
    return physiology.measured(replace(profile, seed=life), None, "twin", code, times_ms)


def _admitted(stay: Stay, code: str, seed: int) -> Profile:
    """Somebody whose measurements in the first third have, in the mean, the person's mean and spread."""
    step = max(1, stay.known // _MOST_KNOWN)
    times, values = stay.times_ms[: stay.known : step], stay.values[: stay.known : step]
    level, spread = float(values.mean()), float(values.std())
    usual = physiology.VITALS[code].spread
    if code in vitals.LEVELS:
        usual *= level / vitals.LEVELS[code]
    profile = somebody(stay.series.person, code, level, usual, seed)
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
