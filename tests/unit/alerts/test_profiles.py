"""Other limits at other times of the day: by the wall clock, in level, clearing and explanation."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import errors, judged, profiles, rules, scenario, timeline

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = 60_000_000
NIGHT = {"from": "22:00", "to": "07:00", "amber_high": 100, "red_high": 115}
PULSE: dict[str, Any] = {
    "kind": "threshold",
    "code": "pulse",
    "amber_high": 110,
    "red_high": 130,
    "hysteresis": 5,
    "profiles": [NIGHT],
}


def rule(**changes: Any) -> rules.Threshold:
    (found,) = rule_set({**PULSE, **changes}).rules
    assert isinstance(found, rules.Threshold)
    return found


def rule_set(*entries: dict[str, Any]) -> rules.RuleSet:
    return rules.RuleSet.from_json({"pathway": "x", "version": "1", "rules": list(entries)})


def episodes(readings: list[tuple[str, float]], *entries: dict[str, Any], zone: str = "Europe/London") -> list[Any]:
    """Of pulses at ISO times, or of (code, value) pairs under more rules."""
    document = {
        "now": "2026-11-30T00:00:00Z",
        "zone": zone,
        "rules": [{"rules": list(entries) or [PULSE]}],
        "spells": [{"from": "2026-03-01T00:00:00Z", "to": None}],
        "readings": [{"code": "pulse", "value": value, "at": at} for at, value in readings],
    }
    found: list[Any] = scenario.evaluate(json.dumps(document))["episodes"]
    return found


@pytest.mark.parametrize(
    ("time", "red"),
    [("21:59:59.999", False), ("22:00", True), ("23:59", True), ("00:00", True), ("06:59:59", True), ("07:00", False)],
)
def test_in_force_from_the_first_to_before_the_last_minute(time: str, red: bool) -> None:
    """A pulse of 120 is red at night, above 115, and amber, above 110, by day."""
    found = episodes([(f"2026-11-20T{time}Z", 120)])
    assert [episode["level"] for episode in found] == ["red" if red else "amber"]


def test_the_explanation_names_the_limits_that_decided() -> None:
    (night,) = episodes([("2026-11-20T23:00:00Z", 120)])
    assert night["reason"] == "Pulse 120 /min at 23:00, above 115 /min (red, limit from 22:00 to 07:00)"
    assert night["evidence"]["rule"]["red"] == 115
    assert night["evidence"]["clears_when"] == (
        "Pulse back to 95 /min or less from 22:00 to 07:00; at other times by the limits for then"
    )
    (day,) = episodes([("2026-11-20T12:00:00Z", 131)])
    assert day["reason"] == "Pulse 131 /min at 12:00, above 130 /min (red, limit outside 22:00 to 07:00)"
    assert day["evidence"]["rule"]["profiles"] == [NIGHT]


@pytest.mark.parametrize(("time", "ended"), [("2026-11-21T06:59:00Z", None), ("2026-11-21T07:00:00Z", "cleared")])
def test_clears_by_the_limits_of_its_own_time(time: str, ended: str | None) -> None:
    """105 is beyond the night's limits, and back inside the day's."""
    (episode,) = episodes([("2026-11-21T03:00:00Z", 120), (time, 105)])
    assert episode["ending"] == ended


@pytest.mark.parametrize(
    ("zone", "at", "red"),
    [
        ("Europe/London", "2026-10-24T21:30:00Z", True),  # 22:30, summer time
        ("Europe/London", "2026-10-25T06:30:00Z", True),  # 06:30, winter time: the night has an hour more
        ("Europe/London", "2026-10-25T07:00:00Z", False),
        ("Europe/London", "2026-03-29T06:30:00Z", False),  # 07:30, summer time: the night has an hour less
        ("Europe/London", "2026-03-29T05:59:00Z", True),
        ("Asia/Kathmandu", "2026-11-20T01:14:00Z", True),  # 06:59, at five hours and three quarters
        ("Asia/Kathmandu", "2026-11-20T01:15:00Z", False),
        ("America/New_York", "2026-11-21T03:00:00Z", True),
        ("America/New_York", "2026-11-21T02:59:00Z", False),
    ],
)
def test_the_wall_clock_of_the_residents_zone(zone: str, at: str, red: bool) -> None:
    assert [episode["level"] == "red" for episode in episodes([(at, 120)], zone=zone)] == [red]


def test_a_limit_taken_away_at_night() -> None:
    """Null is no limit; the others stay."""
    entry = {**PULSE, "profiles": [{"from": "22:00", "to": "07:00", "amber_high": None}]}
    assert episodes([("2026-11-20T23:00:00Z", 120), ("2026-11-20T23:10:00Z", 120)], entry) == []
    (episode,) = episodes([("2026-11-20T23:00:00Z", 131)], entry)
    assert episode["level"] == "red"


def test_amber_reached_where_there_is_no_amber_any_more() -> None:
    """It waited since the day's limits, and the night has red only: the reason still has a limit."""
    entry = {**PULSE, "sampling": "continuous", "profiles": [{"from": "22:00", "to": "07:00", "amber_high": None}]}
    readings = [("2026-11-20T21:58:00Z", 120.0), ("2026-11-20T22:01:00Z", 140.0), ("2026-11-20T22:02:00Z", 120.0)]
    (episode,) = episodes(readings, entry)
    assert episode["level"] == "amber"
    assert "above 130 /min (amber, limit from 22:00 to 07:00)" in episode["reason"]


def test_red_without_a_time_is_red_at_any_time_of_the_day() -> None:
    found = rule_set(PULSE).red("pulse", 116)
    assert found == ("high", "Pulse 116 /min, above 115 /min (red)")
    assert rule_set(PULSE).red("pulse", 115) is None


def test_news2_keeps_quiet_about_what_its_threshold_told_by_the_limits_of_then() -> None:
    """A saturation that was red by the day's limits stays the threshold's alert when the night's begin."""
    saturation = {
        "kind": "threshold",
        "code": "spo2",
        "red_low": 92,
        "profiles": [{"from": "22:00", "to": "07:00", "red_low": 88}],
    }
    document = {
        "now": "2026-11-21T00:00:00Z",
        "rules": [{"rules": [saturation, {"kind": "news2", "scale": 1}]}],
        "spells": [{"from": "2026-11-01T00:00:00Z", "to": None}],
        "readings": [
            {"code": "spo2", "value": 90, "at": "2026-11-20T21:50:00Z"},
            {"code": "pulse", "value": 70, "at": "2026-11-20T22:10:00Z"},
        ],
    }
    found = scenario.evaluate(json.dumps(document))["episodes"]
    assert [episode["rule"] for episode in found] == ["threshold/spo2/low"]
    document["readings"] = [{"code": "spo2", "value": 90, "at": "2026-11-20T22:05:00Z"}]
    found = scenario.evaluate(json.dumps(document))["episodes"]
    assert [episode["rule"] for episode in found] == ["news2"]


# Rules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([{"from": "22:00", "to": "07:00"}], "names no limit"),
        ([{"from": "22:00", "to": "22:00", "red_high": 120}], "another time"),
        ([{"from": "22", "to": "07:00", "red_high": 120}], "HH:MM"),
        ([{"from": "22:00", "to": "24:00", "red_high": 120}], "HH:MM"),
        ([{"from": "22:00", "to": "07:00", "red_hihg": 120}], "not known"),
        ([{"from": "22:00", "to": "07:00", "red_high": 109}], r"profiles\[0\].red_high: must not be below amber_high"),
        ([{"from": "22:00", "to": "07:00", "amber_low": 110}], "low limits must be below"),
        ([{"from": "22:00", "to": "07:00", "amber_low": 106}], "wider than the band"),
        ([{"from": "22:00", "to": "07:00", "amber_high": None, "red_high": None}], "no limit at all"),
        (
            [NIGHT, {"from": "06:59", "to": "08:00", "red_high": 120}],
            r"profiles\[1\]: overlaps with another one at 06:59",
        ),
        ([{"from": "06:00", "to": "23:00", "red_high": 120}, NIGHT], "overlaps"),
        ({"from": "22:00"}, "must be a list"),
        ([NIGHT] * 7, "at most 6"),
    ],
)
def test_refuses_what_makes_no_sense(found: Any, message: str) -> None:
    """Order and sanity are checked with the limits that the profile leaves as they are."""
    with pytest.raises(errors.RuleError, match=message):
        rule(profiles=found)


def test_one_may_begin_where_another_ends() -> None:
    found = rule(profiles=[NIGHT, {"from": "07:00", "to": "22:00", "red_high": 140}])
    assert [found.in_force("high", minute)[1].red_high for minute in (6 * 60 + 59, 7 * 60, 22 * 60)] == [115, 140, 115]


def test_round_trip() -> None:
    one = rule_set(PULSE)
    assert rules.RuleSet.from_json(one.to_json()) == one
    assert one.to_json()["rules"][0]["profiles"] == [NIGHT]


# Against plain Python -----------------------------------------------------------------------------

_ZONES = ("Europe/London", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York")


@given(st.integers(-(2**40), 2**42).map(lambda n: n * 1000), st.sampled_from(_ZONES))
def test_minutes_of_the_wall_clock(at: int, zone: str) -> None:
    local = (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone))
    # Before time zones were agreed on, clocks were whole seconds apart: none of our concern.
    if (local.utcoffset() or timedelta()) % timedelta(minutes=1) or local.year < 1975:
        return
    expected = local.hour * 60 + local.minute
    assert profiles.minute_of_day(at, zone) == expected
    near = np.array([at, at + 1, at + 86_400_000_000], np.int64)
    assert profiles.minutes_of_day(near, zone)[0] == expected
    assert profiles.minutes_of_day(near, zone).tolist() == [profiles.minute_of_day(int(n), zone) for n in near]


_LIMITS = st.fixed_dictionaries(
    {"red_high": st.sampled_from([120, 125, 130]), "amber_high": st.sampled_from([100, 110])}
)


@st.composite
def _profiles(draw: st.DrawFn) -> list[dict[str, Any]]:
    bounds = sorted(draw(st.sets(st.integers(0, 95), min_size=2, max_size=6)))
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
    if len(bounds) % 2 == 0 and draw(st.booleans()):  # the other way round: the last one over midnight
        pairs = [*zip(bounds[1:-1:2], bounds[2::2], strict=True), (bounds[-1], bounds[0])]
    return [
        {"from": profiles.told(15 * first), "to": profiles.told(15 * last), **draw(_LIMITS)} for first, last in pairs
    ]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(_profiles(), st.sampled_from(_ZONES)), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5 * 96 * 15), st.sampled_from([90, 101, 111, 121, 126, 131]))),
)
def test_levels_of_many_residents_at_once(
    residents: list[tuple[list[dict[str, Any]], str]], some: list[tuple[int, int, int]]
) -> None:
    """The level of each reading, found by looking at the wall clock one reading at a time."""
    start = (datetime(2026, 10, 23, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)  # clocks change within
    sets = [rule_set({**PULSE, "profiles": found}) for found, _ in residents]
    readings = [
        timeline.Reading(n % len(residents), start + minute * 60_000_000, "pulse", float(value), identity=place)
        for place, (n, minute, value) in enumerate(some)
    ]
    rows = timeline.from_readings(readings)
    zones = [zone for _, zone in residents]
    nobody = np.full(len(residents), -1)
    found = judged.judge(
        rows,
        rows.resident,
        rows.resident,
        np.ones(len(rows), bool),
        sets,
        rows.resident,
        [None] * len(sets),
        nobody,
        zones,
    )
    for n, at, value, level in zip(rows.resident, rows.at, rows.high, found.high_level, strict=True):
        amber, red = _limits_at(int(at), *residents[n])
        assert level == (2 if value > red else 1 if value > amber else 0)


def _limits_at(at: int, found: list[dict[str, Any]], zone: str) -> tuple[float, float]:
    local = (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone))
    clock = f"{local.hour:02d}:{local.minute:02d}"
    for entry in found:
        first, last = entry["from"], entry["to"]
        if first <= clock < last if first < last else clock >= first or clock < last:
            return entry["amber_high"], entry["red_high"]
    return PULSE["amber_high"], PULSE["red_high"]


@given(
    st.integers(0, 12 * 24 * 60),
    st.integers(1, 3 * 24 * 60),
    st.sampled_from(["Europe/London", "UTC", "Australia/Lord_Howe", "America/New_York"]),
    st.sampled_from(
        [
            [("22:00", "07:00")],
            [("01:30", "02:00"), ("02:00", "02:20")],
            [("00:00", "12:00"), ("12:00", "00:00")],
            [("23:59", "00:01"), ("01:00", "03:00")],
        ]
    ),
)
def test_stretches_are_the_profiles_minute_by_minute(
    after: int, minutes: int, zone: str, times: list[tuple[str, str]]
) -> None:
    """Also when the clocks change: late March, early April, and October."""
    entry = {"profiles": [{"from": start, "to": stop, "red_low": 80 + n} for n, (start, stop) in enumerate(times)]}
    found = profiles.parse(entry, "rule")
    for begin in (datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)):
        start = (begin - EPOCH) // timedelta(microseconds=1) + after * MINUTE + 7_000_000
        stop = start + minutes * MINUTE
        held = list(profiles.stretches(found, start, stop, zone))
        assert (held[0][0], held[-1][1]) == (start, stop)
        assert all(one[1] == other[0] and one[2] is not other[2] for one, other in itertools.pairwise(held))
        for at in range(start, stop, 7 * MINUTE):
            minute = profiles.minute_of_day(at, zone)
            expected = next((profile for profile in found if profile.covers(minute)), None)
            (told,) = [profile for first, last, profile in held if first <= at < last]
            assert told is expected
