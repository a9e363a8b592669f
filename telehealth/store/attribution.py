"""Whose readings are: the decisions about a device, and deriving them anew when these change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from telehealth.model.attribution import NEAR_A_CHANGE, Claims, Move, Seat, Span
from telehealth.store import unattributed
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: What readings say in their context of who used the device.
SLOT = "user_slot"

Pairs = set[tuple[int, str]]


async def claims(connection: Connection, devices: Sequence[int]) -> dict[int, Claims]:
    """What was decided about devices; those about which nothing was are left out.

    Read it under the devices' locks: then a change is either seen or finds the readings that are there.
    """
    found: dict[int, Claims] = {}
    several: list[int] = []
    for device_pk, since, until, resident_id in await connection.fetch(sql("attribution.assigned"), devices):
        device = found.get(device_pk)
        if device is None:
            device = found[device_pk] = Claims()
        if resident_id is None:
            several.append(device_pk)
        else:
            device.assignments.append(Span(since, until, resident_id))
    if several:
        await _more_claims(connection, several, found)
    return found


async def _more_claims(connection: Connection, devices: Sequence[int], found: Mapping[int, Claims]) -> None:
    for row in await connection.fetch(sql("attribution.claims"), devices):
        device, since, until, whose = found[row["device_pk"]], row["since"], row["until"], row["resident_id"]
        match row["kind"]:
            case "shared":
                device.shared.append(Span(since, until, None))
            case "moved":
                seat = Seat(row["seat_kind"], row["label"])
                device.moves.append(Move(since, until, row["before"], whose, seat))
            case kind:
                device.seats.setdefault(Seat(kind, row["label"]), []).append(Span(since, until, whose))


def slot(context: Mapping[str, Any] | None) -> object:
    """The user's number that a reading carries, as seats are labelled; None if it carries none."""
    return None if context is None else plain_slot(context.get(SLOT))


def plain_slot(value: object) -> object:
    """2 for 2.0 and "2", so that numbers and labels compare; None for what can be no number of a user."""
    if isinstance(value, bool) or value == "":
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


async def hold(connection: Connection, device_pk: int) -> None:
    """What the device is just sending is waited for, and what it sends from here on waits for us."""
    await connection.execute(sql("attribution.hold_contact"), device_pk)


async def decided_unseen(connection: Connection, device_pk: int) -> bool:
    """Whether something was decided about the device that this actor does not see: claims() is not the whole then."""
    return bool(await connection.fetchval(sql("attribution.decided_unseen"), device_pk))


async def derive(
    connection: Connection, device_pk: int, *, since: datetime, also: Iterable[int] = (), now: datetime
) -> Pairs:
    """Derive anew whose the device's readings are from a clinical time on, and have residents judged again.

    Call it under the device's lock. also: residents who may have readings of it beside those who are decided
    about. What staff repaired stays. Returns the (resident, code) whose latest values may have changed.
    """
    decided = (await claims(connection, [device_pk])).get(device_pk, Claims())
    everybody = sorted(decided.residents() | set(also))
    rows = await connection.fetch(sql("attribution.readings"), device_pk, everybody, since - NEAR_A_CHANGE)
    changed = await _changed(connection, decided, rows)
    # What is nobody's now is judged with other eyes, changed or not.
    await unattributed.ask(connection, device_pk, since, now)
    if not changed:
        return set()
    columns = ([getattr(one, name) for one in changed] for name in ("taken_at", "identity", "value_key"))
    after = [one.after for one in changed]
    await connection.execute(sql("attribution.rewrite"), *columns, after, [one.held for one in changed])
    earliest = first_touched((one.effective_at, whose) for one in changed for whose in (one.before, one.after))
    await due(connection, earliest, "attribution")
    return {(whose, one.code) for one in changed for whose in (one.before, one.after) if whose is not None}


async def due(connection: Connection, earliest: Mapping[int, datetime], cause: str) -> None:
    """Have residents judged again, each from a clinical time on."""
    if earliest:
        await connection.execute(sql("attribution.due"), list(earliest), list(earliest.values()), cause)


async def follow_repairs(connection: Connection, clashing: Mapping[UUID, datetime]) -> Pairs:
    """Further values of readings that staff have repaired follow the repair. clashing: identity to taken_at."""
    rows = await connection.fetch(sql("attribution.follow_repairs"), list(clashing.values()), list(clashing))
    return {(whose, row["code"]) for row in rows for whose in (row["before"], row["after"]) if whose is not None}


async def settled(connection: Connection, identities: Sequence[UUID]) -> dict[UUID, int | None]:
    """Whose staff have said that readings are, by identity; those about which they said nothing are left out."""
    if not identities:
        return {}
    rows = await connection.fetch(sql("attribution.repairs"), identities)
    return {row["identity"]: row["resident_id"] for row in rows}


def first_touched(touched: Iterable[tuple[datetime | None, int | None]]) -> dict[int, datetime]:
    """The first clinical time by resident; what has no time or nobody is left out."""
    found: dict[int, datetime] = {}
    for at, whose in touched:
        if at is not None and whose is not None:
            found[whose] = min(at, found.get(whose, at))
    return found


class _Change:
    """One reading that is somebody else's than it was, or held where it was not."""

    def __init__(self, row: asyncpg.Record, after: int | None, held: bool) -> None:
        self.taken_at: datetime = row["taken_at"]
        self.identity: UUID = row["identity"]
        self.value_key: int = row["value_key"]
        self.effective_at: datetime = row["effective_at"]
        self.code: str = row["code"]
        self.before: int | None = row["resident_id"]
        self.after = after
        self.held = held


async def _changed(connection: Connection, decided: Claims, rows: Sequence[asyncpg.Record]) -> list[_Change]:
    by_person = await settled(connection, sorted({row["identity"] for row in rows if row["repaired"]}))
    found = []
    for row in rows:
        whose, held = by_person.get(row["identity"]), False
        if row["identity"] not in by_person:
            # A time that staff have set is not in doubt.
            uncertain = row["uncertain"] and not row["repaired"]
            slotted = plain_slot(row["slot"])
            whose, held = decided.whose(row["effective_at"], uncertain=uncertain, subject=row["subject"], slot=slotted)
        if (whose, held) != (row["resident_id"], row["held"]):
            found.append(_Change(row, whose, held))
    return found
