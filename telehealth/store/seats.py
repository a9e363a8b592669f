"""Kits that several people use: whose a named subject or a user's number on a device is, and since when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg

from telehealth.errors import Conflict, Invalid
from telehealth.model import people
from telehealth.model.attribution import Seat
from telehealth.store import audit, devices, residents
from telehealth.store.db import Actor, Connection
from telehealth.store.devices import Device
from telehealth.store.queries import sql


def seat_of(subject: str | None, slot: str | None) -> Seat:
    """One of the two, as readings say it. Invalid for both, neither, or what no reading can say."""
    if (subject is None) == (slot is None):
        raise Invalid("seat", "name either a subject or a slot")
    if subject is not None:
        return Seat("subject", people.text("subject", subject, 64))
    assert slot is not None
    label = people.text("slot", slot.strip(), 64)
    return Seat("slot", str(int(label)) if label.isascii() and label.isdigit() else label)


async def seat(
    connection: Connection,
    device: Device,
    place: Seat,
    resident: residents.Resident,
    *,
    since: datetime,
    until: datetime | None = None,
    actor: Actor,
    now: datetime,
) -> None:
    """From since to until, readings that say this place are the resident's; those already there follow.

    Conflict if the place is taken then, or if device and resident are not of the same organisation and sort.
    """
    people.aware("since", since)
    if until is not None and people.aware("until", until) <= since:
        raise Invalid("until", "must be after since")
    where = await connection.fetchrow(sql("seats.place"), device.id, since)
    assert where is not None
    if where["simulated"] != resident.simulated:
        raise Conflict("simulated and real wards never mix")
    if where["organisation_id"] != resident.organisation_id:
        raise Conflict("the device and the resident are not of the same organisation")
    values = (device.organisation_id, device.id, place.kind, place.label, resident.id, since, until, actor, now)
    try:
        await connection.execute(sql("seats.seat"), *values)
    except asyncpg.ExclusionViolationError:
        raise Conflict("this place on the device is somebody's during that time already: unseat it first") from None
    await _record(connection, "seated", device, place, resident.id, since, until, actor, now)
    await devices.reattribute(connection, device, residents_touched=[resident.id], since=since, now=now)
    await _audit(connection, actor, "device.seat", device, resident.id, place)


async def unseat(
    connection: Connection, device: Device, place: Seat, *, at: datetime, actor: Actor, now: datetime
) -> int:
    """From a moment on readings that say this place are nobody's; whose it was. Conflict if it was nobody's."""
    people.aware("at", at)
    whose = await connection.fetchval(sql("seats.unseat"), device.id, place.kind, place.label, at, actor)
    if whose is None:
        raise Conflict("nobody has this place on the device at that time")
    await _record(connection, "unseated", device, place, whose, at, None, actor, now)
    await devices.reattribute(connection, device, residents_touched=[whose], since=at, now=now)
    await _audit(connection, actor, "device.unseat", device, whose, place)
    return int(whose)


async def share(
    connection: Connection, device: Device, *, shared: bool, at: datetime, actor: Actor, now: datetime
) -> None:
    """From a moment on the device is a shared kit, or one person's again: what readings do not say is nobody's.

    Conflict if that is so already.
    """
    people.aware("at", at)
    if await connection.fetchval(sql("seats.share" if shared else "seats.unshare"), device.id, at) is None:
        raise Conflict(f"the device is {'' if shared else 'not '}shared at that time already")
    kind = "shared" if shared else "unshared"
    await _record(connection, kind, device, Seat(), None, at, None, actor, now)
    await devices.reattribute(connection, device, residents_touched=[], since=at, now=now)
    await _audit(connection, actor, f"device.{'share' if shared else 'unshare'}", device, None, Seat())


async def listing(connection: Connection, device: Device) -> list[asyncpg.Record]:
    """kind, label, resident_id, nhs_number, seated_from, seated_to."""
    return await connection.fetch(sql("seats.listing"), device.id)


async def _record(
    connection: Connection,
    kind: str,
    device: Device,
    place: Seat,
    resident_id: int | None,
    since: datetime,
    until: datetime | None,
    actor: Actor,
    now: datetime,
) -> None:
    who: tuple[Any, ...] = (device.organisation_id, kind, device.id, resident_id, since, until)
    await connection.execute(sql("seats.record"), *who, place.kind, place.label, actor, now)


async def _audit(
    connection: Connection, actor: Actor, action: str, device: Device, resident_id: int | None, place: Seat
) -> None:
    # The label may be a name: the log of attributions has it, the audit only which sort of place it was.
    await audit.write(
        connection,
        actor,
        action,
        object_kind="device",
        object_id=device.device_id,
        resident_id=resident_id,
        ward_id=device.ward_id,
        detail=None if place.kind is None else {"seat": place.kind},
    )
