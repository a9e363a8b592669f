"""What was refused or is held for a person: its reason, its bytes (bounded), how often it came."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from devices.errors import Refusal
from telehealth.errors import NotFound
from telehealth.model.delivery import Delivery
from telehealth.store.db import Connection
from telehealth.store.queries import sql

PAYLOAD_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Row:
    """One refusal. reading_index -1: of the whole message or of a field of its envelope."""

    organisation_id: int | None
    device_pk: int | None
    topic: str
    digest: bytes
    reading_index: int
    state: str
    error: str
    field: str | None
    detail: str
    stream: str | None
    seq: int | None
    message_id: str | None
    size: int
    payload: bytes


def rows(
    delivery: Delivery,
    *,
    device_pk: int,
    organisation_id: int,
    refusals: Sequence[Refusal] | None = None,
    state: str = "refused",
) -> list[Row]:
    """One row per refused reading and one for the message; the first of them holds the bytes."""
    message = delivery.message
    found: dict[int, Row] = {}
    for refusal in message.refusals if refusals is None else refusals:
        index = -1 if refusal.index is None else refusal.index
        # Several fields of one envelope are one row: the first is its reason.
        if index in found:
            continue
        found[index] = Row(
            organisation_id,
            device_pk,
            delivery.topic,
            bytes.fromhex(message.digest),
            index,
            state,
            refusal.error,
            refusal.field,
            refusal.detail,
            message.stream,
            message.seq,
            message.id,
            message.size,
            delivery.payload[:PAYLOAD_BYTES] if not found else b"",
        )
    return list(found.values())


def stranger(delivery: Delivery) -> Row:
    """A message of a device that is not registered or revoked: one row per such device, counted up."""
    message = delivery.message
    return Row(
        None,
        None,
        delivery.topic,
        hashlib.sha256(b"stranger|" + delivery.device_id.encode()).digest(),
        -1,
        "held",
        "device_unknown",
        None,
        "The device is not registered here, or was revoked. It was not answered and keeps its messages.",
        message.stream,
        message.seq,
        message.id,
        message.size,
        delivery.payload[:PAYLOAD_BYTES],
    )


async def put(connection: Connection, found: Sequence[Row], *, now: datetime) -> None:
    """Keep these; the same bytes again only count up."""
    # One statement may not count one row up twice: repeats within the batch add nothing.
    unique = list({(row.device_pk, row.digest, row.reading_index): row for row in reversed(found)}.values())
    columns: list[list[Any]] = [[getattr(row, name) for row in unique] for name in Row.__slots__]
    await connection.execute(sql("quarantine.put"), *columns, now)


@dataclass(frozen=True)
class Entry:
    """A refusal as staff see it."""

    id: int
    device_id: str | None
    topic: str
    reading_index: int
    state: str
    error: str
    field: str | None
    detail: str
    stream: str | None
    seq: int | None
    message_id: str | None
    size: int
    first_at: datetime
    last_at: datetime
    times: int


@dataclass(frozen=True)
class Count:
    """Entries of one kind, and how often they came."""

    state: str
    error: str
    entries: int
    times: int
    last_at: datetime


async def listing(
    connection: Connection, *, ward_id: int | None = None, device_pk: int | None = None, limit: int = 100
) -> list[Entry]:
    """The newest first, as far as the actor may see them; at most limit."""
    found = await connection.fetch(sql("quarantine.listing"), ward_id, device_pk, limit)
    return [Entry(**dict(row)) for row in found]


async def counts(connection: Connection, *, ward_id: int | None = None, device_pk: int | None = None) -> list[Count]:
    """By state and error, as far as the actor may see them."""
    return [Count(**dict(row)) for row in await connection.fetch(sql("quarantine.counts"), ward_id, device_pk)]


async def payload(connection: Connection, entry_id: int) -> bytes:
    """The bytes kept of an entry, at most 65,536. NotFound if there is none for this actor."""
    found = await connection.fetchval(sql("quarantine.payload"), entry_id)
    if found is None:
        raise NotFound
    return bytes(found)
