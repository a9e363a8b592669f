"""Continuous glucose: the engine's events against a count by the consensus that shares nothing with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alerts import pathways
from alerts.episodes import Episode
from telehealth.study import cgm_logs, consensus, document, folding, resampling, rule_sets
from telehealth.study.cgm_logs import Log
from telehealth.study.document import Table, Target


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event: the engine's rule, and the consensus's edge and duration."""

    rule: str
    edge: str
    lasting: int
    told: str


def kinds() -> tuple[Kind, ...]:
    """As the first packaged diabetes pathway has them, with every band of the consensus."""
    found = []
    for rule in pathways.load("diabetes", "1").rules:
        if rule["kind"] == "sustained":
            side = "below" if rule["side"] == "low" else "above"
            edge = next(
                name for name, (where, mmol, _) in consensus.EDGES.items() if (where, mmol) == (side, rule["limit"])
            )
            lasting = int(rule["for_minutes"])
            told = f"{side} {rule['limit']:.1f} mmol/L for {lasting} minutes"
            found.append(Kind(f"sustained/{rule['name']}", edge, lasting, told))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Counted:
    """Events of one kind of one person, of both counts."""

    engine: tuple[consensus.Event, ...]
    independent: tuple[consensus.Event, ...]

    @property
    def differ(self) -> int:
        """Events of either that the other does not have with the same start and end."""
        return len(set(self.engine) ^ set(self.independent))


def run(folder: Path) -> document.Report:
    """The whole study on the logs of a folder."""
    logs, used = cgm_logs.read(folder)
    wanted = kinds()
    counted = count(logs, wanted)
    people = resampling.People([log.person for log in logs])
    days = [log.days for log in logs]
    rows: list[tuple[str | int | float | resampling.Figure | None, ...]] = []
    figures: dict[str, object] = {"people": len(logs), "days": round(sum(days), 1)}
    differing = 0
    for kind in wanted:
        of_kind = [one[kind.rule] for one in counted]
        own, other = ([float(len(c.engine)) for c in of_kind], [float(len(c.independent)) for c in of_kind])
        differ = sum(c.differ for c in of_kind)
        differing += differ
        rate = people.rate(other, days)
        rows.append((kind.told, round(sum(own)), round(sum(other)), differ, rate, rate.others(), crossings(logs, kind)))
        figures[f"{kind.rule}_engine"] = round(sum(own))
        figures[f"{kind.rule}_consensus"] = round(sum(other))
        figures[f"{kind.rule}_per_day"] = rate
    figures["differing"] = differing
    per_person = [
        (log.person, f"{log.minutes} min", len(log.at), log.days, sum(c.differ for c in one.values()))
        for log, one in zip(logs, counted, strict=True)
    ]
    return document.Report(
        "cgm",
        "Are the engine's events of continuous glucose those of the consensus, for every person?",
        (
            f"{len(logs)} people, {sum(len(log.at) for log in logs):,} readings, {sum(days):,.0f} days",
            *used.told(),
            _SOURCE,
        ),
        _METHOD,
        tuple(rule_sets.told(rule_sets.glucose(5))),
        (
            Table(
                "Events",
                ("event", "engine", "consensus", "differing", "per person-day", "other people", "single crossings"),
                tuple(rows),
            ),
            Table("By person", ("person", "interval", "readings", "days", "differing events"), tuple(per_person)),
        ),
        (
            Target(
                "events with the same start and end in both counts",
                f"{differing} differ, of {sum(len(c.independent) for one in counted for c in one.values()):,}",
                "none differs",
                differing == 0,
            ),
        ),
        tuple(used.notes()),
        figures=figures,
    )


_SOURCE = "the figures of docs/clinical/performance.md come from T1D-UOM (doi 10.5281/zenodo.15806142, CC BY 4.0)"

_METHOD = (
    "Consensus (Battelino 2019): an event begins once glucose has been beyond for at least 15 minutes (prolonged: 120)"
    " and ends once it has been back for at least 15 minutes",
    "A reading stands for the sensor's interval (1, 5 or 15 minutes, the nearest to the person's median interval), so"
    " that one reading of a 15-minute sensor is 15 minutes; a silence of more than 30 minutes interrupts a run, and"
    " ends no event",
    "Values are judged in the unit they were measured in: mg/dL against 54, 70, 180 and 250, mmol/L against 3.0, 3.9,"
    ' 10.0 and 13.9; mmol/L with more than one decimal is taken for mg/dL divided. "Low" and "High"'
    " count as 39 and 401 mg/dL. Of several readings of one moment the first counts",
    "The second count is one pass forwards that shares no code with the engine (telehealth/study/consensus.py)",
    "Single crossings: how often a reading is beyond after one that is not; what a limit without duration would have"
    " called",
)


def count(logs: Sequence[Log], wanted: Sequence[Kind]) -> list[Mapping[str, Counted]]:
    """By person and rule, both counts."""
    found: list[Mapping[str, Counted]] = [{} for _ in logs]
    for minutes in sorted({log.minutes for log in logs}):
        places = [place for place, log in enumerate(logs) if log.minutes == minutes]
        records = [_record(logs[place]) for place in places]
        folded = folding.episodes(records, rule_sets.glucose(minutes))
        for place, episodes in zip(places, folded, strict=True):
            found[place] = {
                kind.rule: Counted(tuple(_of(episodes, kind.rule)), tuple(_independent(logs[place], kind)))
                for kind in wanted
            }
    return found


def _record(log: Log) -> folding.Record:
    return folding.Record(log.at, ["glucose"] * len(log.at), log.mmol)


def _of(episodes: Sequence[Episode], rule: str) -> list[consensus.Event]:
    return [consensus.Event(one.started_at, one.ended_at) for one in episodes if one.rule == rule]


def _independent(log: Log, kind: Kind) -> list[consensus.Event]:
    return consensus.events(log.at, _beyond(log, kind), minutes=log.minutes, lasting=kind.lasting)


def _beyond(log: Log, kind: Kind) -> list[bool]:
    edge = consensus.EDGES[kind.edge]
    return [consensus.out(*edge, value, in_mg) for value, in_mg in log.judged]


def crossings(logs: Sequence[Log], kind: Kind) -> int:
    """Readings beyond after one that is not, of all people."""
    total = 0
    for log in logs:
        beyond = _beyond(log, kind)
        total += sum(now and not before for before, now in zip([False, *beyond], beyond, strict=False))
    return total
