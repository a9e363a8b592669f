"""Reports of backtest and compare as tables on a terminal."""

from __future__ import annotations

import sys
from typing import Any

from telehealth.backtest import figures

Json = dict[str, Any]


def backtest(document: Json) -> None:
    """The figures of one rule set."""
    console = _console()
    _data(console, document)
    console.print(f"Rules: {_rules(document['rules'])}")
    _overall(console, [("", document["overall"])])
    console.print(_by_rule(document))
    _missed(console, document)
    console.print("What the words mean, and how the intervals are made: --json, --html, docs/backtest.md")


def compare(document: Json) -> None:
    """Two rule sets side by side."""
    console = _console()
    _data(console, document)
    for name in ("first", "second"):
        console.print(f"{name.capitalize()}: {_rules(document[name]['rules'])}")
    _overall(console, [(name, document[name]["overall"]) for name in ("first", "second")])
    alerts, difference, found = document["alerts"], document["difference"], document["onsets"]
    console.print(
        f"Alerts of both {alerts['both']}; of the first only (saved by the second) {alerts['only_first']};"
        f" of the second only (added) {alerts['only_second']}"
    )
    if found is not None:
        console.print(
            f"Onsets found by both {found['both']}, by the first only {found['only_first']}, by the second only"
            f" {found['only_second']}, by neither {found['neither']}"
        )
        console.print(f"Second found earlier by, hours, median: {figures.told(found['second_earlier_hours'])}")
    console.print(f"Second less first: alerts per resident-day {figures.told(difference['per_resident_day'])}")
    for name, text in (("sensitivity", "sensitivity"), ("false_per_person_day", "false alerts per person-day")):
        if difference[name] is not None:
            console.print(f"Second less first: {text} {figures.told(difference[name])}")
    table = _table("Rule", "Both", "First only", "Second only")
    for row in alerts["by_rule"]:
        table.add_row(row["rule"], str(row["both"]), str(row["only_first"]), str(row["only_second"]))
    console.print(table)


def _rules(rules: Json) -> str:
    return f"{rules['label']} ({rules['pathway']}, version {rules['version']}, {rules['number']} rules)"


def _data(console: Any, document: Json) -> None:
    data, truth = document["data"], document["truth"]
    console.print(
        f"{data['people']:,} {'person' if data['people'] == 1 else 'people'}, {data['readings']:,} readings"
        f" from {data['from'][:10]} to {data['to'][:10]},"
        f" {data['resident_days']:,.1f} resident-days"
    )
    if data["refused"]["lines"]:
        reasons = ", ".join(f"{reason} {count}" for reason, count in data["refused"]["by_reason"].items())
        console.print(f"Lines that could not be used: {data['refused']['lines']:,} ({reasons})")
    if truth is not None:
        more = f"; {truth['without_readings']} of people without readings" if truth["without_readings"] else ""
        console.print(f"{truth['onsets']} onsets, {truth['observed']} of them observed{more}")


def _overall(console: Any, columns: list[tuple[str, Json]]) -> None:
    table = _table("", *(f"{name} (95 % interval)".strip() for name, _ in columns))
    for text, cells, _ in figures.lines([found for _, found in columns]):
        table.add_row(text, *cells)
    console.print(table)


def _by_rule(document: Json) -> Any:
    truth = document["truth"] is not None
    names = ["Rule", "Alerts", "Per resident-day"]
    table = _table(*names, *(["Sensitivity", "Precision", "False per person-month"] if truth else []))
    for row in document["by_rule"]:
        if not row["readings"] and not row["alerts"]:
            table.add_row(row["rule"], "-", "no readings of it", *([""] * 3 if truth else []))
            continue
        cells = [row["rule"], str(row["alerts"]), figures.told(row["per_resident_day"])]
        if truth:
            cells += [
                figures.told(row["sensitivity"], percent=True),
                figures.told(row["precision"], percent=True),
                figures.told(row["false_alerts"]["per_person_month"]),
            ]
        table.add_row(*cells)
    return table


def _missed(console: Any, document: Json) -> None:
    missed = document["missed"]
    if missed["count"]:
        console.print(
            f"Onsets missed: {missed['count']}; at {missed['alert_open_before']} of them an alert was open already"
        )


def _table(*columns: str) -> Any:
    from rich.table import Table

    return Table(*columns, box=None, pad_edge=False)


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False, soft_wrap=True)
