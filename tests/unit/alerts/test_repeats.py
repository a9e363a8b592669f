"""Which measurement is to be repeated, from what the fold says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts import engine, repeats, scenario, schedule, timeline
from alerts.repeats import Repeat
from alerts.rules import RuleSet

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
T0_US = int(T0.timestamp()) * 1_000_000
MINUTE = 60_000_000

SPO2: dict[str, Any] = {"kind": "threshold", "code": "spo2", "unit": "%", "red_low": 88, "amber_low": 92}
PULSE: dict[str, Any] = {"kind": "threshold", "code": "pulse", "unit": "/min", "red_high": 130, "repeat_seconds": 600}
NEWS2: dict[str, Any] = {"kind": "news2", "scale": 1}


def folded(rule: dict[str, Any], *readings: tuple[float, str, float, tuple[str, ...]], now: float = 60) -> list[Repeat]:
    """What is wanted after readings (minutes, code, value, marks)."""
    rules = RuleSet.from_json({"pathway": "test", "version": "1", "rules": [rule]})
    spell = engine.Spell(T0_US - 60 * MINUTE, None, schedule.parse({}, "Europe/London"))
    subject = engine.Subject(7, [(0, rules)], [spell], [], "Europe/London")
    given = [
        timeline.Reading(7, T0_US + round(at * MINUTE), code, value, None, number, marks)
        for number, (at, code, value, marks) in enumerate(readings)
    ]
    [result] = engine.fold([subject], timeline.from_readings(given), T0_US + round(now * MINUTE))
    return [found for episode in result.episodes if (found := repeats.wanted(episode)) is not None]


def test_a_red_spot_reading() -> None:
    wanted = folded(SPO2, (0, "spo2", 84, ()), now=1)
    assert wanted == [Repeat(7, ("spo2",), T0, T0 + timedelta(minutes=30))]


@pytest.mark.parametrize("minutes", [0, 5])
def test_the_rule_says_how_long_it_waits(minutes: float) -> None:
    [wanted] = folded(PULSE, (minutes, "pulse", 200, ("extreme",)), now=minutes + 1)
    assert wanted.until - wanted.about_at == timedelta(minutes=10)
    assert wanted.about_at == T0 + timedelta(minutes=minutes)


def test_amber_waits_and_asks_nobody() -> None:
    assert folded(SPO2, (0, "spo2", 90, ()), now=1) == []
    assert folded(SPO2, (0, "spo2", 90, ()), now=60) == []


def test_red_after_amber_asks_about_the_red_one() -> None:
    [wanted] = folded(SPO2, (0, "spo2", 90, ()), (10, "spo2", 84, ()), now=11)
    assert wanted.about_at == T0 + timedelta(minutes=10)


def test_what_is_over_asks_for_nothing() -> None:
    assert folded(SPO2, (0, "spo2", 84, ()), (10, "spo2", 96, ()), now=11) == []


def test_of_a_score_only_what_is_in_doubt() -> None:
    wanted = folded(NEWS2, (0, "resp_rate", 30, ()), (0, "pulse", 220, ("extreme",)), (0, "spo2", 95, ()), now=1)
    assert [found.codes for found in wanted] == [("pulse",)]
    assert folded(NEWS2, (0, "resp_rate", 30, ()), (0, "pulse", 135, ()), (0, "spo2", 90, ()), now=1) == []


def _spot(*readings: tuple[str, float], now: str, **more: Any) -> list[dict[str, Any]]:
    rule = {"kind": "threshold", "code": "spo2", "red_low": 88, "amber_low": 92, "hysteresis": 1, **more}
    document = {
        "rules": [{"rules": [rule]}],
        "spells": [{"from": "2026-11-18T07:00:00Z"}],
        "readings": [{"code": "spo2", "value": value, "at": f"2026-11-18T{at}:00Z"} for at, value in readings],
        "now": f"2026-11-18T{now}:00Z",
    }
    found: list[dict[str, Any]] = scenario.evaluate(json.dumps(document))["episodes"]
    return found


def test_a_single_spot_reading_may_be_provisional_until_another() -> None:
    """At once, but gone with a normal repeat; without the field a red one stands by itself."""
    [alone] = _spot(("08:00", 84), now="08:02", provisional=True)
    assert (alone["level"], alone["provisional"]) == ("red", True)
    [gone] = _spot(("08:00", 84), ("08:03", 95), now="09:00", provisional=True)
    assert gone["ending"] == "withdrawn"
    [sure] = _spot(("08:00", 84), ("08:03", 85), now="09:00", provisional=True)
    assert (sure["provisional"], sure["ended_at"]) == (False, None)
    [late] = _spot(("08:00", 84), ("18:00", 95), now="19:00", provisional=True)
    assert late["ending"] == "cleared"
    [plain] = _spot(("08:00", 84), ("08:03", 95), now="09:00")
    assert plain["ending"] == "cleared"


def test_what_one_reading_said_needs_no_margin_to_be_contradicted() -> None:
    """92 is inside the limit of 92, but would not clear what is sure (93)."""
    [gone] = _spot(("08:00", 84), ("08:03", 92), now="09:00", provisional=True)
    assert gone["ending"] == "withdrawn"
    [sure] = _spot(("08:00", 84), ("08:03", 85), ("08:06", 92), now="09:00", provisional=True)
    assert sure["ended_at"] is None
    [later] = _spot(("08:00", 84), ("08:40", 92), now="09:00", provisional=True)
    assert later["ended_at"] is None
