"""How things are written and scaled for staff."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.store.sessions import Failures
from telehealth.web import errors, parse, render, throttle
from telehealth.web.shown import formats, measures, residents_json

AT = datetime(2026, 7, 1, 22, 54, 7, tzinfo=UTC)


def test_forms_of_dates_and_times() -> None:
    """Day-Mon-year and 24 hours, in the zone of the ward, whatever the machine's settings."""
    assert formats.staff_date(AT) == "01-Jul-2026"
    assert formats.staff_time(AT) == "23:54"
    assert formats.staff_moment(AT, "Asia/Tokyo") == "02-Jul-2026 07:54"
    assert formats.staff_second("2026-07-01T22:54:07.000Z") == "01-Jul-2026 23:54:07"
    assert formats.born("1941-08-14") == "14-Aug-1941"
    assert formats.nhs_number("9994765919") == "999 476 5919"
    assert formats.staff_moment(AT, "No/Where") == formats.staff_moment(AT)
    assert formats.staff_date(None) == formats.staff_time(None) == formats.age(None, AT) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8, "8sec"),
        (720, "12min"),
        (4 * 3600 + 32 * 60, "4hr 32min"),
        (86400, "1 day"),
        (3 * 86400 + 7200, "3 days 2hr"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert formats.duration(seconds) == text
    assert formats.age(AT - timedelta(seconds=seconds), AT) == text


def test_years_turn_on_the_birthday() -> None:
    assert formats.years(date(1941, 8, 14), date(2026, 8, 13)) == 84
    assert formats.years(date(1941, 8, 14), date(2026, 8, 14)) == 85


@given(st.recursive(st.text() | st.none() | st.integers(), lambda inner: st.lists(inner)))
def test_json_in_a_page_cannot_end_its_element(value: object) -> None:
    """Whatever a resident is called, the data block stays one, and reads back the same."""
    text = str(formats.json_script({"v": value, "x": "</script><!--"}))
    assert "<" not in text
    assert json.loads(text)["v"] == value


def test_values_are_written_with_the_decimals_of_the_measure() -> None:
    assert measures.text("temperature", 37.0, None) == "37.0"
    assert measures.text("spo2", 96.0, None) == "96"
    assert measures.text("on_oxygen", 1.0, None) == "yes"
    assert measures.text("consciousness", None, "V") == "V"
    assert measures.text("spo2", None, None) == ""
    assert measures.plain("on_oxygen", 0.0, None) is False
    assert measures.unit("temperature") == "°C"


def test_what_is_a_gap_depends_on_what_is_usual() -> None:
    """An hour is long for a wearable and short for a blood pressure taken twice a day."""
    minutes = [60.0 * i for i in range(60)]
    assert measures.gaps([*minutes, 60 * 59 + 3600]) == [(60 * 59, 60 * 59 + 3600)]
    twice_daily = [12 * 3600.0 * i + burst for i in range(10) for burst in (0, 60, 120)]
    assert measures.gaps(twice_daily) == []
    assert measures.gaps(twice_daily, twice_daily[-1] + 5 * 86400) == [(twice_daily[-1], twice_daily[-1] + 5 * 86400)]
    assert measures.gaps([]) == measures.gaps([1.0, 2.0]) == []


def test_waiting_grows_and_ends() -> None:
    """Free tries, then twice as long each time, never more than five minutes, and it passes."""
    waits = [throttle.wait_seconds(Failures(count, AT), AT) for count in range(20)]
    assert waits[: throttle.FREE] == [0] * throttle.FREE
    assert waits[throttle.FREE : throttle.FREE + 3] == [2, 4, 8]
    assert max(waits) == throttle.LONGEST_WAIT_SECONDS
    assert throttle.wait_seconds(Failures(20, AT), AT + timedelta(seconds=30)) == 0
    assert throttle.wait_seconds(None, AT) == 0
    assert throttle.delay_seconds(Failures(10_000, AT)) == throttle.LONGEST_DELAY_SECONDS


@given(st.text(max_size=60))
def test_only_our_own_cursors_are_taken(text: str) -> None:
    """Any other text is a clear refusal, never an error of ours."""
    for kinds in ((int,), (str,), (datetime, int)):
        with contextlib.suppress(errors.Problem):
            residents_json.place(text, kinds)


def test_cursors_come_back() -> None:
    assert residents_json.place(residents_json.cursor(AT, 7), (datetime, int)) == [AT, 7]
    assert residents_json.place(None, (int,)) is None


@given(st.text(max_size=100))
def test_after_a_form_we_stay_at_home(wanted: str) -> None:
    """Where to go next is a path of ours, whatever was asked for."""
    path = render.own_path(wanted, "/")
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert path.isprintable()


def test_requests_are_bounded() -> None:
    assert parse.MOST_BYTES <= 64 * 1024


@pytest.mark.parametrize("typed", ["14-Aug-1941", " 14 August 1941 ", "14/8/1941", "14.08.1941", "1941-08-14"])
def test_dates_are_read_in_the_forms_in_which_people_write_them(typed: str) -> None:
    assert formats.read_date(typed) == date(1941, 8, 14)


@pytest.mark.parametrize(
    "typed", ["", "yesterday", "31-Feb-2026", "14-Foo-1941", "08/14/1941", "19410814", "1941-W33-4"]
)
def test_other_dates_are_refused(typed: str) -> None:
    assert formats.read_date(typed) is None


def test_times_are_read_in_24_hours() -> None:
    assert formats.read_time(" 9:05 ") == time(9, 5)
    assert formats.read_time("23:59") == time(23, 59)
    for typed in ("", "24:00", "9.05", "09:5", "9:05pm", "09:05:00"):
        assert formats.read_time(typed) is None


def test_the_range_of_a_weight_is_around_the_resident() -> None:
    """A kilogram can be seen, and the range does not creep with every reading."""
    assert measures.height("weight", 86.2) == (75, 95)
    assert measures.height("weight", 86.9) == (75, 95)
    assert measures.height("weight", None) is None
    assert measures.height("spo2", None) == (80, 100)


def test_residents_read_plain_times() -> None:
    assert formats.plain_time(AT) == "11.54pm"
    assert formats.plain_date(AT) == "Wednesday 1 July 2026"
    hours = {hour: formats.plain_time(datetime(2026, 12, 1, hour, tzinfo=UTC)) for hour in (0, 1, 12, 17)}
    assert hours == {0: "midnight", 1: "1am", 12: "midday", 17: "5pm"}
    assert formats.plain_time(datetime(2026, 12, 1, 12, 30, tzinfo=UTC)) == "12.30pm"
    assert formats.plain_time(None) == formats.plain_date(None) == ""


def test_a_time_that_comes_twice_says_which_it_is() -> None:
    """The last Sunday of October in London: 01:00 to 02:00 once in summer time and once in winter time."""
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    assert formats.staff_moment(first) == "25-Oct-2026 01:30 BST"
    assert formats.staff_moment(second) == "25-Oct-2026 01:30 GMT"
    assert formats.staff_time(second) == "01:30 GMT"
    assert formats.staff_second(first) == "25-Oct-2026 01:30:00 BST"
    for hour, minute, shown in ((23, 59, "00:59"), (2, 0, "02:00")):
        day = 24 if hour == 23 else 25
        assert formats.staff_time(datetime(2026, 10, day, hour, minute, tzinfo=UTC)) == shown
    assert formats.staff_time(datetime(2026, 3, 29, 1, 30, tzinfo=UTC)) == "02:30"
