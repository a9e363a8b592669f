"""Sustained: an event of a continuous sensor, as the consensus has it: beyond a limit for long enough, then back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, NamedTuple, Self

from alerts import codes, errors, glucose, limits, moments, telling
from alerts.kinds import base, daily, window
from alerts.kinds.base import Finding, Keep, Refusal, Sample, Told, View

Side = Literal["low", "high"]
Level = Literal["amber", "red"]

_MINUTE_US = 60_000_000
#: What a device resolves, by code.
_STEPS = {entry.key: 10.0**-entry.decimals for entry in codes.TABLE}
#: A run may need three quarters of the readings that the book keeps.
_MOST_READINGS = window.MOST * 3 // 4


class _Run(NamedTuple):
    """The newest readings that are all beyond the limit, or all inside, without a gap; newest first."""

    beyond: bool
    samples: list[Sample]
    long: bool  #: lasts long enough to begin an event, or to end one
    cut: bool  #: would go on, but earlier readings are not kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained(base.Assessment):
    """A reading stands for reading_minutes: a run of readings beyond the limit, none more than gap_minutes after the
    one before, lasts from the first to the last and reading_minutes more. The event starts with the reading that
    makes the run last for_minutes, and ends with the one that makes a run back inside last back_minutes.

    Signal: how far beyond the limit the worst of those readings is, in the unit of the code.
    """

    kind: ClassVar[str] = "sustained"

    code: str
    side: Side
    limit: float
    level: Level
    for_minutes: int = 15
    back_minutes: int = 15
    reading_minutes: int = 5
    gap_minutes: int = 30

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code,)

    @property
    def keeps(self) -> Keep:
        return Keep(0, -(-(max(self.for_minutes, self.back_minutes) + self.gap_minutes) // 60))

    @property
    def calm(self) -> tuple[float, float]:
        step = _STEPS[self.code]
        return (self.limit + step, math.inf) if self.side == "low" else (-math.inf, self.limit - step)

    @property
    def title(self) -> str:
        return f"{codes.BY_KEY[self.code].name} {self._beyond_limit} for {self.for_minutes} minutes"

    @property
    def _beyond_limit(self) -> str:
        return f"{'below' if self.side == 'low' else 'above'} {telling.measured(self.code, self.limit)}"

    def assess(self, view: View) -> Finding | Refusal:
        samples = view.samples(self.code, self.side)
        if not samples:
            return Refusal("too_few", f"a reading of {codes.inner(self.code)}")
        newest = samples[-1]
        if view.at - newest.at > self.gap_minutes * _MINUTE_US:
            return Refusal("gap", f"a reading of {codes.inner(self.code)} within {self.gap_minutes} minutes")
        is_open = view.open_level(self.key) > 0
        if not is_open and not self._beyond(newest.value):
            return Finding(0, self._depth(newest), True)
        run = self._run(samples)
        if run.cut:
            needed = f"in {self.for_minutes if run.beyond else self.back_minutes} minutes"
            return Refusal("too_many", f"fewer than {window.MOST} readings of {codes.inner(self.code)} {needed}")
        if not run.beyond:
            return Finding(0, self._depth(newest), run.long)
        level = (1 if self.level == "amber" else 2) if run.long or is_open else 0
        return Finding(level, max([self._depth(sample) for sample in run.samples]), False)

    def _run(self, samples: Sequence[Sample]) -> _Run:
        """Of at least one reading; no longer than it has to be."""
        newest = samples[-1]
        beyond = self._beyond(newest.value)
        needed = ((self.for_minutes if beyond else self.back_minutes) - self.reading_minutes) * _MINUTE_US
        gap = self.gap_minutes * _MINUTE_US
        run: list[Sample] = []
        after = newest.at
        for sample in reversed(samples):
            if after - sample.at > gap or self._beyond(sample.value) != beyond:
                return _Run(beyond, run, False, False)
            run.append(sample)
            after = sample.at
            if newest.at - after >= needed:
                return _Run(beyond, run, True, False)
        return _Run(beyond, run, False, len(samples) >= window.MOST)

    def _beyond(self, value: float) -> bool:
        if abs(value - self.limit) > _STEPS[self.code]:  # far enough for any rounding
            return value < self.limit if self.side == "low" else value > self.limit
        if self.code == "glucose" and self.limit in glucose.EDGES:
            return glucose.beyond(value, self.limit, self.side)
        judged = codes.rounded(self.code, value)
        return judged < self.limit if self.side == "low" else judged > self.limit

    def _depth(self, sample: Sample) -> float:
        return self.limit - sample.value if self.side == "low" else sample.value - self.limit

    def tell(self, view: View, finding: Finding) -> Told:
        found = self._run(view.samples(self.code, self.side))
        run = found.samples[::-1]
        first, newest, worst = run[0], run[-1], max(run, key=self._depth)
        sentence = (
            f"{codes.BY_KEY[self.code].name} {self._beyond_limit} "
            f"{f'for {self.for_minutes} minutes' if found.long else 'again'}: "
            f"{telling.measured(self.code, newest.value, self.limit)} at {moments.clock(newest.at, view.zone, view.at)}"
        )
        if worst.value != newest.value:
            sentence += (
                f", {'lowest' if self.side == 'low' else 'highest'} "
                f"{telling.measured(self.code, worst.value, self.limit)} at "
                f"{moments.clock(worst.at, view.zone, view.at)}"
            )
        return Told(
            sentence,
            [telling.reading(self.code, sample, view.at) for sample in run[-daily.MOST_INPUTS :]],
            {
                "limit": self.limit,
                "minutes": telling.tidy((newest.at - first.at) / _MINUTE_US + self.reading_minutes),
                "readings": len(run),
                "since": moments.instant(first.at),
                "worst": telling.tidy(worst.value),
                "worst_at": moments.instant(worst.at),
            },
        )

    def clears_when(self) -> str:
        side = "or above" if self.side == "low" else "or below"
        return (
            f"{codes.inner(self.code)} at {telling.limit_of(self.code, self.limit)} {side} for "
            f"{self.back_minutes} minutes"
        )

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        for key in ("amber", "red", "hysteresis"):
            if key in entry:
                raise errors.RuleError(f"{where}.{key}", "is not a field of a sustained rule: give limit and level")
        code = base.measured(entry, where)
        # The limit of the signal is that it is beyond the rule's own limit at all.
        level: Level = "red" if entry.get("level") == "red" else "amber"
        shared = base.common(cls, {**entry, level: 0}, where, name=code, positive=False)
        base.choice(entry, "level", where, ("amber", "red"))
        limit = limits.number(entry, "limit", where)
        if limit is None:
            raise errors.RuleError(f"{where}.limit", "must be a number")
        reading_minutes = daily.whole(entry, "reading_minutes", where, 5, 1, 60)
        longest = min(720, _MOST_READINGS * reading_minutes)
        return cls(
            **shared,
            code=code,
            side="low" if base.choice(entry, "side", where, ("low", "high")) == "low" else "high",
            limit=limit,
            level=level,
            for_minutes=daily.whole(entry, "for_minutes", where, 15, 1, longest),
            back_minutes=daily.whole(entry, "back_minutes", where, 15, 1, longest),
            reading_minutes=reading_minutes,
            gap_minutes=daily.whole(entry, "gap_minutes", where, max(30, reading_minutes), reading_minutes, 240),
        )

    def dump(self) -> dict[str, Any]:
        hidden = ("amber", "red", "hysteresis", "red_priority", "amber_priority")
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in hidden}
        return {"kind": self.kind, **own, "priority": {"red": self.red_priority, "amber": self.amber_priority}}
