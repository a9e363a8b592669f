"""Clocks of simulated devices that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from simulator import clock, errors, faults

START = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "minutes", "shown"),
    [
        ("+2h", 0, START + timedelta(hours=2)),
        ("-90s", 5, START + 5 * MINUTE - timedelta(seconds=90)),
        ("-1h@10m", 9, START + 9 * MINUTE),
        ("-1h@10m", 10, START + 10 * MINUTE - timedelta(hours=1)),
        ("unset", 3, datetime(2000, 1, 1, 0, 3, tzinfo=UTC)),
        ("drift+20s", 1440, START + timedelta(days=1, seconds=20)),
    ],
)
def test_what_a_wrong_clock_shows(text: str, minutes: int, shown: datetime) -> None:
    fault = faults.parse(text, START)
    assert clock.from_ms(fault.shown(clock.to_ms(START + minutes * MINUTE))) == shown


def test_faults_are_told_by_device() -> None:
    found = faults.parse_all(["a=+2h", "b=unset"], START)
    assert set(found) == {"a", "b"}
    assert faults.RIGHT.shown(7) == 7
    for wrong in (["a"], ["a=2h"], ["a=+2y"], ["=@"]):
        with pytest.raises(errors.BadInput):
            faults.parse_all(wrong, START)
