"""What varies within one body: slow and quick wandering, correlated between vital signs, with real tails.

All pure functions of (source, time), of deviation 1 over a long time.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from simulator import noise
from simulator.bodies import vitals
from simulator.noise import Floats, Integers

#: One measurement in so many is done badly, and is so many times as wrong.
_BAD, _WRONG = 0.03, 2.5
_ERROR_SIZE = 1.0 / float(np.sqrt(1.0 - _BAD + _BAD * _WRONG * _WRONG))


def wandering(source: int, name: str, times_ms: Integers) -> Floats:
    """What wanders under a name (a vital sign's or a common one's): nearly normal, deviation 1."""
    return noise.added(_parts(source, name), times_ms)


def shaped(value: Floats, skew: float, tails: float) -> Floats:
    """The same with skewness and tails: Hermite polynomials (after Fleishman 1978), mean 0 and deviation 1 kept."""
    second, third = skew / 6.0, tails / 24.0
    square = value * value
    bent = value + second * (square - 1.0) + third * (square - 3.0) * value
    return np.asarray(bent / float(np.sqrt(1.0 + 2.0 * second * second + 6.0 * third * third)), dtype=np.float64)


def error(source: int, times_ms: Integers, lasting: str | None) -> Floats:
    """Deviation 1. Of one measurement each, and a few are done badly; or of a sensor, and it lasts for a while."""
    if lasting is not None:
        return noise.smooth(source, times_ms, vitals.PERIODS[lasting])
    drawn = noise.gaussian(noise.key(source, "size"), times_ms)
    badly = noise.uniform(noise.key(source, "badly"), times_ms) < _BAD
    return np.asarray(drawn * np.where(badly, _WRONG, 1.0) * _ERROR_SIZE, dtype=np.float64)


@functools.lru_cache(maxsize=20_000)
def _parts(source: int, name: str) -> noise.Weighted:
    return noise.weighted(_listed(source, name, 1.0))


def _listed(source: int, name: str, weight: float) -> list[tuple[int, int, float]]:
    """(source, period, weight) of everything that a name is made of, what it wanders along with included."""
    vital = vitals.VITALS.get(name)
    shares = vital.shares if vital is not None else vitals.COMMON[name].shares
    whole = math.fsum(shares.values()) or 1.0  # sum() rounds otherwise from Python 3.12 on
    leader, correlation = (vital.along if vital is not None else None) or (None, 0.0)
    own = weight * float(np.sqrt(1.0 - correlation * correlation))
    found = [
        (noise.key(source, name, period), vitals.PERIODS[period], own * float(np.sqrt(share / whole)))
        for period, share in shares.items()
        if share > 0
    ]
    return found if leader is None else found + _listed(source, leader, weight * correlation)
