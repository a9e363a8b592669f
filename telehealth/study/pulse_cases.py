"""Whose resting pulse is judged, on which days an alert is false, and which illnesses are to be found."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from telehealth import errors
from telehealth.study import pulse_baseline, resampling
from telehealth.study.pulse_logs import Person

HIT_DAYS = 7  #: an alert so long before or after the onset finds it
_MONTH = 30.4375
UNWELL_BEFORE, UNWELL_AFTER = 14, 28  #: around an onset days are neither healthy nor, outside the hit window, ill
LEAST_DAYS = 5  #: with a pulse around an onset, or it cannot be found by anybody
SEED = 20_260_101
BOUTS = 30  #: illnesses added to each person's healthy days, one at a time, at most

#: /min above usual by day from the onset: what is added.
BOUT: Mapping[int, float] = {-2: 1.5, -1: 3.0, 0: 4.5, 1: 6.0, 2: 6.0, 3: 6.0, 4: 5.0, 5: 4.0, 6: 3.0, 7: 2.0, 8: 1.0}

#: Days of an added illness's log before its onset that are gone through: more than any method looks back.
HISTORY_DAYS = 120


@dataclass(frozen=True, slots=True)
class Case:
    """An onset that can be judged: of whom, on which day; added: not a real one."""

    person: int
    onset: int
    added: bool


@dataclass(frozen=True, slots=True)
class Study:
    """What is judged, the same for both."""

    people: tuple[Person, ...]
    healthy: tuple[frozenset[int], ...]  #: by person: days on which an alert is false
    cases: tuple[Case, ...]
    unknown: int  #: people all of whose illnesses are undated: shown, not judged
    resampled: resampling.People

    @property
    def months(self) -> list[float]:
        return [len(days) / _MONTH for days in self.healthy]


def prepare(people: Sequence[Person], bouts: int = BOUTS) -> Study:
    """Who and when is judged. Raises Invalid where nobody has a baseline."""
    judged = [person for person in people if person.onset is not None or not person.cases_only]
    healthy = [_healthy(person) for person in judged]
    kept = [
        position
        for position, days in enumerate(healthy)
        if days or (judged[position].onset is not None and _judgeable(judged[position].daily, judged[position].onset))
    ]
    if not kept:
        raise errors.Invalid("--data", "has nobody with 14 days of resting pulse within 28 before a judged day")
    chosen = [judged[position] for position in kept]
    days = [healthy[position] for position in kept]
    cases = [
        Case(position, person.onset, False)
        for position, person in enumerate(chosen)
        if person.onset is not None and _judgeable(person.daily, person.onset)
    ]
    cases += [
        case for position, person in enumerate(chosen) for case in _added(position, person, days[position], bouts)
    ]
    resampled = resampling.People([f"{position}" for position in range(len(chosen))])
    return Study(tuple(chosen), tuple(days), tuple(cases), len(people) - len(judged), resampled)


def _healthy(person: Person) -> frozenset[int]:
    unwell = range(0)
    if person.onset is not None:
        unwell = range(person.onset - UNWELL_BEFORE, person.onset + UNWELL_AFTER + 1)
    return frozenset(day for day in person.daily if day not in unwell and pulse_baseline.known(person.daily, day))


def _judgeable(daily: Mapping[int, float], onset: int | None) -> bool:
    if onset is None:
        return False
    seen = [day for day in range(onset - HIT_DAYS, onset + HIT_DAYS + 1) if day in daily]
    return len(seen) >= LEAST_DAYS and pulse_baseline.known(daily, onset)


def _added(position: int, person: Person, healthy: frozenset[int], bouts: int) -> list[Case]:
    """Seeded onsets on days whose surroundings are healthy: each is judged alone, so that they may lie close."""
    unwell = range(0)
    if person.onset is not None:
        unwell = range(person.onset - UNWELL_BEFORE - HIT_DAYS, person.onset + UNWELL_AFTER + HIT_DAYS + 1)
    days = [day for day in sorted(healthy) if day not in unwell and _judgeable(person.daily, day)]
    chance = random.Random(f"{SEED} {person.name}")
    return [Case(position, day, True) for day in sorted(chance.sample(days, min(bouts, len(days))))]


def ill(daily: Mapping[int, float], onset: int) -> dict[int, float]:
    """The log up to a week after an added illness."""
    return {
        day: value + BOUT.get(day - onset, 0.0)
        for day, value in daily.items()
        if onset - HISTORY_DAYS <= day <= onset + HIT_DAYS
    }


def first(days: Sequence[int], onset: int) -> int | None:
    return next((day - onset for day in days if abs(day - onset) <= HIT_DAYS), None)
