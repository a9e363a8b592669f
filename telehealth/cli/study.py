"""telehealth study weight|pulse|cgm|hospital: the figures that rules are judged by, on anybody's data. No database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telehealth import errors
from telehealth.cli import terminal

if TYPE_CHECKING:
    from telehealth.study.document import Report

app = typer.Typer(
    help="Judge the rules on recorded data, with 95 % intervals. Formats and figures: docs/clinical/performance.md.",
    no_args_is_help=True,
)

Data = Annotated[
    Path, typer.Option("--data", help="A folder (or one file) of CSV, PSV or zip files; found by their columns.")
]
Some = Annotated[
    Path | None, typer.Option("--data", help="A folder (or one file) of CSV, PSV or zip files; found by their columns.")
]
Model = Annotated[bool, typer.Option("--model", help="Instead of data: the made-up people on whom rules were chosen.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page with a picture to this file.")]


Pathway = Annotated[
    str | None, typer.Option("--pathway", help="Whose rules: a name, name@version or .toml file. [heart_failure]")
]


@app.command()
def weight(
    data: Some = None,
    model: Model = False,
    pathway: Pathway = None,
    html: Html = None,
    json: terminal.Json = False,
) -> None:
    """Gains of weight: false alerts on people without heart failure, and a gain of 2.3 kg added to their real logs."""
    from telehealth.study import weight

    _run(lambda: weight.run_model(pathway) if model else weight.run(_needed(data), pathway), html, as_json=json)


@app.command()
def pulse(data: Some = None, model: Model = False, html: Html = None, json: terminal.Json = False) -> None:
    """Resting pulse of wearables: illnesses found at 0.6 false alerts per person-month, against a CUSUM."""
    from telehealth.study import pulse

    _run(lambda: pulse.run_model() if model else pulse.run(_needed(data)), html, as_json=json)


@app.command()
def cgm(data: Data, html: Html = None, json: terminal.Json = False) -> None:
    """Continuous glucose: events of the rules against an independent count by the consensus."""
    from telehealth.study import cgm

    _run(lambda: cgm.run(data), html, as_json=json)


@app.command()
def hospital(data: Data, html: Html = None, json: terminal.Json = False) -> None:
    """Hourly hospital vital signs: sepsis found at the burden of plain NEWS2 of 5 or more."""
    from telehealth.study import hospital

    _run(lambda: hospital.run(data), html, as_json=json)


def _needed(data: Path | None) -> Path:
    if data is None:
        raise errors.SettingError("--data", "is needed: a folder of recorded data (or --model)")
    return data


def _run(study: Callable[[], Report], html: Path | None, *, as_json: bool) -> None:
    try:
        report = study()
        if html is not None:
            _write(html, report.html())
    except errors.TelehealthError as error:
        terminal.fail(error)
    except KeyboardInterrupt:
        typer.echo("telehealth: interrupted", err=True)
        raise typer.Exit(130) from None
    terminal.answer(report.to_json(), as_json=as_json, text="" if as_json else report.text())


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise errors.Invalid("--html", f"cannot be written: {error.strerror or type(error).__name__}") from None
