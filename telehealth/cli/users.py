"""telehealth user add|list and telehealth token create"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from telehealth import errors
from telehealth.cli import terminal

app = typer.Typer(help="Members of staff.", no_args_is_help=True)
token_app = typer.Typer(help="Tokens for programs that use the API.", no_args_is_help=True)


@app.command()
def add(
    username: Annotated[str, typer.Argument(help="What they sign in with: a-z 0-9 . _ @ -")],
    role: Annotated[str, typer.Option(help="clinician, tester or admin.")],
    ward: Annotated[
        list[str] | None, typer.Option(help="A ward they belong to, by name or id; repeat for more.")
    ] = None,
    display_name: Annotated[str | None, typer.Option("--name", help="How others see them; else the user name.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
    ] = False,
    json: terminal.Json = False,
) -> None:
    """Add a user. Without --password-stdin a password is made and printed once."""

    async def job() -> None:
        from telehealth import clock
        from telehealth.model import secrets
        from telehealth.store import staff, wards

        given = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
        password = given if given is not None else secrets.new_device_password()
        async with terminal.transaction() as connection:
            places = [await wards.find(connection, name) for name in ward or []]
            member = await staff.add(
                connection,
                username=username,
                display_name=display_name or username,
                role=role,
                wards=[place.id for place in places],
                password=password,
                actor=terminal.actor(),
                now=clock.real_now(),
            )
        found = {"id": member.id, "username": member.username, "role": member.role, "wards": [p.name for p in places]}
        shown = "" if given is not None else f"\nPassword, shown only now: {password}"
        terminal.answer(
            found | ({} if given is not None else {"password": password}),
            as_json=json,
            text=f"User {member.username} added as {member.role}{shown}",
        )

    terminal.run(job)


@app.command("list")
def listing(json: terminal.Json = False) -> None:
    """All users with their roles and wards."""

    async def job() -> None:
        from telehealth.store import staff

        async with terminal.transaction(read_only=True) as connection:
            rows = await staff.listing(connection)
        columns = {"username": "User", "display_name": "Name", "role": "Role", "wards": "Wards", "disabled": "Disabled"}
        terminal.table((dict(row) for row in rows), as_json=json, columns=columns)

    terminal.run(job)


@token_app.command("create")
def create_token(
    username: Annotated[str, typer.Option("--user", help="The user that the token acts as.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "API",
    days: Annotated[int, typer.Option(help="Valid for so many days, 1 to 366.")] = 90,
    json: terminal.Json = False,
) -> None:
    """Make a token for the API; it is printed once."""

    async def job() -> None:
        from telehealth import clock
        from telehealth.store import staff

        if not username:
            raise errors.Invalid("user", "must not be empty")
        async with terminal.transaction() as connection:
            token, expires = await staff.create_token(
                connection, username=username, name=name, days=days, actor=terminal.actor(), now=clock.real_now()
            )
        found = {"token": token, "user": username, "expires_at": expires}
        terminal.answer(found, as_json=json, text=f"Token for {username}, shown only now: {token}")

    terminal.run(job)
