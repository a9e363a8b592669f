"""Recorded readings: a bad line costs only itself and is told by its number."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import clock, errors, recording, replay, world

HEADER = "person,code,value,unit,taken_at\n"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def parse(*lines: str, zone: str | None = None) -> recording.Recording:
    text = (HEADER + "".join(line + "\n" for line in lines)).splitlines(keepends=True)
    return recording.parse(text, ZoneInfo(zone) if zone else None)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("p,pulse,abc,/min,2026-01-01T10:00:00Z", "value is not a number"),
        ("p,pulse,nan,/min,2026-01-01T10:00:00Z", "value is not a number"),
        ("p,pulse,1e999,/min,2026-01-01T10:00:00Z", "value is not a finite number"),
        ('p,pulse,"72,5",/min,2026-01-01T10:00:00Z', "value is not a number"),
        ("p,pulse,1_0,/min,2026-01-01T10:00:00Z", "value is not a number"),
        ("p,pulse,,/min,2026-01-01T10:00:00Z", "value is empty"),
        ("p,pulse,72,/min,2026-01-01 10:00:00", "no offset"),
        ("p,pulse,72,/min,yesterday", "not an ISO 8601 time"),
        ("p,pulse,72,/min,2026-01-01", "without a time of day"),
        ("p,pulse,72,/min,0001-01-01T00:00:00Z", "between 1970 and 2200"),
        ("p,pulse,72,/min", "4 cells where the header has 5"),
        (",pulse,72,/min,2026-01-01T10:00:00Z", "person is empty"),
        ("p,on_oxygen,perhaps,,2026-01-01T10:00:00Z", "value is not true or false"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_the_others_are_taken(line: str, error: str) -> None:
    good = "p,pulse,72,/min,2026-01-01T10:00:00Z"
    found = parse(good, line, good)
    assert [row.line for row in found.rows] == [2, 4]
    assert [(bad.line, error in bad.error) for bad in found.bad] == [(3, True)]


@pytest.mark.parametrize(
    ("text", "sent"),
    [("98", b"98"), ("97.0", b"97.0"), ("0.960", b"0.960"), ("+7", b"7.0"), (".5", b"0.5"), ("-1e2", b"-1e2")],
)
def test_a_number_is_sent_as_it_is_written(text: str, sent: bytes) -> None:
    assert msgspec.json.encode(parse(f"p,spo2,{text},%,2026-01-01T10:00:00Z").rows[0].value) == sent


def test_codes_and_booleans_are_sent_as_such() -> None:
    found = parse("p,consciousness,V,,2026-01-01T10:00:00Z", "p,on_oxygen,Yes,,2026-01-01T10:00:00Z")
    assert [row.value for row in found.rows] == ["V", True]
    assert [row.unit for row in found.rows] == [None, None]


def test_a_zone_is_used_for_times_without_an_offset_and_two_spaces_are_one() -> None:
    found = parse("p,pulse,72,/min,2026-07-01  10:00:00", "p,pulse,72,/min,2026-07-01T10:00:00Z", zone="Europe/London")
    assert [clock.from_ms(row.taken_ms).hour for row in found.rows] == [9, 10]


def test_a_local_time_that_the_clocks_skipped_is_a_bad_line() -> None:
    found = parse("p,pulse,72,/min,2026-03-29 01:30:00", zone="Europe/London")
    assert "did not exist" in found.bad[0].error


def test_a_file_without_the_columns_is_refused() -> None:
    with pytest.raises(errors.BadInput, match="missing: taken_at"):
        recording.parse(["person,code,value,unit\n"], None)


def test_columns_may_stand_in_any_order_beside_others() -> None:
    lines = ["note,taken_at,unit,value,code,person\n", "x,2026-01-01T10:00:00Z,/min,72,pulse,p\n"]
    assert recording.parse(lines, None).rows[0].person == "p"


DEVICES = [
    world.Device("cuff", "x", ["systolic", "diastolic", "pulse"]),
    world.Device("oximeter", "x", ["spo2", "pulse"]),
    world.Device("other", "x", ["spo2", "pulse"]),
]


def test_shifting_keeps_distances_and_ends_now() -> None:
    rows = parse("p,pulse,1,/min,2020-01-01T00:00:00Z", "p,pulse,2,/min,2020-01-03T00:00:00Z").rows
    assert rows[1].taken_ms + replay.shift(rows, "end=now", NOW) == clock.to_ms(NOW)
    assert rows[0].taken_ms + replay.shift(rows, "start=2026-11-01T00:00:00+00:00", NOW) == clock.to_ms(
        datetime(2026, 11, 1, tzinfo=UTC)
    )
    assert replay.shift(rows, "none", NOW) == 0
    for wrong in ("start=2026-11-01", "later", "start=x"):
        with pytest.raises(errors.BadInput):
            replay.shift(rows, wrong, NOW)


def test_persons_get_devices_that_measure_their_codes_in_order_or_as_given() -> None:
    rows = parse(
        "a,spo2,97,%,2026-01-01T10:00:00Z",
        "b,systolic,120,mm[Hg],2026-01-01T10:00:00Z",
        "c,spo2,97,%,2026-01-01T10:00:00Z",
        "d,spo2,97,%,2026-01-01T10:00:00Z",
    ).rows
    assert replay.assign(rows, DEVICES, {}) == {"a": "oximeter", "b": "cuff", "c": "other", "d": "oximeter"}
    assert replay.assign(rows, DEVICES, {"a": "other"})["a"] == "other"
    with pytest.raises(errors.BadInput, match="--map"):
        replay.assign(rows, DEVICES, {"a": "stranger"})


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["systolic", "diastolic"]), st.integers(0, 3000)),
        min_size=1,
        max_size=60,
    ),
    st.integers(2, 20),
)
def test_every_row_travels_once_and_times_stay_together(given_rows: list[tuple[str, str, int]], most: int) -> None:
    rows = [
        recording.Row(line, person, code, 120, "mm[Hg]", second * 1000)
        for line, (person, code, second) in enumerate(given_rows, 2)
    ]
    parcels = replay.parcels(rows, {"a": "d1", "b": "d1"}, 0, 3_000_000, most)
    assert sorted(line for parcel in parcels for line in parcel.lines) == [row.line for row in rows]
    by_line = {row.line: row for row in rows}
    for parcel in parcels:
        assert len(parcel.lines) <= most
        sent = msgspec.json.decode(parcel.batch.readings)
        assert len(sent) == len(parcel.lines) == parcel.batch.count
        chosen = [by_line[line] for line in parcel.lines]
        assert len({row.person for row in chosen}) == 1
        assert len({3_000_000 - row.taken_ms > 900_000 for row in chosen}) == 1
        assert [clock.text(clock.from_ms(row.taken_ms)) for row in chosen] == [entry["taken_at"] for entry in sent]
        assert len({entry["source_id"] for entry in sent}) == 1
