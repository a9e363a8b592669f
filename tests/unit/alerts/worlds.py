"""Small worlds of one resident for property tests: readings, versions, stays and pauses on a coarse grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from alerts import engine, pathways, rules, schedule, timeline

MINUTE = 60_000_000
DAY = 1440 * MINUTE
#: A Saturday before the clocks go back in the United Kingdom.
START = 1_792_800_000_000_000 // DAY * DAY
LENGTH = 3 * DAY

_LIMITS = {
    "kind": "threshold",
    "red_low": 88,
    "amber_low": 92,
    "amber_high": 97,
    "red_high": 99,
    "hysteresis": 1,
}
SCHEDULE = schedule.parse(
    {"spo2": {"times": ["08:00", "20:00"], "grace_minutes": 60}, "pulse": {"times": ["09:00"]}}, "Europe/London"
)
SPOT = rules.RuleSet.from_json(
    {
        "pathway": "world",
        "version": "1",
        "rules": [
            {**_LIMITS, "code": "spo2"},
            {"kind": "news2", "scale": 2, "max_age_seconds": {"spo2": 7200}},
            {"kind": "silence", "code": "spo2", "grace_seconds": 600, "late_seconds": 120},
            {"kind": "silence", "code": "pulse", "grace_seconds": 600},
        ],
    }
)
CONTINUOUS = rules.RuleSet.from_json(
    {
        "pathway": "world",
        "version": "2",
        "rules": [
            {**_LIMITS, "code": "spo2", "amber_high": None, "red_high": None, "sampling": "continuous"},
            {"kind": "threshold", "code": "pulse", "red_high": 120, "hysteresis": 5, "sampling": "continuous"},
            {"kind": "news2", "scale": 1},
            {"kind": "silence", "code": "spo2", "grace_seconds": 600},
        ],
    }
)
BARE = rules.RuleSet.from_json({"pathway": "world", "version": "3", "rules": [{"kind": "news2", "scale": 1}]})
#: No NEWS2: what is measured under it still counts when a later version has it.
PLAIN = rules.RuleSet.from_json(
    {"pathway": "world", "version": "4", "rules": [{"kind": "threshold", "code": "spo2", "red_low": 85}]}
)
COPD = pathways.compile(pathways.load("copd"), spo2_scale=2)
#: One of each kind of assessment, with limits that are crossed often.
HISTORIES = rules.RuleSet.from_json(
    {
        "pathway": "world",
        "version": "5",
        "rules": [
            {"kind": "threshold", "code": "spo2", "red_low": 85},
            {"kind": "change", "code": "spo2", "direction": "fall", "window_hours": 24, "amber": 3, "red": 8},
            {"kind": "distance", "code": "spo2", "direction": "below", "reference": 95, "amber": 4, "hysteresis": 1},
            {"kind": "average", "code": "pulse", "direction": "above", "window_days": 3, "min_days": 1}
            | {"min_readings": 2, "drop_first_day": True, "amber": 100},
            {"kind": "symptom", "codes": ["breathlessness"], "amber": 3, "red": 6},
            {
                "kind": "combination",
                "name": "both",
                "amber": 2,
                "conditions": [
                    {"code": "pulse", "above": 110, "max_age_hours": 12, "label": "fast pulse"},
                    {"rule": "change/spo2", "level": "amber", "label": "SpO2 falling"},
                    {"code": "breathlessness", "above": 2, "max_age_hours": 12, "label": "breathless"},
                ],
            },
            {"kind": "slope", "code": "weight", "direction": "rise", "window_days": 14, "amber": 1, "p": 0.2},
            {"kind": "crossover", "code": "weight", "direction": "rise", "fast_days": 2, "slow_days": 7, "amber": 0.5}
            | {"min_points": 5, "min_span_days": 5},
            {"kind": "cusum", "code": "weight", "direction": "rise", "floor": 0.3, "amber": 2, "min_days": 7},
            {"kind": "baseline", "code": "weight", "direction": "rise", "floor": 0.3, "amber": 2, "min_days": 7},
            {"kind": "baseline", "name": "loss", "code": "weight", "direction": "fall", "floor": 0.3, "amber": 2}
            | {"min_days": 7, "days": 1},
            {"kind": "sustained", "name": "low", "code": "glucose", "side": "low", "limit": 3.9, "level": "amber"},
            {"kind": "sustained", "name": "high", "code": "glucose", "side": "high", "limit": 13.9, "level": "red"},
            {"kind": "in_range", "name": "above", "code": "glucose", "band": "above_10.0", "direction": "above"}
            | {"window_days": 3, "coverage": 0.1, "reading_minutes": 60, "amber": 20},
        ],
    }
)
SETS = (SPOT, CONTINUOUS, BARE, PLAIN, COPD, HISTORIES)


@dataclass(frozen=True)
class World:
    readings: list[timeline.Reading]
    versions: list[tuple[int, rules.RuleSet]]
    spells: list[engine.Spell]
    pauses: list[tuple[int, int | None]]
    now: int

    def subject(self, state: engine.State | None = None) -> engine.Subject:
        return engine.Subject(7, self.versions, self.spells, self.pauses, "Europe/London", state)

    def fold(self, readings: list[timeline.Reading], now: int, state: engine.State | None = None) -> engine.Result:
        (result,) = engine.fold([self.subject(state)], timeline.from_readings(readings), now)
        return result


def _values(code: str) -> st.SearchStrategy[float | None]:
    match code:
        case "spo2":
            return st.sampled_from([80.0, 87.0, 88.0, 90.0, 91.6, 92.0, 93.0, 95.0, 95.0, 96.0, 98.0, 100.0, None])
        case "pulse":
            return st.sampled_from([70.0, 70.0, 116.0, 125.0, 140.0, None])
        case "weight":
            return st.sampled_from([78.0, 78.3, 77.8, 78.6, 79.5, 80.4, 81.0, None])
        case "glucose":
            return st.sampled_from([3.0, 3.5, 3.8, 3.9, 6.0, 10.1, 14.5, None])
        case "breathlessness":
            return st.sampled_from([0.0, 2.0, 3.0, 7.0])
        case "on_oxygen":
            return st.sampled_from([0.0, 1.0])
        case "consciousness":
            return st.sampled_from([0.0, 0.0, 1.0])
        case _:
            return st.sampled_from([12.0, 18.0, 26.0])


@st.composite
def _reading(draw: st.DrawFn) -> timeline.Reading:
    code = draw(st.sampled_from(["spo2", "spo2", "spo2", "pulse", "pulse", "on_oxygen", "consciousness", "resp_rate"]))
    near = draw(st.booleans())
    minutes = st.integers(600, 640) if near else st.integers(-60, LENGTH // MINUTE)
    return timeline.Reading(
        7,
        START + draw(minutes) * MINUTE,
        code,
        draw(_values(code)),
        None,
        draw(st.integers(0, 2**70)),
        draw(st.sampled_from([(), (), (), ("extreme",), ("clock_uncertain",)])),
        draw(st.sampled_from([(), (), (), ("motion",)])),
    )


@st.composite
def _pauses(draw: st.DrawFn, steps: int, minutes: int) -> list[tuple[int, int | None]]:
    """None to two, also before the first stay, across the ends of stays, next to each other, and without an end."""
    count = draw(st.sampled_from([0, 0, 2, 2, 3, 4]))
    bounds = sorted(draw(st.lists(st.integers(-steps // 8, steps), min_size=count, max_size=count, unique=True)))
    moments = [START + step * minutes * MINUTE for step in bounds]
    if count == 3:
        return [(moments[0], moments[1]), (moments[1 + draw(st.integers(0, 1))], None)]
    return [(moments[place], moments[place + 1]) for place in range(0, count, 2)]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    readings = draw(st.lists(_reading(), max_size=40))
    moment = st.integers(0, LENGTH // (30 * MINUTE)).map(lambda step: START + step * 30 * MINUTE)
    versions: list[Any] = [(START - DAY, draw(st.sampled_from(SETS)))]
    versions += draw(st.lists(st.tuples(moment, st.sampled_from(SETS)), max_size=2))
    cuts = sorted(set(draw(st.lists(moment, max_size=3))))
    spells = [engine.Spell(START, None, SCHEDULE)]
    if len(cuts) >= 2 and cuts[0] > START:
        spells = [engine.Spell(START, cuts[0], SCHEDULE), engine.Spell(cuts[1], None, SCHEDULE)]
    pauses = draw(_pauses(LENGTH // (30 * MINUTE), 30))
    return World(readings, versions, spells, pauses, START + LENGTH + draw(st.integers(0, 600)) * MINUTE)


@st.composite
def _series(draw: st.DrawFn, code: str, days: int, minutes: int, size: int) -> list[timeline.Reading]:
    """Readings of a code at one distance from each other, some left out."""
    first = draw(st.integers(0, days * 1440 - size * minutes)) if size * minutes < days * 1440 else 0
    values = draw(st.lists(_values(code), min_size=size, max_size=size))
    left_out = draw(st.sets(st.integers(0, size - 1), max_size=size // 4))
    found = [
        timeline.Reading(7, START + (first + n * minutes) * MINUTE, code, value, None, 1000 * len(code) + n)
        for n, value in enumerate(values)
        if n not in left_out
    ]
    again = draw(st.lists(st.tuples(st.integers(0, len(found) - 1), _values(code)), max_size=3))
    return found + [replace(found[place], value=value) for place, value in again]


@st.composite
def histories(draw: st.DrawFn) -> World:
    """Five weeks of weight, some hours of glucose, symptoms and vitals, under a rule of every kind."""
    days = 35
    readings = draw(_series("weight", days, 1440, days)) + draw(_series("glucose", days, 5, 24))
    readings += draw(_series("glucose", days, 60, 12)) + draw(_series("spo2", days, 600, 12))
    readings += draw(_series("pulse", days, 600, 12)) + draw(_series("breathlessness", days, 1440, 6))
    moment = st.integers(0, days * 24).map(lambda hour: START + hour * 60 * MINUTE)
    versions = [(START - DAY, HISTORIES)]
    if draw(st.booleans()):
        versions = [(START - DAY, PLAIN), (draw(moment), HISTORIES)]
    pauses = draw(_pauses(days * 24, 60))
    start = START + draw(st.integers(0, 10)) * DAY
    spells = [engine.Spell(start, None, SCHEDULE)]
    if draw(st.booleans()):
        cuts = sorted(draw(st.lists(st.integers(11 * 24, days * 24), min_size=2, max_size=2)))
        ended, again = (START + hour * 60 * MINUTE for hour in cuts)
        spells = [engine.Spell(start, ended, SCHEDULE), engine.Spell(again, None, SCHEDULE)]
    return World(readings, versions, spells, pauses, START + (days + 1) * DAY)
