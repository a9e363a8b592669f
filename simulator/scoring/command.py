"""telehealth-sim score"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from simulator import errors

Json = dict[str, Any]


def score(
    truth: Annotated[str, typer.Option("--truth", help="What really happened; - is standard input.", metavar="FILE")],
    alerts: Annotated[
        str,
        typer.Option(
            "--alerts", help="From `telehealth export alerts --format json`, or `backtest --alerts`.", metavar="FILE"
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page with charts to this file.", metavar="FILE")
    ] = None,
) -> None:
    """Compare what really happened with the alerts of a service: docs/simulator/scoring.md."""
    from simulator.scoring import page, reading
    from simulator.scoring import score as scoring

    if truth == alerts == "-":
        raise errors.BadInput("--truth and --alerts cannot both be standard input")
    document = scoring.score(reading.truth(truth), reading.alerts(alerts))
    if html is not None:
        try:
            html.write_text(page.page(document), encoding="utf-8")
        except OSError as error:
            raise errors.BadInput(f"--html cannot be written: {error.strerror}") from None
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
    elif html is None:
        _show(document)
    else:
        typer.echo(f"telehealth-sim: written: {html}", err=True)


def _show(document: Json) -> None:
    from simulator.scoring import told

    _table("Everything", ("", ""), told.overall(document))
    for title, name in (("By pathway", "by_pathway"), ("By scenario", "by_scenario")):
        header, rows = told.groups(document, name)
        # Groups side by side: a figure a row reads better than a dozen columns.
        turned = [tuple(row[place] for row in [header, *rows]) for place in range(len(header))]
        _table(title, turned[0], turned[1:])
    _table("To be noticed", *told.notices(document))


def _table(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    if not sys.stdout.isatty():
        from simulator.scoring import told

        typer.echo("\n".join(("", title, *told.plain([header, *rows] if any(header) else rows))))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = Table(*header, title=title, title_justify="left", box=box.SIMPLE, show_header=any(header))
    for row in rows:
        shown.add_row(*row)
    Console(highlight=False).print(shown)
