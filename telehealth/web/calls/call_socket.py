"""The WebSocket of somebody in a visit: one reader, one writer, nothing kept that is not bounded."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from typing import Final, Literal

from aiohttp import WSMessage, WSMsgType, web

from telehealth import clock, log, metrics
from telehealth.errors import NotFound
from telehealth.store import consultations, participants
from telehealth.store.db import AWAY
from telehealth.web import access, auth, errors, keys
from telehealth.web.calls import call_acts, call_line, call_messages, join, join_visit
from telehealth.web.calls.call_acts import Refusal
from telehealth.web.calls.call_line import Line
from telehealth.web.calls.call_messages import Bye
from telehealth.web.calls.call_room import Room
from telehealth.web.calls.rooms import ROOMS

_log = log.get("rooms")

#: Browsers say something every 5 s; one that does not is gone.
SILENCE_SECONDS: Final = 15.0
_SEND_SECONDS: Final = 10.0
#: Refusals of one socket that are noted; the rest only counts.
_MOST_NOTED: Final = 20


async def guest(request: web.Request) -> web.StreamResponse:
    """Of the browser that a link is bound to."""
    if _says_more(request):
        await join.note_tampered(request)
    _only_sockets(request)
    now = request.app[keys.CLOCK].now()
    try:
        async with (
            request.app[auth.DOORKEEPER].place(join.place(request)),
            join.opened(request) as (connection, link),
        ):
            why = join_visit.bye(link)
            unasked = why is None and link.asks_birth
            if unasked:
                # our page asks for the date of birth first: this socket is of none of ours
                await join.note_refused(request, connection, link, "birth_date")
            participant = link.participant_id
            if why is None and participant is None and not unasked:
                participant = await participants.of_link(connection, link.id, now=now)
    except NotFound:
        return await auth.refuse_socket(request, call_line.SESSION_OVER)
    if unasked:
        return await auth.refuse_socket(request, call_line.NOT_YOURS)
    if why is not None or participant is None:
        return await _farewell(request, why or "expired")
    browser = hashlib.sha256((join.browser_of(request) or "").encode()).digest()
    tab, takes = _page(request)
    line = Line(
        link.consultation_id, participant, clock.monotonic(), credential=browser, link=link.id, tab=tab, takes=takes
    )
    return await _serve(request, line)


async def staff(request: web.Request) -> web.StreamResponse:
    """Of a member of staff. The session, their role, and that the page is ours were checked before."""
    caller = request[auth.CALLER]
    try:
        visit_id = access.key(request.match_info["visit_id"])
        async with access.opened(
            request, "visit.socket", kind="consultation", object_id=visit_id, refreshes=True
        ) as view:
            loaded = await consultations.load(view.connection, visit_id)
            if loaded.strange:
                raise NotFound
            _only_sockets(request)
            view.ward_id, view.resident_id = loaded.row.ward_id, loaded.row.subject_id
            participant = await participants.of_staff(
                view.connection, visit_id, caller.member.id, now=request.app[keys.CLOCK].now()
            )
    except NotFound:
        if not auth.is_socket(request):
            raise
        return await auth.refuse_socket(request, call_line.NOT_YOURS)
    tab, takes = _page(request)
    line = Line(
        visit_id,
        participant,
        clock.monotonic(),
        credential=caller.credential,
        member=caller.member.id,
        tab=tab,
        takes=takes,
    )
    return await _serve(request, line)


def _only_sockets(request: web.Request) -> None:
    if not auth.is_socket(request):
        raise errors.Problem(400, "This is a WebSocket.")
    if _says_more(request):
        # who somebody is in a visit is not theirs to say
        raise errors.Problem(400, "This address takes no parameters but tab and take.")
    _page(request)


def _says_more(request: web.Request) -> bool:
    return not set(request.query) <= {"tab", "take"} or len(request.query) > 2


def _page(request: web.Request) -> tuple[uuid.UUID | None, bool]:
    """Which of a browser's pages this is, and whether the person said on it that they go on here."""
    tab = request.query.get("tab")
    if request.query.get("take", "1") != "1":
        raise errors.Problem(400, "take is 1, or not there.")
    try:
        return (None if tab is None else uuid.UUID(tab)), "take" in request.query
    except ValueError:
        raise errors.Problem(400, "tab is a UUID.") from None


async def _farewell(request: web.Request, why: Literal["ended", "removed", "expired"]) -> web.StreamResponse:
    """Says why there is nothing (more) to come."""
    ws = web.WebSocketResponse(max_msg_size=1)
    await ws.prepare(request)
    await ws.send_str(call_messages.text(Bye(why)))
    await ws.close(code=call_line.NORMAL)
    return ws


async def _serve(request: web.Request, line: Line) -> web.StreamResponse:
    ws = web.WebSocketResponse(heartbeat=20.0, max_msg_size=call_messages.HARD_BYTES, compress=False)
    await ws.prepare(request)
    served = request.app[ROOMS]
    try:
        room = await served.enter(line)
    except AWAY as error:
        _log.warning("a socket cannot be taken", visit=line.consultation, error=type(error).__name__)
        room = Bye("service")
    if isinstance(room, Bye):
        await ws.send_str(call_messages.text(room))
        await ws.close(code=call_line.GOING_AWAY if room.why == "service" else call_line.NORMAL)
        return ws
    try:
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(_write(request, ws, line), name="visit writer")
            await _read(ws, room, line)
            writer.cancel()
    finally:
        await asyncio.shield(served.leave(line))
    return ws


async def _read(ws: web.WebSocketResponse, room: Room, line: Line) -> None:
    while True:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await ws.receive()
        except TimeoutError:
            await ws.close(code=call_line.GOING_AWAY)
            return
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED):
            return
        if line.close_code is not None:
            # its last word is on its way: nothing more is heard
            continue
        if message.type is WSMsgType.ERROR:
            await _refuse(room, line, "message", Refusal("", "oversized"))
            return
        try:
            await _take(room, line, message)
        except AWAY as error:
            _log.warning("a message cannot be handled", visit=room.id, error=type(error).__name__)
            line.refused("message", "The service is busy. Try again.", strike=False)


async def _take(room: Room, line: Line, message: WSMessage) -> None:
    """One message, whatever it is."""
    about = "message"
    try:
        if not line.may_talk(clock.monotonic()):
            raise Refusal("That was too much at once.", "too_fast")
        if message.type is not WSMsgType.TEXT:
            raise Refusal("That was not understood.", "not_text")
        if len(message.data) > call_messages.MOST_BYTES or len(message.data.encode()) > call_messages.MOST_BYTES:
            raise Refusal("That is too large.", "oversized")
        try:
            asked = call_messages.read(message.data)
        except call_messages.NotUnderstood as error:
            about = error.about
            raise Refusal("That was not understood.", "not_understood") from None
        about = call_messages.about(asked)
        await call_acts.act(room, line, asked)
    except Refusal as refusal:
        await _refuse(room, line, about, refusal)
    else:
        line.accepted()


async def _refuse(room: Room, line: Line, about: str, refusal: Refusal) -> None:
    metrics.CALL_REFUSALS.labels(about).inc()
    try:
        # noted first: the third is the last that is heard of this line
        if refusal.strike and line.refusals < _MOST_NOTED:
            await call_acts.note_refusal(room, line, about, refusal.code)
    finally:
        line.refused(about, refusal.why, strike=refusal.strike)


async def _write(request: web.Request, ws: web.WebSocketResponse, line: Line) -> None:
    try:
        while True:
            await line.wait()
            for told in line.take():
                async with asyncio.timeout(_SEND_SECONDS):
                    await ws.send_str(call_messages.text(told))
            if line.close_code is not None:
                async with asyncio.timeout(_SEND_SECONDS):
                    await ws.close(code=line.close_code)
                return
    except (TimeoutError, ConnectionError):
        # a client that does not read: closing politely would wait for it as well
        if request.transport is not None:
            request.transport.abort()
