"""Change over a window: boundaries, confirmation, refusals, and the definition worked out with numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import book, errors, timeline, working
from alerts.kinds import window
from alerts.kinds.base import Finding, Refusal, Sample
from alerts.kinds.change import Change
from tests.unit.alerts.kinds import charts

WEIGHT: dict[str, Any] = {
    "kind": "change",
    "code": "weight",
    "direction": "rise",
    "window_hours": 72,
    "confirm": 2,
    "amber": 2,
}


def rule(**changes: Any) -> Change:
    return Change.parse({**WEIGHT, **changes}, "rules[0]")


def daily(*values: float) -> charts.Chart:
    """Weights a day apart, the last one now."""
    return charts.Chart(charts.hourly("weight", *values, every=24))


def finding(chart: charts.Chart, **changes: Any) -> Finding:
    found = rule(**changes).assess(chart)
    assert isinstance(found, Finding)
    return found


@pytest.mark.parametrize(
    ("last_two", "level"), [((80.0, 80.0), 0), ((80.1, 80.1), 1), ((82.0, 80.0), 0), ((80.1, 79.9), 0)]
)
def test_amber_is_more_than_the_limit_twice(last_two: tuple[float, float], level: int) -> None:
    """Equal to the limit is within it, and both of the newest readings must be beyond it."""
    assert finding(daily(78.0, 78.4, *last_two)).level == level


def test_the_last_bits_of_a_difference_decide_nothing() -> None:
    """64.4 less 62.4 is a little more than 2 in binary, and 2 for people."""
    assert 64.4 - 62.4 > 2
    assert finding(daily(62.4, 64.4, 64.4)).level == 0


@pytest.mark.parametrize(("newest", "level"), [(79.9, 0), (80.0, 0), (80.1, 1), (81.0, 1), (81.1, 2)])
def test_red_above_amber(newest: float, level: int) -> None:
    assert finding(daily(78.0, newest), confirm=1, red=3).level == level


def test_a_single_reading_is_enough_where_the_rule_says_so() -> None:
    assert finding(daily(78.0, 80.5), confirm=1) == Finding(1, 2.5, False)


def test_a_fall_is_the_mirror_of_a_rise() -> None:
    found = finding(daily(80.0, 79.0, 77.5, 77.0), direction="fall")
    assert found == Finding(1, 2.5, False)


def test_the_window_begins_exactly_so_many_hours_before() -> None:
    """A reading of 72 hours ago counts; one a microsecond older does not."""
    newest = [Sample(charts.NOON - charts.HOUR, 80.5, 0), Sample(charts.NOON, 80.5, 0)]
    between = Sample(charts.NOON - 24 * charts.HOUR, 80.4, 0)
    for at, signal in ((charts.NOON - 72 * charts.HOUR, 2.5), (charts.NOON - 72 * charts.HOUR - 1, 0.1)):
        chart = charts.Chart({"weight": [Sample(at, 78.0, 0), between, *newest]})
        assert finding(chart).signal == pytest.approx(signal)


def test_refused_with_fewer_readings_than_it_confirms_and_one() -> None:
    found = rule().assess(daily(78.0, 80.5))
    assert found == Refusal("too_few", "2 of 3 readings of weight within 72 hours")


def test_what_the_device_doubts_is_left_out() -> None:
    readings = charts.series([78.0, 80.5, 80.5], every=24)
    doubted = readings[1]._replace(quality=timeline.POOR)
    found = rule().assess(charts.Chart({"weight": [readings[0], doubted, readings[2]]}))
    assert isinstance(found, Refusal)


def test_refused_where_readings_of_the_window_were_dropped() -> None:
    """The history holds 200 readings: a window with more than that is not seen whole."""
    chart = charts.Chart(charts.hourly("weight", *[78.0] * 300, every=0.1))
    found = rule().assess(chart)
    assert isinstance(found, Refusal)
    assert found.why == "too_many"
    assert isinstance(rule(window_hours=12).assess(chart), Finding)
    assert window.MOST == book.KEPT_SAMPLES


@pytest.mark.parametrize(("newest", "clears"), [(79.5, True), (79.6, False), (80.1, False), (78.0, True)])
def test_clears_beyond_the_hysteresis(newest: float, clears: bool) -> None:
    found = finding(daily(78.0, 80.5, newest), hysteresis=0.5)
    assert (found.level == 0, found.clears) == (newest < 80.1, clears)


def test_clears_when_the_rise_is_older_than_the_window() -> None:
    """Weight stays up, but did not rise within the last 72 hours."""
    assert finding(daily(78.0, 80.5, 80.5, 80.5, 80.5)) == Finding(0, 0.0, True)


def test_the_sentence_says_what_a_nurse_needs() -> None:
    chart = daily(78.0, 78.2, 80.4, 80.6)
    told = rule().tell(chart, finding(chart))
    assert told.sentence == (
        "Weight up 2.4 kg within 72 hours, more than 2 kg: from 78.0 kg at 12:00 on 17-Nov "
        "to 80.4 kg at 12:00 on 19-Nov, the lowest of the last 2"
    )
    assert [(entry["value"], entry["part"], entry["decides"]) for entry in told.inputs] == [
        (78.0, "earlier", True),
        (78.2, "earlier", False),
        (80.4, "newest", True),
        (80.6, "newest", False),
    ]
    assert told.numbers["change"] == 2.4
    assert told.numbers["limit"] == 2.0


def test_more_digits_where_fewer_would_look_wrong() -> None:
    """2.04 kg is more than 2 kg, and shown so."""
    chart = daily(78.0, 80.04, 80.04)
    assert rule().tell(chart, finding(chart)).sentence.startswith("Weight up 2.04 kg within 72 hours, more than 2 kg")


def test_at_most_forty_inputs_with_the_two_that_decide() -> None:
    chart = charts.Chart(charts.hourly("weight", 78.0, *[79.0] * 58, 80.5, 80.5))
    told = rule().tell(chart, finding(chart))
    assert len(told.inputs) == 40
    assert {entry["value"] for entry in told.inputs if entry["decides"]} == {78.0, 80.5}


def test_against_the_median_one_odd_reading_before_is_no_change() -> None:
    """And the sentence, the inputs and the arithmetic say what was held against what."""
    chart = daily(80.0, 77.4, 80.1, 80.3, 80.2)
    assert finding(chart, window_hours=120).level == 1
    assert finding(chart, window_hours=120, against="median").level == 0
    risen = daily(80.0, 77.4, 80.1, 82.3, 82.2)
    chosen = rule(window_hours=120, against="median")
    found = finding(risen, window_hours=120, against="median")
    told = chosen.tell(risen, found)
    assert "from 80.0 kg, the median of the 3 readings before, to 82.2 kg at" in told.sentence
    assert told.numbers["earlier"] == 80.0
    assert [entry["value"] for entry in told.inputs if entry["decides"]] == [82.2]
    evidence = {"rule": chosen.dump(), "inputs": told.inputs, "numbers": told.numbers, "level": "amber", "signal": 2.2}
    assert working.lines("change/weight", evidence) == [
        "lowest of the newest 2: 82.2",
        "median of 77.4, 80, 80.1 before that in the window: 80",
        "82.2 - 80 = 2.2",
        "2.2 > 2, the amber limit",
    ]


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(700, 900)), min_size=1, max_size=60),
    st.integers(1, 168),
    st.integers(1, 5),
    st.sampled_from(["rise", "fall"]),
    st.sampled_from(["farthest", "median"]),
)
def test_equal_to_the_definition(
    some: list[tuple[int, int]], window_hours: int, confirm: int, direction: str, against: str
) -> None:
    """All of the newest against the farthest of the rest or against their median, worked out with numpy."""
    readings = [Sample(charts.NOON - hours * charts.HOUR, tenths / 10, 0) for hours, tenths in some]
    chart = charts.Chart({"weight": readings})
    found = rule(direction=direction, window_hours=window_hours, confirm=confirm, against=against).assess(chart)
    ordered = np.array(sorted((sample.at, sample.value) for sample in readings))
    inside = ordered[ordered[:, 0] >= ordered[-1, 0] - window_hours * charts.HOUR, 1]
    if len(inside) < confirm + 1:
        assert isinstance(found, Refusal)
        return
    newest, rest = inside[-confirm:], inside[:-confirm]
    start = np.median(rest) if against == "median" else rest.min() if direction == "rise" else rest.max()
    expected = newest.min() - start if direction == "rise" else start - newest.max()
    assert isinstance(found, Finding)
    assert found.signal == pytest.approx(expected)
    assert found.level == int(round(expected, 6) > 2)
    assert found.clears == (round(expected, 6) <= 2)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"window_hours": 0}, "window_hours"),
        ({"window_hours": 169}, "window_hours"),
        ({"confirm": 6}, "confirm"),
        ({"direction": "up"}, "direction"),
        ({"against": "mean"}, "against"),
        ({"code": "fall"}, "code"),
        ({"code": "wait"}, "code"),
        ({"amber": None}, "no limit"),
        ({"amber": -1}, "amber"),
        ({"amber": 2, "red": 1}, "red"),
        ({"window_days": 3}, "window_hours"),
        ({"name": "Weight!"}, "name"),
    ],
)
def test_refuses_what_makes_no_sense(changes: dict[str, Any], field: str) -> None:
    """The message names the field."""
    with pytest.raises(errors.RuleError, match=field):
        rule(**changes)


def test_round_trip() -> None:
    one = rule(name="fluid", red=3, hysteresis=0.5, priority={"red": "medium", "amber": "low"})
    assert Change.parse(one.dump(), "rules[0]") == one
    assert one.key == "change/fluid"
