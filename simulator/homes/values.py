"""The second stage: what a measurement says when something is wrong with how it is taken. Pure.

Sizes: pulse oximeters under motion or low perfusion mostly read too low, by some percent (Petterson, Begnoche,
Graybeal, Anesth Analg 2007;105:S78); a loose or too small cuff reads too high, by 5 to 40 mmHg (Kallioinen et al.,
J Hypertens 2017;35:421). Within these bounds they are drawn evenly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from simulator import native, noise
from simulator.bodies import physiology
from simulator.homes import kinds
from simulator.homes.faults import Fault


@dataclass(frozen=True)
class Shown:
    """What the device shows for one code; value None: why not."""

    value: object
    flags: tuple[str, ...] = ()
    absent: str | None = None


@dataclass(frozen=True)
class Other:
    """Somebody else who is measured: a name to draw them by, or the device whose resident it is; and what is said."""

    name: str | None = None
    device_id: str | None = None
    subject: str | None = None


_MOVED: Final = {"spo2": (-2.0, -12.0), "resp_rate": (2.0, 8.0), "pulse": (8.0, 32.0)}
_PRESSED: Final = ("systolic", "diastolic", "mean_arterial")


def whose(found: Iterable[Fault], device_id: str, at_ms: int) -> Other | None:
    """Who is measured instead, if anybody."""
    for fault in found:
        if not fault.active(at_ms):
            continue
        source = noise.key(fault.id, device_id, "who")
        if fault.kind == "wrong_person" and noise.uniform_one(source, at_ms) < fault.number("share"):
            return Other(name="household")
        if fault.kind == "swapped":
            return Other(device_id=fault.word("with"))
        if fault.kind == "shared_kit":
            person = int(noise.uniform_one(source, at_ms) * fault.number("people"))
            subject = f"person {person + 1}" if fault.yes("named") else None
            return Other(name=f"kit {person}" if person else None, subject=subject)
    return None


def disturbed(found: Iterable[Fault], kind: kinds.Kind, device_id: str, code: str, at_ms: int, shown: Shown) -> Shown:
    """The same after every fault that befalls this measurement."""
    for fault in found:
        if not fault.active(at_ms) or not fault.touches(code) or fault.kind not in _KINDS:
            continue
        # One draw for all codes of a measurement: an arm that moves spoils both pressures.
        source = noise.key(fault.id, device_id, "befalls")
        if noise.uniform_one(source, at_ms) < fault.number("share"):
            shown = _befallen(fault, kind, code, at_ms, source, shown)
    return shown


def _befallen(fault: Fault, kind: kinds.Kind, code: str, at_ms: int, source: int, shown: Shown) -> Shown:
    size = noise.uniform_one(source ^ 1, at_ms)
    chance = noise.uniform_one(source ^ 2, at_ms)
    failed = Shown(None, kind.failing[1], kind.failing[0])
    if fault.kind == "could_not_measure" or (fault.kind == "cold_finger" and chance < 0.25):
        return failed
    if isinstance(shown.value, bool) or not isinstance(shown.value, int | float):
        return shown
    flagged = fault.kind in _FLAGS and noise.uniform_one(source ^ 3, at_ms) < fault.number("flagged")
    flags = (*shown.flags, _FLAGS[fault.kind]) if flagged else shown.flags
    value = float(shown.value)
    if fault.kind == "motion":
        value += _motion(code, size, chance)
    elif fault.kind == "cold_finger":
        value -= 3.0 + 9.0 * size if code == "spo2" else 0.0
    elif fault.kind == "loose_cuff":
        value += (10.0 + 30.0 * size) * (1.0 if code == "systolic" else 0.6)
    elif fault.kind == "used_cold":
        value -= 0.4 + 1.2 * size
    elif fault.kind == "clipped" and code in physiology.VITALS:
        vital = physiology.VITALS[code]
        value = vital.highest if fault.word("end") == "high" else vital.lowest
    return replace(shown, value=_rounded(kind, code, value), flags=flags)


_FLAGS: Final = {"motion": "motion", "cold_finger": "low_perfusion", "loose_cuff": "cuff_loose"}
_KINDS: Final = frozenset((*_FLAGS, "used_cold", "clipped", "could_not_measure"))


def _motion(code: str, size: float, chance: float) -> float:
    if code in _PRESSED:
        off = (8.0 + 17.0 * size) * (1.0 if code == "systolic" else 0.6)
        return off if chance < 0.7 else -off
    least, more = _MOVED.get(code, (0.0, 0.0))
    off = least + more * size
    return -off if code == "pulse" and chance < 0.3 else off


def _rounded(kind: kinds.Kind, code: str, value: float) -> float | int:
    vital = physiology.VITALS.get(code)
    if vital is None:
        return value
    resolution = kind.resolution.get(code, vital.resolution)
    clipped = min(max(value, vital.lowest), vital.highest)
    # Half up, by basic arithmetic only: the same digits on every machine.
    steps = int(clipped / resolution + 0.5)
    return native.number(steps * resolution, native.decimals(resolution))
