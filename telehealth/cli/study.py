"""telehealth study weight|pulse|cgm|hospital: the figures that rules are judged by, on anybody's data. No database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telehealth import errors
from telehealth.cli import backtest, terminal

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


@app.command()
def simulated(
    seeds: Annotated[str, typer.Option(help="One person for each, of each scenario and each pathway.")] = "1..200",
    scenarios: Annotated[str, typer.Option(help="Names, by comma; else all of them, and stable people.")] = "",
    pathways: Annotated[str, typer.Option(help="Names or name@version, by comma; else the newest of all.")] = "",
    days: Annotated[float, typer.Option(help="Of stable people.", min=1, max=366)] = 28,
    jobs: Annotated[int, typer.Option(help="Processes.", min=1, max=64)] = 1,
    perfect: Annotated[bool, typer.Option("--perfect", help="Without artefacts and missed measurements.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Leave truth and alerts in this folder.", file_okay=False)] = None,
    html: Html = None,
    json: terminal.Json = False,
) -> None:
    """Simulated people whose truth is known: burden of stable ones, illness noticed in time."""
    from telehealth.study import simulated

    first, dots, last = seeds.partition("..")
    if not first.isdigit() or (dots and not last.isdigit()) or int(last or first) < int(first):
        terminal.fail(errors.SettingError("--seeds", "must be a number, or two like 1..200"))
    plan = simulated.Plan(
        (int(first), int(last or first)), _names(scenarios), _names(pathways), days, jobs, not perfect, keep
    )

    def job() -> Report:
        with backtest.progress() as tell:
            return simulated.run(plan, tell)

    _run(job, html, as_json=json)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


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
