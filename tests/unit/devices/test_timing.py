from __future__ import annotations

from datetime import UTC, datetime, timedelta

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
