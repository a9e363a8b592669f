"""Small worlds of one resident for property tests: readings, versions, stays and pauses on a coarse grid."""

from __future__ import annotations

from dataclasses import dataclass
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
            {"kind": "silence", "code": "spo2", "grace_seconds": 600},
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
SETS = (SPOT, CONTINUOUS, BARE, PLAIN, COPD)


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
def worlds(draw: st.DrawFn) -> World:
    readings = draw(st.lists(_reading(), max_size=40))
    moment = st.integers(0, LENGTH // (30 * MINUTE)).map(lambda step: START + step * 30 * MINUTE)
    versions: list[Any] = [(START - DAY, draw(st.sampled_from(SETS)))]
    versions += draw(st.lists(st.tuples(moment, st.sampled_from(SETS)), max_size=2))
    cuts = sorted(set(draw(st.lists(moment, max_size=3))))
    spells = [engine.Spell(START, None, SCHEDULE)]
    if len(cuts) >= 2 and cuts[0] > START:
        spells = [engine.Spell(START, cuts[0], SCHEDULE), engine.Spell(cuts[1], None, SCHEDULE)]
    pauses: list[tuple[int, int | None]] = []
    if draw(st.booleans()):
        bounds = sorted(draw(st.lists(moment, min_size=2, max_size=2, unique=True)))
        pauses = [(bounds[0], bounds[1])]
    return World(readings, versions, spells, pauses, START + LENGTH + draw(st.integers(0, 600)) * MINUTE)
