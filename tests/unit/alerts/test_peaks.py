# ruff: noqa: E501 -- tables of cases stay tables
"""The worst moment of an episode is told as a number that a nurse reads, whichever side the rule looks at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alerts import explanation, peaks, scenario

FALL = {"kind": "change", "code": "weight", "direction": "fall", "window_hours": 72, "confirm": 1, "amber": 2}
LOW_AVERAGE = {
    "kind": "average",
    "code": "systolic",
    "direction": "below",
    "window_days": 3,
    "min_days": 2,
    "amber": 100,
}
LOW_GLUCOSE = {"kind": "sustained", "code": "glucose", "side": "low", "limit": 3.9, "level": "red"}
LITTLE = {"kind": "in_range", "band": "in_range", "direction": "below", "window_days": 2, "coverage": 0.1, "amber": 70}
BEST = {"kind": "distance", "code": "peak_flow", "direction": "below", "reference": 400, "percent": True, "amber": 20}


@pytest.mark.parametrize(
    ("rule", "readings", "peak", "unit"),
    [
        (
            {**LOW_AVERAGE, "min_readings": 2},
            [(f"0{day}T08:00", "systolic", 90.0 - day) for day in (1, 2)],
            88.5,
            "mmHg",
        ),
        (LOW_GLUCOSE, [(f"01T08:{5 * n:02d}", "glucose", 3.4 - n / 10) for n in range(4)], 3.1, "mmol/L"),
        (
            {**LITTLE, "reading_minutes": 60},
            [(f"{1 + n // 24:02d}T{n % 24:02d}:00", "glucose", 12.0 if n % 2 else 6.0) for n in range(50)],
            50.0,
            "% of readings",
        ),
        (FALL, [("01T08:00", "weight", 80.0), ("02T08:00", "weight", 77.0)], 3.0, "kg down within 72 hours"),
        (BEST, [("01T08:00", "peak_flow", 300.0)], 25.0, "% below the set value"),
        ({"kind": "threshold", "code": "spo2", "red_low": 88}, [("01T08:00", "spo2", 85.0)], 85.0, "%"),
    ],
    ids=["average", "sustained", "in range", "change", "distance", "threshold"],
)
def test_the_worst_value_is_read_as_it_is(
    rule: dict[str, Any], readings: list[tuple[str, str, float]], peak: float, unit: str
) -> None:
    document = {
        "zone": "UTC",
        "rules": [{"rules": [rule]}],
        "spells": [{"from": "2026-01-01T00:00:00Z"}],
        "readings": [
            {"at": f"2026-01-{at}:00Z", "code": code, "value": value, "id": number}
            for number, (at, code, value) in enumerate(readings)
        ],
        "now": "2026-01-05T00:00:00Z",
    }
    (found, *_) = scenario.evaluate(json.dumps(document))["episodes"]
    assert found["peak_value"] == pytest.approx(peak)
    assert peaks.unit(found["rule"], found["evidence"]["rule"]) == unit
    told = explanation.explain(found["rule"], found["evidence"], provisional=False)
    assert not any(line.startswith("-") for line in told["working"])


def test_rules_about_no_history() -> None:
    assert peaks.unit("news2", {}) == "points"
    assert peaks.unit("silence/spo2", {}) == "missed"
    assert peaks.unit("battery", {}) == ""
    assert peaks.unit("baseline/x", {"code": "weight", "direction": "rise", "unit": "z"}) == "usual spreads above usual"


@pytest.mark.parametrize(
    ("key", "rule", "signal", "told"),
    [
        ("baseline/t", {"kind": "baseline", "code": "temperature", "direction": "rise", "unit": "value"}, -0.2, (0.2, "°C below usual")),
        ("change/w", {"kind": "change", "code": "weight", "direction": "fall", "window_hours": 84}, -1.0, (1.0, "kg up within 84 hours")),
        ("distance/w", {"kind": "distance", "code": "weight", "direction": "above"}, -1.0, (1.0, "kg below the set value")),
        ("average/s", {"kind": "average", "code": "systolic", "direction": "below"}, -120.0, (120.0, "mmHg")),
    ],
)  # fmt: skip
def test_what_goes_the_other_way_is_said_so(
    key: str, rule: dict[str, Any], signal: float, told: tuple[float, str]
) -> None:
    """Nobody reads that a weight is -1 kg above."""
    assert peaks.now(key, rule, signal) == told
