"""Devices, their credentials, and whose readings they bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from devices import catalogue
from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.model import people, secrets
from telehealth.store import attribution, audit, ingest, residents
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Device:
    id: int
    organisation_id: int
    ward_id: int
    device_id: str
    revoked: bool


async def add(
    connection: Connection,
    *,
    ward_id: int,
    device_id: str,
    model: str,
    codes: Sequence[str],
    actor: Actor,
    now: datetime,
    password: str | None = None,
) -> tuple[Device, str]:
    """Register a device; returns it and its password, of which only a hash is kept."""
    people.check_device_id(device_id)
    if model:
        people.text("model", model, 100)
    for code in codes:
        if code not in catalogue.ENTRIES:
            raise Invalid("codes", "must be codes of the catalogue: see docs/devices.md")
    password = password or secrets.new_device_password()
    try:
        row = await connection.fetchrow(
            sql("devices.add"),
            ward_id,
            device_id,
            model,
            sorted(set(codes)),
            secrets.hash_device_password(password),
            actor,
            now,
        )
    except asyncpg.UniqueViolationError:
        raise Conflict("there is a device of this name already") from None
    if row is None:
        raise NotFound("no such ward: see `telehealth ward list`")
    device = Device(row["id"], row["organisation_id"], ward_id, device_id, revoked=False)
    await _audit(connection, actor, "device.add", device)
    await connection.execute(sql("devices.notify_registry"), device_id)
    return device, password


async def find(connection: Connection, device_id: str) -> Device:
    """By device_id. NotFound if there is none for this actor."""
    row = await connection.fetchrow(sql("devices.find"), device_id)
    if row is None:
        raise NotFound("no such device: see `telehealth device list`")
    return Device(**dict(row))


async def listing(connection: Connection, *, ward_id: int | None, now: datetime) -> list[asyncpg.Record]:
    """Devices with ward, last contact and present assignment."""
    return await connection.fetch(sql("devices.listing"), ward_id, now)


async def revoke(connection: Connection, device: Device, *, actor: Actor, now: datetime) -> None:
    """Refuse the device's credentials from now on. Conflict if they are already."""
    if await connection.fetchval(sql("devices.revoke"), device.id, now, actor) is None:
        raise Conflict("this device's credentials are revoked already")
    await _audit(connection, actor, "device.revoke", device)
    await connection.execute(sql("devices.notify_registry"), device.device_id)


async def assign(
    connection: Connection,
    device: Device,
    resident: residents.Resident,
    *,
    since: datetime,
    until: datetime | None,
    actor: Actor,
    now: datetime,
) -> None:
    """From since to until (or until it is unassigned) the device's readings are this resident's.

    Readings of that time that are there already follow. Conflict if the device is somebody's then.
    """
    people.aware("from", since)
    if until is not None and people.aware("to", until) <= since:
        raise Invalid("to", "must be after from")
    if await residents.ward_is_simulated(connection, device.ward_id) != resident.simulated:
        raise Conflict("simulated and real wards never mix")
    try:
        await connection.execute(
            sql("devices.assign"), device.organisation_id, device.id, resident.id, since, until, actor, now
        )
    except asyncpg.ExclusionViolationError:
        raise Conflict("the device is assigned during that time already: unassign it first") from None
    await _journal(connection, "assigned", device, resident.id, since, until, actor, now)
    await reattribute(connection, device, residents_touched=[resident.id], since=since, now=now)
    await _audit(connection, actor, "device.assign", device, resident_id=resident.id)


async def unassign(connection: Connection, device: Device, *, at: datetime, actor: Actor, now: datetime) -> None:
    """The device comes back at a moment; its later readings are nobody's. Conflict if it was nobody's."""
    people.aware("to", at)
    row = await connection.fetchrow(sql("devices.unassign"), device.id, at, actor)
    if row is None:
        raise Conflict("the device is not assigned at that time")
    await _journal(connection, "unassigned", device, row["resident_id"], at, None, actor, now)
    await reattribute(connection, device, residents_touched=[row["resident_id"]], since=at, now=now)
    await _audit(connection, actor, "device.unassign", device, resident_id=row["resident_id"])


async def reattribute(
    connection: Connection, device: Device, *, residents_touched: Sequence[int], since: datetime, now: datetime
) -> None:
    """Derive anew whose the device's readings are from a time on, and have those residents judged again."""
    # What ingest took in by the old assignment is waited for; what it takes in from here on goes by the new one.
    await connection.execute(sql("devices.hold"), device.id)
    await attribution.hold(connection, device.id)
    touched = await attribution.derive(connection, device.id, since=since, also=residents_touched, now=now)
    await ingest.recompute_latest(connection, touched)
    await ingest.hint(connection, residents=sorted({whose for whose, _ in touched}), wards=[device.ward_id])


async def _journal(
    connection: Connection,
    kind: str,
    device: Device,
    resident_id: int,
    since: datetime,
    until: datetime | None,
    actor: Actor,
    now: datetime,
) -> None:
    await connection.execute(
        sql("devices.record_attribution"),
        device.organisation_id,
        kind,
        device.id,
        resident_id,
        since,
        until,
        None,
        actor,
        now,
    )


async def _audit(
    connection: Connection, actor: Actor, action: str, device: Device, *, resident_id: int | None = None
) -> None:
    await audit.write(
        connection,
        actor,
        action,
        object_kind="device",
        object_id=device.device_id,
        resident_id=resident_id,
        ward_id=device.ward_id,
    )


async def end_stay(
    connection: Connection,
    resident: residents.Resident,
    *,
    at: datetime,
    died: bool,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Discharge or death: the spell ends, the resident's devices come back, their later readings are nobody's.

    So do places on shared devices.
    """
    returned = await residents.end_spell(connection, resident, at=at, died=died, reason=reason, actor=actor, now=now)
    left = await connection.fetch(sql("seats.end_of_resident"), resident.id, at, actor)
    for device_pk in sorted({*returned, *(seat["device_pk"] for seat in left)}):
        row = await connection.fetchrow(sql("devices.by_key"), device_pk)
        assert row is not None
        device = Device(**dict(row))
        if device_pk in returned:
            await _journal(connection, "unassigned", device, resident.id, at, None, actor, now)
        for seat in left:
            if seat["device_pk"] == device_pk:
                place = (seat["kind"], seat["label"], actor, now)
                whose = (device.organisation_id, "unseated", device.id, resident.id, at, None)
                await connection.execute(sql("seats.record"), *whose, *place)
        await reattribute(connection, device, residents_touched=[resident.id], since=at, now=now)
