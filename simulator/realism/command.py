"""telehealth-sim realism"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from simulator import errors, telling


def realism(
    data: Annotated[
        Path, typer.Option("--data", help="Folder of people's home measurements, or one file.", metavar="DIR")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page with pictures to this file.", metavar="FILE")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the twins.")] = 1,
) -> None:
    """Compare simulated residents with people who measured at home: docs/simulator/realism.md."""
    from simulator.realism import page, report

    found = report.made(data, seed, telling.say)
    if html is not None:
        try:
            html.write_text(page.page(found), encoding="utf-8")
        except OSError as error:
            raise errors.BadInput(f"--html cannot be written: {error.strerror}") from None
        telling.say(f"written: {html}")
    if as_json:
        typer.echo(json.dumps(report.as_json(found)))
    elif html is None:
        table = [report.HEADER, *report.rows(found)]
        wide = [max(len(row[place]) for row in table) for place in range(len(report.HEADER))]
        for row in table:
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip())
        typer.echo(f"\n{report.LEGEND}")
