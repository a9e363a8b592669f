"""Crossover: a fast average that has left the slow one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.kinds.base import Finding, Refusal
from tests.unit.alerts.kinds import histories
from tests.unit.alerts.kinds.histories import daily, found, refused, rule

BASIC = {"code": "weight", "direction": "rise", "fast_days": 3, "slow_days": 21, "amber": 1, "hysteresis": 0.5}


def averaged(values: dict[int, float], tau: float, today: int) -> float:
    """By definition, step by step."""
    chosen = sorted((day, value) for day, value in values.items() if today - 60 < day <= today)
    before, average = chosen[0]
    for day, value in chosen[1:]:
        average += (1 - math.exp(-(day - before) / tau)) * (value - average)
        before = day
    return average


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.integers(0, 80), st.integers(780, 830).map(lambda value: value / 10), min_size=3, max_size=50),
    st.sampled_from(["rise", "fall"]),
)
def test_equal_to_its_definition(values: dict[int, float], direction: str) -> None:
    """Of the last 60 days, whatever was before."""
    given_rule = rule("crossover", **{**BASIC, "direction": direction})
    today = max(values)
    inside = [day for day in values if today - 60 < day]
    finding = given_rule.assess(daily(values))
    if len(inside) < 10 or today - min(inside) < 14:
        assert isinstance(finding, Refusal)
        return
    signal = averaged(values, 3, today) - averaged(values, 21, today)
    signal = signal if direction == "rise" else -signal
    assert isinstance(finding, Finding)
    assert finding.signal == pytest.approx(signal, abs=1e-9)
    assert (finding.level, finding.clears) == (int(signal > 1 + 1e-9), signal <= 0.5 + 1e-9)


def test_a_step_is_found_and_forgotten() -> None:
    """Two kilograms more: the fast average is there within days, the slow one after weeks."""
    given_rule = rule("crossover", **BASIC)
    levels = {}
    for today in range(20, 60):
        history = {day: 80.0 if day < 30 else 82.0 for day in range(today + 1)}
        finding = found(given_rule, daily(history))
        levels[today] = (finding.level, finding.clears)
    differences = {day: 2 * (math.exp(-(day - 29) / 21) - math.exp(-(day - 29) / 3)) for day in range(30, 60)}
    assert [day for day in levels if levels[day][0]] == [day for day in differences if differences[day] > 1]
    assert [day for day in levels if levels[day][0]] == list(range(33, 44))
    assert min(day for day in levels if day > 43 and levels[day][1]) == 59


def test_a_steady_weight_has_no_difference() -> None:
    assert found(rule("crossover", **BASIC), daily(dict.fromkeys(range(0, 60, 3), 80.0))).signal == 0


def test_refusals() -> None:
    refusal = refused(rule("crossover", **BASIC), daily(dict.fromkeys(range(9), 80.0)))
    assert (refusal.why, refusal.needs) == ("too_few", "9 of 10 days with a value of weight from 14-Aug to 12-Oct")
    refusal = refused(rule("crossover", **BASIC), daily(dict.fromkeys(range(14), 80.0)))
    assert (refusal.why, refusal.needs) == ("too_short", "values over 13 of 14 days of weight")
    assert found(rule("crossover", **BASIC), daily(dict.fromkeys(range(15), 80.0))).level == 0


def test_told_so_that_it_can_be_worked_out_again() -> None:
    given_rule = rule("crossover", **BASIC)
    history = {day: 80.0 if day < 30 else 82.0 for day in range(34)}
    desk = daily(history)
    told = given_rule.tell(desk, found(given_rule, desk))
    assert told.sentence == (
        "Weight averages 81.47 kg lately (over 3 days), 1.13 kg above its average of 21 days, 80.35 kg: more than 1 kg"
    )
    assert told.numbers["fast"] == pytest.approx(averaged(history, 3, 33), abs=1e-6)
    assert told.numbers["slow"] == pytest.approx(averaged(history, 21, 33), abs=1e-6)
    assert given_rule.clears_when() == "the fast average of weight no more than 0.5 kg above the slow one"
    assert rule(**given_rule.dump()) == given_rule


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hysteresis": 9}, "rules[0].hysteresis: is more than the limit: an alert could never clear"),
        ({"fast_days": 21}, "rules[0].fast_days: must be shorter than slow_days"),
        ({"fast_days": 0}, "rules[0].fast_days: must be greater than 0, at most 60"),
        ({"slow_days": 61}, "rules[0].slow_days: must be greater than 0, at most 60"),
        ({"min_points": 1}, "rules[0].min_points: must be a whole number from 2 to 60"),
        ({"min_span_days": 60}, "rules[0].min_span_days: must be a whole number from 1 to 59"),
        ({"direction": None}, "rules[0].direction: must be rise or fall"),
    ],
)
def test_refused_with_the_field_named(change: dict[str, object], told: str) -> None:
    assert told in histories.complaint({"kind": "crossover", **BASIC, **change})
    assert "is needed" in histories.complaint({"kind": "crossover", "code": "weight", "direction": "rise", "amber": 1})
