"""IEEE 11073-20601 numbers as Bluetooth health devices send them: a decimal mantissa and exponent, or a special value.

A special value says why there is no number. It becomes the reason for absence of a reading without a value, never
an error: it is how an oximeter without a finger, or a cuff that could not measure, says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from devices.message import Absent

#: Bytes, little-endian.
SFLOAT_SIZE: Final = 2
FLOAT_SIZE: Final = 4

#: Words that are no numbers. Their exponent is 0: with another one the same mantissa is a number (0xF7FF is 204.7).
_SFLOAT_SPECIALS: Final[Mapping[int, Absent]] = MappingProxyType(
    {
        0x07FE: "positive-infinity",
        0x07FF: "not-a-number",
        0x0800: "error",  # NRes: the device cannot show the number at this resolution
        0x0801: "error",  # reserved
        0x0802: "negative-infinity",
    }
)
_FLOAT_SPECIALS: Final[Mapping[int, Absent]] = MappingProxyType(
    {
        0x007FFFFE: "positive-infinity",
        0x007FFFFF: "not-a-number",
        0x00800000: "error",
        0x00800001: "error",
        0x00800002: "negative-infinity",
    }
)


def sfloat(data: bytes) -> Decimal | Absent:
    """The number of 2 bytes, exactly and with its precision, or why there is none."""
    word = int.from_bytes(data, "little")
    return _SFLOAT_SPECIALS.get(word) or _number(_signed(word & 0xFFF, 12), _signed(word >> 12, 4))


def float32(data: bytes) -> Decimal | Absent:
    """The number of 4 bytes, exactly and with its precision, or why there is none."""
    word = int.from_bytes(data, "little")
    return _FLOAT_SPECIALS.get(word) or _number(_signed(word & 0xFFFFFF, 24), _signed(word >> 24, 8))


def _number(mantissa: int, exponent: int) -> Decimal:
    return Decimal((int(mantissa < 0), tuple(map(int, str(abs(mantissa)))), exponent))


def _signed(raw: int, bits: int) -> int:
    return raw - (1 << bits) if raw >> (bits - 1) else raw
