"""The first stage: which of the due measurements take place at all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from simulator import noise
from simulator.homes import power
from simulator.homes.faults import Fault
from simulator.schedule import Moment


def taken(moments: Iterable[Moment], off: Sequence[Fault], flat: Sequence[Fault], warm_up_ms: int) -> list[Moment]:
    """off: faults of stage "moments"; flat: of stage "device" (a flat battery measures nothing).

    warm_up_ms: a worn device says nothing for so long after it was off.
    """
    if not off and not flat:
        return list(moments)
    found = []
    for moment in moments:
        if is_off((*off, *flat), moment.at_ms) or (warm_up_ms and is_off((*off, *flat), moment.at_ms - warm_up_ms)):
            continue
        codes = tuple(code for code in moment.codes if not _missed(off, code, moment))
        if codes:
            found.append(replace(moment, codes=codes))
    return found


def is_off(found: Iterable[Fault], at_ms: int) -> bool:
    """Whether the device measures nothing: stopped, on its charger, or its battery is flat."""
    return any(
        fault.active(at_ms) and (fault.kind in ("stopped", "charging") or power.flat(fault, at_ms)) for fault in found
    )


def _missed(found: Iterable[Fault], code: str, moment: Moment) -> bool:
    # A sitting is forgotten as a whole: the draw is the slot's, for all devices of whom or what it befalls.
    return any(
        fault.kind == "missed"
        and fault.active(moment.at_ms)
        and (not fault.codes or code in fault.codes)
        and noise.uniform_one(noise.key(fault.id, fault.target, moment.sitting), 1) < fault.number("share")
        for fault in found
    )
