"""The third stage: when a message leaves, how often, and when a connection is down. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from simulator import noise
from simulator.homes import faults, moments
from simulator.homes.faults import Fault

#: Devices that were cut off do not all come back at the same millisecond.
SPREAD_MS: Final = 3_000


def release(found: Sequence[Fault], off: Sequence[Fault], device_id: str, created_ms: int) -> int | None:
    """When a message made at a time may first be sent; None: no end of what holds it up is known.

    found: faults of stages "messages" and "link"; off: of stages "moments" and "device".
    """
    at = created_ms
    for _ in range(len(found) + len(off) + 1):
        until = _held_until(found, off, at)
        if until == at:
            break
        if until is None:
            return None
        at = until
    return at if at == created_ms else at + noise.key(device_id, at) % SPREAD_MS


def kept_back_ms(found: Iterable[Fault], device_id: str, at_ms: int) -> int:
    """How long a message is kept back so that later ones overtake it."""
    longest = 0
    for fault in found:
        if fault.kind == "reordered" and fault.active(at_ms) and _drawn(fault, device_id, at_ms):
            longest = max(longest, int(fault.number("seconds") * 1000))
    return longest


def copies(found: Iterable[Fault], device_id: str, at_ms: int) -> int:
    """Extra deliveries of a message."""
    return sum(
        int(fault.number("times"))
        for fault in found
        if fault.kind == "duplicated" and fault.active(at_ms) and _drawn(fault, device_id, at_ms)
    )


def down(found: Iterable[Fault], off: Sequence[Fault], at_ms: int) -> bool:
    """Whether the device has no connection. A charger keeps it; a flat battery or a stopped device does not."""
    if any(fault.kind != "charging" and moments.is_off((fault,), at_ms) for fault in off):
        return True
    return any(_blocked_until(fault, at_ms) != at_ms for fault in found if fault.kind in _CUTS)


def interrupted(found: Iterable[Fault], after_ms: int, to_ms: int) -> bool:
    """Whether a connection that is up at both ends was down in between."""
    for fault in found:
        if fault.kind == "gateway_reboot" and after_ms < fault.from_ms <= to_ms:
            return True
        if fault.kind == "wifi_outage" and after_ms < fault.from_ms <= to_ms:
            return True
    return False


def storms(found: Iterable[Fault], after_ms: int, to_ms: int) -> int:
    """How often a connection drops and returns in (after, to]."""
    return sum(len(ticks(fault, after_ms, to_ms)) for fault in found if fault.kind == "reconnect_storm")


def ticks(fault: Fault, after_ms: int, to_ms: int) -> range:
    """The moments in (after, to] of what happens so many times a minute; the first one with the fault's beginning."""
    every = max(int(60_000 / fault.number("per_minute")), 1)
    end = to_ms if fault.to_ms is None else min(to_ms, fault.to_ms - 1)
    first = max((after_ms - fault.from_ms) // every + 1, 0)
    return range(fault.from_ms + first * every, end + 1, every)


_CUTS: Final = ("wifi_outage", "gateway_reboot")


def _held_until(found: Sequence[Fault], off: Sequence[Fault], at: int) -> int | None:
    latest: int | None = at
    for fault in found:
        until = _blocked_until(fault, at)
        if until is None:
            return None
        latest = max(latest or at, until)
    for fault in off:
        if fault.kind != "charging" and moments.is_off((fault,), at):
            if fault.to_ms is None:
                return None
            latest = max(latest or at, fault.to_ms)
    return latest


def _blocked_until(fault: Fault, at: int) -> int | None:
    """Until when this fault holds up what is sent at a time: that time itself if it does not."""
    if fault.kind == "gateway_reboot":
        back = fault.from_ms + int(fault.number("seconds") * 1000)
        return back if fault.from_ms <= at < back else at
    if not fault.active(at):
        return at
    if fault.kind == "wifi_outage":
        return fault.to_ms
    if fault.kind == "buffered":
        every = int(fault.number("hours") * faults.HOUR_MS)
        upload = fault.from_ms - (-(at - fault.from_ms) // every) * every
        return upload if fault.to_ms is None else min(upload, fault.to_ms)
    return at


def _drawn(fault: Fault, device_id: str, at_ms: int) -> bool:
    return noise.uniform_one(noise.key(fault.id, device_id, fault.kind), at_ms) < fault.number("share")
