"""Rule sets, pathways and schedules: what is accepted, and that every number says where it comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alerts import errors, news2, pathways, reasons, rules, scenario, schedule

SPO2: dict[str, Any] = {"kind": "threshold", "code": "spo2", "red_low": 88, "amber_low": 92, "hysteresis": 1}


def rule_set(*entries: Any) -> rules.RuleSet:
    return rules.RuleSet.from_json({"pathway": "test", "version": "1", "rules": list(entries)})


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({**SPO2, "red_low": 93}, "rules[0].red_low"),
        ({**SPO2, "amber_high": 99, "red_high": 98}, "rules[0].red_high"),
        ({**SPO2, "amber_high": 92}, "rules[0]"),
        ({**SPO2, "amber_high": 93, "hysteresis": 2}, "rules[0].hysteresis"),
        ({**SPO2, "red_low": None, "amber_low": None}, "rules[0]"),
        ({**SPO2, "red_low": "88"}, "rules[0].red_low"),
        ({**SPO2, "red_low": True}, "rules[0].red_low"),
        ({**SPO2, "red_low": float("nan")}, "rules[0].red_low"),
        ({**SPO2, "redlow": 80}, "rules[0]"),
        ({**SPO2, "unit": "1"}, "rules[0].unit"),
        ({**SPO2, "code": "mood"}, "rules[0].code"),
        ({**SPO2, "sampling": "often"}, "rules[0].sampling"),
        ({**SPO2, "persistence_seconds": 301}, "rules[0].persistence_seconds"),
        ({**SPO2, "priority": {"red": "urgent"}}, "rules[0].priority.red"),
        ({"kind": "news2"}, "rules[0].scale"),
        ({"kind": "news2", "scale": True}, "rules[0].scale"),
        ({"kind": "news2", "scale": 1, "max_age_seconds": {"weight": 60}}, "rules[0].max_age_seconds"),
        ({"kind": "silence", "code": "spo2", "grace_seconds": 0}, "rules[0].grace_seconds"),
        ({"kind": "trend"}, "rules[0].kind"),
        ("spo2", "rules[0]"),
    ],
)
def test_refused_with_the_field_named(entry: Any, field: str) -> None:
    with pytest.raises(errors.RuleError) as caught:
        rule_set(entry)
    assert caught.value.field == field


def test_one_rule_of_a_kind_per_code() -> None:
    with pytest.raises(errors.RuleError, match="already"):
        rule_set(SPO2, SPO2)


def test_red_of_a_value_without_time() -> None:
    """The same strict limits, after rounding; amber is not red."""
    limits = rule_set(SPO2)
    assert limits.red("spo2", 87.4) == ("low", "SpO2 87 %, below 88 % (red)")
    assert limits.red("spo2", 88) is None
    assert limits.red("spo2", float("nan")) is None
    assert limits.red("pulse", 10) is None


@pytest.mark.parametrize(
    ("code", "value", "side"),
    [("spo2", 91, "low"), ("spo2", 92, None), ("pulse", 131, "high"), ("pulse", 40, "low"), ("resp_rate", 25, "high"),
     ("systolic", 220, "high"), ("temperature", 35.04, "low"), ("temperature", 41, "high"),
     ("consciousness", 0, None), ("consciousness", 1, "high"),
     ("consciousness", 2, "high"), ("consciousness", 3, "high"), ("consciousness", 4, "high"),
     ("glucose", 2.9, "low"), ("glucose", 3.0, None), ("glucose", 20.1, "high"), ("weight", 500, None)],
)  # fmt: skip
def test_what_is_red_in_anybody(code: str, value: float, side: str | None) -> None:
    found = pathways.unassigned().red(code, value)
    assert (found and found[0]) == side


def test_consciousness_is_told_in_words() -> None:
    """A letter has no above and no below."""
    assert pathways.unassigned().red("consciousness", 2) == ("high", "Consciousness V, not alert (red)")


@pytest.mark.parametrize("name", pathways.names())
@pytest.mark.parametrize("scale", [1, 2])
def test_pathways(name: str, scale: Any) -> None:
    """Every pathway compiles for both scales, survives JSON, and its usual schedule is one."""
    pathway = pathways.load(name)
    compiled = pathways.compile(pathway, spo2_scale=scale)
    assert rules.RuleSet.from_json(json.loads(json.dumps(compiled.to_json()))) == compiled
    assert compiled.news2 is None or compiled.news2.scale == scale
    assert schedule.parse(pathway.schedule, "Europe/London").expected or not compiled.silences
    assert set(compiled.silences) <= set(pathway.schedule)
    assert pathways.load(name, pathway.version) == pathway


def test_overrides() -> None:
    """Personal limits replace the pathway's, say so, and can leave a rule out."""
    pathway = pathways.load("copd")
    compiled = pathways.compile(pathway, {"threshold/spo2": {"red_low": 85, "amber_low": 88}, "silence/pulse": None}, 2)
    spo2 = compiled.threshold("spo2")
    assert spo2 is not None
    assert (spo2.red_low, spo2.amber_low, spo2.source) == (85, 88, "personal limits of this resident")
    assert "pulse" not in compiled.silences
    with pytest.raises(errors.RuleError, match="above amber_low"):
        pathways.compile(pathway, {"threshold/spo2": {"red_low": 95}})


@pytest.mark.parametrize(("name", "version"), [("measles", None), ("copd", "99"), ("../copd", None)])
def test_unknown_pathway(name: str, version: str | None) -> None:
    with pytest.raises(errors.RuleError):
        pathways.load(name, version)


def due_times(zone: str, after: str, count: int) -> list[str]:
    plan = schedule.parse({"spo2": {"times": ["01:30", "12:00"], "grace_minutes": 30}}, zone)
    graces = (("spo2", 7200),)
    found = []
    deadline = plan.after(scenario.moment(after, "after"), graces)
    for _ in range(count):
        assert deadline is not None
        assert deadline.at == deadline.due + 30 * 60_000_000
        found.append(reasons.instant(deadline.due)[:16])
        deadline = plan.following(deadline, graces)
    return found


def test_due_times_are_local_across_clock_changes() -> None:
    """A doubled hour is due once, the first time; a skipped one an hour later on the clock."""
    assert due_times("Europe/London", "2026-10-24T20:00:00Z", 4) == [
        "2026-10-25T00:30", "2026-10-25T12:00", "2026-10-26T01:30", "2026-10-26T12:00",
    ]  # fmt: skip
    assert due_times("Europe/London", "2026-03-28T20:00:00Z", 3) == [
        "2026-03-29T01:30", "2026-03-29T11:00", "2026-03-30T00:30",
    ]  # fmt: skip
    assert due_times("Pacific/Kiritimati", "2026-11-20T20:00:00Z", 2) == ["2026-11-20T22:00", "2026-11-21T11:30"]


@pytest.mark.parametrize(
    "document",
    [{"mood": {"times": ["08:00"]}}, {"spo2": {"times": ["8:00"]}}, {"spo2": {"times": []}},
     {"spo2": {"times": ["24:00"]}},
     {"spo2": {"times": ["08:00"], "grace": 5}}, {"spo2": ["08:00"]}],
)  # fmt: skip
def test_schedules_refused(document: Any) -> None:
    with pytest.raises(errors.RuleError):
        schedule.parse(document, "Europe/London")
    with pytest.raises(errors.RuleError):
        schedule.parse({}, "Europe/Nowhere")


def test_default_ages_are_those_of_the_pathways() -> None:
    compiled = pathways.compile(pathways.load("copd")).news2
    assert compiled is not None
    assert compiled.max_age_seconds == news2.DEFAULT_MAX_AGE_SECONDS
