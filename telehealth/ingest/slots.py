"""Which slots of the broker's messages this process has: leased, shared evenly, taken over from the dead.

Every second and a half the process beats and renews its leases in one transaction. It takes what is
nobody's up to its even share, and hands over what is beyond it: no more is read, what was read is
committed and acknowledged, the session is left, and only then is the lease given up. A process that was stopped
for a while finds its leases gone and lets go of the sessions; the broker has thrown it out of them already.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from telehealth import clock, log
from telehealth.errors import Unavailable
from telehealth.ingest import places
from telehealth.ingest.session import NoSharing, Session
from telehealth.store import db, leases, outage
from telehealth.store.db import Database

_log = log.get("ingest")
_ACTOR = db.service("ingest")

_TICK_SECONDS = 4.0
_FAREWELL_SECONDS = 1.0
#: A process without a slot asks the broker this often whether it can share by now.
_LEARN_SECONDS = 300.0


@dataclass
class _Slot:
    """A slot of this process. sessions: empty while it waits to learn whether the broker can share."""

    name: str
    epoch: int
    sessions: Sequence[Session] = ()
    task: asyncio.Task[None] | None = None
    leaving: bool = False
    #: Ended in good order; the lease is to be given up.
    over: bool = False
    #: It is not needed any more.
    remove: bool = False


@dataclass
class Keeper:
    """run() until cancelled, which closes the sessions; then farewell().

    sessions(name, groups): of a slot, to be run; groups: as places.Place has them. report(what, trouble): "leases",
    "others". own_trouble: what others are told.
    steady(): called after each tick: the database takes writes.
    """

    database: Database
    count: int
    holder: str
    sessions: Callable[[str, Sequence[str]], Sequence[Session]]
    report: Callable[[str, str | None], None]
    own_trouble: Callable[[], str | None]
    steady: Callable[[], None]
    _slots: dict[str, _Slot] = field(default_factory=dict)
    _groups: Sequence[str] = field(default=(), repr=False)
    _shares: bool | None = None
    _learnt_at: float = 0.0
    _ticks: int = 0
    _ticking: bool = False
    #: The last look at the leases did not succeed.
    _blind: bool = False
    _ticked: asyncio.Event = field(default_factory=asyncio.Event)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Keep the slots until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                try:
                    await self._tick(group)
                except Exception as error:
                    # Whatever it is, the database is asked again; nobody can take the slots meanwhile without it.
                    self._blind = True
                    trouble = outage.sentence(error)
                    self.report("leases", f"cannot hold a share of the messages: {trouble}")
                    _log.warning("cannot renew the leases", error=type(error).__name__, where=log.where(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(leases.RENEW_SECONDS):
                        await self._wake.wait()

    async def confirmed(self) -> None:
        """Until a look at the leases, begun after now, finds that the caller's slot is ours; else it is cancelled."""
        wanted = self._ticks + 2 if self._ticking else self._ticks + 1
        self._wake.set()
        while self._ticks < wanted:
            self._ticked.clear()
            await self._ticked.wait()

    def learnt(self, shares: bool) -> None:
        """Whether the broker has shared subscriptions."""
        if shares != self._shares:
            _log.info("the broker shares messages out" if shares else "the broker cannot share messages out")
            self._wake.set()
        self._shares, self._learnt_at = shares, clock.monotonic()

    def holds(self, name: str) -> bool:
        """Whether a slot is this process's."""
        return name in self._slots

    async def farewell(self) -> None:
        """Give the leases up, so that others need not wait for them to expire."""
        held = {slot.name: slot.epoch for slot in self._slots.values()}
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS), self.database.transaction(_ACTOR) as connection:
                await leases.release(connection, self.holder, held)
                await leases.leave(connection, places.WORK, self.holder)
        except Exception as error:
            # The process ends; whatever it is, the leases expire by themselves.
            _log.warning("the leases were not given up; they expire", error=type(error).__name__)

    # A tick ----------------------------------------------------------------------------------------

    async def _tick(self, group: asyncio.TaskGroup) -> None:
        self._ticking = True
        try:
            async with asyncio.timeout(_TICK_SECONDS), self.database.transaction(_ACTOR) as connection:
                await leases.beat(connection, places.WORK, self.holder, self.own_trouble())
                over = [slot for slot in self._slots.values() if slot.over]
                for slot in over:
                    await leases.release(connection, self.holder, {slot.name: slot.epoch}, remove=slot.remove)
                held = {slot.name: slot.epoch for slot in self._slots.values() if not slot.over}
                kept = await leases.renew(connection, self.holder, held)
                state = await leases.state(connection, places.WORK)
                taken = await self._take(connection, state, kept)
                old = await self._take_old(connection, state)
                if taken or old:
                    self._groups = await leases.groups(connection)
        finally:
            self._ticking = False
        for slot in over:
            del self._slots[slot.name]
        for name in held.keys() - kept:
            self._abandon(name)
        for name, epoch in taken.items():
            self._slots[name] = _Slot(name, epoch)
            _log.info("took a share of the messages", slot=name, epoch=epoch)
        self._hand_over(state)
        self._start(group)
        for name, epoch in old.items():
            slot = self._slots[name] = _Slot(name, epoch, leaving=True, remove=True)
            self._run(group, slot, self._drain(slot))
        self.report("leases", None)
        self.report("others", state.trouble(beside=self.holder) if not taken else None)
        self.steady()
        self._blind = False
        self._ticks += 1
        self._ticked.set()

    async def _take(self, connection: db.Connection, state: leases.State, kept: set[str]) -> dict[str, int]:
        """Take what is nobody's, up to our share."""
        wanted = self._wanted()
        if self._blind:
            # The database was away for everybody: the others get the time to say that they are alive.
            return {}
        missing = state.share(self.holder, len(wanted)) - len([name for name in wanted if name in kept])
        if missing <= 0:
            return {}
        free = [name for name in wanted if name not in self._slots and not _held(state, name)]
        return await leases.take(connection, self.holder, free, missing)

    async def _take_old(self, connection: db.Connection, state: leases.State) -> dict[str, int]:
        """Take a slot that is not used any more, one at a time, once the present ones run."""
        if self._shares is None or not self._ready():
            return {}
        wanted = {places.slot(number) for number in range(self.count if self._shares else 1)}
        old = [name for name in state.slots if name not in wanted and name not in self._slots]
        return await leases.take(connection, self.holder, [name for name in old if not _held(state, name)], 1)

    @property
    def started(self) -> bool:
        """Whether every slot of this process has its sessions, connected or not."""
        return all(slot.sessions or slot.leaving for slot in self._slots.values())

    def _ready(self) -> bool:
        """Whether this process has a slot, and all its sessions are connected."""
        running = [slot for slot in self._slots.values() if not slot.remove]
        return bool(running) and all(slot.sessions and all(s.ready for s in slot.sessions) for slot in running)

    def _wanted(self) -> list[str]:
        if self._shares is False and not self._slots and clock.monotonic() - self._learnt_at > _LEARN_SECONDS:
            self._shares = None
        return [places.slot(number) for number in range(1 if self._shares is False else self.count)]

    def _hand_over(self, state: leases.State) -> None:
        """Leave what is beyond our share, the highest first; all but one where the broker cannot share."""
        wanted = self._wanted()
        staying = [slot for name, slot in sorted(self._slots.items()) if name in wanted and not slot.leaving]
        for slot in staying[state.share(self.holder, len(wanted)) :]:
            _log.info("handing a share of the messages over", slot=slot.name)
            self._leave(slot)
        for name, slot in self._slots.items():
            if name not in wanted and not slot.remove:
                slot.remove = True
                self._leave(slot)

    def _leave(self, slot: _Slot) -> None:
        slot.leaving = True
        for session in slot.sessions:
            session.leave()
        if slot.task is None:
            slot.over = True
            self._wake.set()

    def _abandon(self, name: str) -> None:
        """It is somebody else's by now."""
        slot = self._slots.pop(name)
        _log.warning("lost a share of the messages to another process", slot=name, epoch=slot.epoch)
        if slot.task is not None:
            slot.task.cancel()

    # Sessions --------------------------------------------------------------------------------------

    def _start(self, group: asyncio.TaskGroup) -> None:
        """The first slot finds out whether the broker can share; only then do others start."""
        first = min((name for name, slot in self._slots.items() if not slot.leaving), default=None)
        for name, slot in sorted(self._slots.items()):
            if slot.task is None and not slot.leaving and (self._shares or name == first):
                slot.sessions = self.sessions(name, self._groups)
                self._run(group, slot, self._serve(slot))

    def _run(self, group: asyncio.TaskGroup, slot: _Slot, work: Coroutine[Any, Any, None]) -> None:
        slot.task = group.create_task(work, name=f"slot {slot.name}")

    async def _serve(self, slot: _Slot) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for session in slot.sessions:
                    group.create_task(session.run(), name="session")
        except* NoSharing:
            slot.remove = True
        slot.over = True
        self._wake.set()

    async def _drain(self, slot: _Slot) -> None:
        """Empty and end the sessions of a slot that is not used any more."""
        try:
            for session in self.sessions(slot.name, self._groups):
                await session.drain()
            _log.info("emptied and ended sessions that are not used any more", slot=slot.name)
        except Unavailable as error:
            slot.remove = False
            _log.warning("cannot empty a session that is not used any more", slot=slot.name, trouble=str(error))
        slot.over = True
        self._wake.set()


def _held(state: leases.State, name: str) -> bool:
    return name in state.slots and state.slots[name].held
