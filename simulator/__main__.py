"""The command telehealth-sim. Data and events on standard output, everything for people on standard error."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

from simulator import (
    call_command,
    errors,
    impair_command,
    list_command,
    replay_command,
    run_command,
    serve_command,
    telling,
    trial_command,
)
from simulator.load import command as load_command
from simulator.realism import command as realism_command
from simulator.scoring import command as score_command

app = typer.Typer(
    help="Simulated residents and devices: a client of telehealth over MQTT and HTTP.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

#: Every command, in the order of the help; each in a module of its own.
COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_command.listing,
    "show": list_command.show,
    "run": run_command.running,
    "record": run_command.record,
    "replay": replay_command.replaying,
    "trial": trial_command.command,
    "score": score_command.score,
    "realism": realism_command.realism,
    "load": load_command.load,
    "serve": serve_command.serving,
    "call": call_command.call,
    "impair": impair_command.impair,
}


def _add(name: str, command: Callable[..., None]) -> None:
    @functools.wraps(command)
    def guarded(**options: Any) -> None:
        with _Errors():
            command(**options)

    app.command(name)(guarded)


class _Errors:
    """Turns the simulator's errors into one line on standard error and an exit status."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, errors.SimulatorError):
            telling.say(str(error))
            raise typer.Exit(error.status)


for _name, _command in COMMANDS.items():
    _add(_name, _command)


def main() -> None:
    """Entry of the console script."""
    app(prog_name="telehealth-sim")


if __name__ == "__main__":
    main()
