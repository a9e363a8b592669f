"""Residents and their stay: admission, pause, discharge, death."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg
import msgspec

from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.model import people
from telehealth.store import audit
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Resident:
    id: int
    organisation_id: int
    ward_id: int
    ward: str
    nhs_number: str
    family_name: str
    given_name: str
    title: str | None
    gender: str
    born: date
    zone: str
    simulated: bool
    died_at: datetime | None


async def add(connection: Connection, new: people.NewResident, *, actor: Actor, now: datetime) -> int:
    """Admit a resident: record, spell, rules in force from admission. Returns the resident's id.

    Raises Invalid for a wrong field, Conflict for an NHS number that is there already, NotFound for the ward.
    """
    new.checked(today=now.date())
    if await ward_is_simulated(connection, new.ward_id) and not people.never_issued(new.nhs_number):
        raise Invalid(
            "nhs_number", "on a simulated ward must be in the never-issued range, 999 000 0000 to 999 999 9999"
        )
    try:
        row = await connection.fetchrow(
            sql("residents.add"),
            new.ward_id,
            new.nhs_number,
            new.family_name,
            new.given_name,
            new.title,
            new.gender,
            new.born,
            new.zone,
            actor,
            now,
        )
    except asyncpg.UniqueViolationError:
        raise Conflict("there is a resident with this NHS number already") from None
    assert row is not None
    resident_id, organisation_id = int(row["id"]), int(row["organisation_id"])
    await connection.execute(
        sql("residents.add_spell"),
        organisation_id,
        resident_id,
        new.ward_id,
        new.pathway,
        new.pathway_version,
        new.schedule,
        new.admitted_at,
        actor,
        now,
    )
    await connection.execute(
        sql("residents.add_rules"),
        organisation_id,
        resident_id,
        new.admitted_at,
        new.rules,
        new.spo2_scale,
        "admission",
        actor,
        now,
    )
    await _changed(connection, resident_id, new.admitted_at, "admitted", now)
    await _audit(connection, actor, "resident.add", resident_id, new.ward_id)
    return resident_id


async def find(connection: Connection, nhs_number: str) -> Resident:
    """By NHS number (ten digits; blanks are ignored). NotFound if there is none for this actor."""
    row = await connection.fetchrow(sql("residents.by_nhs_number"), nhs_number.replace(" ", ""))
    if row is None:
        raise NotFound("no resident with this NHS number: see `telehealth resident list`")
    return Resident(**dict(row))


async def by_id(connection: Connection, resident_id: int) -> Resident:
    """By the number that the service gave. NotFound if there is none for this actor."""
    row = await connection.fetchrow(sql("residents.by_id"), resident_id)
    if row is None:
        raise NotFound("no resident with this number: see `telehealth resident list`")
    return Resident(**dict(row))


async def listing(connection: Connection, *, ward_id: int | None, now: datetime) -> list[asyncpg.Record]:
    """Residents of a ward, or all, with their present spell and pause."""
    return await connection.fetch(sql("residents.listing"), ward_id, now)


async def history(connection: Connection, resident_id: int) -> dict[str, list[dict[str, Any]]]:
    """Spells, pauses and versions of the rules, newest first."""
    return {
        part: [dict(row) for row in await connection.fetch(sql(f"residents.{part}"), resident_id)]
        for part in ("spells", "pauses", "rules")
    }


async def pause(
    connection: Connection,
    resident: Resident,
    *,
    since: datetime,
    until: datetime | None,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Stop physiological and silence rules for a while. Conflict if it overlaps another pause."""
    people.text("reason", reason, 500)
    people.aware("from", since)
    if until is not None and people.aware("until", until) <= since:
        raise Invalid("until", "must be after the beginning of the pause")
    try:
        await connection.execute(
            sql("residents.add_pause"), resident.organisation_id, resident.id, since, until, reason, actor, now
        )
    except asyncpg.ExclusionViolationError:
        raise Conflict("monitoring is paused during that time already") from None
    await _changed(connection, resident.id, since, "paused", now)
    await _audit(connection, actor, "resident.pause", resident.id, resident.ward_id)


async def resume(connection: Connection, resident: Resident, *, at: datetime, actor: Actor, now: datetime) -> None:
    """End the pause that holds at a moment. Conflict if none does."""
    people.aware("at", at)
    row = await connection.fetchrow(sql("residents.end_pause"), resident.id, at, actor)
    if row is None:
        raise Conflict("monitoring is not paused at that time")
    await _changed(connection, resident.id, row["paused_from"], "resumed", now)
    await _audit(connection, actor, "resident.resume", resident.id, resident.ward_id)


async def end_spell(
    connection: Connection,
    resident: Resident,
    *,
    at: datetime,
    died: bool,
    reason: str,
    actor: Actor,
    now: datetime,
) -> list[int]:
    """Discharge, or record a death; a pause ends, devices are unassigned. Returns their keys, for re-attribution."""
    people.text("reason", reason, 500)
    people.aware("at", at)
    kind = "died" if died else "discharged"
    if await connection.fetchval(sql("residents.end_spell"), resident.id, at, kind, reason, actor) is None:
        raise Conflict("there is no stay that is open at that time")
    if died:
        await connection.execute(sql("residents.mark_died"), resident.id, at)
    await connection.execute(sql("residents.end_pauses"), resident.id, at, actor)
    returned = await connection.fetch(sql("residents.end_assignments"), resident.id, at, actor)
    await _changed(connection, resident.id, at, kind, now)
    await _audit(connection, actor, f"resident.{kind}", resident.id, resident.ward_id)
    return [int(row["device_pk"]) for row in returned]


async def refold(connection: Connection, resident_id: int, earliest: datetime, cause: str, now: datetime) -> None:
    """Ask the evaluator to judge a resident again from a clinical time on."""
    await _changed(connection, resident_id, earliest, cause, now)


async def _changed(connection: Connection, resident_id: int, earliest: datetime, cause: str, now: datetime) -> None:
    await connection.execute(sql("residents.due"), resident_id, earliest, cause, now)
    hint = msgspec.json.encode({"residents": [resident_id]}).decode()
    await connection.execute(sql("residents.notify_due"), hint)


async def _audit(connection: Connection, actor: Actor, action: str, resident_id: int, ward_id: int) -> None:
    await audit.write(
        connection,
        actor,
        action,
        object_kind="resident",
        object_id=resident_id,
        resident_id=resident_id,
        ward_id=ward_id,
    )


async def ward_is_simulated(connection: Connection, ward_id: int) -> bool:
    """Whether a ward holds simulated residents. NotFound if there is no such ward."""
    found = await connection.fetchval(sql("residents.ward_simulated"), ward_id)
    if found is None:
        raise NotFound("no such ward: see `telehealth ward list`")
    return bool(found)
