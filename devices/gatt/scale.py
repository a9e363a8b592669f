"""2A9D, Weight Measurement."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from devices.gatt.frame import NOTHING, Context, Cursor, Frame, fixed, measured
from devices.message import Absent

UNKNOWN_USER: Final = 0xFF
_UNSUCCESSFUL: Final = 0xFFFF
_KG: Final = Decimal("0.005")
_LB: Final = Decimal("0.01")


def read(cursor: Cursor) -> Frame:
    """The weight. Body mass index and height are worked out or keyed in, not measured, and are left out."""
    flags = cursor.unsigned(1, "flags")
    imperial = bool(flags & 0x01)
    raw = cursor.unsigned(2, "weight")
    value = fixed(raw * (_LB if imperial else _KG))
    reason: Absent | None = "error" if raw == _UNSUCCESSFUL else None
    local_time = cursor.time() if flags & 0x02 else None
    user = cursor.unsigned(1, "user id") if flags & 0x04 else UNKNOWN_USER
    if flags & 0x08:
        cursor.unsigned(2, "body mass index")
        cursor.unsigned(2, "height")
    context: Context = NOTHING if user == UNKNOWN_USER else {"user_slot": user}
    weight = measured("weight", value, "[lb_av]" if imperial else "kg", reason)
    return Frame((weight,), local_time, (), context)
