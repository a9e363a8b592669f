"""2A37, Heart Rate Measurement."""

from __future__ import annotations

from typing import Final

from devices.gatt.frame import Cursor, Frame, measured
from devices.message import Absent

#: Of the two bits on contact: it can be detected, and there is none.
_NO_CONTACT: Final = 0x04


def read(cursor: Cursor) -> Frame:
    """The pulse. Energy expended and the intervals between beats are left out."""
    flags = cursor.unsigned(1, "flags")
    pulse = cursor.unsigned(2 if flags & 0x01 else 1, "heart rate")
    if flags & 0x08:
        cursor.unsigned(2, "energy expended")
    off = flags & 0x06 == _NO_CONTACT
    # What a strap that is not worn counts is nothing.
    reason: Absent | None = "not-performed" if off and pulse == 0 else None
    return Frame((measured("pulse", pulse, "/min", reason),), flags=("no_contact",) if off else ())
