"""Slope: a rise or fall over weeks that is more than chance, by a line through the daily values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alerts import codes, errors, limits, moments, statistics, telling
from alerts.kinds import base, daily
from alerts.kinds.base import Finding, Keep, Refusal, Told, View

_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope(base.Assessment):
    """Theil-Sen's slope times the window, where Mann-Kendall's test finds a trend; in the unit of the code.

    All days of the window count, those of an open episode too: the line is about the days it is drawn through.
    """

    kind: ClassVar[str] = "slope"

    code: str
    direction: daily.Direction
    window_days: int = 30
    min_points: int = 6
    p: float = 0.05  #: a trend is one whose two-sided p is below this
    crossing_limit: float | None = None  #: counts only if the line goes beyond this ...
    crossing_days: int = 14  #: ... in so many days from now

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code,)

    @property
    def keeps(self) -> Keep:
        return Keep(self.window_days - 1, 0)

    @property
    def title(self) -> str:
        return f"{codes.BY_KEY[self.code].name} {'rising' if self.direction == 'rise' else 'falling'} over weeks"

    def assess(self, view: View) -> Finding | Refusal:
        points = daily.points(
            view.days(self.code, daily.worse(self.direction)), view.day - self.window_days + 1, view.day
        )
        if len(points) < self.min_points:
            return daily.too_few(self.code, len(points), self.min_points, view.day - self.window_days + 1, view.day)
        span = points[-1][0] - points[0][0]
        if 5 * span < 3 * (self.window_days - 1):
            needed = -(-3 * (self.window_days - 1) // 5)
            return Refusal("too_short", f"values over {span} of {needed} days of {codes.inner(self.code)}")
        trend = statistics.mann_kendall([value for _, value in points])
        if trend.p >= self.p:
            return self.judged(0.0)
        line = statistics.theil_sen(points)
        return self.judged(self._signal(line, view.day))

    def _signal(self, line: statistics.Line, today: int) -> float:
        if self.crossing_limit is not None:
            beyond = (line.value(today + self.crossing_days) - self.crossing_limit) * self._sign
            if beyond <= _TINY:
                return 0.0
        return line.slope * self.window_days * self._sign + 0.0  # never -0.0

    @property
    def _sign(self) -> int:
        return 1 if self.direction == "rise" else -1

    def tell(self, view: View, finding: Finding) -> Told:
        first = view.day - self.window_days + 1
        days = daily.between(view.days(self.code, daily.worse(self.direction)), first, view.day)
        points = daily.points(days, first, view.day)
        line = statistics.theil_sen(points)
        trend = statistics.mann_kendall([value for _, value in points])
        change = line.slope * self.window_days
        amount = daily.finer_apart(self.code, change * self._sign, self.amber, self.red)
        limit = telling.limit_at(finding.level, self.amber, self.red)
        course, at_crossing = self._course(line, view.day)
        sentence = (
            f"{codes.BY_KEY[self.code].name} {'rises' if self.direction == 'rise' else 'falls'} by {amount} in "
            f"{self.window_days} days, {daily.more_than(finding)} {telling.limit_apart(self.code, limit)}: line "
            f"through {len(days)} daily values from {moments.day(days[0].day)} to {moments.day(days[-1].day)}, "
            f"{_chance(trend.p)}{course}"
        )
        numbers: dict[str, Any] = {
            "slope_per_day": telling.tidy(line.slope),
            "window_days": self.window_days,
            "change": telling.tidy(change),
            "line_today": telling.tidy(line.value(view.day)),
            "days": len(days),
            "mann_kendall": trend.score,
            "z": telling.tidy(trend.z),
            "p": telling.tidy(trend.p),
            **at_crossing,
            **daily.earlier(days),
        }
        return Told(sentence, daily.inputs(self.code, days), numbers)

    def _course(self, line: statistics.Line, today: int) -> tuple[str, dict[str, Any]]:
        """Where the line goes, for the sentence and for the numbers."""
        if self.crossing_limit is None:
            return "", {}
        day = today + self.crossing_days
        value = line.value(day)
        side = "above" if self.direction == "rise" else "below"
        beyond = (value - self.crossing_limit) * self._sign > _TINY
        told = (
            f", on course for {telling.amount(self.code, value, self.crossing_limit)} on {moments.day(day)}, "
            f"{'' if beyond else 'not '}{side} {telling.limit_of(self.code, self.crossing_limit)}"
        )
        return told, {"crossing_day": moments.iso_day(day), "line_at_crossing": telling.tidy(value)}

    def clears_when(self) -> str:
        told = telling.limit_apart(self.code, telling.lower(self.amber, self.red) - self.hysteresis)
        return f"the {self.direction} over {self.window_days} days is {told} or less, or may be chance"

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        code = base.measured(entry, where)
        common = base.common(cls, entry, where, name=code)
        daily.ordered(common, where)
        window_days = daily.whole(entry, "window_days", where, 30, 5, daily.MOST_DAYS)
        min_points = daily.whole(entry, "min_points", where, 6, 6, daily.MOST_DAYS)
        if min_points > window_days:
            raise errors.RuleError(f"{where}.min_points", "there are fewer days than that in window_days")
        return cls(
            **common,
            code=code,
            direction=daily.direction(entry, where),
            window_days=window_days,
            min_points=min_points,
            p=daily.positive(entry, "p", where, 0.05, 1),
            crossing_limit=limits.number(entry, "crossing_limit", where),
            crossing_days=daily.whole(entry, "crossing_days", where, 14, 0, 90),
        )


def _chance(p: float) -> str:
    return "p below 0.001" if p < 0.001 else f"p {p:.3f}"
