"""Distance from a set value: plain and in per cent, confirmed or not, refused while the value is not set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import errors
from alerts.kinds.base import Finding, Refusal, Sample
from alerts.kinds.distance import Distance
from tests.unit.alerts.kinds import charts

DRY: dict[str, Any] = {"kind": "distance", "code": "weight", "direction": "above", "reference": 78.4, "amber": 2}
BEST: dict[str, Any] = {
    "kind": "distance",
    "code": "peak_flow",
    "direction": "below",
    "reference": 420,
    "percent": True,
    "amber": 20,
    "red": 50,
}


def parse(entry: dict[str, Any], **changes: Any) -> Distance:
    return Distance.parse({**entry, **changes}, "rules[0]")


def finding(rule: Distance, *values: float) -> Finding:
    found = rule.assess(charts.Chart(charts.hourly(rule.code, *values, every=24)))
    assert isinstance(found, Finding)
    return found


@pytest.mark.parametrize(("weight", "level"), [(80.3, 0), (80.4, 0), (80.5, 1), (81.4, 1), (81.5, 2)])
def test_above_the_dry_weight(weight: float, level: int) -> None:
    """Equal to the limit is within it, whatever the last bits of the difference are."""
    assert finding(parse(DRY, red=3), weight).level == level


@pytest.mark.parametrize(("weight", "level"), [(76.5, 0), (76.4, 0), (76.3, 1)])
def test_below_the_dry_weight(weight: float, level: int) -> None:
    assert finding(parse(DRY, direction="below"), weight).level == level


@pytest.mark.parametrize(("flow", "level"), [(336, 0), (335, 1), (210, 1), (209, 2)])
def test_per_cent_of_the_best(flow: float, level: int) -> None:
    """Below 80 % of 420 is below 336; 336 itself is within."""
    assert finding(parse(BEST), flow).level == level


def test_limit_nought_means_beyond_the_set_value_at_all() -> None:
    rule = parse(DRY, code="spo2", reference=92, direction="below", amber=0)
    assert [finding(rule, value).level for value in (92, 91)] == [0, 1]


def test_all_of_the_confirming_readings_must_be_beyond() -> None:
    rule = parse(DRY, confirm=3)
    assert finding(rule, 81.0, 80.4, 82.0).level == 0
    assert finding(rule, 81.0, 80.5, 82.0).level == 1


def test_one_reading_inside_clears_where_several_confirm() -> None:
    assert finding(parse(DRY, confirm=2, hysteresis=0.5), 82.0, 79.9).clears


@pytest.mark.parametrize(("weight", "clears"), [(79.9, True), (80.0, False)])
def test_clears_beyond_the_hysteresis(weight: float, clears: bool) -> None:
    assert finding(parse(DRY, hysteresis=0.5), weight).clears == clears


def test_refused_while_the_value_is_not_set() -> None:
    found = parse(DRY, reference=None).assess(charts.Chart(charts.hourly("weight", 99.0)))
    assert found == Refusal("not_set", "the set value of weight for this resident")


def test_refused_with_too_few_readings() -> None:
    found = parse(DRY, confirm=2).assess(charts.Chart(charts.hourly("weight", 99.0)))
    assert found == Refusal("too_few", "1 of 2 readings of weight within 7 days")


@pytest.mark.parametrize(("hours", "refused"), [(48, False), (48.001, True)])
def test_refused_where_a_confirming_reading_is_too_old(hours: float, refused: bool) -> None:
    chart = charts.Chart(charts.hourly("weight", 99.0, 99.0, every=hours))
    found = parse(DRY, confirm=2, max_age_hours=48).assess(chart)
    assert (found == Refusal("too_old", "1 of 2 readings of weight within 48 hours")) == refused


def test_sentences() -> None:
    chart = charts.Chart(charts.hourly("weight", 80.6))
    rule = parse(DRY)
    assert rule.tell(chart, Finding(1, 2.2, False)).sentence == (
        "Weight 80.6 kg at 12:00 is 2.2 kg above the set 78.4 kg, more than 2 kg"
    )
    assert rule.clears_when() == "weight back to 80.4 kg or less"
    chart = charts.Chart(charts.hourly("peak_flow", 310))
    rule = parse(BEST, hysteresis=5)
    told = rule.tell(chart, finding(rule, 310))
    assert told.sentence == "Peak flow 310 L/min at 12:00 is 74 % of the set 420 L/min, below 80 %"
    assert told.numbers["percent_of_reference"] == pytest.approx(73.809524)
    assert rule.clears_when() == "peak flow back to 357 L/min (85 % of the set value) or more"


@given(
    st.lists(st.integers(100, 800), min_size=1, max_size=20),
    st.integers(200, 700),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from(["above", "below"]),
)
def test_equal_to_the_definition(flows: list[int], reference: int, confirm: int, percent: bool, direction: str) -> None:
    """The least of what all the newest are beyond, worked out with numpy."""
    rule = parse(BEST, reference=reference, confirm=confirm, percent=percent, direction=direction)
    found = rule.assess(charts.Chart(charts.hourly("peak_flow", *flows)))
    if len(flows) < confirm:
        assert isinstance(found, Refusal)
        return
    newest = np.array(flows[-confirm:], float)
    distance = (newest - reference) * (1 if direction == "above" else -1)
    if percent:
        distance = distance * 100 / reference
    assert isinstance(found, Finding)
    assert found.signal == pytest.approx(distance.min())
    assert found.level == int(round(distance.min(), 6) > 20) + int(round(distance.min(), 6) > 50)
    assert not (rule.calm[0] <= flows[-1] <= rule.calm[1] and found.level)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reference": 0}, "reference"),
        ({"reference": -1}, "reference"),
        ({"reference": "best"}, "reference"),
        ({"percent": "yes"}, "percent"),
        ({"red": 10}, "red"),
        ({"red": 100}, "red"),
        ({"amber": -20}, "amber"),
        ({"direction": "rise"}, "direction"),
        ({"confirm": 0}, "confirm"),
        ({"max_age_hours": 169}, "max_age_hours"),
        ({"refrence": 420}, "reference"),
    ],
)
def test_refuses_what_makes_no_sense(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.RuleError, match=field):
        parse(BEST, **changes)


def test_round_trip() -> None:
    for one in (parse(DRY, reference=None, name="dry"), parse(BEST, refractory_hours=24, auto=True)):
        assert Distance.parse(one.dump(), "rules[0]") == one


def test_the_newest_count_not_the_last_given() -> None:
    """Order of delivery is nothing to the view; the times are."""
    chart = charts.Chart({"weight": [Sample(charts.NOON, 81.0, 0), Sample(charts.NOON - charts.HOUR, 70.0, 0)]})
    found = parse(DRY).assess(chart)
    assert isinstance(found, Finding)
    assert found.signal == pytest.approx(2.6)


def test_a_difference_of_shares_is_in_percentage_points() -> None:
    rule = parse(DRY, code="spo2", direction="below", reference=92)
    chart = charts.Chart(charts.hourly("spo2", 87.6))
    told = rule.tell(chart, rule.judged(4.4)).sentence
    assert told.endswith("is 4 percentage points below the set 92 %, more than 2 percentage points")
