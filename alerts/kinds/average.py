"""Average over days, for control rather than crisis: home blood pressure as NICE has it."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

from alerts import codes, errors, limits, moments, telling
from alerts.kinds import base, window
from alerts.kinds.base import Day, Finding, Keep, Refusal, Sample, Told, View

Side = Literal["above", "below"]
_TINY = 1e-9
_VALUE = operator.itemgetter(1)


class _Chosen(NamedTuple):
    """What is averaged: whole local days, and their readings in order."""

    days: Sequence[Day]
    samples: Sequence[Sample]
    dropped: Day | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Average(base.Assessment):
    """Signal: the mean of all readings of the local days of the window (below: its negative). amber and red are
    plain values, as people know them.
    """

    kind: ClassVar[str] = "average"

    code: str
    direction: Side
    window_days: int
    min_days: int
    min_readings: int
    drop_first_day: bool = False

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code,)

    @property
    def keeps(self) -> Keep:
        return Keep(self.window_days, 24 * self.window_days + 1)  # a day of 25 hours when the clocks go back

    @property
    def title(self) -> str:
        return f"{codes.BY_KEY[self.code].name}, average of {self.window_days} days"

    @property
    def _worse(self) -> base.Worse:
        return "low" if self.direction == "below" else "high"

    def assess(self, view: View) -> Finding | Refusal:
        chosen = self._choose(view)
        if isinstance(chosen, Refusal):
            return chosen
        mean = sum(map(_VALUE, chosen.samples)) / len(chosen.samples)
        if self.direction == "above":
            return self.judged(mean)
        amber = None if self.amber is None else -self.amber
        red = None if self.red is None else -self.red
        back = telling.lower(self.amber, self.red) + self.hysteresis
        return Finding(base.level(-mean, amber, red), -mean, mean >= back - _TINY)

    def tell(self, view: View, finding: Finding) -> Told:
        chosen = self._choose(view)
        assert isinstance(chosen, _Chosen)  # a finding was made of it
        mean = self._sign * finding.signal
        limit = telling.limit_at(finding.level, self.amber, self.red)
        first, last = moments.day(chosen.days[0].day), moments.day(chosen.days[-1].day)
        span = first if first == last else f"{first} to {last}"
        dropped = f"; {moments.day(chosen.dropped.day)}, the first day, left out" if chosen.dropped else ""
        sentence = (
            f"{codes.BY_KEY[self.code].name} averages {telling.amount(self.code, mean, self.amber, self.red)} over "
            f"{_counted(len(chosen.samples), 'reading')} on {_counted(len(chosen.days), 'day')} ({span}{dropped}), "
            f"{'' if finding.level else 'not '}{self.direction} {telling.limit_of(self.code, limit)}"
        )
        return Told(
            sentence,
            self._inputs(view, chosen),
            {
                "mean": telling.tidy(mean),
                "readings": len(chosen.samples),
                "days": len(chosen.days),
                "from": moments.iso_day(chosen.days[0].day),
                "to": moments.iso_day(chosen.days[-1].day),
                "left_out": None if chosen.dropped is None else moments.iso_day(chosen.dropped.day),
                "limit": limit,
            },
        )

    def clears_when(self) -> str:
        lower = telling.lower(self.amber, self.red)
        back = lower - self.hysteresis if self.direction == "above" else lower + self.hysteresis
        return (
            f"the average of {codes.inner(self.code)} over {self.window_days} days back to "
            f"{telling.limit_of(self.code, back)} or {'less' if self.direction == 'above' else 'more'}"
        )

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        code = base.measured(entry, where)
        shared = base.common(cls, entry, where, name=code)
        direction: Side = "above" if base.choice(entry, "direction", where, ("above", "below")) == "above" else "below"
        amber, red = shared["amber"], shared["red"]
        if amber is not None and red is not None and (red < amber if direction == "above" else red > amber):
            raise errors.RuleError(f"{where}.red", "must not be nearer to normal than amber")
        if direction == "above" and telling.lower(amber, red) - shared["hysteresis"] <= 0:
            raise errors.RuleError(f"{where}.hysteresis", "is too wide: an alert could never clear")
        drop = entry.get("drop_first_day", False)
        if not isinstance(drop, bool):
            raise errors.RuleError(f"{where}.drop_first_day", "must be true or false")
        days = limits.seconds(entry, "window_days", where, 7, 2, 7)
        return cls(
            **shared,
            code=code,
            direction=direction,
            window_days=days,
            min_days=limits.seconds(entry, "min_days", where, 4, 1, days - drop),
            min_readings=limits.seconds(entry, "min_readings", where, 8, 1, window.MOST),
            drop_first_day=drop,
        )

    @property
    def _sign(self) -> int:
        return 1 if self.direction == "above" else -1

    def _choose(self, view: View) -> _Chosen | Refusal:
        """The days of the window, and as many of the newest readings as these days had."""
        days = view.days(self.code)
        first = len(days)
        oldest = view.day - self.window_days
        while first > 0 and days[first - 1].day > oldest:
            first -= 1
        dropped = days[first] if self.drop_first_day and first < len(days) else None
        days = days[first + (dropped is not None) :]
        count = sum([day.readings for day in days])
        name = codes.inner(self.code)
        if len(days) < self.min_days:
            but = ", the first one left out" if dropped is not None else ""
            return Refusal("too_few", f"{len(days)} of {_counted(self.min_days, 'day')} with a {name}{but}")
        if count < self.min_readings:
            return Refusal(
                "too_few",
                f"{count} of {self.min_readings} readings of {name} within {_counted(self.window_days, 'day')}",
            )
        samples = view.samples(self.code, self._worse)
        if count > len(samples):
            return Refusal(
                "too_many",
                f"no more than {window.MOST} readings of {name} within {self.window_days} days: more are not kept",
            )
        return _Chosen(days, samples[len(samples) - count :], dropped)

    def _inputs(self, view: View, chosen: _Chosen) -> list[dict[str, Any]]:
        """Each reading; of more than an explanation holds, each day's number and sum."""
        if len(chosen.samples) <= window.MOST_TOLD:
            return [telling.reading(self.code, sample, view.at) for sample in chosen.samples]
        inputs: list[dict[str, Any]] = []
        start = 0
        for day in chosen.days:
            values = [sample.value for sample in chosen.samples[start : start + day.readings]]
            start += len(values)
            inputs.append(
                {
                    "code": self.code,
                    "unit": codes.BY_KEY[self.code].unit,
                    "day": moments.iso_day(day.day),
                    "readings": len(values),
                    "sum": telling.tidy(sum(values)),
                    "value": telling.tidy(sum(values) / len(values)),
                }
            )
        return inputs


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
