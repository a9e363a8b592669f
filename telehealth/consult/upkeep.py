"""Keeps visits in order as time passes: who did not attend, what comes again, what nobody used.

A visit that was live and that nobody has ended is never ended by itself, because what came of it is a person's to
write: it stays interrupted, and the ward's diary lists it (store.visit_upkeep.unfinished).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from telehealth import clock as clocks
from telehealth import log
from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.model import mails
from telehealth.store import db, mail, series, visit_upkeep
from telehealth.store.db import Connection, Database

_log = log.get("consult")
ACTOR = db.service("consult")

_EVERY_SECONDS = 30.0
#: Of one kind of work in one go.
_MOST = 500
#: Some visits begin late: nobody has not attended before so long after the planned end.
GRACE = timedelta(minutes=30)
#: A visit that was begun at once, and into which nobody ever came.
UNUSED = timedelta(hours=24)


async def run(*, database: Database, clock: ClinicalClock, settings: Settings) -> None:
    """Until cancelled; the database may go away and come back."""
    sender = mails.Sender(settings.links, settings.mail_from)
    while True:
        await once(database, clock, sender)
        await asyncio.sleep(_EVERY_SECONDS)


async def once(database: Database, clock: ClinicalClock, sender: mails.Sender) -> dict[str, int]:
    """Everything once; how many of each were done. What fails is left for the next time."""
    now = clock.now()

    async def not_attended(connection: Connection, after: int) -> int | None:
        return await visit_upkeep.mark_not_attended(connection, after, before=now - GRACE, actor=ACTOR, now=now)

    async def unused(connection: Connection, after: int) -> int | None:
        return await visit_upkeep.cancel_unused(connection, after, before=now - UNUSED, actor=ACTOR, now=now)

    async def of_the_dead(connection: Connection, after: int) -> int | None:
        return await visit_upkeep.cancel_of_the_dead(
            connection, after, actor=ACTOR, now=now, real_now=clocks.real_now()
        )

    async def extended(connection: Connection, after: int) -> int | None:
        return await series.extend_next(
            connection, after, sender=sender, actor=ACTOR, now=now, real_now=clocks.real_now()
        )

    done = {
        "did_not_attend": await _each(database, not_attended),
        "unused": await _each(database, unused),
        "of_the_dead": await _each(database, of_the_dead),
        "series": await _each(database, extended),
    }
    try:
        async with database.transaction(ACTOR) as connection:
            await mail.scrub(connection)
    except Exception as error:
        _log.warning("ways in stay in mails for now", error=type(error).__name__)
    if any(done.values()):
        _log.info("visits were kept in order", **done)
    return done


async def _each(database: Database, step: Callable[[Connection, int], Awaitable[int | None]]) -> int:
    """One after another, each in a transaction of its own; how many."""
    after, count = 0, 0
    for _ in range(_MOST):
        try:
            async with database.transaction(ACTOR) as connection:
                found = await step(connection, after)
        except Exception as error:
            _log.warning("a visit is left as it is", error=type(error).__name__)
            break
        if found is None:
            break
        after, count = found, count + 1
    return count
