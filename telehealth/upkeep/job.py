"""The background job: when the service starts, and then once a day.

Each piece of work is a short transaction of its own, so that whatever fails is left for the next time and nothing
waits for it. Of several processes one does the work.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Iterable
from datetime import date

from telehealth import clock as clocks
from telehealth import log
from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.store import db, mail, nonsense, quarantine, recordings, sessions, storage
from telehealth.store.db import Database
from telehealth.upkeep import recordings as recorded

_log = log.get("upkeep")
ACTOR = db.service("upkeep")

#: Partitions around the present month.
BACK, AHEAD = 1, 3
#: How far back readings that lie in DEFAULT are given a partition.
REPAIR_MONTHS = 24
#: Of one month; more are moved by `telehealth storage repair`, when it suits.
MOST_MOVED = 50_000

#: Ingest may wait so long behind a partition that is made; then it goes first, and this comes again.
_LOCK_SECONDS = 0.25
_SECONDS = 20.0
_ATTEMPTS = 20
_PAUSE_SECONDS = 1.0
_DAY_SECONDS = 86_400.0
_AGAIN_SECONDS = 300.0
_ROUNDS = 200


async def run(*, database: Database, clock: ClinicalClock, settings: Settings) -> None:
    """Until cancelled; the database may go away and come back."""
    where = recordings.place(settings)
    while True:
        done = await once(database, clock, retention(settings), where)
        await asyncio.sleep((_DAY_SECONDS if done else _AGAIN_SECONDS) * random.uniform(0.9, 1.0))


def retention(settings: Settings) -> storage.Retention:
    """How long things are kept, by the settings."""
    return storage.Retention(
        settings.retain_quarantine_days, settings.retain_checkpoint_days, settings.retain_stream_days
    )


async def once(
    database: Database, clock: ClinicalClock, keep: storage.Retention, where: recordings.Place | None = None
) -> bool:
    """Everything once; whether all of it was done, or another process is at it. where: recordings lie."""
    made = await _done("partitions", partitions(database, clock))
    forgotten = await _done("retention", _forget(database, clock, keep))
    mailed = await _done("mails", _forget_mails(database))
    deleted = await _done("recordings", recorded.once(database, ACTOR, where, now=clock.now()))
    return made and forgotten and mailed and deleted


async def _done(work: str, doing: Awaitable[bool | int | None]) -> bool:
    """Whether it did not fail, and did not say False. What fails stops nothing else and is tried again.

    Meanwhile nothing is lost: without a partition a reading goes to DEFAULT.
    """
    try:
        return await doing is not False
    except db.AWAY as error:
        _log.warning("upkeep is left for later", work=work, error=type(error).__name__)
    except Exception as error:
        _log.error("upkeep failed", work=work, error=type(error).__name__, where=log.where(error))
    return False


async def partitions(database: Database, clock: ClinicalClock) -> bool:
    """Make the partitions that are missing; False if one could not be made now."""
    async with database.transaction(ACTOR) as connection:
        if not await storage.its_turn(connection):
            return True
        moments = [clock.now(), clocks.real_now()]
        months = await storage.missing_months(connection, moments, back=BACK, ahead=AHEAD, repair=REPAIR_MONTHS)
    return await make(database, months, most=MOST_MOVED)


async def make(database: Database, months: Iterable[date], *, most: int | None, seconds: float = _SECONDS) -> bool:
    """Make these partitions, each in a transaction that gives way to ingest; False if some could not be made."""
    complete = True
    for first in months:
        for attempt in range(_ATTEMPTS):
            try:
                async with database.transaction(ACTOR) as connection:
                    made = await storage.make_partition(
                        connection, first, lock_seconds=_LOCK_SECONDS, seconds=seconds, most=most
                    )
            except db.REFUSED_WORK as error:
                _log.info("a partition must wait", month=f"{first:%Y-%m}", error=type(error).__name__)
                await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5) * min(attempt + 1, 5))
                continue
            if made is None:
                complete = False
                _log.warning("too many readings lie in DEFAULT to move them now", month=f"{first:%Y-%m}")
            elif made:
                _log.info("a partition was made", month=f"{first:%Y-%m}")
            break
        else:
            complete = False
            _log.warning("a partition could not be made", month=f"{first:%Y-%m}")
    return complete


async def _forget(database: Database, clock: ClinicalClock, keep: storage.Retention) -> None:
    for _ in range(_ROUNDS):
        async with database.transaction(ACTOR) as connection:
            if not await storage.its_turn(connection):
                return
            gone = await storage.forget(connection, keep, now=clock.now())
        if not gone:
            break
        _log.info("forgotten", **{name.replace(".", "_"): count for name, count in gone.items()})
    async with database.transaction(ACTOR) as connection:
        await sessions.sweep(connection, now=clocks.real_now())
        await nonsense.look_at_revoked(connection, now=clocks.real_now())
    await _trim(database)


async def _forget_mails(database: Database) -> None:
    """Those that were sent, refused or dropped some time ago, about visits that are over."""
    for _ in range(_ROUNDS):
        async with database.transaction(ACTOR) as connection:
            gone = await mail.forget(connection, before=clocks.real_now() - mail.KEPT)
        if not gone:
            return
        _log.info("mails were forgotten", count=gone)


async def _trim(database: Database) -> None:
    """Every device's quarantine within its bounds, a few devices at a time."""
    after = -1
    while True:
        async with database.transaction(ACTOR) as connection:
            found = await quarantine.devices(connection, after=after)
            if not found:
                return
            await quarantine.trim(connection, found)
        after = found[-1]
