"""Noise: a function of key and index only, bounded, and the same on every machine."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator import noise

KEYS = st.integers(0, 2**64 - 1)
TIMES = st.lists(st.integers(0, 2**42), min_size=1, max_size=50)


@given(KEYS, TIMES)
def test_a_value_does_not_depend_on_what_is_asked_beside_it(key: int, times: list[int]) -> None:
    together = noise.smooth(key, np.array(times, dtype=np.int64), 3_600_000)
    alone = [noise.smooth(key, np.array([time], dtype=np.int64), 3_600_000)[0] for time in times]
    assert together.tolist() == alone


@given(KEYS, TIMES)
def test_it_is_bounded(key: int, times: list[int]) -> None:
    index = np.array(times, dtype=np.int64)
    assert np.abs(noise.gaussian(key, index)).max() < 3.47
    assert 0 <= noise.uniform(key, index).min() <= noise.uniform(key, index).max() < 1
    assert np.abs(noise.smooth(key, index, 60_000)).max() < 5


def test_it_has_mean_0_and_deviation_1() -> None:
    drawn = noise.gaussian(noise.key("shape"), np.arange(100_000, dtype=np.int64))
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.02


def test_neighbours_in_time_are_alike_and_distant_times_are_not() -> None:
    times = np.arange(200_000, dtype=np.int64) * 60_000
    values = noise.smooth(noise.key("slow"), times, 3_600_000)
    assert np.corrcoef(values[:-1], values[1:])[0, 1] > 0.99
    assert abs(np.corrcoef(values[:-600], values[600:])[0, 1]) < 0.1


def test_values_are_pinned() -> None:
    """A change here changes every reproducible run: it is a change of the contract of seeds."""
    index = np.array([0, 1, 1_795_000_000_000], dtype=np.int64)
    assert noise.key("resident", 1, "r1") == 0xEBDA9AF80084DF08
    assert noise.gaussian(42, index).tolist() == [1.4890097427128683, -0.7680002505057374, 2.2567457032394236]


@given(st.floats(-5, 5))
def test_the_wave_is_a_sine_within_two_thousandths(phase: float) -> None:
    assert abs(float(noise.wave(np.array([phase]))[0]) - math.sin(2 * math.pi * phase)) < 0.002


def test_one_is_the_same_as_one_of_many() -> None:
    index = np.array([0, 1, 7, -3, 2**40, -(2**62)], dtype=np.int64)
    for source in (0, 1, noise.key("a"), 2**64 - 1):
        assert [noise.uniform_one(source, int(i)) for i in index] == noise.uniform(source, index).tolist()
