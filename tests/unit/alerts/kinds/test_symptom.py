"""Symptoms and signs: sums of the latest answers, "from 4 on", and what is too old."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import errors, timeline
from alerts.kinds.base import Finding, Refusal, Sample
from alerts.kinds.symptom import Symptom
from tests.unit.alerts.kinds import charts

CHEST: dict[str, Any] = {
    "kind": "symptom",
    "codes": ["breathlessness", "ankle_swelling", "orthopnoea"],
    "amber": 4,
    "red": 8,
}


def rule(**changes: Any) -> Symptom:
    return Symptom.parse({**CHEST, **changes}, "rules[0]")


def chart(**answers: tuple[float, float]) -> charts.Chart:
    """Latest answers as (value, age in hours)."""
    readings = {
        code: [Sample(round(charts.NOON - age * charts.HOUR), value, 0)] for code, (value, age) in answers.items()
    }
    return charts.Chart(readings, now=charts.NOON)


@pytest.mark.parametrize(("score", "level"), [(3, 0), (4, 1), (7, 1), (8, 2), (10, 2)])
def test_levels_are_reached_at_their_limits(score: int, level: int) -> None:
    """ "From 4 on": 4 is amber."""
    found = rule(codes=["breathlessness"]).assess(chart(breathlessness=(score, 0)))
    assert found == Finding(level, score, score < 4)


def test_answers_add_up() -> None:
    """Yes is 1."""
    found = rule().assess(chart(breathlessness=(2, 0), ankle_swelling=(1, 1), orthopnoea=(1, 2)))
    assert found == Finding(1, 4, False)


@pytest.mark.parametrize(("age", "total"), [(24, 4), (24.001, 3)])
def test_only_fresh_answers_count(age: float, total: float) -> None:
    found = rule().assess(chart(breathlessness=(3, 0), ankle_swelling=(1, age)))
    assert isinstance(found, Finding)
    assert found.signal == total


def test_an_answer_that_grew_too_old_clears_nothing() -> None:
    """Swollen ankles of two days ago count no more, and nobody has said that they are better."""
    found = rule().assess(chart(breathlessness=(3, 0), ankle_swelling=(1, 48)))
    assert found == Finding(0, 3, False)
    assert rule().assess(chart(breathlessness=(3, 0), ankle_swelling=(0, 48))) == Finding(0, 3, True)


@pytest.mark.parametrize(("score", "clears"), [(3, False), (2, True)])
def test_clears_beyond_the_hysteresis(score: int, clears: bool) -> None:
    found = rule(hysteresis=1).assess(chart(breathlessness=(score, 0)))
    assert isinstance(found, Finding)
    assert found.clears == clears


def test_refused_without_a_fresh_answer() -> None:
    one = rule(codes=["fall"], amber=1, red=None)
    assert one.assess(chart()) == Refusal("too_few", "a first answer about fall in this stay")
    assert one.assess(chart(fall=(1, 25))) == Refusal("too_old", "an answer about fall within 24 hours")


def test_what_is_doubted_does_not_count() -> None:
    doubted = charts.Chart({"breathlessness": [Sample(charts.NOON, 9, timeline.POOR)]})
    assert isinstance(rule().assess(doubted), Refusal)


def test_a_fall() -> None:
    one = rule(codes=["fall"], amber=None, red=1)
    found = one.assess(chart(fall=(1, 0.5)))
    assert found == Finding(2, 1, False)
    assert one.tell(chart(fall=(1, 0.5)), found).sentence == "Fall: yes at 11:30"
    assert one.clears_when() == "the answer no to: fall"
    assert one.key == "symptom/fall"


def test_the_sentence_names_what_counts_and_what_is_not_known() -> None:
    told = chart(breathlessness=(4, 1), ankle_swelling=(1, 30))
    found = rule(name="congestion").assess(told)
    assert isinstance(found, Finding)
    explained = rule(name="congestion").tell(told, found)
    assert explained.sentence == (
        "Congestion adds up to 4, 4 or more: Breathlessness 4 at 11:00; not counted, no fresh answer: "
        "ankles more swollen than usual; needs more pillows to sleep, or wakes breathless"
    )
    assert [(entry["code"], entry["fresh"]) for entry in explained.inputs] == [
        ("breathlessness", True),
        ("ankle_swelling", False),
    ]
    assert explained.numbers == {"sum": 4, "limit": 4, "missing": ["orthopnoea"]}


@given(
    st.dictionaries(
        st.sampled_from(["breathlessness", "ankle_swelling", "orthopnoea"]),
        st.tuples(st.integers(0, 10), st.integers(0, 60)),
    ),
    st.integers(1, 72),
)
def test_equal_to_the_definition(answers: dict[str, tuple[int, int]], max_age: int) -> None:
    answers = {code: (value if code == "breathlessness" else value % 2, age) for code, (value, age) in answers.items()}
    found = rule(max_age_hours=max_age).assess(chart(**answers))
    fresh = [value for value, age in answers.values() if age <= max_age]
    if not fresh:
        assert isinstance(found, Refusal)
        return
    known = sum(value for value, _ in answers.values())
    assert found == Finding((sum(fresh) >= 4) + (sum(fresh) >= 8), sum(fresh), known < 4)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"codes": []}, "codes"),
        ({"codes": ["breathlessness", "breathlessness"]}, "codes"),
        ({"codes": ["wellbeing"]}, "threshold"),
        ({"codes": ["spo2"]}, "no symptom"),
        ({"codes": ["cough"]}, "codes"),
        ({"codes": "fall"}, "codes"),
        ({"codes": ["fall"], "amber": 2}, "never be reached"),
        ({"red": 3}, "red"),
        ({"hysteresis": 4}, "hysteresis"),
        ({"max_age_hours": 0}, "max_age_hours"),
        ({"score": 4}, "not known"),
    ],
)
def test_refuses_what_makes_no_sense(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.RuleError, match=field):
        rule(**changes)


def test_round_trip() -> None:
    assert Symptom.parse(rule().dump(), "rules[0]") == rule()
