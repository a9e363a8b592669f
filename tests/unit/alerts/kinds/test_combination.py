"""Combinations: at least n of some conditions, unknown ones, other rules, and what a set of rules makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import errors, news2, rules, timeline
from alerts.kinds.base import Finding, Refusal, Sample
from alerts.kinds.combination import Combination
from tests.unit.alerts.kinds import charts

ROME: list[dict[str, Any]] = [
    {"code": "breathlessness", "above": 4, "max_age_hours": 24},
    {"code": "resp_rate", "above": 23, "max_age_hours": 12},
    {"code": "pulse", "above": 94, "max_age_hours": 12},
    {"code": "spo2", "below": 92, "max_age_hours": 12},
]


def rule(conditions: Sequence[dict[str, Any]] = ROME, **changes: Any) -> Combination:
    entry = {"kind": "combination", "name": "exacerbation", "conditions": list(conditions), "amber": 2, "red": 3}
    return Combination.parse({**entry, **changes}, "rules[0]")


def chart(values: Mapping[str, tuple[float, float]], levels: Mapping[str, int] | None = None) -> charts.Chart:
    """Latest values as (value, age in hours)."""
    readings = {
        code: [Sample(round(charts.NOON - age * charts.HOUR), float(value), 0)] for code, (value, age) in values.items()
    }
    return charts.Chart(readings, levels=levels, now=charts.NOON)


def finding(one: Combination, view: charts.Chart) -> Finding:
    found = one.assess(view)
    assert isinstance(found, Finding)
    return found


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ({"breathlessness": 4, "resp_rate": 23, "pulse": 94, "spo2": 92}, 0),
        ({"breathlessness": 5, "resp_rate": 23, "pulse": 94, "spo2": 92}, 1),
        ({"breathlessness": 5, "resp_rate": 24, "pulse": 94, "spo2": 92}, 2),
        ({"breathlessness": 5, "resp_rate": 24, "pulse": 95, "spo2": 91}, 4),
    ],
)
def test_counts_what_is_strictly_beyond(values: dict[str, float], met: int) -> None:
    found = finding(rule(), chart({code: (value, 0) for code, value in values.items()}))
    assert found == Finding((met >= 2) + (met >= 3), met, met < 2)


def test_values_are_rounded_to_their_resolution_first() -> None:
    """SpO2 91.6 is 92 %, as everywhere; 91.4 is 91 %."""
    one = rule([ROME[3]], amber=1, red=None)
    assert [finding(one, chart({"spo2": (value, 0)})).level for value in (91.6, 91.4)] == [0, 1]


@pytest.mark.parametrize(("age", "met"), [(12, 2), (12.001, 1)])
def test_a_value_that_is_too_old_is_not_met(age: float, met: int) -> None:
    assert finding(rule(), chart({"breathlessness": (8, 0), "pulse": (120, age)})).signal == met


def test_nothing_is_true_by_absence() -> None:
    """Below a limit is not what was never measured."""
    found = rule([ROME[3], {"code": "systolic", "below": 100}], amber=1, red=None).assess(chart({"spo2": (95, 0)}))
    assert found == Finding(0, 0, True)


def test_what_grew_too_old_ends_nothing() -> None:
    """A pulse of 120 yesterday: no reason to raise, and nobody knows that it is better."""
    assert finding(rule(), chart({"breathlessness": (8, 0), "pulse": (120, 24)})) == Finding(0, 1, False)
    assert finding(rule(), chart({"breathlessness": (2, 0), "pulse": (120, 24)})) == Finding(0, 0, True)
    assert finding(rule(), chart({"breathlessness": (8, 0), "pulse": (80, 24)})) == Finding(0, 1, True)


def test_what_the_device_doubts_neither_counts_nor_ends() -> None:
    readings = {
        "spo2": [Sample(charts.NOON, 85.0, timeline.POOR)],
        "pulse": [Sample(charts.NOON, 120.0, 0)],
    }
    assert finding(rule(), charts.Chart(readings)) == Finding(0, 1, False)


def test_refused_where_it_could_not_be_decided() -> None:
    """Fewer conditions ever measured in this stay than it takes."""
    found = rule().assess(chart({"pulse": (120, 0)}))
    lacking = "lacking: breathlessness, respiration rate, SpO2"
    assert found == Refusal("too_few", f"1 of 4 conditions known, 2 have to be; {lacking}")
    found = rule().assess(chart({"pulse": (120, 24), "spo2": (85, 24)}))
    assert isinstance(found, Refusal)
    assert found.why == "too_old"


@pytest.mark.parametrize(
    ("condition", "value", "met"),
    [
        ({"code": "on_oxygen", "is": True}, 1, True),
        ({"code": "on_oxygen", "is": False}, 1, False),
        ({"code": "consciousness", "is": "C"}, 1, True),
        ({"code": "consciousness", "above": "A"}, 4, True),
        ({"code": "consciousness", "above": "A"}, 0, False),
        ({"code": "pulse", "is": 60}, 60.4, True),
    ],
)
def test_yes_no_and_letters(condition: dict[str, Any], value: float, met: bool) -> None:
    one = rule([condition], amber=1, red=None)
    assert finding(one, chart({condition["code"]: (value, 0)})).signal == met
    assert Combination.parse(one.dump(), "rules[0]") == one


@pytest.mark.parametrize(
    ("key", "level", "opened", "met"),
    [
        ("threshold/pulse/high", "amber", 1, True),
        ("threshold/pulse/high", "red", 1, False),
        ("threshold/pulse/high", "red", 2, True),
        ("threshold/pulse/high", "amber", 0, False),
        ("news2", "amber", 1, True),
        ("news2", "red", 2, False),
        ("news2", "red", 3, True),
    ],
)
def test_other_rules(key: str, level: str, opened: int, met: bool) -> None:
    """Open at that level or worse; of NEWS2 red is the score of 7 or more."""
    one = rule([{"rule": key, "level": level}], amber=1, red=None)
    assert finding(one, chart({}, {key: opened})).signal == met


def test_the_sentence_lists_what_is_met_and_what_is_unknown() -> None:
    view = chart({"breathlessness": (8, 1), "pulse": (120, 0), "spo2": (85, 24)})
    told = rule().tell(view, finding(rule(), view))
    assert told.sentence == (
        "Exacerbation: 2 of 4 conditions, 2 needed: Breathlessness above 4 (8 at 11:00); "
        "Pulse above 94 /min (120 /min at 12:00); unknown: Respiration rate above 23 /min "
        "(never measured in this stay); SpO2 below 92 % (too old)"
    )
    assert [entry["met"] for entry in told.inputs] == [True, None, True, None]
    assert told.numbers == {"met": 2, "conditions": 4, "unknown": 2, "limit": 2}


def _set(*entries: dict[str, Any]) -> rules.RuleSet:
    return rules.RuleSet.from_json({"pathway": "x", "version": "1", "rules": list(entries)})


CHANGE = {"kind": "change", "code": "weight", "direction": "rise", "window_hours": 72, "amber": 2}
PULSE = {"kind": "threshold", "code": "pulse", "red_high": 120}


def test_a_set_looks_at_the_readings_behind_other_rules() -> None:
    """The combination is judged whenever one of the rules it looks at may have changed, and after them."""
    conditions = [{"rule": "change/weight"}, {"rule": "threshold/pulse/high"}, {"rule": "news2"}]
    entry = {"kind": "combination", "name": "fluid", "conditions": conditions, "amber": 2}
    found = _set(entry, CHANGE, PULSE, {"kind": "news2", "scale": 1})
    (one,) = (each.rule for each in found.in_order if each.rule.kind == "combination")
    assert set(one.codes) == {"weight", "pulse", *news2.INPUT_CODES}
    assert found.assessed["weight"][-1].rule is one
    assert rules.RuleSet.from_json(found.to_json()) == found
    assert "watched" not in one.dump()


@pytest.mark.parametrize("key", ["change/wait", "threshold/pulse/low", "threshold/spo2/low", "news2"])
def test_a_set_refuses_a_look_at_a_rule_that_it_does_not_have(key: str) -> None:
    entry = {"kind": "combination", "name": "fluid", "conditions": [{"rule": key}], "amber": 1}
    with pytest.raises(errors.RuleError, match="not among these rules"):
        _set(entry, CHANGE, PULSE)


@given(
    st.lists(st.sampled_from(["met", "not", "old met", "old not", "never"]), min_size=4, max_size=4),
    st.integers(1, 4),
)
def test_equal_to_the_definition(states: list[str], least: int) -> None:
    values = {"met": (100, 0), "not": (10, 0), "old met": (100, 20), "old not": (10, 20)}
    kinds = ("breathlessness", "resp_rate", "pulse", "pain")
    conditions = [{"code": code, "above": 50, "max_age_hours": 12} for code in kinds]
    one = rule(conditions, amber=least, red=None)
    view = chart({code: values[state] for code, state in zip(kinds, states, strict=True) if state != "never"})
    found = one.assess(view)
    met, held = states.count("met"), states.count("met") + states.count("old met")
    if 4 - states.count("never") < least or met + states.count("not") == 0:
        assert isinstance(found, Refusal)
        return
    assert found == Finding(int(met >= least), met, held < least)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"conditions": []}, "conditions"),
        ({"conditions": [{"code": "pulse"}]}, "above, below and is"),
        ({"conditions": [{"code": "pulse", "above": 90, "below": 100}]}, "one of above, below and is"),
        ({"conditions": [{"above": 90}]}, "either code or rule"),
        ({"conditions": [{"code": "pulse", "rule": "news2", "above": 1}]}, "either code or rule"),
        ({"conditions": [{"rule": "silence/weight"}]}, "did not come"),
        ({"conditions": [{"rule": "combination/other"}]}, "another combination"),
        ({"conditions": [{"rule": "weight"}]}, "must name a rule"),
        ({"conditions": [{"rule": "news2", "level": "high"}]}, "level"),
        ({"conditions": [{"code": "on_oxygen", "is": "yes"}]}, "true or false"),
        ({"conditions": [{"code": "consciousness", "is": "X"}]}, "letters"),
        ({"conditions": [{"code": "pulse", "above": 90, "max_age": 3}]}, "not known"),
        ({"amber": 5, "red": None}, "whole number"),
        ({"amber": 1.5}, "whole number"),
        ({"amber": 3, "red": 2}, "red"),
        ({"hysteresis": 2}, "hysteresis"),
        ({"name": None}, "name"),
        ({"watched": ["pulse"]}, "not known"),
    ],
)
def test_refuses_what_makes_no_sense(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.RuleError, match=field):
        rule(**changes)


def test_round_trip() -> None:
    one = rule([*ROME, {"rule": "news2", "level": "red", "label": "very ill"}])
    assert Combination.parse(one.dump(), "rules[0]") == one
