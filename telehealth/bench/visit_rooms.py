"""A room of the benchmark: does for callers what the web role does for browsers, with the same media backend."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from telehealth import clock
from telehealth.bench.visit_callers import Callers
from telehealth.bench.visit_servers import MediaWorker
from telehealth.consult import backend
from telehealth.model import media

#: Voices and pictures that callers ask for, as browsers do; one more picture is for a screen.
SLOTS = 9


@dataclass
class Room:
    """people: who calls, and in which process of callers. line: of everybody's network, as simulator.wire.Line."""

    workers: backend.Workers
    people: Mapping[int, Callers]
    consultation: int = 1
    epoch: int = 1
    line: Mapping[str, Any] | None = None
    slots: int = SLOTS
    worker: MediaWorker | None = None
    #: Set when its worker is gone.
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def at(self, worker: MediaWorker) -> media.Room:
        return media.Room(self.consultation, self.epoch, worker.worker)

    async def open(self, worker: MediaWorker) -> None:
        """Everybody joins, one after the other."""
        self.worker = worker
        self.workers.watch(self.at(worker), self._heard, self.gone.set)
        for who in self.people:
            await self.join(who)

    async def join(self, who: int) -> None:
        assert self.worker is not None
        callers = self.people[who]
        offer = await callers.offer(who, cameras=self.slots, hidden=self.line is not None)
        answer = await self.workers.join(self.at(self.worker), who, offer, media.Allowed())
        callers.answer(who, answer.sdp, _plain(answer.slots), self.line)

    async def leave(self, who: int) -> None:
        assert self.worker is not None
        await self.workers.leave(self.at(self.worker), who)
        await self.people[who].close(who)

    async def seen(self, since: float, *, by: Sequence[int] | None = None) -> list[float]:
        """Until everybody has had a frame of everybody else after `since`; seconds from then, of each."""
        others = len(self.people) - 1
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self.people[who].after(who, since, others)) for who in by or self.people]
        return [task.result() - since for task in asked]

    async def move(self, worker: MediaWorker) -> None:
        """To another worker, after the last one is gone: a new epoch, new connections."""
        self.epoch += 1
        self.gone = asyncio.Event()
        await self.open(worker)

    def _heard(self, event: media.Event) -> None:
        if isinstance(event, media.Slots) and event.participant in self.people:
            self.people[event.participant].slots(event.participant, _plain(event.slots))


def _plain(slots: Mapping[str, media.Slot | None]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(dict(slots))
    return found


async def counted(callers: Sequence[Callers]) -> Counted:
    """Of all callers of these processes."""
    found = [await each.counts() for each in callers]
    return Counted(clock.monotonic(), {who: counts for _, people in found for who, counts in people.items()})


@dataclass(frozen=True)
class Counted:
    """people: what callers counted, by who they are."""

    at: float
    people: dict[int, dict[str, Any]]

    def total(self, name: str) -> float:
        return float(sum(counts[name] for counts in self.people.values()))

    @property
    def sent(self) -> int:
        """Packets of voices and pictures."""
        return sum(sum(counts["sent"].values()) for counts in self.people.values())

    @property
    def received(self) -> int:
        return int(self.total("voice") + self.total("picture"))
