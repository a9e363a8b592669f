"""telehealth contact add|list|remove"""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from telehealth.cli import terminal

app = typer.Typer(help="Whom mails about a resident's video visits go to.", no_args_is_help=True)

Resident = Annotated[str, typer.Argument(help="The resident's NHS number.")]


@app.command()
def add(
    resident: Resident,
    email: Annotated[str, typer.Option("--email")],
    name: Annotated[str, typer.Option("--name", help="As the ward calls them in the waiting area.")],
    relation: Annotated[
        str, typer.Option("--relation", help="self, carer, family, care_home or interpreter.")
    ] = "self",
    reminders: Annotated[bool, typer.Option("--reminders/--no-reminders", help="Also shortly before a visit.")] = True,
    json: terminal.Json = False,
) -> None:
    """Mails about visits that are booked from now on go there too."""

    async def job() -> None:
        from telehealth.store import contacts, residents

        async with terminal.transaction() as connection:
            who = await residents.find(connection, resident)
            added = await contacts.add(
                connection,
                who.id,
                relation=relation,
                name=name,
                email=email,
                reminders=reminders,
                actor=terminal.actor(),
                now=await terminal.clinical_now(connection),
            )
        terminal.answer({"contact": added}, as_json=json, text=f"Contact {added} is added.")

    terminal.run(job)


@app.command("list")
def listing(resident: Resident, json: terminal.Json = False) -> None:
    """A resident's contacts."""

    async def job() -> None:
        from telehealth.store import contacts, residents

        async with terminal.transaction(read_only=True) as connection:
            who = await residents.find(connection, resident)
            found = await contacts.of_resident(connection, who.id)
        columns = {"id": "Id", "relation": "Relation", "name": "Name", "email": "E-mail", "reminders": "Reminders"}
        terminal.table((dataclasses.asdict(one) for one in found), as_json=json, columns=columns)

    terminal.run(job)


@app.command()
def remove(
    number: Annotated[int, typer.Argument(help="The contact's number, from `contact list`.")],
    json: terminal.Json = False,
) -> None:
    """Mails go there no more, those that wait neither."""

    async def job() -> None:
        from telehealth.store import contacts

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            await contacts.remove(connection, number, actor=terminal.actor(), now=now)
        terminal.answer({"contact": number}, as_json=json, text=f"Contact {number} is removed.")

    terminal.run(job)
