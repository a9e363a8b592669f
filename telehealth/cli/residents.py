"""telehealth resident add|list|show|pause|resume|discharge|died"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from telehealth import errors
from telehealth.cli import terminal

app = typer.Typer(help="Residents and their stay on a virtual ward.", no_args_is_help=True)

NhsNumber = Annotated[str, typer.Argument(help="NHS number.")]
At = Annotated[str | None, typer.Option("--at", help="When, with offset; else now.")]
Reason = Annotated[str, typer.Option(help="Why; shown to staff and kept.")]


@app.command()
def add(
    name: Annotated[str, typer.Option(help='Family name, comma, given name: "SMITH, Anna".')],
    born: Annotated[str, typer.Option(help="Date of birth, YYYY-MM-DD.")],
    nhs_number: Annotated[str, typer.Option(help="NHS number, ten digits.")],
    ward: Annotated[str, typer.Option(help="Ward, by name or id.")],
    pathway: Annotated[str, typer.Option(help="Pathway and version, for example copd@1.")],
    schedule: Annotated[str, typer.Option(help="What is measured when: the word pathway, a JSON file, or JSON.")],
    zone: Annotated[str, typer.Option(help="IANA time zone, for example Europe/London.")],
    title: Annotated[str | None, typer.Option(help="Ms, Mr, Dr, ...")] = None,
    gender: Annotated[str, typer.Option(help="female, male, other, not known or not specified.")] = "not known",
    spo2_scale: Annotated[int, typer.Option(help="NEWS2 SpO2 scale; 2 is a clinician's decision.")] = 1,
    admitted: Annotated[str | None, typer.Option(help="When the stay began, with offset; else now.")] = None,
    json: terminal.Json = False,
) -> None:
    """Admit a resident to a virtual ward. Every rule comes from the pathway's version."""

    async def job() -> None:
        from alerts import errors as alert_errors
        from alerts import pathways
        from telehealth import config
        from telehealth.model import pathway_files, people
        from telehealth.store import residents, rules, wards

        family, comma, given = (part.strip() for part in name.partition(","))
        if not (comma and family and given):
            raise errors.Invalid("--name", 'must be family name, comma, given name, for example "SMITH, Anna"')
        pathway_name, at_sign, version = pathway.partition("@")
        if not at_sign:
            raise errors.Invalid("--pathway", f"needs a version: one of {', '.join(pathways.names())}")
        try:
            chosen = pathway_files.find(config.from_environment().pathways_dir, pathway_name, version)
            compiled = pathways.compile(chosen, spo2_scale=_scale(spo2_scale))
        except alert_errors.AlertError as error:
            raise errors.Invalid("--pathway or --spo2-scale", str(error)) from None
        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            place = await wards.find(connection, ward)
            resident = people.NewResident(
                ward_id=place.id,
                family_name=family,
                given_name=given,
                title=title,
                gender=gender,
                born=terminal.day(born, field="--born"),
                nhs_number=nhs_number.replace(" ", ""),
                zone=zone,
                pathway=pathway_name,
                pathway_version=version,
                schedule=_schedule(schedule, chosen.schedule),
                rules=compiled.to_json(),
                spo2_scale=spo2_scale,
                admitted_at=terminal.moment(admitted, field="--admitted") or now,
            )
            if chosen.text:
                await rules.keep_pathway(connection, chosen, actor=terminal.actor(), now=now)
            resident_id = await residents.add(connection, resident, actor=terminal.actor(), now=now)
        found = {"id": resident_id, "nhs_number": resident.nhs_number, "ward": place.name, "pathway": pathway}
        terminal.answer(found, as_json=json, text=f"Resident {resident_id} admitted to {place.name} on {pathway}")

    terminal.run(job)


def _scale(given: int) -> Literal[1, 2]:
    if given == 1:
        return 1
    if given == 2:
        return 2
    raise errors.Invalid("--spo2-scale", "must be 1 or 2")


def _schedule(given: str, default: Any) -> Any:
    """The schedule from a word, a file or JSON text."""
    import msgspec

    if given == "pathway":
        return default
    text = given if given.lstrip().startswith("{") else None
    if text is None:
        try:
            text = Path(given).read_text("utf-8")
        except (OSError, UnicodeError):
            raise errors.Invalid(
                "--schedule", "is neither the word pathway, nor JSON, nor a file that can be read"
            ) from None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise errors.Invalid("--schedule", "is not valid JSON") from None


@app.command("list")
def listing(
    ward: Annotated[str | None, typer.Option(help="Only this ward's, by name or id.")] = None,
    json: terminal.Json = False,
) -> None:
    """Residents with their pathway and whether they are paused or gone."""

    async def job() -> None:
        from telehealth.model import people
        from telehealth.store import residents, wards

        async with terminal.transaction(read_only=True) as connection:
            place = await wards.find(connection, ward) if ward is not None else None
            now = await terminal.clinical_now(connection)
            rows = await residents.listing(connection, ward_id=place.id if place else None, now=now)
        named = (
            {**dict(row), "name": people.display_name(row["family_name"], row["given_name"], row["title"])}
            for row in rows
        )
        columns = {
            "name": "Resident",
            "nhs_number": "NHS number",
            "ward": "Ward",
            "pathway": "Pathway",
            "admitted_at": "Admitted",
            "end_kind": "Ended",
            "paused_until": "Paused until",
        }
        terminal.table(named, as_json=json, columns=columns)

    terminal.run(job)


@app.command()
def show(nhs_number: NhsNumber, json: terminal.Json = False) -> None:
    """One resident: record, stays, pauses, versions of the rules."""

    async def job() -> None:
        from dataclasses import asdict

        from telehealth.model import people
        from telehealth.store import audit, residents

        async with terminal.transaction() as connection:
            resident = await residents.find(connection, nhs_number)
            history = await residents.history(connection, resident.id)
            await audit.write(
                connection,
                None,
                "resident.show",
                object_kind="resident",
                object_id=resident.id,
                resident_id=resident.id,
                ward_id=resident.ward_id,
            )
        record = asdict(resident) | {"born": resident.born.isoformat()}
        if json:
            terminal.answer(record | history, as_json=True, text="")
            return
        shown = people.display_name(resident.family_name, resident.given_name, resident.title)
        lines = [
            f"{shown}, born {resident.born.isoformat()}, NHS number {people.display_nhs_number(resident.nhs_number)}"
        ]
        lines += [f"Ward {resident.ward}, zone {resident.zone}"]
        lines += [
            f"Stay from {s['admitted_at'].isoformat()} to {s['ended_at'].isoformat() if s['ended_at'] else 'now'}: "
            f"{s['pathway']}@{s['pathway_version']}"
            + (f", {s['end_kind']}: {s['end_reason']}" if s["end_kind"] else "")
            for s in history["spells"]
        ]
        lines += [
            f"Pause from {p['paused_from'].isoformat()} to "
            f"{p['paused_until'].isoformat() if p['paused_until'] else 'resumed by hand'}: {p['reason']}"
            for p in history["pauses"]
        ]
        lines += [
            f"Rules from {r['valid_from'].isoformat()}: {r['reason']}, by {r['created_by']}" for r in history["rules"]
        ]
        terminal.answer(None, as_json=False, text="\n".join(lines))

    terminal.run(job)


@app.command()
def pause(
    nhs_number: NhsNumber,
    reason: Reason,
    since: Annotated[str | None, typer.Option("--from", help="From when, with offset; else now.")] = None,
    until: Annotated[str | None, typer.Option("--until", "--to", help="Until when; else until resumed.")] = None,
    json: terminal.Json = False,
) -> None:
    """Stop physiological and silence rules for a while: hospital, holiday. It resumes by itself at --until."""

    async def job() -> None:
        from telehealth.store import residents

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            begins, ends = terminal.moment(since, field="--from") or now, terminal.moment(until, field="--until")
            resident = await residents.find(connection, nhs_number)
            await residents.pause(
                connection, resident, since=begins, until=ends, reason=reason, actor=terminal.actor(), now=now
            )
        found = {"nhs_number": resident.nhs_number, "from": begins, "until": ends, "reason": reason}
        terminal.answer(found, as_json=json, text=f"Paused from {begins.isoformat()}")

    terminal.run(job)


@app.command()
def resume(nhs_number: NhsNumber, at: At = None, json: terminal.Json = False) -> None:
    """End the pause that holds now, or at --at."""

    async def job() -> None:
        from telehealth.store import residents

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            moment = terminal.moment(at, field="--at") or now
            resident = await residents.find(connection, nhs_number)
            await residents.resume(connection, resident, at=moment, actor=terminal.actor(), now=now)
        found = {"nhs_number": resident.nhs_number, "resumed_at": moment}
        terminal.answer(found, as_json=json, text=f"Resumed at {moment.isoformat()}")

    terminal.run(job)


@app.command()
def discharge(nhs_number: NhsNumber, reason: Reason, at: At = None, json: terminal.Json = False) -> None:
    """End the stay; rules stop, devices are unassigned, the record stays."""
    _end(nhs_number, reason, at, died=False, json=json)


@app.command()
def died(nhs_number: NhsNumber, reason: Reason = "died", at: At = None, json: terminal.Json = False) -> None:
    """Record a death; rules stop, devices are unassigned, the record stays."""
    _end(nhs_number, reason, at, died=True, json=json)


def _end(nhs_number: str, reason: str, at: str | None, *, died: bool, json: bool) -> None:
    async def job() -> None:
        from telehealth.store import devices, residents

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            moment = terminal.moment(at, field="--at") or now
            resident = await residents.find(connection, nhs_number)
            actor = terminal.actor()
            await devices.end_stay(connection, resident, at=moment, died=died, reason=reason, actor=actor, now=now)
        kind = "died" if died else "discharged"
        found = {"nhs_number": resident.nhs_number, kind: moment, "reason": reason}
        terminal.answer(found, as_json=json, text=f"Resident {resident.id} {kind} at {moment.isoformat()}")

    terminal.run(job)
