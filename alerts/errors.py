"""Errors and refusals of the decision engine.

AlertError
├── RuleError        a rule set, pathway or schedule is not usable; names the field
├── InputError       columns or states handed to the engine do not fit together
├── Refused          a decision that may not be made (NEWS2 under 16, in pregnancy)
└── NotAllowed       a step in the life of an alert that makes no sense from where it is
"""

from __future__ import annotations

import re
from collections.abc import Sequence


class AlertError(Exception):
    """The engine cannot do this."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or type(self).__name__).splitlines()[0])


class RuleError(AlertError):
    """A rule set, pathway or schedule is not usable."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def keyed(error: RuleError, keys: Sequence[str]) -> RuleError:
    """The same with the key of the rule instead of its place: threshold/spo2.red_low, not rules[12].red_low."""
    place = re.match(r"rules\[(\d+)\]", error.field)
    if place is None or int(place[1]) >= len(keys):
        return error
    return RuleError(keys[int(place[1])] + error.field[place.end() :], error.problem)


class InputError(AlertError):
    """What was handed to the engine does not fit together."""


class Refused(AlertError):
    """This score may not be used for this person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotAllowed(AlertError):
    """This step makes no sense for an alert in this state."""

    def __init__(self, step: str, why: str) -> None:
        super().__init__(f"{step}: {why}")
        self.step = step
        self.why = why
