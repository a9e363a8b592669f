"""What really happened to people, and how near to it an alert counts as having found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_DAY = 24.0
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Onset:
    """The beginning of something that an alert should have found. at: microseconds since the epoch."""

    person: int  #: position in the people of a history
    at: int
    kind: str


@dataclass(frozen=True, slots=True)
class Window:
    """An alert that starts from so many hours before an onset to so many after it has found it."""

    before_hours: float
    after_hours: float
    source: str

    def around(self, at: int) -> tuple[int, int]:
        """First and last moment, both included; microseconds."""
        return at - round(self.before_hours * HOUR_US), at + round(self.after_hours * HOUR_US)


OTHER = "any other"

#: What holds where nothing else is asked for. All are chosen and need local approval.
WINDOWS: Mapping[str, Window] = {
    "infection": Window(7 * _DAY, 7 * _DAY, "chosen: published replays of wearables count onset -7 to +7 days"),
    "exacerbation": Window(7 * _DAY, 2 * _DAY, "chosen: prodrome of a COPD exacerbation of up to a week"),
    "decompensation": Window(14 * _DAY, 2 * _DAY, "chosen: fluid gain of one to two weeks before admission"),
    "admission": Window(7 * _DAY, 0.0, "chosen: what was raised after an admission did not prevent it"),
    "sepsis": Window(48.0, 0.0, "chosen: two days in hospital before the onset"),
    "death": Window(48.0, 0.0, "chosen: two days"),
    "fall": Window(7 * _DAY, 0.0, "chosen: a week"),
    "low": Window(0.25, 0.5, "chosen: a glucose event is found while it lasts"),
    "high": Window(0.25, 2.0, "chosen: a glucose event is found while it lasts"),
    OTHER: Window(7 * _DAY, _DAY, "chosen: a week before, a day after"),
}


@dataclass(frozen=True, slots=True)
class Windows:
    """Which window holds for which kind of onset; hours asked for go before the defaults."""

    before: Mapping[str, float] = field(default_factory=dict)  #: by kind; "" for every kind that is not named
    after: Mapping[str, float] = field(default_factory=dict)

    def of(self, kind: str) -> Window:
        usual = WINDOWS.get(kind, WINDOWS[OTHER])
        before = self.before.get(kind, self.before.get("", usual.before_hours))
        after = self.after.get(kind, self.after.get("", usual.after_hours))
        asked = (before, after) != (usual.before_hours, usual.after_hours)
        return Window(before, after, "asked for" if asked else usual.source)


def merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that touch joined."""
    found: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found


def overlap(spans: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> int:
    """How long both hold; each list in order and without touching spans (`merged`)."""
    total = position = 0
    for start, stop in spans:
        while position < len(others) and others[position][1] <= start:
            position += 1
        ahead = position
        while ahead < len(others) and others[ahead][0] < stop:
            total += min(stop, others[ahead][1]) - max(start, others[ahead][0])
            ahead += 1
    return total
