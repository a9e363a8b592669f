"""Slope: a rise or fall over weeks that is more than chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.kinds.base import Finding, Refusal
from tests.unit.alerts.kinds import histories
from tests.unit.alerts.kinds.histories import daily, found, refused, rule

BASIC = {"code": "weight", "direction": "rise", "amber": 1.5, "red": 3, "hysteresis": 0.5}
steady = {day: 80 + day / 10 for day in range(30)}  # 3 kg in 30 days


def oracle(values: dict[int, float], window: int, today: int) -> tuple[float, float]:
    """(change over the window, two-sided p) by definition."""
    chosen = sorted((day, value) for day, value in values.items() if today - window < day <= today)
    x, y = (np.array(column, float) for column in zip(*chosen, strict=True))
    first, second = np.triu_indices(len(x), 1)
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    score = float(np.sign(y[second] - y[first]).sum())
    ties = np.unique(y, return_counts=True)[1]
    n = len(y)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    z = 0.0 if score == 0 else (score - np.sign(score)) / math.sqrt(variance)
    return slope * window, math.erfc(abs(z) / math.sqrt(2))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.integers(0, 45), st.integers(795, 812).map(lambda value: value / 10), min_size=3, max_size=40),
    st.sampled_from(["rise", "fall"]),
    st.sampled_from([10, 30, 45]),
    st.sampled_from([0.05, 0.5]),
)
def test_equal_to_its_definition(values: dict[int, float], direction: str, window: int, p: float) -> None:
    """Signal and refusals, of any days."""
    given_rule = rule("slope", code="weight", direction=direction, amber=1, window_days=window, p=p)
    today = max(values)
    inside = [day for day in values if today - window < day]
    finding = given_rule.assess(daily(values))
    if len(inside) < 6 or today - min(inside) < 0.6 * (window - 1):
        assert isinstance(finding, Refusal)
        return
    change, chance = oracle(values, window, today)
    signal = 0.0 if chance >= p else change if direction == "rise" else -change
    assert isinstance(finding, Finding)
    assert finding.signal == pytest.approx(signal, abs=1e-9)
    assert (finding.level, finding.clears) == (int(signal > 1 + 1e-9), signal <= 1 + 1e-9)


def test_a_change_equal_to_the_limit_is_inside() -> None:
    """3 kg in 30 days is not more than 3 kg; nor has it cleared at 1.5 kg with a hysteresis of 0.5."""
    finding = found(rule("slope", **BASIC), daily(steady))
    assert finding.signal == pytest.approx(3)
    assert (finding.level, finding.clears) == (1, False)
    assert found(rule("slope", **{**BASIC, "red": 2.9}), daily(steady)).level == 2
    assert found(rule("slope", **{**BASIC, "amber": 3.6, "red": None}), daily(steady)).clears is True
    assert found(rule("slope", **{**BASIC, "amber": 3.4, "red": None}), daily(steady)).clears is False


def test_a_fall_is_not_a_rise() -> None:
    falling = {day: -value for day, value in steady.items()}
    assert found(rule("slope", **BASIC), daily(falling)).signal == pytest.approx(-3)
    assert found(rule("slope", **{**BASIC, "direction": "fall"}), daily(falling)).level == 1
    assert found(rule("slope", **{**BASIC, "direction": "fall"}), daily(steady)).level == 0


def test_what_may_be_chance_counts_as_nothing() -> None:
    """A slope of some 3 kg a month through values that swing by 16 kg is no trend."""
    noisy = {day: 80 + day / 10 + 8 * math.sin(2.4 * day) for day in range(30)}
    assert oracle(noisy, 30, 29)[1] > 0.05
    assert found(rule("slope", **BASIC), daily(noisy)).signal == 0
    assert found(rule("slope", **{**BASIC, "p": 1}), daily(noisy)).signal != 0
    assert found(rule("slope", **BASIC), daily(dict.fromkeys(range(30), 80.0))).signal == 0


def test_counts_only_on_course_for_the_crossing_limit() -> None:
    """The line is at 82.9 kg on day 29 and at 84.9 kg twenty days later; equal is not beyond."""
    for limit, days, level in ((84.8, 20, 1), (84.9, 20, 0), (84.9, 21, 1), (82.8, 0, 1), (82.9, 0, 0)):
        crossing = rule("slope", **BASIC, crossing_limit=limit, crossing_days=days)
        assert found(crossing, daily(steady)).level == level
    falling = {day: 80 - day / 10 for day in range(30)}
    for limit, level in ((75.2, 1), (75.1, 0)):
        crossing = rule("slope", **{**BASIC, "direction": "fall"}, crossing_limit=limit, crossing_days=20)
        assert found(crossing, daily(falling)).level == level


def test_days_of_an_open_episode_count() -> None:
    """The line is about the days it is drawn through: without them an episode could never clear."""
    assert found(rule("slope", **BASIC), daily(steady, excluded=range(10, 30))) == found(
        rule("slope", **BASIC), daily(steady)
    )


def test_too_few_days() -> None:
    few = dict.fromkeys((5, 10, 15, 20, 29), 80.0)
    refusal = refused(rule("slope", **BASIC), daily(few))
    assert (refusal.why, refusal.needs) == ("too_few", "5 of 6 days with a value of weight from 04-Oct to 02-Nov")
    old = {**few, -30: 80.0}
    assert refused(rule("slope", **BASIC), daily(old)).why == "too_few"


@pytest.mark.parametrize(("first", "why"), [(11, ""), (12, "too_short")])
def test_too_short_a_stretch(first: int, why: str) -> None:
    """Of 30 days the values must span 17.4, so 18."""
    answer = rule("slope", **BASIC).assess(daily(dict.fromkeys(range(first, 30), 80.0)))
    assert getattr(answer, "why", "") == why
    if why:
        assert getattr(answer, "needs", "") == "values over 17 of 18 days of weight"


def test_told_so_that_it_can_be_worked_out_again() -> None:
    given_rule = rule("slope", **BASIC, crossing_limit=84, crossing_days=20)
    desk = daily(steady)
    told = given_rule.tell(desk, found(given_rule, desk))
    assert told.sentence == (
        "Weight rises by 3.00 kg in 30 days, more than 1.5 kg: line through 30 daily values from 04-Oct to 02-Nov, "
        "p below 0.001, on course for 84.9 kg on 22-Nov, above 84 kg"
    )
    assert [entry["value"] for entry in told.inputs] == pytest.approx(list(steady.values()))
    assert told.inputs[0]["day"] == "2024-10-04"
    assert told.numbers["slope_per_day"] == 0.1
    assert told.numbers["change"] == 3
    assert told.numbers["mann_kendall"] == 30 * 29 / 2
    assert told.numbers["line_at_crossing"] == 84.9
    assert given_rule.clears_when() == "the rise over 30 days is 1 kg or less, or may be chance"


def test_more_days_than_inputs_are_in_the_numbers() -> None:
    given_rule = rule("slope", **{**BASIC, "window_days": 60})
    desk = daily({day: 80 + day / 10 for day in range(60)})
    told = given_rule.tell(desk, found(given_rule, desk))
    assert len(told.inputs) == 40
    assert told.numbers["earlier"][0] == ["2024-10-04", 80.0]
    assert len(told.numbers["earlier"]) == 20


def test_kept_as_it_was_written() -> None:
    for fields in (BASIC, {**BASIC, "name": "gain", "crossing_limit": 84, "p": 0.01, "window_days": 60}):
        first = rule("slope", **fields)
        assert rule(**first.dump()) == first
    assert rule("slope", **BASIC).key == "slope/weight"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"direction": "up"}, "rules[0].direction: must be rise or fall"),
        ({"window_days": 4}, "rules[0].window_days: must be a whole number from 5 to 60"),
        ({"window_days": 61}, "rules[0].window_days: must be a whole number from 5 to 60"),
        ({"min_points": 5}, "rules[0].min_points: must be a whole number from 6 to 60"),
        ({"window_days": 10, "min_points": 11}, "rules[0].min_points: there are fewer days than that in window_days"),
        ({"p": 0}, "rules[0].p: must be greater than 0, at most 1"),
        ({"p": None}, "rules[0].p: must be greater than 0, at most 1"),
        ({"crossing_days": -1}, "rules[0].crossing_days: must be a whole number from 0 to 90"),
        ({"amber": None, "red": None}, "rules[0]: has no limit at all: give amber, red or both"),
        ({"amber": 4}, "rules[0].red: must not be nearer to normal than amber"),
        ({"amber": -1}, "rules[0].amber: must be greater than 0"),
        ({"code": "fall"}, "rules[0].code: Fall is not a number that can be followed"),
        ({"hysteresis": 9}, "rules[0].hysteresis: is more than the limit: an alert could never clear"),
        ({"windowdays": 30}, "has a field that is not known"),
    ],
)
def test_refused_with_the_field_named(change: dict[str, object], told: str) -> None:
    assert told in histories.complaint({"kind": "slope", **BASIC, **change})
