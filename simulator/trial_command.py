"""telehealth-sim trial: people of a pathway by seed, without any service: what they measure and what really happens."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from simulator import clock, errors, options, scenario, trial
from simulator.bodies import physiology

COLUMNS = ("person", "code", "value", "unit", "taken_at", "flags")
_SEEDS = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9}))?")
_MOST = 100_000


def command(
    pathway: Annotated[str, typer.Argument(help="Whose home and schedule, for example copd.")],
    csv_file: Annotated[str, typer.Option("--csv", help="What was measured; - is standard output.", metavar="FILE")],
    truth: Annotated[str, typer.Option("--truth", help="What really happened, JSON lines.", metavar="FILE")],
    seeds: Annotated[str, typer.Option(help="One person for each: 1..200.")] = "1..20",
    scenario_name: Annotated[
        str | None, typer.Option("--scenario", help="What befalls all of them; a name or a file.", metavar="NAME|FILE")
    ] = None,
    after_days: Annotated[float, typer.Option(help="Days of ordinary life before it.", min=0, max=400)] = 7,
    days: Annotated[
        float | None, typer.Option(help="Days in all; else until everything should have been noticed.", min=1, max=400)
    ] = None,
    start: Annotated[str | None, typer.Option(help="ISO time; 5 January 2026 unless given.")] = None,
    realistic: Annotated[
        bool, typer.Option("--realistic/--perfect", help="With artefacts, failures and missed measurements.")
    ] = True,
) -> None:
    """Make people of a pathway by their seeds, one recording for all, for judging rules: docs/simulator/judging.md.

    The person of seed 7 is the one of simulator.trial.run(pathway, scenario=..., seed=7).
    """
    chosen = None if scenario_name is None else scenario.load(scenario_name)
    begin = options.time("--start", start) or trial.START
    length = days if days is not None else _needed(chosen, after_days)
    with _opened("--csv", csv_file) as rows, _opened("--truth", truth) as records:
        writer = csv.writer(rows, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, seed in enumerate(_seeds(seeds)):
            made = trial.run(
                pathway,
                scenario=chosen,
                days=length,
                after_days=after_days,
                seed=seed,
                start=begin,
                realistic_faults=realistic,
            )
            name = f"{chosen.name if chosen else 'usual'}/{pathway}/{seed}"
            writer.writerows(_rows(made, name))
            for record in made.truth:
                if record["record"] != "run":
                    records.write(json.dumps(_named(record, name)) + "\n")
                elif number == 0:
                    records.write(json.dumps(record) + "\n")


def _needed(chosen: scenario.Scenario | None, after_days: float) -> float:
    """Until a day after the last that should be noticed, or a week."""
    last = max((one.by_hours for one in chosen.notice), default=0.0) if chosen else 0.0
    return after_days + max(last / 24 + 2, 7)


def _seeds(text: str) -> range:
    found = _SEEDS.fullmatch(text.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not first <= last < first + _MOST:
        raise errors.BadInput("--seeds is a number, or two like 1..200")
    return range(first, last + 1)


def _rows(made: trial.Made, name: str) -> Iterator[tuple[object, ...]]:
    for one in made.readings:
        vital = physiology.VITALS.get(one.code)
        value = "" if one.value is None else str(one.value).lower() if isinstance(one.value, bool) else one.value
        yield name, one.code, value, vital.unit if vital else "", clock.text(one.at), " ".join(one.flags)


def _named(record: dict[str, Any] | Any, name: str) -> dict[str, Any]:
    """With the name of this person instead of the trial's own, also in ids."""
    found = dict(record)
    for key in ("resident", "id", "device_id"):
        if isinstance(found.get(key), str):
            found[key] = name if key == "resident" else f"{name}/{found[key]}"
    return found


@contextlib.contextmanager
def _opened(option: str, path: str) -> Iterator[IO[str]]:
    if path == "-":
        yield sys.stdout
        return
    try:
        file = Path(path).open("w", encoding="utf-8", newline="")  # noqa: SIM115  # closed below
    except OSError as error:
        raise errors.BadInput(f"{option} cannot be written: {error.strerror}") from None
    with file:
        yield file
