"""What a pathway is once it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts import errors


@dataclass(frozen=True, slots=True)
class Number:
    """One default number of a pathway, or words for the resident, and where it comes from."""

    rule: str  #: threshold/spo2, threshold/spo2 (scale 2), news2, silence/spo2, change/weight_3_days
    field: str
    value: float | str | None  #: None: nobody can know it in advance; it is set for each resident
    source: str
    approval: str

    @property
    def text(self) -> str:
        """As people read it: 88, "If you have chest pain, call 999 now.", not set."""
        if self.value is None:
            return "not set"
        return f'"{self.value}"' if isinstance(self.value, str) else f"{self.value:g}"


@dataclass(frozen=True, slots=True)
class Pathway:
    """One version of a pathway. `rules` are as in a rule set, those with a "scale" only for that SpO2 scale."""

    name: str
    version: str
    title: str
    rules: tuple[Mapping[str, Any], ...]
    schedule: Mapping[str, Any]  #: usual due times, local
    numbers: tuple[Number, ...]
    text: str = ""  #: as it was written

    @property
    def to_set(self) -> tuple[Number, ...]:
        """What has to be set for each resident before its rule decides anything."""
        return tuple(number for number in self.numbers if number.value is None)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a pathway file, for the person who wrote it."""

    line: int | None
    path: str  #: rules[2].red_low
    where: str  #: rule 3 (threshold spo2), red_low
    message: str

    def __str__(self) -> str:
        at = "" if self.line is None else f"line {self.line}: "
        return f"{at}{self.where}: {self.message}" if self.where else f"{at}{self.message}"


class Unusable(errors.RuleError):
    """A pathway file that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(first.path or "pathway", f"{first}{more}")
        self.args = (self.problem,)  # it says its place itself
        self.problems = problems
