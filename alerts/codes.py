"""The engine's own vocabulary: codes, their names, units and the resolution they are judged at.

A unit test compares it with the catalogue of devices; the packages do not import each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

CONSCIOUSNESS = "ACVPU"


@dataclass(frozen=True, slots=True)
class Code:
    """One measure. Values are judged after rounding, half up, to `decimals`."""

    key: str
    name: str
    unit: str
    decimals: int


TABLE: tuple[Code, ...] = (
    Code("spo2", "SpO2", "%", 0),
    Code("pulse", "Pulse", "/min", 0),
    Code("systolic", "Systolic pressure", "mm[Hg]", 0),
    Code("diastolic", "Diastolic pressure", "mm[Hg]", 0),
    Code("mean_arterial", "Mean arterial pressure", "mm[Hg]", 0),
    Code("temperature", "Temperature", "Cel", 1),
    Code("resp_rate", "Respiration rate", "/min", 0),
    Code("weight", "Weight", "kg", 1),
    Code("glucose", "Glucose", "mmol/L", 1),
    Code("ketones", "Ketones", "mmol/L", 1),
    Code("peak_flow", "Peak flow", "L/min", 0),
    Code("fev1", "FEV1", "L", 2),
    Code("steps", "Steps", "{steps}", 0),
    Code("resting_pulse", "Resting pulse", "/min", 0),
    Code("on_oxygen", "On oxygen", "", 0),
    Code("oxygen_flow", "Oxygen flow", "L/min", 1),
    Code("consciousness", "Consciousness", "", 0),
    Code("fall", "Fall", "", 0),
    Code("breathlessness", "Breathlessness", "", 0),
    Code("pain", "Pain", "", 0),
    Code("wellbeing", "Wellbeing", "", 0),
    Code("sputum_volume", "More sputum than usual", "", 0),
    Code("sputum_purulence", "Sputum yellow or green", "", 0),
    Code("ankle_swelling", "Ankles more swollen than usual", "", 0),
    Code("orthopnoea", "Needs more pillows to sleep, or wakes breathless", "", 0),
    Code("breathless_at_rest", "Breathless at rest", "", 0),
    Code("chest_pain", "Chest pain", "", 0),
    Code("syncope", "Fainted", "", 0),
    Code("dizziness", "Dizzy on standing", "", 0),
    Code("new_confusion", "More confused than usual", "", 0),
    Code("drowsy", "Drowsier than usual", "", 0),
    Code("less_mobile", "Moves less or less safely than usual", "", 0),
    Code("poor_intake", "Eats or drinks less than usual", "", 0),
    Code("urine_change", "Change of urine", "", 0),
)

#: What is there or not: values 1 and 0.
YES_NO: frozenset[str] = frozenset(
    {
        "on_oxygen",
        "fall",
        "sputum_volume",
        "sputum_purulence",
        "ankle_swelling",
        "orthopnoea",
        "breathless_at_rest",
        "chest_pain",
        "syncope",
        "dizziness",
        "new_confusion",
        "drowsy",
        "less_mobile",
        "poor_intake",
        "urine_change",
    }
)

#: Position in this tuple is the number used in the columns of a timeline.
CODES: tuple[str, ...] = tuple(entry.key for entry in TABLE)
INDEX: dict[str, int] = {key: position for position, key in enumerate(CODES)}
BY_KEY: dict[str, Code] = {entry.key: entry for entry in TABLE}

_SHOWN_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C", "{steps}": "steps", "/min": "/min"}


def encode(value: float | None, value_code: str | None) -> float:
    """Number for the value column: consciousness A, C, V, P, U as 0 to 4, true and false as 1 and 0,
    a failed measurement (neither value) as NaN, an unknown letter as NaN too.
    """
    if value is not None:
        return float(value)
    if value_code is not None and len(value_code) == 1:
        position = CONSCIOUSNESS.find(value_code)
        return float(position) if position >= 0 else math.nan
    return math.nan


def rounded(code: str, value: float) -> float:
    """The value at the code's resolution, half up."""
    scale = 10.0 ** BY_KEY[code].decimals
    return math.floor(value * scale + 0.5 + 1e-9) / scale


def shown(code: str, value: float) -> str:
    """A value as a nurse reads it, with its unit: "84 %", "37.9 °C", "A"."""
    entry = BY_KEY[code]
    if code == "consciousness":
        return CONSCIOUSNESS[int(value)] if 0 <= value < len(CONSCIOUSNESS) else "?"
    if code in YES_NO:
        return "yes" if value else "no"
    return measure(code, f"{rounded(code, value):.{entry.decimals}f}")


def measure(code: str, number: str) -> str:
    """A number with the code's unit as a nurse reads it: "2.4 kg"."""
    unit = BY_KEY[code].unit
    unit = _SHOWN_UNITS.get(unit, unit)
    return f"{number} {unit}" if unit else number


def inner(code: str) -> str:
    """The name inside a sentence: "resting pulse", "SpO2"."""
    if code == "on_oxygen":
        return "oxygen use"
    name = BY_KEY[code].name
    return name if code in ("spo2", "fev1") else name[0].lower() + name[1:]


def beyond(code: str, side: str, limit: float) -> str:
    """How a value lies outside a limit of one side: "below 88 %"; of consciousness "not alert"."""
    if code == "consciousness":
        return "not alert"
    return f"{'below' if side == 'low' else 'above'} {shown(code, limit)}"
