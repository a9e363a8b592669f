"""The pictures of truth and record: everything within the frame, and what is told apart from what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from telehealth.web.simulator import simulator_chart as charts
from telehealth.web.simulator.simulator_chart import Band, Flag, Line, Span, Traces

NOW = datetime(2026, 10, 25, 12, 0, tzinfo=UTC)
DAY = Span(NOW - timedelta(days=1), NOW, "Europe/London")

times = st.integers(-7200, 7200).map(lambda minutes: NOW + timedelta(minutes=minutes))
values = st.floats(min_value=-1e6, max_value=1e6) | st.floats(min_value=0, max_value=200) | st.just(float("nan"))
lines = st.dictionaries(times, values, max_size=20).map(
    lambda found: Line(sorted(found), [found[moment] for moment in sorted(found)])
)


def at(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def draw(traces: Traces, bands: list[Band] | None = None, flags: list[Flag] | None = None) -> charts.Json:
    return charts.draw("spo2", traces, bands or [], flags or [], DAY)


@given(lines, lines, lines, times, times)
def test_nothing_is_drawn_outside_the_frame(
    truth: Line, shown: Line, stored: Line, since: datetime, at: datetime
) -> None:
    found = draw(Traces(truth, shown, stored), [Band("fault", "fault", since, None)], [Flag(at, 1, "high", "x", 1)])
    for point in (*found["measured"], *found["stored"]):
        assert found["left"] <= point["x"] <= found["right"]
        assert found["top"] <= point["y"] <= found["bottom"]
    for band in found["bands"]:
        assert found["left"] <= band["x"] <= band["x"] + band["width"] <= found["right"] + 1.5
    for flag in found["flags"]:
        assert found["left"] <= flag["x"] <= found["right"]
    for level in found["levels"]:
        assert found["top"] <= level["y"] <= found["bottom"]
    assert len(found["levels"]) <= 6


def test_what_did_not_arrive_and_what_nobody_showed_are_told_apart() -> None:
    """A ring without a dot was lost; a dot without a ring is somebody else's; of older times nothing is known."""
    shown = Line([at(6), at(4)], [97.0, 95.0])
    stored = Line([at(20), at(6), at(2)], [96.0, 97.0, 88.0])
    found = draw(Traces(measured=shown, stored=stored))
    assert [point["arrived"] for point in found["measured"]] == [True, False]
    assert [point["foreign"] for point in found["stored"]] == [False, False, True]
    assert found["counts"] == {"measured": 2, "arrived": 1, "stored": 3}


def test_a_line_of_truth_is_one_path() -> None:
    found = draw(Traces(truth=Line([at(3), at(2), at(1)], [96.0, 95.0, 94.0])))
    assert found["truth"].startswith("M")
    assert found["truth"].count("L") == 2
    assert draw(Traces())["truth"] == ""


def test_hours_stay_round_on_the_day_on_which_clocks_go_back() -> None:
    """No label twice and none left out: by true hours from local midnight."""
    found = [hour["text"] for hour in draw(Traces())["hours"]]
    assert len(found) == len(set(found)) >= 4
    assert "Sun 00:00" in found


def test_what_is_over_before_the_picture_is_not_on_it() -> None:
    bands = [Band("old", "fault", at(60), at(30)), Band("now", "course", at(30), None)]
    assert [band["name"] for band in draw(Traces(), bands)["bands"]] == ["now"]
