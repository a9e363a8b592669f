"""docs/backtest.md says what happens: its example, its windows, its numbers."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from alerts import dryrun, onsets
from telehealth.cli.app import app

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/backtest.md").read_text("utf-8")


def test_the_example_is_what_the_command_answers() -> None:
    """Line by line, from the checkout's root."""
    command, answer = re.findall(r"```\n(.*?)```", TEXT, re.DOTALL)[:2]
    arguments = [str(ROOT / part) if part.startswith("docs/") else part for part in command.split()[1:]]
    result = CliRunner().invoke(app, arguments)
    said = [line.rstrip() for line in result.stdout.splitlines()]
    for line in answer.strip().splitlines():
        assert line == "..." or line in said, line


def test_the_comparison_is_what_is_said_of_it(tmp_path: Path) -> None:
    command = re.findall(r"```\n(.*?)```", TEXT, re.DOTALL)[2].replace("\\\n", " ")
    echo, compare = command.strip().splitlines()
    rules = re.search(r"'(.*)' > (\S+)", echo)
    assert rules is not None
    assert (ROOT / rules[2]).read_text("utf-8").strip() == rules[1]
    arguments = [str(ROOT / part) if part.startswith("docs/") else part for part in compare.split()[1:]]
    arguments[arguments.index("--html") :] = []
    result = CliRunner().invoke(app, arguments)
    assert "of the first only (saved by the second) 0; of the second only (added) 1" in result.stdout
    assert "by the second only 0" in result.stdout


def test_the_windows_are_those_of_the_code() -> None:
    def hours(text: str) -> float:
        number, _, unit = text.partition(" ")
        return float(number) * {"": 1, "min": 1 / 60, "h": 1, "days": 24}[unit]

    rows = re.findall(r"^\| ([a-z ]+?)(?: \(glucose\))? \| ([0-9]+[a-z ]*) \| ([0-9]+[a-z ]*) \|$", TEXT, re.MULTILINE)
    told = {kind: (hours(before), hours(after)) for kind, before, after in rows}
    assert told == {kind: (window.before_hours, window.after_hours) for kind, window in onsets.WINDOWS.items()}


def test_the_cost_of_an_alert_is_that_of_the_code() -> None:
    assert f"**Nurse-minutes**: {dryrun.COST.minutes:g} for an alert" in TEXT
    assert "chosen, needs local approval" in TEXT
    assert dryrun.COST.approval == "needs local approval"
