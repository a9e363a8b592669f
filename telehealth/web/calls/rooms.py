"""The visits that this process holds sockets of: hears what changed, and keeps each room settled.

NOTIFY is a hint; every second the visits with sockets here are compared by a few numbers, so that a lost hint is made
up for. Who holds which socket is in the database too, so that several processes serve one visit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from telehealth import clock, log, metrics
from telehealth.errors import TelehealthError
from telehealth.model import media
from telehealth.store import call_sockets, consultations, rooms, sessions
from telehealth.store.db import AWAY, Connection
from telehealth.web.auth import SERVICE
from telehealth.web.calls import call_line, call_room, call_state
from telehealth.web.calls.call_line import Line
from telehealth.web.calls.call_messages import Bye
from telehealth.web.calls.call_room import Means, Room

_log = log.get("rooms")

_POLL_SECONDS: Final = 1.0
_BEAT_SECONDS: Final = 4.0
_SWEEP_SECONDS: Final = 3.0
#: Every room looks at everything at least so often: relays' credentials end, readings may have come in unheard.
_ANYWAY_SECONDS: Final = 20.0
#: A room without sockets is kept for so long: browsers come back.
_EMPTY_SECONDS: Final = 10.0
#: Nobody is taken for gone before the database has answered for so long: after it was away, or this process was
#: not there, everybody would be.
STEADY_SECONDS: Final = 20.0
#: Sockets of visits at one process.
MOST: Final = 2000
#: Of one participant in a minute: bad Wi-Fi needs a few, and every one costs everybody in the visit a look.
MOST_A_MINUTE: Final = 40


class _Hint(msgspec.Struct):
    """The payload of the channel "changes"."""

    residents: list[int] = []
    alerts: list[int] = []
    wards: list[int] = []


class Rooms:
    """One a process; run() for as long as the application serves."""

    def __init__(self, means: Means) -> None:
        self.means = means
        self._rooms: dict[int, Room] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._empty_since: dict[int, float] = {}
        self._marks: dict[int, tuple[int, ...]] = {}
        self._looked: dict[int, float] = {}
        self._group: asyncio.TaskGroup | None = None
        self._entries: dict[int, list[float]] = {}
        self._stopping = False
        self._away_at = clock.monotonic()

    # Sockets -----------------------------------------------------------------------------------

    async def enter(self, line: Line) -> Room | Bye:
        """A socket's room; or why not: the process is full or stops, they come back too often, or are elsewhere."""
        if self._stopping or self._group is None or len(self._lines()) >= MOST or self._too_often(line):
            return Bye("service")
        room = self._rooms.get(line.consultation)
        if room is None:
            room = Room(line.consultation, self.means, closed=self.let_go)
            self._rooms[line.consultation] = room
            self._tasks[line.consultation] = self._group.create_task(room.run(), name=f"room {line.consultation}")
        self._empty_since.pop(line.consultation, None)
        if not await room.enter(line):
            return Bye("elsewhere")
        self._count()
        return room

    def _too_often(self, line: Line) -> bool:
        at = line.at
        times = [one for one in self._entries.pop(line.participant, []) if at - one < 60]
        # the newest last, so that the oldest are forgotten first
        self._entries[line.participant] = [*times, at][-MOST_A_MINUTE:]
        if len(self._entries) > 2 * MOST:
            self._entries.pop(next(iter(self._entries)))
        return len(times) >= MOST_A_MINUTE

    async def leave(self, line: Line) -> None:
        room = self._rooms.get(line.consultation)
        if room is not None:
            try:
                await room.leave(line)
                if line.shut_out and line.participant not in room.lines:
                    await self._put_out(line.consultation, line.participant, call_sockets.has_none)
            except AWAY as error:
                _log.warning("a socket's end cannot be noted", error=type(error).__name__)
        self._count()

    def session_over(self, credential: bytes) -> None:
        """Somebody signed out."""
        for line in self._lines():
            if line.credential == credential:
                line.close(call_line.SESSION_OVER)

    def goodbye(self) -> None:
        """The service stops: browsers come back by themselves, to whoever serves then."""
        self._stopping = True
        for room in self._rooms.values():
            room.goodbye(Bye("service"))

    def _lines(self) -> list[Line]:
        return [line for room in self._rooms.values() for line in room.lines.values()]

    def _count(self) -> None:
        metrics.CALL_SOCKETS.set(len(self._lines()))
        metrics.CALL_ROOMS.set(len(self._rooms))

    # Work --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. Survives the database going away."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._listen("visits", self._heard_visit), name="rooms listen")
            group.create_task(self._listen("changes", self._heard_change), name="rooms changes")
            group.create_task(self._every(_POLL_SECONDS, self._poll), name="rooms poll")
            group.create_task(self._every(_BEAT_SECONDS, self.beat), name="rooms beat")
            group.create_task(self._every(_SWEEP_SECONDS, self.sweep), name="rooms sweep")

    async def _listen(self, channel: str, heard: Any) -> None:
        while True:
            try:
                async with self.means.database.listen(channel, heard) as lost:
                    await lost.wait()
            except AWAY as error:
                _log.warning("cannot listen", channel=channel, error=type(error).__name__)
            await asyncio.sleep(1)

    async def _every(self, seconds: float, work: Any) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except AWAY as error:
                self._away_at = clock.monotonic()
                _log.warning("the database is away", work=work.__name__, error=type(error).__name__)
            except Exception as error:
                # one visit's trouble must not end the others'
                _log.error(
                    "a visit is in trouble", work=work.__name__, error=type(error).__name__, where=log.where(error)
                )

    def _heard_visit(self, payload: str) -> None:
        room = self._rooms.get(int(payload)) if payload.isascii() and payload.isdigit() else None
        if room is not None:
            room.wake()

    def _heard_change(self, payload: str) -> None:
        """Readings may have come in of whom a visit is about."""
        try:
            residents = msgspec.json.decode(payload or "{}", type=_Hint).residents
        except msgspec.MsgspecError:
            residents = []
        anything = payload in ("", "{}")
        for room in self._rooms.values():
            if room.loaded is not None and (anything or room.loaded.row.subject_id in residents):
                room.gather = True
                room.wake()

    async def _poll(self) -> None:
        """Wakes whose numbers differ; lets go of rooms that nobody is in."""
        at = clock.monotonic()
        if self._rooms:
            async with self.means.database.transaction(SERVICE, read_only=True) as connection:
                since = clock.real_now() - call_room.LOST
                found = await call_sockets.marks(connection, list(self._rooms), since=since)
            for visit_id, room in self._rooms.items():
                if found.get(visit_id) != self._marks.get(visit_id):
                    room.wake()
                if at - self._looked.get(visit_id, at - _ANYWAY_SECONDS) >= _ANYWAY_SECONDS:
                    self._looked[visit_id] = at
                    room.gather = True
                    room.wake()
            self._marks = found
        for visit_id, room in list(self._rooms.items()):
            if room.lines or room.entering.locked():
                self._empty_since.pop(visit_id, None)
            elif at - self._empty_since.setdefault(visit_id, at) > _EMPTY_SECONDS:
                await self._let_go(visit_id, room)

    async def _let_go(self, visit_id: int, room: Room) -> None:
        del self._rooms[visit_id]
        self._empty_since.pop(visit_id, None)
        self._looked.pop(visit_id, None)
        self._tasks.pop(visit_id).cancel()
        self._count()
        await room.stop()

    # Who is (still) there ----------------------------------------------------------------------

    async def beat(self) -> None:
        """Note that the sockets here are alive, and close those that are not their holders' any more."""
        lines = [line for line in self._lines() if line.close_code is None]
        if not lines:
            return
        real_now = clock.real_now()
        guests = {line.link: line.credential for line in lines if line.link is not None}
        async with self.means.database.transaction(SERVICE) as connection:
            mine = await call_sockets.keep(connection, {line.participant: line.id for line in lines}, real_now=real_now)
            staff = [line for line in lines if line.member is not None]
            valid = await sessions.still_valid(connection, [line.credential for line in staff], now=real_now)
            wards = await call_sockets.caring(connection, {line.member for line in staff if line.member})
            links = await call_sockets.valid_links(connection, guests)
        for line in lines:
            room = self._rooms.get(line.consultation)
            if line.link is not None and line.link not in links:
                line.shut_out = True
                line.bye(Bye("taken_over"))
            elif line.participant not in mine:
                line.bye(Bye("taken_over"))
            elif line.member is not None and line.credential not in valid:
                line.close(call_line.SESSION_OVER)
            elif line.member is not None and not _theirs(room, wards.get(line.member, set())):
                line.close(call_line.NOT_YOURS)

    async def sweep(self) -> None:
        """Whoever nobody has heard of for some time is not in the room any more, whichever process had them."""
        before = clock.real_now() - call_room.GONE
        async with self.means.database.transaction(SERVICE, read_only=True) as connection:
            lost = await call_sockets.lost(connection, before)
        if clock.monotonic() - self._away_at < STEADY_SECONDS:
            return

        async def still_lost(connection: Connection, participant_id: int) -> bool:
            return await call_sockets.still_lost(connection, participant_id, before)

        for visit_id, participant_id in lost:
            await self._put_out(visit_id, participant_id, still_lost)

    async def let_go(self, staff_id: int, but: int | None) -> None:
        """Whoever closed the page of a visit is not in it any more, once they want to be in another one.

        Else a closed page counts as a broken connection for a while, in case it comes back. but: the visit they want.
        """
        async with self.means.database.transaction(SERVICE, read_only=True) as connection:
            found = await call_sockets.closed(connection, staff_id, but)
        for visit_id, participant_id in found:
            await self._put_out(visit_id, participant_id, call_sockets.still_closed)

    async def _put_out(
        self, visit_id: int, participant_id: int, still: Callable[[Connection, int], Awaitable[bool]]
    ) -> None:
        """Their place in the room is free, and their media end; unless it is not so any more."""
        try:
            async with self.means.database.transaction(SERVICE) as connection:
                # in the order of locks that every step in a visit has: the visit first
                await consultations.load(connection, visit_id, hold=True)
                if not await still(connection, participant_id):
                    return
                now = self.means.clock.now()
                await consultations.left(connection, visit_id, participant_id, now=now, gone=True)
                room = await rooms.current(connection, visit_id)
        except TelehealthError as error:
            _log.warning("somebody who is gone cannot be noted as gone", error=type(error).__name__)
            return
        await self._drop(visit_id, participant_id, room)

    async def _drop(self, visit_id: int, participant_id: int, found: media.Room | None) -> None:
        room = self._rooms.get(visit_id)
        if room is not None and room.studio is not None:
            await room.studio.drop(participant_id)
        elif self.means.backend is not None and found is not None:
            try:
                await self.means.backend.leave(found, participant_id)
            except (media.Gone, media.Refused) as error:
                _log.info("whoever is gone has no transport", error=type(error).__name__)


def _theirs(room: Room | None, wards: set[int]) -> bool:
    return room is None or room.loaded is None or call_state.theirs(room.loaded, wards)


ROOMS = web.AppKey("rooms", Rooms)


async def serve(app: web.Application) -> Any:
    """The rooms run as long as the application serves (a cleanup context)."""
    served = app[ROOMS]
    # owned by this context: cancelled and awaited below; a TaskGroup cannot span a context's two halves
    running = asyncio.create_task(served.run(), name="rooms")  # noqa: TID251
    running.add_done_callback(lambda task: _ended(task))
    # the first socket may come with the first request
    await asyncio.sleep(0)
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _ended(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("video visits have stopped", error=type(error).__name__, where=log.where(error))


async def say_goodbye(app: web.Application) -> None:
    """On shutdown."""
    app[ROOMS].goodbye()
