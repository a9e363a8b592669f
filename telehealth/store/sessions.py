"""Who is signed in: sessions, API tokens, and failures to sign in. All times are real time.

Every function runs as a service: members of staff cannot read these tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telehealth.model import secrets
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: Failures count together while they are not further apart than this.
FAILURE_MEMORY = timedelta(hours=1)

_TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Member:
    """The member of staff that a request acts as."""

    id: int
    organisation_id: int
    username: str
    display_name: str
    role: str


@dataclass(frozen=True)
class Session:
    """A browser's session. token_hash is its key; the token itself is only in the browser."""

    token_hash: bytes
    member: Member
    csrf: str
    expires_at: datetime


async def begin(connection: Connection, staff_id: int, *, now: datetime, hours: float) -> str:
    """A new session; returns the token for the cookie, which is kept nowhere else."""
    token = secrets.new_token()
    await connection.execute(
        sql("sessions.add"),
        secrets.hash_token(token),
        staff_id,
        secrets.new_token(),
        now,
        now + timedelta(hours=hours),
    )
    return token


async def find(connection: Connection, token: str, *, now: datetime) -> Session | None:
    """The session of a token, or None if there is none, it is over, or its owner was disabled."""
    row = await connection.fetchrow(sql("sessions.find"), secrets.hash_token(token), now)
    if row is None:
        return None
    if now - row["seen_at"] > _TOUCH_EVERY:
        await connection.execute(sql("sessions.touch"), row["token_hash"], now)
    member = Member(row["staff_id"], row["organisation_id"], row["username"], row["display_name"], row["role"])
    return Session(row["token_hash"], member, row["csrf"], row["expires_at"])


async def by_api_token(connection: Connection, token: str, *, now: datetime) -> Member | None:
    """Whom an API token acts as."""
    row = await connection.fetchrow(sql("sessions.by_api_token"), secrets.hash_token(token), now)
    if row is None:
        return None
    return Member(row["staff_id"], row["organisation_id"], row["username"], row["display_name"], row["role"])


async def end(connection: Connection, token_hash: bytes) -> None:
    """Sign out."""
    await connection.execute(sql("sessions.remove"), token_hash)


async def sweep(connection: Connection, *, now: datetime) -> None:
    """Forget sessions and failures that are over."""
    await connection.execute(sql("sessions.sweep"), now, now - FAILURE_MEMORY)


async def still_valid(connection: Connection, token_hashes: Sequence[bytes], *, now: datetime) -> set[bytes]:
    """Those of the sessions and API tokens that may still be used."""
    rows = await connection.fetch(sql("sessions.still_valid"), list(token_hashes), now)
    return {row["token_hash"] for row in rows}


async def memberships(connection: Connection, staff_ids: Sequence[int]) -> dict[int, set[int]]:
    """Staff id -> the wards that they may see now."""
    found: dict[int, set[int]] = {staff_id: set() for staff_id in staff_ids}
    for row in await connection.fetch(sql("sessions.memberships"), list(staff_ids)):
        found[row["staff_id"]].add(row["ward_id"])
    return found


@dataclass(frozen=True)
class Failures:
    """How often signing in failed with one key, and when last."""

    count: int
    last_at: datetime


async def failures(connection: Connection, keys: Sequence[bytes], *, now: datetime) -> dict[bytes, Failures]:
    """Failures that still count."""
    rows = await connection.fetch(sql("sessions.failures"), list(keys), now - FAILURE_MEMORY)
    return {row["key_hash"]: Failures(row["failures"], row["last_at"]) for row in rows}


async def count_failure(connection: Connection, keys: Sequence[bytes], *, now: datetime) -> None:
    """One more failure for each key."""
    await connection.execute(sql("sessions.count_failures"), list(keys), now, now - FAILURE_MEMORY)


async def forget_failures(connection: Connection, key: bytes) -> None:
    """Signing in worked."""
    await connection.execute(sql("sessions.forget_failures"), key)


async def uncount_failure(connection: Connection, key: bytes) -> None:
    """The attempt that was counted as a failure beforehand turned out well."""
    await connection.execute(sql("sessions.uncount_failure"), key)
