"""/api/v1: readings that wait for a person, and what staff decide about readings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from aiohttp import web

from telehealth.store import board, held, repair
from telehealth.web import access, keys, parse, replies
from telehealth.web.access import Opened
from telehealth.web.api_wards import reply
from telehealth.web.operations import operation
from telehealth.web.record import repair_models
from telehealth.web.shown import boards, held_json, residents_json

Json = dict[str, Any]


@operation(repair_models.Held, query=repair_models.HeldQuery, tag="wards")
async def ward_held(request: web.Request) -> web.Response:
    """Readings of a ward that wait for a person.

    Those of nobody page by page, the newest arrived first; and those of residents that contradict another or may be
    somebody else's.
    """
    asked = parse.query(request, repair_models.HeldQuery)
    after = place(asked.cursor)
    ward_id = request.match_info["ward_id"]
    async with access.opened(request, "held.open", kind="ward", object_id=ward_id) as view:
        found = await listed(view, ward_id, after=after, device_id=asked.device, limit=asked.limit)
    return reply(found)


async def listed(view: Opened, ward_id: str, *, after: held.Place | None, device_id: str | None, limit: int) -> Json:
    """The list as JSON. NotFound for a ward that the caller does not see."""
    ward = await board.ward(view.connection, access.key(ward_id))
    view.ward_id = ward["id"]
    rows = await held.listing(view.connection, ward["id"], after=after, device_id=device_id, limit=limit + 1)
    questions = await held.questioned(view.connection, ward["id"])
    page = rows[:limit]
    last = page[-1] if page else None
    more = None
    if last is not None and len(rows) > limit:
        more = residents_json.cursor(last["received_at"], last["taken_at"], str(last["identity"]), last["value_key"])
    return {
        "ward": boards.ward_json(ward),
        "waiting": await held.count(view.connection, ward["id"]),
        "items": [held_json.item(row) for row in page],
        "questioned": [held_json.questioned(row) for row in questions],
        "next": more,
    }


def place(cursor: str | None) -> held.Place | None:
    """Where a page goes on. Problem 422."""
    found = residents_json.place(cursor, (datetime, datetime, UUID, int))
    return None if found is None else held.Place(*found)


@operation(repair_models.ReadingDetail, tag="residents")
async def reading(request: web.Request) -> web.Response:
    """One reading, with its other values, its set and what was decided about it."""
    name = request.match_info["reading_key"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "reading.open", kind="reading", object_id=name) as view:
        found = await opened(view, name, now)
    return reply(held_json.detail(found))


async def opened(view: Opened, name: str, now: datetime) -> held.One:
    """The reading, noted for the audit row. NotFound."""
    found = await held.one(view.connection, held_json.read_key(name), now=now)
    r = found.reading
    view.resident_id, view.ward_id = r["resident_id"], r["resident_ward_id"] or r["device_ward_id"]
    return found


@operation(repair_models.Decided, body=repair_models.Move, refusals=(409,), repeatable=True)
async def move_reading(request: web.Request) -> web.Response:
    """Say whose a reading is.

    It, its set, or all that the device has of a time, goes to another resident of the caller's wards or to nobody;
    both residents are judged again. What the device brings later of that time goes the same way.
    """
    await seek(request, "reading.move")
    asked = await parse.body(request, repair_models.Move)
    return reply(await replies.once(request, lambda: move(request, asked)))


@operation(repair_models.Decided, body=repair_models.SetTime, refusals=(409,), repeatable=True)
async def set_reading_time(request: web.Request) -> web.Response:
    """Say when a reading of doubtful time was taken; it is then whose the rules make it."""
    await seek(request, "reading.time")
    asked = await parse.body(request, repair_models.SetTime)
    return reply(await replies.once(request, lambda: set_time(request, asked)))


@operation(repair_models.Decided, body=repair_models.SetAside, refusals=(409,), repeatable=True)
async def set_reading_aside(request: web.Request) -> web.Response:
    """Set a reading aside: it stays in the record, struck, and counts for nothing."""
    await seek(request, "reading.set_aside")
    asked = await parse.body(request, repair_models.SetAside)
    return reply(await replies.once(request, lambda: set_aside(request, asked)))


@operation(repair_models.Decided, body=repair_models.Choose, refusals=(409,), repeatable=True)
async def choose_value(request: web.Request) -> web.Response:
    """Of several values for one reading choose this one; the others are struck."""
    await seek(request, "reading.choose")
    asked = await parse.body(request, repair_models.Choose)
    return reply(await replies.once(request, lambda: choose(request, asked)))


async def seek(request: web.Request, action: str) -> None:
    """Somebody else's reading is not found, whatever else is wrong with the request. NotFound."""
    name = request.match_info["reading_key"]
    async with access.sought(request, action, kind="reading", object_id=name) as view:
        await repair.reading(view.connection, held_json.read_key(name))


async def move(request: web.Request, asked: repair_models.Move) -> Json:
    async def work(view: Opened, now: datetime) -> repair.Done:
        return await repair.move(
            view.connection,
            held_json.read_key(request.match_info["reading_key"]),
            to=asked.resident,
            scope=_scope(asked),
            reason=asked.reason,
            actor=view.caller.actor,
            now=now,
        )

    return await _decide(request, "reading.move", work)


async def set_time(request: web.Request, asked: repair_models.SetTime) -> Json:
    async def work(view: Opened, now: datetime) -> repair.Done:
        return await repair.set_time(
            view.connection,
            held_json.read_key(request.match_info["reading_key"]),
            how=asked.how,
            at=asked.at,
            scope=repair.Scope(asked.scope),
            actor=view.caller.actor,
            now=now,
        )

    return await _decide(request, "reading.time", work)


async def set_aside(request: web.Request, asked: repair_models.SetAside) -> Json:
    async def work(view: Opened, now: datetime) -> repair.Done:
        return await repair.set_aside(
            view.connection,
            held_json.read_key(request.match_info["reading_key"]),
            scope=_scope(asked),
            reason=asked.reason,
            actor=view.caller.actor,
            now=now,
        )

    return await _decide(request, "reading.set_aside", work)


async def choose(request: web.Request, asked: repair_models.Choose) -> Json:
    async def work(view: Opened, now: datetime) -> repair.Done:
        key = held_json.read_key(request.match_info["reading_key"])
        return await repair.choose(view.connection, key, reason=asked.reason, actor=view.caller.actor, now=now)

    return await _decide(request, "reading.choose", work)


async def _decide(
    request: web.Request, action: str, work: Callable[[Opened, datetime], Awaitable[repair.Done]]
) -> Json:
    name = request.match_info["reading_key"]
    async with access.opened(request, action, kind="reading", object_id=name) as view:
        done = await work(view, request.app[keys.CLOCK].now())
        view.audited = True
    return {"readings": done.readings, "operation": None if done.operation is None else str(done.operation)}


def _scope(asked: repair_models.Scoped) -> repair.Scope:
    return repair.Scope(asked.scope, asked.since, asked.until)
