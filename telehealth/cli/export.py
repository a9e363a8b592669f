"""telehealth export readings|alerts|resident"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from telehealth import errors
from telehealth.cli import csv_field, terminal

app = typer.Typer(help="Readings and alerts as CSV or JSON lines; columns are in docs/export.md.", no_args_is_help=True)

Resident = Annotated[str | None, typer.Option("--resident", help="NHS number.")]
Device = Annotated[str | None, typer.Option("--device", help="Device id.")]
Ward = Annotated[str | None, typer.Option("--ward", help="Ward name or id.")]
Since = Annotated[str | None, typer.Option("--since", "--from", help="From this time on, with offset.")]
Until = Annotated[str | None, typer.Option("--until", "--to", help="Before this time, with offset.")]
Format = Annotated[str, typer.Option("--format", help="csv or jsonl.")]
AlertFormat = Annotated[
    str, typer.Option("--format", help="csv or jsonl; json: one document, as `telehealth-sim score` reads it.")
]
User = Annotated[str | None, typer.Option("--user", help="Only what this member of staff may see.")]


@app.command()
def readings(
    resident: Resident = None,
    device: Device = None,
    ward: Ward = None,
    since: Since = None,
    until: Until = None,
    format: Format = "csv",
    user: User = None,
    json: terminal.Json = False,
) -> None:
    """Readings, by the time they were taken. Streams: nothing is held in memory."""
    _export("readings", resident, device, ward, since, until, "jsonl" if json else format, user)


@app.command()
def alerts(
    resident: Resident = None,
    device: Device = None,
    ward: Ward = None,
    since: Since = None,
    until: Until = None,
    format: AlertFormat = "csv",
    user: User = None,
    json: terminal.Json = False,
) -> None:
    """Alerts with their evidence and everything that was done about them, by the time they were raised."""
    _export("alerts", resident, device, ward, since, until, "jsonl" if json else format, user)


@app.command()
def resident(
    nhs_number: Annotated[str, typer.Argument(help="NHS number.")],
    output: Annotated[
        str, typer.Option("--output", help="A directory (resident.json and readings.csv), a file, or - for the screen.")
    ],
    user: User = None,
    json: terminal.Json = False,
) -> None:
    """Everything held of one resident, as JSON (docs/schemas/resident_export.json), and their readings as CSV."""
    from telehealth.cli import resident_export

    resident_export.run(nhs_number, output, user, as_json=json)


def _export(
    what: str,
    resident: str | None,
    device: str | None,
    ward: str | None,
    since: str | None,
    until: str | None,
    form: str,
    user: str | None,
) -> None:
    async def job() -> None:
        forms = ("csv", "jsonl", "json") if what == "alerts" else ("csv", "jsonl")
        if form not in forms:
            raise errors.Invalid("--format", "must be " + " or ".join(forms))
        given = sum(one is not None for one in (resident, device, ward))
        if given > 1 or (given == 0 and form != "json"):
            raise errors.Invalid("--resident, --device, --ward", "give exactly one of them")
        from telehealth.store import export

        span = (terminal.moment(since, field="--since"), terminal.moment(until, field="--until"))
        selection = await _selected(what, resident, device, ward, span, user)
        async with terminal.transaction(username=user, read_only=True) as connection:
            if form == "json":
                await _list(connection, selection)
            elif what == "readings":
                await _print(export.readings(connection, selection), export.READING_COLUMNS, form)
            else:
                await _print(export.alerts(connection, selection), export.ALERT_COLUMNS, form)

    try:
        terminal.run(job)
    except BrokenPipeError:  # the reader, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


async def _selected(
    what: str,
    resident: str | None,
    device: str | None,
    ward: str | None,
    span: tuple[datetime | None, datetime | None],
    user: str | None,
) -> Any:
    """What to export, with its audit row, which is committed before anything leaves: its reader may go away."""
    from telehealth.store import audit, devices, export, residents, wards

    action = f"export.{what}"
    kind = "resident" if resident is not None else "device" if device is not None else "ward" if ward else "all"
    detail = None if user is None else {"by": terminal.actor()}
    try:
        async with terminal.transaction(username=user) as connection:
            person = await residents.find(connection, resident) if resident is not None else None
            thing = await devices.find(connection, device) if device is not None else None
            place = await wards.find(connection, ward) if ward is not None else None
            await audit.write(
                connection,
                None,
                action,
                object_kind=kind,
                object_id=person.id if person else thing.device_id if thing else place.id if place else None,
                resident_id=person.id if person else None,
                ward_id=place.id if place else None,
                detail=detail,
            )
    except errors.NotFound:
        async with terminal.transaction(username=user) as connection:
            # without what was asked for: it is an NHS number or whatever somebody typed
            await audit.write(connection, None, action, "denied", object_kind=kind, detail=detail)
        raise
    return export.Selection(
        person.id if person else None, thing.id if thing else None, place.id if place else None, *span
    )


async def _print(rows: AsyncIterator[dict[str, Any]], columns: Sequence[str], form: str) -> None:
    if form == "jsonl":
        async for row in rows:
            sys.stdout.write(terminal.encode(row) + "\n")
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        async for row in rows:
            writer.writerow([csv_field.text(row[column]) for column in columns])
    sys.stdout.flush()


async def _list(connection: Any, selection: Any) -> None:
    """One document, alert by alert (docs/schemas/alerts.json)."""
    from telehealth.model import alert_list
    from telehealth.store import export

    now = await terminal.clinical_now(connection)
    head = terminal.encode(alert_list.head("telehealth export", now, selection.since, selection.until))
    sys.stdout.write(head.removesuffix("}") + ',"alerts":[')
    between = "\n"
    async for alert in export.listed(connection, selection):
        sys.stdout.write(between + terminal.encode(alert.to_json()))
        between = ",\n"
    sys.stdout.write("\n]}\n")
    sys.stdout.flush()
