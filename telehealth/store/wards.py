"""Virtual wards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from telehealth.errors import Conflict, NotFound
from telehealth.model import people
from telehealth.store import audit
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Ward:
    id: int
    organisation_id: int
    name: str
    simulated: bool


async def add(connection: Connection, *, name: str, simulated: bool, actor: Actor, now: datetime) -> Ward:
    """Open a ward. Raises Invalid for the name, Conflict if the name is taken."""
    people.text("name", name, 200)
    try:
        row = await connection.fetchrow(sql("wards.add"), name, simulated, actor, now)
    except asyncpg.UniqueViolationError:
        raise Conflict("there is a ward of this name already") from None
    assert row is not None
    ward = Ward(**dict(row))
    await audit.write(connection, actor, "ward.add", object_kind="ward", object_id=ward.id, ward_id=ward.id)
    return ward


async def listing(connection: Connection, *, now: datetime) -> list[tuple[Ward, int]]:
    """Every ward that the actor may see, and how many residents are on it now."""
    rows = await connection.fetch(sql("wards.listing"), now)
    return [
        (Ward(row["id"], row["organisation_id"], row["name"], row["simulated"]), int(row["residents"])) for row in rows
    ]


async def find(connection: Connection, name_or_id: str) -> Ward:
    """A ward by number or exact name. NotFound if there is none for this actor."""
    row = await connection.fetchrow(sql("wards.find"), name_or_id)
    if row is None:
        raise NotFound("no such ward: see `telehealth ward list`")
    return Ward(**dict(row))
