"""Known units per code and how each becomes the code's own unit. A closed table: nothing is guessed.

Units are UCUM, case-sensitive, with two aliases that devices really send (mmHg, bpm).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from devices import catalogue


@dataclass(frozen=True, slots=True)
class Conversion:
    """value * factor + offset, in the code's own unit."""

    factor: float = 1.0
    offset: float = 0.0

    def apply(self, value: float) -> float:
        """The canonical value; six decimals, so that 0.57 of 1 is 57 % and not 56.99999999999999."""
        return round(value * self.factor + self.offset, 6)


SAME: Final = Conversion()

_BY_UNIT: Final[Mapping[str, Mapping[str, Conversion]]] = {
    "%": {"1": Conversion(100)},
    "/min": {"1/min": SAME},
    "mm[Hg]": {"mmHg": SAME, "kPa": Conversion(7.500616827042)},
    "Cel": {"[degF]": Conversion(5 / 9, -160 / 9), "K": Conversion(1, -273.15)},
    "kg": {"g": Conversion(0.001), "[lb_av]": Conversion(0.45359237), "[stone_av]": Conversion(6.35029318)},
    "mmol/L": {"umol/L": Conversion(0.001)},
    "L/min": {"L/s": Conversion(60), "mL/min": Conversion(0.001)},
    "L": {"mL": Conversion(0.001)},
    "{steps}": {"{step}": SAME, "1": SAME},
}

# Depend on the substance (molar mass in g/mol) or name what is counted.
_BY_CODE: Final[Mapping[str, Mapping[str, Conversion]]] = {
    "glucose": {"mg/dL": Conversion(10 / 180.156)},
    "ketones": {"mg/dL": Conversion(10 / 104.105)},
    "pulse": {"{beats}/min": SAME, "{beat}/min": SAME, "bpm": SAME},
    "resting_pulse": {"{beats}/min": SAME, "{beat}/min": SAME, "bpm": SAME},
    "resp_rate": {"{breaths}/min": SAME, "{breath}/min": SAME},
}


def _table(entry: catalogue.Entry) -> Mapping[str, Conversion]:
    if entry.unit is not None:
        return MappingProxyType({entry.unit: SAME, **_BY_UNIT[entry.unit], **_BY_CODE.get(entry.code, {})})
    return MappingProxyType({"{score}": SAME} if entry.kind == "number" else {})


#: Code -> unit as sent -> conversion. The code's own unit comes first.
CONVERSIONS: Final[Mapping[str, Mapping[str, Conversion]]] = MappingProxyType(
    {code: _table(entry) for code, entry in catalogue.ENTRIES.items()}
)
