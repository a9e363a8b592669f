"""Partitions of readings, what may be forgotten after a time, and how large everything is.

Readings are the record: nothing here deletes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: Rows deleted by one statement.
BATCH = 5000
#: Sets that staff have seen: opening a page notes those of two days, so that none comes back.
SEEN_KEPT = timedelta(days=7)
#: Of each device so many streams are kept, those that were continued last.
STREAMS = 1000
#: Of daily states that are old, one of so many days stays.
CHECKPOINT_DAYS = 30


@dataclass(frozen=True)
class Retention:
    """How long is kept what is no record of a resident, in days."""

    quarantine: int = 90
    checkpoints: int = 60
    streams: int = 400


@dataclass(frozen=True)
class Table:
    """Sizes in bytes."""

    name: str
    heap: int
    indexes: int
    toast: int


@dataclass(frozen=True)
class Partition:
    """One month of readings, or reading_default. readings: estimated unless measured exactly; sizes in bytes."""

    name: str
    readings: int
    heap: int
    indexes: int


@dataclass(frozen=True)
class Month:
    """Readings of a month that lie in DEFAULT."""

    month: date
    readings: int


@dataclass(frozen=True)
class Measure:
    """What storage takes. bytes_per_reading: heap with TOAST, and indexes, of all partitions; None without readings."""

    tables: list[Table]
    partitions: list[Partition]
    in_default: list[Month]
    readings: int
    heap_per_reading: float | None
    indexes_per_reading: float | None

    @property
    def bytes_per_reading(self) -> float | None:
        if self.heap_per_reading is None or self.indexes_per_reading is None:
            return None
        return self.heap_per_reading + self.indexes_per_reading


async def measure(connection: Connection, *, exact: bool = True) -> Measure:
    """Measure. exact: count the readings, which reads all of them; else as the database last estimated."""
    tables = [Table(**dict(row)) for row in await connection.fetch(sql("storage.tables"))]
    counted: dict[str, int] = {}
    if exact:
        counted = {row["name"]: row["readings"] for row in await connection.fetch(sql("storage.partition_rows"))}
    partitions = []
    for row in await connection.fetch(sql("storage.partitions")):
        readings = counted.get(row["name"], 0) if exact else max(0, row["readings"])
        partitions.append(Partition(row["name"], readings, row["heap"], row["indexes"]))
    total = sum(partition.readings for partition in partitions)
    filled = [partition for partition in partitions if partition.readings]
    return Measure(
        tables,
        partitions,
        await in_default(connection),
        total,
        sum(partition.heap for partition in filled) / total if total else None,
        sum(partition.indexes for partition in filled) / total if total else None,
    )


# Partitions ------------------------------------------------------------------------------------------


async def in_default(connection: Connection) -> list[Month]:
    """What lies in DEFAULT, by month, oldest first."""
    return [Month(row["month"], row["readings"]) for row in await connection.fetch(sql("storage.default_months"))]


async def missing_months(
    connection: Connection, moments: Sequence[datetime], *, back: int, ahead: int, repair: int
) -> list[date]:
    """Months that need a partition: those around each moment, and those up to repair months back that lie in DEFAULT.

    Others, such as 1970 and 2038 of clocks that are not set, stay there: each would be a partition for a few rows.
    """
    there = {row["month"] for row in await connection.fetch(sql("storage.months"))}
    wanted = {month(moment, n) for moment in moments for n in range(-back, ahead + 1)}
    plausible = {month(moment, n) for moment in moments for n in range(-repair, ahead + 1)}
    wanted |= {found.month for found in await in_default(connection)} & plausible
    # The present month first, then the next: those are written to.
    now = moments[0].date().replace(day=1)
    return sorted(wanted - there, key=lambda one: (one < now, abs((one - now).days)))


async def make_partition(
    connection: Connection, first: date, *, lock_seconds: float, seconds: float, most: int | None
) -> bool | None:
    """Make a month's partition: True; False: it was there; None: more than most readings of it lie in DEFAULT.

    Raises LockNotAvailableError when readers or writers do not let it in within lock_seconds: others wait meanwhile, so
    it is better to come again. The caller's transaction should hold nothing else.
    """
    await connection.execute(sql("storage.patience"), str(int(lock_seconds * 1000)), str(int(seconds * 1000)))
    found: bool | None = await connection.fetchval(sql("storage.make_partition"), first, most)
    return found


def month(moment: datetime, offset: int = 0) -> date:
    """The first day of the month of a moment (UTC), or of one so many months later."""
    at = moment.astimezone(UTC)
    months = at.year * 12 + at.month - 1 + offset
    return date(months // 12, months % 12 + 1, 1)


async def its_turn(connection: Connection) -> bool:
    """Whether no other process looks after storage now; holds until the transaction ends."""
    return bool(await connection.fetchval(sql("storage.upkeep_turn")))


# Retention -------------------------------------------------------------------------------------------


async def forget(connection: Connection, keep: Retention, *, now: datetime) -> dict[str, int]:
    """Delete one batch of each kind that is older than it is kept; how many rows of which. now: clinical.

    Call again while something comes back. Daily states: a reading may come years late and is folded from the newest
    state before it, so of the old ones some stay; even without any the result is the same, only slower.
    """
    quarantined = now - timedelta(days=keep.quarantine)
    bookkeeping = now - timedelta(days=keep.streams)
    statements: dict[str, tuple[object, ...]] = {
        "quarantine.forget": (quarantined, BATCH),
        "quarantine.forget_counts": (quarantined, BATCH),
        "storage.thin_checkpoints": (now - timedelta(days=keep.checkpoints), CHECKPOINT_DAYS, BATCH),
        "storage.forget_streams": (bookkeeping, BATCH),
        "storage.thin_streams": (STREAMS, BATCH),
        "storage.forget_undated": (bookkeeping, BATCH),
        "storage.forget_seen": (now - SEEN_KEPT, BATCH),
    }
    gone = {}
    for name, arguments in statements.items():
        done = int((await connection.execute(sql(name), *arguments)).rpartition(" ")[2])
        if done:
            gone[name.partition(".")[2] if name.startswith("storage") else name] = done
    return gone
