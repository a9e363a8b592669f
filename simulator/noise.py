"""Noise that is a function of a key and an index, so that order and step size never change a value.

Only integer arithmetic, +, -, *, / and square root are used: the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_TOGETHER = 16_384
_ALL = (1 << 64) - 1


def key(*parts: object) -> int:
    """A 64-bit key from any parts that have one text form."""
    joined = "\x1f".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "big")


def bits(source: int, index: Integers) -> NDArray[np.uint64]:
    """64 random bits for each index (splitmix64)."""
    return _bits(np.uint64(source), index)


def _bits(source: Any, index: Integers) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        state: Any = index.astype(np.uint64) * _STEP + source
        state = (state ^ (state >> np.uint64(30))) * _FIRST
        state = (state ^ (state >> np.uint64(27))) * _SECOND
        return np.asarray(state ^ (state >> np.uint64(31)), dtype=np.uint64)


def uniform(source: int, index: Integers) -> Floats:
    """Uniform on [0, 1) for each index."""
    return (bits(source, index) >> np.uint64(11)).astype(np.float64) * (1.0 / (1 << 53))


def uniform_one(source: int, index: int = 0) -> float:
    """Uniform on [0, 1) for one index."""
    # The same arithmetic on plain integers: thirty times as fast as an array of one.
    state = (index * 0x9E3779B97F4A7C15 + source) & _ALL
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _ALL
    return ((state ^ (state >> 31)) >> 11) * (1.0 / (1 << 53))


def gaussian(source: int, index: Integers) -> Floats:
    """Nearly normal, mean 0, deviation 1, never beyond 3.47: the sum of four uniforms out of one hash."""
    return _gaussians(np.uint64(source), index)


def _gaussians(source: Any, index: Integers) -> Floats:
    drawn = _bits(source, index)
    total = np.zeros(index.shape, dtype=np.float64)
    for shift in (0, 16, 32, 48):
        total += ((drawn >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64) * (1.0 / 65536)
    return np.asarray((total - 2.0) * 1.7320508075688772, dtype=np.float64)


def smooth(source: int, times_ms: Integers, period_ms: int) -> Floats:
    """Autocorrelated noise, deviation 1: random nodes one period apart, joined smoothly."""
    shifted = times_ms + np.int64(source % period_ms)
    node = shifted // period_ms
    part = (shifted - node * period_ms).astype(np.float64) / period_ms
    weight = part * part * (3.0 - 2.0 * part)
    mixed = gaussian(source, node) * (1.0 - weight) + gaussian(source, node + 1) * weight
    return np.asarray(mixed / np.sqrt((1.0 - weight) * (1.0 - weight) + weight * weight), dtype=np.float64)


@dataclass(frozen=True)
class Weighted:
    """Several smooth noises to be added up. Columns, one row each."""

    sources: NDArray[np.uint64]
    periods_ms: Integers
    shifts_ms: Integers
    weights: tuple[float, ...]


def weighted(parts: Sequence[tuple[int, int, float]]) -> Weighted:
    """parts: (source, period in ms, weight)."""
    return Weighted(
        np.array([[source] for source, _, _ in parts], dtype=np.uint64),
        np.array([[period] for _, period, _ in parts], dtype=np.int64),
        np.array([[source % period] for source, period, _ in parts], dtype=np.int64),
        tuple(weight for _, _, weight in parts),
    )


def added(parts: Weighted, times_ms: Integers) -> Floats:
    """The sum of weight * smooth(source, times, period) over the parts, in one go."""
    total = np.zeros(len(times_ms), dtype=np.float64)
    # A table of all parts and times at once is quick for few times; many at a time would fill the memory.
    for start in range(0, len(times_ms), _TOGETHER):
        times = times_ms[start : start + _TOGETHER]
        shifted = times + parts.shifts_ms
        node = shifted // parts.periods_ms
        part = (shifted - node * parts.periods_ms).astype(np.float64) / parts.periods_ms
        weight = part * part * (3.0 - 2.0 * part)
        rest = 1.0 - weight
        mixed = _gaussians(parts.sources, node) * rest + _gaussians(parts.sources, node + 1) * weight
        mixed /= np.sqrt(rest * rest + weight * weight)
        for size, row in zip(parts.weights, mixed, strict=True):
            total[start : start + _TOGETHER] += size * row
    return total


def wave(phase: Floats) -> Floats:
    """A sine of period 1 (Bhaskara's formula): no library function whose last digit differs by machine."""
    turn = phase - np.floor(phase)
    half = np.where(turn < 0.5, turn, turn - 0.5) * 2.0
    lobe = half * (1.0 - half)
    value = 16.0 * lobe / (5.0 - 4.0 * lobe)
    return np.where(turn < 0.5, value, -value)
