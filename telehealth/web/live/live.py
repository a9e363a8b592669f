"""The WebSocket of a browser tab: one reader, one writer, nothing kept that is not bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from telehealth import clock, log
from telehealth.errors import NotFound
from telehealth.store import board, db, residents_view
from telehealth.web import access, auth, errors, keys
from telehealth.web.live import subscriber
from telehealth.web.live.hub import HUB, Hub
from telehealth.web.live.subscriber import Subscriber

_log = log.get("live")

SEND_SECONDS = 10.0
_MOST_SUBSCRIPTIONS = 50
_MESSAGE_BYTES = 8192


class Sub(msgspec.Struct, tag_field="t", tag="sub"):
    """Show these; instead of what was shown before."""

    wards: list[int] = []
    residents: list[int] = []
    epoch: str | None = None
    seq: int | None = None


class Ack(msgspec.Struct, tag_field="t", tag="ack"):
    """Everything up to seq was handled."""

    seq: int = 0


_DECODER: msgspec.json.Decoder[Sub | Ack] = msgspec.json.Decoder(Sub | Ack)


async def socket(request: web.Request) -> web.StreamResponse:
    """Serve one connection until it ends. The session, and that the page is ours, were checked before."""
    if not auth.is_socket(request):
        raise errors.Problem(400, "This is a WebSocket.")
    hub = request.app[HUB]
    ws = web.WebSocketResponse(heartbeat=20.0, max_msg_size=_MESSAGE_BYTES, compress=False)
    await ws.prepare(request)
    one = hub.join(request[auth.CALLER])
    if one is None:
        await ws.close(code=subscriber.REFUSED)
        return ws
    try:
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(_write(request, ws, hub, one), name="live writer")
            await _read(request, ws, hub, one)
            writer.cancel()
    finally:
        hub.leave(one)
    return ws


async def _read(request: web.Request, ws: web.WebSocketResponse, hub: Hub, one: Subscriber) -> None:
    async for message in ws:
        if message.type is not WSMsgType.TEXT:
            one.close(subscriber.REFUSED)
            continue
        try:
            asked = _DECODER.decode(message.data)
        except msgspec.MsgspecError:
            one.close(subscriber.REFUSED)
            continue
        if isinstance(asked, Ack):
            one.acked_at = clock.monotonic()
            continue
        try:
            await _subscribe(request, hub, one, asked)
        except db.AWAY:
            one.close(subscriber.GOING_AWAY)


async def _subscribe(request: web.Request, hub: Hub, one: Subscriber, asked: Sub) -> None:
    wards: list[int] = []
    residents: dict[int, int] = {}
    refused: dict[str, list[int]] = {"wards": [], "residents": []}
    for ward_id in list(dict.fromkeys(asked.wards))[:_MOST_SUBSCRIPTIONS]:
        if await _may_see_ward(request, ward_id):
            wards.append(ward_id)
        else:
            refused["wards"].append(ward_id)
    for resident_id in list(dict.fromkeys(asked.residents))[:_MOST_SUBSCRIPTIONS]:
        place = await _ward_of(request, resident_id)
        if place is not None:
            residents[resident_id] = place
        else:
            refused["residents"].append(resident_id)
    since = None if asked.epoch is None or asked.seq is None else (asked.epoch, asked.seq)
    await hub.subscribe(one, wards, residents, since)
    if refused["wards"] or refused["residents"]:
        one.whole({"t": "refused", "seq": hub.seq, **refused})


async def _may_see_ward(request: web.Request, ward_id: int) -> bool:
    try:
        async with access.opened(request, "live.ward", kind="ward", object_id=ward_id, refreshes=True) as view:
            view.ward_id = ward_id
            await board.ward(view.connection, access.key(ward_id))
    except NotFound:
        return False
    return True


async def _ward_of(request: web.Request, resident_id: int) -> int | None:
    now = request.app[keys.CLOCK].now()
    try:
        async with access.opened(
            request, "live.resident", kind="resident", object_id=resident_id, refreshes=True
        ) as view:
            found = await residents_view.resident(view.connection, access.key(resident_id), now=now)
            view.resident_id, view.ward_id = found["id"], found["ward_id"]
            return int(found["ward_id"])
    except NotFound:
        return None


async def _write(request: web.Request, ws: web.WebSocketResponse, hub: Hub, one: Subscriber) -> None:
    try:
        while True:
            await one.wait()
            for message in one.take(hub.seq, hub.at()):
                async with asyncio.timeout(SEND_SECONDS):
                    await ws.send_str(_text(message))
            if one.close_code is not None:
                async with asyncio.timeout(SEND_SECONDS):
                    await ws.close(code=one.close_code)
                return
    except (TimeoutError, ConnectionError):
        # a client that does not read: closing politely would wait for it as well
        if request.transport is not None:
            request.transport.abort()


def _text(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()


async def serve_hub(app: web.Application) -> Any:
    """The hub runs as long as the application serves (a cleanup context)."""
    hub = app[HUB]
    # owned by this context: cancelled and awaited below; a TaskGroup cannot span a context's two halves
    running = asyncio.create_task(hub.run(), name="live hub")  # noqa: TID251
    running.add_done_callback(lambda task: _ended(app, task))
    yield
    running.cancel()
    try:
        await running
    except (asyncio.CancelledError, Exception):
        # told by _ended already
        pass


def _ended(app: web.Application, task: asyncio.Task[None]) -> None:
    if task.cancelled():
        return
    # no hub, no ticks: every open board goes NOT LIVE within seconds, and /readyz says why
    app[keys.HEALTH].bad("live", "live updates have stopped: see the log")
    error = task.exception()
    _log.error("live updates have stopped", error=type(error).__name__, where=log.where(error) if error else [])


async def say_goodbye(app: web.Application) -> None:
    """On shutdown: browsers reconnect as soon as somebody answers again."""
    app[HUB].close_all()
