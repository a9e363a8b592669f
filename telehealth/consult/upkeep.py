"""Keeps visits in order as time passes: who did not attend, what comes again, what nobody used.

A visit that was live and that nobody has ended is never ended by itself, because what came of it is a person's to
write: it stays interrupted, and the ward's diary lists it (store.visit_desk.unfinished).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from telehealth import clock as clocks
from telehealth import log
from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.model import mails
from telehealth.store import appointments, consultations, db, mail, series, visit_upkeep
from telehealth.store.db import Connection, Database

_log = log.get("consult")
ACTOR = db.service("consult")

_EVERY_SECONDS = 30.0
#: Of one kind of work in one go.
_MOST = 500
#: What failed is tried again after so long, then twice as long each time.
_AGAIN_SECONDS = 60.0
_LONGEST_SECONDS = 3600.0
#: Some visits begin late: nobody has not attended before so long after the planned end.
GRACE = timedelta(minutes=30)
#: A visit that was begun at once, and into which nobody ever came.
UNUSED = timedelta(hours=24)


async def run(*, database: Database, clock: ClinicalClock, settings: Settings) -> None:
    """Until cancelled; the database may go away and come back."""
    upkeep = Upkeep(database, clock, mails.Sender(settings.links, settings.mail_from))
    while True:
        await upkeep.once()
        await asyncio.sleep(_EVERY_SECONDS)


@dataclass(frozen=True)
class _Work:
    """find: the first after an id that needs it, held for this transaction. act: what is done about it."""

    name: str
    find: Callable[[Connection, int], Awaitable[int | None]]
    act: Callable[[Connection, int], Awaitable[object]]


class Upkeep:
    """What needs doing, one visit at a time. One that fails stops no other; it is tried again ever more rarely."""

    def __init__(self, database: Database, clock: ClinicalClock, sender: mails.Sender) -> None:
        self._database, self._clock, self._sender = database, clock, sender
        #: By kind of work and id: how often it failed, and until when (monotonic) it is left alone.
        self._failed: dict[tuple[str, int], tuple[int, float]] = {}

    async def once(self) -> dict[str, int]:
        """Everything once; how many of each were done. What fails is left for another time."""
        done = {work.name: 0 for work in self._works()}
        try:
            for work in self._works():
                done[work.name] = await self._each(work)
            async with self._database.transaction(ACTOR) as connection:
                await mail.scrub(connection)
        except db.AWAY as error:
            _log.warning("the database is away: visits are left as they are", error=type(error).__name__)
        except Exception as error:
            _log.error("visits cannot be kept in order", error=type(error).__name__, where=log.where(error))
        if any(done.values()):
            _log.info("visits were kept in order", **done)
        return done

    def _works(self) -> tuple[_Work, ...]:
        now, real_now = self._clock.now(), clocks.real_now()

        async def cancel_for_death(connection: Connection, found: int) -> None:
            """Without a word to anybody."""
            await appointments.cancel(
                connection, found, reason="the resident has died", sender=mails.Sender(), actor=ACTOR, now=now,
                real_now=real_now,
            )  # fmt: skip

        return (
            _Work(
                "did_not_attend",
                lambda connection, after: visit_upkeep.not_attended(connection, after, before=now - GRACE),
                lambda connection, found: consultations.did_not_attend(connection, found, actor=ACTOR, now=now),
            ),
            _Work(
                "unused",
                lambda connection, after: visit_upkeep.never_used(connection, after, before=now - UNUSED),
                lambda connection, found: consultations.cancel(connection, found, actor=ACTOR, now=now),
            ),
            _Work("of_the_dead", visit_upkeep.of_the_dead, cancel_for_death),
            _Work(
                "series",
                lambda connection, after: series.to_extend(connection, after, now=now),
                lambda connection, found: series.extend(
                    connection, found, sender=self._sender, actor=ACTOR, now=now, real_now=real_now
                ),
            ),
        )

    async def _each(self, work: _Work) -> int:
        """One after another, each in a transaction of its own; how many. Raises when the database is away."""
        after, count = 0, 0
        while count < _MOST:
            found: int | None = None
            try:
                async with self._database.transaction(ACTOR) as connection:
                    found = await work.find(connection, after)
                    if found is None:
                        break
                    left_alone = self._left_alone(work, found)
                    if not left_alone:
                        await work.act(connection, found)
            except Exception as error:
                if found is None or (isinstance(error, db.AWAY) and not isinstance(error, db.REFUSED_WORK)):
                    raise
                self._put_off(work, found, error)
            else:
                if not left_alone:
                    self._failed.pop((work.name, found), None)
                    count += 1
            after = found
        return count

    def _left_alone(self, work: _Work, found: int) -> bool:
        _, until = self._failed.get((work.name, found), (0, 0.0))
        return clocks.monotonic() < until

    def _put_off(self, work: _Work, found: int, error: Exception) -> None:
        times, _ = self._failed.get((work.name, found), (0, 0.0))
        wait = min(_AGAIN_SECONDS * 2.0**times, _LONGEST_SECONDS)
        self._failed[work.name, found] = min(times + 1, 10), clocks.monotonic() + wait
        tell = _log.warning if isinstance(error, db.REFUSED_WORK) else _log.error
        tell("a visit is left as it is", work=work.name, id=found, error=type(error).__name__, where=log.where(error))
