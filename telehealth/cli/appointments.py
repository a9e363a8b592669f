"""telehealth appointment list|book|series|move|cancel|end-series"""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, Any

import typer

from telehealth import errors
from telehealth.cli import terminal

app = typer.Typer(help="Video visits that are planned; see docs/visits.md.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="The appointment's number, from `appointment list`.")]
Ward = Annotated[str, typer.Option("--ward", help="The ward, by name or id.")]
Residents = Annotated[list[str], typer.Option("--resident", help="NHS number; several for rounds and groups.")]
Kind = Annotated[str, typer.Option("--kind", help="one_to_one, carer, group, ward_round or case_conference.")]
Zone = Annotated[str, typer.Option("--zone", help="Where that local time is.")]
Which = Annotated[str | None, typer.Option("--which", help="first or second, of a time that comes twice that day.")]
Reason = Annotated[str, typer.Option("--reason", help="For staff; never in a mail.")]
LONDON = "Europe/London"


@app.command("list")
def listing(
    ward: Annotated[str | None, typer.Option("--ward", help="Of a ward, by name or id.")] = None,
    resident: Annotated[str | None, typer.Option("--resident", help="Of a resident, by NHS number.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=800, help="From now on.")] = 14,
    json: terminal.Json = False,
) -> None:
    """Appointments to come, in order; cancelled ones too."""

    async def job() -> None:
        from telehealth.store import appointments, residents, wards

        async with terminal.transaction(read_only=True) as connection:
            now = await terminal.clinical_now(connection)
            place = await wards.find(connection, ward) if ward is not None else None
            who = await residents.find(connection, resident) if resident is not None else None
            found = await appointments.listing(
                connection,
                since=now - timedelta(hours=12),
                until=now + timedelta(days=days),
                ward_id=place.id if place else None,
                resident_id=who.id if who else None,
            )
        columns = {
            "id": "Id",
            "starts_at": "Begins",
            "minutes": "Minutes",
            "kind": "Kind",
            "ward": "Ward",
            "state": "State",
        }
        terminal.table((_shown(one) for one in found), as_json=json, columns=columns)

    terminal.run(job)


@app.command()
def book(
    ward: Ward,
    resident: Residents,
    on: Annotated[str, typer.Option("--on", help="The day, like 2026-11-21.")],
    at: Annotated[str, typer.Option("--at", help="The local time, like 10:30.")],
    kind: Kind = "one_to_one",
    zone: Zone = LONDON,
    which: Which = None,
    minutes: Annotated[int, typer.Option("--minutes")] = 20,
    reason: Reason = "",
    json: terminal.Json = False,
) -> None:
    """Plan a visit; whoever is a contact of the residents gets a mail with a link."""

    async def job() -> None:
        from telehealth import clock
        from telehealth.model import appointments as times
        from telehealth.store import appointments, wards

        starts_at = _at(on, at, zone, which)
        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            place = await wards.find(connection, ward)
            new = times.New(place.id, _kind(kind), await _ids(connection, resident), starts_at, minutes, reason)
            made = await appointments.book(
                connection, new, sender=_sender(), actor=terminal.actor(), now=now, real_now=clock.real_now()
            )
        _answer(made, starts_at, json)

    terminal.run(job)


@app.command()
def move(
    number: Number,
    on: Annotated[str, typer.Option("--on", help="The day, like 2026-11-21.")],
    at: Annotated[str, typer.Option("--at", help="The local time, like 10:30.")],
    zone: Zone = LONDON,
    which: Which = None,
    minutes: Annotated[int | None, typer.Option("--minutes", help="As long as before, if not said.")] = None,
    json: terminal.Json = False,
) -> None:
    """Another time for a visit that has not begun; everybody is told, and links stay what they are."""

    async def job() -> None:
        from telehealth import clock
        from telehealth.store import appointments

        starts_at = _at(on, at, zone, which)
        async with terminal.transaction() as connection:
            moved = await appointments.move(
                connection,
                number,
                starts_at=starts_at,
                minutes=minutes,
                sender=_sender(),
                actor=terminal.actor(),
                now=await terminal.clinical_now(connection),
                real_now=clock.real_now(),
            )
        _answer(moved, starts_at, json)

    terminal.run(job)


@app.command()
def cancel(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="For staff; never in a mail.")],
    json: terminal.Json = False,
) -> None:
    """Call a visit off; everybody is told, and links open nothing any more."""

    async def job() -> None:
        from telehealth import clock
        from telehealth.store import appointments

        async with terminal.transaction() as connection:
            await appointments.cancel(
                connection,
                number,
                reason=reason,
                sender=_sender(links=False),
                actor=terminal.actor(),
                now=await terminal.clinical_now(connection),
                real_now=clock.real_now(),
            )
        terminal.answer({"appointment": number}, as_json=json, text=f"Appointment {number} is cancelled.")

    terminal.run(job)


@app.command()
def series(
    ward: Ward,
    resident: Residents,
    weekday: Annotated[list[int], typer.Option("--weekday", min=0, max=6, help="Monday is 0; several are possible.")],
    at: Annotated[str, typer.Option("--at", help="The local time, like 09:00.")],
    since: Annotated[str, typer.Option("--from", help="The first day, like 2026-11-21.")],
    until: Annotated[str | None, typer.Option("--until", help="The last day.")] = None,
    every: Annotated[int, typer.Option("--every", min=1, max=12, help="Weeks.")] = 1,
    kind: Kind = "ward_round",
    zone: Zone = LONDON,
    minutes: Annotated[int, typer.Option("--minutes")] = 60,
    reason: Reason = "",
    json: terminal.Json = False,
) -> None:
    """A round or clinic that comes again; its appointments are made eight weeks ahead."""

    async def job() -> None:
        from telehealth import clock
        from telehealth.model import appointments as times
        from telehealth.store import series, wards

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            new = times.NewSeries(
                ward_id=(await wards.find(connection, ward)).id,
                kind=_kind(kind),
                resident_ids=await _ids(connection, resident),
                weekdays=weekday,
                local_time=_time(at),
                zone=zone,
                first_on=terminal.day(since, field="from"),
                every_weeks=every,
                last_on=None if until is None else terminal.day(until, field="until"),
                minutes=minutes,
                reason=reason,
            )
            made = await series.begin(
                connection, new, sender=_sender(), actor=terminal.actor(), now=now, real_now=clock.real_now()
            )
        terminal.answer({"series": made}, as_json=json, text=f"Series {made} begins.")

    terminal.run(job)


@app.command("end-series")
def end_series(
    number: Annotated[int, typer.Argument(help="The series' number.")],
    reason: Annotated[str, typer.Option("--reason", help="For staff; never in a mail.")],
    json: terminal.Json = False,
) -> None:
    """No more of a series: what is to come is cancelled."""

    async def job() -> None:
        from telehealth import clock
        from telehealth.store import series

        async with terminal.transaction() as connection:
            cancelled = await series.end(
                connection,
                number,
                reason=reason,
                sender=_sender(links=False),
                actor=terminal.actor(),
                now=await terminal.clinical_now(connection),
                real_now=clock.real_now(),
            )
        text = f"Series {number} has ended; {cancelled} appointments are cancelled."
        terminal.answer({"series": number, "cancelled": cancelled}, as_json=json, text=text)

    terminal.run(job)


def _answer(made: Any, starts_at: Any, json: bool) -> None:
    # of several residents in the same other visit that is one overlap
    others = list(dict.fromkeys(one.appointment_id for one in made.overlaps))
    found = {
        "appointment": made.appointment_id,
        "visit": made.consultation_id,
        "starts_at": starts_at,
        "overlaps": others,
        "told": len(made.told),
    }
    text = f"Appointment {made.appointment_id} (visit {made.consultation_id}), {starts_at:%d-%b-%Y %H:%M} UTC."
    if others:
        text += " A resident has another one then: " + ", ".join(map(str, others)) + "."
    terminal.answer(found, as_json=json, text=text)


def _shown(one: Any) -> dict[str, Any]:
    return {
        "id": one.id,
        "starts_at": one.starts_at,
        "minutes": one.minutes,
        "kind": one.kind,
        "ward": one.ward,
        "series": one.series_id,
        "visit": one.consultation_id,
        "state": one.state,
        "residents": len(one.resident_ids),
        "revision": one.revision,
    }


async def _ids(connection: Any, numbers: list[str]) -> list[int]:
    from telehealth.store import residents

    return [(await residents.find(connection, number)).id for number in numbers]


def _sender(*, links: bool = True) -> Any:
    """links: whether its mails should have some."""
    from telehealth import config
    from telehealth.model import mails

    settings = config.from_environment()
    if links and settings.links is None:
        typer.echo(
            "telehealth: TELEHEALTH_PUBLIC_URL is not set, so mails of this command carry no link to join by.", err=True
        )
    return mails.Sender(settings.links, settings.mail_from)


def _kind(kind: str) -> Any:
    return kind


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        raise errors.Invalid("at", "must be a time like 10:30") from None


def _at(on: str, at: str, zone: str, which: str | None) -> Any:
    from telehealth.model import appointments as times

    if which not in (None, "first", "second"):
        raise errors.Invalid("which", "must be first or second")
    return times.at_local(terminal.day(on, field="on"), _time(at), zone, which)  # type: ignore[arg-type]  # checked
