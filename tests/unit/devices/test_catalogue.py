from __future__ import annotations

import re

import pytest

from devices import catalogue

ENTRIES = list(catalogue.ENTRIES.values())
NUMBERS = [entry for entry in ENTRIES if entry.kind == "number"]


def test_the_codes_of_the_contract_are_there() -> None:
    needed = """spo2 pulse systolic diastolic mean_arterial temperature resp_rate weight glucose ketones peak_flow fev1
        steps resting_pulse on_oxygen oxygen_flow consciousness fall breathlessness pain wellbeing answer"""
    assert set(needed.split()) <= catalogue.ENTRIES.keys()
    assert catalogue.ENTRIES["consciousness"].codes == ("A", "C", "V", "P", "U")


@pytest.mark.parametrize("field", ["code", "display", "short", "loinc", "mdc"])
def test_no_two_entries_share_a_name(field: str) -> None:
    given = [getattr(entry, field) for entry in ENTRIES if getattr(entry, field) is not None]
    assert len(set(given)) == len(given)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.code)
def test_entries_are_well_formed(entry: catalogue.Entry) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,31}", entry.code)
    assert len(entry.short) <= 10
    if entry.loinc is not None:
        number, check = entry.loinc.split("-")
        assert _mod10(number) == int(check)
    if entry.kind != "number":
        assert entry.unit is None


def _mod10(number: str) -> int:
    """LOINC's check digit (Luhn)."""
    from_right = number[::-1]
    doubled = "".join(str(int(digit) * 2) for digit in from_right[::2])
    total = sum(int(digit) for digit in doubled + from_right[1::2])
    return -total % 10


@pytest.mark.parametrize("entry", NUMBERS, ids=lambda entry: entry.code)
def test_the_impossible_range_holds_the_extreme_range(entry: catalogue.Entry) -> None:
    assert entry.impossible_low <= entry.extreme_low < entry.extreme_high <= entry.impossible_high
    assert entry.resolution > 0


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("systolic", 40),
        ("systolic", 63),
        ("systolic", 300),
        ("spo2", 50),
        ("pulse", 250),
        ("pulse", 20),
        ("diastolic", 20),
        ("temperature", 26),
        ("temperature", 43),
        ("resp_rate", 4),
        ("resp_rate", 70),
        ("glucose", 1.0),
        ("glucose", 60),
    ],
)
def test_emergencies_are_possible_and_extreme(code: str, value: float) -> None:
    entry = catalogue.ENTRIES[code]
    assert entry.possible(value)
    assert entry.extreme(value)


@pytest.mark.parametrize(
    ("code", "value"),
    [("spo2", 0.96), ("spo2", 1), ("temperature", 98.6), ("pulse", 0), ("systolic", 16), ("spo2", 127)],
)
def test_values_of_another_unit_or_none_are_impossible(code: str, value: float) -> None:
    assert not catalogue.ENTRIES[code].possible(value)
