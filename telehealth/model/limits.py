"""Whether personal limits make sense: they can be reached, and their review is not put off for ever."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from alerts import errors as alert_errors
from alerts import rules
from alerts.kinds.base import Assessment
from alerts.personal import Change
from devices import catalogue
from telehealth.errors import Invalid

#: Nobody's personal limits go unlooked at for longer than this.
LONGEST = timedelta(days=366)
_VALUES = ("red_low", "amber_low", "amber_high", "red_high", "reference", "limit")


def check_review(review_on: date, today: date) -> date:
    """Invalid for a day that is not to come, or too far away."""
    if not today < review_on <= today + LONGEST:
        raise Invalid("review_on", "must be a day from tomorrow on, at most a year ahead")
    return review_on


def check_reach(rule_set: rules.RuleSet, changes: Iterable[Change]) -> None:
    """Raises RuleError for a limit that no value of anybody alive can reach: most often a slip of the key."""
    by_key: dict[str, Any] = {rules.key_of(rule): rule for rule in rule_set.rules}
    for one in changes:
        rule = by_key.get(one.rule)
        code = _code(rule)
        entry = catalogue.ENTRIES.get(code or "")
        if one.how != "set" or entry is None or entry.kind != "number" or one.field not in _VALUES:
            continue
        value = getattr(rule, one.field, None)
        if isinstance(value, int | float) and not entry.possible(value):
            span = f"{entry.impossible_low:g} to {entry.impossible_high:g} {entry.unit or ''}".strip()
            raise alert_errors.RuleError(f"{one.rule}.{one.field}", f"is outside what is possible at all, {span}")


def _code(rule: Any) -> str | None:
    if isinstance(rule, rules.Threshold):
        return rule.code
    return getattr(rule, "code", None) if isinstance(rule, Assessment) else None
