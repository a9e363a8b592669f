"""Change over a time window: the newest readings against the rest of the window, confirmed by a repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from alerts import codes, errors, limits, moments, statistics, telling
from alerts.kinds import base, window
from alerts.kinds.base import Finding, Keep, Refusal, Sample, Told, View

Direction = Literal["rise", "fall"]
#: What the newest are held against: the one of the rest that is farthest (least for a rise), or their median.
Against = Literal["farthest", "median"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(base.Assessment):
    """Signal: how far all of the newest `confirm` readings are above the lowest (rise) or below the highest (fall)
    of the others within window_hours, in the unit of the code; against "median": above or below their median.
    """

    kind: ClassVar[str] = "change"

    code: str
    direction: Direction
    window_hours: int
    confirm: int = 2
    against: Against = "farthest"

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code,)

    @property
    def keeps(self) -> Keep:
        return Keep(0, self.window_hours)

    @property
    def title(self) -> str:
        return f"{codes.BY_KEY[self.code].name} {'rising' if self.direction == 'rise' else 'falling'}"

    @property
    def _worse(self) -> base.Worse:
        return "low" if self.direction == "fall" else "high"

    def assess(self, view: View) -> Finding | Refusal:
        samples, chosen = self._choose(view)
        if window.crowded(samples, chosen):
            return self._too_many()
        if len(chosen) <= self.confirm:
            return self._too_few(len(chosen))
        earlier, newest = self._earlier(chosen), self._nearest(chosen).value
        return self.judged(newest - earlier if self.direction == "rise" else earlier - newest)

    def _choose(self, view: View) -> tuple[Sequence[Sample], Sequence[Sample]]:
        """All, and those of the window: of different values of one reading those that are farther apart."""
        samples = view.samples(self.code, self._worse)
        chosen = window.since(samples, view.at - self.window_hours * window.HOUR_US)
        rest = len(chosen) - self.confirm
        if rest <= 0 or all(sample.other is None for sample in chosen):
            return samples, chosen
        other = view.samples(self.code, "high" if self._worse == "low" else "low")
        return samples, [*other[len(samples) - len(chosen) : len(samples) - self.confirm], *chosen[rest:]]

    def tell(self, view: View, finding: Finding) -> Told:
        _, chosen = self._choose(view)
        earlier, last = self._earlier(chosen), self._nearest(chosen)
        rest = chosen[: -self.confirm]
        first = window.least(rest) if self.direction == "rise" else window.greatest(rest)
        newest = chosen[-self.confirm :]
        limit = telling.limit_at(finding.level, self.amber, self.red)
        word, beyond = ("up", "more") if finding.level else ("changed", "not more")
        if finding.level and self.direction == "fall":
            word = "down"
        which = ""
        if self.confirm > 1:
            which = f", the {'lowest' if self.direction == 'rise' else 'highest'} of the last {self.confirm}"
        sentence = (
            f"{codes.BY_KEY[self.code].name} {word} "
            f"{telling.difference(self.code, finding.signal, self.amber, self.red)} "
            f"within {window.hours(self.window_hours)}, {beyond} than {telling.limit_apart(self.code, limit)}: "
            f"from {self._start(view, rest, first, earlier)} "
            f"to {telling.measured(self.code, last.value)} at {moments.clock(last.at, view.zone, view.at)}{which}"
        )
        shown = chosen[-window.MOST_TOLD :]
        if first not in shown:
            shown = (first, *shown[1:])
        return Told(
            sentence,
            [
                {
                    **telling.reading(self.code, sample, view.at),
                    "part": "newest" if sample in newest else "earlier",
                    "decides": sample is last or (sample is first and self.against == "farthest"),
                }
                for sample in shown
            ],
            {
                "earlier": telling.tidy(earlier),
                "newest": telling.tidy(last.value),
                "change": telling.tidy(finding.signal),
                "readings": len(chosen),
                "window_from": moments.instant(view.at - self.window_hours * window.HOUR_US),
                "limit": limit,
            },
        )

    def clears_when(self) -> str:
        back = telling.limit_apart(self.code, telling.lower(self.amber, self.red) - self.hysteresis)
        side = "above" if self.direction == "rise" else "below"
        return (
            f"{codes.inner(self.code)} no more than {back} {side} where it was within the last "
            f"{window.hours(self.window_hours)}: it went back, or the {self.direction} is older than that"
        )

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        code = base.measured(entry, where)
        shared = base.common(cls, entry, where, name=code)
        base.ordered(shared["amber"], shared["red"], where)
        if shared["hysteresis"] > telling.lower(shared["amber"], shared["red"]):
            raise errors.RuleError(f"{where}.hysteresis", "is more than the limit: an alert could hardly clear")
        return cls(
            **shared,
            code=code,
            direction="rise" if base.choice(entry, "direction", where, ("rise", "fall")) == "rise" else "fall",
            window_hours=limits.seconds(entry, "window_hours", where, 72, 1, 168),
            confirm=limits.seconds(entry, "confirm", where, 2, 1, 5),
            against="median" if _against(entry, where) == "median" else "farthest",
        )

    def _earlier(self, chosen: Sequence[Sample]) -> float:
        """What the newest are held against."""
        values = [sample.value for sample in chosen[: -self.confirm]]
        if self.against == "median":
            return statistics.median(values)
        return min(values) if self.direction == "rise" else max(values)

    def _nearest(self, chosen: Sequence[Sample]) -> Sample:
        """The one of the newest that is nearest to the rest: all of them must be beyond."""
        newest = chosen[-self.confirm :]
        return window.least(newest) if self.direction == "rise" else window.greatest(newest)

    def _start(self, view: View, rest: Sequence[Sample], first: Sample, earlier: float) -> str:
        """Where it went from, in words."""
        if self.against == "farthest":
            return f"{telling.measured(self.code, first.value)} at {moments.clock(first.at, view.zone, view.at)}"
        told = telling.amount(self.code, earlier)
        if len(rest) == 1:
            return f"{told}, the one reading before"
        return f"{told}, the median of the {len(rest)} readings before,"

    def _too_few(self, count: int) -> Refusal:
        return Refusal("too_few", f"{count} of {self.confirm + 1} {self._readings()}")

    def _too_many(self) -> Refusal:
        return Refusal("too_many", f"fewer than {window.MOST} {self._readings()}: more are not kept")

    def _readings(self) -> str:
        return f"readings of {codes.inner(self.code)} within {window.hours(self.window_hours)}"


def _against(entry: Mapping[str, Any], where: str) -> str:
    return base.choice({"against": "farthest", **entry}, "against", where, ("farthest", "median"))
