"""Cusum: a small drift that lasts, summed up day by day against what is usual, so that no single day decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alerts import codes, errors, moments, statistics, telling
from alerts.kinds import base, daily
from alerts.kinds.base import Day, Finding, Keep, Refusal, Told, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Cusum(base.Assessment):
    """Signal: the sum over the days of the run of (how many usual spreads above or below the usual, at most cap) - k,
    never below 0. amber, red: the sums h that alert. floor: least spread, in the unit of the code.
    """

    kind: ClassVar[str] = "cusum"

    code: str
    direction: daily.Direction
    baseline_days: int = 28
    min_days: int = 14
    run_days: int = 21
    k: float = 0.75
    cap: float = 4.0
    floor: float
    gap_days: int = 7

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code,)

    @property
    def keeps(self) -> Keep:
        return Keep(self.run_days + self.baseline_days - 1, 0)

    @property
    def title(self) -> str:
        return f"{codes.BY_KEY[self.code].name} drifting {'up' if self.direction == 'rise' else 'down'}"

    def assess(self, view: View) -> Finding | Refusal:
        days = view.days(self.code, daily.worse(self.direction))
        usual_days = self._usual_days(view, days)
        if len(usual_days) < self.min_days:
            last = view.day - self.run_days
            return daily.too_few(self.code, len(usual_days), self.min_days, last - self.baseline_days + 1, last)
        run = daily.points(days, view.day - self.run_days + 1, view.day)
        if not run:
            return Refusal("too_old", f"a value of {codes.inner(self.code)} in the last {self.run_days} days")
        usual = statistics.usual([entry.median for entry in usual_days], self.floor)
        return self.judged(self._sums(run, usual)[-1])

    def _usual_days(self, view: View, days: Sequence[Day]) -> Sequence[Day]:
        last = view.day - self.run_days
        return daily.usual_days(days, last - self.baseline_days + 1, last, self.min_days)

    def _sums(self, run: Sequence[statistics.Point], usual: statistics.Usual) -> list[float]:
        return statistics.cusum(run, usual, 1 if self.direction == "rise" else -1, self.k, self.cap, self.gap_days)

    def tell(self, view: View, finding: Finding) -> Told:
        days = view.days(self.code, daily.worse(self.direction))
        usual_days = self._usual_days(view, days)
        last = view.day - self.run_days
        left_out = daily.left_out(days, last - self.baseline_days + 1, last, usual_days)
        usual = statistics.usual([entry.median for entry in usual_days], self.floor)
        run = daily.between(days, view.day - self.run_days + 1, view.day)
        sums = self._sums([(entry.day, entry.median) for entry in run], usual)
        start = len(sums) - 1
        while start > 0 and sums[start - 1] > 0:
            start -= 1
        limit = telling.limit_at(finding.level, self.amber, self.red)
        told_left = f"; usual of {len(usual_days)} days{daily.without(left_out)}" if left_out else ""
        sentence = (
            f"{codes.BY_KEY[self.code].name} {'above' if self.direction == 'rise' else 'below'} its usual "
            f"{telling.measured(self.code, usual.centre)} since {moments.day(run[start].day)}, newest "
            f"{telling.measured(self.code, run[-1].median)} on {moments.day(run[-1].day)}: daily deviations sum up to "
            f"{telling.figure(finding.signal, 2, self.amber, self.red)}, {daily.more_than(finding)} "
            f"{telling.limit(limit)}{told_left}"
        )
        return Told(
            sentence,
            [
                {**told, "sum": telling.tidy(total)}
                for told, total in zip(daily.inputs(self.code, run), sums[-daily.MOST_INPUTS :], strict=True)
            ],
            {
                "sum": telling.tidy(finding.signal),
                "k": self.k,
                "cap": self.cap,
                "usual": daily.usual_numbers(usual_days, usual, self.floor),
                "left_out": left_out,
                **daily.earlier(run),
            },
        )

    def clears_when(self) -> str:
        told = telling.limit(telling.lower(self.amber, self.red) - self.hysteresis)
        return f"the sum of daily deviations of {codes.inner(self.code)} back to {told} or less"

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        code = base.measured(entry, where)
        entry = {"floor": daily.resolution(code), **entry}
        shared = base.common(cls, entry, where, name=code)
        daily.ordered(shared, where)
        baseline_days = daily.whole(entry, "baseline_days", where, 28, 5, daily.MOST_DAYS - 1)
        run_days = daily.whole(entry, "run_days", where, 21, 1, daily.MOST_DAYS - 1)
        if baseline_days + run_days > daily.MOST_DAYS:
            raise errors.RuleError(
                f"{where}.run_days", f"with baseline_days is more than the {daily.MOST_DAYS} days that are kept"
            )
        min_days = daily.whole(entry, "min_days", where, min(14, baseline_days), 5, baseline_days)
        cap = daily.positive(entry, "cap", where, 4.0, 100)
        k = daily.positive(entry, "k", where, 0.75, 100)
        if k >= cap:
            raise errors.RuleError(f"{where}.k", "must be less than cap: the sum could never grow")
        return cls(
            **shared,
            code=code,
            direction=daily.direction(entry, where),
            baseline_days=baseline_days,
            min_days=min_days,
            run_days=run_days,
            k=k,
            cap=cap,
            floor=daily.positive(entry, "floor", where, 0, 1_000_000),
            gap_days=daily.whole(entry, "gap_days", where, 7, 1, daily.MOST_DAYS),
        )
