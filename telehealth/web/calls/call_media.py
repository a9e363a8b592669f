"""The media of one visit, as this process drives them at a worker: where the room is, whose transports may be there.

Several processes may drive one room. Whatever they ask of the worker can be asked twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from telehealth import clock, log, metrics
from telehealth.clock import ClinicalClock
from telehealth.model import media
from telehealth.store import call_sockets, consultations, rooms
from telehealth.store.db import Connection, Database
from telehealth.store.visit_view import Loaded, Participant
from telehealth.web.auth import SERVICE

_log = log.get("rooms")

_INSIDE: Final = frozenset({"admitted", "joined"})
#: From an offer to the first media, at most.
_FLOWING_SECONDS: Final = 15.0
#: Reasons of a worker, in words for whoever sits there.
REFUSALS: Final[Mapping[str, str]] = {
    "full": "The video service is full at the moment. Stay on this page: it tries again by itself.",
    "bad offer": "This browser asked for something that the video service does not do.",
    "unknown room": "The video room has moved. It connects again by itself.",
}
REFUSED_OTHERWISE: Final = "The video service cannot connect you at the moment. It tries again by itself."


def allowed(person: Participant) -> media.Allowed:
    """What of somebody reaches the others: what they send, unless the host has silenced them."""
    return media.Allowed(audio=person.audio and not person.muted_by_host, video=person.video, screen=person.screen)


def order(loaded: Loaded, viewer: int, speaker: int | None) -> list[int]:
    """Whose picture a viewer gets first: the pinned one, who speaks, staff, then the others as they came."""
    inside = [p for p in loaded.people if p.state == "joined" and p.id != viewer]
    inside.sort(key=lambda p: (not p.pinned, p.id != speaker, p.role != "staff", p.id))
    return [p.id for p in inside]


class Studio:
    """One a visit and process. wake is called when there is something to settle; tell for what is told at once."""

    def __init__(
        self,
        visit_id: int,
        database: Database,
        clinical: ClinicalClock,
        backend: media.MediaBackend,
        *,
        wake: Callable[[], None],
        heard: Callable[[media.Event], None],
    ) -> None:
        self._visit_id = visit_id
        self._database = database
        self._clock = clinical
        self._backend = backend
        self._wake = wake
        self._heard = heard
        self.room: media.Room | None = None
        #: Whoever has a transport at the worker, as far as this process knows.
        self.transports: set[int] = set()
        #: Of them, whose media the worker has told of; and whose have stopped.
        self.flowing: set[int] = set()
        self.silent: set[int] = set()
        self.speaker: int | None = None
        #: No worker could be found for the room: to be tried again.
        self.homeless = False
        self._dead: int | None = None
        self._unwatch: Callable[[], None] | None = None
        self._told_allowed: dict[int, media.Allowed] = {}
        self._told_order: dict[int, list[int]] = {}
        self._swept = False
        #: When somebody's offer was taken, or their media first flowed, until they are known as inside.
        self._offered: dict[int, float] = {}

    @property
    def epoch(self) -> int | None:
        """Of the room as it works; None: nowhere now."""
        return None if self.room is None or self.room.epoch == self._dead else self.room.epoch

    # Where it is -------------------------------------------------------------------------------

    async def find(self, loaded: Loaded, *, wanted: bool) -> None:
        """Know the room's place; give it one if it is wanted and has none, or has lost its own."""
        lost = self.room.epoch if self.room is not None and self.room.epoch == self._dead else None
        if self.room is not None and lost is None and loaded.row.epoch <= self.room.epoch:
            return
        real_now, before = clock.real_now(), loaded.row.epoch
        async with self._database.transaction(SERVICE) as connection:
            found = await rooms.current(connection, self._visit_id)
            if wanted and (found is None or found.epoch == lost):
                placed = await rooms.place(connection, self._visit_id, lost_epoch=lost, real_now=real_now)
                found = placed or await rooms.current(connection, self._visit_id)
                if placed is not None and lost is not None and placed.epoch > lost:
                    await self._note(connection, placed)
        self.homeless = wanted and (found is None or found.epoch == lost)
        if found is not None and found.epoch != lost and (self.room is None or found.epoch > self.room.epoch):
            _log.info("room", visit=self._visit_id, epoch=found.epoch, before=before)
            self._move(found)

    async def _note(self, connection: Connection, placed: media.Room) -> None:
        """Once, whoever of the processes comes first; the room's row is held by place()."""
        if not await call_sockets.rebuilt(connection, self._visit_id, placed.epoch):
            await consultations.note_event(
                connection, self._visit_id, "rebuilt", detail={"epoch": placed.epoch}, actor=None, now=self._clock.now()
            )

    def _move(self, room: media.Room) -> None:
        self.stop_watching()
        if self.room is not None:
            metrics.CALL_REBUILDS.inc()
        self.room = room
        self.transports.clear()
        self.flowing.clear()
        self.silent.clear()
        self.speaker = None
        self._told_allowed.clear()
        self._told_order.clear()
        self._swept = False
        self._unwatch = self._backend.watch(room, self._on_event, lambda: self._on_gone(room))

    def stop_watching(self) -> None:
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def _on_gone(self, room: media.Room) -> None:
        if self.room is not None and self.room.epoch == room.epoch:
            self._dead = room.epoch
            self._wake()

    def _on_event(self, event: media.Event) -> None:
        if not isinstance(event, media.Recorded):
            if self.room is None or event.epoch != self.room.epoch:
                return
            if isinstance(event, media.Speaking):
                self.speaker = event.participant
                self._wake()
            elif isinstance(event, media.Connected):
                self._on_connected(event)
            elif isinstance(event, media.Quality):
                # also where another process, which is no more, heard it first
                self.transports.add(event.participant)
                self.flowing.add(event.participant)
        self._heard(event)

    def _on_connected(self, event: media.Connected) -> None:
        if event.how == "up":
            self.silent.discard(event.participant)
            self.transports.add(event.participant)
            self.flowing.add(event.participant)
            # let in by another process, perhaps a moment ago
            self._offered[event.participant] = clock.monotonic()
        else:
            self.silent.add(event.participant)
            self.flowing.discard(event.participant)
        self._wake()

    # What is there -----------------------------------------------------------------------------

    async def offer(self, person: Participant, sdp: str, *, restart: bool) -> tuple[int, media.Answer]:
        """Take in a browser's one offer; epoch and answer. media.Refused, media.Gone (another place is found)."""
        room = self.room
        if room is None or room.epoch == self._dead:
            raise media.Gone
        told = allowed(person)
        self._offered[person.id] = clock.monotonic()
        try:
            if restart:
                return room.epoch, await self._backend.restart(room, person.id, sdp)
            answer = await self._backend.join(room, person.id, sdp, told)
        except media.Gone:
            self._on_gone(room)
            raise
        if self.room is room:
            self._offered[person.id] = clock.monotonic()
            self.transports.add(person.id)
            self._told_allowed[person.id] = told
            self._told_order.pop(person.id, None)
        self._wake()
        return room.epoch, answer

    async def settle(self, loaded: Loaded, here: frozenset[int], *, at: float) -> None:
        """Make the worker do what the visit says. here: whose sockets this process holds. at: when it said so."""
        room = self.room
        if room is None or room.epoch == self._dead:
            return
        try:
            await self._put_out(room, loaded, at)
            for person in loaded.people:
                if person.id in self.transports and person.state in _INSIDE:
                    await self._tell(room, loaded, person, here)
        except media.Gone:
            self._on_gone(room)
        except media.Refused as refused:
            _log.warning("a worker refused", visit=self._visit_id, why=refused.why)

    async def _put_out(self, room: media.Room, loaded: Loaded, at: float) -> None:
        """Whoever may not be there (any more) is not."""
        for person in loaded.people:
            if person.state == "joined":
                self._offered.pop(person.id, None)
            if person.state in _INSIDE or self._comes(person, at):
                continue
            if person.id in self.transports or (not self._swept and person.joined_at is not None):
                self.transports.discard(person.id)
                self.flowing.discard(person.id)
                self.silent.discard(person.id)
                self._told_allowed.pop(person.id, None)
                await self._leave(room, person.id)
        self._swept = True

    def _comes(self, person: Participant, at: float) -> bool:
        """Whether somebody was let in after what is known was the case; staff are inside once their media flow."""
        offered = self._offered.get(person.id)
        if offered is None or person.state == "removed":
            return False
        return offered >= at or (person.role == "staff" and clock.monotonic() - offered < _FLOWING_SECONDS)

    async def _tell(self, room: media.Room, loaded: Loaded, person: Participant, here: frozenset[int]) -> None:
        wanted = allowed(person)
        if self._told_allowed.get(person.id) != wanted:
            await self._backend.allow(room, person.id, wanted)
            self._told_allowed[person.id] = wanted
        if person.id in here:
            liked = order(loaded, person.id, self.speaker)
            if self._told_order.get(person.id) != liked:
                await self._backend.prefer(room, person.id, liked)
                self._told_order[person.id] = liked

    async def drop(self, participant_id: int) -> None:
        """Their transport goes, whoever made it."""
        room = self.room
        self._offered.pop(participant_id, None)
        self.transports.discard(participant_id)
        self.flowing.discard(participant_id)
        self.silent.discard(participant_id)
        self._told_allowed.pop(participant_id, None)
        if room is None or room.epoch == self._dead:
            return
        try:
            await self._leave(room, participant_id)
        except media.Gone:
            self._on_gone(room)

    async def record(self, to: Mapping[int, media.RecordingTo]) -> bool | None:
        """Write exactly these from now on. False: the worker will not. None: nobody is at it yet, so tell it again.

        One that is gone writes nothing anyway.
        """
        room = self.room
        if room is None or room.epoch == self._dead:
            return None
        try:
            await self._backend.record(room, to)
        except media.Gone:
            self._on_gone(room)
        except media.Refused as refused:
            if refused.why == "unknown room":
                return None  # it knows a room from the first who comes to it
            _log.warning("a worker does not record", visit=self._visit_id, why=refused.why)
            return not to
        return True

    async def close(self) -> None:
        """The visit is over."""
        room, self.room = self.room, None
        self.stop_watching()
        self.transports.clear()
        if room is None or room.epoch == self._dead:
            return
        try:
            await self._backend.close(room)
        except (media.Gone, media.Refused) as error:
            _log.info("a room was gone before it was closed", visit=self._visit_id, error=type(error).__name__)

    async def _leave(self, room: media.Room, participant_id: int) -> None:
        try:
            await self._backend.leave(room, participant_id)
        except media.Refused:
            # it has no such transport: that is what was wanted
            pass
