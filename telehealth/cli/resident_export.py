"""Writing everything held of one resident to files that nobody else on the computer can read."""

from __future__ import annotations

import contextlib
import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import msgspec

from telehealth import errors
from telehealth.cli import csv_field, terminal


def run(nhs_number: str, output: str, user: str | None, *, as_json: bool) -> None:
    """Write it. output: a directory, a file, or "-"; existing files are not overwritten."""
    place = Path(output)
    folder = output != "-" and (output.endswith("/") or place.is_dir())

    async def job() -> None:
        person = await _opened(nhs_number, user)
        if output == "-":
            counts = await _write(sys.stdout, None, person, user)
            return
        with contextlib.ExitStack() as stack:
            if folder:
                _make(place)
            document = stack.enter_context(_private(place / "resident.json" if folder else place))
            table = stack.enter_context(_private(place / "readings.csv")) if folder else None
            counts = await _write(document, table, person, user)
        text = f"Written to {output}: " + ", ".join(f"{count} {name}" for name, count in counts.items())
        terminal.answer({"output": output, **counts}, as_json=as_json, text=text)

    terminal.run(job)


async def _opened(nhs_number: str, user: str | None) -> int:
    """The resident, with the audit row, which is committed before anything is written."""
    from telehealth.store import audit, residents

    detail = None if user is None else {"by": terminal.actor()}
    try:
        async with terminal.transaction(username=user) as connection:
            person = await residents.find(connection, nhs_number)
            await audit.write(
                connection,
                None,
                "export.resident",
                object_kind="resident",
                object_id=person.id,
                resident_id=person.id,
                detail=detail,
            )
            return person.id
    except errors.NotFound:
        async with terminal.transaction(username=user) as connection:
            await audit.write(connection, None, "export.resident", "denied", object_kind="resident", detail=detail)
        raise


async def _write(document: TextIO, table: TextIO | None, resident_id: int, user: str | None) -> dict[str, int]:
    """One JSON document, row by row; the readings also as CSV. How many rows of what."""
    from telehealth import clock
    from telehealth.store import export, resident_export

    counts: dict[str, int] = {}
    columns = resident_export.READING_COLUMNS
    rows = csv.writer(table, lineterminator="\n") if table is not None else None
    if rows is not None:
        rows.writerow(columns)
    async with terminal.transaction(username=user, read_only=True, steady=True) as connection:
        head = {"format": resident_export.FORMAT, "exported_at": export.moment(clock.real_now())}
        document.write(_json(head)[:-1])
        for name in resident_export.SECTIONS:
            count = 0
            async for row in resident_export.section(connection, name, resident_id):
                if name == "resident":
                    document.write(f',\n"resident": {_json(row)}')
                    break
                document.write(f',\n"{name}": [\n' if count == 0 else ",\n")
                document.write(_json(row))
                count += 1
                if name == "readings" and rows is not None:
                    rows.writerow([csv_field.text(row[column]) for column in columns])
            if name != "resident":
                document.write("\n]" if count else f',\n"{name}": []')
                counts[name] = count
        document.write("\n}\n")
    return counts


def _json(row: dict[str, Any]) -> str:
    return msgspec.json.encode(row).decode()


def _make(place: Path) -> None:
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise errors.Invalid("--output", f"cannot be made ({type(error).__name__})") from None


@contextlib.contextmanager
def _private(path: Path) -> Iterator[TextIO]:
    """A new file, readable by its owner only, that has its name once it is whole."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        if path.exists():
            raise FileExistsError
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise errors.Invalid("--output", "is there already, or its .part is: name another, or remove it") from None
    except OSError as error:
        raise errors.Invalid("--output", f"cannot be written ({type(error).__name__})") from None
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
        unfinished.rename(path)
    except BaseException:  # Ctrl-C too: half an export must not lie about
        unfinished.unlink(missing_ok=True)
        raise
