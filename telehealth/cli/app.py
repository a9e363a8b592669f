"""telehealth: every command. Data goes to standard output, logs and progress to standard error.

Exit status 0: done; 1: refused or failed, one line says why; 2: a setting or an option is wrong.
"""

from __future__ import annotations

from typing import Annotated

import typer

from telehealth.cli import (
    appointments,
    backtest,
    bench,
    broker,
    contacts,
    demo,
    devices,
    export,
    pathways,
    quarantine,
    recordings,
    resident_rules,
    residents,
    seats,
    serve,
    storage,
    study,
    technical,
    turn,
    users,
    visits,
    wards,
)

app = typer.Typer(
    help="Remote monitoring and telehealth for virtual wards.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from telehealth import __version__

        typer.echo(f"telehealth {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("migrate")(serve.migrate)
app.command("check")(serve.check)
app.command("bench")(bench.bench)
app.command("backtest")(backtest.backtest)
app.command("compare")(backtest.compare)
app.add_typer(wards.app, name="ward")
app.add_typer(residents.app, name="resident")
residents.app.command("rules")(resident_rules.rules)
residents.app.command("set-rule")(resident_rules.set_rule)
residents.app.command("set-pathway")(resident_rules.set_pathway)
app.add_typer(devices.app, name="device")
devices.app.command("seat")(seats.seat)
devices.app.command("unseat")(seats.unseat)
devices.app.command("seats")(seats.listing)
devices.app.command("share")(seats.share)
devices.app.command("unshare")(seats.unshare)
devices.app.command("upkeep")(technical.upkeep)
devices.app.command("setting")(technical.setting)
devices.app.command("settings")(technical.settings)
app.add_typer(pathways.app, name="pathway")
app.add_typer(broker.app, name="broker")
app.add_typer(turn.app, name="turn")
app.add_typer(users.app, name="user")
app.add_typer(users.token_app, name="token")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(appointments.app, name="appointment")
app.add_typer(contacts.app, name="contact")
app.add_typer(visits.app, name="visit")
app.add_typer(recordings.app, name="recording")
app.add_typer(storage.app, name="storage")
app.add_typer(study.app, name="study")
app.add_typer(export.app, name="export")
