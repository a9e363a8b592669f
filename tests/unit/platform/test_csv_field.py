"""Fields of CSV files: what devices chose themselves does nothing in a spreadsheet."""

from __future__ import annotations

import pytest

from telehealth.cli import csv_field


@pytest.mark.parametrize("text", ["=1+1", '=HYPERLINK("x")', "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text: str) -> None:
    """In a word, in a list of words and in a token."""
    assert csv_field.text(text) == f"'{text}"
    assert csv_field.text([text, "b"]).startswith("'")


@pytest.mark.parametrize("value", ["-5", "+5.25", "-1e3", "97", "plain", "", "2026-03-02T09:00:00Z", "a=b"])
def test_what_is_harmless_stays_as_it_is(value: str) -> None:
    """Numbers too, whatever their sign."""
    assert csv_field.text(value) == value
    assert csv_field.text(-5) == "-5"
    assert csv_field.text(None) == ""
