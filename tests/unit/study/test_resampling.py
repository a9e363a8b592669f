"""Intervals over people: honest where there are few of them, the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from telehealth.study import resampling
from telehealth.study.resampling import Figure, People


def inside(figure: Figure) -> bool:
    values = (figure.other_low, figure.low, figure.value, figure.high, figure.other_high)
    known = [value for value in values if value is not None]
    return len(known) == 5 and known == sorted(known)


def test_nothing_found_is_not_certainty() -> None:
    people = People(["a", "b", "c"])
    rate = people.rate([0, 0, 0], [0.5, 0.5, 1.0])
    assert rate.value == 0
    assert rate.high == pytest.approx(3.689 / 2, abs=1e-3)  # Poisson's exact upper bound of no event
    share = people.share([3, 2, 4], [3, 2, 4])
    assert share.value == 1
    assert share.low is not None
    assert share.low < 0.5  # Wilson of 3 of 3
    assert inside(rate)
    assert inside(share)


def test_the_same_each_time_and_every_figure_within_its_intervals() -> None:
    owners = [f"{number}" for number in range(12)]
    hits, tries = [1.0, 0, 2, 3, 0, 1, 2, 2, 3, 0, 1, 1], [3.0] * 12
    told = [People(owners).share(hits, tries) for _ in range(2)]
    assert told[0] == told[1]
    assert inside(told[0])
    people = People(owners)
    assert inside(people.rate(hits, tries))
    assert inside(people.mean(hits, tries))
    assert inside(people.difference((hits, tries), (tries, tries)))
    assert people.difference((hits, tries), (hits, tries)).high == 0


def test_quarters_of_one_person_are_not_several_people() -> None:
    sums, numbers = [9.0, 8, 9, 8, 1, 0, 2, 1], [10.0] * 8
    apart = People([f"{number}" for number in range(8)]).mean(sums, numbers)
    together = People(["one"] * 4 + ["other"] * 4).mean(sums, numbers)
    assert apart.low is not None
    assert together.low is not None
    assert together.low < apart.low


def test_a_stated_interval_of_other_people_holds_for_them() -> None:
    """As often as it says, roughly: 40 groups of 20 people whose rates differ."""
    chance = np.random.default_rng(5)
    held = 0
    for group in range(40):
        means = chance.gamma(2.0, 0.5, (2, 20))
        one, other = chance.poisson(means)
        stated = People([f"{number}" for number in range(20)], seed=group).rate(one.tolist(), [1.0] * 20)
        assert stated.other_low is not None
        assert stated.other_high is not None
        held += stated.other_low <= other.mean() <= stated.other_high
    assert held >= 37


def test_no_people_and_no_time() -> None:
    assert People([]).rate([], []) == resampling.NOTHING
    assert People(["a"]).share([0], [0]) == resampling.NOTHING
    assert People(["a"]).difference(([0], [0]), ([1], [1])) == resampling.NOTHING
    assert resampling.NOTHING.told() == "-"
    assert Figure(0.5, 0.25, 0.75, 0.1, 0.9).told(1) == "0.5 (0.2 to 0.8)"
    assert Figure(0.5, 0.25, 0.75, 0.1, 0.9).others() == "0.10 to 0.90"
