"""Media workers and which of them has the media of which visit. All times here are real.

Only the service itself sees workers: transactions are in the name of db.service(...), never of a member of staff.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from telehealth.model.media import Room, Worker
from telehealth.store.db import Connection, Record
from telehealth.store.queries import sql

#: A worker that nobody has seen for so long is not there.
STALE = timedelta(seconds=4)
#: After so long its row goes.
_FORGET = timedelta(minutes=1)


async def register(connection: Connection, worker: Worker, *, capacity: int, real_now: datetime) -> None:
    """A worker takes rooms from now on. capacity: streams that it forwards at most."""
    await connection.execute(
        sql("rooms.register"), worker.id, worker.host, worker.port, worker.token, capacity, real_now
    )
    await connection.execute(sql("rooms.forget"), real_now - _FORGET)


async def beat(connection: Connection, worker_id: UUID, *, streams: int, real_now: datetime) -> bool:
    """The worker is alive. False: it is not registered (any more)."""
    return await connection.fetchval(sql("rooms.beat"), worker_id, real_now, streams) is not None


async def remove(connection: Connection, *worker_ids: UUID) -> None:
    """These workers are no more."""
    await connection.execute(sql("rooms.remove"), list(worker_ids))


async def place(
    connection: Connection, consultation_id: int, *, lost_epoch: int | None, real_now: datetime
) -> Room | None:
    """The room of a visit, given to a worker where it has none, or where its worker was lost.

    lost_epoch: the epoch whose worker the caller found gone; None: the room is simply wanted. Of several who lost the
    same one wins, the others get what it found. The lost worker takes no rooms until it has been seen again: it may be
    well, and only its line have broken. None: the visit is over, or no worker has room; ask again.
    """
    held = await connection.fetchrow(sql("rooms.hold"), consultation_id)
    if held is None or held["ended_at"] is not None:
        return None
    fresh = real_now - STALE
    if lost_epoch is None or lost_epoch != held["epoch"]:
        found = await connection.fetchrow(sql("rooms.current"), consultation_id)
        if found is not None and found["seen_at"] >= fresh:
            return _room(consultation_id, found, found["epoch"])
    elif held["lost_epoch"] != lost_epoch:
        await connection.execute(sql("rooms.doubt"), consultation_id, lost_epoch, held["worker_id"], real_now)
    best = await connection.fetchrow(sql("rooms.best"), fresh, held["worker_id"])
    if best is None:
        return None
    epoch = await connection.fetchval(sql("rooms.give"), consultation_id, best["id"], held["epoch"])
    await connection.execute(sql("rooms.tell"), str(consultation_id))
    return _room(consultation_id, best, epoch)


async def current(connection: Connection, consultation_id: int) -> Room | None:
    """Where a visit's media are, as far as is known; None: nowhere."""
    found = await connection.fetchrow(sql("rooms.current"), consultation_id)
    return None if found is None else _room(consultation_id, found, found["epoch"])


def _room(consultation_id: int, row: Record, epoch: int) -> Room:
    return Room(consultation_id, epoch, Worker(row["id"], row["host"], row["port"], row["token"]))
