"""Who holds a participant's socket, and since when nobody was heard of: where several web processes meet. Real time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from telehealth.store.db import Connection
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Seen:
    """connected: some browser holds a socket. at: when it was last heard of."""

    connected: bool
    at: datetime | None


@dataclass(frozen=True)
class Rang:
    """The last ring of a visit. event: its number, which grows. resident_id: whom it was for."""

    event: int
    resident_id: int | None
    at: datetime


async def take(connection: Connection, participant_id: int, socket: UUID, *, real_now: datetime) -> int | None:
    """This socket is the participant's from now on; the visit, or None if there is no such participant."""
    found: int | None = await connection.fetchval(sql("call_sockets.take"), participant_id, socket, real_now)
    return found


async def keep(connection: Connection, mine: Mapping[int, UUID], *, real_now: datetime) -> set[int]:
    """Of these sockets, by participant: whose are still theirs. The others were taken over elsewhere."""
    rows = await connection.fetch(sql("call_sockets.keep"), list(mine), list(mine.values()), real_now)
    return {row["id"] for row in rows}


async def drop(connection: Connection, participant_id: int, socket: UUID) -> bool:
    """The socket is gone. False: another one was taken meanwhile."""
    return await connection.fetchval(sql("call_sockets.drop"), participant_id, socket) is not None


async def seen(connection: Connection, consultation_id: int) -> dict[int, Seen]:
    """By participant."""
    rows = await connection.fetch(sql("call_sockets.seen"), consultation_id)
    return {row["id"]: Seen(row["connected"], row["seen_at"]) for row in rows}


async def lost(connection: Connection, since: datetime) -> list[tuple[int, int]]:
    """(visit, participant) of who is inside and was not heard of since."""
    return [tuple(row) for row in await connection.fetch(sql("call_sockets.lost"), since)]


async def still_lost(connection: Connection, participant_id: int, since: datetime) -> bool:
    """The same of one, who stays as they are until the transaction ends."""
    return await connection.fetchval(sql("call_sockets.still_lost"), participant_id, since) is not None


async def set_quality(connection: Connection, participant_id: int, quality: dict[str, Any]) -> None:
    """As telehealth.web.call_quality sums it up."""
    await connection.execute(sql("call_sockets.set_quality"), participant_id, quality)


async def rang(connection: Connection, consultation_id: int) -> Rang | None:
    row = await connection.fetchrow(sql("call_sockets.rang"), consultation_id)
    if row is None:
        return None
    detail = row["detail"] if isinstance(row["detail"], dict) else {}
    asked = detail.get("resident", detail.get("resident_id"))
    return Rang(row["id"], asked if isinstance(asked, int) else row["resident_id"], row["real_at"])


async def about_residents(connection: Connection, visits: list[int], residents: list[int]) -> list[int]:
    """Of these visits, those that go on about one of these residents."""
    return [row["id"] for row in await connection.fetch(sql("call_sockets.about_residents"), visits, residents)]
