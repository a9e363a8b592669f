"""Baseline: the newest days against what is usual for this resident."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import explanation
from alerts.kinds.base import Finding, Refusal
from tests.unit.alerts.kinds import histories
from tests.unit.alerts.kinds.histories import daily, found, refused, rule

BASIC = {"code": "resting_pulse", "direction": "rise", "amber": 2.5, "red": 4, "hysteresis": 0.5, "floor": 2}
#: 28 days of 60 beats, spread 1.4826 * 2 = 2.9652; the next day that counts is day 30.
usual = {day: 60.0 + (2 if day % 2 else -2) for day in range(28)}


def oracle(
    values: dict[int, float], excluded: set[int], today: int, direction: str, unit: str, days: int
) -> float | None:
    """By definition: baseline 28, least 14, skip 3, floor 2, steps of at most 2 days; None: cannot decide."""
    newest = sorted(values)[-days:]
    if len(newest) < days or today - newest[-1] > 2 or any(np.diff(newest) > 2):
        return None
    window = [day for day in values if today - 3 - 28 < day <= today - 3]
    clean = [day for day in window if day not in excluded]
    if len(clean) < 14 <= len(window) - len(clean):
        clean = window
    if len(clean) < 14:
        return None
    y = np.array([values[day] for day in clean])
    m = float(np.median(y))
    s = {"z": max(1.4826 * float(np.median(np.abs(y - m))), 2.0), "value": 1.0, "percent": m / 100}[unit]
    deviations = [(values[day] - m) / s for day in newest]
    return min(deviations) if direction == "rise" else min(-deviation for deviation in deviations)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.integers(0, 33), st.integers(50, 74).map(float), min_size=15, max_size=34),
    st.sets(st.integers(0, 33)),
    st.sampled_from(["rise", "fall"]),
    st.sampled_from(["z", "value", "percent"]),
    st.integers(1, 4),
)
def test_equal_to_its_definition(
    values: dict[int, float], excluded: set[int], direction: str, unit: str, days: int
) -> None:
    given_rule = rule("baseline", **{**BASIC, "direction": direction, "unit": unit, "days": days})
    finding = given_rule.assess(daily(values, "resting_pulse", excluded=excluded))
    signal = oracle(values, excluded, max(values), direction, unit, days)
    if signal is None:
        assert isinstance(finding, Refusal)
        return
    assert isinstance(finding, Finding)
    assert finding.signal == pytest.approx(signal, abs=1e-9)
    assert finding.level == (signal > 2.5 + 1e-9) + (signal > 4 + 1e-9)
    assert finding.clears == (signal <= 2 + 1e-9)


def test_every_one_of_the_newest_days_must_be_beyond() -> None:
    """One day of 80 beats alone is nothing; with a second one it is red."""
    one = {**usual, 29: 60.0, 30: 80.0}
    assert found(rule("baseline", **BASIC), daily(one, "resting_pulse")).level == 0
    assert found(rule("baseline", **BASIC, days=1), daily(one, "resting_pulse")).level == 2
    assert found(rule("baseline", **BASIC), daily({**one, 31: 80.0}, "resting_pulse")).level == 2


def test_a_deviation_equal_to_the_limit_is_inside() -> None:
    for unit, limit, value in (("z", 2.5, 60 + 2.5 * 2.9652), ("value", 12, 72.0), ("percent", 20, 72.0)):
        given_rule = rule("baseline", **{**BASIC, "amber": limit, "red": None}, unit=unit, days=1)
        assert found(given_rule, daily({**usual, 30: value}, "resting_pulse")).level == 0
        assert found(given_rule, daily({**usual, 30: value + 0.001}, "resting_pulse")).level == 1


def test_it_clears_beyond_the_hysteresis() -> None:
    given_rule = rule("baseline", **{**BASIC, "amber": 12, "red": None, "hysteresis": 4}, unit="value", days=1)
    for value, clears in ((68.001, False), (68.0, True)):
        assert found(given_rule, daily({**usual, 30: value}, "resting_pulse")).clears is clears


def test_the_last_days_are_no_part_of_what_is_usual() -> None:
    """The three days before today are left out, the fourth counts."""
    given_rule = rule("baseline", **BASIC, unit="value", baseline_days=5, min_days=5, days=1)
    history = {**dict.fromkeys(range(20), 60.0), 16: 61.0}
    assert found(given_rule, daily({**history, 17: 90.0, 18: 90.0, 19: 70.0}, "resting_pulse")).signal == 10
    refusal = refused(given_rule, daily({**dict.fromkeys(range(13, 20), 60.0)}, "resting_pulse"))
    assert refusal.needs == "4 of 5 days with a value of resting pulse from 16-Oct to 20-Oct"


def test_days_of_an_episode_are_left_out_until_they_are_the_usual() -> None:
    """Fourteen days of an open episode are left out; of fifteen too few of the old usual remain, and they count."""
    given_rule = rule("baseline", **BASIC, unit="value", days=1)
    for ill, usual_pulse in ((13, 60.0), (14, 60.0), (15, 80.0)):
        first = 28 - ill
        history = {day: 60.0 if day < first else 80.0 for day in range(31)}
        desk = daily(history, "resting_pulse", excluded=range(first, 31))
        assert found(given_rule, desk).signal == 80 - usual_pulse
    sparse = dict.fromkeys(range(0, 31, 3), 60.0) | dict.fromkeys((20, 23, 26, 29, 30), 80.0)
    assert refused(given_rule, daily(sparse, "resting_pulse", excluded=(20, 23, 26))).why == "too_few"


def test_refusals() -> None:
    given_rule = rule("baseline", **BASIC)
    refusal = refused(given_rule, daily({0: 60.0}, "resting_pulse"))
    assert (refusal.why, refusal.needs) == ("too_few", "1 of 2 days with a value of resting pulse")
    refusal = refused(given_rule, daily({**usual, 30: 60.0, 33: 60.0}, "resting_pulse"))
    assert (refusal.why, refusal.needs) == ("too_few", "1 of 2 days in a row with a value of resting pulse")
    refusal = refused(given_rule, daily(usual, "resting_pulse", today=30))
    assert (refusal.why, refusal.needs) == ("too_old", "a value of resting pulse of the last 2 days")
    assert isinstance(given_rule.assess(daily(usual, "resting_pulse", today=29)), Finding)
    nothing = dict.fromkeys(range(31), 0.0)
    steps = rule("baseline", code="steps", direction="fall", amber=50, unit="percent")
    assert refused(steps, daily(nothing, "steps")).needs == "a usual steps above 0"


def test_told_so_that_it_can_be_worked_out_again() -> None:
    given_rule = rule("baseline", **BASIC)
    desk = daily({**usual, 29: 68.5, 30: 70.0}, "resting_pulse")
    told = given_rule.tell(desk, found(given_rule, desk))
    assert told.sentence == (
        "Resting pulse above usual by 2.9 times the usual spread, more than 2.5: 68.5 /min on 02-Nov, 70 /min on "
        "03-Nov; usual 60 /min, usual spread 3.0 /min, of 28 days from 04-Oct to 31-Oct"
    )
    assert [(entry["day"], entry["value"]) for entry in told.inputs] == [("2024-11-02", 68.5), ("2024-11-03", 70.0)]
    assert told.numbers["usual"]["spread"] == 2.9652
    assert told.numbers["deviation"] == pytest.approx(8.5 / 2.9652, abs=1e-6)
    assert given_rule.clears_when() == (
        "resting pulse of one of the newest 2 days no more than 2 times the usual spread above usual"
    )
    percent = rule("baseline", code="resting_pulse", direction="fall", amber=10, unit="percent", days=1)
    desk = daily({**usual, 30: 50.0}, "resting_pulse")
    assert percent.tell(desk, found(percent, desk)).sentence == (
        "Resting pulse below usual by 16.7 %, more than 10 %: 50 /min on 03-Nov; usual 60 /min, of 28 days from 04-Oct "
        "to 31-Oct"
    )
    assert percent.clears_when() == "resting pulse of the newest day no more than 10 % below usual"
    value = rule("baseline", code="resting_pulse", direction="rise", amber=10, unit="value")
    assert value.clears_when().endswith("no more than 10 /min above usual")
    for each in (given_rule, percent, value):
        assert rule(**each.dump()) == each


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hysteresis": 9}, "rules[0].hysteresis: is more than the limit: an alert could never clear"),
        ({"days": 8}, "rules[0].days: must be a whole number from 1 to 7"),
        ({"unit": "sd"}, "rules[0].unit: must be z or value or percent"),
        ({"floor": -1}, "rules[0].floor: must be greater than 0, at most 1e+06"),
        ({"skip_days": 30, "baseline_days": 31}, "rules[0].skip_days: with baseline_days is more than the 60 days"),
        ({"min_days": 29}, "rules[0].min_days: must be a whole number from 5 to 28"),
        ({"unit": "percent", "direction": "fall", "amber": 100, "red": None}, "cannot be 100 % below usual"),
        ({"direction": "down"}, "rules[0].direction: must be rise or fall"),
        ({"hysteresis": -1}, "rules[0].hysteresis: must not be negative"),
    ],
)
def test_refused_with_the_field_named(change: dict[str, object], told: str) -> None:
    assert told in histories.complaint({"kind": "baseline", **BASIC, **change})


def test_days_left_out_are_named_with_the_reason() -> None:
    given_rule = rule("baseline", **BASIC)
    desk = daily({**usual, 5: 90.0, 6: 90.0, 29: 68.5, 30: 70.0}, "resting_pulse", excluded=(5, 6))
    told = given_rule.tell(desk, found(given_rule, desk))
    assert told.numbers["left_out"] == [
        {"day": "2024-10-09", "value": 90, "why": "alert open"},
        {"day": "2024-10-10", "value": 90, "why": "alert open"},
    ]
    assert "2 days with an open alert left out" in told.sentence
    evidence = {"inputs": told.inputs, "numbers": told.numbers, "rule": given_rule.dump(), "level": "amber"}
    page = explanation.explain(given_rule.key, evidence)
    (series,) = [entry for entry in page["series"] if entry["label"].startswith("Left out of the baseline")]
    assert series["rows"] == [["2024-10-09", 90], ["2024-10-10", 90]]
    assert "left out, because an alert about it was open: 09-Oct, 10-Oct" in page["working"]
    assert "Usual mad" not in {entry["label"] for entry in page["numbers"]}
