"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from simulator import errors, scenario, world

TOKEN_VARIABLE: Final = "TELEHEALTH_CONTROL_TOKEN"
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)", re.ASCII)
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}

Devices = Annotated[str, typer.Option("--devices", help="File of devices, or - for standard input.", metavar="FILE")]
Seed = Annotated[int, typer.Option(help="Everything random follows from it.")]
Mqtt = Annotated[
    str | None, typer.Option("--mqtt", help="The broker, if the file does not say it.", metavar="HOST:PORT")
]
Url = Annotated[str | None, typer.Option("--url", help="The service, if the file does not say it; for --speed.")]
State = Annotated[
    Path | None,
    typer.Option("--state-dir", help="Keeps what is not settled yet across restarts.", file_okay=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Truth = Annotated[
    str | None, typer.Option("--truth", help="Write what really happened to FILE (JSON lines).", metavar="FILE")
]
Reproducible = Annotated[
    bool, typer.Option("--reproducible", help="Streams follow from the seed too; only for a fresh service.")
]
Scenarios = Annotated[
    list[str] | None,
    typer.Option("--scenario", help="A name of `telehealth-sim list`, or a file; repeatable.", metavar="NAME|FILE"),
]
Residents = Annotated[str, typer.Option("--residents", help="Keys, NHS numbers or device ids, by comma; else all.")]
Start = Annotated[str | None, typer.Option("--start", help="When it begins (ISO 8601); else now.", metavar="ISO")]
Duration = Annotated[str | None, typer.Option("--duration", help="How long: seconds, or 90m, 12h, 7d.", metavar="TIME")]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", help="KIND:TARGET[:name=value,...][@FROM[..TO]]; repeatable.", metavar="FAULT"),
]
Realistic = Annotated[
    bool, typer.Option("--realistic", help="Artefacts, failures and missed measurements as often as in real homes.")
]
OnsetHours = Annotated[
    float | None,
    typer.Option("--onset-hours", help="The illness began this long before the start; else as its file says."),
]
WrongClock = Annotated[
    list[str] | None,
    typer.Option("--clock", help="DEVICE=+2h, DEVICE=-1h@10m, DEVICE=unset, DEVICE=drift+20s.", metavar="FAULT"),
]


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def loaded(wanted: Iterable[str] | None) -> tuple[scenario.Scenario, ...]:
    """Raises BadInput."""
    return tuple(scenario.load(name) for name in wanted or ())


def token(found: world.World) -> str | None:
    """What steps the service's virtual clock: from the environment, else as the file of devices says."""
    return os.environ.get(TOKEN_VARIABLE) or found.control_token


def broker(mqtt: str | None, found: world.World) -> world.Broker | None:
    return world.broker(mqtt) if mqtt is not None else found.mqtt


def needed(found: world.Broker | None) -> world.Broker:
    if found is None:
        raise errors.BadInput("the file of devices does not name the broker: give --mqtt HOST:PORT")
    return found


def seconds(option: str, text: str | None) -> float | None:
    """How many seconds a text like 90m, 12h or 7d says."""
    if text is None:
        return None
    found = _DURATION.fullmatch(text.strip())
    if found is None or not float(found[1]) * _UNITS[found[2]] <= 400 * 86_400:
        raise errors.BadInput(f"{option} is a time up to 400 days, such as 600, 90m, 12h or 7d")
    return float(found[1]) * _UNITS[found[2]]


def positive(option: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.001 <= value <= 1e9:
        raise errors.BadInput(f"{option} is not a positive number")
    return value


def speed(text: str) -> float | None:
    """max: as fast as it can (None)."""
    return None if text == "max" else positive("--speed", text)


def time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise errors.BadInput(f"{option} is not an ISO 8601 time") from None
    if at.tzinfo is None:
        raise errors.BadInput(f"{option} has no offset")
    return at
