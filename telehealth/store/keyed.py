"""Observations that staff key, and entries struck: the same validation, identity and evaluation as for devices."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from devices import catalogue, meaning
from devices.errors import Refusal
from devices.message import Reading
from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.model import people
from telehealth.store import audit, ingest
from telehealth.store.columns import Batch
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql

#: Observations in one entry.
MOST_ENTRIES = 40
_AHEAD = timedelta(seconds=60)
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True)
class Entry:
    """One observation as keyed. value: a number, true or false, or a code; unit: UCUM, None means the code's own."""

    code: str
    value: float | int | bool | str
    unit: str | None = None


@dataclass(frozen=True)
class Keyed:
    """What an entry came to: stored counts new readings; with any refusal (by index) nothing is stored."""

    stored: int
    refusals: Sequence[Refusal] = ()


async def take_in_keyed(
    connection: Connection,
    *,
    resident_id: int,
    entries: Sequence[Entry],
    taken_at: datetime,
    entry_id: str,
    actor: Actor,
    now: datetime,
) -> Keyed:
    """Store one observation set; all of it or nothing. The same entry_id again adds nothing.

    Raises NotFound for a resident that the actor may not see, Invalid for taken_at, entry_id or too many entries.
    """
    people.aware("taken_at", taken_at)
    if taken_at > now + _AHEAD:
        raise Invalid("taken_at", "is in the future")
    if not _ENTRY_ID.fullmatch(entry_id):
        raise Invalid("entry_id", "must be 8 to 64 of A-Z a-z 0-9 _ -")
    if not 1 <= len(entries) <= MOST_ENTRIES:
        raise Invalid("entries", f"must be 1 to {MOST_ENTRIES} observations")
    resident = await connection.fetchrow(sql("keyed.resident"), resident_id)
    if resident is None:
        raise NotFound
    read = _read(resident_id, entries, taken_at, entry_id)
    refusals = [one for one in read if isinstance(one, Refusal)]
    if refusals:
        return Keyed(0, refusals)
    batch = _batch([one for one in read if isinstance(one, Reading)], resident_id, resident["organisation_id"], now)
    stored = await ingest.insert(connection, batch, wards={}, entered_by=actor)
    if stored:
        await _audit(connection, actor, "reading.key", "entry", entry_id, resident_id, resident["ward_id"])
    return Keyed(stored)


async def strike(
    connection: Connection,
    *,
    resident_id: int,
    taken_at: datetime,
    identity: uuid.UUID,
    value_key: int,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Strike an entry made in error; the resident is judged again without it.

    Raises Invalid for the reason, NotFound if the actor sees no such reading, Conflict if it is struck already.
    """
    people.text("reason", reason, 500)
    resident = await connection.fetchrow(sql("keyed.resident"), resident_id)
    if resident is None:
        raise NotFound
    key = (resident_id, taken_at, identity, value_key)
    row = await connection.fetchrow(sql("keyed.strike"), *key)
    if row is None:
        if await connection.fetchval(sql("keyed.is_there"), *key):
            raise Conflict("this reading is struck already")
        raise NotFound
    await connection.execute(
        sql("keyed.record_strike"),
        row["organisation_id"],
        *key,
        reason,
        actor,
        now,
        row["effective_at"],
    )
    await ingest.recompute_latest(connection, [(resident_id, row["code"])])
    await ingest.hint(connection, residents=[resident_id])
    await _audit(connection, actor, "reading.strike", "reading", str(identity), resident_id, resident["ward_id"])


async def _audit(
    connection: Connection, actor: Actor, action: str, kind: str, name: str, resident_id: int, ward_id: int
) -> None:
    await audit.write(
        connection, actor, action, object_kind=kind, object_id=name, resident_id=resident_id, ward_id=ward_id
    )


def _read(resident_id: int, entries: Sequence[Entry], taken_at: datetime, entry_id: str) -> list[Reading | Refusal]:
    equals: meaning.Equals = {}
    return [
        meaning.reading(
            # No device can be called this.
            f"@resident/{resident_id}",
            index,
            equals,
            code=entry.code,
            token=msgspec.json.encode(entry.value).decode(),
            unit=_unit(entry),
            taken_at=taken_at,
            source_id=entry_id,
            subject=None,
            set=entry_id,
            context=None,
            flags=(),
            method="keyed",
            absent=None,
        )
        for index, entry in enumerate(entries)
    ]


def _unit(entry: Entry) -> str | None:
    known = catalogue.ENTRIES.get(entry.code)
    return known.unit if entry.unit is None and known is not None else entry.unit


def _batch(readings: list[Reading], resident_id: int, organisation_id: int, now: datetime) -> Batch:
    count = len(readings)
    batch = Batch()
    batch.readings = readings
    batch.organisations = [organisation_id] * count
    batch.devices = [None] * count
    batch.residents = [resident_id] * count
    batch.effective = [reading.taken_at for reading in readings]
    batch.received = [now] * count
    batch.sent = [None] * count
    batch.seqs = [None] * count
    batch.streams = [None] * count
    batch.marks = ["extreme" if reading.extreme else None for reading in readings]
    return batch
