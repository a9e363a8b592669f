"""What was refused or is held for a person: its reason, its bytes (bounded), how often it came.

Bounded for each device, so that one that sends nothing but nonsense cannot fill the disk: beyond the bounds the oldest
go, and the counts by the hour stay.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from devices.errors import Refusal
from telehealth.model.delivery import Delivery, Status
from telehealth.store.db import Connection
from telehealth.store.queries import sql

PAYLOAD_BYTES = 65536
#: Of one message; the rest of its refusals are only counted.
MESSAGE_ENTRIES = 20
#: Of one device, and of all unknown ones together; a few dozen more until they are next looked at.
DEVICE_ENTRIES = 1000
DEVICE_BYTES = 4 * 1024 * 1024


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
    with_bytes: bool = True,
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
            delivery.payload[:PAYLOAD_BYTES] if with_bytes and not found else b"",
        )
    return list(found.values())


def status_row(status: Status, *, device_pk: int, organisation_id: int) -> Row:
    """A status message that could not be read."""
    refusal = status.refusal
    assert refusal is not None
    payload = status.payload
    return Row(
        organisation_id,
        device_pk,
        status.topic,
        hashlib.sha256(payload).digest()[:8],
        -1,
        "refused",
        refusal.error,
        refusal.field,
        refusal.detail,
        None,
        None,
        None,
        status.size,
        payload[:PAYLOAD_BYTES],
    )


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


async def put(
    connection: Connection, found: Sequence[Row], *, now: datetime, flooding: Collection[int] = frozenset()
) -> None:
    """Keep these, within bounds, and count them by the hour; the same bytes again only count up.

    flooding: devices that have sent so much nonsense in a row that one message of a batch says enough: what is kept
    for a moment and trimmed away is written to the disk all the same.
    """
    times = Counter((row.organisation_id, row.device_pk, row.error) for row in found)
    # One statement may not count one row up twice: repeats within the batch add nothing.
    unique = {(row.device_pk, row.digest, row.reading_index): row for row in reversed(found)}
    kept = _one_of_floods(_few_of_each_message(list(reversed(unique.values()))), flooding)
    full = await connection.fetchval(sql("quarantine.put"), *_columns(kept), now)
    hour = now.replace(minute=0, second=0, microsecond=0)
    organisations, devices, reasons = zip(*times, strict=True)
    await connection.execute(
        sql("quarantine.count"), hour, list(organisations), list(devices), list(reasons), list(times.values())
    )
    if full:
        await trim(connection, full)


async def keep(connection: Connection, found: Sequence[Row], *, first_at: datetime, tried_at: datetime) -> None:
    """Keep refusals that came to light when a message that is here already was decoded anew."""
    await connection.execute(sql("quarantine.keep"), *_columns(_few_of_each_message(found)), first_at, tried_at)


async def trim(connection: Connection, device_pks: Sequence[int]) -> None:
    """Bring devices (0: the unknown ones) within the bounds: their oldest entries go, then their oldest bytes."""
    await connection.execute(sql("quarantine.trim"), list(device_pks), DEVICE_ENTRIES, DEVICE_BYTES)


async def devices(connection: Connection, *, after: int, limit: int = 50) -> list[int]:
    """Devices that have entries, 0 for the unknown ones, in order after one (-1: from the beginning)."""
    return [row["device_pk"] for row in await connection.fetch(sql("quarantine.devices"), after, limit)]


def _few_of_each_message(found: Sequence[Row]) -> list[Row]:
    seen = Counter[tuple[int | None, bytes]]()
    kept = []
    for row in found:
        key = (row.device_pk, row.digest)
        seen[key] += 1
        if seen[key] <= MESSAGE_ENTRIES:
            kept.append(row)
    return kept


def _one_of_floods(found: Sequence[Row], flooding: Collection[int]) -> list[Row]:
    last = {row.device_pk: row.digest for row in found if row.device_pk in flooding}
    return [row for row in found if last.get(row.device_pk, row.digest) == row.digest]


def _columns(found: Sequence[Row]) -> list[list[Any]]:
    return [[getattr(row, name) for row in found] for name in Row.__slots__]
