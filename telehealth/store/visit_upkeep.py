"""Visits that time has passed over.

Found one at a time, each held for the transaction that does something about it, so that several processes may look.
"""

from __future__ import annotations

from datetime import datetime

from telehealth.store.db import Connection
from telehealth.store.queries import sql


async def not_attended(connection: Connection, after: int, *, before: datetime) -> int | None:
    """The next visit after one that was to end before a time, and to which nobody came."""
    found: int | None = await connection.fetchval(sql("visit_upkeep.not_attended"), before, after)
    return found


async def never_used(connection: Connection, after: int, *, before: datetime) -> int | None:
    """The next visit after one that was begun at once before a time, and that no guest came to."""
    found: int | None = await connection.fetchval(sql("visit_upkeep.never_used"), before, after)
    return found


async def of_the_dead(connection: Connection, after: int) -> int | None:
    """The next appointment after one whose residents have died."""
    found: int | None = await connection.fetchval(sql("visit_upkeep.of_the_dead"), after)
    return found
