"""Residents, readings and devices as JSON. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from devices import clockwork
from telehealth.model import people
from telehealth.store.contacts import Contact
from telehealth.store.db import Record
from telehealth.store.residents_view import ReadingKey
from telehealth.web import errors, requests
from telehealth.web.shown import formats, held_json, measures, rows

Json = dict[str, Any]

#: Our marks in other words than their names.
_MARKS = {**held_json.MARKS, "clock_uncertain": "time estimated"}
#: More of a firmware's name than this is not shown.
_FIRMWARE = 64
_GENDERS = {"female": "Female", "male": "Male", "other": "Other"}


def resident(r: Record, now: datetime) -> Json:
    """A resident as the API shows them."""
    ended = r["ended_at"]
    return {
        "id": r["id"],
        "ward_id": r["ward_id"],
        "ward": r["ward"],
        "name": people.display_name(r["family_name"], r["given_name"], r["title"]),
        "family_name": r["family_name"],
        "given_name": r["given_name"],
        "title": r["title"],
        "nhs_number": r["nhs_number"],
        "born": r["born"].isoformat(),
        "age": formats.years(r["born"], now.astimezone(formats.zone_of(r["zone"])).date()),
        "gender": r["gender"],
        "zone": r["zone"],
        "simulated": r["simulated"],
        "died_at": formats.iso(r["died_at"]),
        "pathway": r["pathway"],
        "pathway_version": r["pathway_version"],
        "admitted_at": formats.iso(r["admitted_at"]),
        "discharged_at": formats.iso(ended) if ended is not None and ended <= now else None,
        "on_ward": bool(r["on_ward"]),
        "pause": rows.pause(r),
    }


def contact(one: Contact) -> Json:
    """Somebody whom mails about a resident's visits go to."""
    return {key: getattr(one, key) for key in ("id", "relation", "name", "email", "reminders")}


def banner(r: Record, now: datetime) -> Json:
    """The banner of a resident's page."""
    found = resident(r, now)
    return {**found, "gender": _GENDERS.get(r["gender"], "Not Known")}


def reading(g: Record) -> Json:
    """A reading as the API shows it."""
    return {
        "key": held_json.key(g),
        # What was sent without a time has one of ours, as part of its identity: the device said none.
        "taken_at": None if "undated" in (g["marks"] or ()) else formats.iso(g["taken_at"]),
        "identity": str(g["identity"]),
        "value_key": str(g["value_key"]),
        "effective_at": formats.iso(g["effective_at"]),
        "received_at": formats.iso(g["received_at"]),
        "sent_at": formats.iso(g["sent_at"]),
        "code": g["code"],
        "value": measures.plain(g["code"], g["value"], g["value_code"]),
        "unit": g["unit"],
        "value_sent": g["value_sent"],
        "unit_sent": g["unit_sent"],
        "method": g["method"],
        "absent": g["absent"],
        "flags": list(g["flags"] or ()),
        "marks": list(g["marks"] or ()),
        "context": g["context"],
        "struck": g["struck"],
        "set": g["set_id"],
        "device_id": g["device_id"],
    }


def table_row(g: Record) -> Json:
    """A reading as the table of a resident's page shows it."""
    found = reading(g)
    estimated = f"time estimated: {clockwork.estimated(g['sent_at'], g['received_at'])}"
    dated = "undated" not in found["marks"]
    marks = [estimated if mark == "clock_uncertain" and dated else _MARKS.get(mark, mark) for mark in found["marks"]]
    return {
        **{key: found[key] for key in ("effective_at", "code", "struck", "identity", "value_key", "absent")},
        "key": found["key"],
        "in_question": not {"maybe_other", "conflict"}.isdisjoint(found["marks"]) and not g["struck"],
        "taken_at": exact(g["taken_at"]),
        "name": measures.name(g["code"]),
        "text": measures.text(g["code"], g["value"], g["value_code"]) or f"failed ({g['absent'] or 'no value'})",
        "unit": measures.shown_unit(g["unit"]),
        "source": f"device {g['device_id']}" if g["device_id"] is not None else "keyed by staff",
        "marks": [*marks, *found["flags"], *(["keyed"] if g["method"] == "keyed" else [])],
        "can_strike": not g["struck"],
    }


def device(d: Record) -> Json:
    """A device as the API shows it."""
    said = status(d["status"])
    return {
        "device_id": d["device_id"],
        "ward_id": d["ward_id"],
        "model": d["model"],
        "codes": list(d["codes"]),
        "revoked": d["revoked_at"] is not None,
        "seen_at": formats.iso(d["seen_at"]),
        "online": said["online"],
        "battery": said["battery"],
        "firmware": said["firmware"],
        "resident_id": d["resident_id"],
        "lost_messages": d["lost"],
        "lost": lost(d),
    }


def lost(d: Record) -> str | None:
    """What a device gave up before it arrived, in a sentence; None: nothing."""
    count = d["lost"]
    if not count:
        return None
    return (
        f"{count:,} message{'' if count == 1 else 's'} given up by the device before arriving: those readings are lost"
    )


def clock(d: Record) -> str | None:
    """What is wrong with a device's clock: "about 1 h slow since 29 Mar 02:00 BST: ..."; None: nothing known."""
    if d["clock"] is None:
        return None
    return clockwork.sentence(d["clock"], d["skew_ms"], d["clock_since"], formats.zone_of(formats.ZONE))


def status(said: Any) -> Json:
    """online, battery (0 to 1) and firmware as the device last said; what it did not say properly is None."""
    found = said if isinstance(said, Mapping) else {}
    online, battery, firmware = found.get("online"), found.get("battery"), found.get("firmware")
    usable = isinstance(battery, int | float) and not isinstance(battery, bool) and 0 <= battery <= 1
    return {
        "online": online if isinstance(online, bool) else None,
        "battery": float(battery) if usable and isinstance(battery, int | float) else None,
        "firmware": firmware[:_FIRMWARE] if isinstance(firmware, str) and firmware else None,
    }


def schedule(planned: Any, stands: Mapping[str, Json] | None = None) -> list[Json]:
    """What is expected of a resident, by code, and how it stands."""
    found = planned if isinstance(planned, Mapping) else {}
    return [
        {
            "code": code,
            "name": measures.name(code),
            "times": list(entry.get("times", ())),
            "grace_minutes": entry.get("grace_minutes"),
            "stands": None if stands is None else stands.get(code),
        }
        for code, entry in sorted(found.items(), key=lambda item: measures.order(item[0]))
    ]


def exact(moment: datetime) -> str:
    """As formats.iso, with microseconds where there are some: a key must come back as it is."""
    if moment.microsecond % 1000 == 0:
        return formats.iso(moment) or ""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


# Places in lists ---------------------------------------------------------------------------------


def cursor(*place: Any) -> str:
    """Where the next page goes on; opaque to clients."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


#: Ours are much shorter; deep nesting needs more.
_LONGEST_CURSOR = 300


def place(text: str | None, kinds: Sequence[type]) -> list[Any] | None:
    """The place that cursor() made. Problem 422 for anything else."""
    if text is None:
        return None
    try:
        if len(text) > _LONGEST_CURSOR:
            raise ValueError
        found = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=list)
        if len(found) != len(kinds):
            raise ValueError
        made: list[Any] = [msgspec.convert(value, kind) for value, kind in zip(found, kinds, strict=True)]
        if not all(map(_ordinary, made)):
            raise ValueError
        return made
    except (ValueError, RecursionError, binascii.Error, msgspec.MsgspecError):
        raise errors.Problem(422, "cursor: is not one of ours", field="cursor") from None


def reading_place(text: str | None) -> ReadingKey | None:
    """The place in a list of readings."""
    found = place(text, (datetime, UUID, int))
    if found is None:
        return None
    return ReadingKey(*found)


def _ordinary(value: Any) -> bool:
    """Whether the database can take this part of a place."""
    match value:
        case datetime():
            return value.tzinfo is not None and requests.ordinary(value)
        case int():
            return -(2**63) <= value < 2**63
        case str():
            return value.isprintable()
    return True


def last_week(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """The time that charts show. Problem 422 if it is empty or longer than a year."""
    end = until or now
    start = since or end - timedelta(days=7)
    if not start < end or end - start > timedelta(days=366):
        raise errors.Problem(422, "since: must be before until, by at most 366 days", field="since")
    return start, end
