"""The clock row: virtual time for demo and tests, moved in steps that lose nothing.

A step is exact: readings of the time before have been taken in and evaluated, what time itself
raises up to the present moment has fired, and only then does the moment move on.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime

from telehealth import log
from telehealth.clock import ClinicalClock, Step, monotonic
from telehealth.errors import Conflict, Invalid, Unavailable
from telehealth.store import db
from telehealth.store.db import Actor, Connection, Database
from telehealth.store.queries import sql

_log = log.get("clock")

_ACTOR = db.service("clock")
_LOOK_SECONDS = 0.01


async def read(connection: Connection) -> Step | None:
    """The virtual moment, or None while time is real."""
    row = await connection.fetchrow(sql("clock.read"))
    if row is None or row["mode"] == "real":
        return None
    return Step(row["at"], row["fired_to"])


def keep_in_step(clock: ClinicalClock, step: Step | None) -> None:
    """Let a process's clock follow what was read. Never backwards: an older read may arrive later."""
    if step is not None and clock.step is not None and (step.at, step.fired_to) < (clock.step.at, clock.step.fired_to):
        return
    clock.step = step


async def follow(database: Database, clock: ClinicalClock, *, every_seconds: float = 2.0) -> None:
    """Keep the clock in step with the row until cancelled; survives the database going away.

    every_seconds: the longest that a lost notification can go unnoticed.
    """
    moved = asyncio.Event()
    while True:
        try:
            async with database.listen("clock", lambda _payload: moved.set()) as lost:
                while not lost.is_set():
                    moved.clear()
                    async with database.transaction(_ACTOR, read_only=True) as connection:
                        keep_in_step(clock, await read(connection))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(moved.wait(), every_seconds)
        except db.AWAY as error:
            _log.warning("cannot read the clock row", error=type(error).__name__)
            await asyncio.sleep(every_seconds)


async def set_virtual(database: Database, clock: ClinicalClock, at: datetime, *, actor: Actor = _ACTOR) -> None:
    """Begin virtual time at a moment, with nothing fired before it; or continue at it.

    Raises Conflict if virtual time is already later: it never goes back.
    """
    async with database.transaction(actor) as connection:
        step = await begin_virtual(connection, at)
    clock.step = step


async def begin_virtual(connection: Connection, at: datetime) -> Step:
    """The same within a transaction; processes follow once it is committed."""
    row = await connection.fetchrow(sql("clock.set_virtual"), at, at)
    if row is None:
        raise Conflict("virtual time is already later than that")
    await connection.execute(sql("clock.notify"))
    return Step(row["at"], row["fired_to"])


async def make_real(database: Database, clock: ClinicalClock, *, actor: Actor = _ACTOR) -> None:
    """End virtual time: from now on the computer's clock counts."""
    async with database.transaction(actor) as connection:
        await connection.execute(sql("clock.make_real"))
        await connection.execute(sql("clock.notify"))
    clock.step = None


async def advance(
    database: Database,
    clock: ClinicalClock,
    to: datetime | None,
    *,
    within_seconds: float = 60.0,
    actor: Actor = _ACTOR,
) -> Step:
    """One step of virtual time: fire everything up to the present moment, then move it.

    to: the next moment, not before the present one (Invalid); None only settles the present.
    Raises Conflict while time is real, Unavailable if the evaluator does not finish in
    within_seconds of real time (the step may then be asked for again).
    """
    async with database.transaction(actor) as connection:
        present = await read(connection)
        if present is None:
            raise Conflict("time is real: there is nothing to advance")
        if to is not None and to < present.at:
            raise Invalid("to", "is before the present moment; time never goes back")
        settled = await _changed(connection, "clock.settle")
    keep_in_step(clock, settled)
    await _drained(database, settled.fired_to, monotonic() + within_seconds, actor)
    if to is None:
        return settled
    async with database.transaction(actor) as connection:
        moved = await _changed(connection, "clock.move", to)
    keep_in_step(clock, moved)
    return moved


async def _changed(connection: Connection, query: str, *arguments: datetime) -> Step:
    row = await connection.fetchrow(sql(query), *arguments)
    if row is None:
        raise Conflict("the clock was changed by somebody else")
    await connection.execute(sql("clock.notify"))
    return Step(row["at"], row["fired_to"])


async def _drained(database: Database, moment: datetime, deadline: float, actor: Actor) -> None:
    while True:
        async with database.transaction(actor, read_only=True) as connection:
            if not await connection.fetchval(sql("clock.work_left"), moment):
                return
        if monotonic() > deadline:
            raise Unavailable("alerting did not finish the present step in time")
        await asyncio.sleep(_LOOK_SECONDS)
