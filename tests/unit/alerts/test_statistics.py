"""The statistics of short series, against definitions worked out the long way."""

from __future__ import annotations

import itertools
import math
import statistics as plain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import statistics

few = settings(max_examples=60, deadline=None, derandomize=True)

tenths = st.integers(-40, 40).map(lambda value: 80 + value / 10)
days = st.lists(st.integers(0, 59), min_size=2, max_size=40, unique=True).map(sorted)


@st.composite
def series(draw: st.DrawFn, least: int = 2) -> list[statistics.Point]:
    chosen = draw(st.lists(st.integers(0, 59), min_size=least, max_size=40, unique=True).map(sorted))
    return [(20_000 + day, draw(tenths)) for day in chosen]


@few
@given(series())
def test_theil_sen_is_the_median_of_all_pairwise_slopes(points: list[statistics.Point]) -> None:
    x, y = (np.array(column, float) for column in zip(*points, strict=True))
    first, second = np.triu_indices(len(x), 1)
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    line = statistics.theil_sen(points)
    assert line.slope == pytest.approx(slope, abs=1e-12)
    assert line.intercept == pytest.approx(float(np.median(y - slope * x)), abs=1e-7)


@few
@given(days, st.integers(-20, 20), st.integers(500, 900), st.data())
def test_theil_sen_finds_a_line_through_wild_values(
    chosen: list[int], slope: int, intercept: int, data: st.DataObject
) -> None:
    """A quarter of the values may be anything."""
    points = [(day, intercept / 10 + slope / 10 * day) for day in chosen]
    for position in data.draw(st.sets(st.integers(0, len(points) - 1), max_size=len(points) // 5)):
        points[position] = (points[position][0], data.draw(st.sampled_from([-1000.0, 0.0, 1e6])))
    line = statistics.theil_sen(points)
    if len(points) >= 10:
        assert line.slope == pytest.approx(slope / 10, abs=1e-9)
        assert line.value(3) == pytest.approx(intercept / 10 + slope / 10 * 3, abs=1e-6)


@few
@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_mann_kendall_counts_pairs(values: list[int]) -> None:
    y = np.array(values, float)
    score = int(np.sign(np.subtract.outer(y, y))[np.tril_indices(len(y), -1)].sum())
    trend = statistics.mann_kendall(values)
    assert trend.score == score
    if score:
        z = (score - math.copysign(1, score)) / math.sqrt(trend.variance)
        assert trend.z == pytest.approx(z)
        assert trend.p == pytest.approx(2 * plain.NormalDist().cdf(-abs(z)), abs=1e-12)
    else:
        assert (trend.z, trend.p) == (0.0, 1.0)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=6))
def test_mann_kendall_variance_is_that_of_all_orders(values: list[int]) -> None:
    """With ties: the variance of the score over every order in which the same values could have come."""
    scores = [
        sum((late > early) - (late < early) for early, late in itertools.combinations(order, 2))
        for order in itertools.permutations(values)
    ]
    assert statistics.mann_kendall(values).variance == pytest.approx(plain.pvariance(scores), abs=1e-9)


def test_mann_kendall_by_hand() -> None:
    """10 values that only rise: S 45, variance 125, z 44 / sqrt(125)."""
    trend = statistics.mann_kendall([float(value) for value in range(10)])
    assert trend.score == 45
    assert trend.variance == 125
    assert trend.z == pytest.approx(3.93548)
    assert trend.p == pytest.approx(8.3e-5, rel=0.01)


@few
@given(st.lists(tenths, min_size=1, max_size=40))
def test_mann_kendall_backwards_is_the_opposite(values: list[float]) -> None:
    forwards, backwards = statistics.mann_kendall(values), statistics.mann_kendall(values[::-1])
    assert (backwards.score, backwards.z, backwards.p) == (-forwards.score, -forwards.z, forwards.p)


@few
@given(series(1), st.sampled_from([0.5, 3.0, 14.0, 28.0]))
def test_decayed_average_weighs_by_age(points: list[statistics.Point], tau: float) -> None:
    """The value of day i keeps 1 - exp(-step/tau) of what all later steps leave; the first starts with all."""
    x, y = (np.array(column, float) for column in zip(*points, strict=True))
    kept = np.exp(-(x[-1] - x) / tau)
    gained = np.ones(len(x))
    gained[1:] = 1 - np.exp(-np.diff(x) / tau)
    assert statistics.decayed(points, tau) == pytest.approx(float((gained * kept * y).sum()), abs=1e-9)
    assert float((gained * kept).sum()) == pytest.approx(1)


def test_decayed_average_after_a_gap_longer_than_any_table() -> None:
    average = statistics.decayed([(0, 1.0), (100, 2.0)], 50)
    assert average == pytest.approx(2 - math.exp(-2))


@few
@given(st.lists(tenths, min_size=1, max_size=40), st.sampled_from([0.1, 0.5, 3.0]))
def test_usual_is_median_and_mad_with_a_floor(values: list[float], floor: float) -> None:
    y = np.array(values)
    centre = float(np.median(y))
    usual = statistics.usual(values, floor)
    assert usual.centre == pytest.approx(centre)
    assert usual.spread == pytest.approx(max(1.4826 * float(np.median(np.abs(y - centre))), floor))
    assert statistics.median(values) == usual.centre


@few
@given(series(1), st.sampled_from([1, -1]), st.sampled_from([0.25, 0.75]), st.sampled_from([1.5, 4.0, 100.0]))
def test_cusum_is_the_best_sum_of_a_tail(points: list[statistics.Point], sign: int, k: float, cap: float) -> None:
    """A sum that starts anew at 0 is the greatest sum of any tail of the increments, or nothing (Lindley)."""
    target = statistics.Usual(80.0, 0.5)
    gap = 7
    found = statistics.cusum(points, target, sign, k, cap, gap)
    for end in range(len(points)):
        best, total = 0.0, 0.0
        for position in range(end, -1, -1):
            day, value = points[position]
            total += min(sign * (value - 80.0) / 0.5, cap) - k
            best = max(best, total)
            if position and day - points[position - 1][0] > gap:
                break
        assert found[end] == pytest.approx(best, abs=1e-9)


def test_one_wild_day_adds_no_more_than_the_cap() -> None:
    target = statistics.Usual(80.0, 0.5)
    assert statistics.cusum([(0, 80.0), (1, 900.0), (2, 80.0)], target, 1, 0.75, 4, 7) == [0, 3.25, 2.5]


def test_a_gap_starts_the_sum_anew() -> None:
    """Seven days between two values are no gap, eight are."""
    target = statistics.Usual(80.0, 1.0)
    assert statistics.cusum([(0, 82.0), (7, 82.0), (15, 82.0)], target, 1, 1, 4, 7) == [1, 2, 1]
    assert statistics.cusum([], target, 1, 1, 4, 7) == []
