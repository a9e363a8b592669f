"""A media backend for what real workers do not do when asked: die at a chosen moment, be full, refuse an offer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from uuid import UUID

from telehealth.model import media


class Sfu:
    """What all workers together have: shared by the backends of several processes."""

    def __init__(self) -> None:
        self.dead: set[UUID] = set()
        self.full = False
        #: (visit, epoch) -> whose transports are there, and what of them reaches the others
        self.rooms: dict[tuple[int, int], dict[int, media.Allowed]] = {}
        self.orders: dict[tuple[int, int], list[int]] = {}
        self.closed: list[tuple[int, int]] = []
        self.recorded: dict[int, dict[int, media.RecordingTo]] = {}
        self.disk_full = False
        #: Joins and recordings in the order in which they were asked for.
        self.orders_given: list[tuple[str, tuple[int, ...]]] = []
        self.watchers: list[tuple[media.Room, Callable[[media.Event], None], Callable[[], None]]] = []

    def kill(self, worker: UUID) -> None:
        """The worker is gone, with everything in it."""
        self.dead.add(worker)
        for room, _, gone in list(self.watchers):
            if room.worker.id == worker:
                self.rooms.pop((room.consultation, room.epoch), None)
                gone()

    def tell(self, event: media.Event) -> None:
        for room, heard, _ in list(self.watchers):
            if isinstance(event, media.Recorded) or (event.consultation, event.epoch) == (
                room.consultation,
                room.epoch,
            ):
                heard(event)

    def inside(self, visit: int) -> set[int]:
        """Whose transports are in the newest room of a visit."""
        epochs = [epoch for known, epoch in self.rooms if known == visit]
        return set(self.rooms[visit, max(epochs)]) if epochs else set()


class Backend:
    """media.MediaBackend of one process."""

    def __init__(self, sfu: Sfu) -> None:
        self.sfu = sfu

    def _room(self, room: media.Room) -> dict[int, media.Allowed]:
        if room.worker.id in self.sfu.dead:
            raise media.Gone
        return self.sfu.rooms.setdefault((room.consultation, room.epoch), {})

    async def join(self, room: media.Room, participant: int, offer: str, allowed: media.Allowed) -> media.Answer:
        here = self._room(room)
        if self.sfu.full:
            raise media.Refused("full")
        if not offer.startswith("v=0"):
            raise media.Refused("bad offer")
        here[participant] = allowed
        self.sfu.orders_given.append(("join", (participant,)))
        up = media.Connected(room.consultation, room.epoch, participant, "up")
        asyncio.get_running_loop().call_soon(self.sfu.tell, up)
        return media.Answer("v=0 answer", {"0": None, "1": media.Slot(participant, "audio")})

    async def restart(self, room: media.Room, participant: int, offer: str) -> media.Answer:
        if participant not in self._room(room):
            raise media.Refused("unknown participant")
        return media.Answer("v=0 restarted", {})

    async def allow(self, room: media.Room, participant: int, allowed: media.Allowed) -> None:
        if participant in (here := self._room(room)):
            here[participant] = allowed

    async def prefer(self, room: media.Room, viewer: int, order: list[int]) -> None:
        self._room(room)
        self.sfu.orders[room.consultation, viewer] = order

    async def leave(self, room: media.Room, participant: int) -> None:
        self._room(room).pop(participant, None)

    async def close(self, room: media.Room) -> None:
        self._room(room).clear()
        self.sfu.closed.append((room.consultation, room.epoch))

    async def record(self, room: media.Room, to: Mapping[int, media.RecordingTo]) -> None:
        self._room(room)
        if to and self.sfu.disk_full:
            # of one there was a place still
            self.sfu.recorded[room.consultation] = dict(list(to.items())[:1])
            raise media.Refused("recording impossible")
        self.sfu.recorded[room.consultation] = dict(to)
        self.sfu.orders_given.append(("record", tuple(sorted(to))))

    async def check(self, worker: media.Worker) -> None:
        if worker.id in self.sfu.dead:
            raise media.Gone

    def watch(
        self, room: media.Room, heard: Callable[[media.Event], None], gone: Callable[[], None]
    ) -> Callable[[], None]:
        entry = (room, heard, gone)
        self.sfu.watchers.append(entry)
        if room.worker.id in self.sfu.dead:
            asyncio.get_running_loop().call_soon(gone)
        return lambda: self.sfu.watchers.remove(entry) if entry in self.sfu.watchers else None
