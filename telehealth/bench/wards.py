"""The engine alone: many residents of all pathways with weeks of history and one new set each; a replay."""

from __future__ import annotations

import random
import statistics
from collections.abc import Collection, Sequence
from dataclasses import replace

import msgspec

from alerts import codes, engine, pathways, schedule, timeline
from telehealth import clock

_DAYS = 28
_DAY_US = 86_400_000_000
_NOW_US = 1_772_442_000_000_000
_START_US = _NOW_US - _DAYS * _DAY_US
_SENSOR_US = 300_000_000
#: Histories that differ, of each pathway, at most; residents share them in turn.
_DIFFERENT = 60
#: Readings that are replayed, for each resident.
_REPLAYED = 100

#: code -> (usual value, spread of days, spread of readings, times a day)
_SPOT = {
    "spo2": (95.5, 0.4, 0.8, 2),
    "pulse": (74.0, 3.0, 4.0, 2),
    "systolic": (128.0, 4.0, 6.0, 2),
    "diastolic": (76.0, 3.0, 4.0, 2),
    "temperature": (36.7, 0.1, 0.2, 2),
    "resp_rate": (16.0, 0.5, 1.0, 2),
    "weight": (78.0, 0.4, 0.2, 1),
    "resting_pulse": (64.0, 1.5, 0.5, 1),
    "breathlessness": (1.0, 0.3, 0.5, 1),
    "peak_flow": (410.0, 10.0, 12.0, 2),
}


class Wards(msgspec.Struct):
    """milliseconds: for all residents, one new set of observations each; micros: of one, by how many there are."""

    residents: int
    milliseconds: float
    micros_of_few: float  #: among a tenth of the residents
    micros_of_many: float  #: among five times as many
    replayed: int
    replay_seconds: float
    state_bytes: int
    state_bytes_glucose: int


def measure(residents: int, runs: int = 5) -> Wards:
    """Medians of some runs, on the core that this happens to run on."""
    few, many = max(1, residents // 10), residents * 5
    people = _people(min(_DIFFERENT, max(1, few // len(pathways.names()))))
    sizes = [len(msgspec.json.encode(subject.state.to_json())) for subject in people if subject.state is not None]
    spot = [size for size, subject in zip(sizes, people, strict=True) if "glucose" not in _kept(subject)]
    sensor = [size for size, subject in zip(sizes, people, strict=True) if "glucose" in _kept(subject)]
    took = {count: _incremental(people, count, runs) for count in (few, residents, many)}
    return Wards(
        residents,
        took[residents] * 1e3,
        took[few] / few * 1e6,
        took[many] / many * 1e6,
        residents * _REPLAYED,
        _replay(people, residents * _REPLAYED),
        max(spot),
        max(sensor, default=0),
    )


def _kept(subject: engine.Subject) -> Collection[str]:
    return () if subject.state is None else subject.state.kept


def _people(different: int) -> list[engine.Subject]:
    """Residents of every pathway in turn, with the state that their history leaves."""
    expected = schedule.parse({}, "Europe/London")
    names = pathways.names()
    subjects = [
        engine.Subject(
            n,
            [(_START_US, pathways.compile(pathways.load(names[n % len(names)])))],
            [engine.Spell(_START_US, None, expected)],
            [],
            "Europe/London",
        )
        for n in range(len(names) * different)
    ]
    results = engine.fold(subjects, _history(subjects), _NOW_US)
    return [replace(subject, state=result.state) for subject, result in zip(subjects, results, strict=True)]


def _history(subjects: Sequence[engine.Subject], start: int = _START_US, days: int = _DAYS) -> timeline.Timeline:
    rows: list[tuple[int, int, int, float]] = []
    for subject in subjects:
        chance = random.Random(subject.resident)
        followed = subject.versions[0][1].assessed
        for code, (usual, by_day, by_reading, times) in _SPOT.items():
            for day in range(days):
                level = usual + chance.gauss(0, by_day)
                rows += [
                    (
                        subject.resident,
                        start + day * _DAY_US + (8 + 10 * turn) * 3_600_000_000,
                        codes.INDEX[code],
                        value,
                    )
                    for turn in range(times)
                    for value in [max(0.0, level + chance.gauss(0, by_reading))]
                ]
        if "glucose" in followed:
            rows += _sensor(subject.resident, start, days, chance)
    return _timeline(rows)


def _sensor(resident: int, start: int, days: int, chance: random.Random) -> list[tuple[int, int, int, float]]:
    """Every five minutes, drifting back to 7.5 mmol/L; out of range for a part of most days."""
    value, rows = 7.5, []
    for n in range(days * _DAY_US // _SENSOR_US):
        value = min(20.0, max(2.5, value + 0.01 * (7.5 - value) + chance.gauss(0, 0.25)))
        rows.append((resident, start + n * _SENSOR_US, codes.INDEX["glucose"], round(value, 1)))
    return rows


def _timeline(rows: Sequence[tuple[int, int, int, float]]) -> timeline.Timeline:
    resident, at, code, value = zip(*rows, strict=True)
    nothing = [0] * len(rows)
    return timeline.build(resident, at, code, value, nothing, list(range(len(rows))), nothing)


def _incremental(people: Sequence[engine.Subject], count: int, runs: int) -> float:
    """Seconds for so many residents with one new set of observations each."""
    subjects = [replace(people[n % len(people)], resident=n) for n in range(count)]
    chance = random.Random(count)
    rows = [
        (subject.resident, _NOW_US + 60_000_000, codes.INDEX[code], usual + chance.gauss(0, by_reading))
        for subject in subjects
        for code, (usual, _, by_reading, _) in _SPOT.items()
        if code in ("spo2", "pulse", "systolic", "diastolic", "temperature", "resp_rate", "weight")
    ]
    readings = _timeline(rows)
    took = []
    for _ in range(runs):
        started = clock.monotonic()
        engine.fold(subjects, readings, _NOW_US + 120_000_000)
        took.append(clock.monotonic() - started)
    return statistics.median(took)


def _replay(people: Sequence[engine.Subject], count: int) -> float:
    """Seconds for so many readings: whole histories of all pathways, from the beginning."""
    subjects = [replace(subject, state=None) for subject in people]
    readings = _history(subjects)
    each = len(readings)
    folded, took = 0, 0.0
    while folded < count:
        started = clock.monotonic()
        engine.fold(subjects, readings, _NOW_US)
        took += clock.monotonic() - started
        folded += each
    return took * count / folded
