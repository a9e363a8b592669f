"""Averages over local days: what is averaged, how much is needed, both directions, and clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import book, errors, timeline
from alerts.kinds.average import Average
from alerts.kinds.base import Finding, Refusal, Sample
from tests.unit.alerts.kinds import charts

HOME: dict[str, Any] = {
    "kind": "average",
    "code": "systolic",
    "direction": "above",
    "window_days": 7,
    "min_days": 3,
    "min_readings": 6,
    "amber": 135,
    "red": 150,
}


def rule(**changes: Any) -> Average:
    return Average.parse({**HOME, **changes}, "rules[0]")


def twice_daily(*values: float) -> charts.Chart:
    """Pressures 12 hours apart, the last one now, at noon."""
    return charts.Chart(charts.hourly("systolic", *values, every=12))


def finding(chart: charts.Chart, **changes: Any) -> Finding:
    found = rule(**changes).assess(chart)
    assert isinstance(found, Finding)
    return found


@pytest.mark.parametrize(("mean", "level"), [(135, 0), (135.5, 1), (150, 1), (150.5, 2)])
def test_levels_above(mean: float, level: int) -> None:
    """An average equal to the limit is within it."""
    assert finding(twice_daily(*[mean - 3, mean + 3] * 4)).level == level


@pytest.mark.parametrize(("mean", "level"), [(110, 0), (109.5, 1), (100, 1), (99.5, 2)])
def test_levels_below(mean: float, level: int) -> None:
    """Limits of a low average are written as people know them."""
    found = finding(twice_daily(*[mean] * 8), direction="below", amber=110, red=100)
    assert (found.level, found.signal) == (level, -mean)


@pytest.mark.parametrize(("mean", "clears"), [(130, True), (130.5, False)])
def test_clears_beyond_the_hysteresis(mean: float, clears: bool) -> None:
    assert finding(twice_daily(*[mean] * 8), hysteresis=5).clears == clears
    low = finding(twice_daily(*[240 - mean] * 8), direction="below", amber=105, red=100, hysteresis=5)
    assert low.clears == clears


def test_the_first_day_is_left_out_where_the_rule_says_so() -> None:
    """NICE: the readings of the first day are not used; the first one is of the evening here."""
    chart = twice_daily(190, *[130] * 8)
    assert finding(chart).level == 1
    assert finding(chart, drop_first_day=True) == Finding(0, 130.0, True)
    told = rule(drop_first_day=True).tell(chart, finding(chart, drop_first_day=True))
    assert told.numbers["left_out"] == "2026-11-16"
    assert "(17-Nov to 20-Nov; 16-Nov, the first day, left out), not above 135 mmHg" in told.sentence


def test_the_window_is_of_whole_local_days() -> None:
    """Just after midnight of the first of seven days counts, just before it does not."""
    first = charts.us("2026-11-14T00:00:00Z")
    others = charts.series([130.0] * 8, every=12)
    for at, count in ((first, 9), (first - 1, 8)):
        chart = charts.Chart({"systolic": [Sample(at, 130.0, 0), *others]})
        assert rule().tell(chart, finding(chart)).numbers["readings"] == count


@pytest.mark.parametrize(
    ("values", "changes", "needs"),
    [
        ([130.0] * 8, {"min_days": 5, "min_readings": 9}, "4 of 5 days with a systolic pressure"),
        (
            [130.0] * 9,
            {"min_days": 5, "drop_first_day": True},
            "4 of 5 days with a systolic pressure, the first one left out",
        ),
        ([130.0] * 5, {}, "5 of 6 readings of systolic pressure within 7 days"),
        ([130.0], {}, "1 of 3 days with a systolic pressure"),
    ],
)
def test_refused_with_too_little(values: list[float], changes: dict[str, Any], needs: str) -> None:
    found = rule(**changes).assess(twice_daily(*values))
    assert found == Refusal("too_few", needs)


def test_refused_where_readings_of_the_window_were_dropped() -> None:
    chart = charts.Chart(charts.hourly("systolic", *[130.0] * 300, every=0.4))
    found = rule().assess(chart)
    assert isinstance(found, Refusal)
    assert found.why == "too_many"


def test_the_sentence_and_what_is_needed_to_work_it_out_again() -> None:
    chart = twice_daily(*[140, 136, 139, 137, 138, 135, 141])
    told = rule(red=None).tell(chart, finding(chart, red=None))
    assert (
        told.sentence
        == "Systolic pressure averages 138 mmHg over 7 readings on 4 days (17-Nov to 20-Nov), above 135 mmHg"
    )
    assert sum(entry["value"] for entry in told.inputs) / len(told.inputs) == told.numbers["mean"] == 138.0
    assert rule(hysteresis=5).clears_when() == "the average of systolic pressure over 7 days back to 130 mmHg or less"


def test_an_average_just_beyond_the_limit_shows_its_decimals() -> None:
    chart = twice_daily(*[135] * 7, 136)
    assert "averages 135.1 mmHg" in rule().tell(chart, finding(chart)).sentence


def test_many_readings_are_told_by_day() -> None:
    """Number and sum of each day are enough to work the mean out again."""
    chart = charts.Chart(charts.hourly("systolic", *range(100, 160), every=2))
    told = rule().tell(chart, finding(chart))
    assert len(told.inputs) <= 7
    readings = sum(entry["readings"] for entry in told.inputs)
    assert readings == 60
    assert sum(entry["sum"] for entry in told.inputs) / readings == pytest.approx(told.numbers["mean"])


def test_a_day_of_25_hours() -> None:
    """The week in which the clocks go back has 169 hours, and all of its readings count, through the real book."""
    keeps = {"systolic": rule(window_days=7).keeps}
    desk = book.Desk("Europe/London", keeps, {}, lambda _: None, lambda _: 0)
    first = datetime(2026, 10, 24, 0, 0, tzinfo=ZoneInfo("Europe/London"))
    moments = [first, *(first + timedelta(days=n, hours=8) for n in range(1, 6)), first + timedelta(days=6, hours=23.9)]
    for moment in moments:
        at = (moment.astimezone(UTC) - charts.EPOCH) // timedelta(microseconds=1)
        desk.note(at, "systolic", 140.0, 140.0, 0, False)
    found = rule(min_days=7, min_readings=7).assess(desk)
    assert found == Finding(1, 140.0, False)


@given(
    st.lists(
        st.tuples(st.integers(0, 9 * 24 * 60), st.integers(90, 200), st.sampled_from([0, 0, 0, timeline.POOR])),
        min_size=1,
        max_size=60,
    ),
    st.integers(2, 7),
    st.booleans(),
    st.sampled_from(["Europe/London", "Asia/Kathmandu", "Pacific/Auckland"]),
)
def test_equal_to_the_definition(some: list[tuple[int, int, int]], window_days: int, drop: bool, zone: str) -> None:
    """The mean over the local days, worked out with numpy from wall clock dates; around a clock change."""
    now = charts.us("2026-10-28T21:00:00+00:00")
    readings = [Sample(now - minutes * 60_000_000, float(value), poor) for minutes, value, poor in some]
    chart = charts.Chart({"systolic": readings}, zone, now=now)
    found = rule(window_days=window_days, drop_first_day=drop, min_days=1, min_readings=2).assess(chart)
    dates = [(charts.EPOCH + timedelta(microseconds=s.at)).astimezone(ZoneInfo(zone)).date() for s in readings]
    today = (charts.EPOCH + timedelta(microseconds=now)).astimezone(ZoneInfo(zone)).date()
    ages = np.array([(today - date).days for date in dates])
    values = np.array([sample.value for sample in readings])
    inside = (ages < window_days) & np.array([not sample.quality & timeline.POOR for sample in readings])
    if drop and inside.any():
        inside &= ages < ages[inside].max()
    if inside.sum() < 2:
        assert isinstance(found, Refusal)
        return
    assert isinstance(found, Finding)
    mean = values[inside].mean()
    assert found.signal == pytest.approx(mean)
    assert found.level == int(round(mean, 6) > 135) + int(round(mean, 6) > 150)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"window_days": 8}, "window_days"),
        ({"window_days": 1}, "window_days"),
        ({"min_days": 8}, "min_days"),
        ({"min_days": 7, "drop_first_day": True}, "min_days"),
        ({"min_readings": 0}, "min_readings"),
        ({"red": 130}, "red"),
        ({"direction": "below"}, "red"),
        ({"direction": "rise"}, "direction"),
        ({"drop_first_day": 1}, "drop_first_day"),
        ({"code": "consciousness"}, "code"),
        ({"amber": None, "red": None}, "no limit"),
    ],
)
def test_refuses_what_makes_no_sense(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.RuleError, match=field):
        rule(**changes)


def test_round_trip() -> None:
    for one in (rule(drop_first_day=True), rule(direction="below", amber=110, red=100)):
        assert Average.parse(one.dump(), "rules[0]") == one


def test_one_reading_on_one_day_is_told_as_one() -> None:
    few = {"window_days": 2, "min_days": 1, "min_readings": 1}
    chart = twice_daily(150)
    told = rule(**few).tell(chart, finding(chart, **few)).sentence
    assert "over 1 reading on 1 day (20-Nov), above 135 mmHg" in told
