"""What every command shares: the database for one job, answers as text or JSON, errors as one line."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from telehealth import errors

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]


def fail(error: errors.TelehealthError) -> NoReturn:
    """Say what was wrong in one line and stop: status 2 for a setting, 1 for everything else."""
    typer.echo(f"telehealth: {error}", err=True)
    raise typer.Exit(2 if isinstance(error, errors.SettingError) else 1)


def run(job: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a job to its end; errors of ours become one line, Ctrl-C becomes status 130."""
    try:
        return asyncio.run(job())
    except errors.TelehealthError as error:
        fail(error)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def until_signal(job: Coroutine[Any, Any, None]) -> None:
    """Run a job that never ends until SIGINT or SIGTERM; its failure is raised."""
    from telehealth import main

    stop = asyncio.Event()
    with main.stop_by_signal(stop):
        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(job)
                watcher = group.create_task(stop.wait())
                task.add_done_callback(lambda _: watcher.cancel())
                watcher.add_done_callback(lambda _: task.cancel())
        except* errors.TelehealthError as failed:
            raise failed.exceptions[0] from None


@contextlib.asynccontextmanager
async def transaction(
    *, username: str | None = None, read_only: bool = False, steady: bool = False
) -> AsyncIterator[Any]:
    """One transaction as the operator at this terminal, or with the rights of a member of staff.

    steady: all of it sees the database at one moment.
    """
    from telehealth import config
    from telehealth.store import db, staff

    url = config.from_environment().needed("database_url")
    async with db.Database.open(url, size=2, name="telehealth-cli", statement_seconds=3600) as database:
        actor = db.operator(operator_name())
        if username is not None:
            async with database.transaction(actor, read_only=True) as connection:
                login = await staff.by_username(connection, username)
            if login is None or login.disabled:
                raise errors.NotFound("no such user: see `telehealth user list`")
            actor = db.staff(login.staff.id)
        async with database.transaction(actor, read_only=read_only, steady=steady) as connection:
            yield connection


def operator_name() -> str:
    """The operating system's name for who runs the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def actor() -> Any:
    from telehealth.store import db

    return db.operator(operator_name())


async def clinical_now(connection: Any) -> datetime:
    """Now by the clock that the service runs on: virtual while a demo is being stepped."""
    from telehealth.clock import ClinicalClock
    from telehealth.store import clock

    return ClinicalClock(await clock.read(connection)).now()


def answer(found: object, *, as_json: bool, text: str) -> None:
    """Print the result: JSON if asked for, else a line for a person."""
    typer.echo(encode(found) if as_json else text)


def table(rows: Iterable[Mapping[str, Any]], *, as_json: bool, columns: Mapping[str, str]) -> None:
    """Print rows: a JSON array of all their fields, or the named columns as a table."""
    found = [dict(row) for row in rows]
    if as_json:
        typer.echo(encode(found))
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table(*columns.values(), box=None, pad_edge=False)
    for row in found:
        shown.add_row(*(_cell(row.get(key)) for key in columns))
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(shown)


def encode(found: object) -> str:
    """JSON with times as RFC 3339 in UTC."""
    import msgspec

    return msgspec.json.encode(_utc(found)).decode()


def moment(text: str | None, *, field: str) -> datetime | None:
    """A time with an offset as typed on the command line, or None. A bare date is not a time: refused."""
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise errors.Invalid(field, "must be a time like 2026-11-21T10:00:00Z") from None
    if parsed.tzinfo is None:
        raise errors.Invalid(field, "needs an offset, for example 2026-11-21T10:00:00Z or +01:00")
    return parsed.astimezone(UTC)


def day(text: str, *, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise errors.Invalid(field, "must be a date like 1941-08-14") from None


def _utc(found: Any) -> Any:
    if isinstance(found, datetime):
        return found.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(found, Mapping):
        return {str(key): _utc(value) for key, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [_utc(value) for value in found]
    return found


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%d-%b-%Y %H:%M UTC")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)
