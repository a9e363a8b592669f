"""A scenario as JSON: one resident's rules, stay and readings; the episodes that follow from them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts import codes, engine, errors, limits, pathways, reasons, rules, schedule, timeline

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)")
_FIELDS = ("resident", "zone", "rules", "schedule", "spells", "pauses", "readings", "now")
MOST_READINGS = 1_000_000


def evaluate(text: str) -> dict[str, Any]:
    """{"episodes": [...], "wake_at": ...} of a scenario. Raises InputError or RuleError, naming the field."""
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise errors.InputError("the scenario is not JSON") from None
    if not isinstance(document, Mapping):
        raise errors.InputError("the scenario is not a JSON object")
    limits.known(document, "scenario", _FIELDS)
    now = moment(document.get("now"), "now")
    subject = _subject(document, now)
    (result,) = engine.fold([subject], timeline.from_readings(_readings(document, subject.resident)), now)
    return {
        "episodes": [_shown(episode) for episode in result.episodes],
        "wake_at": None if result.wake_at is None else reasons.instant(result.wake_at),
    }


def moment(value: object, where: str) -> int:
    """Microseconds since the epoch of an ISO 8601 time with an offset."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise errors.InputError(f"{where} must be an ISO 8601 time with an offset")
    try:
        return (datetime.fromisoformat(value) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        raise errors.InputError(f"{where} is not a time that exists") from None


def _subject(document: Mapping[str, Any], now: int) -> engine.Subject:
    resident = document.get("resident", 1)
    if not isinstance(resident, int) or isinstance(resident, bool) or not 0 < resident < 2**63:
        raise errors.InputError("resident must be a positive whole number")
    zone = document.get("zone", "Europe/London")
    expected = schedule.parse(document.get("schedule") or {}, zone)
    spells = [
        engine.Spell(*_interval(entry, f"spells[{position}]"), expected)
        for position, entry in enumerate(_list(document, "spells"))
    ]
    first = min((spell.started_at for spell in spells), default=now)
    return engine.Subject(
        resident,
        [_version(entry, f"rules[{position}]", first) for position, entry in enumerate(_list(document, "rules"))],
        spells,
        [_interval(entry, f"pauses[{position}]") for position, entry in enumerate(_list(document, "pauses", ()))],
        zone,
    )


def _list(document: Mapping[str, Any], field: str, default: Any = None) -> Any:
    value = document.get(field, default)
    if not isinstance(value, list | tuple):
        raise errors.InputError(f"{field} must be a list")
    return value


def _interval(entry: object, where: str) -> tuple[int, int | None]:
    if not isinstance(entry, Mapping):
        raise errors.InputError(f"{where} must be an object with from and to")
    limits.known(entry, where, ("from", "to"))
    start = moment(entry.get("from"), f"{where}.from")
    stop = None if entry.get("to") is None else moment(entry["to"], f"{where}.to")
    if stop is not None and stop <= start:
        raise errors.InputError(f"{where}.to must be after from")
    return start, stop


def _version(entry: object, where: str, default_from: int) -> tuple[int, rules.RuleSet]:
    """{"valid_from", "rules": a rule set} or {"valid_from", "pathway", "spo2_scale", "overrides"}."""
    if not isinstance(entry, Mapping):
        raise errors.InputError(f"{where} must be an object")
    limits.known(entry, where, ("valid_from", "pathway", "version", "rules", "spo2_scale", "overrides"))
    valid_from = default_from if entry.get("valid_from") is None else moment(entry["valid_from"], f"{where}.valid_from")
    if "rules" in entry:
        return valid_from, rules.RuleSet.from_json({"pathway": "scenario", "version": "1", **entry})
    pathway = entry.get("pathway")
    if not isinstance(pathway, str):
        raise errors.InputError(f"{where} needs rules or a pathway")
    overrides = entry.get("overrides") or {}
    if not isinstance(overrides, Mapping):
        raise errors.InputError(f"{where}.overrides must be an object by rule")
    scale = entry.get("spo2_scale", 1)
    return valid_from, pathways.compile(pathways.load(pathway, entry.get("version")), overrides, scale)


def _readings(document: Mapping[str, Any], resident: int) -> list[timeline.Reading]:
    entries = _list(document, "readings")
    if len(entries) > MOST_READINGS:
        raise errors.InputError(f"readings must be at most {MOST_READINGS}")
    return [_reading(entry, f"readings[{position}]", position, resident) for position, entry in enumerate(entries)]


def _reading(entry: object, where: str, position: int, resident: int) -> timeline.Reading:
    if not isinstance(entry, Mapping):
        raise errors.InputError(f"{where} must be an object")
    limits.known(entry, where, ("code", "value", "at", "id", "marks", "flags"))
    code = limits.code(entry, where)
    value = entry.get("value")
    number: float | None = None
    letter: str | None = None
    if code == "consciousness" and isinstance(value, str) and len(value) == 1 and value in codes.CONSCIOUSNESS:
        letter = value
    elif isinstance(value, bool) and code in codes.YES_NO:
        number = float(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and code != "consciousness":
        number = float(value)
        if not math.isfinite(number) or abs(number) > 1_000_000:
            raise errors.InputError(f"{where}.value is out of all reason")
    elif value is not None:
        raise errors.InputError(f"{where}.value is not one of {code}, nor null for a failed measurement")
    identity = entry.get("id", position)
    if not isinstance(identity, int) or isinstance(identity, bool) or not 0 <= identity < 2**63:
        raise errors.InputError(f"{where}.id must be a whole number; the same id is the same reading")
    return timeline.Reading(
        resident,
        moment(entry.get("at"), f"{where}.at"),
        code,
        number,
        letter,
        identity,
        _words(entry, "marks", where),
        _words(entry, "flags", where),
    )


def _words(entry: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
    value = entry.get(field, ())
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise errors.InputError(f"{where}.{field} must be a list of words")
    return tuple(value)


def _shown(episode: engine.Episode) -> dict[str, Any]:
    shown = episode.to_json()
    for field in ("started_at", "ended_at", "peak_at"):
        shown[field] = None if shown[field] is None else reasons.instant(shown[field])
    return shown


def _no_constant(_: str) -> None:
    raise ValueError
