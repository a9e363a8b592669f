"""One observation set as a JSON line, and its NEWS2 as the answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from alerts import codes, errors, news2

# What cannot come from a living person, or is in another unit; scored by nobody.
_RANGES = {
    "rr": (0, 200),
    "spo2": (1, 100),
    "sbp": (0, 400),
    "pulse": (0, 400),
    "temp": (15, 50),
    "age_years": (0, 150),
}
_FIELDS = (*news2.INPUT_NAMES, "spo2_scale", "age_years", "pregnant")


#: How charts write "not alert" where nobody said which of the four it was.
NOT_ALERT = "CVPU"


def answer(line: str) -> dict[str, Any]:
    """total, parameters, band, complete, missing of one line. Raises InputError or Refused, naming the field."""
    score = news2.score(read(line))
    return {
        "total": score.total,
        "parameters": score.parameters,
        "band": score.band,
        "complete": score.complete,
        "missing": list(score.missing),
    }


def read(line: str) -> news2.Inputs:
    """Raises InputError naming the field."""
    try:
        document = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise errors.InputError("the line is not JSON") from None
    if not isinstance(document, Mapping):
        raise errors.InputError("the line is not a JSON object")
    if not set(document) <= set(_FIELDS):
        raise errors.InputError("there is a field that is not known; known are " + ", ".join(_FIELDS))
    values: dict[str, Any] = {field: _number(document, field) for field in _RANGES}
    for field in ("on_oxygen", "pregnant"):
        value = document.get(field)
        if value is not None and not isinstance(value, bool):
            raise errors.InputError(f"{field} must be true, false or null")
        values[field] = value
    values["pregnant"] = bool(values["pregnant"])
    acvpu = document.get("acvpu")
    if acvpu == NOT_ALERT:
        acvpu = "C"  # all four score the same
    values["acvpu"] = acvpu
    if acvpu is not None and (not isinstance(acvpu, str) or len(acvpu) != 1 or acvpu not in codes.CONSCIOUSNESS):
        raise errors.InputError("acvpu must be one of A, C, V, P, U, CVPU (not alert) or null")
    values["spo2_scale"] = scale = document.get("spo2_scale")
    if scale is not None and (isinstance(scale, bool) or scale not in (1, 2)):
        raise errors.InputError("spo2_scale must be 1, 2 or null; it is a clinician's setting")
    return news2.Inputs(**values)


def _number(document: Mapping[str, Any], field: str) -> float | None:
    value = document.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise errors.InputError(f"{field} must be a number or null")
    low, high = _RANGES[field]
    if not (isinstance(value, int) or math.isfinite(value)) or not low <= value <= high:
        raise errors.InputError(f"{field} must be from {low} to {high}")
    return float(value)


def _no_constant(_: str) -> None:
    raise ValueError
