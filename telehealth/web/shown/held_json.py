"""Readings that wait for a person, as JSON and as the screens show them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from telehealth import errors
from telehealth.model import people
from telehealth.store import attribution, held
from telehealth.store.db import Record
from telehealth.store.residents_view import ReadingKey
from telehealth.web import requests
from telehealth.web.shown import formats, measures

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: A reading in paths: microseconds of taken_at, identity, value.
KEY = r"-?[0-9]{1,17}_[0-9a-f]{32}_-?[0-9]{1,19}"
_KEY = re.compile(r"(-?[0-9]{1,17})_([0-9a-f]{32})_(-?[0-9]{1,19})")

#: why -> what keeps a reading from being somebody's, and what would settle it.
REASONS = {
    "no_time": ("Nobody knows when it was taken", "Say when it was taken"),
    "near_change": (
        "The device's clock is wrong, and the device changed hands within an hour of this reading",
        "Say whose it is, or when it was taken",
    ),
    "subject": (
        "It names somebody who has no place on this device at that time",
        "Say whose it is. An administrator can give a place for good",
    ),
    "slot": (
        "That user of the device is nobody at that time",
        "Say whose it is. An administrator can give the place for good",
    ),
    "shared": ("The kit is shared, and the reading does not say whose it is", "Say whose it is"),
    "unassigned": (
        "The device was assigned to nobody at that time",
        "Say whose it is. An administrator can assign the device",
    ),
    "moved": ("Staff took it from somebody", "Say whose it is"),
}

#: How marks are said on screens; others are said as they are.
MARKS = {
    "clock_uncertain": "uncertain",
    "maybe_other": "may be somebody else's",
    "conflict": "two values for one reading",
    "no_time": "time unknown",
    "undated": "sent without a time",
    "zone_assumed": "time zone assumed",
    "repaired": "put right by staff",
    "supervised": "taken in a video visit",
}


def key(r: Mapping[str, Any] | Record) -> str:
    """How paths name a reading."""
    return f"{(r['taken_at'] - _EPOCH) // _MICROSECOND}_{r['identity'].hex}_{r['value_key']}"


def read_key(text: str) -> ReadingKey:
    """The reading that a path names. NotFound for what can name none."""
    parts = _KEY.fullmatch(text)
    if parts is None:
        raise errors.NotFound
    try:
        taken_at = _EPOCH + int(parts[1]) * _MICROSECOND
    except OverflowError:
        raise errors.NotFound from None
    value_key = int(parts[3])
    if not requests.ordinary(taken_at) or not -(2**63) <= value_key < 2**63:
        raise errors.NotFound
    return ReadingKey(taken_at, UUID(parts[2]), value_key)


def why(r: Record) -> str:
    """What keeps a reading of nobody from being somebody's: a key of REASONS."""
    marks = r["marks"] or ()
    if r["effective_at"] is None:
        return "no_time"
    if "held" in marks:
        return "near_change"
    if "repaired" in marks:
        return "moved"
    if r["subject"] is not None:
        return "subject"
    if r["slotted"] and attribution.plain_slot(r["slot"]) is not None:
        return "slot"
    return "shared" if r["shared"] else "unassigned"


def measure(r: Record) -> Json:
    """What was measured and when, of any reading."""
    return {
        "key": key(r),
        "code": r["code"],
        "name": measures.name(r["code"]),
        "text": measures.text(r["code"], r["value"], r["value_code"]) or f"failed ({r['absent'] or 'no value'})",
        "unit": measures.shown_unit(r["unit"]),
        "received_at": formats.iso(r["received_at"]),
    }


def _times(r: Record) -> Json:
    return {"taken_at": formats.iso(r["taken_at"]), "effective_at": formats.iso(r["effective_at"])}


def _said(r: Record) -> Json:
    slot = attribution.plain_slot(r["slot"])
    return {
        "device_id": r["device_id"],
        "subject": r["subject"],
        "slot": None if slot is None else str(slot),
        "set": r["set_id"],
        "marks": list(r["marks"] or ()),
        "flags": list(r["flags"] or ()),
    }


def item(r: Record) -> Json:
    """A reading of nobody."""
    reason = why(r)
    keeps, helps = REASONS[reason]
    return {
        **measure(r),
        **_times(r),
        **_said(r),
        "value": measures.plain(r["code"], r["value"], r["value_code"]),
        "absent": r["absent"],
        "why": reason,
        "why_text": keeps,
        "what_helps": helps,
    }


def questioned(r: Record) -> Json:
    """A reading of a resident that contradicts another or may be somebody else's."""
    marks = r["marks"] or ()
    return {
        **measure(r),
        **_times(r),
        "resident": named(r["resident_id"], r, ""),
        "device_id": r["device_id"],
        "why": [mark for mark in ("conflict", "maybe_other") if mark in marks],
        "usual": r["usual"] if "maybe_other" in marks else None,
        "allowed": r["allowed"] if "maybe_other" in marks else None,
        "fits": named(r["fits_resident_id"], r, "fits_") if "maybe_other" in marks else None,
    }


def named(resident_id: int | None, r: Record, prefix: str) -> Json | None:
    """A resident by id and, if the caller sees them, name; None for nobody."""
    if resident_id is None:
        return None
    family = r[f"{prefix}family_name"]
    name = None if family is None else people.display_name(family, r[f"{prefix}given_name"], r[f"{prefix}title"])
    return {"id": resident_id, "name": name}


def decision(h: Record) -> Json:
    """One decision about a reading."""
    strike = h["kind"] == "strike"
    return {
        "at": formats.iso(h["at"]),
        "kind": h["kind"],
        "by": h["by"],
        "reason": h["reason"],
        "before": None if strike else named(h["from_resident_id"], h, "from_"),
        "after": None if strike else named(h["resident_id"], h, ""),
        "effective_before": formats.iso(h["effective_before"]),
        "effective_at": formats.iso(h["effective_at"]),
    }


def detail(one: held.One) -> Json:
    """One reading with everything about it."""
    r = one.reading
    candidate = {c["id"]: c for c in one.candidates}.get(r["resident_id"])
    whose: Json | None = None
    if r["resident_id"] is not None:
        whose = {"id": r["resident_id"], "name": None} if candidate is None else named(r["resident_id"], candidate, "")
    return {
        **measure(r),
        **_times(r),
        **_said(r),
        "resident": whose,
        "sent_at": formats.iso(r["sent_at"]),
        "method": r["method"],
        "struck": r["struck"],
        "values": [value(v) for v in one.values],
        "with_it": [value(v) for v in one.set],
        "decisions": [decision(h) for h in one.history],
    }


def value(v: Record) -> Json:
    return {name: found for name, found in measure(v).items() if name != "code"} | {"struck": v["struck"]}


def moved(m: Record, resident_id: int) -> Json:
    """What staff did to readings of a resident in one go, as that resident's page says it."""
    return {
        "at": formats.iso(m["at"]),
        "kind": m["kind"],
        "by": m["by"],
        "reason": m["reason"],
        "readings": m["readings"],
        "first_at": formats.iso(m["first_at"]),
        "last_at": formats.iso(m["last_at"]),
        "away": m["from_resident_id"] == resident_id and m["resident_id"] != resident_id,
        "before": named(m["from_resident_id"], m, "from_"),
        "after": named(m["resident_id"], m, ""),
    }


# Groups of the list -------------------------------------------------------------------------------


def groups(items: Sequence[Json]) -> list[Json]:
    """Readings by device and what they say of whose they are, in these by set; each in the order of the list."""
    found: dict[tuple[Any, ...], Json] = {}
    for one in items:
        place = (one["device_id"], one["subject"], one["slot"])
        group = found.setdefault(
            place, {"device_id": place[0], "subject": place[1], "slot": place[2], "sets": {}, "readings": 0}
        )
        group["readings"] += 1
        same = ("set", one["set"]) if one["set"] is not None else ("moment", one["taken_at"], one["received_at"])
        group["sets"].setdefault((same, one["why"]), []).append(one)
    return [{**group, "sets": [_set(rows) for rows in group["sets"].values()]} for group in found.values()]


def _set(rows: Sequence[Json]) -> Json:
    ordered = sorted(rows, key=lambda row: measures.order(row["code"]))
    first = ordered[0]
    return {
        "first": first,
        "readings": ordered,
        "says_time": first["why"] == "no_time" and not ({"undated", "zone_assumed"} & set(first["marks"])),
        "conflict": any("conflict" in row["marks"] for row in rows),
    }


def conflicts_together(items: Iterable[Json]) -> list[Json]:
    """Questioned readings, those that contradict each other as one entry with all its values."""
    found: dict[str, Json] = {}
    for one in items:
        identity = one["key"].split("_")[1] + one["taken_at"]
        entry = found.setdefault(identity, {**one, "texts": []})
        entry["texts"].append(f"{one['text']} {one['unit']}".strip())
    return list(found.values())


def words(marks: Iterable[str]) -> list[str]:
    """Marks as screens say them."""
    return [MARKS.get(mark, mark.replace("_", " ")) for mark in marks]
