"""Mails: written in the transaction of what causes them, sent afterwards, at least once. Times are real."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from telehealth.model import mails
from telehealth.model.calendar import Method
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: Taken in one go.
_MOST: Final = 10
#: A mail about a visit that is over is deleted so long after it was settled.
KEPT: Final = timedelta(days=30)
_FORGOTTEN_AT_ONCE: Final = 1000
_TOKEN = re.compile(r"/join/([A-Za-z0-9_-]{20,100})")


@dataclass(frozen=True)
class Mail:
    """A mail to be sent. id: also its Message-ID, so that what is sent twice is seen to be one."""

    id: UUID
    appointment_id: int | None
    about: mails.About
    to_address: str
    subject: str
    body: str
    calendar: str | None
    calendar_method: Method | None
    attempts: int
    written_at: datetime


@dataclass(frozen=True)
class Listed:
    """A mail as people look at it: without what it says."""

    id: UUID
    appointment_id: int | None
    resident_id: int
    contact_id: int | None
    about: mails.About
    to_address: str
    subject: str
    state: Literal["waiting", "sent", "refused", "dropped"]
    attempts: int
    last_error: str | None
    due_at: datetime
    written_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True)
class Standing:
    """Of all mails. due: that should have been sent by now; oldest: when it was written; refused: in the last day."""

    due: int
    oldest: datetime | None
    refused: int


async def write(
    connection: Connection,
    *,
    resident_id: int,
    about: mails.About,
    key: str,
    to: str,
    text: mails.Text,
    due_at: datetime,
    real_now: datetime,
    appointment_id: int | None = None,
    contact_id: int | None = None,
    event: str | None = None,
    method: Method | None = None,
) -> UUID | None:
    """Put a mail into the outbox; None if there is one of this key. event, method: its calendar file."""
    written: UUID | None = await connection.fetchval(
        sql("mail.write"),
        appointment_id,
        resident_id,
        contact_id,
        about,
        key,
        to,
        text.subject,
        text.body,
        due_at,
        event,
        method,
        real_now,
    )
    return written


async def waiting(connection: Connection, *, real_now: datetime, lease: timedelta, clinical: datetime) -> list[Mail]:
    """Mails that are due, for this process alone until the lease is over; pointless ones are dropped first."""
    await connection.fetch(sql("mail.drop_pointless"), clinical, real_now)
    rows = await connection.fetch(sql("mail.claim"), real_now, _MOST, real_now + lease)
    return sorted((Mail(**dict(row)) for row in rows), key=lambda mail: (mail.written_at, mail.id))


async def still_wanted(connection: Connection, mail_id: UUID) -> bool:
    """False once it was dropped: its appointment was moved or cancelled meanwhile."""
    return bool(await connection.fetchval(sql("mail.still_wanted"), mail_id))


async def settle(
    connection: Connection,
    mail_id: UUID,
    state: Literal["sent", "refused", "dropped"],
    *,
    real_now: datetime,
    error: str | None = None,
) -> bool:
    """It is not looked at again. False if it had been settled already."""
    return await connection.fetchval(sql("mail.settle"), mail_id, state, real_now, error) is not None


async def put_off(connection: Connection, mail_id: UUID, *, until: datetime, error: str) -> None:
    """It could not be sent now. error: what to show to whoever looks after it; no address, no text."""
    await connection.execute(sql("mail.put_off"), mail_id, until, error)


async def drop(connection: Connection, appointment_id: int, *, real_now: datetime) -> int:
    """Mails of an appointment that wait are not sent any more; how many."""
    return len(await connection.fetch(sql("mail.drop_of_appointment"), appointment_id, real_now))


async def heard(connection: Connection, appointment_id: int, *, real_now: datetime) -> frozenset[int]:
    """Contacts who know of an appointment: something about it was sent to them, or should have been by now."""
    rows = await connection.fetch(sql("mail.heard"), appointment_id, real_now)
    return frozenset(row["contact_id"] for row in rows)


async def tokens(connection: Connection, appointment_id: int) -> dict[int, str]:
    """The way in that was last mailed to each contact about an appointment: nowhere else is it kept."""
    found: dict[int, str] = {}
    for row in await connection.fetch(sql("mail.bodies"), appointment_id):
        token = _TOKEN.search(row["body"])
        if token is not None:
            found.setdefault(row["contact_id"], token[1])
    return found


async def listing(
    connection: Connection, *, resident_id: int | None = None, state: str | None = None, limit: int = 200
) -> list[Listed]:
    """Mails that the actor may see, newest first."""
    return [Listed(**dict(row)) for row in await connection.fetch(sql("mail.listing"), resident_id, state, limit)]


async def standing(connection: Connection, *, real_now: datetime) -> Standing:
    """For the metrics and for operations."""
    row = await connection.fetchrow(sql("mail.standing"), real_now)
    assert row is not None
    return Standing(**dict(row))


async def scrub(connection: Connection) -> None:
    """Ways in go from settled mails once nobody needs them there: to find them when a visit is moved, for example."""
    await connection.execute(sql("mail.scrub"))


async def forget(connection: Connection, *, before: datetime) -> int:
    """Delete mails that were settled before then, about visits that are over, or about none; how many, of the first."""
    return len(await connection.fetch(sql("mail.forget"), before, _FORGOTTEN_AT_ONCE))
