"""Which sets of readings staff have seen, and which devices have yet to be told.

A set is seen when a clinician opened the resident's page after it had arrived; that is all it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: Sets older than this are no news to anybody.
_RECENT = timedelta(days=2)
#: Told in one go.
_MOST = 200
#: By HTTP nobody calls a device: with every answer it is told what was seen within so long, at most so much.
_LATELY = timedelta(days=1)
_MOST_LATELY = 32


@dataclass(frozen=True)
class Seen:
    """A set of a device, and since when it is seen."""

    device_pk: int
    device_id: str
    set_id: str
    at: datetime


async def opened(connection: Connection, resident_id: int, *, now: datetime) -> None:
    """A clinician has opened the resident's page. now: clinical."""
    await connection.execute(sql("seen.opened"), resident_id, now, now - _RECENT)


async def untold(connection: Connection) -> list[Seen]:
    """What devices have yet to be told, oldest first, some hundreds at most."""
    rows = await connection.fetch(sql("seen.untold"), _MOST)
    return [Seen(*row) for row in rows]


async def lately(connection: Connection, device_id: str, *, now: datetime) -> list[Seen]:
    """What of a device was seen lately, newest first, told or not. now: clinical."""
    rows = await connection.fetch(sql("seen.lately"), device_id, now - _LATELY, _MOST_LATELY)
    return [Seen(*row) for row in rows]


async def told(connection: Connection, seen: Sequence[Seen], *, now: datetime) -> None:
    """The broker has the receipts that say so."""
    await connection.execute(sql("seen.told"), [s.device_pk for s in seen], [s.set_id for s in seen], now)
