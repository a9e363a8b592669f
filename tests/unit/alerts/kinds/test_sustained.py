"""Sustained: beyond a limit for long enough, and back for as long."""

from __future__ import annotations

import pytest

from alerts import explanation
from tests.unit.alerts.kinds import histories
from tests.unit.alerts.kinds.histories import found, refused, rule, sensor

LOW = {"code": "glucose", "side": "low", "limit": 3.9, "level": "amber"}


def every(minutes: float, values: list[float], start: float = 0) -> list[tuple[float, float]]:
    return [(start + position * minutes, value) for position, value in enumerate(values)]


def levels(given: dict[str, object], readings: list[tuple[float, float]], *, open_level: int = 0) -> list[int]:
    """After each reading, as if nothing (or a given level) were open."""
    return [
        found(rule("sustained", **given), sensor(readings[: count + 1], open_level=open_level)).level
        for count in range(len(readings))
    ]


def cleared(given: dict[str, object], readings: list[tuple[float, float]]) -> bool:
    return found(rule("sustained", **given), sensor(readings, open_level=1)).clears


def test_three_readings_of_five_minutes_are_fifteen_minutes() -> None:
    """A reading stands for five minutes; a value equal to the limit is not beyond it."""
    assert levels(LOW, every(5, [5.0, 3.8, 3.8, 3.8, 3.8])) == [0, 0, 0, 1, 1]
    assert levels(LOW, every(5, [3.8, 3.8, 3.9, 3.8, 3.8])) == [0, 0, 0, 0, 0]
    assert levels({**LOW, "level": "red"}, every(5, [3.8, 3.8, 3.8])) == [0, 0, 2]
    assert levels({**LOW, "side": "high", "limit": 10}, every(5, [10.0, 10.1, 10.1, 10.1])) == [0, 0, 0, 1]


def test_a_second_less_is_not_long_enough() -> None:
    """From the first to the last reading and five minutes more."""
    assert levels(LOW, [(0, 3.0), (9 + 59 / 60, 3.0)]) == [0, 0]
    assert levels(LOW, [(0, 3.0), (10, 3.0)]) == [0, 1]


def test_a_gap_longer_than_allowed_interrupts() -> None:
    """Thirty minutes between two readings are no gap, more are."""
    assert levels(LOW, [(0, 3.0), (30, 3.0)]) == [0, 1]
    assert levels(LOW, [(0, 3.0), (5, 3.0), (35.1, 3.0), (40, 3.0), (45.1, 3.0)]) == [0, 0, 0, 0, 1]


def test_it_ends_when_values_have_been_back_for_as_long() -> None:
    low = every(5, [3.0, 3.0, 3.0])
    assert not cleared(LOW, [*low, *every(5, [5.0, 5.0], 15)])
    assert cleared(LOW, [*low, *every(5, [5.0, 5.0, 5.0], 15)])
    assert not cleared(LOW, [*low, *every(5, [5.0, 5.0, 3.0, 5.0, 5.0], 15)])
    assert not cleared(LOW, [*low, (15, 5.0), (20, 5.0), (60, 5.0), (65, 5.0)])
    assert cleared({**LOW, "back_minutes": 5}, [*low, (15, 5.0)])


def test_an_open_event_goes_on_with_any_reading_beyond() -> None:
    """So that its worst value is the worst of all of it; without an open event one reading is nothing."""
    readings = [*every(5, [3.0, 3.0, 3.0]), (15, 5.0), (20, 2.2)]
    finding = found(rule("sustained", **LOW), sensor(readings, open_level=1))
    assert (finding.level, finding.clears) == (1, False)
    assert finding.signal == pytest.approx(1.7)
    assert found(rule("sustained", **LOW), sensor(readings)).level == 0


def test_the_signal_is_how_far_beyond_the_worst_was() -> None:
    finding = found(rule("sustained", **LOW), sensor(every(5, [2.4, 3.0, 3.5])))
    assert finding.signal == pytest.approx(1.5)
    assert found(rule("sustained", **LOW), sensor([(0, 5.0)])).signal == pytest.approx(-1.1)


@pytest.mark.parametrize(
    ("side", "limit", "beyond", "inside"),
    [("low", 3.9, 69, 70), ("low", 3.0, 53, 54), ("high", 10.0, 181, 180), ("high", 13.9, 251, 250)],
)
def test_a_sensor_in_milligrams_is_judged_by_the_limits_in_milligrams(
    side: str, limit: float, beyond: int, inside: int
) -> None:
    given = {**LOW, "side": side, "limit": limit}
    for value, level in ((beyond, 1), (inside, 0)):
        canonical = value * 10 / 180.156
        assert levels(given, every(5, [canonical] * 3)) == [0, 0, level]


def test_other_codes_are_judged_at_their_resolution() -> None:
    """87.5 % is shown, and judged, as 88."""
    for value, level in ((87.4, 1), (87.5, 0)):
        desk = sensor(every(5, [value] * 3), "spo2")
        assert found(rule("sustained", **{**LOW, "code": "spo2", "limit": 88}), desk).level == level


def test_prolonged_is_the_same_for_longer() -> None:
    high = {**LOW, "side": "high", "limit": 13.9, "for_minutes": 120}
    assert levels(high, every(5, [15.0] * 25)) == [0] * 23 + [1, 1]


def test_refusals() -> None:
    given_rule = rule("sustained", **LOW)
    assert refused(given_rule, sensor([])).needs == "a reading of glucose"
    refusal = refused(given_rule, sensor(every(5, [3.0] * 3), now=41))
    assert (refusal.why, refusal.needs) == ("gap", "a reading of glucose within 30 minutes")
    assert found(given_rule, sensor(every(5, [3.0] * 3), now=40)).level == 1
    crowded = sensor(every(1 / 60, [3.0] * 300))
    refusal = refused(given_rule, crowded)
    assert (refusal.why, refusal.needs) == ("too_many", "fewer than 200 readings of glucose in 15 minutes")


def test_told_so_that_it_can_be_worked_out_again() -> None:
    given_rule = rule("sustained", **LOW)
    desk = sensor(every(5, [5.0, 3.4, 3.2, 3.7]))
    told = given_rule.tell(desk, found(given_rule, desk))
    assert told.sentence == ("Glucose below 3.9 mmol/L for 15 minutes: 3.7 mmol/L at 13:15, lowest 3.2 mmol/L at 13:10")
    assert [entry["value"] for entry in told.inputs] == [3.4, 3.2, 3.7]
    assert told.numbers["minutes"] == 15
    assert told.numbers["since"] == "2024-10-04T12:05:00.000Z"
    again = sensor([*every(5, [5.0, 5.0, 3.7])], open_level=1)
    assert given_rule.tell(again, found(given_rule, again)).sentence == (
        "Glucose below 3.9 mmol/L again: 3.7 mmol/L at 13:10"
    )
    assert given_rule.clears_when() == "glucose at 3.9 mmol/L or above for 15 minutes"
    high = rule("sustained", **{**LOW, "side": "high", "limit": 13.9, "name": "prolonged", "level": "red"})
    assert high.clears_when() == "glucose at 13.9 mmol/L or below for 15 minutes"
    for each in (given_rule, high):
        assert rule(**each.dump()) == each


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"side": "below"}, "rules[0].side: must be low or high"),
        ({"level": "orange"}, "rules[0].level: must be amber or red"),
        ({"limit": None}, "rules[0].limit: must be a number"),
        ({"amber": 3.9}, "rules[0].amber: is not a field of a sustained rule: give limit and level"),
        ({"hysteresis": 1}, "rules[0].hysteresis: is not a field of a sustained rule"),
        ({"reading_minutes": 1, "for_minutes": 151}, "rules[0].for_minutes: must be a whole number from 1 to 150"),
        ({"gap_minutes": 4}, "rules[0].gap_minutes: must be a whole number from 5 to 240"),
        ({"code": "consciousness"}, "is not a number that can be followed"),
        ({"for": 15}, "has a field that is not known"),
    ],
)
def test_refused_with_the_field_named(change: dict[str, object], told: str) -> None:
    assert told in histories.complaint({"kind": "sustained", **LOW, **change})
    assert "is needed" in histories.complaint({"kind": "sustained", "code": "glucose", "side": "low", "limit": 3})


@pytest.mark.parametrize(("side", "limit", "milligrams"), [("low", 3.9, 70), ("low", 3.0, 54), ("high", 10.0, 180)])
def test_every_value_is_on_the_side_that_its_own_unit_says(side: str, limit: float, milligrams: int) -> None:
    """Whole mg/dL against the limit in mg/dL, tenths of a mmol/L against that in mmol/L."""
    given_rule = rule("sustained", **{**LOW, "side": side, "limit": limit, "for_minutes": 5})
    for value in range(36, 450):
        expected = value < milligrams if side == "low" else value > milligrams
        assert found(given_rule, sensor([(0, value * 10 / 180.156)])).level == int(expected)
    for tenths in range(20, 250):
        expected = tenths < round(limit * 10) if side == "low" else tenths > round(limit * 10)
        assert found(given_rule, sensor([(0, tenths / 10)])).level == int(expected)


@pytest.mark.parametrize(
    ("side", "limit", "value", "shown"),
    [
        ("high", 10.0, 181 / 18.0156, "10.05 mmol/L"),
        ("high", 10.0, 200 / 18.0156, "11.1 mmol/L"),
        ("high", 10.0, 10.0003, "10.0003 mmol/L"),
        ("high", 13.9, 251 / 18.0156, "13.93 mmol/L"),
        ("low", 3.9, 69 / 18.0156, "3.83 mmol/L"),
        ("low", 3.9, 3.4, "3.4 mmol/L"),
    ],
)
def test_a_value_is_shown_on_its_side_of_the_limit(side: str, limit: float, value: float, shown: str) -> None:
    """In the sentence, on the page and in the arithmetic; with no more decimals than that needs."""
    given_rule = rule("sustained", **{**LOW, "side": side, "limit": limit})
    desk = sensor(every(5, [value] * 3))
    told = given_rule.tell(desk, found(given_rule, desk))
    assert told.sentence.endswith(f" mmol/L for 15 minutes: {shown} at 13:10")
    evidence = {"inputs": told.inputs, "numbers": told.numbers, "rule": given_rule.dump()}
    page = explanation.explain("sustained/glucose", evidence)
    assert {entry["text"] for entry in page["inputs"]} == {shown}
    assert page["working"][0].endswith(shown)
