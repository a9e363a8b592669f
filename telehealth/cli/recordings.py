"""telehealth recording list|verify|export|delete"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from telehealth import errors
from telehealth.cli import terminal

app = typer.Typer(help="Recordings of video visits; see docs/recording.md.", no_args_is_help=True)

#: Exit status of `verify`, the worst that was found.
CUT, ALTERED = 3, 4

One = Annotated[str, typer.Argument(metavar="ID", help="Of the recording, from `recording list`.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is noted with your name.")]
Visit = Annotated[int | None, typer.Option("--visit", help="Of this video visit only.")]


@app.command("list")
def listing(
    visit: Visit = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100000)] = 1000,
    json: terminal.Json = False,
) -> None:
    """Recordings, the newest first, without names."""

    async def job() -> None:
        from telehealth.store import audit, recordings

        async with terminal.transaction() as connection:
            rows = await recordings.listing(connection, consultation_id=visit, deleted=deleted, limit=limit)
            await audit.write(connection, None, "recording.list", object_kind="consultation", object_id=visit)
        found = [{**row, "id": str(row["id"])} for row in map(dict, rows)]
        columns = {
            "id": "Recording",
            "consultation_id": "Visit",
            "ward": "Ward",
            "role": "Of",
            "started_at": "Begun",
            "ended_at": "Ended",
            "chunks": "Chunks",
            "bytes": "Bytes",
            "key_id": "Master key",
            "delete_after": "Kept until",
            "deleted_at": "Deleted",
        }
        terminal.table(found, as_json=json, columns=columns)

    terminal.run(job)


@app.command()
def verify(
    recordings_: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Recordings; none: all that are not deleted.")
    ] = None,
    visit: Visit = None,
    json: terminal.Json = False,
) -> None:
    """Read files through and say of each in one line whether it is intact, cut or altered.

    Exit status 0: all intact; 3: one is cut (or not there), none altered; 4: one was altered or belongs to another key;
    1: one cannot be judged, because its master key is missing.
    """

    async def job() -> list[dict[str, Any]]:
        from telehealth.store import audit, recordings

        async with terminal.transaction() as connection:
            place = _place()
            if recordings_:
                wanted = [_id(text) for text in recordings_]
            else:
                rows = await recordings.listing(connection, consultation_id=visit, limit=100_000)
                wanted = [row["id"] for row in rows]
            kept = [await recordings.one(connection, one) for one in wanted]
            await audit.write(
                connection, None, "recording.verify", object_kind="recording", detail={"count": len(kept)}
            )
        return [{"id": str(one.id), **await asyncio.to_thread(_judge, one, place)} for one in kept]

    found = terminal.run(job)
    if json:
        terminal.answer(found, as_json=True, text="")
    else:
        for one in found:
            typer.echo(f"{one['id']}  {one['line']}")
    states = {one["state"] for one in found}
    if states & {"altered", "wrong key"}:
        raise typer.Exit(ALTERED)
    if states & {"cut", "unfinished", "missing"}:
        raise typer.Exit(CUT)
    if states & {"no key"}:
        raise typer.Exit(1)


def _judge(kept: Any, place: Any) -> dict[str, Any]:
    """What a recording's file is found to be."""
    from telehealth.media import recording_playback
    from telehealth.model import recording_keys, vault

    if kept.deleted_at is not None:
        return {"state": "deleted", "line": "deleted: its key was overwritten"}
    try:
        key = kept.key(place)
        found = recording_playback.look(place.path(kept.id), recording=kept.id, key=key, reported=kept.reported)
    except recording_keys.NoKey:
        return {"state": "no key", "line": f"not judged: {_no_key(kept, place)}"}
    except vault.WrongKey:
        return {"state": "wrong key", "line": "altered: the file was written with another key"}
    except FileNotFoundError:
        if kept.chunks is None:
            return {"state": "missing", "line": "cut: there is no file, and none was ever reported"}
        return {"state": "missing", "line": f"cut: there is no file, and {kept.chunks} chunks were reported"}
    except OSError as error:
        return {"state": "no key", "line": f"not judged: the file cannot be read ({type(error).__name__})"}
    line = found.line() + (" (nobody has ended it yet)" if kept.ended_at is None else "")
    return {
        "state": found.state,
        "line": line,
        "chunks": len(found.pieces),
        "reported": found.expected,
        "seconds": round(found.seconds, 1),
        "head": found.head.hex(),
        "findings": list(found.findings),
    }


def _no_key(kept: Any, place: Any) -> str:
    """Why the recording's key cannot be had."""
    if any(master.id == kept.key_id for master in place.masters):
        return "its key in the database was altered, or is another recording's"
    return f"master key {kept.key_id} is not in TELEHEALTH_RECORDING_KEYS"


@app.command()
def export(
    recording: One,
    output: Annotated[str, typer.Argument(help="A new file, which only you can read; WebM.")],
    reason: Reason,
    screen: Annotated[bool, typer.Option("--screen", help="What was shared of the screen, before the camera.")] = False,
    json: terminal.Json = False,
) -> None:
    """Decrypt a recording to a WebM that any player plays. Audited with the reason, before anything is written."""

    async def job() -> None:
        from telehealth.media import recording_playback
        from telehealth.model import recording_keys, vault
        from telehealth.store import audit, recordings

        why, place, wanted = _reason(reason), _place(), _id(recording)
        async with terminal.transaction() as connection:
            kept = await recordings.one(connection, wanted)
            if kept.deleted_at is not None:
                raise errors.NotFound("the recording has been deleted")
            await audit.write(
                connection, None, "recording.export", object_kind="recording", object_id=wanted,
                resident_id=kept.resident_id, ward_id=kept.ward_id, detail={"reason": why},
            )  # fmt: skip
        path = place.path(wanted)
        try:
            key = kept.key(place)
            verdict = await asyncio.to_thread(
                recording_playback.look, path, recording=wanted, key=key, reported=kept.reported
            )
        except recording_keys.NoKey:
            raise errors.Unavailable(_no_key(kept, place)) from None
        except vault.WrongKey:
            raise errors.Conflict("the file was written with another key") from None
        except FileNotFoundError:
            raise errors.NotFound("the recording has no file") from None
        except OSError as error:
            raise errors.Unavailable(f"the file of the recording cannot be read ({type(error).__name__})") from None
        film = recording_playback.film(
            path, verdict, recording=wanted, key=key, pictures="screen" if screen else "video"
        )
        await asyncio.to_thread(_write, Path(output), recording_playback.read(path, film, key))
        answer = {"output": output, "state": verdict.state, "seconds": round(verdict.seconds, 1), "bytes": film.size}
        terminal.answer(answer, as_json=json, text=f"Written to {output}. The file is {verdict.line()}")

    terminal.run(job)


def _write(place: Path, parts: Any) -> None:
    """A new file for its owner only; half a one does not stay."""
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise errors.Invalid("OUTPUT", "is there already: name another, or remove it") from None
    except OSError as error:
        raise errors.Invalid("OUTPUT", f"cannot be written ({type(error).__name__})") from None
    try:
        with open(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
    except BaseException:
        place.unlink(missing_ok=True)
        raise


@app.command()
def delete(recording: One, reason: Reason, json: terminal.Json = False) -> None:
    """Delete a recording before its time: overwrite its key, then its file goes. Consents and hash stay in the row."""

    async def job() -> None:
        from telehealth.store import recordings

        why, wanted = _reason(reason), _id(recording)
        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            await recordings.shred(connection, wanted, actor=terminal.actor(), reason=why, now=now)
        try:
            os.unlink(_place().path(wanted))
            text = "Deleted: the key was overwritten, and the file is gone"
        except (OSError, errors.SettingError):
            text = "Deleted: the key was overwritten; the file is not here, and is noise wherever it lies"
        terminal.answer({"id": str(wanted), "deleted": True}, as_json=json, text=text)

    terminal.run(job)


def _place() -> Any:
    """Where recordings lie, by the settings; SettingError if nothing can be recorded."""
    from telehealth import config
    from telehealth.store import recordings

    found = recordings.place(config.from_environment())
    if found is None:
        raise errors.SettingError("TELEHEALTH_RECORDINGS_DIR", "is not set")
    return found


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise errors.Invalid("ID", "is not that of a recording: see `telehealth recording list`") from None


def _reason(text: str) -> str:
    reason = text.strip()
    if not 1 <= len(reason) <= 200 or not reason.isprintable():
        raise errors.Invalid("--reason", "must be 1 to 200 characters")
    return reason
