"""Intervals against published values and their own definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import errors, intervals


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_proportions_as_published(hits: int, of: int, low: float, high: float) -> None:
    """Newcombe 1998, Stat Med 17:857, table I, method 3."""
    found = intervals.proportion(hits, of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)
    assert found.method == "Wilson"


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (5, 1.6235, 11.6683), (10, 4.7954, 18.3904), (100, 81.3640, 121.6272)],
)
def test_counts_as_in_tables(count: int, low: float, high: float) -> None:
    """The exact limits of a Poisson count that tables give."""
    found = intervals.poisson(count, 1.0)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)


def test_counts_go_on_smoothly_where_the_short_form_begins() -> None:
    exact, short = intervals.poisson(999, 1.0), intervals.poisson(1000, 1.0)
    assert exact.low is not None
    assert exact.high is not None
    assert short.low == pytest.approx(exact.low + 1, abs=0.05)
    assert short.high == pytest.approx(exact.high + 1, abs=0.05)


def test_a_rate_is_a_count_in_its_time() -> None:
    one, half = intervals.poisson(7, 1.0), intervals.poisson(7, 2.0)
    assert half.value == 3.5
    assert (half.low, half.high) == pytest.approx(((one.low or 0) / 2, (one.high or 0) / 2))


def test_nothing_is_not_a_number() -> None:
    for found in (intervals.proportion(0, 0), intervals.poisson(0, 0.0), intervals.median([])):
        assert found.value is None
    with pytest.raises(errors.InputError):
        intervals.proportion(2, 1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_the_interval_of_a_median_is_the_widest_that_is_needed(values: list[float]) -> None:
    """Two values of the data, as near to each other as leaves at most 2.5 % on either side."""
    found, count, ordered = intervals.median(values), len(values), sorted(values)
    assert found.value == pytest.approx(float(np.median(values)), rel=1e-9, abs=1e-9)
    below = [sum(math.comb(count, k) for k in range(rank)) / 2**count for rank in range(count + 1)]
    ranks = [rank for rank in range(1, count + 1) if below[rank] <= 0.025]
    if not ranks:
        assert found.low is None
        assert count < 6
    else:
        assert (found.low, found.high) == (ordered[max(ranks) - 1], ordered[count - max(ranks)])


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [((36, 12, 2, 0), 0.0569, 0.3404), ((0, 0, 0, 30), -0.1135, 0.1135)],
)
def test_paired_proportions(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    """Newcombe 1998, Stat Med 17:2635: the square-and-add interval of paired differences, first less second."""
    found = intervals.paired(*counts)
    assert (-(found.high or 0), -(found.low or 0)) == pytest.approx((low, high), abs=6e-4)


def test_few_people_have_the_exact_interval_and_many_are_resampled() -> None:
    few = intervals.rates(np.ones((intervals.ENOUGH_PEOPLE - 1, 1)), np.full((intervals.ENOUGH_PEOPLE - 1, 1), 10.0))
    many = intervals.rates(np.ones((intervals.ENOUGH_PEOPLE, 1)), np.full((intervals.ENOUGH_PEOPLE, 1), 10.0))
    assert few[0].method == intervals.POISSON
    assert many[0].method == intervals.BOTH
    exact = intervals.poisson(intervals.ENOUGH_PEOPLE, 10.0 * intervals.ENOUGH_PEOPLE)
    assert (many[0].low, many[0].high) == (exact.low, exact.high)  # everybody alike: people do not differ
    nobody = intervals.rates(np.zeros((50, 1)), np.full((50, 1), 10.0))
    assert nobody[0].method == intervals.POISSON


def test_resampling_people_is_wider_where_one_has_most() -> None:
    """The same alerts in all: of one person in ten, or of everybody."""
    people, exposure = 100, np.full((100, 1), 10.0)
    uneven = np.zeros((people, 1))
    uneven[::10] = 10
    wide, narrow = intervals.rates(uneven, exposure)[0], intervals.rates(np.ones((people, 1)), exposure)[0]
    exact = intervals.poisson(100, 1000.0)
    assert wide.value == narrow.value == exact.value == 0.1
    assert (wide.high or 0) - (wide.low or 0) > (exact.high or 0) - (exact.low or 0)
    assert (narrow.low, narrow.high) == (exact.low, exact.high)


def test_resampling_covers_what_it_should() -> None:
    """Of many samples of a known rate nearly 95 % of the intervals hold it."""
    draws = np.array(
        [[(7919 * (sample * 40 + person) ** 2) % 1009 / 1009 for person in range(40)] for sample in range(200)]
    )
    counts = np.floor(draws * 5)  # 0 to 4 alike: mean 2
    held = 0
    for sample in counts:
        found = intervals.rates(sample[:, None], np.ones((40, 1)))[0]
        held += (found.low or 0) <= counts.mean() <= (found.high or 0)
    assert 0.88 <= held / len(counts) <= 1.0


def test_the_same_data_give_the_same_interval() -> None:
    counts, exposure = np.arange(60.0)[:, None] % 7, np.full((60, 1), 30.0)
    assert intervals.rates(counts, exposure) == intervals.rates(counts, exposure)
    assert intervals.rates(counts, exposure)[0].low == pytest.approx(0.0842, abs=0.02)


def test_share_of_the_top_tenth() -> None:
    """Three people in thirty have 30 of 57 alerts."""
    found = intervals.top_share(np.array([10.0] * 3 + [1.0] * 27))
    assert found.value == 30 / 57
    assert found.low is not None
    assert found.low < 30 / 57 <= (found.high or 0)
    assert intervals.top_share(np.array([1.0, 0.0])).low is None
    assert intervals.top_share(np.zeros(50)).value is None


def test_difference_of_rates_of_the_same_people() -> None:
    """Somebody with ten more alerts is one person, not ten."""
    before, after = np.ones(40), np.ones(40)
    after[0] = 11
    found = intervals.rate_difference(before, after, np.full(40, 10.0))
    assert found.value == pytest.approx(10 / 400)
    assert found.low == 0.0
    assert intervals.rate_difference(before[:5], after[:5], np.full(5, 10.0)).low is None
