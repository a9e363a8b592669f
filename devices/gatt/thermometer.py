"""2A1C, Temperature Measurement."""

from __future__ import annotations

from typing import Final

from devices.gatt.frame import NOTHING, Context, Cursor, Frame, measured

_SITES: Final = {
    1: "armpit",
    2: "body",
    3: "ear",
    4: "finger",
    5: "gastrointestinal",
    6: "mouth",
    7: "rectum",
    8: "toe",
    9: "tympanum",
}


def read(cursor: Cursor) -> Frame:
    """The temperature, and where on the body if the thermometer says so."""
    flags = cursor.unsigned(1, "flags")
    value = measured("temperature", cursor.float32("temperature"), "[degF]" if flags & 0x01 else "Cel")
    local_time = cursor.time() if flags & 0x02 else None
    site = _SITES.get(cursor.unsigned(1, "temperature type")) if flags & 0x04 else None
    context: Context = NOTHING if site is None else {"site": site}
    return Frame((value,), local_time, (), context)
