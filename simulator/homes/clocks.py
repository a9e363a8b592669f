"""What a device's clock shows while it is really another time. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from simulator import clock, errors
from simulator.homes import faults
from simulator.homes.faults import Fault

DAY_MS: Final = 24 * faults.HOUR_MS
_NEVER_SET: Final = clock.to_ms(datetime(2000, 1, 1, tzinfo=UTC))
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_OPTION: Final = re.compile(r"(?:(drift)?([+-]\d+)([smhd])|(unset))(?:@(\d+)([smhd]))?", re.ASCII)


def shown(found: Iterable[Fault], at_ms: int) -> int:
    """What the clock shows at a true time, with these faults of it. Faults of other kinds do nothing."""
    said = at_ms
    for fault in found:
        if fault.active(at_ms):
            said += _error(fault, at_ms)
    return said


def _error(fault: Fault, at_ms: int) -> int:
    if fault.kind == "clock_skew":
        return int(fault.number("seconds") * 1000)
    if fault.kind == "clock_drift":
        return int(fault.number("seconds_per_day")) * 1000 * (at_ms - fault.from_ms) // DAY_MS
    if fault.kind == "clock_unset":
        return _NEVER_SET - fault.from_ms
    if fault.kind == "clock_dst":
        return int(fault.number("hours") * faults.HOUR_MS)
    return 0


def option(text: str, name: str, known: Iterable[str], start: datetime) -> Fault:
    """--clock: DEVICE=+2h, DEVICE=-1h@10m (from ten minutes on), DEVICE=unset, DEVICE=drift+20s. Raises BadInput."""
    device_id, equals, wrong = text.partition("=")
    found = _OPTION.fullmatch(wrong)
    if not equals or found is None:
        raise errors.BadInput(f"not a fault of a clock: {text}; for example d1=+2h, d1=-1h@10m, d1=unset, d1=drift+20s")
    drift, size, unit, unset, after, after_unit = found.groups()
    from_ms = clock.to_ms(start) + (int(after) * _UNITS[after_unit] * 1000 if after else 0)
    if unset:
        return faults.made(name, "clock_unset", f"device:{device_id}", set(known), from_ms, None, {})
    seconds = int(size) * _UNITS[unit]
    kind, setting = ("clock_drift", "seconds_per_day") if drift else ("clock_skew", "seconds")
    return faults.made(name, kind, f"device:{device_id}", set(known), from_ms, None, {setting: seconds})
