"""What a reading takes on disk, with its indexes, and of the write-ahead log."""

from __future__ import annotations

import msgspec

from telehealth.store.db import Connection
from telehealth.store.queries import sql


class Storage(msgspec.Struct):
    """Bytes for each reading; table_and_indexes: of reading alone, whose parts are named too.

    everything: all tables of the database, with what their updates have left behind; wal: written meanwhile.
    """

    readings: int
    table_and_indexes: float
    table: float
    indexes: dict[str, float]
    everything: float
    wal: float


async def position(connection: Connection) -> int:
    """Bytes of write-ahead log since the beginning of the cluster."""
    return int(await connection.fetchval(sql("bench.position")))


async def measure(connection: Connection, since: int, before: int) -> Storage:
    """since: position() when there were so many readings."""
    readings = await connection.fetchval(sql("bench.readings"))
    table = await connection.fetchval(sql("bench.table_bytes"))
    indexes = {row["name"]: row["bytes"] / readings for row in await connection.fetch(sql("bench.index_bytes"))}
    return Storage(
        readings,
        table / readings + sum(indexes.values()),
        table / readings,
        indexes,
        await connection.fetchval(sql("bench.all_bytes")) / readings,
        (await position(connection) - since) / (readings - before),
    )
