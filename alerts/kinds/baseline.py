"""Baseline: the newest days against what is usual for this resident, in spreads, units or percent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from alerts import codes, errors, moments, statistics, telling
from alerts.kinds import base, daily
from alerts.kinds.base import Day, Finding, Keep, Refusal, Told, View

Unit = Literal["z", "value", "percent"]
UNITS: tuple[Unit, ...] = ("z", "value", "percent")

#: From one of the newest days to the next at most so many days.
_STEP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline(base.Assessment):
    """Signal: by how much every one of the newest `days` daily values is above (rise) or below (fall) the median of
    the days before; in usual spreads ("z"), in the unit of the code ("value") or in % of the median ("percent").
    floor: least spread, in the unit of the code.
    """

    kind: ClassVar[str] = "baseline"

    code: str
    direction: daily.Direction
    baseline_days: int = 28
    min_days: int = 14
    skip_days: int = 3
    days: int = 2
    floor: float
    unit: Unit = "z"

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code,)

    @property
    def keeps(self) -> Keep:
        return Keep(max(self.skip_days + self.baseline_days - 1, _STEP * self.days), 0)

    @property
    def title(self) -> str:
        return f"{codes.BY_KEY[self.code].name} {'above' if self.direction == 'rise' else 'below'} usual"

    def assess(self, view: View) -> Finding | Refusal:
        days = view.days(self.code, daily.worse(self.direction))
        newest = self._newest(view, days)
        if isinstance(newest, Refusal):
            return newest
        usual_days = self._usual_days(view, days)
        if len(usual_days) < self.min_days:
            last = view.day - self.skip_days
            return daily.too_few(self.code, len(usual_days), self.min_days, last - self.baseline_days + 1, last)
        signal = self._signal(newest, [entry.median for entry in usual_days])
        if signal is None:
            return Refusal("too_few", f"a usual {codes.inner(self.code)} above 0")
        return self.judged(signal)

    def _newest(self, view: View, days: Sequence[Day]) -> Sequence[Day] | Refusal:
        newest = days[-self.days :]
        name = codes.inner(self.code)
        if len(newest) < self.days:
            return Refusal("too_few", f"{len(newest)} of {self.days} days with a value of {name}")
        after = view.day
        for position in range(len(newest) - 1, -1, -1):
            day = newest[position].day
            if after - day > _STEP:
                found = len(newest) - 1 - position
                if found == 0:
                    return Refusal("too_old", f"a value of {name} of the last {_STEP} days")
                return Refusal("too_few", f"{found} of {self.days} days in a row with a value of {name}")
            after = day
        return newest

    def _usual_days(self, view: View, days: Sequence[Day]) -> Sequence[Day]:
        last = view.day - self.skip_days
        return daily.usual_days(days, last - self.baseline_days + 1, last, self.min_days)

    def _signal(self, newest: Sequence[Day], usual_values: Sequence[float]) -> float | None:
        """None: there is no percentage of nothing."""
        centre, spread = (
            statistics.usual(usual_values, self.floor) if self.unit == "z" else (statistics.median(usual_values), 1.0)
        )
        if self.direction == "rise":
            deviation = min([entry.median for entry in newest]) - centre
        else:
            deviation = centre - max([entry.median for entry in newest])
        if self.unit == "percent":
            return 100 * deviation / centre if centre > 0 else None
        return deviation / spread

    def tell(self, view: View, finding: Finding) -> Told:
        days = view.days(self.code, daily.worse(self.direction))
        newest = days[-self.days :]
        usual_days = self._usual_days(view, days)
        last = view.day - self.skip_days
        left_out = daily.left_out(days, last - self.baseline_days + 1, last, usual_days)
        usual = statistics.usual([entry.median for entry in usual_days], self.floor)
        told = ", ".join(f"{telling.measured(self.code, day.median)} on {moments.day(day.day)}" for day in newest)
        spread = f", usual spread {daily.finer_apart(self.code, usual.spread)}" if self.unit == "z" else ""
        limit = telling.limit_at(finding.level, self.amber, self.red)
        sentence = (
            f"{codes.BY_KEY[self.code].name} {'above' if self.direction == 'rise' else 'below'} usual by "
            f"{self._told(telling.figure(finding.signal, self._decimals, self.amber, self.red))}, "
            f"{daily.more_than(finding)} {self._limit(limit)}: {told}; usual "
            f"{telling.measured(self.code, usual.centre)}{spread}, of {len(usual_days)} days "
            f"from {moments.day(usual_days[0].day)} to {moments.day(usual_days[-1].day)}"
            f"{daily.without(left_out)}"
        )
        return Told(
            sentence,
            daily.inputs(self.code, newest),
            {
                "deviation": telling.tidy(finding.signal),
                "unit": self.unit,
                "usual": daily.usual_numbers(usual_days, usual, self.floor),
                "left_out": left_out,
            },
        )

    @property
    def _decimals(self) -> int:
        return codes.BY_KEY[self.code].decimals + 1 if self.unit == "value" else 1

    def _told(self, figure: str) -> str:
        match self.unit:
            case "z":
                return f"{figure} times the usual spread"
            case "percent":
                return f"{figure} %"
            case "value":
                return telling.apart(self.code, figure)

    def _limit(self, limit: float) -> str:
        return telling.limit(limit) if self.unit == "z" else self._told(telling.limit(limit))

    def clears_when(self) -> str:
        told = self._told(telling.limit(telling.lower(self.amber, self.red) - self.hysteresis))
        side = "above" if self.direction == "rise" else "below"
        which = "the newest day" if self.days == 1 else f"one of the newest {self.days} days"
        return f"{codes.inner(self.code)} of {which} no more than {told} {side} usual"

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        code = base.measured(entry, where)
        entry = {"floor": daily.resolution(code), "unit": "z", **entry}
        shared = base.common(cls, entry, where, name=code)
        daily.ordered(shared, where)
        baseline_days = daily.whole(entry, "baseline_days", where, 28, 5, daily.MOST_DAYS)
        skip_days = daily.whole(entry, "skip_days", where, 3, 0, 30)
        if baseline_days + skip_days > daily.MOST_DAYS:
            raise errors.RuleError(
                f"{where}.skip_days", f"with baseline_days is more than the {daily.MOST_DAYS} days that are kept"
            )
        unit = base.choice(entry, "unit", where, UNITS)
        if unit == "percent" and cls._impossible(entry):
            raise errors.RuleError(f"{where}.direction", "a value cannot be 100 % below usual or more")
        return cls(
            **shared,
            code=code,
            direction=daily.direction(entry, where),
            baseline_days=baseline_days,
            min_days=daily.whole(entry, "min_days", where, min(14, baseline_days), 5, baseline_days),
            skip_days=skip_days,
            days=daily.whole(entry, "days", where, 2, 1, 7),
            floor=daily.positive(entry, "floor", where, 0, 1_000_000),
            unit=next(word for word in UNITS if word == unit),
        )

    @staticmethod
    def _impossible(entry: Mapping[str, Any]) -> bool:
        least = entry.get("amber") if entry.get("amber") is not None else entry.get("red")
        return entry.get("direction") == "fall" and isinstance(least, int | float) and least >= 100
