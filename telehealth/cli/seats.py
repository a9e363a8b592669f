"""telehealth device seat|unseat|share|unshare|seats: kits that several people use."""

from __future__ import annotations

from typing import Annotated

import typer

from telehealth.cli import terminal
from telehealth.cli.devices import DeviceId

Subject = Annotated[str | None, typer.Option(help="The subject that readings name.")]
Slot = Annotated[str | None, typer.Option(help="The number of a user on the device.")]


def seat(
    device_id: DeviceId,
    nhs_number: Annotated[str, typer.Option("--resident", help="NHS number.")],
    subject: Subject = None,
    slot: Slot = None,
    since: Annotated[str | None, typer.Option("--since", "--from", help="From when, with offset; else now.")] = None,
    until: Annotated[str | None, typer.Option("--until", "--to", help="Until when, with offset; else open.")] = None,
    json: terminal.Json = False,
) -> None:
    """Readings that name this subject or slot are this resident's; those already there follow."""

    async def job() -> None:
        from telehealth.store import devices, residents, seats

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            begins, ends = terminal.moment(since, field="--since") or now, terminal.moment(until, field="--until")
            device = await devices.find(connection, device_id)
            resident = await residents.find(connection, nhs_number)
            place = seats.seat_of(subject, slot)
            await seats.seat(
                connection, device, place, resident, since=begins, until=ends, actor=terminal.actor(), now=now
            )
        found = {
            "device_id": device_id,
            place.kind: place.label,
            "nhs_number": resident.nhs_number,
            "from": begins,
            "to": ends,
        }
        text = f"{place.kind.capitalize() if place.kind else ''} {place.label} on {device_id} from {begins.isoformat()}"
        terminal.answer(found, as_json=json, text=text)

    terminal.run(job)


def unseat(
    device_id: DeviceId,
    subject: Subject = None,
    slot: Slot = None,
    at: Annotated[str | None, typer.Option("--at", "--to", help="From when, with offset; else now.")] = None,
    json: terminal.Json = False,
) -> None:
    """Readings that name this subject or slot are nobody's from then on."""

    async def job() -> None:
        from telehealth.store import devices, seats

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            ends = terminal.moment(at, field="--at") or now
            device = await devices.find(connection, device_id)
            place = seats.seat_of(subject, slot)
            await seats.unseat(connection, device, place, at=ends, actor=terminal.actor(), now=now)
        found = {"device_id": device_id, place.kind: place.label, "to": ends}
        terminal.answer(found, as_json=json, text=f"{place.label} on {device_id} is nobody's from {ends.isoformat()}")

    terminal.run(job)


def share(
    device_id: DeviceId,
    since: Annotated[str | None, typer.Option("--since", "--from", help="From when, with offset; else now.")] = None,
    json: terminal.Json = False,
) -> None:
    """Several people use the device: a reading that does not say whose it is waits for staff."""
    _share(device_id, since, shared=True, json=json)


def unshare(
    device_id: DeviceId,
    since: Annotated[str | None, typer.Option("--since", "--from", help="From when, with offset; else now.")] = None,
    json: terminal.Json = False,
) -> None:
    """One person uses the device again: its readings are whoever's it is assigned to."""
    _share(device_id, since, shared=False, json=json)


def _share(device_id: str, since: str | None, *, shared: bool, json: bool) -> None:
    async def job() -> None:
        from telehealth.store import devices, seats

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            at = terminal.moment(since, field="--since") or now
            device = await devices.find(connection, device_id)
            await seats.share(connection, device, shared=shared, at=at, actor=terminal.actor(), now=now)
        text = f"Device {device_id} is {'' if shared else 'not '}shared from {at.isoformat()}"
        terminal.answer({"device_id": device_id, "shared": shared, "from": at}, as_json=json, text=text)

    terminal.run(job)


def listing(device_id: DeviceId, json: terminal.Json = False) -> None:
    """Who has which place on a device, now and before."""

    async def job() -> None:
        from telehealth.store import devices, seats

        async with terminal.transaction(read_only=True) as connection:
            device = await devices.find(connection, device_id)
            rows = await seats.listing(connection, device)
        columns = {
            "kind": "Said by",
            "label": "Label",
            "nhs_number": "Resident",
            "seated_from": "From",
            "seated_to": "To",
        }
        terminal.table((dict(row) for row in rows), as_json=json, columns=columns)

    terminal.run(job)
