"""Combinations: at least n of some conditions, each on a latest value or on another rule being open."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alerts import codes, errors, telling
from alerts.kinds import base, condition
from alerts.kinds.base import Finding, Keep, Refusal, Told, View
from alerts.kinds.condition import Condition, RuleOpen, ValueIs

_MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination(base.Assessment):
    """Signal: how many conditions are met. A level is reached at its limit ("at least 2"). What is missing, too old
    or doubted by the device is not met; but what has grown too old ends nothing either.
    """

    kind: ClassVar[str] = "combination"

    conditions: tuple[Condition, ...]
    #: Codes of the readings behind the rules that it looks at; see `bound`.
    watched: tuple[str, ...] = dataclasses.field(default=(), metadata=base.WORKED_OUT)

    @property
    def codes(self) -> tuple[str, ...]:
        own = [one.code for one in self.conditions if isinstance(one, ValueIs)]
        return tuple(dict.fromkeys((*own, *self.watched)))

    @property
    def keeps(self) -> Keep:
        return Keep(0, 0)

    @property
    def rules(self) -> tuple[str, ...]:
        """Keys of the rules that it looks at."""
        return tuple(one.rule for one in self.conditions if isinstance(one, RuleOpen))

    def assess(self, view: View) -> Finding | Refusal:
        met = held = known = seen = 0
        for one in self.conditions:
            verdict = one.look(view)
            met += verdict.met is True
            held += verdict.holds
            known += verdict.met is not None
            seen += verdict.met is not None or verdict.sample is not None
        lower = telling.lower(self.amber, self.red)
        if known == 0 or seen < lower:
            return self._refusal(view, seen < lower)
        return Finding(self._level(met), float(met), held < lower - self.hysteresis)

    def tell(self, view: View, finding: Finding) -> Told:
        verdicts = [(one, one.look(view)) for one in self.conditions]
        limit = telling.limit_at(finding.level, self.amber, self.red)
        met = [condition.told(one, verdict, view) for one, verdict in verdicts if verdict.met]
        unknown = [f"{one.label} ({verdict.why})" for one, verdict in verdicts if verdict.met is None]
        sentence = (
            f"{self.title.capitalize()}: {len(met)} of {len(verdicts)} conditions, {telling.limit(limit)} needed: "
            f"{'; '.join(met) or 'none'}"
        )
        if unknown:
            sentence += f"; unknown: {'; '.join(unknown)}"
        return Told(
            sentence,
            [condition.evidence(one, verdict, view) for one, verdict in verdicts],
            {
                "met": len(met),
                "conditions": len(verdicts),
                "unknown": len(unknown),
                "limit": limit,
            },
        )

    def clears_when(self) -> str:
        back = telling.limit(telling.lower(self.amber, self.red) - self.hysteresis)
        return f"fewer than {back} of: {'; '.join(one.label for one in self.conditions)}"

    @classmethod
    def parse(cls, entry: Mapping[str, Any], where: str) -> Self:
        found = entry.get("conditions")
        if not isinstance(found, list | tuple) or not 1 <= len(found) <= _MOST:
            raise errors.RuleError(f"{where}.conditions", f"must be a list of 1 to {_MOST} conditions")
        shared = base.common(cls, entry, where)
        conditions = tuple(condition.parse(one, f"{where}.conditions[{place}]") for place, one in enumerate(found))
        for key in ("amber", "red"):
            count = shared[key]
            if count is not None and (count != int(count) or not 1 <= count <= len(conditions)):
                raise errors.RuleError(
                    f"{where}.{key}", f"must be a whole number of conditions, from 1 to {len(conditions)}"
                )
        base.ordered(shared["amber"], shared["red"], where)
        if telling.lower(shared["amber"], shared["red"]) - shared["hysteresis"] <= 0:
            raise errors.RuleError(f"{where}.hysteresis", "is too wide: an alert could never clear")
        return cls(**shared, conditions=conditions)

    def dump(self) -> dict[str, Any]:
        document = base.Assessment.dump(self)
        document["conditions"] = [one.document() for one in self.conditions]
        return document

    def bound(self, looked_at: Mapping[str, tuple[str, ...]], where: str) -> Self:
        """With the codes behind the rules that it looks at, by the keys of the rules of the same set."""
        for key in self.rules:
            if key not in looked_at:
                raise errors.RuleError(
                    f"{where}.conditions", f"looks at the rule {key}, which is not among these rules"
                )
        watched = [code for key in self.rules for code in looked_at[key]]
        return dataclasses.replace(self, watched=tuple(dict.fromkeys(watched)))

    def _level(self, met: int) -> int:
        if self.red is not None and met >= self.red:
            return 2
        return 1 if self.amber is not None and met >= self.amber else 0

    def _refusal(self, view: View, never: bool) -> Refusal:
        verdicts = [(one, one.look(view)) for one in self.conditions]
        lacking = [codes.inner(c.code) for c, v in verdicts if isinstance(c, ValueIs) and v.met is None]
        needed = telling.limit(telling.lower(self.amber, self.red))
        known = len(verdicts) - sum(v.met is None for _, v in verdicts)
        told = (
            f"{known} of {len(verdicts)} conditions known, {needed} have to be; "
            f"lacking: {', '.join(dict.fromkeys(lacking))}"
        )
        return Refusal("too_few" if never else "too_old", told)
