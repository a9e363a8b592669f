"""Cusum: a small drift that lasts, summed up day by day."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import explanation
from alerts.kinds.base import Finding, Refusal
from tests.unit.alerts.kinds import histories
from tests.unit.alerts.kinds.histories import daily, found, refused, rule

BASIC = {"code": "resting_pulse", "direction": "rise", "amber": 4, "red": 8, "hysteresis": 2, "floor": 2}
#: 28 usual days, then days of the run: 60 beats, spread 1.4826 * 2.
usual = {day: 60.0 + (2 if day % 2 else -2) for day in range(28)}


def oracle(values: dict[int, float], excluded: set[int], today: int, sign: int) -> float | None:
    """By definition: 28 days of baseline, 21 of run, k 0.75, cap 4, floor 2, gap 7."""
    window = [day for day in values if today - 21 - 28 < day <= today - 21]
    clean = [day for day in window if day not in excluded]
    if len(clean) < 14 <= len(window) - len(clean):
        clean = window
    if len(clean) < 14:
        return None
    y = np.array([values[day] for day in clean])
    spread = max(1.4826 * float(np.median(np.abs(y - np.median(y)))), 2)
    total, before = 0.0, None
    for day in sorted(day for day in values if today - 21 < day <= today):
        if before is not None and day - before > 7:
            total = 0.0
        total = max(0.0, total + min(sign * (values[day] - float(np.median(y))) / spread, 4) - 0.75)
        before = day
    return total


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.integers(0, 55), st.integers(52, 72).map(float), min_size=12, max_size=56),
    st.sets(st.integers(0, 55)),
    st.sampled_from(["rise", "fall"]),
)
def test_equal_to_its_definition(values: dict[int, float], excluded: set[int], direction: str) -> None:
    given_rule = rule("cusum", **{**BASIC, "direction": direction})
    finding = given_rule.assess(daily(values, "resting_pulse", excluded=excluded))
    signal = oracle(values, excluded, max(values), 1 if direction == "rise" else -1)
    if signal is None:
        assert isinstance(finding, Refusal)
        return
    assert isinstance(finding, Finding)
    assert finding.signal == pytest.approx(signal, abs=1e-9)
    assert finding.level == (signal > 4 + 1e-9) + (signal > 8 + 1e-9)
    assert finding.clears == (signal <= 2 + 1e-9)


def test_a_small_drift_adds_up() -> None:
    """Two spreads above usual add 1.25 a day: more than 4 on the fourth day, more than 8 on the seventh."""
    spread = 1.4826 * 2
    levels = []
    for days in range(1, 8):
        run = {27 + day: 60 + 2 * spread for day in range(1, days + 1)}
        levels.append(found(rule("cusum", **BASIC), daily({**usual, **run}, "resting_pulse", today=48)).level)
    assert levels == [0, 0, 0, 1, 1, 1, 2]


def test_one_day_alone_never_decides() -> None:
    """However wild it is: with a cap of 4 and k of 0.75 it adds 3.25."""
    finding = found(rule("cusum", **BASIC), daily({**usual, 48: 200.0}, "resting_pulse"))
    assert (finding.signal, finding.level) == (3.25, 0)


def test_a_usual_day_takes_k_away() -> None:
    finding = found(rule("cusum", **BASIC), daily({**usual, 47: 200.0, 48: 60.0}, "resting_pulse"))
    assert finding.signal == 2.5


def test_a_spread_below_the_floor_is_the_floor() -> None:
    """Without spread among the usual days a beat more would be infinitely many spreads."""
    history = {**dict.fromkeys(range(28), 60.0), 48: 62.0}
    assert found(rule("cusum", **BASIC), daily(history, "resting_pulse")).signal == 0.25


def test_refusals() -> None:
    history = dict.fromkeys(range(13), 60.0)
    refusal = refused(rule("cusum", **BASIC), daily({**history, 40: 60.0}, "resting_pulse"))
    assert refusal.why == "too_few"
    assert refusal.needs == "13 of 14 days with a value of resting pulse from 26-Sep to 23-Oct"
    refusal = refused(rule("cusum", **BASIC), daily(usual, "resting_pulse", today=48))
    assert (refusal.why, refusal.needs) == ("too_old", "a value of resting pulse in the last 21 days")


def test_told_so_that_it_can_be_worked_out_again() -> None:
    given_rule = rule("cusum", **BASIC)
    desk = daily({**usual, 40: 59.0, 44: 66.0, 45: 66.0, 46: 66.0, 48: 68.0}, "resting_pulse")
    told = given_rule.tell(desk, found(given_rule, desk))
    assert told.sentence == (
        "Resting pulse above its usual 60 /min since 17-Nov, newest 68 /min on 21-Nov: daily deviations sum up to "
        "5.77, more than 4"
    )
    assert [entry["sum"] for entry in told.inputs] == pytest.approx([0, 1.273472, 2.546945, 3.820417, 5.76838])
    assert told.numbers["usual"]["median"] == 60
    assert told.numbers["usual"]["mad"] == 2
    assert told.numbers["usual"]["spread"] == 2.9652
    assert len(told.numbers["usual"]["values"]) == 28
    assert given_rule.clears_when() == "the sum of daily deviations of resting pulse back to 2 or less"
    assert rule(**given_rule.dump()) == given_rule
    assert rule("cusum", code="weight", direction="fall", amber=4).dump()["floor"] == 0.1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hysteresis": 9}, "rules[0].hysteresis: is more than the limit: an alert could never clear"),
        ({"k": 4}, "rules[0].k: must be less than cap: the sum could never grow"),
        ({"cap": 0}, "rules[0].cap: must be greater than 0, at most 100"),
        ({"floor": 0}, "rules[0].floor: must be greater than 0, at most 1e+06"),
        ({"run_days": 33}, "rules[0].run_days: with baseline_days is more than the 60 days that are kept"),
        ({"min_days": 29}, "rules[0].min_days: must be a whole number from 5 to 28"),
        ({"gap_days": 0}, "rules[0].gap_days: must be a whole number from 1 to 60"),
        ({"direction": "both"}, "rules[0].direction: must be rise or fall"),
    ],
)
def test_refused_with_the_field_named(change: dict[str, object], told: str) -> None:
    assert told in histories.complaint({"kind": "cusum", **BASIC, **change})


def test_days_left_out_are_named_with_the_reason() -> None:
    given_rule = rule("cusum", **BASIC)
    desk = daily({**usual, 5: 90.0, 6: 90.0, 44: 66.0, 45: 66.0, 46: 66.0, 48: 68.0}, "resting_pulse", excluded=(5, 6))
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
