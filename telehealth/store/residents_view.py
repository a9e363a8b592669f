"""What a resident's page and the API show of one resident. Reads only; the actor's policies decide.

now is clinical time everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from telehealth.errors import NotFound
from telehealth.store.db import Connection
from telehealth.store.queries import sql


@dataclass(frozen=True)
class ReadingKey:
    """Which reading: its primary key."""

    taken_at: datetime
    identity: UUID
    value_key: int


async def resident(connection: Connection, resident_id: int, *, now: datetime) -> asyncpg.Record:
    """One resident with stay and pause. NotFound if there is none for this actor."""
    row = await connection.fetchrow(sql("residents_view.resident"), resident_id, now)
    if row is None:
        raise NotFound("no such resident")
    return row


async def residents(
    connection: Connection, *, ward_id: int | None, now: datetime, after: int | None, limit: int
) -> list[asyncpg.Record]:
    """Residents in the order of their ids, after one, for paging."""
    return await connection.fetch(sql("residents_view.residents"), ward_id, now, after, limit)


async def readings(
    connection: Connection,
    resident_id: int,
    *,
    code: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: ReadingKey | None = None,
    limit: int = 500,
) -> list[asyncpg.Record]:
    """Readings by taken_at in [since, until), the newest first; before: from that reading on, for paging."""
    place = (None, None, None) if before is None else (before.taken_at, before.identity, before.value_key)
    return await connection.fetch(sql("residents_view.readings"), resident_id, code, since, until, *place, limit)


async def recent(
    connection: Connection, resident_id: int, *, since: datetime, until: datetime, limit: int
) -> list[asyncpg.Record]:
    """Readings that count in [since, until], as readings() has them; the newest by effective_at first."""
    return await connection.fetch(sql("residents_view.recent"), resident_id, since, until, limit)


@dataclass(frozen=True)
class History:
    """What the charts of one resident are drawn from, between two times. Everything ascending."""

    points: list[asyncpg.Record]
    rules: list[asyncpg.Record]
    alerts: list[asyncpg.Record]
    pauses: list[asyncpg.Record]
    #: Of codes in PERSONAL, the median of everything so far.
    medians: Mapping[str, float] = field(default_factory=dict)


#: Codes of which every resident has a level of their own.
PERSONAL = ("weight",)


async def history(
    connection: Connection, resident_id: int, *, since: datetime, until: datetime, points: int = 1500
) -> History:
    """Charts' data; points: into how many stretches the time is cut, each with at most two points a code."""
    codes = [row["code"] for row in await connection.fetch(sql("residents_view.codes"), resident_id, since, until)]
    stretch = max((until - since).total_seconds() / points, 0.001)
    return History(
        await connection.fetch(sql("residents_view.points"), resident_id, since, until, codes, stretch),
        await connection.fetch(sql("residents_view.rules"), resident_id, since, until),
        await connection.fetch(sql("residents_view.alerts_between"), resident_id, since, until),
        await connection.fetch(sql("residents_view.pauses_between"), resident_id, since, until),
        {
            row["code"]: row["median"]
            for row in await connection.fetch(sql("residents_view.medians"), resident_id, list(PERSONAL))
        },
    )


async def devices(connection: Connection, resident_id: int, *, now: datetime) -> list[asyncpg.Record]:
    """Devices that the resident has now."""
    return await connection.fetch(sql("residents_view.devices"), resident_id, now)


async def strikes(connection: Connection, resident_id: int) -> list[asyncpg.Record]:
    """The newest entries struck."""
    return await connection.fetch(sql("residents_view.strikes"), resident_id)


async def ward_devices(
    connection: Connection,
    *,
    ward_id: int | None,
    now: datetime,
    after: str | None = None,
    limit: int = 200,
    device_id: str | None = None,
) -> Sequence[asyncpg.Record]:
    """Devices by device_id, after one, for paging."""
    return await connection.fetch(sql("residents_view.ward_devices"), ward_id, now, after, limit, device_id)


async def demo_counts(connection: Connection, *, now: datetime) -> asyncpg.Record:
    """residents, devices, open_alerts, readings_day, pathways, example_device of simulated wards."""
    row = await connection.fetchrow(sql("residents_view.demo_counts"), now)
    assert row is not None
    return row
