"""Quarantine for staff: what pages and the API share. Staff see what their own wards' devices sent, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from devices import errors as device_errors
from telehealth import errors
from telehealth.store import audit, board, quarantine_view, retry
from telehealth.store.db import Connection
from telehealth.store.quarantine_view import Entry, Filter, Group, Hour
from telehealth.web import access, auth, keys
from telehealth.web.quarantine.quarantine_bytes import text
from telehealth.web.shown import boards, formats

Json = dict[str, Any]

#: Spans of the counts: how long, and whether by the hour or by the day.
SPANS = {"24h": (timedelta(hours=24), "hour"), "7d": (timedelta(days=7), "day"), "28d": (timedelta(days=28), "day")}

_MEANINGS = {
    **device_errors.MEANINGS,
    "device_unknown": "The device is not registered here, or was revoked.",
    "not_storable": "The message could not be stored.",
}


# Seeing ----------------------------------------------------------------------------------------------


async def ward(view: access.Opened, ward_id: str) -> Json:
    """The ward, noted for the audit row. NotFound."""
    found = boards.ward_json(await board.ward(view.connection, access.key(ward_id)))
    view.ward_id = found["id"]
    return found


async def entry(view: access.Opened, entry_id: str) -> Entry:
    """The entry, noted for the audit row. NotFound."""
    found = await quarantine_view.entry(view.connection, access.key(entry_id))
    view.ward_id = found.ward_id
    return found


def entry_json(one: Entry) -> Json:
    """An entry as the API gives it. What the device chose itself is escaped."""
    return {
        "id": one.id,
        "device_id": one.device_id,
        "state": one.state,
        "error": one.error,
        "meaning": meaning(one.error),
        "field": None if one.field is None else text(one.field),
        "detail": text(one.detail),
        "reading_index": None if one.reading_index < 0 else one.reading_index,
        "topic": text(one.topic),
        "stream": None if one.stream is None else text(one.stream),
        "seq": one.seq,
        "message_id": None if one.message_id is None else text(one.message_id),
        "size": one.size,
        "kept": "whole" if one.whole else "part" if one.kept else "none",
        "retryable": one.retryable,
        "first_at": formats.iso(one.first_at),
        "last_at": formats.iso(one.last_at),
        "times": one.times,
        "handled_at": formats.iso(one.handled_at),
        "handled_by": _who(one),
        "note": one.note,
    }


def _who(one: Entry) -> str | None:
    if one.handled_by is None:
        return None
    return one.handled_name or ("an operator" if one.handled_by.startswith("operator:") else "a member of staff")


def group_json(one: Group) -> Json:
    """Entries of one device, reason and state."""
    return {
        "device_id": one.device_id,
        "error": one.error,
        "meaning": meaning(one.error),
        "state": one.state,
        "entries": one.entries,
        "times": one.times,
        "last_at": formats.iso(one.last_at),
    }


def meaning(error: str) -> str:
    """A reason in words; of an adapter's own reason only its name is known."""
    return _MEANINGS.get(error, "")


def periods(hours: Sequence[Hour], span: str, now: datetime, zone: str) -> list[Json]:
    """How often refusals came, by hour or by day in the ward's zone, oldest first, the empty ones as well."""
    length, unit = SPANS[span]
    times = Counter[datetime]()
    for one in hours:
        times[_period(one.hour, unit, zone)] += one.times
    found = []
    at = _period(now - length, unit, zone)
    last = _period(now, unit, zone)
    while at < last:
        # Over a change of the clocks days are 23 or 25 hours long.
        at = _period(at + (timedelta(hours=1) if unit == "hour" else timedelta(hours=30)), unit, zone)
        found.append({"at": formats.iso(at), "times": times[at]})
    return found


def since(span: str, now: datetime, zone: str) -> datetime:
    """When the first period of a span begins."""
    length, unit = SPANS[span]
    return _period(now - length, unit, zone)


def _period(at: datetime, unit: str, zone: str) -> datetime:
    here = at.astimezone(formats.zone_of(zone)).replace(minute=0, second=0, microsecond=0)
    return (here if unit == "hour" else here.replace(hour=0)).astimezone(UTC)


# Handling --------------------------------------------------------------------------------------------


async def retry_entry(request: web.Request) -> retry.Tried:
    """Decode the message of an entry anew and take it in, as the caller's wish. For the API and the pages."""
    entry_id = request.match_info["entry_id"]
    async with access.sought(request, "quarantine.retry", kind="quarantine", object_id=entry_id) as view:
        found = await entry(view, entry_id)
    now = request.app[keys.CLOCK].now()
    caller = request[auth.CALLER]
    # Taking in readings is the service's: staff could not, and need not, write what ingest writes.
    async with request.app[keys.DATABASE].transaction(auth.SERVICE) as connection:
        tried = await retry.entries(connection, [found.id], actor=caller.actor, now=now)
        await _audited(connection, request, tried, "quarantine", found.id, found.ward_id)
    return tried


async def retry_group(
    request: web.Request, device_id: str, error: str | None, since: datetime | None = None
) -> retry.Tried:
    """Decode what is open of a ward's device, of one reason or of all, anew: a bounded number at a time.

    since: what was tried from then on is not tried again.
    """
    ward_id = request.match_info["ward_id"]
    async with access.sought(request, "quarantine.retry", kind="ward", object_id=ward_id) as view:
        place = await ward(view, ward_id)
        wanted = Filter(place["id"], device_id, error)
        if not await quarantine_view.groups(view.connection, wanted, limit=1):
            raise errors.NotFound
    now = request.app[keys.CLOCK].now()
    caller = request[auth.CALLER]
    async with request.app[keys.DATABASE].transaction(auth.SERVICE) as connection:
        tried = await retry.group(
            connection, device_id=device_id, error=error, actor=caller.actor, now=now, since=since
        )
        await _audited(connection, request, tried, "device", device_id, place["id"])
    return tried


async def _audited(
    connection: Connection, request: web.Request, tried: retry.Tried, kind: str, object_id: object, ward_id: int | None
) -> None:
    caller = request[auth.CALLER]
    await audit.write(
        connection,
        caller.actor,
        "quarantine.retry",
        object_kind=kind,
        object_id=object_id,
        ward_id=ward_id,
        organisation_id=caller.member.organisation_id,
        detail={"messages": len(tried.outcomes), "taken_in": tried.taken_in, "stored": tried.stored},
    )


async def dismiss_entry(request: web.Request, reason: str) -> int:
    """Nothing more is to be done about an entry. Conflict if that was decided already."""
    entry_id = request.match_info["entry_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "quarantine.dismiss", kind="quarantine", object_id=entry_id) as view:
        found = await entry(view, entry_id)
        done = await quarantine_view.dismiss(
            view.connection, ids=[found.id], reason=reason, actor=view.caller.actor, now=now
        )
        if not done:
            raise errors.Conflict("this was dealt with already")
    return done


async def dismiss_group(request: web.Request, device_id: str | None, error: str | None, reason: str) -> int:
    """Nothing more is to be done about what is open of a ward, by device and reason; how many entries that were."""
    ward_id = request.match_info["ward_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "quarantine.dismiss", kind="ward", object_id=ward_id) as view:
        place = await ward(view, ward_id)
        wanted = Filter(place["id"], device_id, error)
        done = await quarantine_view.dismiss(
            view.connection, wanted=wanted, reason=reason, actor=view.caller.actor, now=now
        )
        view.detail = {"entries": done, "device_id": device_id, "error": error}
    return done
