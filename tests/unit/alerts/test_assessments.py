"""Rules about change, distance, average, symptoms and combinations, as a scenario tells them: raised, quiet, ended."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import engine, rules, scenario, schedule, timeline
from tests.unit.alerts import test_command

CHANGE: dict[str, Any] = {
    "kind": "change",
    "code": "weight",
    "direction": "rise",
    "window_hours": 72,
    "confirm": 2,
    "amber": 2,
    "red": 3,
    "hysteresis": 0.5,
}
DISTANCE: dict[str, Any] = {
    "kind": "distance",
    "code": "peak_flow",
    "direction": "below",
    "reference": 400,
    "percent": True,
    "amber": 20,
    "red": 50,
    "hysteresis": 5,
}
AVERAGE: dict[str, Any] = {
    "kind": "average",
    "code": "systolic",
    "direction": "above",
    "window_days": 4,
    "min_days": 2,
    "min_readings": 4,
    "drop_first_day": True,
    "amber": 135,
    "hysteresis": 2,
}
SYMPTOM: dict[str, Any] = {
    "kind": "symptom",
    "name": "chest",
    "codes": ["breathlessness", "ankle_swelling"],
    "amber": 5,
    "red": 8,
    "hysteresis": 1,
}
COMBINATION: dict[str, Any] = {
    "kind": "combination",
    "name": "fluid",
    "conditions": [
        {"rule": "change/weight"},
        {"rule": "threshold/pulse/high", "level": "red"},
        {"code": "breathlessness", "above": 4, "max_age_hours": 24},
    ],
    "amber": 2,
    "red": 3,
}
PULSE: dict[str, Any] = {"kind": "threshold", "code": "pulse", "amber_high": 100, "red_high": 120, "hysteresis": 5}
NIGHT: dict[str, Any] = {**PULSE, "profiles": [{"from": "22:00", "to": "07:00", "amber_high": 110, "red_high": None}]}


def moment(day: int, time: str = "08:00") -> str:
    return f"2026-11-{day:02d}T{time}:00Z"


def document(found: list[dict[str, Any]], readings: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {
        "now": moment(28),
        "rules": [{"rules": found}],
        "spells": [{"from": moment(1), "to": None}],
        "readings": readings,
        **changes,
    }


def evaluate(found: list[dict[str, Any]], readings: list[dict[str, Any]], **changes: Any) -> list[dict[str, Any]]:
    """The episodes, which fit their schema."""
    given = document(found, readings, **changes)
    test_command.check(given, "evaluate_input")
    answer = scenario.evaluate(json.dumps(given))
    test_command.check(json.loads(json.dumps(answer)), "evaluate_output")
    episodes: list[dict[str, Any]] = answer["episodes"]
    return episodes


def daily(code: str, *values: float, start: int = 10, time: str = "08:00") -> list[dict[str, Any]]:
    return [{"code": code, "value": value, "at": moment(start + day, time)} for day, value in enumerate(values)]


def brief(episodes: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """(rule, level, day it began, day it ended, how)."""
    return [
        (
            one["rule"],
            one["level"],
            int(one["started_at"][8:10]),
            one["ended_at"] and int(one["ended_at"][8:10]),
            one["ending"],
        )
        for one in episodes
    ]


# Change -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([78.0, 78.2, 80.0, 80.0], []),  # 2.0 is not more than 2
        ([78.0, 78.2, 80.1], []),  # once is not twice
        ([78.0, 78.2, 80.1, 78.3], []),
        ([78.0, 80.1, 80.2], [("amber", 12, None, None)]),
        ([78.0, 80.1, 81.2, 81.1], [("red", 12, None, None)]),
        ([78.0, 80.1, 80.2, 79.6], [("amber", 12, None, None)]),  # inside again, but not by the hysteresis
        ([78.0, 80.1, 80.2, 79.5], [("amber", 12, 13, "cleared")]),
        ([78.0, 80.1, 80.2, 80.3, 80.2], [("amber", 12, 14, "cleared")]),  # the rise is older than 72 hours
        ([78.0], []),  # refused
    ],
)
def test_change(weights: list[float], expected: list[tuple[Any, ...]]) -> None:
    found = brief(evaluate([CHANGE], daily("weight", *weights)))
    assert found == [("change/weight", *one) for one in expected]


def test_change_ends_nothing_while_it_cannot_decide() -> None:
    """A week without a weight, then a single one: too few within the window, and what was open stays open."""
    readings = daily("weight", 78.0, 80.1, 80.2) + daily("weight", 78.0, start=20)
    assert brief(evaluate([CHANGE], readings)) == [("change/weight", "amber", 12, None, None)]


def test_the_evidence_of_a_change_is_enough_to_work_it_out_again() -> None:
    (episode,) = evaluate([CHANGE], daily("weight", 78.0, 78.4, 80.3, 80.5))
    evidence = episode["evidence"]
    newest = [entry["value"] for entry in evidence["inputs"] if entry["part"] == "newest"]
    earlier = [entry["value"] for entry in evidence["inputs"] if entry["part"] == "earlier"]
    assert min(newest) - min(earlier) == pytest.approx(evidence["numbers"]["change"]) == pytest.approx(2.3)
    assert evidence["rule"]["key"] == "change/weight"
    assert evidence["rule"]["window_hours"] == 72
    assert evidence["numbers"]["limit"] == evidence["rule"]["amber"] == 2
    assert episode["reason"] == (
        "Weight up 2.3 kg within 72 hours, more than 2 kg: from 78.0 kg at 08:00 on 10-Nov "
        "to 80.3 kg at 08:00 on 12-Nov, the lowest of the last 2 (amber)"
    )
    assert "1.5 kg above where it was" in evidence["clears_when"]


def test_what_was_measured_before_the_stay_is_compared_with_but_raises_nothing() -> None:
    readings = daily("weight", 78.0, 80.1, 80.2, start=10)
    late = [{"from": moment(12, "07:00"), "to": None}]
    assert brief(evaluate([CHANGE], readings, spells=late)) == [("change/weight", "amber", 12, None, None)]
    assert evaluate([CHANGE], readings, spells=[{"from": moment(13), "to": None}]) == []


# Distance -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flows", "expected"),
    [
        ([390, 320, 330], []),  # 80 % is not below 80 %
        ([390, 319], [("amber", 11, None, None)]),
        ([390, 319, 339], [("amber", 11, None, None)]),
        ([390, 319, 340], [("amber", 11, 12, "cleared")]),
        ([390, 319, 199, 390], [("red", 11, 13, "cleared")]),
        ([390, 319, 400, 310], [("amber", 11, 12, "cleared"), ("amber", 13, None, None)]),
    ],
)
def test_distance(flows: list[float], expected: list[tuple[Any, ...]]) -> None:
    found = brief(evaluate([DISTANCE], daily("peak_flow", *flows)))
    assert found == [("distance/peak_flow", *one) for one in expected]


def test_distance_decides_nothing_until_the_value_is_set() -> None:
    """The resident's best is set on the 12th: from the next reading on."""
    readings = daily("peak_flow", 150, 150, 150, 150)
    versions = [
        {"valid_from": moment(1), "rules": [{**DISTANCE, "reference": None}]},
        {"valid_from": moment(12, "12:00"), "rules": [DISTANCE]},
    ]
    found = evaluate([], readings, rules=versions)
    assert brief(found) == [("distance/peak_flow", "red", 13, None, None)]


def test_dry_weight_of_one_resident_by_an_override() -> None:
    """The pathway leaves the dry weight open; both directions take it from the resident."""
    versions = [
        {
            "pathway": "heart_failure",
            "overrides": {
                "distance/dry": {
                    "name": "dry",
                    "code": "weight",
                    "direction": "above",
                    "reference": 78.4,
                    "amber": 2,
                }
            },
        }
    ]
    found = evaluate([], daily("weight", 80.5), rules=versions)
    assert ("distance/dry", "amber", 10, None, None) in brief(found)
    assert "2.1 kg above the set 78.4 kg" in found[0]["reason"]


# Average ------------------------------------------------------------------------------------------


def pressures(*values: float) -> list[dict[str, Any]]:
    """Morning and evening of each day."""
    return daily("systolic", *values[::2]) + daily("systolic", *values[1::2], time="20:00")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([180, 180, 180, 180, 180], []),  # the first day left out, one reading too few
        ([120, 120, 140, 140, 140], []),
        ([120, 120, 140, 140, 140, 131], [("amber", 12, None, None)]),
        ([120, 120, 140, 140, 130, 130], []),  # 135 is not above 135
        ([120, 120, 140, 140, 140, 140, 119, 119], [("amber", 12, 13, "cleared")]),
        ([120, 120, 140, 140, 140, 140, 135, 135], [("amber", 12, None, None)]),
    ],
)
def test_average(values: list[float], expected: list[tuple[Any, ...]]) -> None:
    found = brief(evaluate([AVERAGE], pressures(*values)))
    assert found == [("average/systolic", *one) for one in expected]


# Symptoms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "ankles", "expected"),
    [
        ([2, 4], [], []),
        ([2, 5], [], [("amber", 11, None, None)]),
        ([2, 4], [False, True], [("amber", 11, None, None)]),
        ([2, 8, 4], [], [("red", 11, None, None)]),
        ([2, 8, 3], [], [("red", 11, 12, "cleared")]),
        ([4, 3], [True], [("amber", 10, None, None)]),  # the ankles of yesterday are not known to be better
        ([4, 3], [True, False], [("amber", 10, 11, "cleared")]),
    ],
)
def test_symptom(scores: list[float], ankles: list[bool], expected: list[tuple[Any, ...]]) -> None:
    readings = daily("breathlessness", *scores)
    readings += [{"code": "ankle_swelling", "value": one, "at": moment(10 + day)} for day, one in enumerate(ankles)]
    found = brief(evaluate([SYMPTOM], readings))
    assert found == [("symptom/chest", *one) for one in expected]


def test_a_fall() -> None:
    rule = {"kind": "symptom", "codes": ["fall"], "red": 1}
    readings: list[dict[str, Any]] = [
        {"code": "fall", "value": True, "at": moment(10, "03:10")},
        {"code": "fall", "value": False, "at": moment(10, "09:00")},
    ]
    (episode,) = evaluate([rule], readings)
    assert brief([episode]) == [("symptom/fall", "red", 10, 10, "cleared")]
    assert episode["reason"] == "Fall: yes at 03:10 (red)"


# Combinations -------------------------------------------------------------------------------------


def test_combination_of_rules_and_values() -> None:
    """Weight up, breathless, then the pulse too: amber, then red; it ends when fewer than two are left."""
    readings = daily("weight", 78.0, 80.1, 80.2) + daily("breathlessness", 2, 2, 6, 6, 2, time="09:00")
    readings += daily("pulse", 80, 80, 80, 130, 80, time="10:00")
    found = evaluate([COMBINATION, CHANGE, PULSE], readings)
    (fluid,) = (one for one in found if one["rule"] == "combination/fluid")
    assert brief([fluid]) == [("combination/fluid", "red", 12, 14, "cleared")]
    assert [(one["met"], one.get("rule")) for one in fluid["evidence"]["inputs"]] == [
        (True, "change/weight"),
        (True, "threshold/pulse/high"),
        (True, None),
    ]
    assert fluid["reason"].startswith("Fluid: 3 of 3 conditions, 3 needed: change of weight open;")


def test_rules_that_are_judged_at_the_same_moment_count() -> None:
    """A combination looks after the others have: weight and breathlessness come in one set."""
    readings = daily("weight", 78.0, 80.1, 80.2) + daily("breathlessness", 2, 2, 6)
    found = evaluate([COMBINATION, CHANGE, PULSE], readings)
    assert ("combination/fluid", "amber", 12, None, None) in brief(found)


def test_a_rule_that_time_alone_opens_counts_at_once() -> None:
    """An amber pulse that is not repeated opens its alert after half an hour, and the combination with it."""
    entry = {**COMBINATION, "conditions": [{"rule": "threshold/pulse/high"}, COMBINATION["conditions"][2]], "red": None}
    readings = daily("breathlessness", 7) + daily("pulse", 110)
    found = evaluate([entry, PULSE], readings)
    assert [(one["rule"], one["started_at"][11:16]) for one in found] == [
        ("combination/fluid", "08:30"),
        ("threshold/pulse/high", "08:30"),
    ]


def test_a_combination_of_what_is_never_sent_stays_quiet() -> None:
    assert evaluate([COMBINATION, CHANGE, PULSE], daily("breathlessness", 9, 9, 9)) == []


# Any delivery, any checkpoint ---------------------------------------------------------------------

_SET = rules.RuleSet.from_json(
    {"pathway": "x", "version": "1", "rules": [COMBINATION, CHANGE, DISTANCE, AVERAGE, SYMPTOM, NIGHT]}
)
_HOUR = 3_600_000_000
_START = 1_792_800_000_000_000 // (24 * _HOUR) * 24 * _HOUR  # a Saturday before the clocks go back
_VALUES: dict[str, st.SearchStrategy[float]] = {
    "weight": st.sampled_from([78.0, 78.5, 80.1, 80.5, 81.5, 83.0]),
    "peak_flow": st.sampled_from([150.0, 199.0, 319.0, 320.0, 341.0, 400.0]),
    "systolic": st.sampled_from([120.0, 134.0, 136.0, 150.0]),
    "breathlessness": st.sampled_from([0.0, 3.0, 5.0, 8.0]),
    "ankle_swelling": st.sampled_from([0.0, 1.0]),
    "pulse": st.sampled_from([70.0, 110.0, 125.0]),
}


@st.composite
def _readings(draw: st.DrawFn) -> list[timeline.Reading]:
    found = []
    for identity in range(draw(st.integers(0, 60))):
        code = draw(st.sampled_from(sorted(_VALUES)))
        failed = draw(st.integers(0, 9)) == 0
        found.append(
            timeline.Reading(
                1,
                _START + draw(st.integers(0, 40)) * 6 * _HOUR,
                code,
                None if failed else draw(_VALUES[code]),
                identity=identity,
                flags=draw(st.sampled_from([(), (), (), (), ("motion",)])),
            )
        )
    return found


def _fold(readings: list[timeline.Reading], now: int, state: engine.State | None = None) -> engine.Result:
    spells = [engine.Spell(_START + 12 * _HOUR, None, schedule.parse({}, "Europe/London"))]
    pauses = [(_START + 120 * _HOUR, _START + 130 * _HOUR)]
    subject = engine.Subject(1, [(0, _SET)], spells, pauses, "Europe/London", state)
    (result,) = engine.fold([subject], timeline.from_readings(readings), now)
    return result


@settings(max_examples=80, deadline=None, derandomize=True)
@given(_readings(), st.lists(st.integers(0, 260), max_size=4), st.integers(0, 2**30))
def test_the_same_episodes_whatever_the_delivery(readings: list[timeline.Reading], stops: list[int], seed: int) -> None:
    """Shuffled and doubled; in pieces with the state through JSON; and from every daily checkpoint."""
    now = _START + 260 * _HOUR
    whole = _fold(readings, now)
    shuffled = readings + readings[::3]
    random.Random(seed).shuffle(shuffled)
    assert _fold(shuffled, now) == whole
    state, after = None, -(2**62)
    found: dict[Any, engine.Episode] = {}
    for stop in [*(_START + hours * _HOUR for hours in sorted(stops)), now]:
        result = _fold([one for one in readings if after < one.at <= stop], stop, state)
        found |= {episode.key: episode for episode in result.episodes}
        state, after = engine.State.from_json(json.loads(json.dumps(result.state.to_json()))), result.state.through
    assert {key: one.to_json() for key, one in found.items()} == {one.key: one.to_json() for one in whole.episodes}
    for checkpoint in whole.daily:
        again = _fold(readings, now, checkpoint)
        later = [one for one in whole.episodes if one.ended_at is None or one.ended_at > checkpoint.through]
        assert [one.to_json() for one in again.episodes] == [one.to_json() for one in later]
