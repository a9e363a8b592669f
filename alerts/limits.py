"""Checks of single fields of rules; every failure is a RuleError that names the field, never its value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from alerts import codes, errors
from alerts.episodes import Priority


def known(entry: Mapping[str, Any], where: str, names: Collection[str]) -> None:
    """A misspelt limit must not be a limit that is silently absent."""
    if not names or set(entry) <= set(names):
        return
    raise errors.RuleError(where, "has a field that is not known; known are " + ", ".join(names))


def text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not 1 <= len(value) <= 100:
        raise errors.RuleError(key, "must be a text of 1 to 100 characters")
    return value


def note(entry: Mapping[str, Any], key: str, where: str, default: str) -> str:
    value = entry.get(key, default)
    if not isinstance(value, str) or len(value) > 500:
        raise errors.RuleError(f"{where}.{key}", "must be a text of at most 500 characters")
    return value


def code(entry: Mapping[str, Any], where: str) -> str:
    value = entry.get("code")
    if not isinstance(value, str) or value not in codes.INDEX:
        raise errors.RuleError(f"{where}.code", "is not a known code")
    return value


def number(entry: Mapping[str, Any], key: str, where: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise errors.RuleError(f"{where}.{key}", "must be a number; leave it out, or empty, where there is none")
    if not abs(value) <= 1_000_000:  # nor is what is no number
        raise errors.RuleError(f"{where}.{key}", "is out of all reason")
    return float(value)


def seconds(entry: Mapping[str, Any], key: str, where: str, default: int, least: int, most: int) -> int:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise errors.RuleError(f"{where}.{key}", f"must be a whole number from {least} to {most}")
    return value


#: A refractory time is two months at most.
MOST_REFRACTORY_HOURS = 60 * 24


def switch(entry: Mapping[str, Any], key: str, where: str) -> bool:
    """True or false; false if it is not there."""
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise errors.RuleError(f"{where}.{key}", "must be true or false")
    return value


def priority(entry: Mapping[str, Any], key: str, where: str, default: Priority) -> Priority:
    value: Priority = entry.get(key, default)
    if value not in ("high", "medium", "low"):
        raise errors.RuleError(f"{where}.{key}", "must be high, medium or low")
    return value


def optional_priority(entry: Mapping[str, Any], key: str, where: str, default: Priority) -> Priority | None:
    """None: no alert; in files, which cannot say None, the word none."""
    return None if key in entry and entry[key] in (None, "none") else priority(entry, key, where, default)


def ordered(four: Sequence[float | None], hysteresis: float, where: str) -> None:
    """red_low <= amber_low < amber_high <= red_high, and the band between clears from both sides."""
    if all(limit is None for limit in four):
        raise errors.RuleError(where, "has no limit at all")
    red_low, amber_low, amber_high, red_high = four
    if red_low is not None and amber_low is not None and red_low > amber_low:
        raise errors.RuleError(f"{where}.red_low", "must not be above amber_low")
    if red_high is not None and amber_high is not None and red_high < amber_high:
        raise errors.RuleError(f"{where}.red_high", "must not be below amber_high")
    low = amber_low if amber_low is not None else red_low
    high = amber_high if amber_high is not None else red_high
    if low is not None and high is not None and low >= high:
        raise errors.RuleError(where, "the low limits must be below the high limits")
    if hysteresis < 0:
        raise errors.RuleError(f"{where}.hysteresis", "must not be negative")
    if low is not None and high is not None and low + hysteresis > high:
        raise errors.RuleError(f"{where}.hysteresis", "is wider than the band: an alert could never clear")
