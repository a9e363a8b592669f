"""/api/v1: quarantine."""

from __future__ import annotations

import base64
from datetime import datetime

from aiohttp import web

from telehealth.store import quarantine_view, retry
from telehealth.store.quarantine_view import Filter
from telehealth.web import access, keys, parse, requests
from telehealth.web.api_wards import reply
from telehealth.web.operations import operation
from telehealth.web.quarantine import quarantine, quarantine_bytes, quarantine_models
from telehealth.web.quarantine.quarantine import Json
from telehealth.web.shown import formats, residents_json


@operation(quarantine_models.QuarantineEntries, query=requests.QuarantineQuery, tag="quarantine")
async def quarantine_list(request: web.Request) -> web.Response:
    """What devices of a ward sent that was refused or is held, newest first, without its bytes."""
    asked = parse.query(request, requests.QuarantineQuery)
    place = residents_json.place(asked.cursor, (datetime, int))
    ward_id = request.match_info["ward_id"]
    async with access.opened(request, "quarantine.list", kind="ward", object_id=ward_id, refreshes=True) as view:
        ward = await quarantine.ward(view, ward_id)
        found = await quarantine_view.entries(
            view.connection,
            Filter(ward["id"], asked.device, asked.error, None if asked.state is None else [asked.state]),
            before=None if place is None else (place[0], place[1]),
            limit=asked.limit + 1,
        )
    page = found[: asked.limit]
    more = residents_json.cursor(page[-1].last_at, page[-1].id) if len(found) > asked.limit else None
    return reply({"items": [quarantine.entry_json(one) for one in page], "next": more})


@operation(quarantine_models.QuarantineCounts, query=requests.QuarantineCountsQuery, tag="quarantine")
async def quarantine_counts(request: web.Request) -> web.Response:
    """How many entries a ward has by device, reason and state, and how often refusals came by hour or by day.

    The second counts every arrival, also of what is no longer kept.
    """
    asked = parse.query(request, requests.QuarantineCountsQuery)
    now = request.app[keys.CLOCK].now()
    ward_id = request.match_info["ward_id"]
    async with access.opened(request, "quarantine.count", kind="ward", object_id=ward_id, refreshes=True) as view:
        ward = await quarantine.ward(view, ward_id)
        groups = await quarantine_view.groups(view.connection, Filter(ward["id"], asked.device, asked.error))
        hours = await quarantine_view.hours(
            view.connection,
            since=quarantine.since(asked.span, now, ward["zone"]),
            ward_id=ward["id"],
            device_id=asked.device,
            error=asked.error,
        )
    periods = quarantine.periods(hours, asked.span, now, ward["zone"])
    return reply({"groups": [quarantine.group_json(one) for one in groups], "periods": periods})


@operation(quarantine_models.QuarantineEntry, tag="quarantine")
async def quarantine_entry(request: web.Request) -> web.Response:
    """One entry, without its bytes."""
    entry_id = request.match_info["entry_id"]
    async with access.opened(request, "quarantine.open", kind="quarantine", object_id=entry_id) as view:
        found = await quarantine.entry(view, entry_id)
    return reply(quarantine.entry_json(found))


@operation(quarantine_models.QuarantineBytes, tag="quarantine")
async def quarantine_bytes_of(request: web.Request) -> web.Response:
    """The bytes of an entry's message, as far as they were kept; they may hold a resident's data.

    Every opening is noted. Whatever they are, treat them as untrusted.
    """
    entry_id = request.match_info["entry_id"]
    async with access.opened(request, "quarantine.bytes", kind="quarantine", object_id=entry_id) as view:
        found = await quarantine.entry(view, entry_id)
        payload = await quarantine_view.payload(view.connection, found.id)
    shown = quarantine_bytes.shown(payload)
    return reply(
        {
            "id": found.id,
            "size": found.size,
            "whole": found.whole,
            "base64": base64.b64encode(payload).decode(),
            "text": shown["text"],
        }
    )


@operation(quarantine_models.QuarantineTried, tag="quarantine")
async def retry_quarantined(request: web.Request) -> web.Response:
    """Decode the message of an entry anew, after a fix, and take it in.

    As of its first arrival; what is stored already is stored once, so that it may be asked for again.
    """
    return reply(_tried(await quarantine.retry_entry(request), None))


@operation(quarantine_models.QuarantineTried, body=requests.QuarantineRetry, tag="quarantine")
async def retry_quarantined_of(request: web.Request) -> web.Response:
    """Decode anew what is open of a device, of one reason or of all.

    At most 100 messages at a time; left says how many entries wait. What is still refused is tried again by the next
    request unless "since" is the "since" of the first answer.
    """
    await _seek_ward(request, "quarantine.retry")
    asked = await parse.body(request, requests.QuarantineRetry)
    since = asked.since or request.app[keys.CLOCK].now()
    return reply(_tried(await quarantine.retry_group(request, asked.device_id, asked.error, since), since))


@operation(quarantine_models.QuarantineDismissed, body=requests.QuarantineDismiss, tag="quarantine", refusals=(409,))
async def dismiss_quarantined(request: web.Request) -> web.Response:
    """Nothing more is to be done about an entry; say why."""
    entry_id = request.match_info["entry_id"]
    async with access.sought(request, "quarantine.dismiss", kind="quarantine", object_id=entry_id) as view:
        await quarantine.entry(view, entry_id)
    asked = await parse.body(request, requests.QuarantineDismiss)
    return reply({"dismissed": await quarantine.dismiss_entry(request, asked.reason)})


@operation(quarantine_models.QuarantineDismissed, body=requests.QuarantineDismissGroup, tag="quarantine")
async def dismiss_quarantined_of(request: web.Request) -> web.Response:
    """Nothing more is to be done about what is open of a ward, by device and reason; say why."""
    await _seek_ward(request, "quarantine.dismiss")
    asked = await parse.body(request, requests.QuarantineDismissGroup)
    return reply({"dismissed": await quarantine.dismiss_group(request, asked.device_id, asked.error, asked.reason)})


async def _seek_ward(request: web.Request, action: str) -> None:
    ward_id = request.match_info["ward_id"]
    async with access.sought(request, action, kind="ward", object_id=ward_id) as view:
        await quarantine.ward(view, ward_id)


def _tried(tried: retry.Tried, since: datetime | None) -> Json:
    return {
        "outcomes": [
            {
                "entries": outcome.entry_ids,
                "taken_in": outcome.taken_in,
                "stored": outcome.stored,
                "duplicates": outcome.duplicates,
                "refused": [
                    {
                        "error": refusal.error,
                        "reading_index": refusal.index,
                        "field": None if refusal.field is None else quarantine_bytes.text(refusal.field),
                        "detail": quarantine_bytes.text(refusal.detail),
                    }
                    for refusal in outcome.refused[:20]
                ],
                "why": outcome.why,
            }
            for outcome in tried.outcomes
        ],
        "stored": tried.stored,
        "left": tried.left,
        "since": formats.iso(since),
    }
