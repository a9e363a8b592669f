"""Messages as devices write them, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from devices import formats
from telehealth.model.delivery import Delivery, Lane
from telehealth.store import db, ingest
from telehealth.store.db import Database
from telehealth.store.ingest import Taken

#: Clinical now of these tests.
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def spo2(value: object = 97, *, at: datetime | None = None, **more: Any) -> dict[str, Any]:
    """An SpO2 as it is sent; a minute old unless said."""
    return {"code": "spo2", "value": value, "unit": "%", "taken_at": rfc3339(at or NOW - timedelta(minutes=1))} | more


def rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def envelope(*readings: Mapping[str, Any], seq: int | None = 1, stream: str | None = "s1", **more: Any) -> bytes:
    """A native message; more: further or other fields (None leaves one out)."""
    content = {"stream": stream, "seq": seq, "sent_at": rfc3339(NOW), "readings": list(readings)} | more
    return json.dumps({key: value for key, value in content.items() if value is not None}).encode()


def delivery(device_id: str, payload: bytes, *, lane: Lane = "live", received_at: datetime = NOW) -> Delivery:
    """As it comes from the broker."""
    channel = "readings" if lane == "live" else "backlog"
    decoded = formats.decode(None, device_id, payload)
    return Delivery(lane, f"telehealth/v1/{device_id}/{channel}", device_id, payload, received_at, decoded)


async def take(database: Database, *deliveries: Delivery, now: datetime = NOW) -> Taken:
    """One batch, committed."""
    async with database.transaction(db.service("ingest")) as connection:
        return await ingest.take_in(connection, deliveries, now=now)


async def rows(database: Database, query: str, *arguments: object) -> Sequence[asyncpg.Record]:
    """What a trusted reader of the tables sees."""
    async with database.transaction(db.operator("tests"), read_only=True) as connection:
        found: Sequence[asyncpg.Record] = await connection.fetch(query, *arguments)
        return found
