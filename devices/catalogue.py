"""The codes that readings can have, with units, terminology and ranges.

Outside the *impossible* range a value cannot come from a living person and is refused. Outside the
*extreme* range, but possible, it is kept and flagged, because real emergencies live there, and is
asked to be repeated. Both ranges include their ends and are in the entry's own unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Kind = Literal["number", "boolean", "code"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One code. unit is UCUM, None for scores, codes and booleans; mdc is the IEEE 11073-10101 code."""

    code: str
    display: str
    short: str
    loinc: str | None
    unit: str | None
    mdc: int | None
    kind: Kind = "number"
    #: Smallest step that a device shows; a tenth of it is where two values count as the same.
    resolution: float = 1.0
    impossible_low: float = 0.0
    impossible_high: float = 0.0
    extreme_low: float = 0.0
    extreme_high: float = 0.0
    #: Permitted values of kind "code"; empty: any word of [A-Za-z0-9_.:-], at most 64 characters.
    codes: tuple[str, ...] = ()
    #: Entries of context without which a reading of this code means nothing.
    needs_context: tuple[str, ...] = ()

    def possible(self, value: float) -> bool:
        return self.impossible_low <= value <= self.impossible_high

    def extreme(self, value: float) -> bool:
        """Possible or not, the value is so far out that a repeat should be asked for."""
        return not self.extreme_low <= value <= self.extreme_high


def _measure(
    code: str,
    display: str,
    short: str,
    loinc: str | None,
    unit: str | None,
    mdc: int | None,
    resolution: float,
    impossible: tuple[float, float],
    extreme: tuple[float, float],
) -> Entry:
    return Entry(code, display, short, loinc, unit, mdc, "number", resolution, *impossible, *extreme)


def _score(code: str, display: str, short: str, loinc: str | None) -> Entry:
    return _measure(code, display, short, loinc, None, None, 1, (0, 10), (0, 10))


def _answer(code: str, display: str, short: str) -> Entry:
    """A sign that is there or not."""
    return Entry(code, display, short, None, None, None, "boolean")


_ALL = (
    # 10 keeps a fraction sent as per cent (0.96 %) recognisable as an error.
    _measure("spo2", "Oxygen saturation", "SpO2", "59408-5", "%", 150456, 1, (10, 100), (70, 100)),
    _measure("pulse", "Pulse", "Pulse", "8867-4", "/min", 149514, 1, (10, 350), (30, 200)),
    _measure("systolic", "Systolic blood pressure", "Sys", "8480-6", "mm[Hg]", 150021, 1, (20, 320), (70, 250)),
    _measure("diastolic", "Diastolic blood pressure", "Dia", "8462-4", "mm[Hg]", 150022, 1, (10, 220), (30, 150)),
    _measure("mean_arterial", "Mean arterial pressure", "MAP", "8478-0", "mm[Hg]", 150023, 1, (10, 260), (40, 180)),
    _measure("temperature", "Body temperature", "Temp", "8310-5", "Cel", 150364, 0.1, (20, 46), (32, 42)),
    _measure("resp_rate", "Respiration rate", "Resp", "9279-1", "/min", 151562, 1, (1, 120), (5, 45)),
    _measure("weight", "Body weight", "Weight", "29463-7", "kg", 188736, 0.1, (10, 500), (30, 250)),
    _measure("glucose", "Blood glucose", "Glucose", "15074-8", "mmol/L", 160184, 0.1, (0.3, 80), (2.2, 33.3)),
    _measure("ketones", "Blood ketones", "Ketones", "6873-4", "mmol/L", None, 0.1, (0, 25), (0, 6)),
    _measure("peak_flow", "Peak expiratory flow", "PEF", "33452-4", "L/min", 152584, 1, (10, 1000), (50, 850)),
    _measure("fev1", "Forced expiratory volume in 1 s", "FEV1", "20150-9", "L", 152586, 0.01, (0.1, 10), (0.3, 7)),
    _measure("steps", "Steps in a day", "Steps", "41950-7", "{steps}", None, 1, (0, 250_000), (0, 100_000)),
    _measure("resting_pulse", "Resting pulse", "Rest pulse", "40443-4", "/min", None, 1, (10, 250), (30, 150)),
    Entry("on_oxygen", "On supplemental oxygen", "O2", None, None, None, "boolean"),
    _measure("oxygen_flow", "Oxygen flow rate", "O2 flow", "3151-8", "L/min", None, 0.1, (0, 100), (0, 15)),
    Entry("consciousness", "Consciousness (ACVPU)", "ACVPU", "80288-4", None, None, "code", codes=tuple("ACVPU")),
    Entry("fall", "Fall", "Fall", None, None, None, "boolean"),
    _score("breathlessness", "Breathlessness, 0 to 10", "Breathless", None),
    _score("pain", "Pain, 0 to 10", "Pain", "72514-3"),
    _score("wellbeing", "Wellbeing, 0 to 10", "Wellbeing", None),
    # Signs that a resident or carer answers with yes or no; no code of a terminology is sure for them.
    _answer("sputum_volume", "More sputum than usual", "Sputum+"),
    _answer("sputum_purulence", "Sputum yellow or green", "Sputum col"),
    _answer("ankle_swelling", "Ankles more swollen than usual", "Ankles"),
    _answer("orthopnoea", "Needs more pillows to sleep, or wakes breathless", "Orthopnoea"),
    _answer("breathless_at_rest", "Breathless at rest", "At rest"),
    _answer("chest_pain", "Chest pain", "Chest pain"),
    _answer("syncope", "Fainted", "Fainted"),
    _answer("dizziness", "Dizzy on standing", "Dizzy"),
    _answer("new_confusion", "More confused than usual", "Confused"),
    _answer("drowsy", "Drowsier than usual", "Drowsy"),
    _answer("less_mobile", "Moves less or less safely than usual", "Mobility"),
    _answer("poor_intake", "Eats or drinks less than usual", "Intake"),
    _answer("urine_change", "Change of urine", "Urine"),
    Entry("answer", "Answer to a question", "Answer", None, None, None, "code", needs_context=("question",)),
)

#: By code.
ENTRIES: Final[Mapping[str, Entry]] = MappingProxyType({entry.code: entry for entry in _ALL})
