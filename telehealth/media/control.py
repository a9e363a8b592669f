"""Where a media worker takes orders: a WebSocket for each process that gives them, all with the worker's token."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from uuid import UUID

import aiohttp
import msgspec
from aiohttp import web

from telehealth import log
from telehealth.media import protocol
from telehealth.media.rooms import Rooms
from telehealth.model.media import Event, Refused

_log = log.get("media")

#: Web processes, and a few that are being replaced.
_MOST_CONNECTIONS = 64
#: Whoever does not read loses the connection, and asks anew for what it missed.
_MOST_UNREAD = 2000


class _Connection:
    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.watched: set[int] = set()
        self.unread: asyncio.Queue[bytes] = asyncio.Queue(_MOST_UNREAD)
        self.overflowed = asyncio.Event()

    def say(self, data: bytes) -> None:
        try:
            self.unread.put_nowait(data)
        except asyncio.QueueFull:
            self.overflowed.set()


class Control:
    """The server's side. events() is what rooms tell."""

    def __init__(self, worker: UUID, token: str) -> None:
        self._worker, self._token = worker, token.encode()
        self._connections: set[_Connection] = set()
        self.rooms: Rooms | None = None

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get(protocol.PATH, self._serve)
        return application

    def tell(self, consultation: int, event: Event) -> None:
        listening = [one for one in self._connections if consultation in one.watched]
        if listening:
            data = protocol.frame(event)
            for one in listening:
                one.say(data)

    def watched(self) -> set[int]:
        return set().union(*(one.watched for one in self._connections))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, b"Bearer " + self._token):
            raise web.HTTPForbidden
        if len(self._connections) >= _MOST_CONNECTIONS:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(max_msg_size=protocol.MOST_BYTES, compress=False, timeout=1.0)
        await socket.prepare(request)
        connection = _Connection(socket)
        self._connections.add(connection)
        connection.say(protocol.frame(protocol.Hello(self._worker)))
        try:
            async with asyncio.TaskGroup() as group:
                around = [group.create_task(self._write(connection)), group.create_task(self._hang_up(connection))]
                await self._read(connection)
                for task in around:
                    task.cancel()
        except* ConnectionError:
            pass
        finally:
            self._connections.discard(connection)
        return socket

    async def _write(self, connection: _Connection) -> None:
        while True:
            await connection.socket.send_bytes(await connection.unread.get())

    async def _hang_up(self, connection: _Connection) -> None:
        await connection.overflowed.wait()
        _log.warning("a process does not take what it is told")
        with contextlib.suppress(ConnectionError, TimeoutError):
            await connection.socket.close(code=aiohttp.WSCloseCode.TRY_AGAIN_LATER)

    async def _read(self, connection: _Connection) -> None:
        """One after another: what is asked later may build on what was asked before."""
        async for message in connection.socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                await connection.socket.close(code=aiohttp.WSCloseCode.UNSUPPORTED_DATA)
                return
            try:
                asked = protocol.asked(message.data)
            except msgspec.MsgspecError:
                _log.warning("refused an order that is none")
                await connection.socket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION)
                return
            if isinstance(asked.question, protocol.Watch):
                connection.watched = set(asked.question.consultations)
            connection.say(protocol.frame(await self._do(asked)))

    async def _do(self, asked: protocol.Asked) -> protocol.Done | protocol.NotDone:
        if self.rooms is None:
            return protocol.NotDone(asked.number, "not ready")
        try:
            return protocol.Done(asked.number, await self.rooms.do(asked.question))
        except Refused as refused:
            return protocol.NotDone(asked.number, refused.why)
        except Exception as error:
            _log.error(
                "an order failed",
                order=type(asked.question).__name__, error=type(error).__name__, where=log.where(error),
            )  # fmt: skip
            return protocol.NotDone(asked.number, "failed")
