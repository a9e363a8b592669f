"""Rules over histories through the whole fold: they fire, clear, refuse, and never depend on how data is delivered."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import engine, moments, rules, scenario, schedule, timeline
from tests.unit.alerts import test_command

MINUTE = 60_000_000
DAY = 1440 * MINUTE
#: Midnight UTC of 1 October 2026, a month before the clocks go back.
START = scenario.moment("2026-10-01T00:00:00Z", "start")
MORNING = 8 * 60 * MINUTE
ZONE = "Europe/London"

Entry = dict[str, Any]


def entry(code: str, at: int, value: float | None, **more: Any) -> Entry:
    return {"code": code, "at": moments.instant(at), "value": value, **more}


def mornings(code: str, values: list[float]) -> list[Entry]:
    """One reading each morning, from day 0 on."""
    return [entry(code, START + day * DAY + MORNING, value) for day, value in enumerate(values)]


def evaluate(given_rules: list[Entry], readings: list[Entry], *, stay_from: int = 0) -> list[Any]:
    """(rule, level, day it started, day it ended) of each episode, as `python -m alerts evaluate` tells them."""
    document = {
        "zone": ZONE,
        "rules": [{"rules": given_rules}],
        "spells": [{"from": moments.instant(START + stay_from * DAY)}],
        "readings": readings,
        "now": moments.instant(START + 100 * DAY),
    }
    status, out, complaints = test_command.run(["evaluate"], json.dumps(document))
    assert status == 0, complaints
    return [
        (shown["rule"], shown["level"], _day(shown["started_at"]), _day(shown["ended_at"]))
        for shown in json.loads(out)["episodes"]
    ]


def _day(at: str | None) -> float | None:
    return None if at is None else (scenario.moment(at, "at") - START) / DAY


HOUR8 = MORNING / DAY


# Each kind fires, clears, and does not fire -----------------------------------------------------------


def test_slope_fires_and_clears() -> None:
    """0.1 kg a day from day 30 on, for 20 days, then level: the line passes 1.5 kg, and comes back."""
    rule = {"kind": "slope", "code": "weight", "direction": "rise", "amber": 1.5, "hysteresis": 0.5}
    values = [80 + min(max(day - 30, 0), 20) / 10 for day in range(100)]
    ((key, level, start, end),) = evaluate([rule], mornings("weight", values))
    assert (key, level) == ("slope/weight", "amber")
    assert 40 < start < 50
    assert 50 < end < 80
    assert evaluate([{**rule, "amber": 3.5}], mornings("weight", values)) == []
    assert evaluate([{**rule, "direction": "fall"}], mornings("weight", values)) == []
    assert evaluate([rule], mornings("weight", values)[::7]) == []  # five days of thirty: refused


def test_crossover_fires_and_clears() -> None:
    """A step of two kilograms on day 40: above 1 kg apart from the fourth day to the fourteenth."""
    rule = {
        "kind": "crossover",
        "code": "weight",
        "direction": "rise",
        "fast_days": 3,
        "slow_days": 21,
        "amber": 1,
    }
    values = [80.0 if day < 40 else 82.0 for day in range(100)]
    assert evaluate([rule], mornings("weight", values)) == [("crossover/weight", "amber", 43 + HOUR8, 54 + HOUR8)]
    assert evaluate([rule], mornings("weight", [80.0] * 100)) == []
    assert evaluate([rule], mornings("weight", values), stay_from=60) == []


def test_cusum_fires_and_clears() -> None:
    """Three spreads (of the floor, 2) above usual: 2.25 a day, more than 4 on the second, more than 8 on the fourth."""
    rule = {
        "kind": "cusum",
        "code": "resting_pulse",
        "direction": "rise",
        "floor": 2,
        "amber": 4,
        "red": 8,
        "hysteresis": 2,
    }
    values = [60.0] * 60 + [66.0] * 4 + [60.0] * 36
    assert evaluate([rule], mornings("resting_pulse", values)) == [
        # 9 - 10 * 0.75 is 1.5: ten usual days bring it to 2 or less
        ("cusum/resting_pulse", "red", 61 + HOUR8, 73 + HOUR8)
    ]
    assert evaluate([rule], mornings("resting_pulse", [60.0] * 60 + [200.0] + [60.0] * 20)) == []
    assert evaluate([rule], mornings("resting_pulse", values)[50:]) == []  # no baseline: refused


def test_baseline_fires_and_clears() -> None:
    """Two days of ten beats more; the first day alone is nothing; the first usual day clears it."""
    rule = {
        "kind": "baseline",
        "code": "resting_pulse",
        "direction": "rise",
        "floor": 2,
        "amber": 3,
        "hysteresis": 1,
    }
    values = [60.0] * 40 + [70.0] * 5 + [60.0] * 10
    assert evaluate([rule], mornings("resting_pulse", values)) == [
        ("baseline/resting_pulse", "amber", 41 + HOUR8, 45 + HOUR8)
    ]
    assert evaluate([rule], mornings("resting_pulse", [60.0] * 40 + [70.0] + [60.0] * 10)) == []
    assert evaluate([rule], mornings("resting_pulse", values)[30:]) == []  # 11 usual days: refused


def test_what_lasts_becomes_the_usual() -> None:
    """Somebody whose pulse stays ten beats higher is told of once; the alert ends when that is what is usual."""
    rule = {
        "kind": "baseline",
        "code": "resting_pulse",
        "direction": "rise",
        "floor": 2,
        "amber": 3,
        "hysteresis": 1,
        "days": 1,
    }
    ((*_, start, end),) = evaluate([rule], mornings("resting_pulse", [60.0] * 40 + [70.0] * 60))
    assert start == 40 + HOUR8
    assert 40 + 14 < end < 40 + 28


def test_a_refusal_leaves_what_is_open_as_it_is() -> None:
    """Ten days without a value: nobody knows, so nothing ends; the second of two usual days clears it."""
    rule = {"kind": "baseline", "code": "resting_pulse", "direction": "rise", "floor": 2, "amber": 3}
    values = mornings("resting_pulse", [60.0] * 40 + [70.0] * 5 + [60.0] * 20)
    del values[45:55]
    assert evaluate([rule], values) == [("baseline/resting_pulse", "amber", 41 + HOUR8, 56 + HOUR8)]


def test_readings_before_the_stay_are_baseline_and_never_alert() -> None:
    rule = {"kind": "baseline", "code": "resting_pulse", "direction": "rise", "floor": 2, "amber": 3}
    values = [60.0] * 25 + [70.0] * 3 + [60.0] * 8 + [70.0] * 2 + [60.0]
    assert evaluate([rule], mornings("resting_pulse", values), stay_from=30) == [
        ("baseline/resting_pulse", "amber", 37 + HOUR8, 38 + HOUR8)
    ]


def test_what_the_device_doubts_is_no_input() -> None:
    rule = {"kind": "baseline", "code": "resting_pulse", "direction": "rise", "floor": 2, "amber": 3, "days": 1}
    readings = mornings("resting_pulse", [60.0] * 40)
    doubted = entry("resting_pulse", START + 40 * DAY + MORNING, 90.0, flags=["motion"])
    assert evaluate([rule], [*readings, doubted]) == []
    assert len(evaluate([rule], [*readings, {**doubted, "flags": []}])) == 1


def glucose(start: int, values: list[float], step: int = 5) -> list[Entry]:
    return [entry("glucose", start + position * step * MINUTE, value) for position, value in enumerate(values)]


def test_sustained_fires_and_clears_with_its_own_readings() -> None:
    """From the third reading below on, to the third reading back; a dip between them is no second event."""
    rule = {"kind": "sustained", "code": "glucose", "side": "low", "limit": 3.9, "level": "amber"}
    values = [6.0, 3.8, 3.8, 3.8, 5.0, 5.0, 3.0, 5.0, 5.0, 5.0, 5.0]
    assert evaluate([rule], glucose(START, values)) == [
        ("sustained/glucose", "amber", 15 / 1440, pytest.approx(45 / 1440))
    ]
    assert evaluate([rule], glucose(START, [6.0, 3.8, 3.8, 6.0, 3.8, 3.8, 6.0])) == []


def test_in_range_fires_on_whole_days_and_clears() -> None:
    """Hourly values; half of each of three days is high. Told after the second, over with 75 % in range."""
    rule = {
        "kind": "in_range",
        "band": "in_range",
        "direction": "below",
        "amber": 70,
        "window_days": 2,
        "reading_minutes": 60,
    }
    high = [[7.0] * 12 + [12.0] * 12 if 2 <= day < 5 else [7.0] * 24 for day in range(10)]
    # local midnight is an hour before UTC's
    readings = glucose(START - 60 * MINUTE, list(itertools.chain.from_iterable(high)), 60)
    assert evaluate([rule], readings, stay_from=-1) == [("in_range/glucose", "amber", 4 - 1 / 24, 6 - 1 / 24)]
    assert evaluate([rule], readings[::2], stay_from=-1) == []  # half of the readings: refused


# Any delivery ---------------------------------------------------------------------------------------

_RULES = rules.RuleSet.from_json(
    {
        "pathway": "trends",
        "version": "1",
        "rules": [
            {"kind": "slope", "code": "weight", "direction": "rise", "window_days": 14, "amber": 1, "p": 0.2},
            {
                "kind": "crossover",
                "code": "weight",
                "direction": "rise",
                "fast_days": 2,
                "slow_days": 9,
                "amber": 0.6,
                "min_points": 4,
                "min_span_days": 4,
            },
            {
                "kind": "cusum",
                "code": "weight",
                "direction": "rise",
                "baseline_days": 10,
                "min_days": 5,
                "run_days": 7,
                "amber": 1,
                "red": 5,
            },
            {
                "kind": "baseline",
                "code": "weight",
                "direction": "fall",
                "baseline_days": 10,
                "min_days": 5,
                "amber": 1,
                "red": 3,
                "days": 1,
            },
            {"kind": "sustained", "code": "glucose", "side": "low", "limit": 3.9, "level": "amber"},
            {
                "kind": "in_range",
                "band": "below_3.9",
                "direction": "above",
                "amber": 20,
                "red": 60,
                "window_days": 2,
                "reading_minutes": 60,
                "coverage": 0.1,
            },
        ],
    }
)
_STAY = engine.Spell(START + 3 * DAY, None, schedule.parse({}, ZONE))
_END = START + 40 * DAY

few = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def fold(readings: list[timeline.Reading], now: int, state: engine.State | None = None) -> engine.Result:
    subject = engine.Subject(7, [(START, _RULES)], [_STAY], [], ZONE, state)
    (result,) = engine.fold([subject], timeline.from_readings(readings), now)
    return result


@dataclasses.dataclass(frozen=True)
class History:
    """Forty days: a weight on most days, which drifts, and glucose in bursts of every five minutes."""

    seed: int
    drift: float
    noise: float

    @property
    def readings(self) -> list[timeline.Reading]:
        chance = random.Random(self.seed)
        readings: list[timeline.Reading] = []
        for day in range(40):
            at = START + day * DAY + chance.randrange(0, 1440) * MINUTE
            for repeat in range(chance.choice([0, 1, 1, 1, 2])):
                value = round(80 + self.drift * day + chance.gauss(0, self.noise), 1)
                flags = ("motion",) if chance.random() < 0.1 else ()
                moment = at + repeat * MINUTE
                readings.append(timeline.Reading(7, moment, "weight", value, identity=len(readings), flags=flags))
            start, level = START + day * DAY + chance.randrange(0, 1200) * MINUTE, chance.choice([3.0, 4.0, 7.0])
            for position in range(chance.choice([0, 0, 0, 4, 20])):
                number = None if chance.random() < 0.05 else round(max(1.0, level + chance.gauss(0, 0.6)), 1)
                moment = start + position * 5 * MINUTE
                readings.append(timeline.Reading(7, moment, "glucose", number, identity=len(readings)))
        return readings


histories = st.builds(History, st.integers(0, 10_000), st.sampled_from([-0.15, 0.0, 0.15]), st.sampled_from([0.1, 0.5]))


def through_json(state: engine.State) -> engine.State:
    return engine.State.from_json(json.loads(json.dumps(state.to_json(), allow_nan=False)))


@few
@given(histories, st.lists(st.integers(_STAY.started_at, _END), max_size=4))
def test_piece_by_piece_equals_at_once(history: History, stops: list[int]) -> None:
    readings = history.readings
    whole = fold(readings, _END)
    state: engine.State | None = None
    told: dict[Any, engine.Episode] = {}
    for stop in [*sorted(stops), _END]:
        through = -(2**62) if state is None else state.through
        result = fold([reading for reading in readings if through < reading.at <= stop], stop, state)
        told.update({episode.key: episode for episode in result.episodes})
        state = through_json(result.state)
    assert told == {episode.key: episode for episode in whole.episodes}
    assert state is not None
    assert state.to_json() == through_json(whole.state).to_json()


@few
@given(histories)
def test_from_any_checkpoint(history: History) -> None:
    readings = history.readings
    whole = fold(readings, _END)
    for daily in whole.daily[::7]:
        again = fold(readings, _END, through_json(daily))
        assert again.state.to_json() == through_json(whole.state).to_json()
        expected = [e for e in whole.episodes if e.ended_at is None or e.ended_at > daily.through]
        assert list(again.episodes) == expected


@few
@given(histories, st.integers(0, 1000))
def test_order_and_duplicates_do_not_matter(history: History, seed: int) -> None:
    readings, chance = history.readings, random.Random(seed)
    shuffled = readings + [reading for reading in readings if chance.random() < 0.3]
    chance.shuffle(shuffled)
    assert fold(shuffled, _END) == fold(readings, _END)


def test_the_histories_are_worth_folding() -> None:
    """Every rule of them opens in some of them."""
    opened: set[str] = set()

    for seed, drift in itertools.product(range(10), (-0.15, 0.15)):
        opened.update(episode.rule for episode in fold(History(seed, drift, 0.1).readings, _END).episodes)
    assert opened == set(_RULES.assessments)


# Consensus events -----------------------------------------------------------------------------------


def series(seed: int) -> list[tuple[int, float]]:
    """Four days of a sensor that wanders: every five minutes or so, with gaps."""
    chance = random.Random(seed)
    minute, value = 0.0, 6.0
    readings = []
    while minute < 4 * 1440:
        value += chance.gauss(0, 0.45) + (6.5 - value) * 0.02
        readings.append((START + round(minute * MINUTE), round(min(max(value, 2.2), 22), 1)))
        minute += 5 + chance.choice([0, 0, 0.01, -0.01])
        if chance.random() < 0.01:
            minute += chance.choice([10, 25, 26, 40, 200])
    return readings


def counted(
    readings: list[tuple[int, float]], side: str, limit: float, for_minutes: int
) -> list[tuple[int, int | None]]:
    """(start, end) of each event, by cutting the series into runs of one side without a gap of over 30 minutes."""

    def beyond(value: float) -> bool:
        return value < limit if side == "low" else value > limit

    runs: list[list[tuple[int, float]]] = []
    for reading in readings:
        same = bool(runs) and beyond(runs[-1][-1][1]) == beyond(reading[1])
        if same and reading[0] - runs[-1][-1][0] <= 30 * MINUTE:
            runs[-1].append(reading)
        else:
            runs.append([reading])
    events: list[tuple[int, int | None]] = []
    opened: int | None = None
    for run in runs:
        needed = for_minutes if beyond(run[0][1]) else 15
        long = [at for at, _ in run if at - run[0][0] + 5 * MINUTE >= needed * MINUTE]
        if not long:
            continue
        if beyond(run[0][1]) and opened is None:
            opened = long[0]
        elif not beyond(run[0][1]) and opened is not None:
            events.append((opened, long[0]))
            opened = None
    return [*events, (opened, None)] if opened is not None else events


_EVENTS = (
    ("low", 3.9, 15),
    ("very_low", 3.0, 15),
    ("high", 10.0, 15),
    ("very_high", 13.9, 15),
    ("prolonged", 10.0, 120),
)


@functools.cache
def _event_rules() -> rules.RuleSet:
    return rules.RuleSet.from_json(
        {
            "pathway": "sensor",
            "version": "1",
            "rules": [
                {
                    "kind": "sustained",
                    "name": name,
                    "code": "glucose",
                    "side": "low" if "low" in name else "high",
                    "limit": limit,
                    "level": "amber",
                    "for_minutes": minutes,
                }
                for name, limit, minutes in _EVENTS
            ],
        }
    )


@pytest.mark.parametrize("seed", range(8))
def test_episodes_are_the_events_of_the_consensus(seed: int) -> None:
    """Each with the reading that starts it and the one that ends it, counted another way."""
    readings = series(seed)
    subject = engine.Subject(
        7, [(START, _event_rules())], [engine.Spell(START, None, schedule.parse({}, ZONE))], [], ZONE
    )
    columns = timeline.from_readings(
        [timeline.Reading(7, at, "glucose", value, identity=position) for position, (at, value) in enumerate(readings)]
    )
    (result,) = engine.fold([subject], columns, START + 5 * DAY)
    found: dict[str, list[Any]] = {name: [] for name, *_ in _EVENTS}
    for episode in result.episodes:
        found[episode.rule.removeprefix("sustained/")].append((episode.started_at, episode.ended_at))
    assert found == {
        name: counted(readings, "low" if "low" in name else "high", limit, minutes) for name, limit, minutes in _EVENTS
    }
    if seed == 0:
        assert sum(map(len, found.values())) > 10
