"""The engine's vocabulary and the catalogue of devices mean the same by the same word."""

from __future__ import annotations

import math

import pytest

from alerts import codes, timeline
from devices import catalogue


def test_codes_are_those_of_the_catalogue() -> None:
    """Every code of numbers, letters of consciousness or booleans is known here, in the same unit and resolution."""
    theirs = {
        code: entry for code, entry in catalogue.ENTRIES.items() if entry.kind != "code" or code == "consciousness"
    }
    assert set(codes.CODES) == set(theirs)
    for key, entry in theirs.items():
        assert codes.BY_KEY[key].unit == (entry.unit or "")
        if entry.kind == "number":
            assert 10.0 ** -codes.BY_KEY[key].decimals == pytest.approx(entry.resolution)


def test_encoding() -> None:
    assert [codes.encode(None, letter) for letter in "ACVPU"] == [0, 1, 2, 3, 4]
    assert math.isnan(codes.encode(None, None))
    assert codes.encode(97, None) == 97.0


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("spo2", 84.4, "84 %"),
        ("temperature", 37.96, "38.0 °C"),
        ("systolic", 120.5, "121 mmHg"),
        ("pulse", 70, "70 /min"),
        ("consciousness", 2, "V"),
        ("on_oxygen", 1, "yes"),
        ("pain", 3, "3"),
        ("fev1", 1.234, "1.23 L"),
    ],
)
def test_shown(code: str, value: float, shown: str) -> None:
    assert codes.shown(code, value) == shown


def test_conflicting_values_become_one_row() -> None:
    """The least and the greatest of one identity are kept, for the two sides of a rule."""
    rows = timeline.from_readings(
        [
            timeline.Reading(1, 5, "spo2", 96, identity=2**100 + 1),
            timeline.Reading(1, 5, "spo2", 84, identity=2**100 + 1),
            timeline.Reading(1, 5, "spo2", None, identity=2**100 + 1),
            timeline.Reading(1, 5, "spo2", 90, identity=3),
        ]
    )
    assert rows.low.tolist() == [90, 84]
    assert rows.high.tolist() == [90, 96]
    assert [bool(q & timeline.CONFLICT) for q in rows.quality] == [False, True]
