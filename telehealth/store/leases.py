"""Leases: shares of work that one process at a time has, in real time by PostgreSQL's clock.

A process beats, renews its slots, sees who else is alive, and takes what is nobody's, in one short
transaction every other second. One that stops beating loses its slots; its epoch tells it so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: A process renews this often, and what it has not renewed for so long is nobody's.
RENEW_SECONDS = 1.5
EXPIRE_SECONDS = 5.0
#: A slot may be nobody's for this long, while it is handed over, before that is a trouble.
_HAND_OVER_SECONDS = 4.0


@dataclass(frozen=True)
class Row:
    """A lease. gone_seconds: since when it has been nobody's; negative while it is held."""

    name: str
    kind: str
    holder: str
    epoch: int
    trouble: str | None
    gone_seconds: float

    @property
    def held(self) -> bool:
        return self.gone_seconds < 0


@dataclass(frozen=True)
class State:
    """The leases of one kind of work: the processes that are alive, in the order in which they came, and the slots."""

    processes: Sequence[Row]
    slots: Mapping[str, Row]

    def share(self, holder: str, slots: int) -> int:
        """How many of so many slots are this process's, by even shares; who came first has one more."""
        holders = [process.holder for process in self.processes]
        if holder not in holders:
            return 0
        return slots // len(holders) + (holders.index(holder) < slots % len(holders))

    def trouble(self, *, beside: str | None = None) -> str | None:
        """Why not everything that devices send is taken in; None if it is, and where nothing ever was.

        beside: a process that knows its own.
        """
        if not self.processes:
            return "no process takes readings in" if any(map(_numbered, self.slots)) else None
        for process in self.processes:
            if process.trouble is not None and process.holder != beside:
                return f"another process: {process.trouble}"
        for slot in self.slots.values():
            if slot.gone_seconds > _HAND_OVER_SECONDS and _numbered(slot.name):
                return "a share of the messages waits for a process that has ended"
        return None


async def state(connection: Connection, work: str) -> State:
    """The leases of a kind of work, for example "ingest"."""
    rows = [Row(*row) for row in await connection.fetch(sql("leases.state"), f"{work}-")]
    alive = [row for row in rows if row.kind == "process" and row.held]
    return State(alive, {row.name: row for row in rows if row.kind == "slot"})


async def beat(connection: Connection, work: str, holder: str, trouble: str | None) -> None:
    """Say that this process is alive."""
    trouble = None if trouble is None else trouble[:300]
    await connection.execute(sql("leases.beat"), _process(work, holder), holder, EXPIRE_SECONDS, trouble)


async def renew(connection: Connection, holder: str, held: Mapping[str, int]) -> set[str]:
    """Keep slots (name -> epoch); those that are still this holder's."""
    names = sorted(held)
    rows = await connection.fetch(sql("leases.renew"), names, [held[name] for name in names], holder, EXPIRE_SECONDS)
    return {row["name"] for row in rows}


async def take(connection: Connection, holder: str, names: Collection[str], most: int) -> dict[str, int]:
    """Take up to so many of these slots, where nobody has them; name -> epoch."""
    taken: dict[str, int] = {}
    for name in names:
        if len(taken) >= most:
            break
        epoch = await connection.fetchval(sql("leases.take"), name, holder, EXPIRE_SECONDS)
        if epoch is not None:
            taken[name] = epoch
    return taken


async def release(connection: Connection, holder: str, held: Mapping[str, int], *, remove: bool = False) -> None:
    """Give slots up (name -> epoch). remove: they will not be needed again."""
    for name, epoch in sorted(held.items()):
        await connection.execute(sql("leases.remove" if remove else "leases.release"), name, holder, epoch)


async def leave(connection: Connection, work: str, holder: str) -> None:
    """This process ends; also clears away those that ended without a word."""
    await connection.execute(sql("leases.leave"), _process(work, holder))
    await connection.execute(sql("leases.forget"), f"{work}-")


async def groups(connection: Connection) -> list[str]:
    """What the service calls its shares of the broker's messages: the present name first, then former ones."""
    return [row["name"] for row in await connection.fetch(sql("leases.groups"))]


def _process(work: str, holder: str) -> str:
    return f"{work}-process-{holder}"


def _numbered(name: str) -> bool:
    return name.rpartition("-")[2].isdigit()
