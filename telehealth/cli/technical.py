"""telehealth device upkeep|setting|settings: what runs out, and by which numbers devices are judged as things."""

from __future__ import annotations

from typing import Annotated

import typer

from telehealth.cli import terminal
from telehealth.cli.devices import DeviceId

Item = Annotated[str | None, typer.Argument(help="What it is, such as test_strips or cuff; all of it if left out.")]
Ward = Annotated[str | None, typer.Option(help="A ward of the organisation, by name or id, where there are several.")]


def upkeep(
    device_id: DeviceId,
    item: Item = None,
    due: Annotated[str | None, typer.Option("--due", help="The last day on which it may be used, 2026-12-31.")] = None,
    kind: Annotated[str, typer.Option(help="consumable or calibration.")] = "consumable",
    warn_days: Annotated[
        int | None, typer.Option(help="So many days before, staff are told; else the setting.")
    ] = None,
    gone: Annotated[bool, typer.Option("--gone", help="The device has it no more.")] = False,
    json: terminal.Json = False,
) -> None:
    """What of a device runs out or has to be checked; with --due, enter it, or that it was replaced or checked."""

    async def job() -> None:
        from telehealth import errors
        from telehealth.store import devices, technical

        if item is not None and (due is None) != gone:
            raise errors.Invalid("--due", "or --gone must be given, and not both")
        async with terminal.transaction(read_only=item is None) as connection:
            device = await devices.find(connection, device_id)
            now = await terminal.clinical_now(connection)
            if item is not None:
                await technical.set_upkeep(
                    connection,
                    device,
                    kind=kind,
                    item=item,
                    due_on=None if due is None else terminal.day(due, field="--due"),
                    warn_days=warn_days,
                    actor=terminal.actor(),
                    now=now,
                )
            found = [dict(row) for row in await technical.present_upkeep(connection, device)]
        columns = {"kind": "Kind", "item": "What", "due_on": "Last day", "warn_days": "Days of warning"}
        terminal.table(found, as_json=json, columns=columns)

    terminal.run(job)


def setting(
    name: Annotated[str, typer.Argument(help="As `telehealth device settings` lists them.")],
    value: Annotated[str | None, typer.Argument(help="Its value; leave it out for the default again.")] = None,
    model: Annotated[str, typer.Option(help="Only for devices of this model.")] = "",
    source: Annotated[str, typer.Option(help="Why it is this value.")] = "set by the organisation",
    approval: Annotated[str, typer.Option(help="Who approved it, and when.")] = "needs local approval",
    ward: Ward = None,
    json: terminal.Json = False,
) -> None:
    """Change by which number devices are judged, for all of them or for one model."""

    async def job() -> None:
        from telehealth.store import technical, wards

        async with terminal.transaction() as connection:
            whose = (
                await technical.only_organisation(connection)
                if ward is None
                else (await wards.find(connection, ward)).organisation_id
            )
            await technical.set_setting(
                connection,
                whose,
                name=name,
                model=model,
                value=value,
                source=source,
                approval=approval,
                actor=terminal.actor(),
                now=await terminal.clinical_now(connection),
            )
        found = {"name": name, "model": model, "value": value, "source": source, "approval": approval}
        told = "the default again" if value is None else value
        terminal.answer(found, as_json=json, text=f"{name}{f' of {model}' if model else ''} is {told}")

    terminal.run(job)


def settings(ward: Ward = None, json: terminal.Json = False) -> None:
    """By which numbers devices are judged, each with its source and approval state."""

    async def job() -> None:
        import dataclasses

        from telehealth.store import technical, wards

        async with terminal.transaction(read_only=True) as connection:
            whose = (
                await technical.only_organisation(connection)
                if ward is None
                else (await wards.find(connection, ward)).organisation_id
            )
            found = [dataclasses.asdict(one) for one in await technical.settings(connection, whose)]
        columns = {"name": "Name", "model": "Model", "value": "Value", "source": "Source", "approval": "Approval"}
        terminal.table(found, as_json=json, columns=columns)

    terminal.run(job)
