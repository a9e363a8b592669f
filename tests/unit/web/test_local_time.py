"""Times as staff type them, around the days on which the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.web.shown import formats, local_time

ZONE = "Europe/London"


def read(date: str, time: str, **more: str) -> tuple[datetime | None, list[str]]:
    wrong: list[dict[str, Any]] = []
    found = local_time.read({"date": date, "time": time, **more}, "", ZONE, wrong)
    return found, [error["field"] for error in wrong]


def test_an_hour_that_the_clocks_skipped_is_refused() -> None:
    """On 29 March 2026 one o'clock is followed by two."""
    assert read("29-Mar-2026", "01:30") == (None, ["time"])
    assert read("29-Mar-2026", "00:59") == (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), [])
    assert read("29-Mar-2026", "02:00") == (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), [])


@pytest.mark.parametrize(("fold", "hour"), [("0", 0), ("1", 1)])
def test_an_hour_that_came_twice_is_asked_about(fold: str, hour: int) -> None:
    """On 25 October 2026 half past one is twice; the answer says which."""
    assert read("25-Oct-2026", "01:30") == (None, ["fold"])
    assert read("25-Oct-2026", "01:30", fold="x") == (None, ["fold"])
    assert read("25-Oct-2026", "01:30", fold=fold) == (datetime(2026, 10, 25, hour, 30, tzinfo=UTC), [])


def test_what_is_no_date_or_time_is_named() -> None:
    """Both at once, each with its field."""
    assert read("yesterday", "noon") == (None, ["date", "time"])
    assert read("31-Feb-2026", "10:00") == (None, ["date"])


@given(st.integers(0, 10 * 366 * 1440))
def test_what_is_shown_can_be_typed(minutes: int) -> None:
    """Every minute comes back as itself, with the hour's answer where it is asked for."""
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    here = at.astimezone(formats.zone_of(ZONE))
    found, wrong = read(formats.staff_date(at, ZONE), here.strftime("%H:%M"), fold=str(here.fold))
    assert (found, wrong) == (at, [])
