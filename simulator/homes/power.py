"""Battery and firmware of a device at a time. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Final

from simulator import noise
from simulator.homes import clocks, kinds
from simulator.homes.faults import Fault

#: A low battery sinks to nothing in so long; a charger fills one in so long.
SINKS_MS: Final = 24 * 3_600_000
FILLS_MS: Final = 2 * 3_600_000
#: Faults that change what a device says of itself.
KINDS: Final = ("low_battery", "charging", "firmware")
#: Charge is told in these steps.
TOLD: Final = 0.05


def charge(kind: kinds.Kind, device_id: str, found: Iterable[Fault], at_ms: int) -> float:
    """Charge left, 0 to 1, two decimals. In usual times it is charged, or given new batteries, before it is low."""
    period = int(kind.battery_days * clocks.DAY_MS)
    phase = _key(device_id, "battery") % period
    left = 1.0 - 0.6 * ((at_ms + phase) % period) / period
    for fault in found:
        if fault.kind not in KINDS or not fault.active(at_ms):
            continue
        if fault.kind == "low_battery":
            left = min(left, max(0.0, fault.number("charge") * (1.0 - (at_ms - fault.from_ms) / SINKS_MS)))
        if fault.kind == "charging":
            left = min(1.0, left + (at_ms - fault.from_ms) / FILLS_MS)
    return round(left, 2)


def told(kind: kinds.Kind, device_id: str, found: Iterable[Fault], at_ms: int) -> float:
    """The charge as the device says it: in steps, so that it need not say it all the time."""
    return round(round(charge(kind, device_id, found, at_ms) / TOLD) * TOLD, 2)


def flat(fault: Fault, at_ms: int) -> bool:
    """Whether this fault has emptied the battery."""
    return fault.kind == "low_battery" and (at_ms - fault.from_ms >= SINKS_MS or fault.number("charge") <= 0)


def firmware(kind: kinds.Kind, device_id: str, found: Iterable[Fault], at_ms: int) -> str:
    """The version; a fault may have changed it."""
    version = kind.firmware[_key(device_id, "firmware") % len(kind.firmware)]
    for fault in found:
        if fault.kind == "firmware" and fault.active(at_ms):
            version = fault.word("version")
    return version


@functools.lru_cache(maxsize=100_000)
def _key(device_id: str, what: str) -> int:
    return noise.key(device_id, what)
