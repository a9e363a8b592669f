"""Who holds a participant's socket, and since when nobody was heard of: where several web processes meet. Real time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from telehealth.store.db import Connection
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Seen:
    """socket: which one is theirs, None: none. at: when it was last heard of."""

    socket: UUID | None
    at: datetime | None


@dataclass(frozen=True)
class Rang:
    """The last ring of a visit. event: its number, which grows. resident_id: whom it was for."""

    event: int
    resident_id: int | None
    at: datetime


async def take(
    connection: Connection, participant_id: int, socket: UUID, *, real_now: datetime, tab: UUID | None = None
) -> int | None:
    """This socket is the participant's from now on; the visit, or None if there is no such participant."""
    found: int | None = await connection.fetchval(sql("call_sockets.take"), participant_id, socket, real_now, tab)
    return found


async def held_by_other(connection: Connection, participant_id: int, tab: UUID, *, since: datetime) -> bool:
    """Whether another page of theirs holds the socket now, and was heard of since."""
    return bool(await connection.fetchval(sql("call_sockets.held_by_other"), participant_id, tab, since))


async def closed(connection: Connection, staff_id: int, but: int | None) -> list[tuple[int, int]]:
    """(visit, participant) of visits, other than one, whose page a member of staff has closed without leaving."""
    return [tuple(row) for row in await connection.fetch(sql("call_sockets.closed"), staff_id, but)]


async def still_closed(connection: Connection, participant_id: int) -> bool:
    """The same of one, who stays as they are until the transaction ends."""
    return await connection.fetchval(sql("call_sockets.still_closed"), participant_id) is not None


async def has_none(connection: Connection, participant_id: int) -> bool:
    """Whether nobody holds a socket of theirs; they stay as they are until the transaction ends."""
    return await connection.fetchval(sql("call_sockets.has_none"), participant_id) is not None


async def keep(connection: Connection, mine: Mapping[int, UUID], *, real_now: datetime) -> set[int]:
    """Of these sockets, by participant: whose are still theirs. The others were taken over elsewhere."""
    rows = await connection.fetch(sql("call_sockets.keep"), list(mine), list(mine.values()), real_now)
    return {row["id"] for row in rows}


async def drop(connection: Connection, participant_id: int, socket: UUID) -> None:
    """The socket is gone; unless another one was taken meanwhile."""
    await connection.execute(sql("call_sockets.drop"), participant_id, socket)


async def seen(connection: Connection, consultation_id: int) -> dict[int, Seen]:
    """By participant."""
    rows = await connection.fetch(sql("call_sockets.seen"), consultation_id)
    return {row["id"]: Seen(row["socket"], row["seen_at"]) for row in rows}


async def lost(connection: Connection, since: datetime) -> list[tuple[int, int]]:
    """(visit, participant) of who is inside and was not heard of since."""
    return [tuple(row) for row in await connection.fetch(sql("call_sockets.lost"), since)]


async def still_lost(connection: Connection, participant_id: int, since: datetime) -> bool:
    """The same of one, who stays as they are until the transaction ends."""
    return await connection.fetchval(sql("call_sockets.still_lost"), participant_id, since) is not None


async def rang(connection: Connection, consultation_id: int) -> Rang | None:
    row = await connection.fetchrow(sql("call_sockets.rang"), consultation_id)
    if row is None:
        return None
    detail = row["detail"] if isinstance(row["detail"], dict) else {}
    asked = detail.get("resident", detail.get("resident_id"))
    return Rang(row["id"], asked if isinstance(asked, int) else row["resident_id"], row["real_at"])


async def marks(connection: Connection, visits: list[int], *, since: datetime) -> dict[int, tuple[int, ...]]:
    """By visit, numbers that change whenever something of it does that a screen shows. since: who was heard of."""
    rows = await connection.fetch(sql("call_sockets.marks"), visits, since)
    return {row["id"]: (row["seq"], row["epoch"], row["connected"], row["words"]) for row in rows}


async def elsewhere(connection: Connection, participant_id: int) -> int | None:
    """Another visit that the same member of staff is in now."""
    found: int | None = await connection.fetchval(sql("call_sockets.elsewhere"), participant_id)
    return found


async def valid_links(connection: Connection, browsers: Mapping[int, bytes]) -> set[int]:
    """Of these links, by the hash of a browser's cookie: which are still that browser's, and not taken back."""
    rows = await connection.fetch(sql("call_sockets.valid_links"), list(browsers), list(browsers.values()))
    return {row["id"] for row in rows}


async def caring(connection: Connection, staff_ids: Collection[int]) -> dict[int, set[int]]:
    """By member of staff: the wards whose residents they may act on now. Nothing for whose role has none."""
    found: dict[int, set[int]] = {staff_id: set() for staff_id in staff_ids}
    for row in await connection.fetch(sql("call_sockets.caring"), list(found)):
        found[row["staff_id"]].add(row["ward_id"])
    return found


async def rebuilt(connection: Connection, consultation_id: int, epoch: int) -> bool:
    """Whether it is noted already that the room was given to another worker with this epoch."""
    return bool(await connection.fetchval(sql("call_sockets.rebuilt"), consultation_id, epoch))
