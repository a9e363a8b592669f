"""Clocks of devices that are wrong: what they show while it is really another time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from simulator import clock, errors
from simulator.bodies import physiology

_UNITS = {"s": 1000, "m": 60_000, "h": physiology.HOUR, "d": physiology.DAY}
_FAULT = re.compile(r"(?:(drift)?([+-]\d+)([smhd])|(unset))(?:@(\d+)([smhd]))?", re.ASCII)
_NEVER_SET = clock.to_ms(datetime(2000, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class ClockFault:
    """From from_ms (true time) on: device minus true, and by how much more each day. All in ms."""

    skew_ms: int = 0
    from_ms: int = 0
    drift_ms: int = 0

    def shown(self, at_ms: int) -> int:
        """What the device's clock shows at a true time."""
        if at_ms < self.from_ms:
            return at_ms
        return at_ms + self.skew_ms + self.drift_ms * (at_ms - self.from_ms) // physiology.DAY


RIGHT: Final = ClockFault()


def parse(text: str, start: datetime) -> ClockFault:
    """+2h, -1h, unset (shows 2000 at the start), drift-20s (more each day); with @10m only from then on.

    Raises BadInput for anything else.
    """
    found = _FAULT.fullmatch(text)
    if found is None:
        raise errors.BadInput(f"not a fault of a clock: {text}; for example +2h, -1h@10m, unset, drift+20s")
    drift, size, unit, unset, after, after_unit = found.groups()
    start_ms = clock.to_ms(start)
    from_ms = start_ms + (int(after) * _UNITS[after_unit] if after else 0)
    if unset:
        return ClockFault(_NEVER_SET - from_ms, from_ms)
    skew = int(size) * _UNITS[unit]
    return ClockFault(0, from_ms, skew) if drift else ClockFault(skew, from_ms)


def parse_all(texts: list[str], start: datetime) -> dict[str, ClockFault]:
    """By device: DEVICE=FAULT. Raises BadInput."""
    found = {}
    for text in texts:
        device_id, equals, fault = text.partition("=")
        if not equals:
            raise errors.BadInput(f"DEVICE=FAULT is wanted, not {text}")
        found[device_id] = parse(fault, start)
    return found
