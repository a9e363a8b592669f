"""What staff put right about readings: whose they are, when they were taken, that they count for nothing.

A decision stands above the rules: it is kept in the log of attributions and in the mark "repaired", and neither
a later change of assignment nor the same reading coming again undoes it. Whoever decides must see both the
resident whom readings are taken from and the one whom they are given to; for what is or becomes nobody's, the device.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import asyncpg

from devices.timing import TOLERANCE
from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.model import people
from telehealth.model.attribution import Claims, Seat
from telehealth.store import attribution, audit, ingest, unattributed
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql
from telehealth.store.residents_view import ReadingKey

#: Readings in one go.
MOST = 10_000
LONGEST = timedelta(days=366)

Kind = Literal["reading", "set", "period"]
How = Literal["arrived", "said", "at"]

#: Only where one of these is marked does staff set the time.
DOUBTFUL = frozenset({"no_time", "held", "undated", "clock_uncertain", "zone_assumed"})


@dataclass(frozen=True)
class Scope:
    """How much besides one reading: its set, or all that its device has of [since, until) of the same resident."""

    kind: Kind = "reading"
    since: datetime | None = None
    until: datetime | None = None

    def period(self) -> tuple[datetime, datetime]:
        """Invalid if it is none."""
        if self.since is None or self.until is None:
            raise Invalid("since", "and until are needed for a period")
        since, until = people.aware("since", self.since), people.aware("until", self.until)
        if not since < until:
            raise Invalid("until", "must be after since")
        if until - since > LONGEST:
            raise Invalid("until", "must be at most a year after since")
        return since, until


@dataclass(frozen=True)
class Done:
    """What a decision came to. operation: by which the log knows it, if it is about whose or when."""

    readings: int
    operation: uuid.UUID | None = None


async def reading(connection: Connection, key: ReadingKey) -> asyncpg.Record:
    """One reading. NotFound if there is none for this actor."""
    row = await connection.fetchrow(sql("repair.reading"), key.taken_at, key.identity, key.value_key)
    if row is None:
        raise NotFound("no such reading")
    return row


async def move(
    connection: Connection,
    key: ReadingKey,
    *,
    to: int | None,
    scope: Scope = Scope(),
    reason: str,
    actor: Actor,
    now: datetime,
) -> Done:
    """Readings are another resident's, or (to None) nobody's; both are judged again.

    To the resident whose they are already: staff confirm that they are. Of a period, what the device brings of it
    later goes the same way. Raises Invalid for the reason or period, NotFound for what the actor may not see,
    Conflict for readings that were struck, have no time yet or were keyed, and between simulated and real wards.
    """
    people.text("reason", reason, 500)
    one = await _held(connection, key)
    before = one["resident_id"]
    await _check_target(connection, one, to)
    if one["effective_at"] is None:
        raise Conflict("first say when this reading was taken")
    rows = await _selected(connection, one, scope)
    timed = {row["identity"] for row in rows if row["effective_at"] is not None}
    rows = [row for row in rows if row["identity"] in timed]
    operation = uuid.uuid4()
    await connection.execute(sql("repair.move"), *_keys(rows), to)
    await _record(connection, "repair", one, rows, [to] * len(rows), None, (reason, actor, now, operation))
    if scope.kind == "period":
        since, until = scope.period()
        said = one["subject"] is not None or one["slot"] is not None
        if said and await attribution.decided_unseen(connection, one["device_pk"]):
            raise Conflict("residents of wards that are not yours use this device too: move single readings or sets")
        seat = await _seat(connection, one)
        values = (one["organisation_id"], one["device_pk"], before, to, since, until, seat.kind, seat.label)
        await connection.execute(sql("repair.record_period"), *values, reason, actor, now, operation)
    touched = [(row["effective_at"], whose, row["code"]) for row in rows for whose in (row["resident_id"], to)]
    await _judge(connection, one, touched, [row["received_at"] for row in rows], now)
    detail = {"from": before, "to": to, "readings": len(rows), "scope": scope.kind, "reason": reason}
    detail |= {"operation": str(operation)} | _times(scope)
    await _audit(connection, actor, "reading.move", one, {to, *(row["resident_id"] for row in rows)}, detail)
    return Done(len(rows), operation)


async def set_time(
    connection: Connection,
    key: ReadingKey,
    *,
    how: How,
    at: datetime | None = None,
    scope: Scope = Scope("set"),
    actor: Actor,
    now: datetime,
) -> Done:
    """When readings of doubtful time were taken: when they arrived, as the device said, or at a time.

    They are then whose the rules make them by that time. Raises Invalid for the time, Conflict where no time is in
    doubt or the device said none, NotFound for what the actor may not see.
    """
    one = await _held(connection, key)
    rows = await _selected(connection, one, scope)
    doubted = {row["identity"] for row in rows if not DOUBTFUL.isdisjoint(row["marks"] or ())}
    if one["identity"] not in doubted:
        raise Conflict("the time of this reading is not in doubt")
    rows = [row for row in rows if row["identity"] in doubted]
    given: dict[uuid.UUID, datetime] = {}
    for row in sorted(rows, key=lambda row: bool(row["value_key"] != key.value_key)):
        given.setdefault(row["identity"], _time(row, how, at, now))
    times = [given[row["identity"]] for row in rows]
    whose = await _derived(connection, one, rows, times)
    operation = uuid.uuid4()
    await connection.execute(sql("repair.set_time"), *_keys(rows), times, whose)
    await _record(connection, "time", one, rows, whose, times, (how, actor, now, operation))
    touched = [(row["effective_at"], row["resident_id"], row["code"]) for row in rows]
    touched += [(time, new, row["code"]) for row, time, new in zip(rows, times, whose, strict=True)]
    touched += [(time, row["resident_id"], row["code"]) for row, time in zip(rows, times, strict=True)]
    await _judge(connection, one, touched, [*times, *(row["received_at"] for row in rows)], now)
    concerned = {one["resident_id"], *whose}
    detail = {"how": how, "readings": len(rows), "scope": scope.kind, "operation": str(operation)}
    await _audit(connection, actor, "reading.time", one, concerned, detail)
    return Done(len(rows), operation)


async def set_aside(
    connection: Connection,
    key: ReadingKey,
    *,
    scope: Scope = Scope(),
    reason: str,
    actor: Actor,
    now: datetime,
) -> Done:
    """Readings count for nothing: struck. Invalid for the reason, NotFound, Conflict if they are already."""
    people.text("reason", reason, 500)
    one = await _held(connection, key)
    rows = await _selected(connection, one, scope)
    if scope.kind == "reading":
        rows = [row for row in rows if row["value_key"] == key.value_key]
    await _strike(connection, one, rows, reason, actor, now)
    detail = {"readings": len(rows), "scope": scope.kind, "reason": reason} | _times(scope)
    await _audit(connection, actor, "reading.set_aside", one, {one["resident_id"]}, detail)
    return Done(len(rows))


async def choose(connection: Connection, key: ReadingKey, *, reason: str, actor: Actor, now: datetime) -> Done:
    """Of several values for one reading this one holds; the others are struck. readings: how many those are.

    Raises Invalid for the reason, NotFound, Conflict if there is no other value.
    """
    people.text("reason", reason, 500)
    one = await _held(connection, key)
    others = [row for row in await _selected(connection, one, Scope()) if row["value_key"] != key.value_key]
    if not others:
        raise Conflict("this reading has one value only")
    await connection.execute(sql("repair.settle_conflict"), key.taken_at, key.identity, key.value_key)
    await _strike(connection, one, others, reason, actor, now)
    detail = {"value_key": str(key.value_key), "struck": len(others), "reason": reason}
    await _audit(connection, actor, "reading.choose", one, {one["resident_id"]}, detail)
    return Done(len(others))


# Which readings ---------------------------------------------------------------------------------------


async def _held(connection: Connection, key: ReadingKey) -> asyncpg.Record:
    """The reading, read under the lock of its device. Conflict if it counts for nothing already."""
    one = await reading(connection, key)
    if one["device_pk"] is not None:
        await attribution.hold(connection, one["device_pk"])
        one = await reading(connection, key)
    if one["struck"]:
        raise Conflict("this reading is struck already")
    return one


async def _selected(connection: Connection, one: asyncpg.Record, scope: Scope) -> list[asyncpg.Record]:
    device_pk, resident_id, set_id = one["device_pk"], one["resident_id"], one["set_id"]
    if scope.kind == "period":
        since, until = scope.period()
        if device_pk is None:
            raise Conflict("this reading was keyed: no device has others of that time")
        if resident_id is not None:
            rows = await connection.fetch(sql("repair.of_period"), resident_id, device_pk, since, until)
        else:
            said = (one["subject"], one["slot"])
            rows = await connection.fetch(sql("repair.of_held_period"), device_pk, since, until, *said)
    elif scope.kind == "set":
        same = (set_id, one["taken_at"])
        if resident_id is not None:
            where = (resident_id, device_pk, one["effective_at"])
            rows = await connection.fetch(sql("repair.of_set"), *where, *same, one["received_at"])
        else:
            rows = await connection.fetch(sql("repair.of_held_set"), device_pk, one["received_at"], *same)
    else:
        rows = await connection.fetch(sql("repair.of_reading"), one["taken_at"], one["identity"])
    if scope.kind != "reading" and any("conflict" in (row["marks"] or ()) for row in rows):
        # Values of one reading stay together, whatever their clock made of their times.
        rows = await connection.fetch(sql("repair.all_values"), *_keys(rows)[:2])
    if len(rows) > MOST:
        raise Invalid("until", f"takes in more than {MOST} readings: choose a shorter time")
    if not rows:
        raise Conflict("there is no reading in that time")
    return rows


def _keys(rows: Sequence[asyncpg.Record]) -> tuple[list[Any], list[Any], list[Any]]:
    return (
        [row["taken_at"] for row in rows],
        [row["identity"] for row in rows],
        [row["value_key"] for row in rows],
    )


# Whose and when ---------------------------------------------------------------------------------------


async def _check_target(connection: Connection, one: asyncpg.Record, to: int | None) -> None:
    if to is None:
        if one["resident_id"] is None:
            raise Conflict("this reading is nobody's already")
        if one["device_pk"] is None:
            raise Conflict("this reading was keyed: strike it instead")
        if one["device_ward_id"] is None:
            raise NotFound("the device is of another ward")
        return
    target = await connection.fetchrow(sql("repair.resident"), to)
    if target is None:
        raise NotFound("no such resident")
    simulated = one["resident_simulated"] if one["resident_id"] is not None else one["device_simulated"]
    if target["simulated"] != simulated:
        raise Conflict("simulated and real wards never mix")
    if target["organisation_id"] != one["organisation_id"]:
        raise Conflict("the reading and the resident are not of the same organisation")


async def _seat(connection: Connection, one: asyncpg.Record) -> Seat:
    decided = (await attribution.claims(connection, [one["device_pk"]])).get(one["device_pk"], Claims())
    return decided.seat_of(
        one["subject"], attribution.plain_slot(one["slot"]), one["effective_at"] or one["received_at"]
    )


async def _derived(
    connection: Connection, one: asyncpg.Record, rows: Sequence[asyncpg.Record], times: Sequence[datetime]
) -> list[int | None]:
    """Whose the readings are by the rules at these times, where no person has decided."""
    if one["device_pk"] is None or await attribution.decided_unseen(connection, one["device_pk"]):
        # By what the actor sees they could be the wrong person's: whoever decides says whose as well.
        return [row["resident_id"] for row in rows]
    decided = (await attribution.claims(connection, [one["device_pk"]])).get(one["device_pk"], Claims())
    settled = await attribution.settled(connection, [row["identity"] for row in rows])
    found: list[int | None] = []
    for row, time in zip(rows, times, strict=True):
        whose: int | None = settled.get(row["identity"])
        if row["identity"] not in settled:
            slot = attribution.plain_slot(row["slot"])
            whose, _ = decided.whose(time, uncertain=False, subject=row["subject"], slot=slot)
        found.append(whose)
    return found


def _time(row: asyncpg.Record, how: How, at: datetime | None, now: datetime) -> datetime:
    received_at: datetime = row["received_at"]
    if how == "arrived":
        return received_at
    if how == "said":
        if {"undated", "zone_assumed"} & set(row["marks"] or ()):
            raise Conflict("the device did not say when this reading was taken")
        said: datetime = row["taken_at"]
        if said > min(received_at, now) + TOLERANCE:
            raise Conflict("the time that the device said is after the reading arrived")
        return said
    if at is None:
        raise Invalid("at", "is needed")
    if people.aware("at", at) > min(received_at, now) + TOLERANCE:
        raise Invalid("at", "is after the reading arrived")
    return at


# What follows -----------------------------------------------------------------------------------------


async def _record(
    connection: Connection,
    kind: str,
    one: asyncpg.Record,
    rows: Sequence[asyncpg.Record],
    after: Sequence[int | None],
    times: Sequence[datetime] | None,
    common: tuple[str, Actor, datetime, uuid.UUID],
) -> None:
    """One entry of the log for each reading, whatever number of values it has."""
    first: dict[uuid.UUID, int] = {}
    for position, row in enumerate(rows):
        first.setdefault(row["identity"], position)
    places = list(first.values())
    await connection.execute(
        sql("repair.record"),
        [rows[i]["taken_at"] for i in places],
        list(first),
        [rows[i]["resident_id"] for i in places],
        [after[i] for i in places],
        [None if times is None else rows[i]["effective_at"] for i in places],
        [None if times is None else times[i] for i in places],
        one["organisation_id"],
        kind,
        one["device_pk"],
        *common,
    )


async def _strike(
    connection: Connection,
    one: asyncpg.Record,
    rows: Sequence[asyncpg.Record],
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    await connection.execute(sql("repair.strike"), *_keys(rows), reason, actor, now)
    touched = [(row["effective_at"], row["resident_id"], row["code"]) for row in rows]
    await _judge(connection, one, touched, [row["received_at"] for row in rows], now)


async def _judge(
    connection: Connection,
    one: asyncpg.Record,
    touched: Sequence[tuple[datetime | None, int | None, str]],
    received: Sequence[datetime],
    now: datetime,
) -> None:
    """Latest values, evaluation and screens after a decision. touched: (clinical time, whose, code)."""
    earliest = attribution.first_touched((at, whose) for at, whose, _ in touched)
    await ingest.recompute_latest(connection, {(whose, code) for _, whose, code in touched if whose is not None})
    await attribution.due(connection, earliest, "repair")
    if one["device_pk"] is not None:
        since = min([*received, *(at for at, _, _ in touched if at is not None)])
        await unattributed.ask(connection, one["device_pk"], since, now)
    wards = {one["device_ward_id"], one["resident_ward_id"]} - {None}
    await ingest.hint(connection, residents=sorted(earliest), wards=sorted(wards))


def _times(scope: Scope) -> dict[str, str]:
    if scope.kind != "period":
        return {}
    since, until = scope.period()
    return {"since": since.isoformat(), "until": until.isoformat()}


async def _audit(
    connection: Connection,
    actor: Actor,
    action: str,
    one: asyncpg.Record,
    concerned: set[int | None],
    detail: dict[str, Any],
) -> None:
    """A row for each resident concerned, so that it is found from either side."""
    residents: list[int | None] = [*sorted(whose for whose in concerned if whose is not None)]
    for resident_id in residents or [None]:
        await audit.write(
            connection,
            actor,
            action,
            object_kind="reading",
            object_id=one["identity"],
            resident_id=resident_id,
            ward_id=one["resident_ward_id"] or one["device_ward_id"],
            organisation_id=one["organisation_id"],
            detail=detail,
        )
