"""telehealth device add|list|revoke|assign|unassign"""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from telehealth.cli import terminal

app = typer.Typer(help="Devices, their credentials and whose they are.", no_args_is_help=True)

DeviceId = Annotated[str, typer.Argument(help="The device's id.")]


@app.command()
def add(
    ward: Annotated[str, typer.Option(help="The ward that lends it, by name or id.")],
    device_id: Annotated[
        str | None, typer.Option("--id", help="1 to 64 of A-Z a-z 0-9 _ -; made up if left out.")
    ] = None,
    model: Annotated[str, typer.Option(help="Make and model.")] = "",
    code: Annotated[list[str] | None, typer.Option(help="A code that it measures; repeat for more.")] = None,
    count: Annotated[
        int | None,
        typer.Option(help="So many, ID-00000 and so on; printed as a file of devices.", min=1, max=100_000),
    ] = None,
    json: terminal.Json = False,
) -> None:
    """Register a device. Its password is printed once, and only its hash is kept.

    With --count many at once, as JSON that telehealth-sim reads as --devices.
    """

    async def job() -> None:
        from telehealth.store import devices, wards

        name = device_id if device_id is not None else f"dev-{secrets.token_hex(4)}"
        names = [name] if count is None else [f"{name}-{number:05d}" for number in range(count)]
        made: list[dict[str, object]] = []
        async with terminal.transaction() as connection:
            place = await wards.find(connection, ward)
            now = await terminal.clinical_now(connection)
            for each in names:
                device, password = await devices.add(
                    connection,
                    ward_id=place.id,
                    device_id=each,
                    model=model,
                    codes=code or [],
                    actor=terminal.actor(),
                    now=now,
                )
                made.append({"device_id": device.device_id, "password": password, "codes": code or []})
        if count is not None:
            terminal.answer(made, as_json=True, text="")
            return
        found = {"device_id": made[0]["device_id"], "username": made[0]["device_id"], "password": made[0]["password"]}
        terminal.answer(
            {**found, "ward": place.name},
            as_json=json,
            text=f"Device {found['device_id']} added to {place.name}\nPassword, shown only now: {found['password']}",
        )

    terminal.run(job)


@app.command("list")
def listing(
    ward: Annotated[str | None, typer.Option(help="Only this ward's, by name or id.")] = None,
    json: terminal.Json = False,
) -> None:
    """Devices with their last contact, whose they are now, and what is wrong with their clocks and messages."""

    async def job() -> None:
        from devices import clockwork
        from telehealth.store import devices, wards

        async with terminal.transaction(read_only=True) as connection:
            place = await wards.find(connection, ward) if ward is not None else None
            now = await terminal.clinical_now(connection)
            rows = await devices.listing(connection, ward_id=place.id if place else None, now=now)
        columns = {
            "device_id": "Device",
            "model": "Model",
            "codes": "Measures",
            "ward": "Ward",
            "nhs_number": "Assigned to",
            "seen_at": "Last contact",
            "clock_text": "Clock",
            "lost": "Messages lost",
            "revoked_at": "Revoked",
        }
        found = [dict(row) for row in rows]
        for one in found:
            wrong = one["clock"] is not None
            one["clock_text"] = clockwork.wrongness(one["clock"], one["clock_skew_ms"]) if wrong else None
        terminal.table(found, as_json=json, columns=columns)

    terminal.run(job)


@app.command()
def revoke(device_id: DeviceId, json: terminal.Json = False) -> None:
    """Refuse the device's credentials from now on."""

    async def job() -> None:
        from telehealth.store import devices

        async with terminal.transaction() as connection:
            device = await devices.find(connection, device_id)
            now = await terminal.clinical_now(connection)
            await devices.revoke(connection, device, actor=terminal.actor(), now=now)
        terminal.answer(
            {"device_id": device_id, "revoked": True},
            as_json=json,
            text=f"Device {device_id} revoked. On Mosquitto `telehealth broker sync` passes it on.",
        )

    terminal.run(job)


@app.command()
def assign(
    device_id: DeviceId,
    nhs_number: Annotated[str, typer.Option("--resident", help="NHS number.")],
    since: Annotated[str | None, typer.Option("--from", help="From when, with offset; else now.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Until when, with offset; else until unassigned.")] = None,
    json: terminal.Json = False,
) -> None:
    """The device's readings of that time are this resident's; those already there follow."""

    async def job() -> None:
        from telehealth.store import devices, residents

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            begins, ends = terminal.moment(since, field="--from") or now, terminal.moment(until, field="--to")
            device = await devices.find(connection, device_id)
            resident = await residents.find(connection, nhs_number)
            await devices.assign(
                connection, device, resident, since=begins, until=ends, actor=terminal.actor(), now=now
            )
        found = {"device_id": device_id, "nhs_number": resident.nhs_number, "from": begins, "to": ends}
        terminal.answer(found, as_json=json, text=f"Device {device_id} assigned from {begins.isoformat()}")

    terminal.run(job)


@app.command()
def unassign(
    device_id: DeviceId,
    at: Annotated[str | None, typer.Option("--to", help="When it came back, with offset; else now.")] = None,
    json: terminal.Json = False,
) -> None:
    """End the assignment; the device's later readings are nobody's."""

    async def job() -> None:
        from telehealth.store import devices

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            ends = terminal.moment(at, field="--to") or now
            device = await devices.find(connection, device_id)
            await devices.unassign(connection, device, at=ends, actor=terminal.actor(), now=now)
        found = {"device_id": device_id, "to": ends}
        terminal.answer(found, as_json=json, text=f"Device {device_id} unassigned from {ends.isoformat()}")

    terminal.run(job)
