"""NEWS2 against a table written out here by hand: every integer, every tenth of a degree, both scales."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import errors, news2, observation

NORMAL = {
    "rr": 16,
    "spo2": 97,
    "spo2_scale": 1,
    "on_oxygen": False,
    "sbp": 120,
    "pulse": 70,
    "acvpu": "A",
    "temp": 37.0,
}

# (from, to, points), both ends included, as in the published chart.
CHART: dict[str, list[tuple[float, float, int]]] = {
    "rr": [(0, 8, 3), (9, 11, 1), (12, 20, 0), (21, 24, 2), (25, 200, 3)],
    "sbp": [(0, 90, 3), (91, 100, 2), (101, 110, 1), (111, 219, 0), (220, 400, 3)],
    "pulse": [(0, 40, 3), (41, 50, 1), (51, 90, 0), (91, 110, 1), (111, 130, 2), (131, 400, 3)],
    "spo2 scale 1": [(1, 91, 3), (92, 93, 2), (94, 95, 1), (96, 100, 0)],
    "spo2 scale 2 air": [(1, 83, 3), (84, 85, 2), (86, 87, 1), (88, 100, 0)],
    "spo2 scale 2 oxygen": [(1, 83, 3), (84, 85, 2), (86, 87, 1), (88, 92, 0), (93, 94, 1), (95, 96, 2), (97, 100, 3)],
    "temp": [(150, 350, 3), (351, 360, 1), (361, 380, 0), (381, 390, 1), (391, 500, 2)],  # tenths of a degree
}


def charted(row: str, value: float) -> int:
    (points,) = [points for low, high, points in CHART[row] if low <= value <= high]
    return points


def score(**changed: object) -> news2.Score:
    return news2.score(news2.Inputs(**{**NORMAL, **changed}))  # type: ignore[arg-type]  # a table of mixed values


@pytest.mark.parametrize("name", ["rr", "sbp", "pulse"])
def test_every_integer(name: str) -> None:
    """Every whole number scores as charted, and nothing else does."""
    for value in range(int(CHART[name][-1][1]) + 1):
        found = score(**{name: value})
        assert found.parameters[name] == found.total == charted(name, value)


def test_every_tenth_of_a_degree() -> None:
    """Temperatures score as charted in steps of 0.1."""
    for tenths in range(150, 501):
        assert score(temp=tenths / 10).parameters["temp"] == charted("temp", tenths)


@pytest.mark.parametrize(
    ("scale", "oxygen", "row"),
    [
        (1, False, "spo2 scale 1"),
        (1, True, "spo2 scale 1"),
        (2, False, "spo2 scale 2 air"),
        (2, True, "spo2 scale 2 oxygen"),
    ],
)
def test_every_saturation(scale: int, oxygen: bool, row: str) -> None:
    """Both scales; on scale 2 a high saturation scores on oxygen only."""
    for value in range(1, 101):
        found = score(spo2=value, spo2_scale=scale, on_oxygen=oxygen)
        assert found.parameters["spo2"] == charted(row, value)
        assert found.total == charted(row, value) + (2 if oxygen else 0)


def test_consciousness_and_oxygen() -> None:
    """Anything but alert scores 3, oxygen 2."""
    assert [score(acvpu=letter).parameters["acvpu"] for letter in "ACVPU"] == [0, 3, 3, 3, 3]
    assert score(on_oxygen=True).parameters["on_oxygen"] == 2


def test_the_greatest_score_is_20() -> None:
    assert score(rr=30, spo2=80, on_oxygen=True, sbp=80, pulse=140, acvpu="U", temp=34.0).total == 20


@pytest.mark.parametrize(
    ("changed", "total", "band"),
    [
        ({}, 0, "low"),
        ({"pulse": 91, "temp": 38.1, "sbp": 110, "spo2": 95}, 4, "low"),
        ({"acvpu": "C"}, 3, "low-medium"),
        ({"acvpu": "C", "pulse": 91}, 4, "low-medium"),
        ({"rr": 21, "on_oxygen": True, "pulse": 91}, 5, "medium"),
        ({"acvpu": "C", "rr": 21}, 5, "medium"),
        ({"acvpu": "C", "rr": 25}, 6, "medium"),
        ({"acvpu": "C", "rr": 25, "pulse": 91}, 7, "high"),
    ],
)
def test_bands(changed: dict[str, object], total: int, band: str) -> None:
    """A single 3 lifts a low total to low-medium and lowers nothing."""
    found = score(**changed)
    assert (found.total, found.band) == (total, band)


@pytest.mark.parametrize(
    ("name", "value", "points"),
    [("temp", 36.04, 1), ("temp", 36.05, 0), ("temp", 38.05, 1), ("rr", 20.5, 2), ("rr", 20.49, 0), ("spo2", 91.5, 2)],
)
def test_rounded_half_up_before_banding(name: str, value: float, points: int) -> None:
    assert score(**{name: value}).parameters[name] == points


def test_partial_set_is_a_lower_bound() -> None:
    """It names what is missing and does not call itself NEWS2."""
    found = score(temp=None, acvpu=None, rr=25)
    assert not found.complete
    assert found.missing == ("acvpu", "temp")
    assert found.label == "at least 3"
    assert score().label == "NEWS2 0"


def test_a_scale_is_never_assumed() -> None:
    """Without a scale the saturation is not scored, and the scale is what is missing."""
    found = score(spo2=80, spo2_scale=None)
    assert found.parameters["spo2"] is None
    assert found.missing == ("spo2_scale",)
    assert found.total == 0


def test_scale_2_without_knowing_about_oxygen() -> None:
    """88 to 92 scores 0 either way; 93 and more cannot be scored."""
    assert score(spo2=92, spo2_scale=2, on_oxygen=None).parameters["spo2"] == 0
    assert score(spo2=93, spo2_scale=2, on_oxygen=None).parameters["spo2"] is None
    assert score(spo2=85, spo2_scale=2, on_oxygen=None).parameters["spo2"] == 2


def test_refused_for_children_and_in_pregnancy() -> None:
    with pytest.raises(errors.Refused, match="under 16"):
        score(age_years=15.9)
    with pytest.raises(errors.Refused, match="pregnancy"):
        score(pregnant=True)
    assert score(age_years=16).total == 0


def _or_none(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(low, high)


SETS = st.lists(
    st.tuples(
        _or_none(0, 60),
        _or_none(50, 100),
        st.none() | st.booleans(),
        _or_none(40, 260),
        _or_none(20, 200),
        st.none() | st.sampled_from("ACVPU"),
        _or_none(33, 42),
        st.sampled_from([1, 2]),
    ),
    min_size=1,
    max_size=20,
)


@given(SETS)
def test_columns_agree_with_single_sets(sets: list[tuple[object, ...]]) -> None:
    """The vectorised score is the same score."""
    values = np.array(
        [
            [
                np.nan if value is None else float("ACVPU".index(value)) if isinstance(value, str) else float(value)  # type: ignore[arg-type]
                for value in row[:7]
            ]
            for row in sets
        ]
    ).T
    scale = np.array([float(row[7]) for row in sets])  # type: ignore[arg-type]  # the last is a number
    points = news2.columns(values, values[2], scale)
    for column, row in enumerate(sets):
        names = dict(zip(news2.INPUT_NAMES, row, strict=False))
        found = score(**names, spo2_scale=row[7])
        assert [None if p < 0 else p for p in points[:, column]] == list(found.parameters.values())


def test_not_alert_scores_3_whichever_it_was() -> None:
    """Charts and other systems write CVPU where nobody said which of the four it was."""
    assert observation.answer('{"acvpu": "CVPU"}')["parameters"]["acvpu"] == 3


@pytest.mark.parametrize(
    ("code", "value", "scale", "oxygen", "field"),
    [
        ("resp_rate", 25, 1, None, "25 or more"),
        ("resp_rate", 8, 1, None, "8 or less"),
        ("resp_rate", 12, 1, None, "12 to 20"),
        ("spo2", 94.4, 1, None, "94 to 95"),
        ("spo2", 94, 2, True, "93 to 94"),
        ("spo2", 94, 2, False, "88 or more"),
        ("systolic", 219, 1, None, "111 to 219"),
        ("temperature", 38.6, 1, None, "38.1 to 39.0"),
        ("temperature", 35.04, 1, None, "35.0 or less"),
        ("consciousness", 0, 1, None, ""),
    ],
)
def test_the_field_of_the_chart(code: str, value: float, scale: int, oxygen: bool | None, field: str) -> None:
    """As on the printed chart, for whoever works the score out by hand."""
    assert news2.row(code, value, scale, oxygen) == field
