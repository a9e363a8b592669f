"""What goes wrong: a plan from a seed, and how each kind is done."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from tests.chaos.fleet import Device
from tests.chaos.stack import Service, Stack
from tests.chaos.watcher import Watcher

Victim = Literal["service", "broker", "database"]

#: Where the service tells that it is; see telehealth.failpoints.
PLACES = (
    "ingest.before_commit",
    "ingest.committed",
    "ingest.acknowledged",
    "ingest.receipted",
    "alerting.before_commit",
    "alerting.committed",
)
_VICTIMS: tuple[Victim, ...] = ("service", "service", "broker", "database")
_REACH_SECONDS = 8.0
#: Longer than a lease lasts.
_STALL_SECONDS = 7.0


@dataclass(frozen=True)
class Kill:
    """place None: at any moment."""

    victim: Victim
    place: str | None

    def __str__(self) -> str:
        return f"{self.victim} killed {'at any moment' if self.place is None else 'at ' + self.place}"


def kills(rounds: int, seed: int) -> list[Kill]:
    """Every victim at every place comes before any comes again, in an order from the seed."""
    every = [Kill(victim, place) for victim in _VICTIMS for place in (None, *PLACES)]
    found: list[Kill] = []
    chosen = random.Random(f"kills {seed}")
    while len(found) < rounds:
        chosen.shuffle(every)
        found += every
    return found[:rounds]


@dataclass
class Faults:
    """Does them, and counts what was really done."""

    stack: Stack
    watcher: Watcher
    fleet: list[Device]
    random: random.Random
    #: Name of the service that stays dead once it has died, if one does.
    never_returns: str | None = None
    done: Counter[str] = field(default_factory=Counter)

    async def kill(self, kill: Kill) -> None:
        """Kill, and start again what was killed."""
        if kill.place is None:
            await asyncio.sleep(self.random.uniform(0.0, 0.4))
            await self._kill(kill.victim, self._some_service())
            self.done[str(kill)] += 1
            return
        struck: list[Service] = []

        async def strike(pid: int) -> bool:
            service = next((s for s in self.stack.services.values() if s.process and s.process.pid == pid), None)
            if service is None:
                return True
            struck.append(service)
            if kill.victim == "service":
                await service.kill()
                return False
            await self._kill(kill.victim, service, restart=False)
            return True

        if await self.watcher.once(kill.place, strike, seconds=_REACH_SECONDS) and struck:
            self.done[str(kill)] += 1
            await self._restart(kill.victim, struck[0])
        else:
            self.done[f"{kill} (not reached: killed at any moment)"] += 1
            await self._kill(kill.victim, self._some_service())

    async def _kill(self, victim: Victim, service: Service, *, restart: bool = True) -> None:
        match victim:
            case "service":
                await service.kill()
            case "broker":
                await self.stack.broker.kill()
            case "database":
                self.stack.kill_database()
        if restart:
            await self._restart(victim, service)

    async def _restart(self, victim: Victim, service: Service) -> None:
        await asyncio.sleep(self.random.uniform(0.0, 0.8))
        if victim == "broker":
            await self.stack.broker.start()
        elif victim == "service" and service.name != self.never_returns:
            await service.start()

    def _some_service(self) -> Service:
        return self.random.choice([s for s in self.stack.services.values() if s.process is not None])

    async def nuisance(self) -> None:
        """Something that kills nothing."""
        kind = self.random.choice(("network", "wipe", "clock", "stall service", "stall database"))
        match kind:
            case "network":
                for device in self.fleet:
                    device.cut()
                self.done["network cut for all devices"] += 1
            case "wipe":
                self.random.choice(self.fleet).wipe()
                self.done["device wiped"] += 1
            case "clock":
                self.stack.step_clock(self.random.choice((-30, 0, 30)))
                self.done["clock of the services stepped"] += 1
            case "stall service":
                service = self._some_service()
                service.signal(signal.SIGSTOP)
                await asyncio.sleep(_STALL_SECONDS)
                service.signal(signal.SIGCONT)
                self.done["service stalled beyond its lease"] += 1
            case _:
                await self.stack.stall_database(self.random.uniform(1.0, 4.0))
                self.done["database stalled"] += 1
