"""telehealth storage show|upkeep|repair"""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Annotated, Any

import typer

from telehealth import errors
from telehealth.cli import terminal

app = typer.Typer(
    help="How large everything is; partitions; retention. See docs/operations.md.", invoke_without_command=True
)


@app.callback()
def storage(
    context: typer.Context,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="As the database last estimated, instead of counting every reading.")
    ] = False,
    json: terminal.Json = False,
) -> None:
    """Sizes per table and partition, bytes per reading, and what lies in the DEFAULT partition."""
    if context.invoked_subcommand is not None:
        return

    async def job() -> None:
        from telehealth.store import storage as sizes

        async with terminal.transaction(read_only=True) as connection:
            measured = await sizes.measure(connection, exact=not estimate)
        found = {**dataclasses.asdict(measured), "bytes_per_reading": measured.bytes_per_reading}
        for month in found["in_default"]:
            month["month"] = f"{month['month']:%Y-%m}"
        terminal.answer(found, as_json=json, text=_text(measured))

    terminal.run(job)


def _text(measured: Any) -> str:
    lines = [f"{measured.readings} readings"]
    if measured.bytes_per_reading is not None:
        lines[0] += (
            f", {measured.bytes_per_reading:.0f} bytes each"
            f" ({measured.heap_per_reading:.0f} heap, {measured.indexes_per_reading:.0f} indexes)"
        )
    lines.append("")
    lines += [
        f"{one.name:24} {_mega(one.heap + one.toast)} heap {_mega(one.indexes)} indexes" for one in measured.tables
    ]
    lines.append("")
    lines += [
        f"{one.name:24} {one.readings:12} readings {_mega(one.heap + one.indexes)}" for one in measured.partitions
    ]
    if measured.in_default:
        lines += ["", "In DEFAULT:"]
        lines += [f"{one.month:%Y-%m} {one.readings:12} readings" for one in measured.in_default]
    return "\n".join(lines)


def _mega(size: int) -> str:
    return f"{size / 1e6:10.1f} MB"


@app.command()
def upkeep(json: terminal.Json = False) -> None:
    """Do now what the service does when it starts and once a day: partitions ahead, and retention."""

    async def job() -> None:
        from telehealth import config, log
        from telehealth.clock import ClinicalClock
        from telehealth.store import clock, db, recordings
        from telehealth.upkeep import job as work

        settings = config.from_environment()
        log.configure(settings.log_level)
        url = settings.needed("database_url")
        async with db.Database.open(url, size=2, name="telehealth-cli", statement_seconds=3600) as database:
            async with database.transaction(terminal.actor(), read_only=True) as connection:
                now = ClinicalClock(await clock.read(connection))
            done = await work.once(database, now, work.retention(settings), recordings.place(settings))
        if not done:
            raise errors.Unavailable("not all of it could be done now: see the log, and try again later")
        terminal.answer({"done": True}, as_json=json, text="Done")

    terminal.run(job)


@app.command()
def repair(
    month: Annotated[str, typer.Option("--month", help="Like 2019-03.")],
    json: terminal.Json = False,
) -> None:
    """Give a month a partition of its own, and move there what lies in DEFAULT of it, however much that is.

    Ingest goes first. For months that upkeep leaves alone: too long ago, or too much to move at a quiet moment.
    """

    async def job() -> None:
        try:
            first = date.fromisoformat(f"{month}-01")
        except ValueError:
            raise errors.Invalid("--month", "must be a month like 2019-03") from None
        from telehealth import config, log
        from telehealth.store import audit, db
        from telehealth.upkeep import job as work

        settings = config.from_environment()
        log.configure(settings.log_level)
        url = settings.needed("database_url")
        async with db.Database.open(url, size=2, name="telehealth-cli", statement_seconds=3600) as database:
            made = await work.make(database, [first], most=None, seconds=3600.0)
            async with database.transaction(terminal.actor()) as connection:
                await audit.write(connection, None, "storage.repair", object_kind="month", object_id=month)
        if not made:
            raise errors.Unavailable("the partition could not be made now, because readers hold the table: try again")
        terminal.answer({"month": month}, as_json=json, text=f"{month} has a partition of its own")

    terminal.run(job)
