"""telehealth quarantine list|show|retry|dismiss"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import typer

from telehealth import errors
from telehealth.cli import terminal

app = typer.Typer(
    help="What was refused or is held, also of devices that are not registered; see docs/quarantine.md.",
    no_args_is_help=True,
)

Ids = Annotated[list[int] | None, typer.Argument(help="Numbers of entries, from `quarantine list`.")]
Device = Annotated[str | None, typer.Option("--device", help="Of this registered device.")]
Unknown = Annotated[bool, typer.Option("--unknown", help="Of devices that are not registered.")]
Error = Annotated[str | None, typer.Option("--error", help="Of this reason, such as unit_unknown.")]


@app.command("list")
def listing(
    ward: Annotated[str | None, typer.Option("--ward", help="Of a ward's devices, by name or id.")] = None,
    device: Device = None,
    unknown: Unknown = False,
    error: Error = None,
    state: Annotated[str, typer.Option("--state", help="open, refused, held, dismissed, retried or all.")] = "open",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10000)] = 100,
    json: terminal.Json = False,
) -> None:
    """Entries, newest first, without their bytes."""

    async def job() -> None:
        from telehealth.store import audit, quarantine_view, wards

        async with terminal.transaction() as connection:
            place = await wards.find(connection, ward) if ward is not None else None
            wanted = quarantine_view.Filter(place.id if place else None, device, error, _states(state), unknown)
            found = await quarantine_view.entries(connection, wanted, limit=limit)
            await audit.write(
                connection, None, "quarantine.list", object_kind="ward", object_id=place.id if place else None
            )
        columns = {
            "id": "Entry",
            "device_id": "Device",
            "error": "Reason",
            "state": "State",
            "reading_index": "Reading",
            "times": "Times",
            "size": "Bytes",
            "last_at": "Last",
            "topic": "Sent to",
        }
        terminal.table((_shown(one) for one in found), as_json=json, columns=columns)

    terminal.run(job)


@app.command()
def show(
    entry: Annotated[int, typer.Argument(help="Number of the entry.")],
    with_bytes: Annotated[
        bool, typer.Option("--bytes", help="With its bytes, which may hold a resident's data: this is audited.")
    ] = False,
    json: terminal.Json = False,
) -> None:
    """One entry."""

    async def job() -> None:
        from telehealth.store import audit, quarantine_view
        from telehealth.web.quarantine import quarantine_bytes

        async with terminal.transaction() as connection:
            found = _shown(await quarantine_view.entry(connection, entry))
            rows = []
            if with_bytes:
                payload = await quarantine_view.payload(connection, entry)
                found["hex"] = payload.hex()
                rows = quarantine_bytes.shown(payload)["rows"]
            action = "quarantine.bytes" if with_bytes else "quarantine.open"
            await audit.write(connection, None, action, object_kind="quarantine", object_id=entry)
        lines = [f"{name}: {value}" for name, value in found.items() if value is not None and name != "hex"]
        lines += [f"{row['offset']}  {row['hex']:47}  {row['text']}" for row in rows]
        terminal.answer(found, as_json=json, text="\n".join(lines))

    terminal.run(job)


@app.command()
def retry(
    entries: Ids = None,
    device: Device = None,
    unknown: Unknown = False,
    error: Error = None,
    json: terminal.Json = False,
) -> None:
    """Decode the bytes anew and take them in: single entries, or everything open of a device (and reason).

    As of their arrival; what is stored already is stored once.
    """

    async def job() -> None:
        _choice(entries, device, unknown)
        await _known(device)
        outcomes: list[Any] = []
        if entries:
            outcomes += (await _retry(entries=entries)).outcomes
        else:
            async with terminal.transaction(read_only=True) as connection:
                since = await terminal.clinical_now(connection)
            left = 1
            while left:
                tried = await _retry(device=device, unknown=unknown, error=error, since=since)
                outcomes += tried.outcomes
                left = tried.left if tried.outcomes else 0
        _tell(outcomes, as_json=json)

    terminal.run(job)


async def _known(device: str | None) -> None:
    """A device of another name has nothing here: better said than answered with nothing."""
    if device is not None:
        from telehealth.store import devices

        async with terminal.transaction(read_only=True) as connection:
            await devices.find(connection, device)


async def _retry(
    *,
    entries: list[int] | None = None,
    device: str | None = None,
    unknown: bool = False,
    error: str | None = None,
    since: Any = None,
) -> Any:
    from telehealth.store import audit
    from telehealth.store import retry as again

    async with terminal.transaction() as connection:
        now = await terminal.clinical_now(connection)
        actor = terminal.actor()
        if entries:
            tried = await again.entries(connection, entries, actor=actor, now=now)
            if not tried.outcomes:
                raise errors.NotFound("no such entry: see `telehealth quarantine list`")
        else:
            tried = await again.group(
                connection, device_id=device, error=error, unknown=unknown, actor=actor, now=now, since=since
            )
        await audit.write(
            connection,
            None,
            "quarantine.retry",
            object_kind="device" if device else "quarantine",
            object_id=device or (entries[0] if entries and len(entries) == 1 else None),
            detail={"messages": len(tried.outcomes), "taken_in": tried.taken_in, "stored": tried.stored},
        )
    return tried


def _tell(outcomes: list[Any], *, as_json: bool) -> None:
    found = [
        {
            "entries": one.entry_ids,
            "device_id": one.device_id,
            "taken_in": one.taken_in,
            "stored": one.stored,
            "duplicates": one.duplicates,
            "refused": [{"error": r.error, "reading_index": r.index, "field": r.field} for r in one.refused],
            "why": one.why,
        }
        for one in outcomes
    ]
    stored = sum(one.stored for one in outcomes)
    taken_in = sum(one.taken_in for one in outcomes)
    lines = [f"{', '.join(map(str, one.entry_ids))}: {one.text()}" for one in outcomes]
    lines.append(f"{taken_in} of {len(outcomes)} messages taken in, {stored} new readings")
    terminal.answer({"outcomes": found, "stored": stored}, as_json=as_json, text="\n".join(lines))


@app.command()
def dismiss(
    reason: Annotated[str, typer.Option("--reason", help="Why nothing is to be done.")],
    entries: Ids = None,
    device: Device = None,
    unknown: Unknown = False,
    error: Error = None,
    json: terminal.Json = False,
) -> None:
    """Nothing more is to be done: single entries, or everything open of a device (and reason)."""

    async def job() -> None:
        _choice(entries, device, unknown)
        if not 1 <= len(reason.strip()) <= 500:
            raise errors.Invalid("--reason", "must be 1 to 500 characters")
        await _known(device)
        from telehealth.store import audit, quarantine_view

        async with terminal.transaction() as connection:
            done = await quarantine_view.dismiss(
                connection,
                ids=entries or None,
                wanted=quarantine_view.Filter(None, device, error, None, unknown),
                reason=reason.strip(),
                actor=terminal.actor(),
                now=await terminal.clinical_now(connection),
            )
            await audit.write(
                connection,
                None,
                "quarantine.dismiss",
                object_kind="device" if device else "quarantine",
                object_id=device,
                detail={"entries": done, "error": error},
            )
        terminal.answer({"dismissed": done}, as_json=json, text=f"{done} dismissed")

    terminal.run(job)


def _choice(entries: list[int] | None, device: str | None, unknown: bool) -> None:
    if sum((bool(entries), device is not None, unknown)) != 1:
        raise errors.Invalid("ENTRY, --device, --unknown", "give exactly one of them")
    if any(not 0 < one < 2**63 for one in entries or ()):
        raise errors.Invalid("ENTRY", "is not the number of an entry")


def _states(state: str) -> tuple[str, ...] | None:
    from telehealth.store import quarantine_view

    known: dict[str, tuple[str, ...] | None] = {one: (one,) for one in quarantine_view.STATES}
    known |= {"open": quarantine_view.OPEN, "all": None}
    if state not in known:
        raise errors.Invalid("--state", "must be open, refused, held, dismissed, retried or all")
    return known[state]


def _shown(one: Any) -> dict[str, Any]:
    """What devices chose themselves is escaped: a terminal would obey it."""
    from telehealth.web.quarantine import quarantine_bytes

    found = dataclasses.asdict(one)
    for name in ("topic", "field", "detail", "stream", "message_id"):
        if found[name] is not None:
            found[name] = quarantine_bytes.text(found[name])
    found["retryable"] = one.retryable
    return found
