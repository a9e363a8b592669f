"""One visit as this process serves it: its sockets, what each is shown, its media, and who is put out.

The database is the only memory. Every process that holds sockets of a visit does this by itself and comes to the same;
what they change they change by functions that can be called twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from telehealth import clock, log
from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.errors import TelehealthError
from telehealth.model import media, turn, visits
from telehealth.store import call_sockets, consultations
from telehealth.store.call_sockets import Rang, Seen
from telehealth.store.db import AWAY, Database
from telehealth.store.recorded_visits import Standing
from telehealth.store.recordings import Place
from telehealth.store.visit_view import Loaded, Participant
from telehealth.web.auth import SERVICE
from telehealth.web.calls import call_line, call_messages, call_state
from telehealth.web.calls.call_line import Line
from telehealth.web.calls.call_measured import Measured
from telehealth.web.calls.call_media import Studio
from telehealth.web.calls.call_messages import Bye
from telehealth.web.calls.call_recording import Recorder

_log = log.get("rooms")

#: A browser that was not heard of for so long shows as reconnecting, and after GONE its place is free.
LOST: Final = timedelta(seconds=12)
GONE: Final = timedelta(seconds=20)
#: A ring is no news any more after so long.
_RING: Final = timedelta(seconds=30)
#: A room without a worker, or a database that was away: tried again.
_AGAIN_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Means:
    """What every room of a process shares."""

    database: Database
    clock: ClinicalClock
    settings: Settings
    backend: media.MediaBackend | None
    #: Where recordings lie; None: nothing can be recorded.
    recordings: Place | None = None


@dataclass(eq=False)
class Room:
    """run() for as long as somebody is here."""

    id: int
    means: Means
    lines: dict[int, Line] = field(default_factory=dict)
    loaded: Loaded | None = None
    #: Readings of the current subject may have come in.
    gather: bool = True
    #: Rooms.let_go: of visits whose page a member of staff has closed.
    closed: Callable[[int, int], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        self.entering = asyncio.Lock()
        self._wake = asyncio.Event()
        self._connected: list[media.Connected] = []
        self._before: dict[int, visits.Presence] = {}
        self._rang: int | None = None
        self._measured = Measured(self.means.database, self.wake)
        #: Whose line does not carry pictures, to them and from them.
        self._weak: dict[int, tuple[bool, bool]] = {}
        self._ice: dict[int, tuple[float, list[dict[str, Any]]]] = {}
        self.studio = (
            None
            if self.means.backend is None
            else Studio(
                self.id,
                self.means.database,
                self.means.clock,
                self.means.backend,
                wake=self.wake,
                heard=self._heard,
            )
        )
        self.recorder = (
            None
            if self.studio is None
            else Recorder(self.id, self.means.database, self.means.clock, self.means.recordings, self.studio)
        )

    # Sockets -----------------------------------------------------------------------------------

    async def enter(self, line: Line) -> bool:
        """A socket of a participant, instead of whichever they had. False: another page of theirs has the place."""
        async with self.entering:
            real_now = clock.real_now()
            async with self.means.database.transaction(SERVICE) as connection:
                # the visit first, as in every step; other processes look at once whether the socket was theirs
                await consultations.changed(connection, self.id, now=self.means.clock.now())
                if line.tab is not None and not line.takes:
                    since = real_now - LOST
                    if await call_sockets.held_by_other(connection, line.participant, line.tab, since=since):
                        return False
                await call_sockets.take(connection, line.participant, line.id, real_now=real_now, tab=line.tab)
            before = self.lines.get(line.participant)
            if before is not None:
                before.bye(Bye("taken_over"))
            self.lines[line.participant] = line
        self.wake()
        return True

    async def leave(self, line: Line) -> None:
        """The socket is gone. Whoever was inside stays so for a while: browsers come back."""
        if self.lines.get(line.participant) is line:
            del self.lines[line.participant]
        self._ice.pop(line.participant, None)
        async with self.means.database.transaction(SERVICE) as connection:
            await consultations.changed(connection, self.id, now=self.means.clock.now())
            await call_sockets.drop(connection, line.participant, line.id)

    async def let_go(self, staff_id: int) -> None:
        """Of other visits, whose page they have closed: they are about to be in this one."""
        if self.closed is not None:
            await self.closed(staff_id, self.id)

    def goodbye(self, why: Bye) -> None:
        for line in self.lines.values():
            line.bye(why)

    async def gone(self, participant_id: int) -> None:
        """Somebody left of themselves: their media end, and what the worker said of them before counts no more."""
        self._connected = [event for event in self._connected if event.participant != participant_id]
        if self.studio is not None:
            await self.studio.drop(participant_id)

    def tell_staff(self, why: str) -> None:
        """What staff have to know of the room itself."""
        for line in self.lines.values():
            if line.staff:
                line.tell(call_messages.Refused("visit", why))

    def wake(self) -> None:
        self._wake.set()

    # Work --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. What goes wrong in one room is this room's alone."""
        while True:
            again = False
            try:
                async with asyncio.timeout(None if not self._restless() else _AGAIN_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._settle()
            except AWAY as error:
                again = True
                _log.warning("a room cannot be loaded", visit=self.id, error=type(error).__name__)
            except Exception as error:
                again = True
                _log.error("a room is in trouble", visit=self.id, error=type(error).__name__, where=log.where(error))
            if again:
                await asyncio.sleep(_AGAIN_SECONDS)
                self.wake()

    def _restless(self) -> bool:
        return self.studio is not None and self.studio.homeless

    async def _settle(self) -> None:
        now = self.means.clock.now()
        await self._note_connected(now)
        # whoever comes meanwhile is not in what is loaded now, and is looked at the next time
        here, at = dict(self.lines), clock.monotonic()
        async with self.means.database.transaction(SERVICE) as connection:
            if self.gather and self._live():
                self.gather = False
                await consultations.gather_readings(connection, self.id, now=now)
            loaded = await consultations.load(connection, self.id)
            seen = await call_sockets.seen(connection, self.id)
            rang = await call_sockets.rang(connection, self.id)
            wards = await call_sockets.caring(connection, {line.member for line in here.values() if line.member})
            standing = None if self.recorder is None else await self.recorder.standing(connection, loaded)
        self.loaded = loaded
        self._part(loaded, seen, here, wards)
        if standing is not None and loaded.row.state in visits.OVER:
            # before the room is closed, so that the ends of its files are heard of
            await self._settle_recording(standing)
        await self._settle_media(loaded, at)
        self._catch_up(loaded)
        if standing is not None:
            await self._settle_recording(standing)
        await self._measured.write()
        self._ring(loaded, rang, here)
        self._show(loaded, seen, here, wards, standing)
        self._before = {p.id: p.state for p in loaded.people}

    def _live(self) -> bool:
        return self.loaded is not None and self.loaded.row.state in ("live", "interrupted")

    async def _note_connected(self, now: datetime) -> None:
        """Media of somebody flow: they have joined. Whoever must not is put out again."""
        events, self._connected = self._connected, []
        for event in events:
            stale = self.studio is not None and event.epoch != self.studio.epoch
            if event.how != "up" or stale or event.participant not in self.lines:
                # each by the process that has their socket
                continue
            try:
                async with self.means.database.transaction(SERVICE) as connection:
                    await consultations.joined(connection, self.id, event.participant, now=now)
            except TelehealthError as error:
                await self._put_out(event.participant, error)

    def _catch_up(self, loaded: Loaded) -> None:
        """Whose media flow, and who is not inside: what the worker told was told to nobody, or too early."""
        if self.studio is None or self.studio.epoch is None:
            return
        for person in loaded.people:
            if person.state == "admitted" and person.id in self.lines and person.id in self.studio.flowing:
                self._connected.append(media.Connected(self.id, self.studio.epoch, person.id, "up"))
                self.wake()

    async def _put_out(self, participant_id: int, error: TelehealthError) -> None:
        _log.info("not joined", visit=self.id, participant=participant_id, error=type(error).__name__)
        if self.studio is not None:
            await self.studio.drop(participant_id)
        line = self.lines.get(participant_id)
        if line is not None:
            why = error.why if isinstance(error, visits.NotPossible) else "You cannot join this visit now."
            line.tell(call_messages.Refused("offer", why))

    # Who has to go -----------------------------------------------------------------------------

    def _part(self, loaded: Loaded, seen: dict[int, Seen], here: dict[int, Line], wards: dict[int, set[int]]) -> None:
        known = {p.id: p for p in loaded.people}
        for participant_id, line in here.items():
            person, held = known.get(participant_id), seen.get(participant_id)
            if person is None:
                line.bye(Bye("expired"))
            elif line.member is not None and not call_state.theirs(loaded, wards[line.member]):
                line.close(call_line.NOT_YOURS)
            elif held is not None and held.socket is not None and held.socket != line.id:
                line.bye(Bye("taken_over"))
            elif (why := self._end(loaded, person)) is not None:
                line.bye(why)

    def _end(self, loaded: Loaded, person: Participant) -> Bye | None:
        """Why somebody's socket ends now. Staff stay beside the record when they leave the room, or it is over."""
        if person.state == "removed":
            return Bye("removed")
        if loaded.row.state in visits.OVER:
            return Bye("ended")
        was = self._before.get(person.id)
        if person.role != "staff" and person.state == "left" and was is not None and was != "left":
            return Bye("ended")
        return None

    # Media -------------------------------------------------------------------------------------

    async def _settle_media(self, loaded: Loaded, at: float) -> None:
        if self.studio is None:
            return
        if loaded.row.state in visits.OVER:
            await self.studio.close()
            return
        wanted = any(line.staff for line in self.lines.values()) or any(
            p.state in ("admitted", "joined") for p in loaded.people
        )
        await self.studio.find(loaded, wanted=wanted)
        self._tell_epoch()
        await self.studio.settle(loaded, frozenset(self.lines), at=at)

    async def _settle_recording(self, standing: Standing) -> None:
        trouble = None if self.recorder is None else await self.recorder.settle(standing)
        if trouble is not None:
            self.tell_staff(trouble)

    async def before(self, person: Participant) -> None:
        """Somebody is about to be heard and seen: what may not go on then ends first."""
        if self.recorder is None or person.consent_at is not None:
            return
        async with self.means.database.transaction(SERVICE) as connection:
            loaded = await consultations.load(connection, self.id)
            standing = await self.recorder.standing(connection, loaded)
        await self._settle_recording(standing)

    def _tell_epoch(self) -> None:
        """Whoever has made a connection to a room that is elsewhere now makes another one."""
        epoch = None if self.studio is None else self.studio.epoch
        if epoch is None:
            return
        for line in self.lines.values():
            if line.epoch is not None and line.epoch < epoch:
                line.tell(call_messages.Rebuild(epoch))
            line.epoch = epoch

    def _heard(self, event: media.Event) -> None:
        """What a worker tells; passed on at once where it can be."""
        match event:
            case media.Slots():
                line = self.lines.get(event.participant)
                if line is not None:
                    line.tell(call_messages.Slots(event.epoch, slots(event.slots)))
            case media.Speaking():
                for line in self._inside():
                    line.tell(call_messages.Speaking(event.participant))
            case media.Connected():
                self._connected.append(event)
                if event.how != "up" and event.participant in self.lines and self.loaded is not None:
                    self._measured.interrupted(self.loaded, event.participant)
                self.wake()
            case media.Weak():
                self._is_weak(event.participant, event.down, event.up)
            case media.Quality():
                # also where another process, which is no more, or a worker, which is no more, heard or said otherwise
                self._is_weak(event.participant, event.weak_down, event.weak_up)
                if event.participant in self.lines and self.loaded is not None:
                    self._measured.by_worker(self.loaded, event)
            case media.Recorded():
                if self.recorder is not None and self.recorder.heard(event):
                    self.wake()

    def _is_weak(self, participant_id: int, down: bool, up: bool) -> None:
        if self._weak.get(participant_id, (False, False)) != (down, up):
            self._weak[participant_id] = (down, up)
            self.wake()

    def _inside(self) -> list[Line]:
        if self.loaded is None:
            return []
        inside = {p.id for p in self.loaded.people if p.state in ("admitted", "joined")}
        return [line for participant_id, line in self.lines.items() if participant_id in inside]

    def measured(self, participant_id: int, asked: call_messages.Stats) -> None:
        """What a browser here measured."""
        if self.loaded is not None:
            self._measured.by_browser(self.loaded, participant_id, asked)

    # What they are shown -----------------------------------------------------------------------

    def _ring(self, loaded: Loaded, rang: Rang | None, here: dict[int, Line]) -> None:
        before, self._rang = self._rang, 0 if rang is None else rang.event
        if rang is None or rang.event == before or clock.real_now() - rang.at > _RING:
            return
        for person in loaded.people:
            line = here.get(person.id)
            if line is not None and person.role == "resident" and person.resident_id == rang.resident_id:
                line.tell(call_messages.Ring())

    def _show(
        self,
        loaded: Loaded,
        seen: dict[int, Seen],
        here: dict[int, Line],
        wards: dict[int, set[int]],
        standing: Standing | None,
    ) -> None:
        now = self._now(loaded, seen, standing)
        for participant_id, line in here.items():
            if line.close_code is not None:
                continue
            theirs = loaded if line.member is None else loaded.of_wards(wards[line.member])
            you, visit = call_state.shown(theirs, now, participant_id, self._ice_servers(participant_id))
            if line.shown != (you, visit):
                line.shown = (you, visit)
                line.show(call_messages.State(loaded.row.seq, you, visit))

    def _now(self, loaded: Loaded, seen: dict[int, Seen], standing: Standing | None) -> call_state.Now:
        real_now = clock.real_now()
        away = {
            who for who, held in seen.items() if held.socket is None or held.at is None or real_now - held.at > LOST
        }
        silent = set() if self.studio is None else self.studio.silent
        words = {p.id: str(p.quality["now"]) for p in loaded.people if p.quality and p.quality.get("now")}
        words |= self._measured.words
        return call_state.Now(
            epoch=None if self.studio is None else self.studio.epoch,
            words=words,
            lost=frozenset(away | silent),
            # who never had a socket has a page without a script
            away=frozenset(who for who in away if seen[who].at is not None),
            weak=self._weak,
            recording=standing or call_state.NOT_RECORDED,
        )

    def _ice_servers(self, participant_id: int) -> list[dict[str, Any]]:
        """The same for half of their life, so that they alone do not change what is shown."""
        made_at, servers = self._ice.get(participant_id, (float("-inf"), []))
        at = clock.monotonic()
        if at - made_at > turn.LIFETIME.total_seconds() / 2:
            servers = turn.ice_servers(self.means.settings, self.id, participant_id, clock.real_now())
            self._ice[participant_id] = (at, servers)
        return servers

    async def stop(self) -> None:
        """Nobody is here any more: what was measured is kept, and nothing more is heard."""
        if self.studio is not None:
            self.studio.stop_watching()
        await self._measured.write(all_of=True)


def slots(found: dict[str, media.Slot | None]) -> dict[str, call_messages.SlotOf | None]:
    """As browsers are told them."""
    return {
        mid: None if slot is None else call_messages.SlotOf(slot.participant, slot.source)
        for mid, slot in found.items()
    }
