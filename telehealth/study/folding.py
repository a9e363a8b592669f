"""People's records through the engine, as one long stay each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alerts import burden, codes, engine, rules, schedule, timeline
from alerts.episodes import RANK, Episode

#: Readings folded at a time.
_AT_ONCE = 50_000
ZONE = "UTC"  #: times are by the local clock already


@dataclass(frozen=True, slots=True)
class Record:
    """Readings of one person. Times in microseconds since the epoch, any order; code as in alerts.codes."""

    at: Sequence[int]
    code: Sequence[str]
    value: Sequence[float]


def episodes(records: Sequence[Record], rule_set: rules.RuleSet) -> list[list[Episode]]:
    """Episodes of each person, by the time they started."""
    expected = schedule.parse({}, ZONE)
    found: list[list[Episode]] = []
    for part in _parts(records):
        rows = timeline.build(
            np.repeat(np.arange(len(part)), [len(record.at) for record in part]),
            [at for record in part for at in record.at],
            [codes.INDEX[code] for record in part for code in record.code],
            [value for record in part for value in record.value],
            np.zeros(sum(len(record.at) for record in part), np.uint64),
            np.arange(sum(len(record.at) for record in part), dtype=np.uint64),
            np.zeros(sum(len(record.at) for record in part), np.int64),
        )
        subjects = []
        for person, record in enumerate(part):
            start = min(record.at, default=0)
            spell = engine.Spell(start, None, expected)
            subjects.append(engine.Subject(person, [(start, rule_set)], [spell], [], ZONE))
        ends = [max(record.at, default=0) for record in part]
        found += [list(result.episodes) for result in engine.fold(subjects, rows, min(ends, default=0))]
    return found


def alerts(records: Sequence[Record], rule_set: rules.RuleSet) -> list[list[burden.Seen]]:
    """What each person's episodes would have been to staff: joined within each rule's refractory time."""
    return [burden.alerts(one) for one in episodes(records, rule_set)]


def rank(episode: Episode) -> int:
    """How urgent it was at its worst; greater is more."""
    return RANK[episode.priority]


def _parts(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    first, held = 0, 0
    for position, record in enumerate(records):
        held += len(record.at)
        if held >= _AT_ONCE:
            yield records[first : position + 1]
            first, held = position + 1, 0
    if first < len(records):
        yield records[first:]
