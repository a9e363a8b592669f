"""One finding, one alert: what a threshold tells as red is not told by NEWS2 as a single 3 again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import engine, rules, timeline
from tests.unit.alerts import worlds
from tests.unit.alerts.worlds import MINUTE, START

NEWS2 = {"kind": "news2", "scale": 1}
SPO2 = {"kind": "threshold", "code": "spo2", "red_low": 92, "amber_low": 94, "hysteresis": 1}
SYSTOLIC = {"kind": "threshold", "code": "systolic", "red_high": 179}


def rule_set(*entries: Any) -> rules.RuleSet:
    return rules.RuleSet.from_json({"pathway": "test", "version": "1", "rules": list(entries)})


def readings(minute: int, **values: float) -> list[timeline.Reading]:
    return [
        timeline.Reading(7, START + minute * MINUTE, code, value, None, minute * 100 + position)
        for position, (code, value) in enumerate(values.items())
    ]


def told(
    given: list[timeline.Reading], *versions: tuple[int, rules.RuleSet], step: bool = False
) -> list[tuple[str, str, bool]]:
    """(rule, level, still open) of every episode, folded at once; with step: from a checkpoint after every moment."""
    state: engine.State | None = None
    moments = sorted({reading.at for reading in given}) if step else []
    found: dict[tuple[str, int], engine.Episode] = {}
    for now in [*moments, START + 600 * MINUTE]:
        subject = engine.Subject(
            7,
            [(START + minute * MINUTE, rule_set) for minute, rule_set in versions],
            [engine.Spell(START, None, worlds.SCHEDULE)],
            [],
            "Europe/London",
            state,
        )
        (result,) = engine.fold([subject], timeline.from_readings([r for r in given if r.at <= now]), now)
        state = engine.State.from_json(result.state.to_json())
        found |= {(episode.rule, episode.started_at): episode for episode in result.episodes}
    return [(e.rule, e.level, e.ended_at is None) for _, e in sorted(found.items(), key=lambda item: item[0][::-1])]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"spo2": 90}, [("threshold/spo2/low", "red", True)]),
        ({"spo2": 91.4}, [("threshold/spo2/low", "red", True)]),
        ({"consciousness": 1}, [("news2", "low-medium", True)]),
        ({"spo2": 90, "consciousness": 1}, [("news2", "medium", True), ("threshold/spo2/low", "red", True)]),
        ({"systolic": 225}, [("threshold/systolic/high", "red", True)]),
        ({"systolic": 85}, [("news2", "low-medium", True)]),
        ({"resp_rate": 26}, [("news2", "low-medium", True)]),
        ({"spo2": 90, "pulse": 115}, [("news2", "medium", True), ("threshold/spo2/low", "red", True)]),
        ({"spo2": 90, "pulse": 95}, [("threshold/spo2/low", "red", True)]),
    ],
)
@pytest.mark.parametrize("step", [False, True])
def test_a_single_3_alerts_unless_its_threshold_is_red(
    values: dict[str, float], expected: list[tuple[str, str, bool]], step: bool
) -> None:
    """Also while the value is carried to later scores; sums count it all the same."""
    given = readings(60, **values) + readings(90, temperature=37.0)
    assert told(given, (0, rule_set(SPO2, SYSTOLIC, NEWS2)), step=step) == expected


@pytest.mark.parametrize("step", [False, True])
def test_an_amber_value_that_scores_3_alerts_as_news2(step: bool) -> None:
    """Personal limits below the chart's: 90 % is amber, waits for its repeat, and is told by NEWS2 at once."""
    personal = rule_set({**SPO2, "red_low": 88}, NEWS2)
    assert told(readings(60, spo2=90), (0, personal), step=step)[0] == ("news2", "low-medium", True)


@pytest.mark.parametrize("step", [False, True])
def test_news2_ends_when_only_what_is_told_already_is_left(step: bool) -> None:
    """Confusion is over, the saturation is still red: its own alert stays."""
    given = readings(60, consciousness=1, spo2=97) + readings(90, consciousness=0, spo2=90)
    assert told(given, (0, rule_set(SPO2, NEWS2)), step=step) == [
        ("news2", "low-medium", False),
        ("threshold/spo2/low", "red", True),
    ]


@pytest.mark.parametrize("step", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (rule_set(NEWS2), rule_set(SPO2, NEWS2)),
        (rule_set({**SPO2, "red_low": 88}, NEWS2), rule_set(SPO2, NEWS2)),
        (rule_set(SPO2, NEWS2), rule_set({**SPO2, "red_low": 88}, NEWS2)),
        (rule_set(SPO2, NEWS2), rule_set(NEWS2)),
    ],
)
def test_changed_limits_hide_nothing(before: rules.RuleSet, after: rules.RuleSet, step: bool) -> None:
    """New limits judge from the next reading on: until then no threshold has told of the value carried."""
    given = readings(60, spo2=90) + readings(120, temperature=37.0)
    assert ("news2", "low-medium", True) in told(given, (0, before), (90, after), step=step)


@settings(max_examples=60, deadline=None)
@given(worlds.worlds(), st.sampled_from([worlds.SPOT, worlds.CONTINUOUS, worlds.COPD]))
def test_no_single_3_that_is_all_red(world: worlds.World, chosen: rules.RuleSet) -> None:
    """Under one version, an episode of a single 3 names one that no threshold calls red."""
    same = worlds.World(world.readings, [(START - worlds.DAY, chosen)], world.spells, world.pauses, world.now)
    for episode in same.fold(same.readings, same.now).episodes:
        if episode.rule == "news2" and episode.level == "low-medium":
            threes = [entry for entry in episode.evidence["inputs"] if entry["points"] == 3]
            assert any(chosen.red(entry["code"], entry["value"]) is None for entry in threes)
