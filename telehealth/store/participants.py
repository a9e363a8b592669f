"""Who is known in a visit: made when they open it, before they wait or join."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from telehealth.errors import NotFound
from telehealth.model import visits
from telehealth.store import consultations
from telehealth.store.db import Connection
from telehealth.store.queries import sql


async def of_staff(connection: Connection, consultation_id: int, staff_id: int, *, now: datetime) -> int:
    """The participant that a member of staff is in a visit of theirs; made when they open it."""
    added: int | None = await connection.fetchval(sql("participants.add_staff"), consultation_id, staff_id)
    if added is not None:
        await consultations.note_event(connection, consultation_id, "opened", participant_id=added, actor=None, now=now)
        return added
    found: int | None = await connection.fetchval(sql("participants.of_staff"), consultation_id, staff_id)
    if found is None:
        raise NotFound("there is no such visit")
    return found


async def of_link(connection: Connection, link_id: int, *, now: datetime) -> int:
    """The participant that comes by a link; made when there is none.

    A resident who has not given the right date of birth (links.try_birth) is made as "not checked".
    """
    return await _guest(connection, link_id, None, now)


async def identified(connection: Connection, link_id: int, *, now: datetime) -> int:
    """The participant of a link whose holder gave the right date of birth."""
    participant_id = await _guest(connection, link_id, "birth_date", now)
    await connection.execute(sql("participants.set_identity"), participant_id, "birth_date")
    return participant_id


async def _guest(connection: Connection, link_id: int, identity: visits.Identity | None, now: datetime) -> int:
    found = await connection.fetchrow(sql("participants.of_link"), link_id)
    if found is not None:
        return int(found["id"])
    role = await connection.fetchval(sql("links.role"), link_id)
    if role is None:
        raise NotFound("there is no such link")
    known = identity or ("not_checked" if role == "resident" else "link_only")
    added: int | None = await connection.fetchval(sql("participants.add_guest"), link_id, known)
    found = await connection.fetchrow(sql("participants.of_link"), link_id)
    assert found is not None
    if added is not None:
        await consultations.note_event(
            connection, found["consultation_id"], "opened", participant_id=added, actor=None, now=now
        )
    return int(found["id"])


async def set_quality(connection: Connection, participant_id: int, quality: dict[str, Any]) -> None:
    """What was measured of somebody's connection so far, summed up; goes into the encounter as it is."""
    await connection.execute(sql("participants.set_quality"), participant_id, quality)
