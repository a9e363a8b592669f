"""The loop that does what is due: at once when something came in, and when the time has come.

NOTIFY is a hint. What counts are the rows of evaluation_due, which are looked for at least every
second, with the clock read anew each time, so that a stepped clock neither skips nor repeats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from telehealth import clock as clocks
from telehealth import failpoints, log, metrics
from telehealth.alerting import beat, devices, residents
from telehealth.alerting.beat import Beat
from telehealth.alerting.residents import ACTOR, Moment
from telehealth.clock import ClinicalClock
from telehealth.model.health import Health
from telehealth.store import alerts, clock, db, evaluation, troubles
from telehealth.store.db import Connection, Database
from telehealth.store.library import Library

_log = log.get("alerting")

_IDLE_SECONDS = 1.0
_LATE_SECONDS = 0.25
_COALESCE_SECONDS = 0.004
_BREATH_SECONDS = 0.25
_MANY = 200
_CROWDED = 2
_LONG_SECONDS = 0.05
_HEAVY_SECONDS = 0.15
_REST_SECONDS = 1.5
_QUIET_SECONDS = 0.2
_METRICS_SECONDS = 5.0
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Sort:
    """Subjects of one sort, "resident" or "device", that have work due."""

    name: str
    ids: Sequence[int]

    async def evaluate(
        self, connection: Connection, ids: Sequence[int], moment: Moment, library: Library, *, late: bool = True
    ) -> evaluation.Done:
        if self.name == "resident":
            return await residents.evaluate(connection, ids, moment, library, late=late)
        return await devices.evaluate(connection, ids, moment, library)

    async def take(self, connection: Connection, ids: Sequence[int], horizon: datetime) -> evaluation.Taken:
        if self.name == "resident":
            return await evaluation.take_residents(connection, ids, horizon)
        return await evaluation.take_devices(connection, ids, horizon)


@dataclass(frozen=True)
class Suspect:
    """A subject that could not be evaluated: how often, and the monotonic time to try again."""

    attempts: int
    retry_at: float


@dataclass
class Evaluator:
    """One evaluator; several may run at once, in one process or many."""

    database: Database
    clock: ClinicalClock
    #: Due rows looked at in one transaction, of each sort.
    batch: int = 2000
    library: Library = field(default_factory=Library)
    #: Late work waits so long for more of the same resident, so that a stream of it is folded once and not each time.
    patience_seconds: float = 1.0
    #: By (sort, id).
    _suspects: dict[tuple[str, int], Suspect] = field(default_factory=dict)
    #: There was late work when it was last looked for.
    late_waiting: bool = False
    #: Due rows of each subject that was last done live: much of it means that more of the same is on its way.
    rows_each: float = 0.0

    async def cycle(self, *, patience_seconds: float | None = None) -> int:
        """What is live, then some of what came late; returns how many subjects were done or put off.

        0: nothing to do now.
        """
        return await self.live() + await self.late(patience_seconds=patience_seconds)

    async def live(self) -> int:
        """Evaluate a batch of what is live. Under a virtual clock that is all there is: the clock waits for it."""
        if self.clock.virtual:
            return await self._batch(evaluation.EVERYTHING)
        return await self._batch(evaluation.Wanted(late=False))

    async def late(self, *, patience_seconds: float | None = None) -> int:
        """Evaluate some of what came late. May run beside live(): neither waits for the other's residents."""
        if self.clock.virtual or not self.late_waiting:
            return 0
        patience = self.patience_seconds if patience_seconds is None else patience_seconds
        return await self._batch(evaluation.Wanted(live=False, patience_seconds=patience))

    async def _batch(self, wanted: evaluation.Wanted) -> int:
        found: list[Sort] = []
        done = 0
        try:
            done += await self._together(found, wanted)
            alone = [(sort, i) for sort in found for i in sort.ids if (sort.name, i) in self._suspects]
        except db.COLLIDED:
            return 1  # another evaluator, or staff who handled an alert
        except Exception as error:
            if _away(error) or not found:
                raise
            _log.warning("evaluating one by one", error=type(error).__name__, where=log.where(error))
            alone = [(sort, i) for sort in found for i in sort.ids]
        for sort, subject_id in alone:
            done += await self._one(sort, subject_id)
        return done

    async def drain(self) -> None:
        """Evaluate until nothing is due that can be done now, without patience."""
        while await self.cycle(patience_seconds=0.0):
            pass

    async def measure(self) -> None:
        """Bring the gauges up to date."""
        async with self.database.transaction(ACTOR, read_only=True) as connection:
            rows, oldest = await evaluation.queue(connection, self.clock.horizon())
            open_alerts = await alerts.open_by_priority(connection)
        metrics.DUE_ROWS.set(rows)
        age = 0.0 if oldest is None else (clocks.real_now() - oldest).total_seconds()
        metrics.DUE_AGE_SECONDS.set(max(age, 0.0))
        for kind in ("physiological", "technical"):
            for priority in ("high", "medium", "low"):
                metrics.OPEN_ALERTS.labels(kind, priority).set(open_alerts.get((kind, priority), 0))

    async def _together(self, found: list[Sort], wanted: evaluation.Wanted) -> int:
        """One transaction: find what is due and evaluate it, except subjects that failed lately.

        It sees the database as it was at its beginning: what ingest commits meanwhile is new to the next one, and
        not late to it.
        """
        with metrics.EVALUATION_SECONDS.time():
            async with self.database.transaction(ACTOR, steady=True) as connection:
                moment = await self._moment(connection)
                due = await evaluation.candidates(
                    connection, moment.horizon, self.batch, until=moment.until, wanted=wanted
                )
                self.late_waiting = due.late_waiting
                found += [Sort("resident", due.residents), Sort("device", due.devices)]
                done = rows = 0
                for sort in found:
                    ids = [i for i in sort.ids if (sort.name, i) not in self._suspects]
                    if ids:
                        each = await sort.evaluate(connection, ids, moment, self.library, late=wanted.late)
                        done += each.subjects
                        rows += each.rows
                failpoints.reach("alerting.before_commit")
            failpoints.reach("alerting.committed")
            if wanted.live:
                self.rows_each = rows / max(done, 1)
            return done

    async def _moment(self, connection: Connection) -> Moment:
        step = None
        if self.clock.virtual:
            step = await clock.read(connection)
            clock.keep_in_step(self.clock, step)
        if step is None:
            return Moment(self.clock.now(), self.clock.horizon(), clocks.real_now(), evaluation.END)
        # As this transaction sees it: the process's clock may know a later step, whose readings it does not see.
        seen = ClinicalClock(step)
        return Moment(seen.now(), seen.horizon(), clocks.real_now(), seen.horizon())

    async def _one(self, sort: Sort, subject_id: int) -> int:
        """One subject in a transaction of its own; if it fails, its work is put off."""
        key = (sort.name, subject_id)
        suspect = self._suspects.get(key)
        if suspect is not None and clocks.monotonic() < suspect.retry_at:
            return await self._put_off(sort, subject_id, failed=False)
        try:
            with metrics.EVALUATION_SECONDS.time():
                async with self.database.transaction(ACTOR, steady=True) as connection:
                    moment = await self._moment(connection)
                    done = (await sort.evaluate(connection, [subject_id], moment, self.library)).subjects
        except db.COLLIDED:
            return 1
        except Exception as error:
            if _away(error):
                raise
            _log.error(
                "cannot evaluate",
                sort=sort.name,
                subject=subject_id,
                error=type(error).__name__,
                where=log.where(error),
            )
            return await self._put_off(sort, subject_id, failed=True)
        if done:
            self._suspects.pop(key, None)
        return done

    async def _put_off(self, sort: Sort, subject_id: int, *, failed: bool) -> int:
        async with self.database.transaction(ACTOR) as connection:
            moment = await self._moment(connection)
            taken = await sort.take(connection, [subject_id], moment.horizon)
            if not taken.subjects:
                return 0
            suspect = self._suspects.get((sort.name, subject_id), Suspect(0, 0.0))
            if failed:
                attempts = 1 + max(suspect.attempts, *(work.attempts for work in taken.work[subject_id]))
                wait = troubles.back_off(attempts).total_seconds()
                suspect = self._suspects[(sort.name, subject_id)] = Suspect(attempts, clocks.monotonic() + wait)
            until = moment.horizon + timedelta(seconds=max(1.0, suspect.retry_at - clocks.monotonic()))
            await troubles.failed(
                connection, taken, attempts=suspect.attempts, until=until, now=moment.now, actor=ACTOR
            )
        return 1


async def run(*, database: Database, clock: ClinicalClock, health: Health) -> None:
    """Evaluate until cancelled. The database may go away and come back at any time."""
    with beat.beating() as pulse:
        await _keep_running(Evaluator(database, clock), health, pulse)


async def _keep_running(evaluator: Evaluator, health: Health, pulse: Beat) -> None:
    failures = 0
    while True:
        try:
            async with evaluator.database.listen("evaluation_due", lambda _payload: pulse.hear()) as lost:
                failures = 0
                async with asyncio.TaskGroup() as group:
                    group.create_task(_evaluate(evaluator, health, lost, pulse), name="evaluate")
                    group.create_task(_evaluate_late(evaluator, lost, pulse), name="evaluate late work")
        except Exception as group_or_error:
            error = _one(group_or_error)
            if not _away(error):
                _log.error("evaluation failed", error=type(error).__name__, where=log.where(error))
            else:
                _log.warning("the database is away", error=type(error).__name__)
            health.bad("alerting", "the database is away" if _away(error) else "evaluation fails: see the log")
            await pulse.rest(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1


async def _evaluate(evaluator: Evaluator, health: Health, lost: asyncio.Event, pulse: Beat) -> None:
    """Evaluate until the listening connection is lost or something fails."""
    measured = -_METRICS_SECONDS
    while not lost.is_set():
        pulse.heard = False
        started = clocks.monotonic()
        done = await evaluator.live()
        health.good("alerting")
        if clocks.monotonic() - measured >= _METRICS_SECONDS:
            await evaluator.measure()
            measured = clocks.monotonic()
        took = clocks.monotonic() - started
        if done >= _MANY or took >= _LONG_SECONDS:
            # Under load ingest has its turn, and more of one resident is evaluated together: also where few
            # residents are much work, because kits send what they kept for days.
            many = done >= _MANY and took >= _HEAVY_SECONDS and evaluator.rows_each >= _CROWDED
            # The more so where much of many residents comes in: each costs something each time, however much it is.
            if pulse.heard or took < _QUIET_SECONDS:
                await _rest(pulse, min(3 * took, _REST_SECONDS) if many else min(took, _BREATH_SECONDS))
        if done:
            continue
        await pulse.rest(_LATE_SECONDS if evaluator.late_waiting else _IDLE_SECONDS, listening=True)
        if pulse.heard:
            # What comes together is evaluated together.
            await pulse.rest(_COALESCE_SECONDS)


async def _rest(pulse: Beat, seconds: float) -> None:
    """Leave the processor to ingest while it takes something in; the last of a crowd waits for nobody."""
    until = clocks.monotonic() + seconds
    before = pulse.heard
    pulse.heard = True
    while pulse.heard and (left := until - clocks.monotonic()) > 0:
        pulse.heard = False
        await pulse.rest(min(left, _QUIET_SECONDS))
        before = before or pulse.heard
    # What was said meanwhile is still to be looked for.
    pulse.heard = before


async def _evaluate_late(evaluator: Evaluator, lost: asyncio.Event, pulse: Beat) -> None:
    """Beside it, a few residents at a time: what came late, with a rest as long, so that others have their turn."""
    while not lost.is_set():
        started = clocks.monotonic()
        done = await evaluator.late()
        took = clocks.monotonic() - started
        await pulse.rest(min(took, _BREATH_SECONDS) if done else _LATE_SECONDS)


def _one(error: Exception) -> Exception:
    """The failure of a group of tasks: one that is not the database being away, if there is one."""
    if not isinstance(error, ExceptionGroup):
        return error
    found = [_one(each) for each in error.exceptions]
    return next((each for each in found if not _away(each)), found[0])


def _away(error: Exception) -> bool:
    """Whether the database is gone, rather than unable to do this work."""
    return isinstance(error, db.AWAY) and not isinstance(error, db.REFUSED_WORK)
