"""The worst moment of an episode as a number that a nurse would read, and what that number is.

Rules compare signals that are oriented so that greater is worse; nobody reads a blood pressure of -88.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts import codes, telling

_SIDES = {"rise": ("up", "above"), "fall": ("down", "below")}
_DEVIATION = {"z": "usual spreads", "percent": "%"}


def value(rule: Mapping[str, Any], signal: float) -> float:
    """Of a rule (as in evidence) the signal as what it stands for: an average, a share or a value of its own sign."""
    kind = rule.get("kind")
    if kind in ("average", "in_range") and rule.get("direction") == "below":
        return telling.tidy(-signal)
    if kind == "sustained":
        return telling.tidy(rule["limit"] - signal if rule.get("side") == "low" else rule["limit"] + signal)
    return telling.tidy(signal)


_BACK = {"rise": "fall", "fall": "rise", "above": "below", "below": "above"}


def now(key: str, rule: Mapping[str, Any], signal: float) -> tuple[float, str]:
    """Value and unit of a signal that may be on the other side: 0.2 "°C below usual", not -0.2 above."""
    found = value(rule, signal)
    direction = rule.get("direction", "")
    if found < 0 and key.partition("/")[0] in ("change", "slope", "distance", "crossover", "baseline"):
        return -found, unit(key, {**rule, "direction": _BACK.get(direction, direction)})
    return found, unit(key, rule)


def unit(key: str, rule: Mapping[str, Any]) -> str:
    """What stands behind the value: "mmHg", "kg up within 72 hours", "usual spreads above usual"."""
    kind = key.partition("/")[0]
    code = key.split("/")[1] if kind in ("threshold", "unassigned", "clock") and "/" in key else rule.get("code", "")
    known = codes.BY_KEY.get(code)
    own = known.unit if known is not None else ""
    shown = codes.measure(code, "").strip() if known is not None else own
    word, side = _SIDES.get(rule.get("direction", ""), ("", ""))
    match kind:
        case "news2":
            return "points"
        case "silence":
            return "missed"
        case "change" | "slope":
            span = f"{rule['window_hours']} hours" if kind == "change" else f"{rule.get('window_days')} days"
            return _joined(_apart(shown), word, f"within {span}")
        case "distance":
            return _joined("%" if rule.get("percent") else _apart(shown), rule.get("direction", ""), "the set value")
        case "crossover":
            return _joined(_apart(shown), side, "its slow average")
        case "baseline":
            deviation = _DEVIATION.get(str(rule.get("unit", "z")), _apart(shown))
            return _joined(deviation, side, "usual")
        case "cusum":
            return "summed usual spreads"
        case "in_range":
            return "% of readings"
        case "combination":
            return "conditions met"
        case "symptom":
            return "points"
        case _:
            return shown


def _apart(shown: str) -> str:
    """Of shares a "%" would be ambiguous."""
    return "percentage points" if shown == "%" else shown


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)
