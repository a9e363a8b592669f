"""Every kind of rule explains itself by one object of one shape, from which its verdict can be worked out again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from alerts import engine, explanation, kinds, pathways, plain, rules, schedule, timeline
from alerts.episodes import Episode
from tests.unit.alerts.worlds import DAY, MINUTE, START

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/explanation.json").read_text())
HOUR = 60 * MINUTE

Row = tuple[int, str, float]


def daily(code: str, *values: float, hour: int = 8) -> list[Row]:
    return [(number * DAY + hour * HOUR, code, value) for number, value in enumerate(values)]


STEADY = (62.0, 60.0, 61.0, 63.0, 62.0, 60.0, 61.0)
GLUCOSE_LOW = [(30 * DAY + number * 5 * MINUTE, "glucose", 3.5) for number in range(5)]
SPREAD = [(number * HOUR, "glucose", 3.5 if number % 2 else 6.0) for number in range(16 * 24)]

FIRING: dict[str, tuple[dict[str, Any], list[Row]]] = {
    "threshold": ({"code": "spo2", "red_low": 88, "amber_low": 92}, [(0, "spo2", 84)]),
    "threshold twice": (
        {"kind": "threshold", "code": "systolic", "amber_high": 150},
        [(0, "systolic", 160), (HOUR // 4, "systolic", 158)],
    ),
    "threshold of consciousness": (
        {"kind": "threshold", "code": "consciousness", "red_high": 0},
        [(0, "consciousness", 1)],
    ),
    "threshold held": (
        {"kind": "threshold", "code": "pulse", "red_high": 120, "sampling": "continuous", "persistence_seconds": 60},
        [(number * MINUTE // 2, "pulse", 130) for number in range(5)],
    ),
    "news2": ({"scale": 1}, [(0, "resp_rate", 26), (0, "spo2", 91), (0, "pulse", 115)]),
    "silence": ({"code": "spo2", "grace_seconds": 600}, [(0, "pulse", 70), (3 * DAY, "pulse", 70)]),
    "change": (
        {"code": "weight", "direction": "rise", "window_hours": 72, "confirm": 1, "amber": 1.5, "red": 2.3},
        daily("weight", 80, 80.2, 82.5),
    ),
    "distance": (
        {"code": "weight", "direction": "above", "reference": 78.4, "percent": False, "amber": 1, "red": 2},
        daily("weight", 78, 80.5),
    ),
    "distance in %": (
        {"kind": "distance", "code": "peak_flow", "direction": "below", "reference": 400, "percent": True, "red": 20},
        daily("peak_flow", 390, 250),
    ),
    "average": (
        {
            **{"code": "systolic", "direction": "above", "window_days": 7, "min_days": 4, "min_readings": 4},
            **{"drop_first_day": True, "amber": 135, "red": 150},
        },
        daily("systolic", 150, 140, 142, 139, 141, 143, 140),
    ),
    "slope": (
        {"code": "weight", "direction": "rise", "window_days": 14, "min_points": 8, "amber": 1, "red": 3},
        daily("weight", *(80 + 0.15 * number for number in range(20))),
    ),
    "crossover": (
        {
            **{"code": "weight", "direction": "rise", "fast_days": 3, "slow_days": 15},
            **{"min_points": 10, "min_span_days": 14, "amber": 0.5},
        },
        daily("weight", *(80.0,) * 20, *(82.0,) * 4),
    ),
    "cusum": (
        {
            **{"code": "resting_pulse", "direction": "rise", "baseline_days": 28, "min_days": 14, "run_days": 21},
            **{"k": 0.5, "cap": 3, "floor": 1, "gap_days": 7, "amber": 5, "red": 8},
        },
        daily("resting_pulse", *STEADY * 6, *(66.0,) * 8),
    ),
    "baseline": (
        {
            **{"code": "resting_pulse", "direction": "rise", "baseline_days": 28, "min_days": 14, "skip_days": 3},
            **{"days": 2, "floor": 1, "unit": "z", "amber": 3},
        },
        daily("resting_pulse", *STEADY * 5, 70, 72),
    ),
    "baseline in %": (
        {
            **{"kind": "baseline", "code": "weight", "direction": "fall", "baseline_days": 28, "min_days": 14},
            **{"skip_days": 3, "days": 1, "floor": 0.1, "unit": "percent", "amber": 3, "name": "weight_loss"},
        },
        daily("weight", *(80.0, 80.4, 79.8) * 7, 76),
    ),
    "combination": (
        {
            "name": "worse_breathing",
            "conditions": [
                {"code": "spo2", "below": 93, "max_age_hours": 24, "label": "SpO2 below 93 %"},
                {"code": "pulse", "above": 100, "max_age_hours": 24, "label": "pulse above 100"},
                {"code": "temperature", "above": 38, "max_age_hours": 24, "label": "fever"},
            ],
            "amber": 2,
        },
        [(0, "spo2", 91), (0, "pulse", 110)],
    ),
    "symptom": (
        {"codes": ["breathlessness", "pain"], "amber": 6, "red": 12, "max_age_hours": 24},
        [(0, "breathlessness", 5), (0, "pain", 3)],
    ),
    "sustained": (
        {
            **{"code": "glucose", "side": "low", "limit": 3.9, "level": "amber", "for_minutes": 15},
            **{"back_minutes": 15, "reading_minutes": 5, "gap_minutes": 30},
        },
        GLUCOSE_LOW,
    ),
    "in_range": (
        {
            **{"band": "below_3.9", "direction": "above", "window_days": 14, "coverage": 0.7},
            **{"reading_minutes": 60, "amber": 4},
        },
        SPREAD,
    ),
}


def fired(rule: dict[str, Any], readings: list[Row]) -> Episode:
    """The newest episode of one rule over one history."""
    rule_set = rules.RuleSet.from_json(
        {"pathway": "copd", "version": "7", "rules": [{"source": "a source", "approval": "approved", **rule}]}
    )
    plan = schedule.parse({"spo2": {"times": ["08:00"]}} if rule["kind"] == "silence" else {}, "Europe/London")
    spell = engine.Spell(START - DAY, None, plan)
    subject = engine.Subject(7, [(0, rule_set)], [spell], [], "Europe/London")
    given = [
        timeline.Reading(7, START + at, code, value, None, number) for number, (at, code, value) in enumerate(readings)
    ]
    end = START + max(at for at, _, _ in readings) + HOUR
    [result] = engine.fold([subject], timeline.from_readings(given), end)
    assert result.episodes, "the rule did not fire"
    return result.episodes[-1]


@pytest.fixture(params=sorted(FIRING))
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Episode]:
    rule, readings = FIRING[request.param]
    rule = {"kind": request.param, **rule}
    return rule, fired(rule, readings)


def test_every_kind_is_here() -> None:
    there = {FIRING[name][0].get("kind", name) for name in FIRING}
    assert there == {"threshold", "news2", "silence", *kinds.KINDS}


def test_of_one_shape(case: tuple[dict[str, Any], Episode]) -> None:
    """The sentence, the inputs with their times and ages, the limits, the rule and its version, what would clear it."""
    rule, episode = case
    told = explanation.explain(episode.rule, episode.evidence, provisional=episode.provisional)
    jsonschema.validate(told, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert json.loads(json.dumps(told)) == told
    assert told["sentence"] == episode.reason
    assert told["rule"] == {
        **{"key": episode.rule, "kind": rule["kind"], "pathway": "copd", "version": "7"},
        **{"source": "a source", "sources": [{"label": "", "text": "a source"}]},
        **{"approval": "approved", "settings": told["rule"]["settings"]},
    }
    assert told["inputs"]
    assert told["working"]
    assert told["clears_when"]
    assert told["since"] or rule["kind"] == "silence"
    if rule["kind"] != "silence":
        assert told["limits"]
        assert any(limit["level"] == episode.level for limit in told["limits"])


def test_inputs_say_when_and_what(case: tuple[dict[str, Any], Episode]) -> None:
    _, episode = case
    for entry in explanation.explain(episode.rule, episode.evidence)["inputs"]:
        assert entry["label"]
        if entry["code"] is not None and entry["value"] is not None:
            assert entry["text"]
            assert entry["at"] or entry["day"]
            assert entry["age_seconds"] is not None or entry["day"] is not None


def worked(name: str) -> list[str]:
    rule, readings = FIRING[name]
    episode = fired({"kind": name, **rule}, readings)
    lines: list[str] = explanation.explain(episode.rule, episode.evidence)["working"]
    return lines


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("threshold", "84 < 88, the red limit"),
        ("threshold twice", "158 > 150, the amber limit"),
        ("news2", "3 + 3 + 2 = 8 points (respiration rate, SpO2, pulse)"),
        ("news2", "7 or more: high"),
        ("change", "82.5 - 80 = 2.5"),
        ("change", "2.5 > 2.3, the red limit"),
        ("distance", "80.5 - 78.4 = 2.1"),
        ("distance in %", "100 x 250 / 400 = 62.5 %"),
        ("distance in %", "100 - 62.5 = 37.5"),
        ("average", "140.5 > 135, the amber limit"),
        ("combination", "2 of 3 conditions are met"),
        ("symptom", "5 + 3 = 8"),
        ("symptom", "8 >= 6, the amber limit"),
        ("in_range", "100 x 120 / 240 = 50 %"),
    ],
)
def test_worked_out_by_hand(name: str, line: str) -> None:
    """The arithmetic on the page is arithmetic."""
    assert line in worked(name)


TECHNICAL: dict[str, dict[str, Any]] = {
    "clock": {
        **{"level": "wrong", "reason": "Device clock 1 h slow", "wrong": "slow", "since": "2026-03-02T10:00:00.000Z"},
        **{
            "probably": "daylight saving",
            "seconds_ahead": -3600,
            "what_to_do": "Set it.",
            "clears_when": "it is right",
        },
    },
    "unassigned/spo2/low": {
        **{"level": "red", "reason": "SpO2 84 %", "code": "spo2", "time_known": True, "readings": 1},
        "peak": {"at": "2026-03-02T10:00:00.000Z", "shown": "84 %"},
        "last": {"at": "2026-03-02T10:00:00.000Z", "shown": "84 %"},
        "ended": {"at": "2026-03-03T10:00:00.000Z", "how": "cleared"},
        "clears_when": "a reading within limits",
    },
    "battery": {
        **{"level": "low", "reason": "Battery at 15 %", "lowest": 0.15, "since": "2026-03-02T10:00:00.000Z"},
        "settings": [{"name": "battery_low", "value": 0.2, "source": "a source", "approval": "approved"}],
        **{"what_to_do": "Have it charged.", "clears_when": "it says 25 % or more"},
    },
    "nonsense": {"reason": "It only sends what is refused"},
    "evaluation": {},
}


@pytest.mark.parametrize("rule", sorted(TECHNICAL))
def test_technical_alerts_too(rule: str) -> None:
    told = explanation.explain(rule, TECHNICAL[rule])
    jsonschema.validate(told, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert told["rule"]["kind"] == "technical"


@pytest.mark.parametrize("rule", ["threshold/spo2/low", "news2", "silence/spo2", "change/weight", "slope/weight"])
def test_evidence_that_says_little(rule: str) -> None:
    """As it was kept by earlier versions, or by hand: the page still opens."""
    for evidence in ({}, {"reason": "SpO2 84 %", "level": "red"}, {"rule": {"pathway": "copd", "version": "1"}}):
        told = explanation.explain(rule, evidence)
        jsonschema.validate(told, SCHEMA, format_checker=jsonschema.FormatChecker())
        assert told["sentence"] == evidence.get("reason", "")


def test_a_missing_measure_says_what_the_devices_tell() -> None:
    """The cause is said beside the episode; it is part of the sentence, and the devices are among the inputs."""
    rule, readings = FIRING["silence"]
    episode = fired({"kind": "silence", **rule}, readings)
    device = {"device_id": "ox-1", "online": False, "said_at": None, "heard_at": "2026-03-02T10:00:00+00:00"}
    cause = {"key": "device_silent", "text": "device ox-1 is offline", "devices": [device], "at": device["heard_at"]}
    told = explanation.explain(episode.rule, {**episode.evidence, "cause": cause})
    jsonschema.validate(told, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert told["sentence"] == f"{episode.reason}; device ox-1 is offline"
    assert (told["inputs"][-1]["label"], told["inputs"][-1]["notes"]) == ("Device ox-1 last heard of", ["offline"])


def test_what_a_device_is_judged_by() -> None:
    rule = explanation.explain("battery", TECHNICAL["battery"])["rule"]
    assert rule["settings"] == [{"name": "battery_low", "label": "Battery low", "text": "0.2"}]
    assert (rule["source"], rule["approval"]) == ("a source", "approved")


def test_numbers_are_called_what_a_nurse_calls_them(case: tuple[dict[str, Any], Episode]) -> None:
    """No letter of a formula, no name of a statistician, no endless decimals."""
    _, episode = case
    for number in explanation.explain(episode.rule, episode.evidence)["numbers"]:
        assert len(number["label"]) > 2
        assert not re.search(r"(?i)\b(mad|kendall|sen)\b", number["label"])
        if isinstance(number["value"], float) and abs(number["value"]) >= 0.001:
            assert len(number["text"].rpartition(".")[2]) <= 4 or "." not in number["text"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", []),
        ("local protocol; page 3", [("", "local protocol; page 3")]),
        (
            "red_low, amber_low: NEWS2 (RCP 2017): 91 or less; BTS 2017; hysteresis: chosen",
            [
                ("Red below, amber below", "NEWS2 (RCP 2017): 91 or less; BTS 2017"),
                ("Margin before it clears", "chosen"),
            ],
        ),
        (
            "red_low set for this resident by staff:3: usual 86",
            [("Red below", "set for this resident by staff:3: usual 86")],
        ),
        (
            "profiles[0].amber_low, max_age_seconds.spo2, max_age_seconds.pulse: chosen: x",
            [("Amber below (time of day 1), oldest value that counts (SpO2, pulse)", "chosen: x")],
        ),
        ("Heart Failure Matters: more than 2 kg", [("", "Heart Failure Matters: more than 2 kg")]),
    ],
)
def test_sources_are_told_in_words(source: str, told: list[tuple[str, str]]) -> None:
    """By what the numbers are called on the page, not by the names of fields."""
    evidence = {"rule": {"source": source}, "level": "red", "reason": "x"}
    rule = explanation.explain("threshold/spo2/low", evidence)["rule"]
    assert [(one["label"], one["text"]) for one in rule["sources"]] == told


@pytest.mark.parametrize("name", pathways.names())
def test_no_field_is_left_in_the_sources_of_packaged_rules(name: str) -> None:
    for rule in pathways.compile(pathways.load(name)).rules:
        for one in plain.sources(rule.source):
            assert one["label"]
            assert "_" not in one["label"]
