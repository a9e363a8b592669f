"""The media backend of the web role: speaks with media workers over one WebSocket each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from uuid import UUID

import aiohttp
import msgspec

from telehealth import log
from telehealth.media import protocol
from telehealth.model.media import Allowed, Answer, Event, Gone, Recorded, RecordingTo, Refused, Room, Worker

_log = log.get("consult")

_BEAT_SECONDS = 1.0
#: Without an answer for so long a worker is gone, whether it is dead, frozen or out of reach.
_GONE_SECONDS = 2.5
#: A line that only broke is tried again for so long.
_AGAIN_SECONDS = 1.5
_AGAIN_PAUSE_SECONDS = 0.2
#: An offer takes longer than a beat, on a busy machine.
_ANSWER_SECONDS = 8.0
_MOST_WAITING = 200
_STALLED_SECONDS = 0.5


class Workers:
    """media.MediaBackend. Usable while run() runs; every call raises Gone outside of it."""

    def __init__(self) -> None:
        self._lines: dict[UUID, _Line] = {}
        self._group: asyncio.TaskGroup | None = None
        self._session: aiohttp.ClientSession | None = None

    async def run(self) -> None:
        """Hold the lines to workers until cancelled."""
        async with self.running():
            await asyncio.Event().wait()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Workers]:
        """The same as a block."""
        async with aiohttp.ClientSession() as self._session, asyncio.TaskGroup() as self._group:
            try:
                yield self
            finally:
                self._group, lines = None, list(self._lines.values())
                for line in lines:
                    line.stop()

    def _line(self, worker: Worker) -> _Line:
        found = self._lines.get(worker.id)
        if found is None:
            if self._group is None or self._session is None:
                raise Gone
            found = self._lines[worker.id] = _Line(worker, self._session, self._forget)
            found.task = self._group.create_task(found.run(), name=f"media worker {worker.id}")
        return found

    def _forget(self, worker_id: UUID) -> None:
        self._lines.pop(worker_id, None)

    async def _ask(self, room: Room, question: protocol.Question) -> Answer | None:
        return await self._line(room.worker).ask(question)

    async def join(self, room: Room, participant: int, offer: str, allowed: Allowed) -> Answer:
        answer = await self._ask(room, protocol.Join(room.consultation, room.epoch, participant, offer, allowed))
        return _given(answer)

    async def restart(self, room: Room, participant: int, offer: str) -> Answer:
        return _given(await self._ask(room, protocol.Restart(room.consultation, room.epoch, participant, offer)))

    async def allow(self, room: Room, participant: int, allowed: Allowed) -> None:
        await self._ask(room, protocol.Allow(room.consultation, room.epoch, participant, allowed))

    async def prefer(self, room: Room, viewer: int, order: list[int]) -> None:
        await self._ask(room, protocol.Prefer(room.consultation, room.epoch, viewer, order))

    async def leave(self, room: Room, participant: int) -> None:
        await self._ask(room, protocol.Leave(room.consultation, room.epoch, participant))

    async def close(self, room: Room) -> None:
        await self._ask(room, protocol.Close(room.consultation, room.epoch))

    async def record(self, room: Room, to: Mapping[int, RecordingTo]) -> None:
        await self._ask(room, protocol.Record(room.consultation, room.epoch, dict(to)))

    async def check(self, worker: Worker) -> None:
        await self._line(worker).ask(protocol.Check())

    def watch(self, room: Room, heard: Callable[[Event], None], gone: Callable[[], None]) -> Callable[[], None]:
        """gone is called soon, not at once, where the worker cannot be reached at all."""
        try:
            line = self._line(room.worker)
        except Gone:
            asyncio.get_running_loop().call_soon(gone)
            return lambda: None
        return line.watch(_Watcher(room.consultation, room.epoch, heard, gone))


class _Watcher:
    def __init__(self, consultation: int, epoch: int, heard: Callable[[Event], None], gone: Callable[[], None]) -> None:
        self.consultation, self.epoch, self._heard, self.gone = consultation, epoch, heard, gone

    def tell(self, event: Event) -> None:
        if isinstance(event, Recorded) or (event.consultation, event.epoch) == (self.consultation, self.epoch):
            try:
                self._heard(event)
            except Exception as error:
                _log.error(
                    "what a media worker told was not taken",
                    told=type(event).__name__, error=type(error).__name__, where=log.where(error),
                )  # fmt: skip


class _Line:
    """The connection to one worker, which is opened again when it only broke."""

    def __init__(self, worker: Worker, session: aiohttp.ClientSession, over: Callable[[UUID], None]) -> None:
        self._worker, self._session, self._over = worker, session, over
        self.task: asyncio.Task[None] | None = None
        self._numbers = 0
        self._open: dict[int, tuple[protocol.Question, asyncio.Future[Answer | None]]] = {}
        self._watchers: list[_Watcher] = []
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._heard_at = 0.0
        self._ended = False
        #: What is watched has changed.
        self._changed = asyncio.Event()

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> None:
        """Until the worker is gone."""
        loop = asyncio.get_running_loop()
        try:
            self._heard_at = loop.time()
            while loop.time() - self._heard_at < _AGAIN_SECONDS:
                if not await self._once():
                    break
                await asyncio.sleep(_AGAIN_PAUSE_SECONDS)
        except Exception as error:  # whatever is wrong with one worker, the lines to the others go on
            _log.error("a media worker's line broke", error=type(error).__name__, where=log.where(error))
        finally:
            self._end()

    async def _connected(self) -> aiohttp.ClientWebSocketResponse | None:
        """None: that worker is not there."""
        worker, socket = self._worker, None
        try:
            async with asyncio.timeout(_GONE_SECONDS):
                socket = await self._session.ws_connect(
                    f"http://{worker.host}:{worker.port}{protocol.PATH}",
                    headers={"Authorization": f"Bearer {worker.token}"},
                    max_msg_size=protocol.MOST_BYTES,
                )
                hello = protocol.told(await socket.receive_bytes())
            if isinstance(hello, protocol.Hello) and hello.worker == worker.id:
                return socket
        except (aiohttp.ClientError, OSError, TypeError, msgspec.MsgspecError):
            pass
        if socket is not None:
            await _hang_up(socket)
        return None

    async def _once(self) -> bool:
        """One connection, until it ends. False: trying again would be of no use."""
        socket = await self._connected()
        if socket is None:
            return False
        try:
            self._socket = socket
            self._changed.set()
            for number, (question, _) in list(self._open.items()):
                await self._send(socket, question, number)
            async with asyncio.TaskGroup() as group:
                beating = group.create_task(self._beat(socket))
                await self._listen(socket)
                beating.cancel()
        except* (aiohttp.ClientError, OSError):
            pass
        finally:
            self._socket = None
            await _hang_up(socket)
        return asyncio.get_running_loop().time() - self._heard_at < _GONE_SECONDS

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        while True:
            since = loop.time()
            try:
                message = await socket.receive(timeout=_GONE_SECONDS)
            except TimeoutError:
                if loop.time() - since < _GONE_SECONDS + _STALLED_SECONDS:
                    return
                self._heard_at = loop.time()  # this process stood still: what the worker said may lie here unread
                continue
            if message.type is not aiohttp.WSMsgType.BINARY:
                return
            self._heard_at = loop.time()
            try:
                self._take(protocol.told(message.data))
                await asyncio.sleep(0)  # whoever waits for an answer has it before the events that follow it
            except msgspec.MsgspecError:
                _log.warning("a media worker said what it cannot say")
                return

    async def _beat(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            question: protocol.Question = protocol.Check()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_SECONDS):
                    await self._changed.wait()
                    self._changed.clear()
                    question = protocol.Watch(self._watched())
            await self._send(socket, question, self._number())

    def _take(self, message: protocol.Told) -> None:
        if isinstance(message, protocol.Done | protocol.NotDone):
            _, future = self._open.get(message.number, (None, None))
            if future is None or future.done():
                return
            if isinstance(message, protocol.Done):
                future.set_result(message.answer)
            else:
                future.set_exception(Refused(message.why))
        elif not isinstance(message, protocol.Hello):
            for watcher in list(self._watchers):
                watcher.tell(message)

    async def ask(self, question: protocol.Question) -> Answer | None:
        if self._ended or len(self._open) >= _MOST_WAITING:
            raise Gone
        number = self._number()
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._open[number] = (question, future)
        try:
            if self._socket is not None:
                with contextlib.suppress(aiohttp.ClientError, OSError):  # the line is opened again, and it sent again
                    await self._send(self._socket, question, number)
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await future
        except TimeoutError:
            raise Gone from None
        finally:
            self._open.pop(number, None)

    def watch(self, watcher: _Watcher) -> Callable[[], None]:
        if self._ended:
            asyncio.get_running_loop().call_soon(watcher.gone)
            return lambda: None
        self._watchers.append(watcher)
        self._changed.set()

        def over() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)
                self._changed.set()

        return over

    def _watched(self) -> list[int]:
        return sorted({watcher.consultation for watcher in self._watchers})

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    async def _send(self, socket: aiohttp.ClientWebSocketResponse, question: protocol.Question, number: int) -> None:
        await socket.send_bytes(protocol.frame(protocol.Asked(number, question)))

    def _end(self) -> None:
        self._ended = True
        self._over(self._worker.id)
        for _, future in self._open.values():
            if not future.done():
                future.set_exception(Gone())
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher.gone()


async def _hang_up(socket: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(aiohttp.ClientError, OSError):
        async with asyncio.timeout(0.5):
            await socket.close()


def _given(answer: Answer | None) -> Answer:
    if answer is None:
        raise Gone
    return answer
