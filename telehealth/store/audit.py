"""Who did what, when, and whether it was allowed. Append-only; one row per opening of a view or change."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import asyncpg

from telehealth import clock
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql

Outcome = Literal["ok", "denied", "failed"]


async def write(
    connection: Connection,
    actor: Actor | None,
    action: str,
    outcome: Outcome = "ok",
    *,
    object_kind: str | None = None,
    object_id: object = None,
    resident_id: int | None = None,
    ward_id: int | None = None,
    organisation_id: int | None = None,
    detail: Any = None,
) -> None:
    """Write one row in the caller's transaction; actor None: the transaction's own.

    detail holds no names and no values of residents."""
    await connection.execute(
        sql("audit.write"),
        organisation_id,
        actor,
        action,
        outcome,
        object_kind,
        None if object_id is None else str(object_id),
        resident_id,
        ward_id,
        detail,
        clock.real_now(),
    )


async def listing(
    connection: Connection,
    *,
    action: str | None = None,
    outcome: Outcome | None = None,
    since: datetime | None = None,
    limit: int = 100,
) -> list[asyncpg.Record]:
    """The newest rows first; for trusted actors."""
    return await connection.fetch(sql("audit.listing"), action, outcome, since, limit)
