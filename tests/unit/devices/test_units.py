from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from devices import catalogue, units


@pytest.mark.parametrize(
    ("code", "unit", "sent", "expected"),
    [
        ("spo2", "1", 0.96, 96),
        ("spo2", "1", 0.57, 57),
        ("spo2", "%", 96, 96),
        ("weight", "[lb_av]", 154.3236, 70.000007),
        ("weight", "g", 70_000, 70),
        ("weight", "[stone_av]", 10, 63.502932),
        ("temperature", "[degF]", 98.6, 37),
        ("temperature", "[degF]", 212, 100),
        ("temperature", "K", 310.15, 37),
        ("glucose", "mg/dL", 100, 5.550745),
        ("glucose", "umol/L", 5500, 5.5),
        ("ketones", "mg/dL", 10.4105, 1),
        ("systolic", "kPa", 16, 120.009852),
        ("systolic", "mmHg", 120, 120),
        ("pulse", "{beats}/min", 60, 60),
        ("pulse", "bpm", 60, 60),
        ("resp_rate", "{breaths}/min", 16, 16),
        ("peak_flow", "L/s", 7, 420),
        ("fev1", "mL", 2500, 2.5),
        ("oxygen_flow", "mL/min", 500, 0.5),
        ("steps", "1", 4000, 4000),
        ("pain", "{score}", 4, 4),
    ],
)
def test_known_units_are_converted(code: str, unit: str, sent: float, expected: float) -> None:
    assert units.CONVERSIONS[code][unit].apply(sent) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        ("spo2", "mm[Hg]"),
        ("weight", "lb"),
        ("temperature", "C"),
        ("temperature", "[degf]"),
        ("pulse", "{breaths}/min"),
        ("systolic", "mg/dL"),
        ("fall", "1"),
        ("consciousness", "{score}"),
        ("weight", "[in_i]"),
    ],
)
def test_other_units_are_not_known(code: str, unit: str) -> None:
    assert unit not in units.CONVERSIONS[code]


@pytest.mark.parametrize("entry", catalogue.ENTRIES.values(), ids=lambda entry: entry.code)
def test_a_codes_own_unit_comes_first_and_changes_nothing(entry: catalogue.Entry) -> None:
    known = units.CONVERSIONS[entry.code]
    if entry.unit is not None:
        assert next(iter(known)) == entry.unit
        assert known[entry.unit] is units.SAME
    elif entry.kind != "number":
        assert not known


@pytest.mark.parametrize(
    ("code", "unit", "sent", "expected"),
    [
        ("spo2", "1", 0.57, 57.0),
        ("spo2", "1", 0.29, 29.0),
        ("temperature", "[degF]", 98.6, 37.0),
        ("temperature", "K", 310.15, 37.0),
        ("weight", "[lb_av]", 150.0, 68.0388555),
        ("weight", "g", 70_100.1, 70.1001),
        ("glucose", "mol/L", 0.0055, 5.5),
        ("fev1", "mL", 2510.0, 2.51),
        ("spo2", "1", 1e308, math.inf),
        ("spo2", "1", -1e308, -math.inf),
        ("weight", "g", 5e-324, 0.0),
    ],
)
def test_conversions_are_exact(code: str, unit: str, sent: float, expected: float) -> None:
    assert units.CONVERSIONS[code][unit].apply(sent) == expected


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([("weight", "[lb_av]"), ("glucose", "kg/L")]))
def test_conversions_are_rounded_once(sent: float, named: tuple[str, str]) -> None:
    factor = {"weight": Fraction("0.45359237"), "glucose": Fraction("1e6") / Fraction("180.156")}[named[0]]
    exact = Fraction(repr(sent)) * factor
    assume(abs(exact) < Fraction(10) ** 308)
    assert units.CONVERSIONS[named[0]][named[1]].apply(sent) == float(exact)
