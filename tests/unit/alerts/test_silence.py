"""Due, late, missing: when each begins and ends, and how it stands for a screen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alerts import errors, expected, rules, scenario, schedule, single

DAY = "2026-11-18T"


def rule(**more: Any) -> dict[str, Any]:
    return {"kind": "silence", "code": "spo2", "grace_seconds": 7200, "priority": "medium", **more}


def told(
    *readings: str, now: str, since: str = "07:00", times: tuple[str, ...] = ("08:00",), **more: Any
) -> list[dict[str, Any]]:
    """Episodes of a resident whose saturation is due, measured at those times of the day."""
    plan: dict[str, Any] = {"times": list(times)}
    if "grace_minutes" in more:
        plan["grace_minutes"] = more.pop("grace_minutes")
    document = {
        "zone": "Europe/London",
        "rules": [{"rules": [rule(**more)]}],
        "spells": [{"from": f"{DAY}{since}:00Z"}],
        "schedule": {"spo2": plan},
        "readings": [{"code": "spo2", "value": 96, "at": f"{DAY}{at}Z"} for at in readings],
        "now": f"{DAY}{now}:00Z",
    }
    found: list[dict[str, Any]] = scenario.evaluate(json.dumps(document))["episodes"]
    return found


@pytest.mark.parametrize(
    ("now", "level", "priority"),
    [("08:29", None, None), ("08:30", "late", "low"), ("09:59", "late", "low"), ("10:00", "missing", "medium")],
)
def test_late_then_missing(now: str, level: str | None, priority: str | None) -> None:
    """One episode: it begins when the measure is late, and is worse from when it is missing."""
    episodes = told(now=now, late_seconds=1800)
    assert [(e["level"], e["priority"]) for e in episodes] == ([] if level is None else [(level, priority)])
    if level is not None:
        [episode] = episodes
        assert episode["started_at"] == f"{DAY}08:30:00.000Z"
        assert episode["peak_value"] == 1
        by = "08:30" if level == "late" else "10:00"
        assert episode["reason"].startswith(f"No SpO2 reading by {by}, due at 08:00")


def test_without_a_late_time_only_missing_is_told() -> None:
    """As before there was one."""
    assert told(now="09:59") == []
    [episode] = told(now="10:00")
    assert (episode["level"], episode["started_at"]) == ("missing", f"{DAY}10:00:00.000Z")
    assert "late_seconds" not in episode["evidence"]["rule"]


@pytest.mark.parametrize(
    ("reading", "expected_levels"),
    [("08:29:59.999", []), ("08:30:00", []), ("08:30:00.001", ["late"]), ("10:00:00", ["late"])],
)
def test_a_reading_ends_it(reading: str, expected_levels: list[str]) -> None:
    """One that is taken at the last moment counts."""
    episodes = told(reading, now="11:00", late_seconds=1800)
    assert [e["level"] for e in episodes] == expected_levels
    assert all(e["ending"] == "cleared" for e in episodes)


def test_two_due_times_missed_are_one_episode() -> None:
    """Each counts once, however many steps it took."""
    [episode] = told(now="21:00", times=("08:00", "12:00", "16:00"), late_seconds=1800)
    assert (episode["level"], episode["peak_value"], episode["evidence"]["missed"]) == ("missing", 3, 3)


def test_a_grace_of_the_schedule_that_is_shorter_than_late() -> None:
    """It is missing at once, and was never late."""
    [episode] = told(now="09:00", grace_minutes=20, late_seconds=1800)
    assert (episode["level"], episode["started_at"]) == ("missing", f"{DAY}08:20:00.000Z")


def test_from_the_first_due_time_after_admission() -> None:
    """What was due before somebody came is not asked for; what was never scheduled neither."""
    assert told(now="23:00", since="08:01", late_seconds=60) == []
    assert told(now="23:00", times=("08:00",), since="08:00", late_seconds=60)[0]["level"] == "missing"


@pytest.mark.parametrize("late", [7200, 9000, -1, "soon"])
def test_a_late_time_that_makes_no_sense(late: Any) -> None:
    with pytest.raises(errors.RuleError, match="late_seconds"):
        told(now="09:00", late_seconds=late)


@pytest.mark.parametrize(
    ("now", "last", "state"),
    [
        ("07:59", None, "later"),
        ("08:00", None, "due"),
        ("08:30", None, "due"),
        ("08:31", None, "late"),
        ("09:59", None, "late"),
        ("10:00", None, "missing"),
        ("10:00", "08:00", "done"),
        ("10:00", "01:00", "missing"),
    ],
)
def test_how_it_stands(now: str, last: str | None, state: str) -> None:
    """Later, done, due, late, missing, as the rule and the schedule say."""
    rule_set = rules.RuleSet.from_json({"pathway": "p", "version": "1", "rules": [rule(late_seconds=1800)]})
    plan = schedule.parse({"spo2": {"times": ["08:00"], "early_minutes": 240}}, "Europe/London")

    def at(clock: str) -> int:
        return scenario.moment(f"{DAY}{clock}:00Z", "at")

    seen = {} if last is None else {"spo2": at(last)}
    [standing] = expected.standings(plan, rule_set, seen, at("07:00"), at(now))
    assert (standing.state, standing.due) == (state, at("08:00"))
    assert (standing.missing_at == at("10:00")) == (state in ("due", "late"))
    assert standing.next_due == at("08:00") + (0 if state == "later" else schedule.DAY_US)


@pytest.mark.parametrize(
    ("now", "last", "state", "due"),
    [
        ("07:00", None, "later", "08:00"),
        ("08:10", None, "due", "08:00"),
        ("08:31", None, "late", "08:00"),
        ("10:30", None, "missing", "08:00"),
        ("10:30", "07:30", "later", "20:00"),
        ("21:30", "07:30", "late", "20:00"),
    ],
)
def test_what_is_awaited(now: str, last: str | None, state: str, due: str) -> None:
    """With the times at which it will be late and missing: what did not come, else what is due next."""
    silence = single.silence({"kind": "silence", "code": "spo2", "grace_seconds": 7200, "late_seconds": 1800}, "rule")
    plan = schedule.parse({"spo2": {"times": ["08:00", "20:00"], "early_minutes": 60}}, "Europe/London")

    def at(clock: str) -> int:
        return scenario.moment(f"{DAY}{clock}:00Z", "at")

    seen = {} if last is None else {"spo2": at(last)}
    [awaited] = expected.awaited(plan, {"spo2": silence}, seen, at("07:00"), at(now))
    assert awaited == ("spo2", state, at(due), at(due) + 30 * 60_000_000, at(due) + 120 * 60_000_000)


def after_a_pause(*readings: str, until: str = "07:30", now: str = "20:00") -> list[tuple[str, str]]:
    """(since, level) of a resident whose saturation is due at 08:00 and 14:00, and who was away until then."""
    document = {
        "zone": "Europe/London",
        "rules": [{"rules": [rule()]}],
        "spells": [{"from": "2026-11-10T09:00:00Z"}],
        "pauses": [{"from": "2026-11-12T09:00:00Z", "to": f"{DAY}{until}:00Z"}],
        "schedule": {"spo2": {"times": ["08:00", "14:00"], "early_minutes": 120}},
        "readings": [
            {"code": "spo2", "value": 96, "at": at}
            for at in ("2026-11-10T09:30:00Z", "2026-11-11T08:00:00Z", "2026-11-11T14:00:00Z", "2026-11-12T08:00:00Z")
        ]
        + [{"code": "spo2", "value": 96, "at": f"{DAY}{at}Z"} for at in readings],
        "now": f"{DAY}{now}:00Z",
    }
    found = scenario.evaluate(json.dumps(document))["episodes"]
    return [(e["started_at"][11:16], e["level"]) for e in found if e["started_at"] >= DAY]


def test_measured_in_a_pause_for_what_is_due_after_it() -> None:
    """Within the time that counts for a due time it meets it, though monitoring was paused; a value alerts nobody."""
    assert after_a_pause("07:00", "13:30") == []
    assert after_a_pause("05:59", "13:30") == [("10:00", "missing")]
    assert after_a_pause("13:30") == [("10:00", "missing")]
    assert after_a_pause("07:00") == [("16:00", "missing")]
    assert after_a_pause("07:00", until="08:01") == [("16:00", "missing")]  # what was due in it is not asked for


@pytest.mark.parametrize(("measured", "missing"), [("06:10", []), ("06:35", []), ("05:55", ["10:00"])])
def test_measured_before_a_short_pause_for_what_is_due_after_it(measured: str, missing: list[str]) -> None:
    """In a pause before it, or between the two: what counts for a due time does, whatever lies between."""
    document = {
        "zone": "Europe/London",
        "rules": [{"rules": [rule()]}],
        "spells": [{"from": "2026-11-10T09:00:00Z"}],
        "pauses": [
            {"from": "2026-11-12T09:00:00Z", "to": f"{DAY}06:30:00Z"},
            {"from": f"{DAY}06:40:00Z", "to": f"{DAY}07:50:00Z"},
        ],
        "schedule": {"spo2": {"times": ["08:00"], "early_minutes": 120}},
        "readings": [{"code": "spo2", "value": 96, "at": f"{DAY}{measured}:00Z"}],
        "now": f"{DAY}11:00:00Z",
    }
    found = scenario.evaluate(json.dumps(document))["episodes"]
    assert [e["started_at"][11:16] for e in found if e["started_at"] >= DAY] == missing


def test_a_rule_may_call_nobody_for_a_while() -> None:
    [episode] = told(now="10:00", auto=True, calls_after_hours=24)
    assert (episode["evidence"]["rule"]["auto"], episode["evidence"]["rule"]["calls_after_hours"]) == (True, 24)
    with pytest.raises(errors.RuleError, match="needs auto"):
        single.silence(rule(calls_after_hours=24), "rules[0]")
