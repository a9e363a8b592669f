"""Members of staff, their wards, passwords and API tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.model import people, secrets
from telehealth.store import audit
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Staff:
    id: int
    organisation_id: int
    username: str
    display_name: str
    role: str


@dataclass(frozen=True)
class Login:
    """What signing in needs to know."""

    staff: Staff
    disabled: bool
    password_hash: str | None


async def add(
    connection: Connection,
    *,
    username: str,
    display_name: str,
    role: str,
    wards: Sequence[int],
    password: str,
    actor: Actor,
    now: datetime,
) -> Staff:
    """Add a member of staff with a password and the wards they belong to. now is real time."""
    people.check_username(username)
    people.text("display_name", display_name, 200)
    people.check_role(role)
    if not 8 <= len(password) <= 1024:
        raise Invalid("password", "must have 8 to 1024 characters")
    try:
        row = await connection.fetchrow(sql("staff.add"), username, display_name, role, actor, now)
    except asyncpg.UniqueViolationError:
        raise Conflict("there is a user of this name already") from None
    assert row is not None
    member = Staff(**dict(row))
    await connection.execute(sql("staff.set_password"), member.id, secrets.hash_staff_password(password), now)
    for ward_id in wards:
        await connection.execute(sql("staff.join_ward"), member.id, ward_id, actor, now)
    await audit.write(
        connection,
        actor,
        "user.add",
        object_kind="staff",
        object_id=member.id,
        detail={"wards": list(wards), "role": role},
    )
    return member


async def by_username(connection: Connection, username: str) -> Login | None:
    """For signing in; the caller verifies the password in a thread."""
    row = await connection.fetchrow(sql("staff.by_username"), username)
    if row is None:
        return None
    member = Staff(row["id"], row["organisation_id"], row["username"], row["display_name"], row["role"])
    return Login(member, row["disabled"], row["password_hash"])


async def listing(connection: Connection) -> list[asyncpg.Record]:
    """id, username, display_name, role, disabled, wards."""
    return await connection.fetch(sql("staff.listing"))


async def create_token(
    connection: Connection, *, username: str, name: str, days: int, actor: Actor, now: datetime
) -> tuple[str, datetime]:
    """A token that acts as its member of staff; returned once, kept as a hash. now is real time."""
    people.text("name", name, 100)
    if not 1 <= days <= 366:
        raise Invalid("days", "must be 1 to 366")
    login = await by_username(connection, username)
    if login is None or login.disabled:
        raise NotFound("no such user: see `telehealth user list`")
    token, expires = secrets.new_token(), now + timedelta(days=days)
    member = login.staff
    token_id = await connection.fetchval(
        sql("staff.add_token"),
        member.organisation_id,
        member.id,
        name,
        secrets.hash_token(token),
        actor,
        now,
        expires,
    )
    await audit.write(connection, actor, "token.create", object_kind="api_token", object_id=token_id)
    return token, expires
