"""In range: the share of glucose readings in a band over whole days."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import explanation
from alerts.kinds.base import Finding, Refusal
from tests.unit.alerts.kinds import histories
from tests.unit.alerts.kinds.histories import daily, found, refused, rule

#: A reading every 60 minutes: 24 a day; two whole days.
BASIC = {
    "band": "in_range",
    "direction": "below",
    "amber": 70,
    "red": 50,
    "hysteresis": 5,
    "window_days": 2,
    "reading_minutes": 60,
}
_HIT = {
    "below_3.0": lambda value: value < 3.0,
    "below_3.9": lambda value: value < 3.9,
    "in_range": lambda value: 3.9 <= value <= 10.0,
    "above_10.0": lambda value: value > 10.0,
    "above_13.9": lambda value: value > 13.9,
}


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.integers(0, 4),
        st.lists(
            st.sampled_from([2.2, 2.9, 3.0, 3.8, 3.9, 7.0, 10.0, 10.1, 13.9, 14.0, 20.0]), min_size=1, max_size=40
        ),
        min_size=1,
    ),
    st.sampled_from(sorted(_HIT)),
    st.sampled_from(["above", "below"]),
)
def test_equal_to_its_definition(values: dict[int, list[float]], band: str, direction: str) -> None:
    """Today's readings and those before the window do not count."""
    amber, red = (30, 60) if direction == "above" else (60, 30)
    given_rule = rule("in_range", **{**BASIC, "band": band, "direction": direction, "amber": amber, "red": red})
    finding = given_rule.assess(daily(values, "glucose"))
    today = max(values)
    window = [value for day in (today - 2, today - 1) for value in values.get(day, [])]
    if len(window) < 0.7 * 2 * 24:
        assert isinstance(finding, Refusal)
        return
    share = 100 * sum(_HIT[band](value) for value in window) / len(window)
    assert isinstance(finding, Finding)
    if direction == "above":
        assert finding.signal == pytest.approx(share)
        assert finding.level == (share > 30) + (share > 60)
        assert finding.clears == (share <= 25)
    else:
        assert finding.signal == pytest.approx(-share)
        assert finding.level == (share < 60) + (share < 30)
        assert finding.clears == (share >= 65)


def hours(inside: int, outside: int) -> list[float]:
    return [7.0] * inside + [12.0] * outside


@pytest.mark.parametrize(
    ("inside", "level", "clears"), [(10, 1, False), (9, 2, False), (14, 0, False), (13, 1, False), (15, 0, True)]
)
def test_shares_equal_to_a_limit_are_inside(inside: int, level: int, clears: bool) -> None:
    """Of 20 readings each, 10 are 50 %, 14 are 70 % and 15 are 75 %."""
    day = hours(inside, 20 - inside)
    finding = found(rule("in_range", **BASIC), daily({0: day, 1: day, 2: [7.0]}, "glucose"))
    assert (finding.level, finding.clears) == (level, clears)


def test_too_few_readings() -> None:
    """70 % of two days of 24 readings are 33.6."""
    desk = daily({0: hours(20, 0), 1: hours(13, 0), 2: hours(24, 0)}, "glucose")
    refusal = refused(rule("in_range", **BASIC), desk)
    assert (refusal.why, refusal.needs) == ("too_few", "33 of 34 readings of glucose in the 2 whole days before today")
    assert found(rule("in_range", **BASIC), daily({0: hours(20, 0), 1: hours(14, 0), 2: [7.0]}, "glucose")).level == 0


def test_more_days_than_inputs_still_add_up() -> None:
    """The first days are told together: 55 days in 40 inputs."""
    given_rule = rule("in_range", **{**BASIC, "window_days": 55})
    desk = daily({**{day: hours(10 + day % 3, 10) for day in range(55)}, 55: [7.0]}, "glucose")
    told = given_rule.tell(desk, found(given_rule, desk))
    assert len(told.inputs) == 40
    assert sum(entry["value"] for entry in told.inputs) == told.numbers["inside"]
    assert sum(entry["readings"] for entry in told.inputs) == told.numbers["readings"]
    assert (told.inputs[0]["day"], told.inputs[0]["to"], told.inputs[0]["days"]) == ("2024-10-04", "2024-10-19", 16)
    page = explanation.explain(
        given_rule.key, {"inputs": told.inputs, "numbers": told.numbers, "rule": given_rule.dump()}
    )
    assert page["inputs"][0]["notes"] == [
        "16 days together, to 2024-10-19",
        f"of {told.inputs[0]['readings']} readings",
    ]


def test_one_whole_day() -> None:
    one = rule("in_range", **{**BASIC, "window_days": 1})
    assert one.clears_when() == "glucose in range (3.9 to 10.0 mmol/L) for 75 % of 1 whole day or more"
    desk = daily({0: hours(10, 10), 1: [7.0]}, "glucose")
    assert "10 of 20 readings on 04-Oct, " in one.tell(desk, found(one, desk)).sentence


def test_told_so_that_it_can_be_worked_out_again() -> None:
    given_rule = rule("in_range", **BASIC)
    desk = daily({0: hours(10, 10), 1: hours(12, 10), 2: [7.0]}, "glucose")
    told = given_rule.tell(desk, found(given_rule, desk))
    assert told.sentence == (
        "Glucose 52.4 % of the time in range (3.9 to 10.0 mmol/L), 22 of 42 readings from 04-Oct to 05-Oct, below 70 %"
    )
    assert [(entry["day"], entry["value"], entry["readings"]) for entry in told.inputs] == [
        ("2024-10-04", 10, 20),
        ("2024-10-05", 12, 22),
    ]
    assert told.numbers["share"] == pytest.approx(100 * 22 / 42, abs=1e-6)
    assert given_rule.clears_when() == "glucose in range (3.9 to 10.0 mmol/L) for 75 % of 2 whole days or more"
    low = rule("in_range", name="lows", band="below_3.9", direction="above", amber=4)
    assert low.clears_when() == "glucose below 3.9 mmol/L for 4 % of 14 whole days or less"
    assert (low.key, given_rule.key) == ("in_range/lows", "in_range/glucose")
    assert rule(**low.dump()) == low
    assert rule(**given_rule.dump()) == given_rule


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"band": "below_4.0"},
            "rules[0].band: must be below_3.0 or below_3.9 or in_range or above_10.0",
        ),
        ({"hysteresis": 31}, "rules[0].hysteresis: is too large: an alert could never clear"),
        ({"direction": "rise"}, "rules[0].direction: must be above or below"),
        ({"amber": 50, "red": 70}, "rules[0].red: must not be nearer to normal than amber"),
        ({"amber": 101}, "rules[0].amber: must be from 0 to 100 %"),
        ({"coverage": 1.1}, "rules[0].coverage: must be greater than 0, at most 1"),
        ({"window_days": 60}, "rules[0].window_days: must be a whole number from 1 to 59"),
        ({"code": "weight"}, "rules[0].code: must be glucose: the bands are those of glucose"),
    ],
)
def test_refused_with_the_field_named(change: dict[str, object], told: str) -> None:
    assert told in histories.complaint({"kind": "in_range", **BASIC, **change})
