"""Values that are doubted, extreme or contradict each other, under rules of every kind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alerts import scenario


def episodes(rule: dict[str, Any], *readings: tuple[str, str, Any] | tuple[str, str, Any, dict[str, Any]]) -> list[Any]:
    """Of one stay from January on, as `python -m alerts evaluate` gives them; readings: (time, code, value, more)."""
    document = {
        "zone": "UTC",
        "rules": [{"rules": [rule]}],
        "spells": [{"from": "2026-01-01T00:00:00Z"}],
        "readings": [
            {"at": f"2026-01-{at}:00Z", "code": code, "value": value, "id": number, **(more[0] if more else {})}
            for number, (at, code, value, *more) in enumerate(readings)
        ],
        "now": "2026-01-30T00:00:00Z",
    }
    found: list[Any] = scenario.evaluate(json.dumps(document))["episodes"]
    return found


FALL = {"kind": "change", "code": "weight", "direction": "fall", "window_hours": 48, "confirm": 1, "amber": 2}
RISE = {**FALL, "direction": "rise"}
LOW = {"kind": "sustained", "code": "glucose", "side": "low", "limit": 3.9, "level": "red"}
BELOW = {"kind": "distance", "code": "systolic", "direction": "below", "reference": 120, "amber": 20}


def test_the_lesser_of_two_values_counts_for_a_fall() -> None:
    """And the greater for a rise: each side sees the more dangerous one."""
    readings = (
        ("01T08:00", "weight", 80.0),
        ("02T08:00", "weight", 80.0, {"id": 7}),
        ("02T08:00", "weight", 77.0, {"id": 7}),
    )
    assert len(episodes(FALL, *readings)) == 1
    assert not episodes(RISE, *readings)


def test_two_values_in_the_past_count_by_the_one_farther_away() -> None:
    """A rise begins at the lesser of them, a fall at the greater."""
    both = (("01T08:00", "weight", 80.0, {"id": 7}), ("01T08:00", "weight", 77.0, {"id": 7}))
    (rise,) = episodes(RISE, *both, ("02T08:00", "weight", 80.0))
    assert "from 77.0 kg" in rise["reason"]
    assert not episodes(FALL, *both, ("02T08:00", "weight", 80.0))
    assert len(episodes(FALL, *both, ("02T08:00", "weight", 77.0))) == 1


USUAL = {"kind": "baseline", "code": "weight", "unit": "value", "floor": 0.5, "baseline_days": 7, "min_days": 5}
USUAL |= {"skip_days": 1, "days": 1, "amber": 2}


@pytest.mark.parametrize(("direction", "other"), [("rise", 83.0), ("fall", 77.0)])
def test_a_daily_value_is_the_more_dangerous_one(direction: str, other: float) -> None:
    """Of a day with two values of one reading: neither side is hidden by the other, and the evidence says so."""
    readings: list[Any] = [(f"{day:02d}T08:00", "weight", 80.0) for day in range(1, 9)]
    both = [("09T08:00", "weight", value, {"id": 99}) for value in (80.0, other)]
    (found,) = episodes({**USUAL, "direction": direction}, *readings, *both)
    assert [entry["value"] for entry in found["evidence"]["inputs"] if "conflict" in entry.get("marks", ())] == [other]
    back = "fall" if direction == "rise" else "rise"
    assert not episodes({**USUAL, "direction": back}, *readings, *both)


@pytest.mark.parametrize(("comparison", "limit"), [("below", 100), ("above", 120)])
def test_a_condition_sees_the_value_on_its_side(comparison: str, limit: float) -> None:
    """A combination is not hidden from by the other value either."""
    rule = {"kind": "combination", "name": "one", "amber": 1, "conditions": [{"code": "systolic", comparison: limit}]}
    both = [("01T08:00", "systolic", value, {"id": 1}) for value in (95.0, 125.0)]
    assert len(episodes(rule, *both)) == 1


def test_a_low_of_glucose_is_not_hidden_by_another_value() -> None:
    """Three readings, each sent with two values."""
    readings = [
        (f"01T08:{minute:02d}", "glucose", value, {"id": minute}) for minute in (0, 5, 10) for value in (3.5, 6.0)
    ]
    (found,) = episodes(LOW, *readings)
    assert found["level"] == "red"
    assert {mark for entry in found["evidence"]["inputs"] for mark in entry["marks"]} == {"conflict"}


def test_a_low_pressure_is_not_hidden_by_another_value() -> None:
    """Distance below looks at the lesser."""
    both = [("01T08:00", "systolic", value, {"id": 1}) for value in (95.0, 125.0)]
    assert len(episodes(BELOW, *both)) == 1


def test_a_doubted_reading_ends_no_history() -> None:
    """It moves no window: the alert stays as with a failed measurement."""
    readings: list[Any] = [("01T08:00", "weight", 80.0), ("02T08:00", "weight", 83.0), ("02T20:00", "weight", 83.0)]
    doubted = ("04T09:00", "weight", 60.0, {"flags": ["questionable"]})
    failed = ("04T09:00", "weight", None)
    assert [e["ended_at"] for e in episodes(RISE, *readings, doubted)] == [None]
    assert [e["ended_at"] for e in episodes(RISE, *readings, failed)] == [None]


def test_a_doubted_reading_begins_no_history() -> None:
    """An average that only a doubted reading's window would raise."""
    rule = {"kind": "average", "code": "systolic", "direction": "above", "window_days": 2, "min_days": 1}
    rule |= {"min_readings": 1, "amber": 135}
    readings: list[Any] = [("01T08:00", "systolic", 120.0), ("02T08:00", "systolic", 140.0)]
    assert not episodes(rule, *readings, ("03T08:00", "systolic", 100.0, {"flags": ["motion"]}))


def test_a_doubted_answer_ends_no_symptom() -> None:
    """Also where another answer comes after it."""
    rule = {"kind": "symptom", "codes": ["pain", "fall"], "amber": 5}
    readings: list[Any] = [("01T08:00", "pain", 9.0), ("01T09:00", "pain", 1.0, {"flags": ["questionable"]})]
    (found,) = episodes(rule, *readings, ("01T10:00", "fall", False))
    assert found["ended_at"] is None


@pytest.mark.parametrize("marks", [["extreme"], []])
def test_an_extreme_amber_value_is_told_at_once(marks: list[str]) -> None:
    """Unconfirmed until it is repeated; an ordinary one waits for that."""
    rule = {"kind": "threshold", "code": "spo2", "amber_low": 92}
    (found,) = episodes(rule, ("01T08:00", "spo2", 60.0, {"marks": marks}))
    assert found["started_at"] == ("2026-01-01T08:00:00.000Z" if marks else "2026-01-01T08:30:00.000Z")
    assert found["provisional"] == bool(marks)


def test_a_normal_repeat_withdraws_an_extreme_amber_value() -> None:
    """As it does a red one."""
    rule = {"kind": "threshold", "code": "spo2", "amber_low": 92}
    (found,) = episodes(rule, ("01T08:00", "spo2", 60.0, {"marks": ["extreme"]}), ("01T08:05", "spo2", 96.0))
    assert found["ending"] == "withdrawn"


def test_a_day_whose_alert_came_by_time_alone_is_left_out() -> None:
    """Where one reading a day waited in vain for its repeat, the alert was open on that day, too."""
    usual = {"kind": "baseline", "code": "systolic", "direction": "fall", "baseline_days": 7, "min_days": 5}
    usual |= {"skip_days": 1, "days": 1, "floor": 1, "amber": 3}
    document = {
        "zone": "UTC",
        "rules": [{"rules": [{"kind": "threshold", "code": "systolic", "amber_high": 141}, usual]}],
        "spells": [{"from": "2026-01-01T00:00:00Z"}],
        "readings": [
            {"at": f"2026-01-{day:02d}T08:00:00Z", "code": "systolic", "value": value, "id": day}
            for day, value in enumerate([140, 140, 140, 160, 140, 140, 140, 140, 130], start=1)
        ],
        "now": "2026-01-09T09:00:00Z",
    }
    found = scenario.evaluate(json.dumps(document))["episodes"]
    (low,) = [episode for episode in found if episode["rule"] == "baseline/systolic"]
    assert low["evidence"]["numbers"]["usual"]["days"] == 5
