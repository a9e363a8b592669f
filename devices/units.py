"""Known units per code and how each becomes the code's own unit. A closed table: nothing is guessed.

Units are UCUM, case-sensitive, with two aliases that devices really send (mmHg, bpm).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import inf, lcm
from types import MappingProxyType
from typing import Final

from devices import catalogue


@dataclass(frozen=True, slots=True)
class Conversion:
    """(value * multiplier + addend) / divisor, in whole numbers, so that nothing is lost on the way."""

    multiplier: int = 1
    addend: int = 0
    divisor: int = 1

    def apply(self, value: float) -> float:
        """The canonical value: exactly that of the decimal number value is written as, rounded once, to a float.

        value: finite. 0.57 of 1 is 57 %, not 56.99999999999999; infinite if it is too large for a float.
        """
        # Through the shortest decimal: 0.57 stands for what was sent, not for the binary fraction nearest to it.
        numerator, denominator = Decimal(repr(value)).as_integer_ratio()
        try:
            return (numerator * self.multiplier + self.addend * denominator) / (denominator * self.divisor)
        except OverflowError:
            return inf if value > 0 else -inf


SAME: Final = Conversion()


def _by(factor: str, divisor: str = "1", offset: str = "0") -> Conversion:
    """value * factor / divisor + offset, each a decimal number or a fraction."""
    scale, shift = Fraction(factor) / Fraction(divisor), Fraction(offset)
    common = lcm(scale.denominator, shift.denominator)
    return Conversion(int(scale * common), int(shift * common), common)


_BY_UNIT: Final[Mapping[str, Mapping[str, Conversion]]] = {
    "%": {"1": _by("100")},
    "/min": {"1/min": SAME},
    # The conventional millimetre of mercury: 133.322387415 Pa.
    "mm[Hg]": {"mmHg": SAME, "kPa": _by("1000", "133.322387415")},
    "Cel": {"[degF]": _by("5", "9", "-160/9"), "K": _by("1", offset="-273.15")},
    "kg": {"g": _by("0.001"), "[lb_av]": _by("0.45359237"), "[stone_av]": _by("6.35029318")},
    "mmol/L": {"umol/L": _by("0.001")},
    "L/min": {"L/s": _by("60"), "mL/min": _by("0.001")},
    "L": {"mL": _by("0.001")},
    "{steps}": {"{step}": SAME, "1": SAME},
}

# Depend on the substance (molar mass in g/mol) or name what is counted.
_BY_CODE: Final[Mapping[str, Mapping[str, Conversion]]] = {
    "glucose": {"mg/dL": _by("10", "180.156"), "mol/L": _by("1000"), "kg/L": _by("1000000", "180.156")},
    "ketones": {"mg/dL": _by("10", "104.105")},
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
