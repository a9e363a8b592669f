"""What the ward board shows, in a few set-based queries a ward. Reads only; the actor's policies decide.

now is clinical time everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from telehealth import clock
from telehealth.errors import NotFound
from telehealth.store.alerts import Alert
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: How far back a small chart reaches.
SPARK = timedelta(hours=24)


@dataclass(frozen=True)
class Occupant:
    """One resident of a ward with what the board needs to know of them, as the database has it."""

    resident: asyncpg.Record
    #: code -> row of latest
    latest: dict[str, asyncpg.Record]
    #: Open alerts, in no order.
    alerts: list[Alert]


async def ward(connection: Connection, ward_id: int) -> asyncpg.Record:
    """id, organisation_id, name, simulated. NotFound if there is none for this actor."""
    row = await connection.fetchrow(sql("board.ward"), ward_id)
    if row is None:
        raise NotFound("no such ward")
    return row


async def wards(connection: Connection, *, now: datetime) -> list[asyncpg.Record]:
    """The actor's wards by name, with counts of residents and open alerts."""
    return await connection.fetch(sql("board.wards"), now)


async def occupants(
    connection: Connection,
    ward_id: int,
    *,
    now: datetime,
    alerts: Sequence[Alert],
    only: Sequence[int] | None = None,
) -> list[Occupant]:
    """Everybody on a ward now (or those of only), with latest values and their share of the given open alerts."""
    chosen = None if only is None else list(only)
    residents = await connection.fetch(sql("board.residents"), ward_id, now, chosen)
    found = {row["id"]: Occupant(row, {}, []) for row in residents}
    for row in await connection.fetch(sql("board.latest"), list(found)):
        found[row["resident_id"]].latest[row["code"]] = row
    for alert in alerts:
        if alert.resident_id in found:
            found[alert.resident_id].alerts.append(alert)
    return list(found.values())


async def sparks(
    connection: Connection, codes: dict[int, str], *, now: datetime
) -> dict[int, list[tuple[datetime, float]]]:
    """Points of the small charts: resident id -> (effective_at, value), ascending. codes: resident id -> code."""
    found: dict[int, list[tuple[datetime, float]]] = {}
    rows = await connection.fetch(sql("board.sparks"), list(codes), list(codes.values()), now - SPARK, now)
    for row in rows:
        found.setdefault(row["resident_id"], []).append((row["effective_at"], row["value"]))
    return found


async def wards_of_residents(connection: Connection, residents: Sequence[int], *, now: datetime) -> dict[int, int]:
    """Resident id -> ward id, of those on a ward now."""
    rows = await connection.fetch(sql("board.wards_of_residents"), list(residents), now)
    return {row["resident_id"]: row["ward_id"] for row in rows}


async def oldest_due(connection: Connection, *, horizon: datetime, backlog: bool = True) -> datetime | None:
    """Since when (real time) evaluation work is waiting; None: alerting has done everything up to horizon.

    backlog: also that of readings which were old when they came.
    """
    query = "board.oldest_due" if backlog else "board.oldest_live_due"
    waiting: datetime | None = await connection.fetchval(sql(query), horizon)
    return waiting


@dataclass(frozen=True)
class Waiting:
    """Evaluation work that waits."""

    rows: int
    age_seconds: float


async def waiting(connection: Connection) -> Waiting:
    """Work that is due at once, and the real age of its oldest row."""
    row = await connection.fetchrow(sql("board.waiting"))
    assert row is not None
    age = 0.0 if row["since"] is None else (clock.real_now() - row["since"]).total_seconds()
    return Waiting(row["rows"], max(0.0, age))
