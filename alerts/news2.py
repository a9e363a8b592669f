"""NEWS2 (Royal College of Physicians 2017), both scales: for one set of values and for columns of them.

A partial set is a lower bound and is never called NEWS2. The SpO2 scale is a clinician's setting and is
never derived. On scale 2 a saturation of 93 % or more scores only on oxygen; on air it scores 0.
Adults of 16 and over who are not pregnant.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from alerts import codes, errors

Band = Literal["low", "low-medium", "medium", "high"]
Floats = npt.NDArray[np.float64]
Points = npt.NDArray[np.int64]

#: The engine's codes of the seven inputs, and what the same inputs are called by `python -m alerts news2`.
INPUT_CODES = ("resp_rate", "spo2", "on_oxygen", "systolic", "pulse", "consciousness", "temperature")
INPUT_NAMES = ("rr", "spo2", "on_oxygen", "sbp", "pulse", "acvpu", "temp")
NAME_OF_CODE = dict(zip(INPUT_CODES, INPUT_NAMES, strict=True))

#: Greatest age of each input, in seconds. Spot vitals of a home ward: 12 hours; consciousness and oxygen,
#: which change with an event and are asked less often: 24 hours. Needs local approval.
DEFAULT_MAX_AGE_SECONDS = {code: 86_400 if code in ("on_oxygen", "consciousness") else 43_200 for code in INPUT_CODES}

# A value at or above an edge belongs to the next band. Edges in units of the resolution (0.1 for temperature).
_EDGES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "resp_rate": ((9, 12, 21, 25), (3, 1, 0, 2, 3)),
    "spo2/1": ((92, 94, 96), (3, 2, 1, 0)),
    "spo2/2/air": ((84, 86, 88), (3, 2, 1, 0)),
    "spo2/2/oxygen": ((84, 86, 88, 93, 95, 97), (3, 2, 1, 0, 1, 2, 3)),
    "on_oxygen": ((1,), (0, 2)),
    "systolic": ((91, 101, 111, 220), (3, 2, 1, 0, 3)),
    "pulse": ((41, 51, 91, 111, 131), (3, 1, 0, 1, 2, 3)),
    "consciousness": ((1,), (0, 3)),
    "temperature": ((351, 361, 381, 391), (3, 1, 0, 1, 2)),
}
_SCALE_2_NEEDS_OXYGEN_FROM = 93


@dataclass(frozen=True, slots=True)
class Inputs:
    """One observation set; None is missing. temp in degrees Celsius, sbp in mmHg, spo2 in %, the rest per minute."""

    rr: float | None = None
    spo2: float | None = None
    spo2_scale: Literal[1, 2] | None = None
    on_oxygen: bool | None = None
    sbp: float | None = None
    pulse: float | None = None
    acvpu: str | None = None
    temp: float | None = None
    age_years: float | None = None  #: None: not told; under 16 is refused
    pregnant: bool = False  #: True is refused


@dataclass(frozen=True, slots=True)
class Score:
    """The score with its reasons. Not complete: total and band are a lower bound."""

    total: int
    parameters: dict[str, int | None]  #: points by input name; None: could not be scored
    band: Band
    complete: bool
    missing: tuple[str, ...]  #: by input name, spo2_scale among them
    stale: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """ "NEWS2 7", or "at least 7" for a lower bound."""
        return f"NEWS2 {self.total}" if self.complete else f"at least {self.total}"


def score(inputs: Inputs) -> Score:
    """Scores one set. Raises Refused under 16 or in pregnancy."""
    if inputs.age_years is not None and inputs.age_years < 16:
        raise errors.Refused("NEWS2 is not for people under 16")
    if inputs.pregnant:
        raise errors.Refused("NEWS2 is not for use in pregnancy")
    values: dict[str, float | None] = {
        "resp_rate": inputs.rr,
        "spo2": inputs.spo2 if inputs.spo2_scale is not None else None,
        "on_oxygen": None if inputs.on_oxygen is None else float(inputs.on_oxygen),
        "systolic": inputs.sbp,
        "pulse": inputs.pulse,
        "consciousness": None if inputs.acvpu is None else float(codes.CONSCIOUSNESS.index(inputs.acvpu)),
        "temperature": inputs.temp,
    }
    points = {
        NAME_OF_CODE[code]: _points(code, value, inputs.spo2_scale, inputs.on_oxygen) for code, value in values.items()
    }
    missing = [name for name in INPUT_NAMES if getattr(inputs, name) is None]
    if inputs.spo2_scale is None:
        missing.append("spo2_scale")
    given = [point for point in points.values() if point is not None]
    total = sum(given)
    return Score(total, points, band(total, 3 in given), not missing, tuple(missing))


def band(total: int, single: bool) -> Band:
    """The aggregate band; a single 3 lifts a low total to low-medium and lowers nothing."""
    if total >= 7:
        return "high"
    if total >= 5:
        return "medium"
    return "low-medium" if single else "low"


def _points(code: str, value: float | None, scale: int | None, oxygen: bool | None) -> int | None:
    if value is None:
        return None
    steps = _steps(code, value)
    if code == "spo2" and scale == 2 and oxygen is None and steps >= _SCALE_2_NEEDS_OXYGEN_FROM:
        return None
    edges, points = _EDGES[_table(code, scale, oxygen)]
    return points[bisect.bisect_right(edges, steps)]


def row(code: str, value: float, scale: int | None, oxygen: bool | None) -> str:
    """The field of the printed chart that a value falls into: "25 or more", "92 to 93"; "" of what is yes or no."""
    if code in ("on_oxygen", "consciousness"):
        return ""
    edges, _ = _EDGES[_table(code, scale, oxygen)]
    position = bisect.bisect_right(edges, _steps(code, value))
    first, last = [*edges[:position]][-1:], [*edges[position:]][:1]
    shown = [_edge(code, edge) for edge in (*first, *(edge - 1 for edge in last))]
    if first and last:
        return shown[0] if shown[0] == shown[1] else f"{shown[0]} to {shown[1]}"
    return f"{shown[0]} or {'more' if first else 'less'}"


def _table(code: str, scale: int | None, oxygen: bool | None) -> str:
    if code != "spo2":
        return code
    return "spo2/1" if scale == 1 else "spo2/2/oxygen" if oxygen else "spo2/2/air"


def _steps(code: str, value: float) -> int:
    return math.floor(value * 10.0 ** codes.BY_KEY[code].decimals + 0.5 + 1e-9)


def _edge(code: str, steps: int) -> str:
    decimals = codes.BY_KEY[code].decimals
    return f"{steps / 10.0**decimals:.{decimals}f}"


def columns(values: Floats, oxygen: Floats, scale: Floats) -> Points:
    """Points of many sets: values (7, sets) in the order of INPUT_CODES, NaN missing; oxygen (sets,) 0, 1 or NaN;
    scale (sets,) 1 or 2. Result (7, sets), -1 where a parameter cannot be scored.
    """
    result = np.empty(values.shape, np.int64)
    for row, code in enumerate(INPUT_CODES):
        given = ~np.isnan(values[row])
        steps = np.floor(np.where(given, values[row], 0.0) * 10.0 ** codes.BY_KEY[code].decimals + 0.5 + 1e-9)
        if code == "spo2":
            points = np.where(
                scale == 1,
                _band_column("spo2/1", steps),
                np.where(oxygen == 1, _band_column("spo2/2/oxygen", steps), _band_column("spo2/2/air", steps)),
            )
            given = given & ~((scale == 2) & np.isnan(oxygen) & (steps >= _SCALE_2_NEEDS_OXYGEN_FROM))
        else:
            points = _band_column(code, steps)
        result[row] = np.where(given, points, -1)
    return result


def _band_column(table: str, steps: Floats) -> Points:
    edges, points = _EDGES[table]
    result: Points = np.asarray(points, np.int64)[np.searchsorted(np.asarray(edges, np.float64), steps, side="right")]
    return result
