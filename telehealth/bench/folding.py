"""How many residents one core evaluates in a second: the pure fold, as the evaluator calls it."""

from __future__ import annotations

import statistics
from dataclasses import replace

import msgspec

from alerts import codes, engine, rules, schedule, timeline
from telehealth import clock
from telehealth.bench import load

_RESIDENTS = 1000
#: Readings of each resident since the state before: a quarter of an hour of a wearable.
_READINGS = 30
_SECOND_US = 1_000_000
_NOW_US = 1_772_442_000 * _SECOND_US


class Folding(msgspec.Struct):
    """Residents a second; readings: of each, in one evaluation, from a state on."""

    residents: int
    readings_each: int
    residents_a_second: float


def measure(runs: int = 5) -> Folding:
    """The median of some runs, on the core that this happens to run on."""
    ruleset = rules.RuleSet.from_json(load.RULES)
    nothing_expected = schedule.parse({}, "Europe/London")
    beginning = _NOW_US - 86_400 * _SECOND_US
    subjects = [
        engine.Subject(
            resident=n,
            versions=[(beginning, ruleset)],
            spells=[engine.Spell(beginning, None, nothing_expected)],
            pauses=[],
            zone="Europe/London",
        )
        for n in range(_RESIDENTS)
    ]
    before = engine.fold(subjects, _readings(_NOW_US - 3600 * _SECOND_US), _NOW_US - 1800 * _SECOND_US)
    subjects = [replace(subject, state=result.state) for subject, result in zip(subjects, before, strict=True)]
    readings = _readings(_NOW_US - 900 * _SECOND_US)
    rates = []
    for _ in range(runs):
        started = clock.monotonic()
        engine.fold(subjects, readings, _NOW_US)
        rates.append(_RESIDENTS / (clock.monotonic() - started))
    return Folding(_RESIDENTS, _READINGS, statistics.median(rates))


def _readings(first_us: int) -> timeline.Timeline:
    """SpO2 and pulse in turn; one resident in ten is red for some of them."""
    rows = [(n, i) for n in range(_RESIDENTS) for i in range(_READINGS)]
    spo2, pulse = codes.INDEX["spo2"], codes.INDEX["pulse"]
    return timeline.build(
        [n for n, _ in rows],
        [first_us + i * 30 * _SECOND_US for _, i in rows],
        [pulse if i % 2 else spo2 for _, i in rows],
        [72.0 if i % 2 else 84.0 if n % 10 == 0 and 10 < i < 16 else 96.0 for n, i in rows],
        [0] * len(rows),
        [n * _READINGS + i for n, i in rows],
        [0] * len(rows),
    )
