"""In range: the share of continuous glucose readings in a band of the consensus, over whole days."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from alerts import codes, errors, limits, moments, telling
from alerts.kinds import base, daily
from alerts.kinds.base import Finding, Keep, Refusal, Told, View

Band = Literal["below_3.0", "below_3.9", "in_range", "above_10.0", "above_13.9"]
Side = Literal["above", "below"]

_BANDS: dict[Band, str] = {
    "below_3.0": "below 3.0 mmol/L",
    "below_3.9": "below 3.9 mmol/L",
    "in_range": "in range (3.9 to 10.0 mmol/L)",
    "above_10.0": "above 10.0 mmol/L",
    "above_13.9": "above 13.9 mmol/L",
}
_TINY = 1e-9
#: (day, readings, below 3.0, below 3.9, above 10.0, above 13.9)
Entry = tuple[int, ...]
_READINGS, _BELOW_3_0, _BELOW_3_9, _ABOVE_10_0, _ABOVE_13_9 = map(operator.itemgetter, range(1, 6))
#: Whose counts make the band's: of the first, less those of the others.
_COLUMNS = {
    "below_3.0": (_BELOW_3_0,),
    "below_3.9": (_BELOW_3_9,),
    "in_range": (_READINGS, _BELOW_3_9, _ABOVE_10_0),
    "above_10.0": (_ABOVE_10_0,),
    "above_13.9": (_ABOVE_13_9,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InRange(base.Assessment):
    """Signal: the share of readings in the band in %, of the window_days whole local days before today
    (below: its negative). amber and red are plain percentages. coverage: least share of the readings that a
    sensor with one every reading_minutes would give.
    """

    kind: ClassVar[str] = "in_range"
    by_day: ClassVar[bool] = True

    code: str = "glucose"
    band: Band
    direction: Side
    window_days: int = 14
    coverage: float = 0.7
    reading_minutes: int = 5

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code,)

    @property
    def keeps(self) -> Keep:
        return Keep(self.window_days, 0)

    @property
    def title(self) -> str:
        return f"Time {_BANDS[self.band]}"

    def assess(self, view: View) -> Finding | Refusal:
        entries = self._entries(view)
        readings = sum(map(_READINGS, entries))
        if readings < self._needed - _TINY:
            needed = int(self._needed) + (self._needed > int(self._needed))
            span = "whole day" if self.window_days == 1 else f"{self.window_days} whole days"
            when = f"in the {span} before today"
            return Refusal("too_few", f"{readings} of {needed} readings of glucose {when}")
        share = 100 * self._counted(entries) / readings
        if self.direction == "above":
            return self.judged(share)
        amber = None if self.amber is None else -self.amber
        red = None if self.red is None else -self.red
        back = telling.lower(self.amber, self.red) + self.hysteresis
        return Finding(base.level(-share, amber, red), -share, share >= back - _TINY)

    @property
    def _needed(self) -> float:
        """Readings."""
        return self.coverage * self.window_days * 1440 / self.reading_minutes

    def _entries(self, view: View) -> Sequence[Entry]:
        entries = view.bands(self.code)
        start, stop = 0, len(entries)
        while stop and entries[stop - 1][0] >= view.day:
            stop -= 1
        while start < stop and entries[start][0] < view.day - self.window_days:
            start += 1
        return entries[start:stop]

    def _counted(self, entries: Sequence[Entry]) -> int:
        plus, *minus = _COLUMNS[self.band]
        counted: int = sum(map(plus, entries))
        for column in minus:
            counted -= sum(map(column, entries))
        return counted

    def tell(self, view: View, finding: Finding) -> Told:
        entries = self._entries(view)
        readings = sum(map(_READINGS, entries))
        inside = self._counted(entries)
        limit = telling.limit_at(finding.level, self.amber, self.red)
        share = telling.figure(100 * inside / readings, 1, self.amber, self.red)
        sentence = (
            f"Glucose {share} % of the time {_BANDS[self.band]}, {inside} of {readings} readings "
            f"{self._when(view)}, "
            f"{'' if finding.level else 'not '}{self.direction} {telling.limit(limit)} %"
        )
        return Told(
            sentence,
            self._inputs(entries),
            {
                "share": telling.tidy(100 * inside / readings),
                "inside": inside,
                "readings": readings,
                "needed": telling.tidy(self._needed),
                "from": moments.iso_day(view.day - self.window_days),
                "to": moments.iso_day(view.day - 1),
                "limit": limit,
            },
        )

    def _when(self, view: View) -> str:
        first, last = moments.day(view.day - self.window_days), moments.day(view.day - 1)
        return f"on {last}" if self.window_days == 1 else f"from {first} to {last}"

    def _inputs(self, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """One of each day; where these are too many, one of all the first days together, so that the sum is there."""
        together = len(entries) - daily.MOST_INPUTS + 1 if len(entries) > daily.MOST_INPUTS else 1
        groups = [group for group in (entries[:together], *([entry] for entry in entries[together:])) if group]
        return [
            {
                "code": self.code,
                "unit": codes.BY_KEY[self.code].unit,
                "day": moments.iso_day(group[0][0]),
                **({"to": moments.iso_day(group[-1][0]), "days": len(group)} if len(group) > 1 else {}),
                "readings": sum(map(_READINGS, group)),
                "value": self._counted(group),
            }
            for group in groups
        ]

    def clears_when(self) -> str:
        lower = telling.lower(self.amber, self.red)
        back = lower - self.hysteresis if self.direction == "above" else lower + self.hysteresis
        return (
            f"glucose {_BANDS[self.band]} for {telling.limit(back)} % of "
            f"{'1 whole day' if self.window_days == 1 else f'{self.window_days} whole days'} or "
            f"{'less' if self.direction == 'above' else 'more'}"
        )

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        entry = {"code": "glucose", **entry}
        shared = base.common(cls, entry, where, name="glucose", positive=False)
        if entry["code"] != "glucose":
            raise errors.RuleError(f"{where}.code", "must be glucose: the bands are those of glucose")
        direction: Side = "above" if base.choice(entry, "direction", where, ("above", "below")) == "above" else "below"
        amber, red = shared["amber"], shared["red"]
        for key in ("amber", "red"):
            if shared[key] is not None and not 0 <= shared[key] <= 100:
                raise errors.RuleError(f"{where}.{key}", "must be from 0 to 100 %")
        if amber is not None and red is not None and (red < amber if direction == "above" else red > amber):
            raise errors.RuleError(f"{where}.red", "must not be nearer to normal than amber")
        lower, hysteresis = telling.lower(amber, red), shared["hysteresis"]
        if not 0 <= (lower - hysteresis if direction == "above" else lower + hysteresis) <= 100:
            raise errors.RuleError(f"{where}.hysteresis", "is too large: an alert could never clear")
        band = base.choice(entry, "band", where, tuple(_BANDS))
        return cls(
            **shared,
            band=next(known for known in _BANDS if known == band),
            direction=direction,
            window_days=daily.whole(entry, "window_days", where, 14, 1, daily.MOST_DAYS - 1),
            coverage=_coverage(entry, where),
            reading_minutes=limits.seconds(entry, "reading_minutes", where, 5, 1, 60),
        )


def _coverage(entry: Mapping[str, Any], where: str) -> float:
    return daily.positive(entry, "coverage", where, 0.7, 1)
