"""What waits for a person: readings of nobody, readings that contradict each other, readings that may be another's.

Reads only; the actor's policies decide. Names of residents whom the actor may not see are null.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from telehealth.store import repair
from telehealth.store.db import Connection
from telehealth.store.queries import sql
from telehealth.store.residents_view import ReadingKey

#: Counted no further.
MOST_COUNTED = 1000
#: Of what contradicts or may be another's, the newest are shown.
MOST_QUESTIONED = 100
#: Residents who left longer ago are not offered as those whose a reading may be.
LEFT_AGO = timedelta(days=30)


@dataclass(frozen=True)
class Place:
    """After which reading a page goes on."""

    received_at: datetime
    taken_at: datetime
    identity: UUID
    value_key: int


async def count(connection: Connection, ward_id: int) -> int:
    """How many readings of a ward wait, at most MOST_COUNTED."""
    return int(await connection.fetchval(sql("held.count"), ward_id, MOST_COUNTED))


async def listing(
    connection: Connection, ward_id: int, *, after: Place | None = None, device_id: str | None = None, limit: int = 100
) -> list[asyncpg.Record]:
    """Readings of nobody of a ward's devices, the newest arrived first."""
    place = (
        (None, None, None, None)
        if after is None
        else (after.received_at, after.taken_at, after.identity, after.value_key)
    )
    return await connection.fetch(sql("held.listing"), ward_id, *place, limit, device_id)


async def questioned(
    connection: Connection, ward_id: int, *, resident_id: int | None = None, limit: int = MOST_QUESTIONED
) -> list[asyncpg.Record]:
    """Readings of residents that contradict another or may be somebody else's, the newest arrived first."""
    return await connection.fetch(sql("held.questioned"), ward_id, resident_id, limit)


@dataclass(frozen=True)
class One:
    """One reading with all that helps to decide about it."""

    reading: asyncpg.Record
    values: list[asyncpg.Record]
    set: list[asyncpg.Record]
    doubt: asyncpg.Record | None
    candidates: list[asyncpg.Record]
    history: list[asyncpg.Record]


async def one(connection: Connection, key: ReadingKey, *, now: datetime) -> One:
    """NotFound if there is none for this actor."""
    found = await repair.reading(connection, key)
    simulated = found["resident_simulated"] if found["resident_id"] is not None else found["device_simulated"]
    where = (found["resident_id"], found["device_pk"], found["set_id"], found["received_at"])
    lookup = (found["device_pk"], found["organisation_id"], simulated, now - LEFT_AGO)
    return One(
        found,
        await connection.fetch(sql("held.values"), key.taken_at, key.identity),
        await connection.fetch(sql("held.set"), key.taken_at, key.identity, *where),
        await connection.fetchrow(sql("held.doubt"), key.taken_at, key.identity, key.value_key),
        await connection.fetch(sql("held.candidates"), *lookup),
        await connection.fetch(sql("held.history"), key.identity),
    )


async def moved(connection: Connection, resident_id: int) -> list[asyncpg.Record]:
    """What staff moved to or from a resident, or dated; newest first."""
    return await connection.fetch(sql("held.of_resident"), resident_id)
