"""Change over a time window: the newest readings against the rest of the window, confirmed by a repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from alerts import codes, errors, limits, moments, telling
from alerts.kinds import base, window
from alerts.kinds.base import Finding, Keep, Refusal, Sample, Told, View

Direction = Literal["rise", "fall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(base.Assessment):
    """Signal: how far all of the newest `confirm` readings are above the lowest (rise) or below the highest (fall)
    of the others within window_hours, in the unit of the code.
    """

    kind: ClassVar[str] = "change"

    code: str
    direction: Direction
    window_hours: int
    confirm: int = 2

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
        first, last = self._pair(chosen)
        return self.judged(last.value - first.value if self.direction == "rise" else first.value - last.value)

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
        first, last = self._pair(chosen)
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
            f"from {telling.measured(self.code, first.value)} at {moments.clock(first.at, view.zone, view.at)} "
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
                    "decides": sample is first or sample is last,
                }
                for sample in shown
            ],
            {
                "earlier": telling.tidy(first.value),
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
        )

    def _pair(self, chosen: Sequence[Sample]) -> tuple[Sample, Sample]:
        """The reading of the rest that is farthest, and the one of the newest that is nearest to it."""
        rest, newest = chosen[: -self.confirm], chosen[-self.confirm :]
        if self.direction == "rise":
            return window.least(rest), window.least(newest)
        return window.greatest(rest), window.greatest(newest)

    def _too_few(self, count: int) -> Refusal:
        return Refusal("too_few", f"{count} of {self.confirm + 1} {self._readings()}")

    def _too_many(self) -> Refusal:
        return Refusal("too_many", f"fewer than {window.MOST} {self._readings()}: more are not kept")

    def _readings(self) -> str:
        return f"readings of {codes.inner(self.code)} within {window.hours(self.window_hours)}"
