"""How the measures that are expected of a resident stand now: later, done, due, late or missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from alerts import rules, schedule, single

#: Where neither a silence rule nor the schedule says how long to wait. It is only shown, and raises nothing.
USUAL_GRACE_SECONDS = 7200


class Standing(NamedTuple):
    """One measure. Times in microseconds since the epoch."""

    code: str
    state: Literal["later", "done", "due", "late", "missing"]
    due: int | None  #: the due time that is spoken of: the last that has come; of "later" the first that will
    missing_at: int | None  #: when it is missing if it does not come; None unless due or late
    next_due: int | None  #: the first due time that is still to come


class Awaited(NamedTuple):
    """The measure that is to come next, so that whoever has the times can tell how it stands later."""

    code: str
    state: Literal["later", "due", "late", "missing"]
    due: int
    late_at: int  #: after this it is late
    missing_at: int


def standings(
    plan: schedule.Schedule, rule_set: rules.RuleSet, last: Mapping[str, int], since: int, at: int
) -> list[Standing]:
    """By code, in the order of the schedule. last: newest reading of each; since: when the stay, or the last pause,
    was over or began: what was due before is not asked for."""
    by_code = _deadlines(plan, rule_set.silences, since, at)
    return [_standing(code, found, rule_set.silences.get(code), last.get(code), at) for code, found in by_code.items()]


def awaited(
    plan: schedule.Schedule, silences: Mapping[str, single.Silence], last: Mapping[str, int], since: int, at: int
) -> list[Awaited]:
    """By code, in the order of the schedule: what was due and did not come, else what will be due next."""
    result = []
    for code, found in _deadlines(plan, silences, since, at).items():
        rule = silences.get(code)
        stands = _standing(code, found, rule, last.get(code), at)
        due = stands.next_due if stands.state in ("later", "done") else stands.due
        deadline = next((deadline for deadline in found if deadline.due == due), None)
        if deadline is not None:
            state = "later" if stands.state == "done" else stands.state
            result.append(Awaited(code, state, deadline.due, deadline.due + _late_us(rule), deadline.at))
    return result


def _deadlines(
    plan: schedule.Schedule, silences: Mapping[str, single.Silence], since: int, at: int
) -> dict[str, list[schedule.Deadline]]:
    """Of some days before and after, by due time."""
    graces = tuple(
        (code, silences[code].grace_seconds if code in silences else USUAL_GRACE_SECONDS) for code in plan.expected
    )
    # A grace is a day at most, and so is the time between two due times.
    days = range(at // schedule.DAY_US - 2, at // schedule.DAY_US + 4)
    by_code: dict[str, list[schedule.Deadline]] = {code: [] for code in plan.expected}
    for day in days:
        for deadline in plan.deadlines(day, graces):
            if deadline.due >= since:
                by_code[deadline.code].append(deadline)
    return {code: sorted(found, key=lambda deadline: deadline.due) for code, found in by_code.items()}


def _late_us(rule: single.Silence | None) -> int:
    return 0 if rule is None or rule.late_seconds is None else rule.late_seconds * 1_000_000


def _standing(
    code: str, deadlines: list[schedule.Deadline], rule: single.Silence | None, last: int | None, at: int
) -> Standing:
    come = [deadline for deadline in deadlines if deadline.due <= at]
    next_due = next((deadline.due for deadline in deadlines if deadline.due > at), None)
    if not come:
        return Standing(code, "later", next_due, None, next_due)
    newest = come[-1]
    if last is not None and last >= newest.counts_from:
        return Standing(code, "done", newest.due, None, next_due)
    if at >= newest.at:
        return Standing(code, "missing", newest.due, None, next_due)
    return Standing(code, "late" if at > newest.due + _late_us(rule) else "due", newest.due, newest.at, next_due)
