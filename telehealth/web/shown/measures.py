"""How measures are named, ordered, written and scaled on screens; what is missing around them. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from devices import catalogue
from telehealth.web.shown import formats

#: On every board, in this order, whether measured or not: the inputs of NEWS2.
BOARD = ("resp_rate", "spo2", "on_oxygen", "systolic", "diastolic", "pulse", "consciousness", "temperature")

#: Further columns, shown when some resident of the ward has a value.
FURTHER = (
    "weight",
    "glucose",
    "ketones",
    "peak_flow",
    "fev1",
    "breathlessness",
    "oxygen_flow",
    "resting_pulse",
    "pain",
)

#: The height of each chart, fixed in advance so that the same slope always means the same.
HEIGHT: dict[str, tuple[float, float]] = {
    "spo2": (80, 100),
    "pulse": (40, 140),
    "systolic": (40, 200),
    "diastolic": (40, 200),
    "mean_arterial": (40, 160),
    "temperature": (35, 40),
    "resp_rate": (8, 32),
    "glucose": (2, 20),
    "ketones": (0, 4),
    "peak_flow": (100, 600),
    "fev1": (0, 4),
    "steps": (0, 10_000),
    "resting_pulse": (40, 120),
    "oxygen_flow": (0, 10),
}

#: Where people differ too much for one range: how far it reaches on each side of the resident's own median.
REACH = {"weight": 10}

_SHOWN = {"mm[Hg]": "mmHg", "Cel": "°C", "{steps}": "steps"}

#: Shorter silences of a continuous measure are not worth a mark.
_SHORTEST_GAP_SECONDS = 600.0


def name(code: str) -> str:
    """For people; the code itself if it is unknown."""
    entry = catalogue.ENTRIES.get(code)
    return code if entry is None else entry.display


def known(code: str) -> bool:
    """Whether it is a code of readings."""
    return code in catalogue.ENTRIES


def short(code: str) -> str:
    """For the head of a column."""
    entry = catalogue.ENTRIES.get(code)
    return code if entry is None else entry.short


def unit(code: str) -> str:
    """mmHg, °C: the unit as people write it; empty where there is none."""
    entry = catalogue.ENTRIES.get(code)
    return shown_unit(None if entry is None else entry.unit)


def shown_unit(ucum: str | None) -> str:
    return "" if ucum is None else _SHOWN.get(ucum, ucum)


def order(code: str) -> tuple[int, str]:
    """Sorts codes as the board shows them, the rest behind by name."""
    places = (*BOARD, *FURTHER)
    return (places.index(code) if code in places else len(places), code)


def text(code: str, value: float | None, value_code: str | None) -> str:
    """A value as people read it, without its unit: 36.8, A, yes; empty for a failed measurement."""
    entry = catalogue.ENTRIES.get(code)
    if entry is not None and entry.kind == "boolean":
        known = plain(code, value, value_code)
        return "" if known is None else ("yes" if known else "no")
    if value_code is not None:
        return value_code
    if value is None:
        return ""
    return formats.number(value, None if entry is None else entry.resolution)


def plain(code: str, value: float | None, value_code: str | None) -> Any:
    """A value as JSON: a number, a boolean, a code, or None for a failed measurement."""
    entry = catalogue.ENTRIES.get(code)
    if entry is not None and entry.kind == "boolean":
        if value is not None:
            return bool(value)
        return None if value_code is None else value_code == "true"
    if value_code is not None:
        return value_code
    if value is None:
        return None
    return int(value) if value == int(value) else value


def height(code: str, median: float | None) -> tuple[float, float] | None:
    """The range of a chart, fixed in advance; around what is usual for this resident where people differ.

    The middle is a multiple of five, so that the range does not creep with every reading.
    """
    if code in REACH and median is not None:
        middle = 5 * round(median / 5)
        return max(0, middle - REACH[code]), middle + REACH[code]
    return HEIGHT.get(code)


def is_number(code: str) -> bool:
    entry = catalogue.ENTRIES.get(code)
    return entry is not None and entry.kind == "number"


def gaps(times: Sequence[float], until: float | None = None) -> list[tuple[float, float]]:
    """Stretches without data, in seconds, from readings at ascending times to until.

    A silence counts when it is three times as long as nearly all the others: what is normal for a
    wearable is not for a blood pressure taken twice a day.
    """
    spaces = [after - before for before, after in itertools.pairwise(times) if after > before]
    if len(spaces) < 2:
        return []
    usual = sorted(spaces)[min(len(spaces) - 1, int(len(spaces) * 0.9))]
    if len(spaces) >= 20:
        # one long silence among few readings must not make itself usual
        usual = sorted(spaces)[int(len(spaces) * 0.85)]
    longest = max(3 * usual, _SHORTEST_GAP_SECONDS)
    found = [(a, b) for a, b in itertools.pairwise(times) if b - a > longest]
    if until is not None and until - times[-1] > longest:
        found.append((times[-1], until))
    return found
