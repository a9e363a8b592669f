"""Pauses and stays that overlap in any way: when rules are silent, what is history, which days are left out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from alerts import engine, rules, schedule, timeline

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
T0 = 1_767_225_600_000_000  # 1 January 2026, UTC
LOW = {"kind": "threshold", "code": "spo2", "red_low": 85}
SILENT = {"kind": "silence", "code": "spo2", "grace_seconds": 600}
WEIGHT = {"kind": "change", "code": "weight", "direction": "rise", "window_hours": 72, "confirm": 1, "amber": 2}
DUE = schedule.parse({"spo2": {"times": ["08:00"]}}, "UTC")


def fold(
    listed: list[dict[str, Any]],
    readings: list[tuple[int, str, float]],
    spells: Sequence[tuple[int, int | None]],
    pauses: Sequence[tuple[int, int | None]],
    now: int,
) -> engine.Result:
    rule_set = rules.RuleSet.from_json({"pathway": "test", "version": "1", "rules": listed})
    subject = engine.Subject(
        1, [(T0 - DAY, rule_set)], [engine.Spell(start, stop, DUE) for start, stop in spells], pauses, "UTC"
    )
    rows = timeline.from_readings(
        timeline.Reading(1, at, code, value, None, number) for number, (at, code, value) in enumerate(readings)
    )
    (whole,) = engine.fold([subject], rows, now)
    return whole


def told(result: engine.Result) -> list[tuple[str, int, str | None]]:
    return [(episode.rule, episode.started_at - T0, episode.ending) for episode in result.episodes]


ADMITTED, BACK = T0 + DAY, T0 + 3 * DAY
STAYS = [
    ([(ADMITTED, None)], [(ADMITTED - DAY, BACK)]),  # begun before admission
    ([(ADMITTED, ADMITTED + HOUR), (BACK - DAY, None)], [(ADMITTED - HOUR, BACK)]),  # over discharge and readmission
    ([(ADMITTED, None)], [(ADMITTED - DAY, BACK - DAY), (BACK - DAY, BACK)]),  # one follows the other
    ([(ADMITTED, BACK - HOUR), (BACK - HOUR, None)], [(ADMITTED, BACK)]),  # from one ward to the next meanwhile
]


@pytest.mark.parametrize(("spells", "pauses"), STAYS)
def test_no_rule_while_paused(spells: list[tuple[int, int | None]], pauses: list[tuple[int, int | None]]) -> None:
    """Nothing alerts, nothing is due, and nothing is history until the pause is over; then all of it is again."""
    readings = [
        (BACK - 30 * HOUR, "weight", 75.0),  # nobody compares with it
        (BACK - 2 * HOUR, "spo2", 80.0),
        (BACK + HOUR, "weight", 78.0),
        (BACK + 2 * HOUR, "spo2", 80.0),
    ]
    result = fold([LOW, SILENT, WEIGHT], readings, spells, pauses, BACK + 36 * HOUR)
    assert told(result) == [
        ("threshold/spo2/low", BACK - T0 + 2 * HOUR, None),
        ("silence/spo2", BACK - T0 + 32 * HOUR + 10 * MINUTE, None),
    ]
    assert [sample.value for sample in result.state.pages["weight"].samples] == [78.0]


def test_what_is_due_waits_for_the_first_time_after_a_pause() -> None:
    """What was due before or in it is not missed; nor is it when a pause begins within the grace."""
    pauses = [(ADMITTED + 8 * HOUR + 5 * MINUTE, ADMITTED + 33 * HOUR)]
    result = fold([SILENT], [], [(ADMITTED, None)], pauses, ADMITTED + 57 * HOUR)
    assert told(result) == [("silence/spo2", ADMITTED - T0 + 56 * HOUR + 10 * MINUTE, None)]


def test_a_pause_over_the_end_of_a_stay_has_ended_what_was_open() -> None:
    result = fold(
        [LOW],
        [(ADMITTED + HOUR, "spo2", 80.0)],
        [(ADMITTED, ADMITTED + 4 * HOUR), (BACK, None)],
        [(ADMITTED + 2 * HOUR, BACK + HOUR)],
        BACK + DAY,
    )
    assert told(result) == [("threshold/spo2/low", DAY + HOUR, "paused")]
    assert result.episodes[0].ended_at == ADMITTED + 2 * HOUR


def test_an_empty_pause_is_none() -> None:
    result = fold([LOW], [(ADMITTED + HOUR, "spo2", 80.0)], [(ADMITTED, None)], [(BACK, BACK), (T0, T0)], BACK + DAY)
    assert told(result) == [("threshold/spo2/low", DAY + HOUR, None)]


def test_history_goes_on_from_stay_to_stay() -> None:
    """Within its window a rule compares with what was measured at home between stays and in the stay before."""
    stays = [(ADMITTED, ADMITTED + 2 * DAY), (ADMITTED + 2 * DAY + HOUR, None)]
    readings = [(ADMITTED + DAY, "weight", 75.0), (ADMITTED + 3 * DAY, "weight", 78.0)]
    result = fold([WEIGHT], readings, stays, [], ADMITTED + 4 * DAY)
    assert told(result) == [("change/weight", 4 * DAY, None)]


@pytest.mark.parametrize(
    ("spells", "pauses"),
    [
        ([(T0, T0 + DAY + 12 * HOUR), (T0 + DAY + 13 * HOUR, None)], []),
        ([(T0, T0 + DAY + 12 * HOUR)], []),
        ([(T0, None)], [(T0 + DAY + 12 * HOUR, T0 + DAY + 13 * HOUR)]),
    ],
    ids=["readmitted", "discharged", "paused"],
)
def test_the_day_on_which_an_alert_was_ended_is_left_out(
    spells: list[tuple[int, int | None]], pauses: list[tuple[int, int | None]]
) -> None:
    """Of a baseline: also what is measured later on that day, as where a reading ended it. The next day counts."""
    listed = [LOW, {"kind": "baseline", "code": "spo2", "direction": "fall", "floor": 1, "amber": 20}]
    readings = [(T0 + hours * HOUR, "spo2", value) for hours, value in ((20, 80.0), (40, 96.0), (42, 97.0), (50, 95.0))]
    result = fold(listed, readings, spells, pauses, T0 + 3 * DAY)
    page = result.state.pages["spo2"]
    assert [(day.readings, day.excluded) for day in page.whole] == [(1, True), (2, True), (1, False)]


def test_at_midnight_the_day_before_is_left_out() -> None:
    listed = [LOW, {"kind": "baseline", "code": "spo2", "direction": "fall", "floor": 1, "amber": 20}]
    readings = [(T0 + hours * HOUR, "spo2", value) for hours, value in ((20, 80.0), (40, 96.0))]
    result = fold(listed, readings, [(T0, T0 + DAY)], [], T0 + 3 * DAY)
    assert [day.excluded for day in result.state.pages["spo2"].whole] == [True, False]
