"""Whom mails about a resident's visits go to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from telehealth import clock
from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.model import people, visits
from telehealth.store import audit
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql

Relation = Literal["self", "carer", "family", "care_home", "interpreter"]
RELATIONS: Final[tuple[Relation, ...]] = ("self", "carer", "family", "care_home", "interpreter")
#: As what they come in. A care home's staff sit beside the resident.
ROLES: Final[dict[str, visits.Role]] = {
    "self": "resident",
    "carer": "carer",
    "family": "family",
    "care_home": "carer",
    "interpreter": "interpreter",
}
_EMAIL = re.compile(r"[^@\s<>()\[\]\\\",;:]{1,64}@[A-Za-z0-9.-]{1,190}")
MOST = 10


@dataclass(frozen=True)
class Contact:
    """An address. reminders: also of visits that come soon, and not only of what was booked, moved or cancelled."""

    id: int
    resident_id: int
    relation: Relation
    name: str
    email: str
    reminders: bool
    created_by: str
    created_at: datetime


def check_email(email: str) -> str:
    """Itself, or Invalid."""
    if not _EMAIL.fullmatch(email) or not (email.isascii() and email.isprintable()) or ".." in email:
        raise Invalid("email", "must be an address like name@example.org")
    return email


async def add(
    connection: Connection,
    resident_id: int,
    *,
    relation: str,
    name: str,
    email: str,
    reminders: bool = True,
    actor: Actor,
    now: datetime,
) -> int:
    """Mails about visits that are booked from now on go there too. Raises Invalid, NotFound, Conflict."""
    if relation not in RELATIONS:
        raise Invalid("relation", "must be one of " + ", ".join(RELATIONS))
    people.text("name", name, 100)
    check_email(email)
    there = await of_resident(connection, resident_id)
    if len(there) >= MOST:
        raise Conflict(f"a resident has at most {MOST} contacts")
    if any(one.email.lower() == email.lower() for one in there):
        raise Conflict("this address is a contact of the resident already")
    added: int | None = await connection.fetchval(
        sql("contacts.add"), resident_id, relation, name, email, reminders, actor, now
    )
    if added is None:
        raise NotFound("there is no such resident")
    await audit.write(connection, actor, "contact.add", object_kind="contact", object_id=added, resident_id=resident_id)
    return added


async def of_resident(connection: Connection, resident_id: int) -> list[Contact]:
    """A resident's contacts; none for a resident who is not the actor's."""
    return [Contact(**dict(row)) for row in await connection.fetch(sql("contacts.of_resident"), resident_id)]


async def remove(connection: Connection, contact_id: int, *, actor: Actor, now: datetime) -> None:
    """Mails go there no more, those that wait neither, and ways in that were mailed there open nothing any more.

    NotFound if it is not the actor's.
    """
    resident_id = await connection.fetchval(sql("contacts.remove"), contact_id, now)
    if resident_id is None:
        raise NotFound("there is no such contact")
    await connection.execute(sql("contacts.revoke_links"), contact_id, clock.real_now())
    await audit.write(
        connection, actor, "contact.remove", object_kind="contact", object_id=contact_id, resident_id=resident_id
    )
