# ruff: noqa: E501 -- tables of cases stay tables
"""Rules written as JSON are checked like pathway files: a clinician is told which rule, what is wrong and what to write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alerts import errors, pathways, rules
from alerts.pathways import ruleset

WEIGHT = {"kind": "change", "code": "weight", "direction": "rise", "window_hours": 72}
HOT = {"kind": "combination", "name": "hot", "amber": 1}


def threshold(**fields: Any) -> dict[str, Any]:
    return {"kind": "threshold", "code": "spo2", **fields}


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ([], "rules: must be a list of rules in square brackets"),
        ([None], "rule 1: must be an object in braces"),
        ([threshold()], "rule 1 (threshold spo2): has no limit at all"),
        ([threshold(red_lo=88)], 'rule 1 (threshold spo2), red_lo: "red_lo" is not a field of a threshold rule, did you mean "red_low"?'),
        ([threshold(red_low="88,5")], "red_low: must be a number without quotes and with a decimal point: 88.5"),
        ([threshold(red_low=880)], "red_low: cannot be 880 %: limits of SpO2 are from 50 to 100 %; did you mean 88 %?"),
        ([threshold(red_low=0.88)], "did you mean a fraction? 0.88 is 88 %"),
        ([threshold(red_low=93, amber_low=90)], "red_low: must not be above amber_low (red_low is 93, amber_low is 90)"),
        ([threshold(amber_low=90, hysteresis=20)], "no SpO2 is above 100 %, so it could never end. Give at most 10 %"),
        ([threshold(red_low=88), threshold(red_low=85)], "rule 2 (threshold spo2): there is a rule threshold/spo2 already, rule 1"),
        ([{"kind": "treshold", "code": "spo2"}], 'kind: is "treshold", which is not known, did you mean "threshold"?'),
        ([{"kind": "threshold", "code": "sp02", "red_low": 88}], 'code: "sp02" is not a measure that is known, did you mean "spo2"?'),
        ([{**WEIGHT, "amber": 2000}], "rule 1 (change weight), amber: cannot be 2000 kg"),
        ([{**WEIGHT, "direction": "up", "amber": 2}], "direction: must be rise or fall"),
        ([{"kind": "news2"}], 'rule 1 (news2), scale: must be 1 or 2, the SpO2 scale, set by a clinician: write "scale": 1'),
        ([threshold(red_low=88, scale=1)], "scale: belongs to the news2 rule only"),
        ([threshold(red_low=88), {**HOT, "conditions": [{"rule": "threshold/spo2"}]}], "write threshold/spo2/low"),
        ([{**HOT, "conditions": [{"code": "temperature", "above": 100.4}]}], "did you mean degrees Fahrenheit? 100.4 °F is 38.0 °C"),
    ],
)  # fmt: skip
def test_refused(listed: list[Any], told: str) -> None:
    with pytest.raises(pathways.Unusable) as caught:
        ruleset.read({"rules": listed}, "own")
    assert told in "; ".join(str(problem) for problem in caught.value.problems)


def test_everything_is_told_at_once() -> None:
    broken = [threshold(red_low=880), {**WEIGHT, "amber": 2000}, {"kind": "news2", "scale": 3}]
    with pytest.raises(pathways.Unusable) as caught:
        ruleset.read({"titel": "x", "rules": broken, "version": 3}, "own")
    assert [problem.path for problem in caught.value.problems] == [
        "titel",
        "version",
        "rules[0].red_low",
        "rules[1].amber",
        "rules[2].scale",
    ]


@pytest.mark.parametrize("name", pathways.names())
def test_what_the_service_writes_is_taken(name: str) -> None:
    for version in pathways.versions(name):
        for scale in (1, 2):
            compiled = pathways.compile(pathways.load(name, version), spo2_scale=scale)
            assert ruleset.read(json.loads(json.dumps(compiled.to_json())), "own") == compiled


def test_numbers_may_have_their_source() -> None:
    """As in a pathway file; without one they are taken too."""
    read = ruleset.read({"rules": [threshold(red_low={"value": 88, "source": "board"}), {**WEIGHT, "amber": 2}]}, "own")
    assert (read.pathway, read.version, read.thresholds["spo2"].red_low) == ("own", "file", 88)
    assert read.assessments["change/weight"].amber == 2


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"threshold/spo": None}, "threshold/spo: cannot be left out: copd has no such rule, only threshold/spo2, "),
        ({"threshold/spo2": 3}, "must be null, or the fields to change"),
        ({"threshold/spo2": {"red_lo": 85}}, 'threshold/spo2, red_lo: "red_lo" is not a field of a threshold rule, did you mean "red_low"?'),
        ({"treshold/spo2": {"red_low": 85}}, 'kind: is "treshold", which is not known, did you mean "threshold"?'),
        ({"threshold/spo2": {"red_low": "85"}}, "must be a number without quotes"),
        ({"threshold/sp": {"red_low": 85}}, '"sp" is not a measure that is known'),
        ({"threshold/spo2": {"red_low": 85, "amber_low": 890}}, "did you mean 89 %?"),
        ({"news2": {"scale": 2}}, "is set for each resident by a clinician"),
    ],
)  # fmt: skip
def test_overrides_refused(overrides: dict[str, Any], told: str) -> None:
    with pytest.raises(errors.RuleError) as caught:
        ruleset.overridden(pathways.load("copd"), overrides, 1)
    assert told in str(caught.value)


def test_overrides_taken() -> None:
    """Fields changed, a rule left out, another put beside it; the same as compiled without the check."""
    overrides: dict[str, Any] = {
        "threshold/spo2": {"red_low": 85},
        "news2": None,
        "change/weight": {**WEIGHT, "amber": 2},
    }
    found = ruleset.overridden(pathways.load("copd"), overrides, 2)
    assert found == pathways.compile(pathways.load("copd"), overrides, 2)
    assert "change/weight" in {rules.key_of(rule) for rule in found.rules}
