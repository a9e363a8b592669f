"""Readings and alerts out again, row by row, so that a year of a ward needs no memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from alerts import about
from alerts.episodes import RANK
from devices import message
from telehealth.model.alert_list import Listed
from telehealth.store.db import Connection, Record
from telehealth.store.queries import sql

READING_COLUMNS = (
    "device_id",
    "nhs_number",
    "code",
    "value",
    "unit",
    "value_sent",
    "unit_sent",
    "taken_at",
    "effective_at",
    "received_at",
    "stream",
    "seq",
    "flags",
    "method",
)
ALERT_COLUMNS = (
    "rule",
    "priority",
    "condition",
    "handling",
    "nhs_number",
    "raised_at",
    "episode_from",
    "episode_to",
    "reason",
    "evidence",
    "events",
    "kind",
    "late",
    "device_id",
    "ward",
    "alert_id",
)


@dataclass(frozen=True)
class Selection:
    """One of resident, device or ward (keys), and a time range: [since, until)."""

    resident_id: int | None = None
    device_pk: int | None = None
    ward_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        return (self.resident_id, self.device_pk, self.ward_id, self.since, self.until)

    async def reading_arguments(self, connection: Connection) -> tuple[object, ...]:
        """Named one by one, so that each resident's readings are found by their index."""
        residents = [] if self.resident_id is None else [self.resident_id]
        devices: list[int] = []
        if self.ward_id is not None:
            members = await connection.fetchrow(sql("export.members"), self.ward_id)
            assert members is not None
            residents, devices = members["residents"], members["devices"]
        return (residents, self.device_pk, devices, self.since, self.until)


async def readings(connection: Connection, selection: Selection) -> AsyncIterator[dict[str, Any]]:
    """Rows of READING_COLUMNS in the order of taken_at; times as RFC 3339; value_sent is the JSON token that was sent.
    taken_at is null where the device said no time.

    flags holds what the device said and what we marked (conflict, extreme, clock_uncertain, struck, ...).
    """
    arguments = await selection.reading_arguments(connection)
    async for row in connection.cursor(sql("export.readings"), *arguments, prefetch=2000):
        marks = row["marks"] or ()
        flags = [*(row["flags"] or ()), *marks]
        if row["absent"] is not None:
            flags.append(f"absent:{row['absent']}")
        if row["struck"]:
            flags.append("struck")
        yield {
            "device_id": row["device_id"],
            "nhs_number": row["nhs_number"],
            "code": row["code"],
            "value": canonical(row),
            "unit": row["unit"],
            "value_sent": msgspec.Raw(token(row).encode()),
            "unit_sent": row["unit"] if row["unit_sent"] is None else row["unit_sent"],
            # What was not sent is not made up: of such a reading effective_at is what is known.
            "taken_at": None if "undated" in marks else moment(row["taken_at"], row["taken_us"]),
            "effective_at": moment(row["effective_at"]),
            "received_at": moment(row["received_at"]),
            "stream": row["stream"],
            "seq": row["seq"],
            "flags": flags,
            "method": row["method"],
        }


async def alerts(connection: Connection, selection: Selection) -> AsyncIterator[dict[str, Any]]:
    """Rows of ALERT_COLUMNS in the order in which they were raised; episode_to is null while one goes on."""
    async for row in connection.cursor(sql("export.alerts"), *selection.arguments, prefetch=500):
        yield {
            column: moment(row[column]) if isinstance(row[column], datetime) else row[column]
            for column in ALERT_COLUMNS
        }


async def listed(connection: Connection, selection: Selection) -> AsyncIterator[Listed]:
    """Alerts for who judges them, in the order in which they were raised."""
    async for row in connection.cursor(sql("export.alert_list"), *selection.arguments, prefetch=500):
        yield _listed(row)


def _listed(row: Record) -> Listed:
    priorities: list[tuple[str, datetime]] = []
    cleared = handled = None
    for event in row["events"]:
        at = datetime.fromisoformat(event["at"])
        priority = event["priority"]
        if priority is not None and (not priorities or RANK[priority] > RANK[priorities[-1][0]]):
            priorities.append((priority, at))
        if event["event"] in ("cleared", "withdrawn"):
            cleared = at
        elif handled is None and event["event"] in ("acknowledged", "resolved") and event["actor"].startswith("staff:"):
            handled = at
    return Listed(
        str(row["alert_id"]),
        row["nhs_number"],
        row["device_id"],
        row["pathway"],
        row["rule"],
        about.codes(row["rule"], row["evidence"]),
        priorities[-1][0] if priorities else row["priority"],
        priorities,
        row["onset_at"],
        row["raised_at"],
        None if row["condition"] == "active" else cleared,
        row["handling"] != "automatic",
        handled,
        about.category(row["rule"], technical=row["kind"] == "technical"),
    )


def moment(at: datetime | None, microseconds: int | None = None) -> str | None:
    """2026-11-21T10:00:01.000Z: milliseconds, UTC; with the microseconds beyond them where there are any."""
    if at is None:
        return None
    written = at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return f"{written}{microseconds:03}Z" if microseconds else f"{written}Z"


def token(row: Record) -> str:
    """The value as it was sent, to the letter: 36.60 is not 36.6."""
    if row["value_sent"] is not None:
        return str(row["value_sent"])
    if row["value_code"] is not None:
        return msgspec.json.encode(row["value_code"]).decode()
    return "null" if row["value"] is None else message.plain(row["value"])


def canonical(row: Record) -> str | float | int | None:
    """The value in the code's own unit, or the code; 96 rather than 96.0: a whole number comes out as it went in."""
    if row["value_code"] is not None:
        return str(row["value_code"])
    value: float | None = row["value"]
    return int(value) if value is not None and value.is_integer() and abs(value) < 2**53 else value
