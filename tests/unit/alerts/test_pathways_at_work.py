# ruff: noqa: E501 -- a table of cases stays a table
"""What each pathway is for, as histories: it finds what it should, and is quiet where it should be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts import scenario

START = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
DAY = 24.0

#: (hours after START, code, value)
Reading = tuple[float, str, Any]


def episodes(
    pathway: str, readings: Sequence[Reading], *, overrides: dict[str, Any] | None = None, scale: int = 1
) -> list[tuple[str, str]]:
    """(rule, level) of every episode that was not withdrawn, but for silence."""
    last = max(hours for hours, _, _ in readings)
    document = {
        "zone": "Europe/London",
        "rules": [{"pathway": pathway, "spo2_scale": scale, "overrides": overrides or {}}],
        "spells": [{"from": (START - timedelta(days=1)).isoformat()}],
        "readings": [
            {"at": (START + timedelta(hours=hours)).isoformat(), "code": code, "value": value}
            for hours, code, value in readings
        ],
        "now": (START + timedelta(hours=last + 1)).isoformat(),
    }
    found = scenario.evaluate(json.dumps(document))["episodes"]
    return sorted(
        {
            (one["rule"], one["level"])
            for one in found
            if not one["rule"].startswith("silence/") and one["ending"] != "withdrawn"
        }
    )


def daily(code: str, *values: float, first: int = 0) -> list[Reading]:
    return [((first + day) * DAY, code, value) for day, value in enumerate(values)]


OXYGEN: list[Reading] = [(0, "on_oxygen", True), (1, "spo2", 95)]
LOW_SENSOR: list[Reading] = [
    (minute / 60, "glucose", 2.8 if 30 <= minute <= 50 else 6.0) for minute in range(0, 120, 5)
]
HIGH_SENSOR: list[Reading] = [(minute / 60, "glucose", 15 if minute >= 30 else 8.0) for minute in range(0, 180, 5)]
PRESSURE_WEEK: list[Reading] = [
    (day * DAY + hour, code, value)
    for day in range(7)
    for hour in (0, 0.1, 10, 10.1)
    for code, value in (("systolic", 170 if day == 0 else 141), ("diastolic", 80))
]


@pytest.mark.parametrize(
    ("pathway", "more", "readings", "expected"),
    [
        # COPD: a high saturation on oxygen matters on scale 2 only; Rome and Anthonisen count signs
        ("copd", {"scale": 2}, OXYGEN, [("combination/high_spo2_on_oxygen", "amber")]),
        ("copd", {"scale": 2}, [(0, "on_oxygen", False), (1, "spo2", 95)], []),
        ("copd", {}, OXYGEN, []),
        ("copd", {}, [(0, "breathlessness", 6), (0.1, "pulse", 98), (0.2, "resp_rate", 22)], []),
        (
            "copd", {}, [(0, "breathlessness", 6), (0.1, "pulse", 98), (0.2, "spo2", 91), (0.3, "spo2", 93)],
            [("combination/exacerbation_rome", "amber")],
        ),
        (
            "copd", {}, [(0, "sputum_volume", True), (1, "sputum_purulence", True)],
            [("combination/exacerbation_anthonisen", "amber")],
        ),
        ("copd", {}, daily("spo2", *[96] * 20, 93, 93), [("baseline/spo2_fall", "amber")]),
        ("copd", {}, daily("peak_flow", 250, 190), []),
        (
            "copd", {"overrides": {"distance/peak_flow_of_best": {"reference": 250}}}, daily("peak_flow", 250, 190),
            [("distance/peak_flow_of_best", "amber")],
        ),
        # heart failure: gain within days, dry weight both ways once it is set, signs together
        ("heart_failure", {}, daily("weight", 80, 80, 82.5, 82.4, 82.5), [("change/weight_3_days", "amber")]),
        ("heart_failure", {}, daily("weight", 80, 82.5, 80.2, 80.1), []),
        ("heart_failure", {}, daily("weight", 77, 77), []),
        (
            "heart_failure", {"overrides": {"distance/dry_weight_loss": {"reference": 79.5}}}, daily("weight", 77, 77),
            [("distance/dry_weight_loss", "amber")],
        ),
        (
            "heart_failure", {"overrides": {"distance/dry_weight_gain": {"reference": 74.5}}}, daily("weight", 77, 77),
            [("distance/dry_weight_gain", "amber")],
        ),
        ("heart_failure", {}, [(0, "ankle_swelling", True), (1, "orthopnoea", True)], [("combination/congestion", "amber")]),
        ("heart_failure", {}, [(0, "ankle_swelling", True)], []),
        ("heart_failure", {}, [(0, "breathless_at_rest", True)], [("symptom/red_flags", "red")]),
        # hypertension: one high reading is repeated; control is the average without the first day
        ("hypertension", {}, [(0, "systolic", 185), (0.1, "systolic", 165)], []),
        ("hypertension", {}, [(0, "systolic", 185), (0.1, "systolic", 184)], [("threshold/systolic/high", "amber")]),
        ("hypertension", {}, [(0, "systolic", 185)], [("threshold/systolic/high", "amber")]),
        ("hypertension", {}, PRESSURE_WEEK, [("average/systolic_home", "amber")]),
        ("hypertension", {}, PRESSURE_WEEK[:24], []),
        ("hypertension", {}, [(0, "systolic", 105), (1, "dizziness", True)], [("combination/low_with_dizziness", "amber")]),
        # diabetes: events of a sensor last 15 minutes, grave lows 30, prolonged highs six hours; a finger-prick counts
        ("diabetes", {}, LOW_SENSOR, [("sustained/low_1", "amber"), ("sustained/low_2", "amber")]),
        (
            "diabetes", {}, [(minute / 60, "glucose", 2.6 if minute >= 30 else 6.0) for minute in range(0, 120, 5)],
            [("sustained/low_1", "amber"), ("sustained/low_2", "amber"), ("sustained/low_lasting", "red")],
        ),
        ("diabetes", {}, [(0, "glucose", 5), (5 / 60, "glucose", 2.8), (10 / 60, "glucose", 5)], []),
        (
            "diabetes", {}, HIGH_SENSOR,
            [("sustained/high_2", "amber")],
        ),
        ("diabetes", {}, [(0, "ketones", 3.1)], [("threshold/ketones/high", "red")]),
        ("diabetes_fingerprick", {}, [(0, "glucose", 2.8)], [("threshold/glucose/low", "amber")]),
        ("diabetes_fingerprick", {}, [(0, "glucose", 2.1)], [("threshold/glucose/low", "red")]),
        # frailty: soft signs, a fall, warmer than usual for this person, less weight, less active
        ("frailty", {}, [(0, "poor_intake", True)], [("symptom/soft_signs", "amber")]),
        (
            "frailty", {}, [(0, "poor_intake", True), (1, "drowsy", True), (2, "new_confusion", True)],
            [("symptom/soft_signs", "red")],
        ),
        ("frailty", {}, [(0, "fall", True)], [("symptom/fall", "amber")]),
        ("frailty", {}, [(0, "fall", False)], []),
        ("frailty", {}, daily("temperature", *[36.2] * 12, 37.3), [("baseline/temperature_rise", "amber")]),
        ("frailty", {}, daily("temperature", 37.3, 37.3), [("distance/temperature_repeated", "amber")]),
        ("frailty", {}, daily("weight", *[60] * 12, 56.5, 56.5, 56.5), [("baseline/weight_loss", "amber")]),
        ("frailty", {}, daily("steps", *[2000] * 18, 700, 700, 700), [("baseline/activity_fall", "amber")]),
        # after an infection: the steps of pulse oximetry at home
        ("post_acute_infection", {}, [(0, "spo2", 95)], []),
        ("post_acute_infection", {}, [(0, "spo2", 94), (0.1, "spo2", 94)], [("distance/spo2_repeated", "amber")]),
        ("post_acute_infection", {}, [(0, "spo2", 92), (0.1, "spo2", 95)], []),
        ("copd", {}, [(0, "fall", True)], [("symptom/fall", "amber")]),
        ("heart_failure", {}, daily("pulse", *[62] * 12, 95), [("baseline/pulse_rise", "amber")]),
        ("hypertension", {}, daily("systolic", *[136] * 12, 112, 110), [("baseline/systolic_fall", "amber")]),
        ("post_acute_infection", {}, [(0, "spo2", 92)], [("threshold/spo2/low", "red")]),
        # palliative care: nothing that a device measures calls anybody
        ("palliative", {}, [(0, "spo2", 72), (1, "pulse", 150), (2, "temperature", 39.5), (3, "systolic", 75)], []),
        ("palliative", {}, [(0, "pain", 8)], [("symptom/pain", "amber")]),
    ],
)  # fmt: skip
def test_it_finds_what_it_is_for(
    pathway: str, more: dict[str, Any], readings: list[Reading], expected: list[tuple[str, str]]
) -> None:
    assert episodes(pathway, readings, **more) == expected
