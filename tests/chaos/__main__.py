"""make chaos ARGS="--rounds N --seed S": kill everything N times and compare what was sent with what is stored."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from telehealth import log
from tests.chaos import run
from tests.chaos.run import Report

_FAKETIME = "libfaketimeMT.so.1"


def main() -> int:
    """0: nothing lost or doubled and always recovered; 1: something was; 2: something needed is missing."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, metavar="N", help="kills (30)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed plans the same faults (1)")
    parser.add_argument("--never-returns", action="store_true", help="half way one of the two services stays dead")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    given = parser.parse_args()
    faketime = next(Path("/usr/lib").glob(f"**/faketime/{_FAKETIME}"), None)
    if faketime is None:
        print("faketime is missing: apt-get install faketime", file=sys.stderr)
        return 2
    log.configure("critical")
    console = Console(stderr=True)
    columns = TextColumn("{task.description:50}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("starting", total=given.rounds)

            def tell(done: int, what: str) -> None:
                progress.update(task, completed=done, description=what)

            report = asyncio.run(
                run.chaos(given.rounds, given.seed, faketime=faketime, never_returns=given.never_returns, tell=tell)
            )
    except KeyboardInterrupt:
        return 130
    if given.json:
        print(json.dumps(_plain(report)))
    else:
        _show(report, Console())
    return 0 if report.verdict.good and not report.stuck else 1


def _plain(report: Report) -> object:
    said = report.said
    return {
        "seed": report.seed,
        "faults": dict(report.done),
        "failpoints_reached": dict(report.reached),
        "stuck": report.stuck,
        "messages": said.messages,
        "deliveries": said.deliveries,
        "reconnects": said.reconnects,
        "verdict": dataclasses.asdict(report.verdict) | {"good": report.verdict.good},
    }


def _show(report: Report, console: Console) -> None:
    faults = Table("fault", "times", title=f"chaos, seed {report.seed}")
    for kind, times in sorted(report.done.items()):
        faults.add_row(kind, str(times))
    console.print(faults)
    said, verdict = report.said, report.verdict
    result = Table("what", "count", title="after everything was well again")
    for what, count in (
        ("messages measured", said.messages),
        ("deliveries, resends and duplicates included", said.deliveries),
        ("connections of devices", said.reconnects),
        ("readings sent", verdict.sent),
        ("readings receipted", verdict.receipted),
        ("readings stored", verdict.stored),
        ("lost", len(verdict.lost)),
        ("stored twice", len(verdict.doubled)),
        ("stored and never sent", len(verdict.never_sent)),
        ("altered", len(verdict.altered)),
        ("refused", len(verdict.refused) + verdict.quarantined),
        ("episodes", verdict.episodes),
        ("episodes missing", len(verdict.episodes_missing)),
        ("episodes too many", len(verdict.episodes_extra)),
        ("alerts", verdict.alerts),
        ("alerts lost or doubled", len(verdict.alerts_wrong)),
        ("faults without recovery in time", len(report.stuck)),
    ):
        result.add_row(what, str(count))
    console.print(result)
    for line in (
        *report.stuck,
        *verdict.alerts_wrong[:10],
        *map(str, verdict.lost[:10]),
        *verdict.episodes_missing[:5],
    ):
        console.print(str(line))
    console.print("good" if verdict.good and not report.stuck else "[bold]NOT good")


if __name__ == "__main__":
    sys.exit(main())
