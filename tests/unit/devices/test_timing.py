from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import timing

RECEIVED = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def _at(seconds: float) -> datetime:
    return RECEIVED + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("taken", "sent"),
    [(-3, -1), (-3, None), (-86_400 * 2, -1), (-86_400, -86_400 + 5), (60, 60), (60, None), (59, 0), (0, -60)],
)
def test_a_clock_that_can_be_believed(taken: float, sent: float | None) -> None:
    got = timing.effective(_at(taken), None if sent is None else _at(sent), RECEIVED)
    assert got == (_at(taken), False)


@pytest.mark.parametrize(
    ("taken", "sent", "effective"),
    [(61, 61, 0), (3600, 3605, -5), (86_400 * 365 * 12, 86_400 * 365 * 12 + 7, -7), (-10, 3600, -3610)],
)
def test_a_clock_ahead_is_corrected_by_when_it_sent(taken: float, sent: float, effective: float) -> None:
    assert timing.effective(_at(taken), _at(sent), RECEIVED) == (_at(effective), True)


@pytest.mark.parametrize("year", [1970, 2000, 2010, 2019])
def test_a_clock_that_was_not_set_is_corrected_by_when_it_sent(year: int) -> None:
    taken = datetime(year, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert timing.effective(taken, taken + timedelta(seconds=4), RECEIVED) == (_at(-4), True)


def test_a_device_may_say_itself_that_its_clock_is_not_set() -> None:
    assert timing.effective(_at(-100), _at(-90), RECEIVED, clock_set=False) == (_at(-10), True)
    assert timing.effective(_at(-100), None, RECEIVED, clock_set=False) == (None, True)


@pytest.mark.parametrize(("taken", "sent"), [(61, 0), (61, None), (86_400 * 365 * 12, -1), (5, -60)])
def test_times_that_make_no_sense_give_none(taken: float, sent: float | None) -> None:
    assert timing.effective(_at(taken), None if sent is None else _at(sent), RECEIVED) == (None, True)


def test_a_clock_set_between_measuring_and_sending_is_taken_at_its_word() -> None:
    # 1970 and then now: the difference is decades, and the reading lands far in the past, marked.
    got = timing.effective(datetime(1970, 1, 1, tzinfo=UTC), _at(-1), RECEIVED)
    assert got.uncertain
    assert got.effective_at is not None
    assert got.effective_at < RECEIVED


TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2200, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
RECEIVED_TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(TIMES, st.none() | TIMES, RECEIVED_TIMES)
def test_no_reading_counts_more_than_a_minute_after_it_was_received(
    taken: datetime, sent: datetime | None, received: datetime
) -> None:
    got = timing.effective(taken, sent, received)
    assert got.effective_at is None or got.effective_at <= received + timing.TOLERANCE
    assert got.uncertain or got.effective_at == taken


@given(TIMES, TIMES, RECEIVED_TIMES, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_later_readings_of_one_message_count_later(
    taken: datetime, sent: datetime, received: datetime, later: timedelta
) -> None:
    first, second = timing.effective(taken, sent, received), timing.effective(taken + later, sent, received)
    if first.effective_at and second.effective_at and first.uncertain == second.uncertain:
        assert second.effective_at - first.effective_at == later


LONDON = ZoneInfo("Europe/London")


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("local", "zone", "not_after", "moment", "certain"),
    [
        ("2026-01-10T08:00", "Europe/London", "2026-01-10T08:00:05", "2026-01-10T08:00", True),
        ("2026-07-10T08:00", "Europe/London", "2026-07-10T08:00:05", "2026-07-10T07:00", True),
        # the clocks went forward at 01:00 UTC: there is no 01:30; a clock that still shows it means 01:30 GMT
        ("2026-03-29T00:59:59.999", "Europe/London", "2026-03-29T09:00", "2026-03-29T00:59:59.999", True),
        ("2026-03-29T01:00", "Europe/London", "2026-03-29T09:00", "2026-03-29T01:00", False),
        ("2026-03-29T01:30", "Europe/London", "2026-03-29T09:00", "2026-03-29T01:30", False),
        ("2026-03-29T02:00", "Europe/London", "2026-03-29T09:00", "2026-03-29T01:00", True),
        # the clocks went back at 01:00 UTC: 01:00 to 02:00 came twice
        ("2026-10-25T00:59", "Europe/London", "2026-10-25T09:00", "2026-10-24T23:59", True),
        ("2026-10-25T01:30", "Europe/London", "2026-10-25T09:00", "2026-10-25T01:30", False),
        ("2026-10-25T01:30", "Europe/London", "2026-10-25T01:29:00", "2026-10-25T01:30", False),
        ("2026-10-25T01:30", "Europe/London", "2026-10-25T01:28:59", "2026-10-25T00:30", True),
        ("2026-10-25T01:30", "Europe/London", "2026-10-25T00:30:02", "2026-10-25T00:30", True),
        ("2026-10-25T01:30", "Europe/London", "2026-10-25T00:00", "2026-10-25T00:30", False),
        ("2026-10-25T02:00", "Europe/London", "2026-10-25T09:00", "2026-10-25T02:00", True),
        # half an hour of daylight saving, and a day that was left out
        ("2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-06T00:00", "2026-04-04T15:15", False),
        ("2011-12-30T12:00", "Pacific/Apia", "2012-01-05T00:00", "2011-12-30T22:00", False),
    ],
)
def test_local_times_by_their_zone(local: str, zone: str, not_after: str, moment: str, certain: bool) -> None:
    got = timing.localised(_local(local), ZoneInfo(zone), _utc(not_after))
    assert got == (_utc(moment), certain)
    assert got[0].tzinfo is UTC


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001
    st.sampled_from(["Europe/London", "Pacific/Kiritimati", "Pacific/Honolulu", "Australia/Lord_Howe", "UTC"]),
    RECEIVED_TIMES,
)
def test_a_local_time_without_doubt_reads_the_same_in_its_zone(local: datetime, zone: str, not_after: datetime) -> None:
    at, certain = timing.localised(local, ZoneInfo(zone), not_after)
    shown = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert not certain or shown == local
    assert abs(shown - local) <= timedelta(days=1)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)), st.timedeltas(timedelta(0), timedelta(days=2)))  # noqa: DTZ001
def test_what_a_right_clock_showed_is_found_again_or_said_to_be_in_doubt(utc: datetime, delay: timedelta) -> None:
    measured = utc.replace(tzinfo=UTC)
    shown = measured.astimezone(LONDON).replace(tzinfo=None)
    at, certain = timing.localised(shown, LONDON, measured + delay)
    assert at == measured or not certain
    assert at <= measured + delay + timing.TOLERANCE
