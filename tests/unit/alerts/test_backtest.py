"""Replays: the same episodes as one fold, and figures that a plain count over them gives too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import backtest, burden, comparing, engine, intervals, measures, onsets, rules, schedule, timeline
from alerts.onsets import Onset
from tests.unit.alerts import worlds

few = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
HOUR, DAY = backtest.HOUR_US, backtest.DAY_US
T0 = worlds.START

SPO2 = rules.RuleSet.from_json(
    {
        "pathway": "test",
        "version": "1",
        "rules": [
            {"kind": "threshold", "code": "spo2", "red_low": 88, "amber_low": 92, "hysteresis": 1},
            {"kind": "threshold", "code": "pulse", "red_high": 130},
            {"kind": "silence", "code": "spo2", "grace_seconds": 3600},
        ],
    }
)


def history(*people: list[tuple[float, str, float]]) -> backtest.History:
    """People named p0, p1, ... with (days after T0, code, value)."""
    rows = [
        timeline.Reading(person, T0 + round(day * DAY), code, value)
        for person, readings in enumerate(people)
        for day, code, value in readings
    ]
    return backtest.History(tuple(f"p{n}" for n in range(len(people))), timeline.from_readings(rows))


def daily(values: dict[float, float], until: int = 30) -> list[tuple[float, str, float]]:
    """One SpO2 a day, 96 but where said otherwise."""
    found = {float(day): 96.0 for day in range(until)} | values
    return [(day, "spo2", value) for day, value in sorted(found.items())]


# The fold ---------------------------------------------------------------------------------------------


@few
@given(st.lists(worlds.worlds(), min_size=1, max_size=4))
def test_a_replay_is_the_fold_of_each_person(some: list[worlds.World]) -> None:
    """Whoever is replayed together, and however the replay cuts its way: the episodes of one plain fold."""
    readings = [replace(r, resident=n) for n, world in enumerate(some) for r in world.readings]
    whole = backtest.History(tuple(map(str, range(len(some)))), timeline.from_readings(readings))
    found = backtest.replay(whole, worlds.SPOT, backtest.Manner())
    for person, world in enumerate(some):
        alone = timeline.from_readings([replace(r, resident=person) for r in world.readings])
        stays = found.stays[person]
        nothing = schedule.parse({}, "Europe/London")
        spells = [engine.Spell(start, stop, nothing) for start, stop in stays]
        end = stays[-1][1] if stays else T0
        subject = engine.Subject(person, [(T0 - DAY, worlds.SPOT)], spells, [], "Europe/London")
        (plain,) = engine.fold([subject], alone, end)
        expected = {(e.rule, e.started_at) for e in plain.episodes}
        assert sum(alert.episodes for alert in found.alerts if alert.person == person) == len(expected)
        assert {(a.rule, a.started_at) for a in found.alerts if a.person == person} <= expected


@few
@given(worlds.worlds(), st.randoms(use_true_random=False))
def test_neither_order_nor_company_matters(world: worlds.World, random: Any) -> None:
    """Shuffled, repeated, and with another person beside: the same alerts."""
    alone = backtest.History(("a",), timeline.from_readings([replace(r, resident=0) for r in world.readings]))
    mixed = [replace(r, resident=person) for person in (0, 1) for r in world.readings]
    mixed += random.sample(mixed, len(mixed) // 3)
    random.shuffle(mixed)
    both = backtest.History(("a", "b"), timeline.from_readings(mixed))
    one, two = (backtest.replay(which, worlds.COPD, backtest.Manner()) for which in (alone, both))
    assert [replace(alert, person=0) for alert in two.alerts if alert.person == 1] == list(one.alerts)
    assert two.alerts[: len(one.alerts)] == one.alerts


def test_progress_is_told_and_ends_with_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "_AT_ONCE", 50)
    told: list[int] = []
    whole = history(*[daily({}) for _ in range(5)])
    backtest.replay(whole, SPO2, backtest.Manner(), told.append)
    assert told == [30, 60, 90, 120, 150]


def test_what_waits_for_a_repeat_at_the_end_is_not_lost() -> None:
    """An amber value as the last reading: nobody repeated it, so it is an alert half an hour later."""
    found = backtest.replay(history(daily({29.0: 90.0})), SPO2, backtest.Manner())
    assert [(alert.rule, alert.ended_at) for alert in found.alerts] == [("threshold/spo2/low", None)]
    assert found.alerts[0].started_at == T0 + 29 * DAY + HOUR // 2


def test_a_long_gap_is_not_followed() -> None:
    """Two stays of ten and five days: fifteen days, and what was open at the end of the first is over."""
    readings = daily({9.0: 80.0}, 10) + [(day + 40.0, "spo2", 96.0) for day in range(5)]
    found = backtest.replay(history(readings), SPO2, backtest.Manner(gap_days=14))
    assert found.stays[0] == ((T0, T0 + 10 * DAY), (T0 + 40 * DAY, T0 + 45 * DAY))
    assert found.days == [15.0]
    assert [alert.ending for alert in found.alerts] == ["discharged"]
    assert backtest.replay(history(readings), SPO2, backtest.Manner(gap_days=60)).days == [45.0]


@pytest.mark.parametrize(
    ("days", "expected"),
    [([0.0], 1.0), ([0.0, 1.0, 2.0], 3.0), ([hour / 24 for hour in range(30)], 30 / 24), ([0.0, 3.0], 4.0)],
)
def test_days_followed(days: list[float], expected: float) -> None:
    """From the first reading to one usual interval after the last, which is at most a day."""
    whole = history([(day, "spo2", 96.0) for day in days])
    assert backtest.replay(whole, SPO2, backtest.Manner()).days == [pytest.approx(expected)]


def test_silence_only_where_asked_for() -> None:
    readings = [(day, code, value) for day, code, value in daily({}) if day != 12.0]
    assert backtest.replay(history(readings), SPO2, backtest.Manner()).alerts == ()
    expected = backtest.Manner(expected={"spo2": {"times": ["09:00"]}})
    assert "silence/spo2" in {alert.rule for alert in backtest.replay(history(readings), SPO2, expected).alerts}


def test_refractory_time_joins() -> None:
    """Two episodes of one rule, the second a day after the end of the first: two alerts, or one within two days."""
    whole = history(daily({5.0: 84.0, 7.0: 84.0}))
    apart, together = (backtest.replay(whole, SPO2, backtest.Manner(join_hours=hours)) for hours in (0, 48))
    assert [alert.episodes for alert in apart.alerts] == [1, 1]
    assert [alert.episodes for alert in together.alerts] == [2]
    assert together.alerts[0].ended_at == T0 + 8 * DAY


def test_every_rule_has_its_keys() -> None:
    found = backtest.keys(SPO2)
    assert found == {"threshold/spo2/low": {"spo2"}, "threshold/pulse/high": {"pulse"}}
    assert backtest.keys(SPO2, silence=True) == {**found, "silence/spo2": {"spo2"}}
    assert "temperature" in backtest.keys(worlds.COPD)["news2"]


# What it is worth -------------------------------------------------------------------------------------

WINDOWS = onsets.Windows({"": 48.0}, {"": 24.0})


def judged(whole: backtest.History, truth: list[Onset], rule_set: rules.RuleSet = SPO2) -> measures.Judged:
    return measures.judge(backtest.replay(whole, rule_set, backtest.Manner()), whole, truth, WINDOWS)


def at(person: int, day: float, kind: str = "any") -> Onset:
    return Onset(person, T0 + round(day * DAY), kind)


def test_figures_of_a_small_world() -> None:
    """Found a day early; found late; missed; a false alert; an onset that nobody could have seen."""
    whole = history(daily({10.0: 84.0}), daily({12.5: 84.0}), daily({}), daily({3.0: 84.0}))
    truth = [at(0, 11.0), at(1, 12.0), at(2, 20.0), at(2, 200.0)]
    overall, by_rule = measures.figures(judged(whole, truth), backtest.keys(SPO2))
    assert (overall.alerts, overall.onsets, overall.found, overall.true, overall.false) == (3, 3, 2, 2, 1)
    assert overall.sensitivity == intervals.proportion(2, 3)
    assert overall.precision == intervals.proportion(2, 3)
    assert overall.lead_hours.value == (24 - 12) / 2
    assert overall.per_day.value == pytest.approx(3 / 120)
    # three days around each of the three onsets that lie in the time followed
    assert overall.false_per_day.value == pytest.approx(1 / (120 - 9))
    assert overall.false_per_year.value == pytest.approx(365.25 / 111)
    assert by_rule["threshold/spo2/low"].found == 2
    assert by_rule["threshold/pulse/high"].alerts == 0


def test_both_ends_of_the_window_count() -> None:
    """48 h before and 24 h after, to the microsecond."""
    for day, hit in ((8.0, True), (11.0, True)):
        found = judged(history(daily({day: 84.0})), [at(0, 10.0)])
        assert found.hits == (hit,)
    for offset in (-2 * DAY - 1, DAY + 1):
        readings = [*timeline_rows(daily({})), timeline.Reading(0, T0 + 10 * DAY + offset, "spo2", 84.0)]
        whole = backtest.History(("p0",), timeline.from_readings(readings))
        assert judged(whole, [at(0, 10.0)]).hits == (False,)


def timeline_rows(readings: list[tuple[float, str, float]]) -> list[timeline.Reading]:
    return [timeline.Reading(0, T0 + round(day * DAY), code, value) for day, code, value in readings]


def test_an_alert_that_was_open_already_has_found_nothing() -> None:
    low = {float(day): 84.0 for day in range(5, 30)}
    found = judged(history(daily(low)), [at(0, 20.0)])
    assert found.found == ((),)
    assert found.standing == (True,)
    assert measures.figures(found, [])[0].sensitivity.value == 0.0


def test_without_truth_only_the_burden() -> None:
    whole = history(daily({3.0: 84.0}))
    replay = backtest.replay(whole, SPO2, backtest.Manner())
    overall, _ = measures.figures(measures.judge(replay, whole, None, onsets.Windows()), [])
    assert overall.alerts == 1
    assert overall.precision.value is None
    assert overall.false_per_day.value is None


def test_the_tenth_with_most_alerts() -> None:
    """Of thirty people three have all but three of the alerts."""
    bad = {float(day): 84.0 for day in range(0, 20, 2)}
    people = [daily(bad) for _ in range(3)] + [daily({5.0: 84.0}) for _ in range(3)] + [daily({}) for _ in range(24)]
    overall, _ = measures.figures(judged(history(*people), []), [])
    assert (overall.alerts, overall.top_people) == (33, 3)
    assert overall.top_share.value == 30 / 33
    assert overall.top_per_day.value == pytest.approx(30 / 90)
    assert overall.per_day.method == intervals.BOTH


def test_automatic_ones_need_no_human() -> None:
    """Amber that cleared before anybody looked, under a rule that says so; red never."""
    rule = {"kind": "threshold", "code": "spo2", "red_low": 88, "amber_low": 92, "hysteresis": 1, "auto": True}
    own = rules.RuleSet.from_json({"pathway": "test", "version": "1", "rules": [rule]})
    quick = [(10.0 + minutes / 1440, "spo2", value) for minutes, value in ((0, 90.0), (5, 90.0), (15, 96.0))]
    whole = history([*daily({20.0: 80.0, 20.005: 96.0}), *quick])
    overall, _ = measures.figures(judged(whole, [], own), [])
    assert (overall.alerts, overall.human) == (2, 1)


def test_kinds_of_onset_have_windows_of_their_own() -> None:
    usual = onsets.Windows()
    assert (usual.of("infection").before_hours, usual.of("infection").after_hours) == (168.0, 168.0)
    assert usual.of("never heard of it") == onsets.WINDOWS[onsets.OTHER]
    asked = onsets.Windows({"": 1.0, "sepsis": 12.0}, {})
    assert (asked.of("sepsis").before_hours, asked.of("fall").before_hours) == (12.0, 1.0)
    assert asked.of("sepsis").source == "asked for"


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10)), max_size=8),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10)), max_size=8),
)
def test_overlap_is_what_counting_moments_gives(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    spans = [[(start, start + long) for start, long in given if long] for given in (one, other)]
    moments = [{moment for start, stop in some for moment in range(start, stop)} for some in spans]
    assert onsets.overlap(onsets.merged(spans[0]), onsets.merged(spans[1])) == len(moments[0] & moments[1])


# Side by side -----------------------------------------------------------------------------------------


def test_two_rule_sets_side_by_side() -> None:
    """Stricter limits find one more onset a day earlier than the others, and cost one alert."""
    strict = rules.RuleSet.from_json(
        {
            "pathway": "test",
            "version": "2",
            "rules": [{"kind": "threshold", "code": "spo2", "red_low": 94, "hysteresis": 1}],
        }
    )
    whole = history(daily({9.0: 93.0, 10.0: 84.0}), daily({20.0: 93.0}), daily({5.0: 93.0}))
    truth = [at(0, 11.0), at(1, 21.0)]
    found = comparing.compare(judged(whole, truth), judged(whole, truth, strict))
    assert len(found.pairs.both) == 1
    assert len(found.pairs.only_first) == 0
    assert len(found.pairs.only_second) == 2
    assert found.earlier_hours.value == 24.0
    assert found.found is not None
    assert [len(part) for part in (found.found.both, found.found.only_first, found.found.only_second)] == [1, 0, 1]
    assert found.found.difference.value == 0.5
    assert found.alerts.value == pytest.approx(2 / 90)
    assert found.false is not None
    assert found.false.value == pytest.approx(1 / (90 - 6))


def test_rules_compared_with_themselves() -> None:
    whole = history(daily({9.0: 84.0, 15.0: 84.0}), daily({20.0: 90.0, 21.0: 90.0}))
    one = judged(whole, [at(0, 9.0)])
    found = comparing.compare(one, one)
    assert len(found.pairs.both) == len(one.replay.alerts) > 0
    assert found.pairs.only_first == found.pairs.only_second == ()
    assert found.earlier_hours.value == 0.0


def test_alerts_are_the_engines_episodes_joined_as_in_the_service() -> None:
    """The count of a replay is the count of alerts.burden over the same episodes."""
    whole = history(daily({float(day): 84.0 for day in range(0, 30, 3)}))
    (plain,) = engine.fold(
        [engine.Subject(0, [(T0, SPO2)], [engine.Spell(T0, None, schedule.parse({}, "UTC"))], [], "UTC")],
        whole.readings,
        T0 + 30 * DAY,
    )
    assert len(burden.alerts(plain.episodes)) == len(backtest.replay(whole, SPO2, backtest.Manner()).alerts) == 10
    assert int(np.sum(whole.readings.low < 88)) == 10


@few
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 240), st.integers(1, 30)), max_size=12),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 240)), max_size=6),
    st.integers(0, 48),
    st.integers(0, 48),
)
def test_figures_are_what_counting_hours_gives(
    some: list[tuple[int, int, int]], truth: list[tuple[int, int]], before: int, after: int
) -> None:
    """Alerts and onsets at whole hours of ten days, three people: each figure counted again, hour by hour."""
    whole = history(*[[(hour / 24, "spo2", 96.0) for hour in range(240)] for _ in range(3)])
    alerts = tuple(
        backtest.Alert(p, "news2", T0 + h * HOUR, T0 + (h + long) * HOUR, "high", "cleared", False, 1, False, "")
        for p, h, long in sorted(some)
    )
    stays = (((T0, T0 + 240 * HOUR),),) * 3
    replay = backtest.Replay(SPO2, stays, alerts)
    known = {Onset(p, T0 + h * HOUR, "any") for p, h in truth}
    windows = onsets.Windows({"": float(before)}, {"": float(after)})
    found, _ = measures.figures(measures.judge(replay, whole, list(known), windows), [])

    def near(alert: backtest.Alert, onset: Onset) -> bool:
        hours = (alert.started_at - onset.at) // HOUR
        return alert.person == onset.person and -before <= hours <= after

    observed = [o for o in known if o.at - before * HOUR < T0 + 240 * HOUR]
    hits = [a for a in alerts if any(near(a, o) for o in known)]
    leads = [
        max((o.at - a.started_at) / HOUR for a in alerts if near(a, o))
        for o in observed
        if any(near(a, o) for a in alerts)
    ]
    free = sum(
        not any(o.person == person and -before <= hour - (o.at - T0) // HOUR < after for o in known)
        for person in range(3)
        for hour in range(240)
    )
    assert (found.alerts, found.true, found.false) == (len(alerts), len(hits), len(alerts) - len(hits))
    assert (found.onsets, found.found) == (len(observed), len(leads))
    assert found.lead_hours.value == (pytest.approx(float(np.median(leads))) if leads else None)
    if free:
        assert found.false_per_day.value == pytest.approx((len(alerts) - len(hits)) / (free / 24))
