# ruff: noqa: E501 -- tables of cases stay tables
"""Limits that nothing reaches, in another unit, or with alerts that cannot end are refused where rules are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alerts import codes, errors, pathways, personal, plausible, rules, telling
from devices import catalogue

AVERAGE = {
    "kind": "average",
    "code": "systolic",
    "direction": "above",
    "window_days": 7,
    "min_days": 3,
    "min_readings": 6,
}
CHANGE = {"kind": "change", "code": "weight", "direction": "rise", "window_hours": 72}
DISTANCE = {"kind": "distance", "code": "weight", "direction": "above", "amber": 2}
CUSUM = {"kind": "cusum", "code": "weight", "direction": "rise", "run_days": 10, "k": 1, "cap": 3, "floor": 0.5}
SUSTAINED = {"kind": "sustained", "code": "glucose", "side": "low", "level": "red"}


def threshold(code: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "threshold", "code": code, **fields}


def found(entry: dict[str, Any]) -> list[tuple[str, str]]:
    rule_set = rules.RuleSet.from_json({"pathway": "test", "version": "1", "rules": [entry]})
    return list(plausible.problems(rule_set.rules[0]))


def test_ranges_are_those_of_the_catalogue() -> None:
    """What is possible is the same; limits may be narrower, but what a device shows in an emergency can be a limit."""
    assert set(plausible.RANGES) == set(codes.CODES)
    for code, known in plausible.RANGES.items():
        entry, (least, most) = catalogue.ENTRIES[code], known.span
        if entry.kind != "number":
            assert (known.low, known.high) == (0, len(entry.codes) - 1 if entry.codes else 1)
            continue
        assert (known.low, known.high) == (entry.impossible_low, entry.impossible_high)
        assert known.low <= least <= entry.extreme_low < entry.extreme_high <= most <= known.high
        assert 0 < known.margin < known.apart <= known.high - known.low


def test_the_page_has_the_ranges() -> None:
    page = (Path(__file__).parents[3] / "docs" / "clinical" / "approving.md").read_text("utf-8")
    for code, known in plausible.RANGES.items():
        if code not in codes.YES_NO and code != "consciousness":
            span = f"{telling.limit(known.span[0])} to {telling.limit_of(code, known.span[1])}"
            assert f"| {codes.BY_KEY[code].name} | {span} | {telling.limit_of(code, known.margin)} |" in page, code
            assert f"{telling.limit_of(code, known.margin)} | {telling.limit_apart(code, known.apart)} |" in page, code


@pytest.mark.parametrize(
    ("entry", "field", "told"),
    [
        (threshold("glucose", red_low=54), "red_low", "did you mean mg/dL? 54 mg/dL is 3.0 mmol/L"),
        (threshold("glucose", amber_low=70), "amber_low", "limits of glucose are from 1 to 33.3 mmol/L; did you mean mg/dL? 70 mg/dL is 3.9 mmol/L"),
        (threshold("temperature", amber_high=100.4), "amber_high", "degrees Fahrenheit? 100.4 °F is 38.0 °C"),
        (threshold("spo2", red_low=880), "red_low", "cannot be 880 %: limits of SpO2 are from 50 to 100 %; did you mean 88 %?"),
        (threshold("spo2", red_low=0.88), "red_low", "did you mean a fraction? 0.88 is 88 %"),
        (threshold("spo2", amber_high=120), "amber_high", "cannot be 120 %"),
        (threshold("spo2", amber_high=100), "amber_high", "no value is above that, and the alert would never come"),
        (threshold("systolic", amber_high=18), "amber_high", "did you mean kPa? 18 kPa is 135 mmHg"),
        (threshold("pulse", red_high=1050), "red_high", "is outside what is possible at all, 10 to 350 /min"),
        (threshold("pain", amber_high=10), "amber_high", "the alert would never come"),
        (threshold("fall", red_high=1), "red_high", "the alert would never come"),
        (threshold("spo2", amber_low=92, profiles=[{"from": "22:00", "to": "07:00", "amber_low": 850}]), "profiles[0].amber_low", "did you mean 85 %?"),
        (threshold("spo2", amber_low=92, hysteresis=20), "hysteresis", "would end only at 112 %; no SpO2 is above 100 %, so it could never end. Give at most 8 %"),
        (threshold("spo2", amber_low=92, hysteresis=6, profiles=[{"from": "22:00", "to": "07:00", "amber_low": 96}]), "hysteresis", "an alert at 96 % would end only at 102 %"),
        (threshold("fall", red_high=0, hysteresis=1), "hysteresis", "it could never end. Give at most 0"),
        ({**AVERAGE, "amber": 1350}, "amber", "did you mean 135 mmHg?"),
        ({**AVERAGE, "amber": 135, "hysteresis": 60}, "hysteresis", "would end only at 75 mmHg; that is far beyond the limit"),
        ({**AVERAGE, "direction": "below", "amber": 20}, "amber", "cannot be 20 mmHg"),
        ({**CHANGE, "amber": 2000}, "amber", "did you mean g? 2000 g is 2.0 kg"),
        ({**CHANGE, "code": "glucose", "amber": 54}, "amber", "did you mean mg/dL? 54 mg/dL is 3.0 mmol/L"),
        ({**DISTANCE, "reference": 784}, "reference", "did you mean 78.4 kg?"),
        ({**DISTANCE, "reference": 25, "direction": "below", "amber": 18}, "amber", "cannot be 18 kg below the set 25 kg"),
        ({**DISTANCE, "reference": 78, "amber": 70}, "amber", "cannot be 70 kg: nobody's weight changes by 30 kg or more, and the alert would never come; give less than 30 kg"),
        ({**DISTANCE, "reference": 78, "amber": 0.05}, "amber", "weight is measured in steps of 0.1 kg, and nearly anything would alert"),
        ({**DISTANCE, "code": "peak_flow", "direction": "below", "percent": True, "amber": 0.8}, "amber", "cannot be 0.8 %: less than 1 % is nothing; did you mean 80 %?"),
        ({**DISTANCE, "code": "pulse", "percent": True, "amber": 2000}, "amber", "nothing is 300 % above the set value"),
        ({**CHANGE, "code": "spo2", "direction": "fall", "amber": 0.04}, "amber", "did you mean 4 percentage points?"),
        ({**CHANGE, "code": "spo2", "direction": "fall", "amber": 60}, "amber", "cannot be 60 percentage points: nobody's SpO2 changes by 50 percentage points or more"),
        ({**CHANGE, "code": "temperature", "amber": 38}, "amber", "nobody's temperature changes by 10 °C or more"),
        ({**CHANGE, "code": "systolic", "amber": 200}, "amber", "nobody's systolic pressure changes by 180 mmHg or more"),
        ({**CHANGE, "code": "fev1", "direction": "fall", "amber": 200}, "amber", "did you mean mL? 200 mL is 0.20 L"),
        ({**CHANGE, "code": "ketones", "amber": 20}, "amber", "did you mean mg/dL? 20 mg/dL is 1.9 mmol/L"),
        ({"kind": "crossover", "code": "weight", "direction": "rise", "fast_days": 3, "slow_days": 14, "amber": 1500}, "amber", "1500 g is 1.5 kg"),
        ({"kind": "slope", "code": "weight", "direction": "rise", "amber": 30}, "amber", "give less than 30 kg"),
        ({"kind": "baseline", "code": "weight", "direction": "rise", "floor": 450, "amber": 3}, "floor", "did you mean g? 450 g is 0.5 kg"),
        ({**DISTANCE, "amber": 2000}, "amber", "2000 g is 2.0 kg"),
        ({**CUSUM, "amber": 20}, "amber", "the sum is never more than 20"),
        ({**CUSUM, "amber": 10, "red": 500}, "red", "the alert would never come"),
        ({"kind": "baseline", "code": "spo2", "direction": "fall", "floor": 10, "amber": 5}, "amber", "never more than 5"),
        ({"kind": "baseline", "code": "weight", "direction": "rise", "unit": "value", "amber": 2000}, "amber", "2000 g is 2.0 kg"),
        ({"kind": "slope", "code": "weight", "direction": "rise", "amber": 1, "crossing_limit": 5000}, "crossing_limit", "cannot be 5000 kg"),
        ({"kind": "in_range", "band": "in_range", "direction": "below", "amber": 70, "red": 0}, "red", "no share is below 0 %"),
        ({**SUSTAINED, "limit": 54}, "limit", "54 mg/dL is 3.0 mmol/L"),
        ({"kind": "combination", "name": "hot", "amber": 1, "conditions": [{"code": "temperature", "above": 100.4}]}, "conditions[0].above", "100.4 °F is 38.0 °C"),
    ],
)  # fmt: skip
def test_refused(entry: dict[str, Any], field: str, told: str) -> None:
    """With the field, in words that say what to do."""
    said = found(entry)
    assert [name for name, _ in said] == [field]
    assert told in said[0][1]


@pytest.mark.parametrize(
    "entry",
    [
        threshold("spo2", amber_low=100),
        threshold("spo2", red_low=50, amber_low=99, hysteresis=1),
        threshold("spo2", amber_high=99),
        threshold("glucose", red_low=1, red_high=33.3),
        threshold("temperature", red_low=32, red_high=42, hysteresis=0.5),
        threshold("pulse", red_low=30, red_high=250, hysteresis=20),
        threshold("weight", red_high=499),
        threshold("consciousness", red_high=0),
        threshold("fall", red_high=0),
        threshold("wellbeing", amber_low=1),
        threshold("spo2", amber_low=92, profiles=[{"from": "22:00", "to": "07:00", "amber_low": None, "red_low": 80}]),
        {**AVERAGE, "amber": 135, "hysteresis": 20},
        {**CHANGE, "amber": 29},
        {**CHANGE, "code": "systolic", "amber": 179},
        {**CHANGE, "code": "temperature", "amber": 0.1},
        {**DISTANCE, "code": "temperature", "amber": 0},
        {**DISTANCE, "reference": None},
        {**DISTANCE, "code": "spo2", "direction": "below", "reference": 100, "amber": 8},
        {**DISTANCE, "code": "peak_flow", "direction": "below", "percent": True, "reference": 400, "amber": 50},
        {**CUSUM, "amber": 19.9},
        {**SUSTAINED, "limit": 33.3, "side": "high"},
    ],
)
def test_taken_at_the_edges(entry: dict[str, Any]) -> None:
    assert found(entry) == []


@pytest.mark.parametrize("name", [*pathways.names(), "unassigned"])
def test_packaged_pathways_are_plausible(name: str) -> None:
    for version in pathways.versions(name):
        for scale in (1, 2):
            compiled = pathways.compile(pathways.load(name, version), spo2_scale=scale)
            assert [one for rule in compiled.rules for one in plausible.problems(rule)] == []


# Where rules are written ------------------------------------------------------------------------------


def test_overrides_are_named_by_the_key_that_was_written() -> None:
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"red_low": "x"}, "red_low"),
        ({"red_low": 880, "amber_low": 890}, "red_low"),
        ({"hysteresis": 20}, "hysteresis"),
    )
    for fields, field in wrong:
        with pytest.raises(errors.RuleError) as caught:
            pathways.compile(pathways.load("copd"), {"threshold/spo2": fields})
        assert caught.value.field == f"threshold/spo2.{field}"


def test_limits_of_one_resident() -> None:
    """What is changed is looked at; a rule that was in force before this was looked at does not stop other changes."""
    copd = pathways.load("copd")
    signed = personal.Signature("staff:1", "2026-11-20T10:00:00+00:00", "seen today", "2027-01-01")
    before = personal.Rules(pathways.compile(copd), 1, ())
    with pytest.raises(errors.RuleError, match=r"100\.4 °F is 38\.0 °C") as caught:
        personal.change(before, copd, [personal.Change("threshold/temperature", "red_high", 100.4)], signed)
    assert caught.value.field == "threshold/temperature.red_high"
    document = before.rule_set.to_json()
    for entry in document["rules"]:
        if entry["kind"] == "threshold" and entry["code"] == "temperature":
            entry["red_high"] = 100.4
    old = personal.Rules(rules.RuleSet.from_json(document), 1, ())
    after = personal.change(old, copd, [personal.Change("threshold/spo2", "red_low", 85)], signed)
    assert after.rule_set.thresholds["spo2"].red_low == 85
