"""Two ways to judge resting pulse, at any limit; and the limit that keeps to a budget of false alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from telehealth.study import cells, folding, pulse_baseline, pulse_cases, rule_sets
from telehealth.study.pulse_cases import Study

#: The limits that are tried; then those by tenths between the lowest that keeps to the budget and the one below it.
LIMITS = tuple(round(1.5 + 0.5 * step, 2) for step in range(21))
_FINER = (0.4, 0.3, 0.2, 0.1)

_Days = list[list[int]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one method at one limit. found: by case the day of its alert, from the onset on; None: missed."""

    name: str
    limit: float
    false: tuple[int, ...]  #: by person
    found: tuple[int | None, ...]


@dataclass(slots=True)
class Method:
    """A way of alerting, asked about these people. Healthy days are gone through at many limits, illnesses at few.

    on_people, on_ill: days of alerts at a limit in each person's log, in the log of each added illness.
    """

    name: str
    study: Study
    on_people: Callable[[float], _Days]
    on_ill: Callable[[float], _Days]
    _plain: dict[float, _Days] = field(default_factory=dict)
    _false: dict[float, tuple[int, ...]] = field(default_factory=dict)
    _outcomes: dict[float, Outcome] = field(default_factory=dict)

    def false(self, limit: float) -> tuple[int, ...]:
        """False alerts by person."""
        if limit not in self._false:
            self._plain[limit] = self.on_people(limit)
            self._false[limit] = tuple(
                sum(day in healthy for day in days)
                for days, healthy in zip(self._plain[limit], self.study.healthy, strict=True)
            )
        return self._false[limit]

    def outcome(self, limit: float) -> Outcome:
        if limit not in self._outcomes:
            false, added = self.false(limit), iter(self.on_ill(limit))
            found = tuple(
                pulse_cases.first(next(added) if case.added else self._plain[limit][case.person], case.onset)
                for case in self.study.cases
            )
            self._outcomes[limit] = Outcome(self.name, limit, false, found)
        return self._outcomes[limit]

    def tried(self, *, everything: bool) -> list[float]:
        """The limits of a curve; not everything: those that were gone through already."""
        return [limit for limit in LIMITS if everything or limit in self._false]

    def within(self, budget: float, without: int | None = None) -> float | None:
        """The lowest limit with at most so many false alerts per person-month; illnesses are not looked at.

        without: a person who has no say in it. None: no limit keeps to it.
        """

        def keeps(limit: float) -> bool:
            counted = [(false, months) for false, months in zip(self.false(limit), self.study.months, strict=True)]
            if without is not None:
                del counted[without]
            return sum(false for false, _ in counted) <= budget * sum(months for _, months in counted)

        coarse = next((limit for limit in LIMITS if keeps(limit)), None)
        if coarse is None:
            return None
        return next((limit for step in _FINER if keeps(limit := round(coarse - step, 2))), coarse)

    def left_out(self, budget: float) -> Outcome | None:
        """Each person, with their illnesses, at the limit that all the others alone would have given."""
        limits = [self.within(budget, person) for person in range(len(self.study.people))]
        by_person = [limit for limit in limits if limit is not None]
        if len(by_person) < len(limits):
            return None
        return Outcome(
            self.name,
            sorted(by_person)[len(by_person) // 2],
            tuple(self.false(limit)[person] for person, limit in enumerate(by_person)),
            tuple(
                self.outcome(by_person[case.person]).found[position] for position, case in enumerate(self.study.cases)
            ),
        )


def engine(study: Study) -> Method:
    """The rule of the packaged pathway."""

    def asked(logs: Sequence[Mapping[int, float]]) -> Callable[[float], _Days]:
        records = [_record(daily) for daily in logs]

        def alerts(limit: float) -> _Days:
            seen = folding.alerts(records, rule_sets.pulse(limit))
            return [[alert.raised_at // cells.DAY_US for alert in one] for one in seen]

        return alerts

    return Method("engine", study, asked([person.daily for person in study.people]), asked(_ill(study)))


def _record(daily: Mapping[int, float]) -> folding.Record:
    days = sorted(daily)
    noon = [day * cells.DAY_US + cells.DAY_US // 2 for day in days]
    return folding.Record(noon, ["resting_pulse"] * len(days), [daily[day] for day in days])


def cusum(study: Study) -> Method:
    """The baseline."""

    def asked(logs: Sequence[Mapping[int, float]]) -> Callable[[float], _Days]:
        deviations = [pulse_baseline.deviations(daily) for daily in logs]
        return lambda limit: [pulse_baseline.alerts(one, limit) for one in deviations]

    return Method("CUSUM", study, asked([person.daily for person in study.people]), asked(_ill(study)))


def _ill(study: Study) -> list[dict[int, float]]:
    return [pulse_cases.ill(study.people[case.person].daily, case.onset) for case in study.cases if case.added]
