"""/api/v1: residents, their readings and charts, what staff key and strike."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from telehealth.store import alerts, board, residents_view
from telehealth.store.db import Connection
from telehealth.web import access, keys, parse, replies, requests, schemas
from telehealth.web.api_wards import reply
from telehealth.web.operations import operation
from telehealth.web.record import keyed
from telehealth.web.shown import boards, residents_json, rows, trends


@operation(schemas.Residents, query=requests.ResidentsQuery)
async def residents(request: web.Request) -> web.Response:
    """Residents of one of the caller's wards, or of all."""
    asked = parse.query(request, requests.ResidentsQuery)
    after = residents_json.place(asked.cursor, (int,))
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "resident.list", kind="ward", object_id=asked.ward) as view:
        if asked.ward is not None:
            view.ward_id = (await board.ward(view.connection, asked.ward))["id"]
        found = await residents_view.residents(
            view.connection,
            ward_id=asked.ward,
            now=now,
            after=None if after is None else after[0],
            limit=asked.limit + 1,
        )
    page = found[: asked.limit]
    more = residents_json.cursor(page[-1]["id"]) if len(found) > asked.limit else None
    return reply({"items": [residents_json.resident(row, now) for row in page], "next": more})


@operation(schemas.ResidentDetail)
async def resident(request: web.Request) -> web.Response:
    """One resident, with the row of the board and open alerts."""
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "resident.open", kind="resident", object_id=resident_id) as view:
        found = await opened_resident(view, resident_id, now)
        row, open_alerts = await row_of(view.connection, found, now)
    detail = {**residents_json.resident(found, now), "row": row, "open_alerts": [rows.alert(a) for a in open_alerts]}
    return reply(detail)


async def opened_resident(view: access.Opened, resident_id: str, now: datetime) -> Any:
    """The resident, noted for the audit row. NotFound."""
    found = await residents_view.resident(view.connection, access.key(resident_id), now=now)
    view.resident_id, view.ward_id = found["id"], found["ward_id"]
    return found


async def seek(request: web.Request, action: str) -> None:
    """Somebody else's resident is not found, whatever else is wrong with the request. NotFound."""
    resident_id, now = request.match_info["resident_id"], request.app[keys.CLOCK].now()
    async with access.sought(request, action, kind="resident", object_id=resident_id) as view:
        await residents_view.resident(view.connection, access.key(resident_id), now=now)


async def row_of(connection: Connection, found: Any, now: datetime) -> tuple[rows.Json | None, list[alerts.Alert]]:
    """The row of the board (None when not on a ward now) and the open alerts, worst first."""
    open_alerts = rows.by_urgency(await alerts.open_of_resident(connection, found["id"]))
    made = await boards.rows_of(connection, found["ward_id"], now=now, open_alerts=open_alerts, only=[found["id"]])
    return (made[0] if made else None), open_alerts


@operation(schemas.Readings, query=requests.ReadingsQuery)
async def readings(request: web.Request) -> web.Response:
    """Readings of a resident, the newest taken first."""
    asked = parse.query(request, requests.ReadingsQuery)
    before = residents_json.reading_place(asked.cursor)
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "reading.list", kind="resident", object_id=resident_id) as view:
        await opened_resident(view, resident_id, now)
        found = await residents_view.readings(
            view.connection,
            int(resident_id),
            code=asked.code,
            since=asked.since,
            until=asked.until,
            before=before,
            limit=asked.limit + 1,
        )
    page = found[: asked.limit]
    last = page[-1] if page else None
    more = None
    if last is not None and len(found) > asked.limit:
        more = residents_json.cursor(last["taken_at"], str(last["identity"]), last["value_key"])
    return reply({"items": [residents_json.reading(row) for row in page], "next": more})


@operation(schemas.Trends, query=requests.TrendsQuery)
async def resident_trends(request: web.Request) -> web.Response:
    """The charts of a resident: series, gaps, limits in force, alerts, pauses."""
    asked = parse.query(request, requests.TrendsQuery)
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    since, until = residents_json.last_week(asked.since, asked.until, now)
    async with access.opened(request, "trends.open", kind="resident", object_id=resident_id, refreshes=True) as view:
        found = await opened_resident(view, resident_id, now)
        history = await residents_view.history(view.connection, found["id"], since=since, until=until)
    return reply(trends.build(found["id"], found["zone"], history, since=since, until=until, now=now))


@operation(schemas.Stored, body=requests.KeyedSet, refusals=(409,), repeatable=True)
async def key_readings(request: web.Request) -> web.Response:
    """Store an observation set that staff took.

    The same entry, sent again, is stored once. It is judged like readings of devices.
    """
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    await seek(request, "reading.key")
    asked = await parse.body(request, requests.KeyedSet)

    async def work() -> dict[str, int]:
        async with access.opened(request, "reading.key", kind="resident", object_id=resident_id) as view:
            await opened_resident(view, resident_id, now)
            return await keyed.take_in(view, asked, now=now)

    return reply(await replies.once(request, work))


@operation(schemas.Struck, body=requests.Strike, refusals=(409,), repeatable=True)
async def strike_reading(request: web.Request) -> web.Response:
    """Strike an entry made in error.

    It stays in the record, marked, and no longer counts for values, charts and rules.
    """
    resident_id = request.match_info["resident_id"]
    now = request.app[keys.CLOCK].now()
    await seek(request, "reading.strike")
    asked = await parse.body(request, requests.Strike)

    async def work() -> dict[str, bool]:
        async with access.opened(request, "reading.strike", kind="resident", object_id=resident_id) as view:
            await opened_resident(view, resident_id, now)
            await keyed.strike(view, asked, now=now)
            return {"struck": True}

    return reply(await replies.once(request, work))
