"""Everything held of one resident, streamed section by section; docs/schemas/resident_export.json describes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from telehealth.store import export
from telehealth.store.db import Connection, Record
from telehealth.store.queries import sql

FORMAT = "telehealth-resident-1"

#: In the order in which they are written. "resident" is one object, the others are lists.
SECTIONS = (
    "resident",
    "spells",
    "pauses",
    "rules",
    "devices",
    "attributions",
    "readings",
    "strikes",
    "doubts",
    "episodes",
    "alerts",
    "contacts",
    "appointments",
    "visits",
    "encounters",
    "follow_ups",
    "recordings",
    "mails",
    "audit",
)

READING_COLUMNS = (
    *("taken_at", "effective_at", "received_at", "sent_at", "device_id", "code", "value", "unit", "value_sent"),
    *("unit_sent", "absent", "method", "flags", "marks", "context", "set", "source_id", "subject", "stream", "seq"),
    *("struck", "entered_by", "identity", "value_key"),
)


async def section(connection: Connection, name: str, resident_id: int) -> AsyncIterator[dict[str, Any]]:
    """The rows of one of SECTIONS as plain JSON values, without holding them in memory."""
    shape = _reading if name == "readings" else _plain
    async for row in connection.cursor(sql(f"resident_export.{name}"), resident_id, prefetch=1000):
        yield shape(row)


def _plain(row: Record) -> dict[str, Any]:
    return {key: _value(value) for key, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return export.moment(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _reading(row: Record) -> dict[str, Any]:
    return {
        "taken_at": None if "undated" in (row["marks"] or ()) else export.moment(row["taken_at"], row["taken_us"]),
        "effective_at": export.moment(row["effective_at"]),
        "received_at": export.moment(row["received_at"]),
        "sent_at": export.moment(row["sent_at"]),
        "device_id": row["device_id"],
        "code": row["code"],
        "value": export.canonical(row),
        "unit": row["unit"],
        "value_sent": msgspec.Raw(export.token(row).encode()),
        "unit_sent": row["unit"] if row["unit_sent"] is None else row["unit_sent"],
        "absent": row["absent"],
        "method": row["method"],
        "flags": list(row["flags"] or ()),
        "marks": list(row["marks"] or ()),
        "context": row["context"],
        "set": row["set_id"],
        "source_id": row["source_id"],
        "subject": row["subject"],
        "stream": row["stream"],
        "seq": row["seq"],
        "struck": row["struck"],
        "entered_by": row["entered_by"],
        "identity": str(row["identity"]),
        "value_key": str(row["value_key"]),
    }
