"""/api/v1: the caller, wards, boards, devices, the clock of simulations."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from telehealth import errors
from telehealth.clock import Step, real_now
from telehealth.store import board, residents_view
from telehealth.store import clock as store_clock
from telehealth.web import access, auth, keys, parse, requests, schemas
from telehealth.web.operations import operation
from telehealth.web.shown import boards, formats, residents_json


def reply(body: Any, status: int = 200) -> web.Response:
    """JSON."""
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


@operation(schemas.Me, tag="staff")
async def me(request: web.Request) -> web.Response:
    """Who is asking."""
    member = request[auth.CALLER].member
    return reply({key: getattr(member, key) for key in ("id", "username", "display_name", "role")})


@operation(schemas.Wards, tag="wards")
async def wards(request: web.Request) -> web.Response:
    """The wards that the caller belongs to."""
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "ward.list", kind="ward") as view:
        found = await board.wards(view.connection, now=now)
    return reply({"items": [ward_item(row) for row in found]})


def ward_item(row: Any) -> dict[str, Any]:
    """A ward with its counts."""
    return {key: row[key] for key in ("id", "name", "simulated", "residents", "open_alerts")}


@operation(schemas.Board, tag="wards")
async def ward_board(request: web.Request) -> web.Response:
    """The board of a ward, worst first.

    What the ward's screen shows: latest values, NEWS2 or its lower bound, small charts, open alerts.
    """
    ward_id = request.match_info["ward_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "board.open", kind="ward", object_id=ward_id, refreshes=True) as view:
        found = await boards.build(view.connection, access.key(ward_id), now=now)
        view.ward_id = found["ward"]["id"]
    return reply(found)


@operation(schemas.Devices, query=requests.DevicesQuery, tag="devices")
async def devices(request: web.Request) -> web.Response:
    """Devices of the caller's wards, in the order of their names."""
    asked = parse.query(request, requests.DevicesQuery)
    after = residents_json.place(asked.cursor, (str,))
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "device.list", kind="ward", object_id=asked.ward) as view:
        if asked.ward is not None:
            view.ward_id = (await board.ward(view.connection, asked.ward))["id"]
        found = await residents_view.ward_devices(
            view.connection,
            ward_id=asked.ward,
            now=now,
            after=None if after is None else after[0],
            limit=asked.limit + 1,
        )
    page = found[: asked.limit]
    more = residents_json.cursor(page[-1]["device_id"]) if len(found) > asked.limit else None
    return reply({"items": [residents_json.device(row) for row in page], "next": more})


@operation(schemas.Device, tag="devices")
async def device(request: web.Request) -> web.Response:
    """One device."""
    device_id = request.match_info["device_id"]
    now = request.app[keys.CLOCK].now()
    async with access.opened(request, "device.open", kind="device", object_id=device_id) as view:
        found = await residents_view.ward_devices(view.connection, ward_id=None, now=now, device_id=device_id)
        if not found:
            raise errors.NotFound
        view.ward_id, view.resident_id = found[0]["ward_id"], found[0]["resident_id"]
    return reply(residents_json.device(found[0]))


@operation(schemas.Clock, body=requests.Advance, tag="simulator", refusals=(409,))
async def advance_clock(request: web.Request) -> web.Response:
    """One step of virtual time.

    Answered when everything up to the present moment was taken in and judged, and time has moved on.
    """
    asked = await parse.body(request, requests.Advance)
    database, clock = request.app[keys.DATABASE], request.app[keys.CLOCK]
    if asked.to == "virtual":
        # Only the demo's own simulator has the token for this; where time is virtual already, it just goes on.
        if not clock.virtual:
            await store_clock.set_virtual(database, clock, real_now())
        return reply(_at(clock.step))
    to = None if asked.to == "real" else asked.to
    step = await store_clock.advance(database, clock, to)
    if asked.to == "real":
        if step.at > real_now():
            raise errors.Conflict("virtual time is ahead of the computer's clock, and time never goes back")
        await store_clock.make_real(database, clock)
    return reply(_at(step))


def _at(step: Step | None) -> dict[str, Any]:
    assert step is not None
    return {"at": formats.iso(step.at), "fired_to": formats.iso(step.fired_to)}
