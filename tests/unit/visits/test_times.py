"""Local times that exist once, twice or not at all; series across changes of the clocks."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.errors import Invalid
from telehealth.model import appointments as times

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LONDON = "Europe/London"


def test_ordinary_times() -> None:
    assert times.at_local(date(2026, 3, 2), time(10, 30), LONDON) == datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
    assert times.at_local(date(2026, 7, 2), time(10, 30), LONDON) == datetime(2026, 7, 2, 9, 30, tzinfo=UTC)


def test_a_time_that_the_clocks_skip_is_refused() -> None:
    with pytest.raises(Invalid, match="does not exist"):
        times.at_local(date(2026, 3, 29), time(1, 30), LONDON)


def test_a_time_that_comes_twice_is_asked_for() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    with pytest.raises(times.Ambiguous) as asked:
        times.at_local(date(2026, 10, 25), time(1, 30), LONDON)
    assert (asked.value.first, asked.value.second) == (first, first + timedelta(hours=1))
    assert times.at_local(date(2026, 10, 25), time(1, 30), LONDON, "first") == first
    assert times.at_local(date(2026, 10, 25), time(1, 30), LONDON, "second") == first + timedelta(hours=1)


def test_a_zone_that_does_not_exist() -> None:
    with pytest.raises(Invalid):
        times.at_local(date(2026, 3, 2), time(10, 30), "Europe/Atlantis")


def series(**more: object) -> times.NewSeries:
    fields: dict[str, object] = {
        "ward_id": 1, "kind": "ward_round", "resident_ids": [1], "weekdays": [0, 3], "local_time": time(9, 0),
        "zone": LONDON, "first_on": date(2026, 3, 2),
    }  # fmt: skip
    return times.NewSeries(**(fields | more))  # type: ignore[arg-type]  # fields by name, checked at run time


def test_a_series_keeps_its_local_time() -> None:
    found = list(times.occurrences(series(), after=None, until=date(2026, 4, 6)))
    assert [day for day, _ in found][:4] == [date(2026, 3, 2), date(2026, 3, 5), date(2026, 3, 9), date(2026, 3, 12)]
    assert {moment.astimezone(zoneinfo.ZoneInfo(LONDON)).time() for _, moment in found} == {time(9, 0)}
    assert {moment.hour for _, moment in found} == {8, 9}


def test_every_other_week() -> None:
    found = times.occurrences(series(every_weeks=2, first_on=date(2026, 3, 5)), after=None, until=date(2026, 3, 31))
    assert [day.day for day, _ in found] == [5, 16, 19, 30]


def test_a_series_ends_with_its_last_day() -> None:
    found = times.occurrences(series(last_on=date(2026, 3, 9)), after=None, until=date(2026, 3, 31))
    assert [day.day for day, _ in found] == [2, 5, 9]


def test_a_night_round_at_the_change_of_the_clocks() -> None:
    """Nobody can be asked: skipped time moves on by what the clocks do, doubled time is the first."""
    night = series(local_time=time(1, 30), weekdays=[6])
    spring = dict(times.occurrences(night, after=date(2026, 3, 28), until=date(2026, 3, 29)))
    assert spring == {date(2026, 3, 29): datetime(2026, 3, 29, 1, 30, tzinfo=UTC)}
    autumn = dict(times.occurrences(night, after=date(2026, 10, 24), until=date(2026, 10, 25)))
    assert autumn == {date(2026, 10, 25): datetime(2026, 10, 25, 0, 30, tzinfo=UTC)}


@given(
    weekdays=st.lists(st.integers(0, 6), min_size=1, unique=True),
    every=st.integers(1, 12),
    first=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    zone=st.sampled_from(["Europe/London", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    cut=st.integers(0, 200),
)
def test_made_in_parts_or_at_once(weekdays: list[int], every: int, first: date, zone: str, cut: int) -> None:
    """Making a series' times in two steps gives the same ones as in one, each on a day of it, in order."""
    new = series(weekdays=weekdays, every_weeks=every, first_on=first, zone=zone)
    until, middle = first + timedelta(days=200), first + timedelta(days=cut)
    whole = list(times.occurrences(new, after=None, until=until))
    parts = [
        *times.occurrences(new, after=None, until=middle),
        *times.occurrences(new, after=middle, until=until),
    ]
    assert whole == parts
    assert [moment for _, moment in whole] == sorted(moment for _, moment in whole)
    assert {day.weekday() for day, _ in whole} <= set(weekdays)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("kind", {"kind": "chat"}),
        ("residents", {"resident_ids": []}),
        ("residents", {"resident_ids": [1, 1]}),
        ("residents", {"kind": "one_to_one", "resident_ids": [1, 2]}),
        ("starts_at", {"starts_at": NOW - timedelta(hours=1)}),
        ("starts_at", {"starts_at": NOW + timedelta(days=900)}),
        ("minutes", {"minutes": 4}),
        ("minutes", {"minutes": 481}),
        ("reason", {"reason": "x" * 201}),
    ],
)
def test_what_cannot_be_booked(field: str, wrong: dict[str, object]) -> None:
    fields = {"ward_id": 1, "kind": "group", "resident_ids": [1], "starts_at": NOW} | wrong
    with pytest.raises(Invalid) as refused:
        times.New(**fields).checked(now=NOW)  # type: ignore[arg-type]  # fields by name, checked at run time
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("weekdays", {"weekdays": [7]}),
        ("every_weeks", {"every_weeks": 0}),
        ("zone", {"zone": "London"}),
        ("first_on", {"first_on": date(2026, 3, 1)}),
        ("last_on", {"last_on": date(2026, 3, 1)}),
    ],
)
def test_what_cannot_come_again(field: str, wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refused:
        series(**wrong).checked(now=NOW)
    assert refused.value.field == field
