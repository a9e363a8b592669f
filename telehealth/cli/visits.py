"""telehealth visit list|show|mail|policy"""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Annotated, Any

import typer

from telehealth.cli import terminal

app = typer.Typer(help="Video visits; see docs/visits.md.", no_args_is_help=True)


@app.command("list")
def listing(
    ward: Annotated[str, typer.Argument(help="The ward, by name or id.")],
    days: Annotated[int, typer.Option("--days", min=1, max=400, help="Back from now, and as many ahead.")] = 1,
    json: terminal.Json = False,
) -> None:
    """A ward's visits around now, in order."""

    async def job() -> None:
        from telehealth.store import visit_desk, wards

        async with terminal.transaction(read_only=True) as connection:
            now = await terminal.clinical_now(connection)
            place = await wards.find(connection, ward)
            around = timedelta(days=days)
            found = await visit_desk.diary(connection, place.id, now - around, now + around)
        columns = {
            "visit": "Visit",
            "starts_at": "Begins",
            "kind": "Kind",
            "state": "State",
            "waiting": "Waiting",
            "inside": "Inside",
            "appointment": "Appointment",
            "outcome": "Outcome",
        }
        terminal.table((_entry(one) for one in found), as_json=json, columns=columns)

    terminal.run(job)


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="The visit's number.")],
    json: terminal.Json = False,
) -> None:
    """What happened in a visit, oldest first; audited."""

    async def job() -> None:
        from telehealth.store import audit, visit_view

        async with terminal.transaction() as connection:
            found = await visit_view.load(connection, number)
            events = await visit_view.history(connection, number)
            await audit.write(
                connection, None, "visit.show", object_kind="consultation", object_id=number, ward_id=found.row.ward_id
            )
        rows = [dataclasses.asdict(one) for one in events]
        if json:
            row = dataclasses.asdict(found.row)
            people = [{k: v for k, v in dataclasses.asdict(p).items() if k != "name"} for p in found.people]
            terminal.answer(
                {**row, "worker_id": str(row["worker_id"]), "people": people, "events": rows}, as_json=True, text=""
            )
            return
        typer.echo(f"Visit {number}: {found.row.kind}, {found.row.state}")
        columns = {"at": "When", "event": "What", "actor": "By", "participant_id": "Person", "detail": "Detail"}
        terminal.table(rows, as_json=False, columns=columns)

    terminal.run(job)


@app.command("mail")
def mails(
    state: Annotated[str | None, typer.Option("--state", help="waiting, sent, refused or dropped.")] = None,
    resident: Annotated[str | None, typer.Option("--resident", help="About a resident, by NHS number.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10000)] = 100,
    json: terminal.Json = False,
) -> None:
    """Mails, newest first, without what they say; audited."""

    async def job() -> None:
        from telehealth.store import audit, mail, residents

        async with terminal.transaction() as connection:
            who = await residents.find(connection, resident) if resident is not None else None
            found = await mail.listing(connection, resident_id=who.id if who else None, state=state, limit=limit)
            await audit.write(connection, None, "visit.mail", resident_id=who.id if who else None)
        columns = {
            "about": "About",
            "to_address": "To",
            "state": "State",
            "due_at": "Due",
            "settled_at": "Settled",
            "attempts": "Tries",
            "last_error": "Answer",
            "appointment_id": "Appointment",
        }
        rows = ({**dataclasses.asdict(one), "id": str(one.id)} for one in found)
        terminal.table(rows, as_json=json, columns=columns)

    terminal.run(job)


@app.command()
def policy(
    ward: Annotated[str, typer.Argument(help="The ward, by name or id.")],
    keep_chat: Annotated[bool | None, typer.Option("--keep-chat/--drop-chat", help="In the record.")] = None,
    recording: Annotated[bool | None, typer.Option("--recording/--no-recording", help="May be asked for.")] = None,
    recording_days: Annotated[int | None, typer.Option("--recording-days", help="How long they are kept.")] = None,
    reminder: Annotated[
        list[int] | None, typer.Option("--reminder", help="Hours before; several are possible.")
    ] = None,
    no_reminders: Annotated[bool, typer.Option("--no-reminders")] = False,
    json: terminal.Json = False,
) -> None:
    """What a ward has decided about its visits; with options, decide anew, for visits from now on."""

    async def job() -> None:
        from telehealth.store import visit_policy, wards

        async with terminal.transaction() as connection:
            place = await wards.find(connection, ward)
            found = await visit_policy.of_ward(connection, place.id)
            asked: dict[str, Any] = {
                "keep_chat": keep_chat,
                "recording": recording,
                "keep_recording_days": recording_days,
                "reminder_hours": () if no_reminders else None if reminder is None else tuple(reminder),
            }
            changes = {name: value for name, value in asked.items() if value is not None}
            if changes:
                found = dataclasses.replace(found, **changes)
                now = await terminal.clinical_now(connection)
                await visit_policy.set_for(connection, place.id, found, actor=terminal.actor(), now=now)
        hours = ", ".join(map(str, found.reminder_hours)) or "none"
        text = (
            f"Ward {place.name}: chat is {'kept' if found.keep_chat else 'not kept'}; recording"
            f" {'may be asked for' if found.recording else 'is off'}, kept {found.keep_recording_days} days;"
            f" reminders, hours before: {hours}."
        )
        terminal.answer({"ward": place.id, **dataclasses.asdict(found)}, as_json=json, text=text)

    terminal.run(job)


def _entry(one: Any) -> dict[str, Any]:
    return {
        "visit": one.consultation_id,
        "appointment": one.appointment_id,
        "starts_at": one.starts_at,
        "kind": one.kind,
        "state": one.state,
        "residents": len(one.resident_ids),
        "waiting": one.waiting,
        "inside": one.inside,
        "outcome": one.outcome,
    }
