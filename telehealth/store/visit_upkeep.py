"""Visits that time has passed over: one at a time, so that several processes may do it and no failure stops others."""

from __future__ import annotations

import contextlib
from datetime import datetime

from telehealth.model import mails, visits
from telehealth.store import appointments, consultations
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql


async def mark_not_attended(
    connection: Connection, after: int, *, before: datetime, actor: Actor, now: datetime
) -> int | None:
    """The next visit after one that was to end before a time, to which nobody came: did not attend. Its id."""
    found: int | None = await connection.fetchval(sql("visit_upkeep.not_attended"), before, after)
    if found is not None:
        with contextlib.suppress(visits.NotPossible):
            await consultations.did_not_attend(connection, found, actor=actor, now=now)
    return found


async def cancel_unused(
    connection: Connection, after: int, *, before: datetime, actor: Actor, now: datetime
) -> int | None:
    """The next visit after one that was begun at once before a time and that nobody came to: cancelled. Its id."""
    found: int | None = await connection.fetchval(sql("visit_upkeep.never_used"), before, after)
    if found is not None:
        with contextlib.suppress(visits.NotPossible):
            await consultations.cancel(connection, found, actor=actor, now=now)
    return found


async def cancel_of_the_dead(
    connection: Connection, after: int, *, actor: Actor, now: datetime, real_now: datetime
) -> int | None:
    """The next appointment after one whose residents have died: cancelled without a word to anybody. Its id."""
    found: int | None = await connection.fetchval(sql("visit_upkeep.of_the_dead"), after)
    if found is not None:
        with contextlib.suppress(visits.NotPossible):
            await appointments.cancel(
                connection, found, reason="the resident has died", sender=mails.Sender(), actor=actor, now=now,
                real_now=real_now,
            )  # fmt: skip
    return found


async def unfinished(connection: Connection, ward_id: int, *, before: datetime) -> list[int]:
    """Visits of a ward that a person has to end: empty since a time, or somebody waited and nobody came."""
    return [row["id"] for row in await connection.fetch(sql("visit_upkeep.unfinished"), ward_id, before)]
