"""What the fold of residents needs, in a few queries for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from alerts import codes, engine, rules, timeline
from alerts.state import State
from telehealth.store.db import Connection
from telehealth.store.evaluation import BEGINNING, BEGINNING_US, END, Taken, micros, moment
from telehealth.store.library import Library
from telehealth.store.queries import sql

#: A reading as the query evaluation.readings packs it: what PostgreSQL sends of each type is big-endian, a moment is
#: microseconds since 2000-01-01, and the code is its place, from 1, among those that were asked for.
PACKED: Final = np.dtype(
    [
        ("at", ">i8"),
        ("identity_high", ">u8"),
        ("identity_low", ">u8"),
        ("value", ">f8"),
        ("code", ">i2"),
        ("quality", ">i2"),
    ]
)
_Y2000_US: Final = 946_684_800_000_000

#: (valid_from, rules), by resident.
Versions = Mapping[int, Sequence[tuple[int, rules.RuleSet]]]


@dataclass(frozen=True)
class Load:
    """What the fold of residents needs. Readings stay packed until there is time for them.

    packed: by resident; those without readings are left out. named: the codes that were asked for.
    """

    subjects: Sequence[engine.Subject]
    packed: Mapping[int, bytes]
    named: Sequence[str]

    def __len__(self) -> int:
        """How many readings."""
        return sum(map(len, self.packed.values())) // PACKED.itemsize

    def parts(self, readings: int) -> Iterator[Load]:
        """The same in parts of so many readings, in the order of the subjects; one of more is a part of its own."""
        part: list[engine.Subject] = []
        count = 0
        for subject in self.subjects:
            more = len(self.packed.get(subject.resident, b"")) // PACKED.itemsize
            if part and count + more > readings:
                yield self._of(part)
                part, count = [], 0
            part.append(subject)
            count += more
        if part:
            yield self._of(part)

    def _of(self, subjects: Sequence[engine.Subject]) -> Load:
        packed = {s.resident: self.packed[s.resident] for s in subjects if s.resident in self.packed}
        return Load(subjects, packed, self.named)

    def timeline(self) -> timeline.Timeline:
        """The readings, as the engine wants them."""
        rows = np.frombuffer(b"".join(self.packed.values()), PACKED)
        counts = [len(packed) // PACKED.itemsize for packed in self.packed.values()]
        places = np.array([codes.INDEX[code] for code in self.named], np.int64)
        return timeline.build(
            np.repeat(np.fromiter(self.packed, np.int64, len(self.packed)), counts),
            rows["at"] + _Y2000_US,
            places[rows["code"] - 1] if len(rows) else rows["code"],
            rows["value"],
            rows["identity_high"],
            rows["identity_low"],
            rows["quality"],
        )


async def load(
    connection: Connection,
    taken: Taken,
    states: Mapping[int, State],
    versions: Versions,
    library: Library,
    *,
    until: datetime = END,
) -> Load:
    """Stays, pauses and the readings since each resident's state and up to until."""
    ids = list(taken.subjects)
    spells: dict[int, list[engine.Spell]] = {}
    for row in await connection.fetch(sql("evaluation.spells"), ids):
        zone = taken.subjects[row["resident_id"]].zone or "UTC"
        spells.setdefault(row["resident_id"], []).append(
            engine.Spell(micros(row["started_at"]), _micros(row["ended_at"]), library.schedule(row["schedule"], zone))
        )
    pauses: dict[int, list[tuple[int, int | None]]] = {}
    for row in await connection.fetch(sql("evaluation.pauses"), ids):
        start = BEGINNING_US if row["started_at"] is None else micros(row["started_at"])
        pauses.setdefault(row["resident_id"], []).append((start, _micros(row["ended_at"])))
    subjects = [
        engine.Subject(
            resident=i,
            versions=versions.get(i, []),
            spells=spells.get(i, []),
            pauses=pauses.get(i, []),
            zone=taken.subjects[i].zone or "UTC",
            state=states.get(i),
        )
        for i in ids
    ]
    named = sorted({code for s in subjects for _, version in s.versions for code in Library.codes(version)})
    return Load(subjects, await _packed(connection, subjects, named, until), named)


async def versions(connection: Connection, resident_ids: Sequence[int], library: Library) -> Versions:
    """The rules of residents."""
    rows = await connection.fetch(sql("evaluation.versions"), resident_ids)
    unknown = library.unknown(row["id"] for row in rows)
    if unknown:
        for row in await connection.fetch(sql("evaluation.rules"), unknown):
            library.learn(row["id"], row["rules"])
    found: dict[int, list[tuple[int, rules.RuleSet]]] = {}
    for row in rows:
        found.setdefault(row["resident_id"], []).append((micros(row["valid_from"]), library.version(row["id"])))
    return found


async def _packed(
    connection: Connection, subjects: Sequence[engine.Subject], named: Sequence[str], until: datetime
) -> dict[int, bytes]:
    since = [BEGINNING if s.state is None else moment(s.state.through) for s in subjects]
    rows = await connection.fetch(
        sql("evaluation.readings"),
        [s.resident for s in subjects],
        since,
        named,
        min(since, default=BEGINNING),
        until,
        codes.CONSCIOUSNESS,
        list(timeline.MARKS),
        list(timeline.MARKS.values()),
        sorted(timeline.POOR_FLAGS),
        timeline.POOR,
    )
    return {row["resident_id"]: row["packed"] for row in rows}


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)
