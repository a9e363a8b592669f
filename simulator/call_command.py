"""telehealth-sim call"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator import errors

_PATHS = ("direct", "udp", "tcp", "tls")


def call(
    link: Annotated[list[str] | None, typer.Option(help="Of an invitation, several times.", metavar="URL")] = None,
    born: Annotated[str | None, typer.Option(help="Date of birth of the resident whose --link it is.")] = None,
    links: Annotated[
        str | None,
        typer.Option(help="A link a line, and the date of birth after it; - for standard input.", metavar="FILE"),
    ] = None,
    script: Annotated[list[str] | None, typer.Option(help="Name or file, several times: callers take turns.")] = None,
    path: Annotated[str, typer.Option(help="direct, or through the relay only: udp, tcp or tls.")] = "direct",
    ramp: Annotated[float, typer.Option(help="Seconds over which callers come.", min=0)] = 0.0,
    seconds: Annotated[float | None, typer.Option(help="After which everybody goes.", min=0)] = None,
    seed: Annotated[int, typer.Option(help="Faces and networks follow from it.")] = 1,
    size: Annotated[str, typer.Option(help="Of the picture, WIDTHxHEIGHT.")] = "640x480",
    rate: Annotated[int, typer.Option(help="Pictures a second.", min=1, max=60)] = 15,
    kbit: Annotated[int, typer.Option(help="kbit/s of the picture.", min=50, max=5000)] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document about every caller.")] = False,
    show_scripts: Annotated[bool, typer.Option("--scripts", help="List the packaged scripts.")] = False,
) -> None:
    """Be residents in video visits: a drawn face and a tone, as a script says. Staff let them in.

    Says what each of them saw: joining, pictures, freezes. Links are secrets and never repeated.
    """
    from simulator import runtime
    from simulator.callers import script as scripts

    if show_scripts:
        for name in scripts.names():
            typer.echo(f"{name}: {scripts.load(name).title}")
        return
    try:
        from simulator.callers import crowd, line
    except ImportError as error:
        raise errors.BadInput(f"{error.name} is missing: pip install telehealth[consult]") from None
    if path not in _PATHS:
        raise errors.BadInput(f"--path must be one of {', '.join(_PATHS)}")
    if (link is None) == (links is None):
        raise errors.BadInput("give --link or --links")
    found = [line.link(each, born) for each in link] if link else crowd.links(_text(str(links)))
    width, height = _size(size)
    plan = crowd.Plan(
        found,
        [scripts.load(name) for name in script or ["stays"]],
        path,  # type: ignore[arg-type]  # checked above
        ramp,
        seconds,
        seed,
        width,
        height,
        rate,
        kbit * 1000,
    )
    reports = runtime.execute(lambda stop: crowd.call(plan, stop, lambda text: typer.echo(text, err=True)))
    if as_json:
        typer.echo(json.dumps({"summary": crowd.summary(reports), "callers": [each.plain() for each in reports]}))
    else:
        for name, value in crowd.summary(reports).items():
            typer.echo(f"{name}: {value}")
    if any(report.trouble for report in reports):
        raise typer.Exit(1)


def _text(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise errors.BadInput(f"--links cannot be read ({type(error).__name__})") from None


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    try:
        found = int(width), int(height)
    except ValueError:
        found = 0, 0
    if not all(64 <= each <= 1920 and each % 2 == 0 for each in found):
        raise errors.BadInput("--size must be like 640x480, even numbers")
    return found
