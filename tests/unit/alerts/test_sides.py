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
