"""Crossover: a fast average of the daily values that has left the slow one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alerts import codes, errors, moments, statistics, telling
from alerts.kinds import base, daily
from alerts.kinds.base import Finding, Keep, Refusal, Told, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover(base.Assessment):
    """Signal: how far the time-decayed average of fast_days is above (rise) or below (fall) that of slow_days,
    in the unit of the code. Both start at the first daily value of the last 60 days.
    """

    kind: ClassVar[str] = "crossover"

    code: str
    direction: daily.Direction
    fast_days: float
    slow_days: float
    min_points: int = 10
    min_span_days: int = 14

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code,)

    @property
    def keeps(self) -> Keep:
        return Keep(daily.MOST_DAYS - 1, 0)

    @property
    def title(self) -> str:
        return f"{codes.BY_KEY[self.code].name} {'rising' if self.direction == 'rise' else 'falling'}, fast over slow"

    def assess(self, view: View) -> Finding | Refusal:
        first = view.day - daily.MOST_DAYS + 1
        points = daily.points(view.days(self.code, daily.worse(self.direction)), first, view.day)
        if len(points) < self.min_points:
            return daily.too_few(self.code, len(points), self.min_points, first, view.day)
        span = points[-1][0] - points[0][0]
        if span < self.min_span_days:
            return Refusal("too_short", f"values over {span} of {self.min_span_days} days of {codes.inner(self.code)}")
        fast, slow = statistics.decayed(points, self.fast_days), statistics.decayed(points, self.slow_days)
        return self.judged(fast - slow if self.direction == "rise" else slow - fast)

    def tell(self, view: View, finding: Finding) -> Told:
        first = view.day - daily.MOST_DAYS + 1
        days = daily.between(view.days(self.code, daily.worse(self.direction)), first, view.day)
        points = daily.points(days, first, view.day)
        fast, slow = statistics.decayed(points, self.fast_days), statistics.decayed(points, self.slow_days)
        by = daily.finer_apart(self.code, finding.signal, self.amber, self.red)
        limit = telling.limit_at(finding.level, self.amber, self.red)
        sentence = (
            f"{codes.BY_KEY[self.code].name} averages {daily.finer(self.code, fast)} lately (over "
            f"{self.fast_days:g} days), {by} {'above' if self.direction == 'rise' else 'below'} its average of "
            f"{self.slow_days:g} days, {daily.finer(self.code, slow)}: {daily.more_than(finding)} "
            f"{telling.limit_apart(self.code, limit)}"
        )
        return Told(
            sentence,
            daily.inputs(self.code, days),
            {
                "fast": telling.tidy(fast),
                "slow": telling.tidy(slow),
                "difference": telling.tidy(finding.signal),
                "values": len(days),
                "first_day": moments.iso_day(days[0].day),
                **daily.earlier(days),
            },
        )

    def clears_when(self) -> str:
        told = telling.limit_apart(self.code, telling.lower(self.amber, self.red) - self.hysteresis)
        side = "above" if self.direction == "rise" else "below"
        return f"the fast average of {codes.inner(self.code)} no more than {told} {side} the slow one"

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        code = base.measured(entry, where)
        shared = base.common(cls, entry, where, name=code)
        daily.ordered(shared, where)
        fast = daily.positive(entry, "fast_days", where, 0, daily.MOST_DAYS)
        slow = daily.positive(entry, "slow_days", where, 0, daily.MOST_DAYS)
        if fast >= slow:
            raise errors.RuleError(f"{where}.fast_days", "must be shorter than slow_days")
        return cls(
            **shared,
            code=code,
            direction=daily.direction(entry, where),
            fast_days=fast,
            slow_days=slow,
            min_points=daily.whole(entry, "min_points", where, 10, 2, daily.MOST_DAYS),
            min_span_days=daily.whole(entry, "min_span_days", where, 14, 1, daily.MOST_DAYS - 1),
        )
