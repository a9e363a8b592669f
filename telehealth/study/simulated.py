"""Simulated people, whose truth is known: what the packaged pathways cost stable ones, and whether they notice illness.

The people, and what really happens to them, come from `telehealth-sim trial`, a program that knows no rules; their
readings go through the same fold as a backtest; `telehealth-sim score` sets one against the other.
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from alerts import backtest, pathways
from telehealth import clock, errors
from telehealth.backtest import alert_list, readings, rulefile
from telehealth.model import alert_list as lists
from telehealth.study.document import Report, Table, Target
from telehealth.study.resampling import Figure

Json = dict[str, Any]

START = datetime(2026, 1, 5, tzinfo=UTC)
#: What the rules are judged by: human alerts a resident-day, high ones of them, courses noticed in time.
MOST_HUMAN, MOST_HIGH, LEAST_NOTICED = 0.1, 0.02, 0.95
USUAL_DAYS = 28.0
STABLE = "stable"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """seeds: first and last. scenarios: names; empty: all. days: of stable people."""

    seeds: tuple[int, int] = (1, 200)
    scenarios: tuple[str, ...] = ()
    pathways: tuple[str, ...] = ()
    days: float = USUAL_DAYS
    jobs: int = 1
    realistic: bool = True
    keep: Path | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """People of one pathway whom one scenario befalls (None: nothing)."""

    pathway: str
    scenario: str | None
    seeds: tuple[int, int]
    days: float | None
    realistic: bool
    rules: str


@dataclass(frozen=True, slots=True)
class Made:
    """Truth (JSON lines) and alerts of a part, and what it took: seconds of making and of folding."""

    truth: bytes
    alerts: list[Json]
    readings: int
    seconds: tuple[float, float]


def run(plan: Plan, progress: Callable[[str, float], None] = lambda _what, _part: None) -> Report:
    """Raises Unavailable or Invalid."""
    stable, ill = parts(plan)
    with tempfile.TemporaryDirectory(prefix="telehealth-study-") as name:
        folder = plan.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        made = list(_made([*stable, *ill], plan.jobs, progress))
        burden = _scored(folder, "stable", made[: len(stable)]) if stable else None
        found = _scored(folder, "ill", made[len(stable) :]) if ill else None
    return _report(plan, burden, found, made)


def parts(plan: Plan) -> tuple[list[Part], list[Part]]:
    """Stable people of every pathway, and people of the pathways of each scenario, who share its seeds."""
    known = {one["name"]: one for one in json.loads(_simulator("list", "scenarios", "--json"))["scenarios"]}
    chosen = plan.scenarios or tuple(known)
    if unknown := [name for name in chosen if name not in known]:
        raise errors.Invalid("--scenarios", f"{unknown[0]:.40} is not one of {', '.join(known)}")
    if unknown := [name for name in plan.pathways if name.partition("@")[0] not in pathways.names()]:
        raise errors.Invalid("--pathways", f"{unknown[0]:.40} is not one of {', '.join(pathways.names())}")
    rules = {name.partition("@")[0]: name for name in plan.pathways or pathways.names()}
    stable: list[Part] = []
    ill: list[Part] = []
    for name in chosen:
        own = [one for one in known[name].get("pathways") or pathways.names() if one in rules]
        if name == STABLE:
            stable += [Part(one, None, plan.seeds, plan.days, plan.realistic, rules[one]) for one in own]
        else:
            ill += [
                Part(one, name, seeds, None, plan.realistic, rules[one])
                for one, seeds in zip(own, _shared(plan.seeds, len(own)), strict=False)
            ]
    return stable, ill


def _shared(seeds: tuple[int, int], parties: int) -> Iterator[tuple[int, int]]:
    """Seeds in so many stretches of about the same length; fewer where there are fewer seeds."""
    first, count = seeds[0], seeds[1] - seeds[0] + 1
    stretches = min(parties, count)
    for number in range(stretches):
        yield first + count * number // stretches, first + count * (number + 1) // stretches - 1


def _simulator(*arguments: str) -> bytes:
    """What telehealth-sim says. Raises Unavailable with its last line."""
    done = subprocess.run([sys.executable, "-m", "simulator", *arguments], capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise errors.Unavailable(f"telehealth-sim {arguments[0]}: {said[-1] if said else 'failed'}")
    return done.stdout


# People through the rules -------------------------------------------------------------------------


def _made(wanted: Sequence[Part], jobs: int, progress: Callable[[str, float], None]) -> Iterator[Made]:
    if jobs == 1:
        for number, part in enumerate(wanted):
            progress("People through the rules", number / len(wanted))
            yield make(part)
        return
    # Fresh processes: copies of this one would have its threads' locks.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, context) as pool:
        for number, made in enumerate(pool.map(make, wanted)):
            progress("People through the rules", number / len(wanted))
            yield made


def make(part: Part) -> Made:
    """People of a part, and the alerts that they would have had. Raises Unavailable."""
    began = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="telehealth-study-") as name:
        csv, truth = Path(name) / "readings.csv", Path(name) / "truth.jsonl"
        options = [f"--seeds={part.seeds[0]}..{part.seeds[1]}", f"--start={START.isoformat()}"]
        options += [] if part.scenario is None else [f"--scenario={part.scenario}"]
        options += [] if part.days is None else [f"--days={part.days:g}"]
        options += ["--realistic" if part.realistic else "--perfect"]
        _simulator("trial", part.pathway, f"--csv={csv}", f"--truth={truth}", *options)
        made = clock.monotonic()
        loaded = readings.load(csv, None, lambda _part: None)
        told = truth.read_bytes()
    chosen = _rules(part.rules)
    manner = backtest.Manner(expected=chosen.schedule, watched=_watched(told))
    replay = backtest.replay(loaded.history, chosen.rule_set, manner)
    prefix = f"{part.scenario or STABLE}/{part.pathway}"
    alerts = [
        {**one.to_json(), "id": f"{prefix}/{number}", "pathway": part.pathway}
        for number, one in enumerate(alert_list.listed(loaded.history.people, replay, None), start=1)
    ]
    return Made(told, alerts, len(loaded.history.readings), (made - began, clock.monotonic() - made))


@functools.cache
def _rules(name: str) -> rulefile.Chosen:
    return rulefile.choose(name, None, 1, ("--pathways", "--pathways"))


def _watched(truth: bytes) -> tuple[int, int]:
    """Of the people of one recording, who are all watched at the same time: microseconds since 1970."""
    for line in truth.splitlines():
        record = msgspec.json.decode(line)
        if record["record"] == "resident":
            return _micros(record["from"]), _micros(record["to"])
    raise errors.Unavailable("telehealth-sim trial made nobody")


def _micros(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def _scored(folder: Path, name: str, made: Sequence[Made]) -> Json:
    truth, alerts = folder / f"{name}_truth.jsonl", folder / f"{name}_alerts.json"
    truth.write_bytes(b"".join(one.truth for one in made))
    head = lists.head("telehealth study simulated", clock.real_now(), None, None)
    alerts.write_bytes(msgspec.json.encode({**head, "alerts": [alert for one in made for alert in one.alerts]}))
    found: Json = msgspec.json.decode(_simulator("score", f"--truth={truth}", f"--alerts={alerts}", "--json"))
    return found


# What it came to ----------------------------------------------------------------------------------


def _report(plan: Plan, burden: Json | None, found: Json | None, made: Sequence[Made]) -> Report:
    tables: list[Table] = []
    targets: list[Target] = []
    figures: Json = {}
    if burden is not None:
        tables.append(_burden(burden))
        tables.append(_rules_of(burden))
        of = burden["overall"]
        for name, key, most in (("human", "human", MOST_HUMAN), ("high", "human_high", MOST_HIGH)):
            figure = _figure(of["alerts"][key]["per_resident_day"])
            figures[f"{name}_per_resident_day"] = figure
            told = f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})" if figure.high is not None else "-"
            title = f"Stable people: {name} alerts a resident-day"
            targets.append(
                Target(title, told, f"at most {most}", None if figure.value is None else figure.value <= most)
            )
    if found is not None:
        tables.append(_noticed(found))
        tables.append(_missed(found))
        for name, of in found["by_scenario"].items():
            if of["courses"]["judged"]:
                figure = _figure(of["courses"]["sensitivity"])
                figures[f"noticed/{name}"] = figure
                met = figure.value is not None and figure.value >= LEAST_NOTICED
                targets.append(Target(f"{name}: noticed in time", figure.told(3), f"at least {LEAST_NOTICED}", met))
    making, folding = (sum(one.seconds[place] for one in made) for place in (0, 1))
    return Report(
        "simulated people",
        "What do the packaged pathways cost people who are well, and do they notice illness in time?",
        (
            f"seeds {plan.seeds[0]} to {plan.seeds[1]} of `telehealth-sim trial`, from {START:%d %B %Y}:"
            f" {sum(one.readings for one in made):,} readings",
            "artefacts, failed and missed measurements at realistic rates"
            if plan.realistic
            else "perfect measurements",
        ),
        (
            f"stable people of each pathway for {plan.days:g} days, one of each seed; of each scenario one person of"
            " each seed, in equal parts on the pathways that it concerns, after a week of ordinary life",
            "readings at their true times through the engine with the pathway's newest version and usual schedule,"
            " also what did not come; scale 1, no personal limits; alerts are assumed to be handled after 30 minutes",
            "scored by `telehealth-sim score` (docs/simulator/scoring.md); of stable people all alerts count",
        ),
        (),
        tuple(tables),
        tuple(targets),
        (f"made in {making:.0f} s, folded in {folding:.0f} s",),
        intervals="In brackets: 95 % intervals. Rates: exact Poisson; shares: Wilson; medians: from order statistics.",
        figures={**figures, "making_seconds": round(making, 1), "folding_seconds": round(folding, 1)},
    )


def _figure(found: Json) -> Figure:
    return Figure(found["value"], found["low"], found["high"])


def _rate(found: Json) -> str:
    return _figure(found["per_resident_day"]).told(4)


def _burden(found: Json) -> Table:
    rows = tuple(
        (
            name,
            of["residents"],
            round(of["resident_days"]),
            _rate(of["alerts"]["human"]),
            _rate(of["alerts"]["human_high"]),
            _rate(of["false"]["human"]),
            _rate(of["false"]["clinical"]),
            f"{of['overdue']['on_time'] + of['overdue']['standing']:,} of {of['overdue']['wanted']:,}",
        )
        for name, of in [*found["by_pathway"].items(), ("all", found["overall"])]
    )
    columns = (
        *("Pathway", "People", "Resident-days", "Human alerts a day", "High of them", "False human"),
        *("False clinical", "Overdue told in time"),
    )
    return Table("Stable people", columns, rows, "95 % intervals: exact Poisson.")


def _rules_of(found: Json) -> Table:
    """Which rules the alerts of stable people are from."""
    counts: dict[tuple[str, str], list[int]] = {}
    for one in found["alerts"]:
        if one["human"]:
            pathway = str(one["id"]).split("/")[1]
            own = counts.setdefault((pathway, one["rule"]), [0, 0])
            own[0] += 1
            own[1] += one["priority"] == "high"
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1][0], entry[0]))
    rows = tuple((pathway, rule, number, high) for (pathway, rule), (number, high) in ordered[:40])
    note = f"Of the first {found['most_listed']:,} alerts."
    return Table("Human alerts of stable people by rule", ("Pathway", "Rule", "Alerts", "High"), rows, note)


def _noticed(found: Json) -> Table:
    rows = tuple(
        (
            name,
            f"{of['courses']['noticed']} of {of['courses']['judged']}",
            _figure(of["courses"]["sensitivity"]).told(3),
            _figure(of["lead"]["after_onset_hours"]["median"]).told(1),
            _figure(of["lead"]["before_by_hours"]["median"]).told(1),
            of["courses"]["standing"],
            of["false"]["quiet"]["count"],
        )
        for name, of in found["by_scenario"].items()
    )
    columns = (
        *("Scenario", "Noticed", "Share", "Hours after onset, median", "Hours before the limit, median"),
        *("Missed, but an alert stood", "Alerts where none may be"),
    )
    return Table("Illness noticed in time", columns, rows, "95 % intervals: Wilson, and exact for medians.")


def _missed(found: Json) -> Table:
    """By what was to be noticed and pathway; seeds to look at."""
    missed: dict[tuple[str, str, str], list[str]] = {}
    for one in found["courses"]:
        for notice in one["notices"] if one["judged"] else ():
            if notice["at"] is None:
                seed = str(one["resident"]).rpartition("/")[2]
                missed.setdefault((one["scenario"], one["pathway"] or "-", notice["what"]), []).append(seed)
    rows = tuple(
        (*key, len(seeds), ", ".join(seeds[:10]) + (", ..." if len(seeds) > 10 else ""))
        for key, seeds in sorted(missed.items())
    )
    return Table("What was missed", ("Scenario", "Pathway", "To be noticed", "People", "Seeds"), rows)
