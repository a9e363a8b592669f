"""Builders of small worlds: a ward with staff, residents, devices and readings, straight into the tables.

All ids are of the database. Times are arguments; T0 is a convenient beginning.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from telehealth.store import db
from telehealth.store.db import Connection, Database

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACTOR = db.operator("tests")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ward:
    id: int
    organisation_id: int


@dataclass(frozen=True)
class Resident:
    id: int
    nhs_number: str
    ward: Ward
    #: Null for a resident built with admitted_at=None.
    spell_id: int | None


@dataclass(frozen=True)
class Device:
    pk: int
    device_id: str
    ward: Ward


def nhs_number(serial: int) -> str:
    """A valid number of the never-issued 999 range, another for each serial."""
    for candidate in itertools.count(serial * 2):
        digits = f"999{candidate % 1_000_000:06d}"
        check = 11 - sum(int(d) * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return digits + str(check % 11)
    raise AssertionError


def threshold(
    code: str = "spo2",
    *,
    unit: str = "%",
    red_low: float | None = 88.0,
    amber_low: float | None = 92.0,
    amber_high: float | None = None,
    red_high: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A threshold rule as rule_version holds it; sampling spot unless said."""
    rule: dict[str, Any] = {
        "kind": "threshold",
        "code": code,
        "unit": unit,
        "red_low": red_low,
        "amber_low": amber_low,
        "amber_high": amber_high,
        "red_high": red_high,
        "hysteresis": 1.0,
        "sampling": "spot",
        "persistence_seconds": 0,
        "priority": {"red": "high", "amber": "medium"},
        "source": "test",
        "approval": "draft",
    }
    return rule | more


def rule_set(*rules: Mapping[str, Any]) -> dict[str, Any]:
    """The rule set of a resident: the SpO2 rule above unless others are given."""
    return {"pathway": "test", "version": "1", "rules": list(rules) or [threshold()]}


async def ward(database: Database, name: str | None = None, *, simulated: bool = True) -> Ward:
    """A ward of the organisation "Test Trust", which is made when missing."""
    async with database.transaction(ACTOR) as connection:
        organisation = await connection.fetchval("SELECT id FROM organisation WHERE name = 'Test Trust'")
        if organisation is None:
            organisation = await connection.fetchval(
                "INSERT INTO organisation (name, created_at) VALUES ('Test Trust', $1) RETURNING id", T0
            )
        found = await connection.fetchval(
            "INSERT INTO ward (organisation_id, name, simulated, created_by, created_at)"
            " VALUES ($1, $2, $3, $4, $5) RETURNING id",
            organisation,
            name or f"Ward {next(_numbers)}",
            simulated,
            ACTOR,
            T0,
        )
    return Ward(found, organisation)


async def staff(database: Database, *wards: Ward, username: str | None = None, role: str = "clinician") -> int:
    """A member of staff who belongs to the given wards (at least one); has no password."""
    name = username or f"staff{next(_numbers)}"
    async with database.transaction(ACTOR) as connection:
        found: int = await connection.fetchval(
            "INSERT INTO staff (organisation_id, username, display_name, role, created_by, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            wards[0].organisation_id,
            name,
            name.capitalize(),
            role,
            ACTOR,
            T0,
        )
        await connection.executemany(
            "INSERT INTO membership (staff_id, ward_id, created_by, created_at) VALUES ($1, $2, $3, $4)",
            [(found, w.id, ACTOR, T0) for w in wards],
        )
    return found


async def resident(
    database: Database,
    of: Ward,
    *,
    rules: Mapping[str, Any] | None = None,
    schedule: Mapping[str, Any] | None = None,
    admitted_at: datetime | None = T0 - timedelta(days=1),
    zone: str = "Europe/London",
    born: datetime = datetime(1950, 5, 17, tzinfo=UTC),
) -> Resident:
    """A resident, admitted (unless admitted_at is None) under the given rules from that moment on."""
    serial = next(_numbers)
    number = nhs_number(serial)
    spell_id: int | None = None
    async with database.transaction(ACTOR) as connection:
        found: int = await connection.fetchval(
            "INSERT INTO resident (organisation_id, ward_id, simulated, nhs_number, family_name, given_name, born,"
            " zone, created_by, created_at) SELECT $1, w.id, w.simulated, $3, $4, 'Test', $5, $6, $7, $8"
            " FROM ward w WHERE w.id = $2 RETURNING id",
            of.organisation_id,
            of.id,
            number,
            f"Resident{serial}",
            born.date(),
            zone,
            ACTOR,
            T0,
        )
        if admitted_at is not None:
            spell_id = await connection.fetchval(
                "INSERT INTO spell (organisation_id, resident_id, ward_id, pathway, pathway_version, schedule, during,"
                " created_by, created_at)"
                " VALUES ($1, $2, $3, 'test', '1', $4, tstzrange($5, NULL), $6, $7) RETURNING id",
                of.organisation_id,
                found,
                of.id,
                dict(schedule or {}),
                admitted_at,
                ACTOR,
                admitted_at,
            )
            await _insert_rules(connection, of, found, rules or rule_set(), admitted_at)
            await due(connection, of, resident_id=found, earliest_at=admitted_at, cause="admitted")
    return Resident(found, number, of, spell_id)


async def _insert_rules(
    connection: Connection, of: Ward, resident_id: int, rules: Mapping[str, Any], valid_from: datetime
) -> None:
    await connection.execute(
        "INSERT INTO rule_version (organisation_id, resident_id, valid_from, rules, reason, created_by, created_at)"
        " VALUES ($1, $2, $3, $4, 'test', $5, $3)",
        of.organisation_id,
        resident_id,
        valid_from,
        dict(rules),
        ACTOR,
    )


async def new_rules(database: Database, of: Resident, rules: Mapping[str, Any], valid_from: datetime) -> None:
    """A further rule version, with the due row that it causes."""
    async with database.transaction(ACTOR) as connection:
        await _insert_rules(connection, of.ward, of.id, rules, valid_from)
        await due(connection, of.ward, resident_id=of.id, earliest_at=valid_from, cause="rules")


async def pause(database: Database, of: Resident, since: datetime, until: datetime | None) -> None:
    """Monitoring paused, with the due row that it causes."""
    async with database.transaction(ACTOR) as connection:
        await connection.execute(
            "INSERT INTO pause (organisation_id, resident_id, during, reason, created_by, created_at)"
            " VALUES ($1, $2, tstzrange($3, $4), 'in hospital', $5, $3)",
            of.ward.organisation_id,
            of.id,
            since,
            until,
            ACTOR,
        )
        await due(connection, of.ward, resident_id=of.id, earliest_at=since, cause="pause")


async def discharge(database: Database, of: Resident, at: datetime) -> None:
    """The spell ended, with the due row that it causes."""
    async with database.transaction(ACTOR) as connection:
        await connection.execute(
            "UPDATE spell SET during = tstzrange(lower(during), $2), end_kind = 'discharged', end_reason = 'well',"
            " ended_by = $3 WHERE id = $1",
            of.spell_id,
            at,
            ACTOR,
        )
        await due(connection, of.ward, resident_id=of.id, earliest_at=at, cause="discharge")


async def device(
    database: Database,
    of: Ward,
    device_id: str | None = None,
    *,
    codes: Sequence[str] = ("spo2",),
    resident: Resident | None = None,
    assigned_from: datetime = T0 - timedelta(days=1),
    password_hash: str = "",
) -> Device:
    """A registered device, assigned to the resident if there is one."""
    name = device_id or f"device-{next(_numbers)}"
    async with database.transaction(ACTOR) as connection:
        pk: int = await connection.fetchval(
            "INSERT INTO device (organisation_id, ward_id, device_id, codes, password_hash, created_by, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
            of.organisation_id,
            of.id,
            name,
            list(codes),
            password_hash,
            ACTOR,
            assigned_from,
        )
        if resident is not None:
            await connection.execute(
                "INSERT INTO device_assignment"
                " (organisation_id, device_pk, resident_id, during, created_by, created_at)"
                " VALUES ($1, $2, $3, tstzrange($4, NULL), $5, $4)",
                of.organisation_id,
                pk,
                resident.id,
                assigned_from,
                ACTOR,
            )
    return Device(pk, name, of)


async def due(
    connection: Connection,
    of: Ward,
    *,
    resident_id: int | None = None,
    device_pk: int | None = None,
    earliest_at: datetime,
    cause: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """A due row as whoever changes something leaves it, and the hint."""
    await connection.execute(
        "INSERT INTO evaluation_due (organisation_id, resident_id, device_pk, earliest_at, cause, written_at, detail)"
        " VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6)",
        of.organisation_id,
        resident_id,
        device_pk,
        earliest_at,
        cause,
        dict(detail) if detail is not None else None,
    )
    await connection.execute("SELECT pg_notify('evaluation_due', '')")


@dataclass(frozen=True)
class Sample:
    """One reading to insert. value: a number, a code such as "A", or None for a failed measurement."""

    code: str
    value: float | str | None
    at: datetime
    unit: str | None = "%"
    marks: Sequence[str] | None = None
    flags: Sequence[str] | None = None
    set_id: str | None = None
    source_id: str | None = None
    #: False: the device's clock is not to be believed at all.
    known_time: bool = True


def spo2(value: float | None, at: datetime, **more: Any) -> Sample:
    """An SpO2 in percent."""
    return Sample("spo2", value, at, **more)


async def readings(database: Database, of: Resident, *samples: Sample, received_at: datetime | None = None) -> int:
    """Insert readings of a resident with the due row, in one transaction; returns how many were new."""
    async with database.transaction(ACTOR) as connection:
        return await insert_readings(connection, of.ward, samples, resident_id=of.id, received_at=received_at)


async def insert_readings(
    connection: Connection,
    of: Ward,
    samples: Sequence[Sample],
    *,
    resident_id: int | None = None,
    device_pk: int | None = None,
    received_at: datetime | None = None,
) -> int:
    """As readings(), within the caller's transaction; without a resident no due row is written."""
    new = []
    for sample in samples:
        number = sample.value if isinstance(sample.value, int | float) else None
        code = sample.value if isinstance(sample.value, str) else None
        done = await connection.execute(
            "INSERT INTO reading (taken_at, identity, value_key, organisation_id, device_pk, resident_id, effective_at,"
            " received_at, value, value_code, code, unit, value_sent, set_id, source_id, flags, marks, absent)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
            " ON CONFLICT DO NOTHING",
            sample.at,
            _identity(resident_id, device_pk, sample),
            _value_key(sample),
            of.organisation_id,
            device_pk,
            resident_id,
            sample.at if sample.known_time else None,
            received_at or sample.at,
            None if number is None else float(number),
            code,
            sample.code,
            sample.unit if number is not None else None,
            json.dumps(sample.value),
            sample.set_id,
            sample.source_id,
            None if sample.flags is None else list(sample.flags),
            None if sample.marks is None else list(sample.marks),
            "error" if sample.value is None else None,
        )
        if done == "INSERT 0 1":
            new.append(sample)
    timed = [sample.at for sample in new if sample.known_time]
    if timed and resident_id is not None:
        await due(connection, of, resident_id=resident_id, earliest_at=min(timed), cause="reading")
    return len(new)


def _identity(resident_id: int | None, device_pk: int | None, sample: Sample) -> str:
    parts = [resident_id, device_pk, sample.code, sample.at.isoformat(), sample.source_id]
    digest = hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


def _value_key(sample: Sample) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(sample.value).encode()).digest()[:7])


async def strike(database: Database, of: Resident, sample: Sample) -> None:
    """Strike the reading that the sample made, with the due row that it causes."""
    async with database.transaction(ACTOR) as connection:
        done = await connection.execute(
            "UPDATE reading SET struck = true WHERE taken_at = $1 AND identity = $2 AND value_key = $3",
            sample.at,
            _identity(of.id, None, sample),
            _value_key(sample),
        )
        assert done == "UPDATE 1", done
        await due(connection, of.ward, resident_id=of.id, earliest_at=sample.at, cause="strike")
