from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import ieee11073


def encode(mantissa: int, exponent: int, mantissa_bits: int, exponent_bits: int) -> bytes:
    word = (exponent % (1 << exponent_bits)) << mantissa_bits | mantissa % (1 << mantissa_bits)
    return word.to_bytes((mantissa_bits + exponent_bits) // 8, "little")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (0x0000, "0"),
        (0x0078, "120"),
        (0xF16C, "36.4"),
        (0xE7D0, "20.00"),
        (0x1014, "2.0E+2"),
        (0x0FFF, "-1"),
        (0xFFFF, "-0.1"),
        (0x0803, "-2045"),
        (0x07FD, "2045"),
        (0xF7FF, "204.7"),  # the mantissa of NaN, but its exponent is not 0
        (0x8001, "1E-8"),
        (0x7001, "1E+7"),
        (0x07FF, "not-a-number"),
        (0x07FE, "positive-infinity"),
        (0x0802, "negative-infinity"),
        (0x0800, "error"),
        (0x0801, "error"),
    ],
)
def test_sfloat(word: int, expected: str) -> None:
    got = ieee11073.sfloat(word.to_bytes(2, "little"))
    assert got == (Decimal(expected) if expected[0] in "-0123456789" else expected)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (0xFF00016C, "36.4"),
        (0xFE000E4C, "36.60"),
        (0x80000001, "1E-128"),
        (0x7F7FFFFD, "8388605E+127"),
        (0x00FFFFFF, "-1"),
        (0x007FFFFF, "not-a-number"),
        (0x007FFFFE, "positive-infinity"),
        (0x00800002, "negative-infinity"),
        (0x00800000, "error"),
        (0x00800001, "error"),
    ],
)
def test_float32(word: int, expected: str) -> None:
    got = ieee11073.float32(word.to_bytes(4, "little"))
    assert got == (Decimal(expected) if expected[0] in "-0123456789" else expected)


@given(st.integers(-2045, 2045), st.integers(-8, 7))
def test_every_sfloat_is_read_exactly(mantissa: int, exponent: int) -> None:
    got = ieee11073.sfloat(encode(mantissa, exponent, 12, 4))
    assert isinstance(got, Decimal)
    assert got == Decimal(mantissa).scaleb(exponent)
    assert float(json.loads(str(got))) == float(f"{mantissa}e{exponent}")


@given(st.integers(-8388605, 8388605), st.integers(-128, 127))
def test_every_float_is_read_exactly(mantissa: int, exponent: int) -> None:
    got = ieee11073.float32(encode(mantissa, exponent, 24, 8))
    assert isinstance(got, Decimal)
    assert got == Decimal(mantissa).scaleb(exponent)
    assert float(json.loads(str(got))) == float(f"{mantissa}e{exponent}")


def test_the_precision_is_kept() -> None:
    assert str(ieee11073.sfloat(encode(20, -1, 12, 4))) == "2.0"
    assert str(ieee11073.sfloat(encode(200, -2, 12, 4))) == "2.00"
