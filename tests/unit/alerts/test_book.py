"""What the fold remembers of each code, against the plainest way to work it out."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import book, glucose, timeline
from alerts.kinds import base
from alerts.kinds.base import Keep

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_US = 3_600_000_000
_KEEP = Keep(60, 168)
_ZONES = ("Europe/London", "UTC", "Australia/Lord_Howe", "America/New_York")


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


_START = _us(datetime(2026, 3, 20, tzinfo=UTC))

readings = st.lists(
    st.tuples(
        st.integers(0, 90 * 24 * 60),  # minutes after the start
        st.floats(1, 30).map(lambda value: round(value, 1)),
        st.sampled_from((0, 0, 0, timeline.POOR, timeline.UNCERTAIN)),
    ),
    max_size=60,
)


def _desk(zone: str, pages: Mapping[str, book.Page] | None = None) -> book.Desk:
    return book.Desk(zone, {"glucose": _KEEP, "weight": _KEEP}, pages or {}, lambda _: None, lambda _: 0)


@given(readings, st.sampled_from(_ZONES))
def test_days_are_those_of_the_residents_calendar(entries: list[tuple[int, float, int]], zone: str) -> None:
    """Each day's median, least and greatest are those of its usable readings, by local date, of 60 days."""
    desk = _desk(zone)
    by_date: dict[int, list[float]] = {}
    for minutes, value, quality in sorted(entries, key=lambda entry: entry[0]):
        at = _START + minutes * 60_000_000
        desk.note(at, "weight", value, value, quality, False)
        if not quality & timeline.POOR:
            local = (_EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone)).date()
            by_date.setdefault((local - date(1970, 1, 1)).days, []).append(value)
    newest = max(by_date, default=0)
    expected = [
        (day, len(values), round(statistics.median(values), 9), min(values), max(values))
        for day, values in sorted(by_date.items())
        if day >= newest - _KEEP.days
    ]
    assert [tuple(day)[:5] for day in desk.days("weight")] == expected


@given(readings)
def test_the_newest_samples_are_kept(entries: list[tuple[int, float, int]]) -> None:
    """Those of seven days before the newest, in order, without what the device doubted."""
    desk = _desk("UTC")
    usable = []
    for minutes, value, quality in sorted(entries, key=lambda entry: entry[0]):
        at = _START + minutes * 60_000_000
        desk.note(at, "weight", value, value, quality, False)
        if not quality & timeline.POOR:
            usable.append((at, value, quality))
    oldest = usable[-1][0] - _KEEP.hours * _HOUR_US if usable else 0
    assert [tuple(sample)[:3] for sample in desk.samples("weight")] == [entry for entry in usable if entry[0] >= oldest]


pairs = st.lists(
    st.tuples(
        st.integers(0, 10 * 24 * 60),
        st.sampled_from((70.0, 71.5, 72.0, 75.0)),
        st.sampled_from((0.0, 0.0, 0.0, 2.0, 5.0)),  # how far apart two values of one reading are
    ),
    max_size=40,
)


@given(pairs, st.sampled_from(("weight", "spo2")), st.integers(0, 40))
def test_days_have_both_ends_of_what_came_with_different_values(
    entries: list[tuple[int, float, float]], code: str, cut: int
) -> None:
    """Median, least and greatest of a day by the lower ends or by the higher ones; also from a checkpoint."""
    desk = book.Desk("UTC", {code: _KEEP}, {}, lambda _: None, lambda _: 0)
    ends: dict[str, dict[int, list[float]]] = {"low": {}, "high": {}}
    for position, (minutes, low, apart) in enumerate(sorted(entries, key=lambda entry: entry[0])):
        at = _START + minutes * 60_000_000
        if position == cut:
            desk = book.Desk(
                "UTC", {code: _KEEP}, book.from_json(book.to_json(desk.pages())), lambda _: None, lambda _: 0
            )
        desk.note(at, code, low, low + apart, timeline.CONFLICT if apart else 0, False)
        for end, value in (("low", low), ("high", low + apart)):
            ends[end].setdefault(at // (24 * _HOUR_US), []).append(value)
    worse: base.Worse
    for worse in ("low", "high"):
        assert [tuple(day)[:5] for day in desk.days(code, worse)] == [
            (day, len(values), round(statistics.median(values), 9), min(values), max(values))
            for day, values in ends[worse].items()
        ]


def test_bounds_hold_for_a_reading_a_second() -> None:
    """A device that never stops neither grows the samples nor the day."""
    desk = _desk("UTC")
    for second in range(5000):
        desk.note(_START + second * 1_000_000, "weight", 70.0, 70.0, 0, False)
    assert len(desk.samples("weight")) == book.KEPT_SAMPLES
    assert desk.days("weight")[-1].readings == book.MOST_A_DAY


@given(readings, st.integers(0, 60))
def test_a_page_survives_its_checkpoint(entries: list[tuple[int, float, int]], cut: int) -> None:
    """Written as JSON and read back anywhere, it goes on as if nothing had been."""
    whole, first = _desk("UTC"), _desk("UTC")
    ordered = sorted(entries, key=lambda entry: entry[0])
    for position, (minutes, value, quality) in enumerate(ordered):
        at = _START + minutes * 60_000_000
        if position == cut:
            first = _desk("UTC", book.from_json(book.to_json(first.pages())))
        whole.note(at, "glucose", value, value, quality, False)
        first.note(at, "glucose", value, value, quality, False)
    assert first.pages() == whole.pages()


@pytest.mark.parametrize(
    ("mg_dl", "expected"),
    [
        (53, (1, 1, 0, 0)),
        (54, (0, 1, 0, 0)),
        (69, (0, 1, 0, 0)),
        (70, (0, 0, 0, 0)),
        (180, (0, 0, 0, 0)),
        (181, (0, 0, 1, 0)),
        (250, (0, 0, 1, 0)),
        (250.2, (0, 0, 1, 1)),
        (69.9, (0, 1, 0, 0)),
        (251, (0, 0, 1, 1)),
        (400, (0, 0, 1, 1)),
    ],
)
def test_mg_dl_are_judged_in_mg_dl(mg_dl: float, expected: tuple[int, ...]) -> None:
    """The edges of the consensus hold exactly for a sensor that counts in mg/dL."""
    assert glucose.bands(mg_dl * 10 / 180.156) == expected


@pytest.mark.parametrize(
    ("mmol", "expected"),
    [
        (2.9, (1, 1, 0, 0)),
        (3.0, (0, 1, 0, 0)),
        (3.8, (0, 1, 0, 0)),
        (3.9, (0, 0, 0, 0)),
        (10.0, (0, 0, 0, 0)),
        (10.1, (0, 0, 1, 0)),
        (13.9, (0, 0, 1, 0)),
        (13.89, (0, 0, 1, 0)),
        (3.89, (0, 1, 0, 0)),
        (14.0, (0, 0, 1, 1)),
    ],
)
def test_mmol_l_are_judged_in_mmol_l(mmol: float, expected: tuple[int, ...]) -> None:
    """And for one that counts in mmol/L."""
    assert glucose.bands(mmol) == expected


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(2, 20).map(lambda value: round(value, 1))), max_size=80))
def test_bands_count_readings_by_day(entries: list[tuple[int, float]]) -> None:
    """Readings of each local day below and above the edges."""
    desk = _desk("UTC")
    expected: dict[int, list[int]] = {}
    for hours, value in sorted(entries, key=lambda entry: entry[0]):
        at = _START + hours * 5 * _HOUR_US
        desk.note(at, "glucose", value, value, 0, False)
        counts = expected.setdefault(at // (24 * _HOUR_US), [0] * 5)
        for place, found in enumerate((True, value < 3.0, value < 3.9, value > 10.0, value > 13.9)):
            counts[place] += found
    assert [list(entry) for entry in desk.bands("glucose")] == [[day, *counts] for day, counts in expected.items()]


def test_a_state_is_not_changed_by_what_comes_after() -> None:
    """Pages handed out stay as they were while the desk goes on."""
    desk = _desk("UTC")
    desk.note(_START, "glucose", 5.0, 5.0, 0, False)
    before = desk.pages()
    copy = book.from_json(book.to_json(before))
    desk.note(_START + _HOUR_US, "glucose", 6.0, 6.0, 0, True)
    desk.exclude("glucose", _START + _HOUR_US)
    assert before == copy
    assert desk.pages() != before
