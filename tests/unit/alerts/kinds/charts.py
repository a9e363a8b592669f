"""A resident's chart as assessments see it, worked out from plain readings without the book."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from alerts import timeline
from alerts.kinds.base import Day, Sample

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 3_600_000_000


def us(text: str) -> int:
    """Microseconds of an ISO 8601 time with an offset."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


#: A Friday in winter, at noon in London.
NOON = us("2026-11-20T12:00:00Z")


class Chart:
    """A view as of the newest reading, or as of `now`."""

    def __init__(
        self,
        readings: Mapping[str, Sequence[Sample]],
        zone: str = "Europe/London",
        levels: Mapping[str, int] | None = None,
        now: int | None = None,
    ) -> None:
        self.readings = readings
        self.zone = zone
        self.levels = levels or {}
        self.at = max(s.at for some in readings.values() for s in some) if now is None else now
        self.day = self._day(self.at)

    def days(self, code: str, worse: object = None) -> list[Day]:
        by_day: dict[int, list[Sample]] = {}
        for sample in self._usable(code):
            by_day.setdefault(self._day(sample.at), []).append(sample)
        return [
            Day(
                day,
                len(some),
                statistics.median(sample.value for sample in some),
                min(sample.value for sample in some),
                max(sample.value for sample in some),
                max(sample.at for sample in some),
                False,
            )
            for day, some in sorted(by_day.items())
        ]

    def samples(self, code: str, worse: object = None) -> list[Sample]:
        return self._usable(code)[-200:]

    def bands(self, code: str) -> list[tuple[int, ...]]:
        return []

    def last(self, code: str, worse: object = None) -> Sample | None:
        found = sorted(self.readings.get(code, ()))
        return found[-1] if found else None

    def open_level(self, rule: str) -> int:
        return self.levels.get(rule, 0)

    def _usable(self, code: str) -> list[Sample]:
        return sorted(sample for sample in self.readings.get(code, ()) if not sample.quality & timeline.POOR)

    def _day(self, at: int) -> int:
        local = (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(self.zone))
        return (local.date() - date(1970, 1, 1)).days


def hourly(code: str, *values: float, ends: int = NOON, every: float = 1) -> dict[str, list[Sample]]:
    """Values of one code, the last one at `ends`, `every` so many hours."""
    return {code: series(values, ends, every)}


def series(values: Iterable[float], ends: int = NOON, every: float = 1) -> list[Sample]:
    """The last one at `ends`, `every` so many hours."""
    some = list(values)
    return [Sample(round(ends - (len(some) - 1 - n) * every * HOUR), value, 0) for n, value in enumerate(some)]
