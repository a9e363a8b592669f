"""telehealth backtest, telehealth compare: rules against recorded readings. No database."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telehealth import errors
from telehealth.cli import backtest_shown, terminal

if TYPE_CHECKING:
    from alerts.measures import Judged
    from telehealth.backtest import lines, report, rulefile

Json = dict[str, Any]

Readings = Annotated[
    Path, typer.Option("--readings", help="CSV: person,code,value,unit,taken_at; - is standard input.")
]
Truth = Annotated[Path | None, typer.Option("--truth", help="CSV: person,onset,kind of what really happened.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page with pictures to this file.")]
Alerts = Annotated[
    Path | None, typer.Option("--alerts", help="Write the alerts to this file, as `telehealth-sim score` reads them.")
]
Zone = Annotated[
    str | None, typer.Option("--zone", help="Of times without an offset, and of local days (else Europe/London).")
]
Scale = Annotated[int, typer.Option("--scale", min=1, max=2, help="SpO2 scale: 2 is a clinician's setting.")]
Before = Annotated[
    list[str] | None,
    typer.Option("--before", help="So long before an onset an alert finds it: 7d, 48h, 30m; of one kind: sepsis=48h."),
]
After = Annotated[list[str] | None, typer.Option("--after", help="As --before, after the onset.")]
Join = Annotated[
    int, typer.Option("--join", min=0, max=1440, help="Hours of refractory time of rules that have none of their own.")
]
Handled = Annotated[
    float,
    typer.Option("--handled", min=0, max=10080, help="Minutes after which people are assumed to handle an alert."),
]
Gap = Annotated[float, typer.Option("--gap", min=2, max=3650, help="Days without a reading that end a stay.")]
Silence = Annotated[
    bool, typer.Option("--silence", help="Also what did not come, against the pathway's usual schedule.")
]
Workers = Annotated[int, typer.Option("--workers", min=0, max=16, help="Processes; 0: one for each core.")]

_LONG = re.compile(r"(?:([a-z0-9_-]{1,40})=)?([0-9]{1,6}(?:\.[0-9]{1,6})?)([mhd])")
_HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}
_USUAL_ZONE = "Europe/London"


def backtest(
    readings: Readings,
    pathway: Annotated[
        str | None, typer.Option("--pathway", help="A packaged pathway, name@version, or a pathway file (.toml).")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Changes of it or a rule set (.json), or a pathway file (.toml).")
    ] = None,
    truth: Truth = None,
    alerts: Alerts = None,
    html: Html = None,
    zone: Zone = None,
    scale: Scale = 1,
    before: Before = None,
    after: After = None,
    join: Join = 0,
    handled: Handled = 30,
    gap: Gap = 14,
    silence: Silence = False,
    workers: Workers = 0,
    json: terminal.Json = False,
) -> None:
    """Replay recorded readings: what would have been raised, and was it right? See docs/backtest.md."""

    def job() -> None:
        from telehealth.backtest import page, report, rulefile

        chosen = rulefile.choose(pathway, rules, 2 if scale == 2 else 1, ("--pathway", "--rules"))
        with progress() as tell:
            asked = _asked(
                readings, truth, zone, (before, after), (join, handled, gap), chosen if silence else None, tell
            )
            judged = _judged(asked, chosen, tell, "Replaying", workers)
            document = report.backtested(asked, chosen, judged)
        if alerts is not None:
            _list(alerts, asked, chosen, judged)
        _answer(document, html, page.backtest, backtest_shown.backtest, as_json=json)

    _run(job)


def _list(file: Path, asked: report.Asked, chosen: rulefile.Chosen, judged: Judged) -> None:
    import msgspec

    from telehealth.backtest import alert_list

    listed = alert_list.document(asked.loaded.history.people, judged.replay, chosen.rule_set.pathway or None)
    try:
        file.write_bytes(msgspec.json.encode(listed))
    except OSError as error:
        raise errors.Invalid("--alerts", f"cannot be written: {error.strerror or type(error).__name__}") from None


def compare(
    first: Annotated[str, typer.Argument(help="Rules: a pathway, name@version, a .toml or .json file.")],
    second: Annotated[str, typer.Argument(help="Other rules, of the same forms.")],
    readings: Readings,
    pathway: Annotated[
        str | None, typer.Option("--pathway", help="What .json files of changes alone are changes of.")
    ] = None,
    truth: Truth = None,
    html: Html = None,
    zone: Zone = None,
    scale: Scale = 1,
    before: Before = None,
    after: After = None,
    join: Join = 0,
    handled: Handled = 30,
    gap: Gap = 14,
    silence: Silence = False,
    workers: Workers = 0,
    json: terminal.Json = False,
) -> None:
    """Set two versions of rules side by side on the same recorded readings. See docs/backtest.md."""

    def job() -> None:
        from telehealth.backtest import page, report

        one, two = (_rules(source, pathway, scale, name) for source, name in ((first, "FIRST"), (second, "SECOND")))
        with progress() as tell:
            asked = _asked(readings, truth, zone, (before, after), (join, handled, gap), one if silence else None, tell)
            judged = (
                _judged(asked, one, tell, "Replaying the first", workers),
                _judged(asked, two, tell, "Replaying the second", workers),
            )
            document = report.compared(asked, (one, two), judged)
        _answer(document, html, page.compare, backtest_shown.compare, as_json=json)

    _run(job)


def _rules(source: str, pathway: str | None, scale: int, name: str) -> rulefile.Chosen:
    from telehealth.backtest import rulefile

    options = ("--pathway", name)
    own_scale: rulefile.Scale = 2 if scale == 2 else 1
    if source.endswith((".json", ".toml")):
        return rulefile.choose(pathway, Path(source), own_scale, options)
    return rulefile.choose(source, None, own_scale, (name, name))


def _run(job: Callable[[], None]) -> None:
    """Ours become one line; Ctrl-C ends at once, whatever is being worked out."""
    try:
        job()
    except errors.TelehealthError as error:
        terminal.fail(error)
    except KeyboardInterrupt:
        typer.echo("telehealth: interrupted", err=True)
        raise typer.Exit(130) from None


# What is asked for --------------------------------------------------------------------------------

#: (what is going on, how much of it is done from 0 to 1)
Tell = Callable[[str, float], None]


def _asked(
    readings: Path,
    truth: Path | None,
    zone: str | None,
    around: tuple[Sequence[str] | None, Sequence[str] | None],
    manner: tuple[int, float, float],
    expected: rulefile.Chosen | None,
    tell: Tell,
) -> report.Asked:
    from alerts import backtest as replays
    from alerts import errors as refusals
    from alerts import onsets, schedule
    from telehealth.backtest import readings as reading
    from telehealth.backtest import report
    from telehealth.backtest import truth as happened

    windows = onsets.Windows(_hours(around[0], "--before"), _hours(around[1], "--after"))
    try:
        own = None if zone is None else schedule.zone_named(zone)
    except refusals.RuleError:
        raise errors.Invalid("--zone", "is not a time zone such as Europe/London") from None
    if str(readings) == "-" and str(truth) == "-":
        raise errors.Invalid("--truth", "cannot be standard input as well")
    loaded = reading.load(readings, own, lambda part: tell("Reading", part))
    known = None if truth is None else happened.load(truth, loaded.history, own)
    _complain("--readings", loaded.refused)
    if known is not None:
        _complain("--truth", known.refused)
    usual = None if expected is None else expected.schedule
    settings = replays.Manner(zone or _USUAL_ZONE, manner[2], manner[0], manner[1], usual)
    return report.Asked(loaded, known, windows, settings)


def _hours(given: Sequence[str] | None, option: str) -> dict[str, float]:
    found = {}
    for text in given or ():
        match = _LONG.fullmatch(text.strip().lower())
        if match is None:
            raise errors.Invalid(option, "must be a time like 7d, 48h or 30m, or of one kind of onset, sepsis=48h")
        found[match[1] or ""] = float(match[2]) * _HOURS[match[3]]
    return found


_SHOWN = 20


def _complain(option: str, refused: lines.Refused) -> None:
    for bad in refused.lines[:_SHOWN]:
        typer.echo(f"{option}, line {bad['line']}: {bad['problem']}", err=True)
    if refused.total > _SHOWN:
        typer.echo(f"{option}: {refused.total - _SHOWN:,} more lines could not be used", err=True)


def _judged(asked: report.Asked, chosen: rulefile.Chosen, tell: Tell, what: str, workers: int) -> Judged:
    from alerts import measures
    from telehealth.backtest import replaying

    history = asked.loaded.history
    whole = max(len(history.readings), 1)
    tell(what, 0.0)
    replay = replaying.replay(
        history, chosen.rule_set, asked.manner, lambda done: tell(what, done / whole), workers or replaying.cores()
    )
    return measures.judge(replay, history, None if asked.known is None else asked.known.onsets, asked.windows)


# What is answered ---------------------------------------------------------------------------------


def _answer(
    document: Json, html: Path | None, page: Callable[[Json], str], text: Callable[[Json], None], *, as_json: bool
) -> None:
    if html is not None:
        try:
            html.write_text(page(document), encoding="utf-8")
        except OSError as error:
            raise errors.Invalid("--html", f"cannot be written: {error.strerror or type(error).__name__}") from None
    if as_json:
        terminal.answer(document, as_json=True, text="")
    elif html is None:
        text(document)
    else:
        typer.echo(f"written: {html}", err=True)


@contextlib.contextmanager
def progress() -> Iterator[Tell]:
    """A bar on a terminal's standard error; silent in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _what, _part: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, part: float) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=1.0)
            bar.update(tasks[what], completed=part)

        yield tell
