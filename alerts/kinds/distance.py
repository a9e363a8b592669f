"""Distance from a set value: dry weight, personal best peak flow, target saturation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from alerts import codes, errors, limits, moments, telling
from alerts.kinds import base, window
from alerts.kinds.base import Finding, Keep, Refusal, Sample, Told, View

Side = Literal["above", "below"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance(base.Assessment):
    """Signal: how far all of the newest `confirm` readings are above or below the reference, in the unit of the
    code or, with `percent`, in per cent of the reference. reference None: not set yet for this resident.
    """

    kind: ClassVar[str] = "distance"

    code: str
    direction: Side
    reference: float | None = None
    percent: bool = False
    confirm: int = 1
    max_age_hours: int = 168

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code,)

    @property
    def keeps(self) -> Keep:
        return Keep(0, self.max_age_hours)

    @property
    def calm(self) -> tuple[float, float]:
        """All of the newest must be beyond the limit: where this one is not, nothing is found."""
        if self.reference is None:
            return (-math.inf, math.inf)
        lower = telling.lower(self.amber, self.red)
        away = self.reference * lower / 100 if self.percent else lower
        if self.direction == "above":
            return (-math.inf, self.reference + away)
        return (self.reference - away, math.inf)

    @property
    def title(self) -> str:
        return f"{codes.BY_KEY[self.code].name} {self.direction} the set value"

    @property
    def _worse(self) -> base.Worse:
        return "low" if self.direction == "below" else "high"

    def assess(self, view: View) -> Finding | Refusal:
        if self.reference is None:
            return Refusal("not_set", f"the set value of {codes.inner(self.code)} for this resident")
        samples = view.samples(self.code, self._worse)
        newest = samples[-self.confirm :]
        if len(newest) < self.confirm:
            return Refusal("too_few", f"{len(newest)} of {self._readings()}")
        if newest[0].at < view.at - self.max_age_hours * window.HOUR_US:
            fresh = len(window.since(newest, view.at - self.max_age_hours * window.HOUR_US))
            return Refusal("too_old", f"{fresh} of {self._readings()}")
        return self.judged(self._signal(self._nearest(newest).value, self.reference))

    def tell(self, view: View, finding: Finding) -> Told:
        reference = self.reference
        assert reference is not None  # refused otherwise
        newest = view.samples(self.code, self._worse)[-self.confirm :]
        nearest = self._nearest(newest)
        which = ""
        if self.confirm > 1:
            which = f", the {'lowest' if self.direction == 'above' else 'highest'} of the last {self.confirm},"
        limit = telling.limit_at(finding.level, self.amber, self.red)
        name, value = codes.BY_KEY[self.code].name, telling.measured(self.code, nearest.value)
        when = f"at {moments.clock(nearest.at, view.zone, view.at)}{which}"
        if self.percent:
            share = self._share(nearest.value, reference)
            told = telling.figure(share, 0, *(self._as_share(one) for one in (self.amber, self.red) if one is not None))
            beyond = f"{'' if finding.level else 'not '}{self.direction} {telling.limit(self._as_share(limit))} %"
            set_value = telling.limit_of(self.code, reference)
            sentence = f"{name} {value} {when} is {told} % of the set {set_value}, {beyond}"
        else:
            told = telling.difference(self.code, finding.signal, self.amber, self.red)
            more = f"{'' if finding.level else 'not '}more than {telling.limit_apart(self.code, limit)}"
            set_value = telling.limit_of(self.code, reference)
            sentence = f"{name} {value} {when} is {told} {self.direction} the set {set_value}, {more}"
        numbers = {
            "reference": reference,
            "nearest": telling.tidy(nearest.value),
            "distance": telling.tidy(finding.signal),
            "limit": limit,
        }
        if self.percent:
            numbers["percent_of_reference"] = telling.tidy(self._share(nearest.value, reference))
        return Told(
            sentence,
            [{**telling.reading(self.code, sample, view.at), "decides": sample is nearest} for sample in newest],
            numbers,
        )

    def clears_when(self) -> str:
        back = telling.lower(self.amber, self.red) - self.hysteresis
        name, side = codes.inner(self.code), "less" if self.direction == "above" else "more"
        if self.reference is None:
            return f"{name} back near its set value"
        if self.percent:
            share = self._as_share(back)
            value = telling.amount(self.code, self.reference * share / 100)
            return f"{name} back to {value} ({telling.limit(share)} % of the set value) or {side}"
        value = telling.limit_of(self.code, self.reference + (back if self.direction == "above" else -back))
        return f"{name} back to {value} or {side}"

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        code = base.measured(entry, where)
        shared = base.common(cls, entry, where, name=code, positive=False)
        for key in ("amber", "red"):
            if shared[key] is not None and shared[key] < 0:
                raise errors.RuleError(f"{where}.{key}", "must not be negative: it is a distance from the set value")
        base.ordered(shared["amber"], shared["red"], where)
        if shared["hysteresis"] > telling.lower(shared["amber"], shared["red"]) > 0:
            raise errors.RuleError(f"{where}.hysteresis", "is more than the limit: an alert could hardly clear")
        percent = entry.get("percent", False)
        if not isinstance(percent, bool):
            raise errors.RuleError(f"{where}.percent", "must be true or false")
        reference = limits.number(entry, "reference", where)
        if reference is not None and reference <= 0:
            raise errors.RuleError(f"{where}.reference", "must be greater than 0, or null while it is not set")
        direction: Side = "above" if base.choice(entry, "direction", where, ("above", "below")) == "above" else "below"
        if percent and direction == "below":
            for key in ("amber", "red"):
                if shared[key] is not None and shared[key] >= 100:
                    raise errors.RuleError(f"{where}.{key}", "must be less than 100 per cent below the set value")
        return cls(
            **shared,
            code=code,
            direction=direction,
            reference=reference,
            percent=percent,
            confirm=limits.seconds(entry, "confirm", where, 1, 1, 5),
            max_age_hours=limits.seconds(entry, "max_age_hours", where, 168, 1, 168),
        )

    def _nearest(self, newest: Sequence[Sample]) -> Sample:
        """The one that is least out: all of them must be beyond a limit."""
        return window.least(newest) if self.direction == "above" else window.greatest(newest)

    def _signal(self, value: float, reference: float) -> float:
        if self.percent:
            value, reference = self._share(value, reference), 100.0
        return value - reference if self.direction == "above" else reference - value

    def _share(self, value: float, reference: float) -> float:
        return 100.0 * value / reference

    def _as_share(self, limit: float) -> float:
        """A limit in per cent of the reference, as people know it: 20 below is 80 %."""
        return 100.0 + limit if self.direction == "above" else 100.0 - limit

    def _readings(self) -> str:
        plural = "reading" if self.confirm == 1 else "readings"
        return f"{self.confirm} {plural} of {codes.inner(self.code)} within {window.hours(self.max_age_hours)}"
