"""telehealth ward add|list"""

from __future__ import annotations

from typing import Annotated

import typer

from telehealth.cli import terminal

app = typer.Typer(help="Virtual wards.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The ward's name.")],
    simulated: Annotated[
        bool, typer.Option("--simulated", help="For simulated residents only; real and simulated never mix.")
    ] = False,
    json: terminal.Json = False,
) -> None:
    """Open a ward."""

    async def job() -> None:
        from telehealth.store import wards

        async with terminal.transaction() as connection:
            now = await terminal.clinical_now(connection)
            ward = await wards.add(connection, name=name, simulated=simulated, actor=terminal.actor(), now=now)
        found = {"id": ward.id, "name": ward.name, "simulated": ward.simulated}
        terminal.answer(found, as_json=json, text=f"Ward {ward.id} added: {ward.name}")

    terminal.run(job)


@app.command("list")
def listing(json: terminal.Json = False) -> None:
    """All wards, with how many residents are on each now."""

    async def job() -> None:
        from telehealth.store import wards

        async with terminal.transaction(read_only=True) as connection:
            found = await wards.listing(connection, now=await terminal.clinical_now(connection))
        terminal.table(
            ({"id": w.id, "name": w.name, "simulated": w.simulated, "residents": count} for w, count in found),
            as_json=json,
            columns={"id": "Id", "name": "Name", "simulated": "Simulated", "residents": "Residents"},
        )

    terminal.run(job)
