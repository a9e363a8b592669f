"""What long-term medicines do to vital signs, and how they change the answer to an illness.

level: added to the usual value while taken (levels of a profile are those under treatment, so it shows when doses are
missed). spread: multiplies variation. fever, want, swing: multiply how pulse, or breathing, answer to a fever, to want
of oxygen; None elsewhere. Sizes: means of trials or textbooks; none was looked up for this file except where marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from simulator import noise
from simulator.bodies.vitals import DAY
from simulator.noise import Floats, Integers


@dataclass(frozen=True)
class Medicine:
    """One long-term medicine. level and spread by code; answer: of pulse (or resp_rate) to fever and want of oxygen."""

    name: str
    level: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    answer: Mapping[str, float] = field(default_factory=dict)
    #: Part of the effect that is gone a day after a missed dose.
    fades: float = 0.5
    source: str = ""


MEDICINES: Final[dict[str, Medicine]] = {
    medicine.name: medicine
    for medicine in (
        Medicine(
            "beta_blocker", {"pulse": -9.0, "resting_pulse": -9.0, "systolic": -7.0, "diastolic": -4.0},
            {"pulse": 0.8}, {"pulse": 0.5}, 0.6,
            "Wong 2016 Cochrane [K]: -10/-8 mmHg, -11 /min at usual doses; rise of pulse with illness about halved [K]",
        ),
        Medicine(
            "loop_diuretic", {"weight": -1.5, "systolic": -3.0}, {"weight": 1.2}, {}, 0.25,
            "Faris 2012 Cochrane [K]; a missed dose brings back 0.3 to 0.5 kg within a day [K]",
        ),
        Medicine(
            "ace_inhibitor", {"systolic": -8.0, "diastolic": -5.0}, {}, {}, 0.35,
            "Heran 2008 Cochrane [K]: -8/-5 mmHg at usual doses",
        ),
        Medicine(
            "calcium_blocker", {"systolic": -9.0, "diastolic": -5.0, "weight": 0.3}, {}, {}, 0.25,
            "Law 2009 BMJ 338:b1665 [K]: -9/-5.5 mmHg for one drug at standard dose",
        ),
        Medicine(
            "steroid", {"glucose": 1.0, "systolic": 2.0, "weight": 0.5}, {"glucose": 1.3}, {"temperature": 0.7}, 0.3,
            "Burt 2011 JCEM [K]: prednisolone raises glucose in the afternoon and evening; fever is less [K]",
        ),
        Medicine(
            "opioid", {"resp_rate": -1.5, "spo2": -0.5}, {}, {"resp_rate": 0.7}, 0.8,
            "Ekstrom 2015 [K]: low doses for breathlessness; answer to want of oxygen blunted (Pattinson 2008 [K])",
        ),
        Medicine("insulin", {"glucose": -4.0}, {"glucose": 1.15}, {}, 0.8, "untreated values are far above [K]"),
        Medicine("metformin", {"glucose": -1.5}, {}, {}, 0.3, "HbA1c down by 1.1 % (Hirst 2012 [K])"),
        Medicine("paracetamol", {}, {}, {"temperature": 0.75}, 1.0, "a degree less of fever for some hours [K]"),
    )
}  # fmt: skip


def level(names: tuple[str, ...], code: str, missed: Floats) -> Floats:
    """What is lost of the effect on a usual value. missed: part of the doses of late that were missed, 0 to 1."""
    total = np.zeros(len(missed), dtype=np.float64)
    for name in names:
        effect = MEDICINES[name].level.get(code, 0.0)
        if effect:
            total -= effect * MEDICINES[name].fades * missed
    return total


def spread(names: tuple[str, ...], code: str) -> float:
    return _product(MEDICINES[name].spread.get(code, 1.0) for name in names)


def answer(names: tuple[str, ...], code: str) -> float:
    """How much of the usual answer to an illness is left."""
    return _product(MEDICINES[name].answer.get(code, 1.0) for name in names)


def missed(source: int, takes: float, times_ms: Integers) -> Floats:
    """Part of the last two days' doses that were missed. takes: part of the doses that is taken as a rule."""
    if takes >= 1.0:
        return np.zeros(len(times_ms), dtype=np.float64)
    key = noise.key(source, "missed doses")
    day = times_ms // DAY
    part = (times_ms % DAY).astype(np.float64) / DAY
    today, before = (np.where(noise.uniform(key, one) >= takes, 1.0, 0.0) for one in (day, day - 1))
    return np.asarray(part * today + (1.0 - part) * before, dtype=np.float64)


def _product(parts: Iterable[float]) -> float:
    total = 1.0
    for part in parts:
        total *= part
    return total
