"""telehealth serve, migrate and check"""

from __future__ import annotations

from typing import Annotated

import typer

from telehealth.cli import terminal


def serve(
    roles: Annotated[
        str | None, typer.Option(help="Some of ingest,alerting,web,consult,notify; else TELEHEALTH_ROLES.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; else TELEHEALTH_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; else TELEHEALTH_PORT.")] = None,
) -> None:
    """Run the service against DATABASE_URL and MQTT_URL, until Ctrl-C or SIGTERM."""
    import uvloop

    from telehealth import config, errors, log, main

    given = {"roles": roles, "host": host, "port": port}
    try:
        settings = config.from_environment({name: value for name, value in given.items() if value is not None})
        log.configure(settings.log_level)
        uvloop.run(main.serve(settings))
    except errors.TelehealthError as error:
        terminal.fail(error)


def migrate(json: terminal.Json = False) -> None:
    """Bring the database up to date, as the owner role (DATABASE_OWNER_URL)."""

    async def job() -> None:
        from telehealth import config
        from telehealth.store import migrate as store_migrate

        applied = await store_migrate.migrate(config.from_environment().needed("database_owner_url"))
        text = "\n".join(f"applied {name}" for name in applied) or "nothing to do: the database is up to date"
        terminal.answer({"applied": applied}, as_json=json, text=text)

    terminal.run(job)


def check(json: terminal.Json = False) -> None:
    """Try everything that the service needs; each failure names the setting. Exit status 1 if one fails."""

    async def job() -> bool:
        from telehealth import check as checks
        from telehealth import config

        results = await checks.everything(config.from_environment())
        found = [{"check": r.name, "ok": r.trouble is None, "trouble": r.trouble} for r in results]
        text = "\n".join(
            f"{'ok    ' if r.trouble is None else 'FAILED'}  {r.name}{': ' + r.trouble if r.trouble else ''}"
            for r in results
        )
        terminal.answer(found, as_json=json, text=text)
        return all(r.trouble is None for r in results)

    if not terminal.run(job):
        raise typer.Exit(1)
