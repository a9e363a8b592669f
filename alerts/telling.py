"""How readings and figures are told: as evidence in JSON, and with no more digits than a nurse needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alerts import codes, moments, timeline

_QUALITY = (
    (timeline.UNCERTAIN, "clock_uncertain"),
    (timeline.EXTREME, "extreme"),
    (timeline.POOR, "poor_quality"),
    (timeline.CONFLICT, "conflict"),
)


def reading(code: str, sample: Sequence[Any], seen_at: int) -> dict[str, Any]:
    """Evidence of one reading (at, value, quality bits) as of `seen_at`."""
    at, value, quality = sample[:3]
    return {
        "code": code,
        "value": value,
        "unit": codes.BY_KEY[code].unit,
        "at": moments.instant(at),
        "age_seconds": max(0, seen_at - at) // 1_000_000,
        "marks": [name for bit, name in _QUALITY if quality & bit],
    }


def figure(value: float, decimals: int, *limits: float | None) -> str:
    """At least these decimals, and up to three more where fewer would put it on another side of a limit."""
    for places in range(decimals, decimals + 3):
        told = round(value, places)
        if all(limit is None or _side(told, limit) == _side(value, limit) for limit in limits):
            return f"{told:.{places}f}"
    return f"{value:.{decimals + 3}f}"


def amount(code: str, value: float, *limits: float | None) -> str:
    """A difference or an average of values of a code, with its unit: "2.3 kg"."""
    return codes.measure(code, figure(value, codes.BY_KEY[code].decimals, *limits))


def difference(code: str, value: float, *limits: float | None) -> str:
    """How far apart values of a code are: "2.3 kg", but "4 percentage points"."""
    return apart(code, figure(value, codes.BY_KEY[code].decimals, *limits))


def apart(code: str, number: str) -> str:
    """A number that is a difference of values of a code, with its unit. Of shares a "%" would be ambiguous."""
    if codes.BY_KEY[code].unit != "%":
        return codes.measure(code, number)
    return f"{number} percentage point{'' if number == '1' else 's'}"


def measured(code: str, value: float, *limits: float | None) -> str:
    """A value as it was measured: "78.45 kg". Up to two decimals, and up to three more where fewer would put it on
    another side of a limit: 181 mg/dL beside a limit of 10 mmol/L are "10.05 mmol/L".
    """
    least = codes.BY_KEY[code].decimals
    short = round(value, max(2, least))
    places = next((n for n in range(least, 2) if abs(round(value, n) - short) < 1e-9), max(2, least))
    return codes.measure(code, figure(value, places, *limits))


def limit(value: float) -> str:
    """A limit as it was written: "2", "1.36"."""
    told = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if told == "-0" else told


def limit_apart(code: str, value: float) -> str:
    """A limit of a difference, with its unit."""
    return apart(code, limit(value))


def limit_of(code: str, value: float) -> str:
    """A limit with the unit of a code."""
    return codes.measure(code, limit(value))


def lower(amber: float | None, red: float | None) -> float:
    """The limit nearer to normal, of a rule that has at least one."""
    found = amber if amber is not None else red
    assert found is not None  # a rule without limits is refused
    return found


def limit_at(level: int, amber: float | None, red: float | None) -> float:
    """The limit that a finding of this level is beyond; of level 0 the one that it is not."""
    return red if level == 2 and red is not None else lower(amber, red)


def tidy(value: float) -> float:
    """Without the last bits of sums and differences, for evidence."""
    return round(value, 6)


def _side(value: float, limit: float) -> int:
    return 0 if abs(value - limit) < 1e-9 else 1 if value > limit else -1
