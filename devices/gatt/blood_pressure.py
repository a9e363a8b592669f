"""2A35, Blood Pressure Measurement."""

from __future__ import annotations

from typing import Final

from devices.gatt.frame import Cursor, Frame, measured, named

UNKNOWN_USER: Final = 0xFF
_STATUS: Final = ((0, "motion"), (1, "cuff_loose"), (2, "irregular_pulse"), (5, "position"))
#: Bits 3 and 4.
_PULSE_RANGE: Final = {1: "pulse_above_range", 2: "pulse_below_range"}


def read(cursor: Cursor) -> Frame:
    """Systolic, diastolic and mean arterial pressure, and the pulse if the cuff counts it."""
    flags = cursor.unsigned(1, "flags")
    unit = "kPa" if flags & 0x01 else "mm[Hg]"
    values = [measured(code, cursor.sfloat(code), unit) for code in ("systolic", "diastolic", "mean_arterial")]
    local_time = cursor.time() if flags & 0x02 else None
    if flags & 0x04:
        values.append(measured("pulse", cursor.sfloat("pulse"), "/min"))
    user = cursor.unsigned(1, "user id") if flags & 0x08 else UNKNOWN_USER
    status = cursor.unsigned(2, "measurement status") if flags & 0x10 else 0
    doubts = named(status, _STATUS)
    out_of_range = _PULSE_RANGE.get(status >> 3 & 0x03)
    if out_of_range is not None:
        doubts += (out_of_range,)
    context = {} if user == UNKNOWN_USER else {"user_slot": user}
    return Frame(tuple(values), local_time, doubts, context)
