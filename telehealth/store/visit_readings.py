"""Readings of the current subject that come in during a visit, and what the clinician decides of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from telehealth.errors import Invalid, NotFound
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql

_KEY = re.compile(r"^(-?[0-9]{1,14})\.([0-9a-f]{32})\.(-?[0-9]{1,19})$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DECISIONS = ("accepted", "left_out")


async def gather(connection: Connection, consultation_id: int) -> int:
    """Offer what came in, and mark it as supervised; how many were new. As a service only: it changes readings."""
    turn = await connection.fetchrow(sql("visit_readings.turn"), consultation_id)
    if turn is None:
        return 0
    rows = await connection.fetch(sql("visit_readings.gather"), consultation_id, turn["subject_id"], turn["since"])
    if rows:
        taken = [row["taken_at"] for row in rows]
        identities = [row["identity"] for row in rows]
        await connection.execute(sql("visit_readings.mark"), taken, identities, [row["value_key"] for row in rows])
        await connection.execute(sql("visit_readings.mark_latest"), taken, identities)
    return len(rows)


async def decide(
    connection: Connection, consultation_id: int, key: str, decision: str, *, actor: Actor, now: datetime
) -> int:
    """Whose reading it is. Raises Invalid for the decision, NotFound for a reading that was not offered."""
    if decision not in _DECISIONS:
        raise Invalid("decision", "must be accepted or left_out")
    found = _KEY.match(key)
    if found is None or not -(2**63) <= int(found[3]) < 2**63:
        raise NotFound("there is no such reading in this visit")
    resident_id: int | None = await connection.fetchval(
        sql("visit_readings.decide"),
        consultation_id,
        _EPOCH + timedelta(milliseconds=int(found[1])),
        UUID(found[2]),
        int(found[3]),
        decision,
        actor,
        now,
    )
    if resident_id is None:
        raise NotFound("there is no such reading in this visit")
    return resident_id
