"""NEWS2 of what is known now, for the board. Pure; a partial set is a lower bound and says what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from alerts import errors, news2
from telehealth.store.db import Record
from telehealth.web.shown import formats

#: The words of a note: "respiration and consciousness missing".
_WORDS = {
    "resp_rate": "respiration",
    "spo2": "SpO2",
    "on_oxygen": "air or oxygen",
    "systolic": "systolic pressure",
    "pulse": "pulse",
    "consciousness": "consciousness",
    "temperature": "temperature",
}
_CODES = {name: code for code, name in news2.NAME_OF_CODE.items()}


def score(
    latest: Mapping[str, Record], rules: Sequence[dict[str, Any]], *, now: datetime, age: int
) -> dict[str, Any] | None:
    """The score as the board shows it; None if the resident's rules do not use it. age in years."""
    rule = next((one for one in rules if one.get("kind") == "news2"), None)
    if rule is None:
        return None
    scale: Literal[1, 2] = 2 if rule.get("scale") == 2 else 1
    greatest = {**news2.DEFAULT_MAX_AGE_SECONDS, **(rule.get("max_age_seconds") or {})}
    known, stale = _split(latest, greatest, now)
    try:
        found = news2.score(_inputs(known, scale, age))
    except errors.Refused:
        return _refused(scale)
    points = {_CODES[name]: value for name, value in found.parameters.items() if value is not None}
    missing = [code for code in news2.INPUT_CODES if code not in points and code not in stale]
    return {
        "total": found.total,
        "complete": found.complete,
        "label": found.label,
        "note": _note(missing, stale),
        "band": found.band,
        "scale": scale,
        "missing": missing,
        "stale": list(stale),
        "parameters": points,
        "refused": None,
    }


def _split(
    latest: Mapping[str, Record], greatest: Mapping[str, int], now: datetime
) -> tuple[dict[str, Record], dict[str, str]]:
    """What may be used, and the age in words of what is too old."""
    known: dict[str, Record] = {}
    stale: dict[str, str] = {}
    for code in news2.INPUT_CODES:
        found = latest.get(code)
        if found is None or (found["value"] is None and found["value_code"] is None):
            continue
        seconds = (now - found["effective_at"]).total_seconds()
        if seconds > greatest[code]:
            # whole hours: a note that changes every minute would be news every minute
            stale[code] = formats.duration(seconds - seconds % 3600 if seconds >= 3600 else seconds)
        else:
            known[code] = found
    return known, stale


def _inputs(known: Mapping[str, Record], scale: Literal[1, 2], age: int) -> news2.Inputs:
    letter = known["consciousness"]["value_code"] if "consciousness" in known else None
    return news2.Inputs(
        rr=_number(known, "resp_rate"),
        spo2=_number(known, "spo2"),
        spo2_scale=scale,
        on_oxygen=_oxygen(known),
        sbp=_number(known, "systolic"),
        pulse=_number(known, "pulse"),
        acvpu=letter if letter in tuple("ACVPU") else None,
        temp=_number(known, "temperature"),
        age_years=age,
    )


def _number(known: Mapping[str, Record], code: str) -> float | None:
    return known[code]["value"] if code in known else None


def _oxygen(known: Mapping[str, Record]) -> bool | None:
    found = known.get("on_oxygen")
    if found is None:
        return None
    return bool(found["value"]) if found["value"] is not None else found["value_code"] == "true"


def _note(missing: Sequence[str], stale: Mapping[str, str]) -> str:
    parts = []
    if missing:
        parts.append(f"{_joined([_WORDS[code] for code in missing])} missing")
    if stale:
        parts.append(_joined([f"{_WORDS[code]} {age} old" for code, age in stale.items()]))
    return "; ".join(parts)


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _refused(scale: int) -> dict[str, Any]:
    return {
        "total": None,
        "complete": False,
        "label": "not used",
        "note": "NEWS2 is not used under 16",
        "band": None,
        "scale": scale,
        "missing": [],
        "stale": [],
        "parameters": {},
        "refused": "under 16",
    }
