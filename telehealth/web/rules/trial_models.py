"""What /api/v1 gives about a dry run of rules, as models. See schemas.py."""

from __future__ import annotations

from datetime import datetime

from telehealth.web.schemas import Given, Priority


class TrialAlert(Given):
    """ended_at null: open. human_handled false: the service alone would have handled it."""

    rule: str
    started_at: datetime
    ended_at: datetime | None
    priority: Priority
    human_handled: bool
    reason: str


class TrialSame(TrialAlert):
    """earlier_hours: how much earlier than by the rules in force; negative: later."""

    earlier_hours: float


class TrialEvent(Given):
    """Something that rules should find, and when each rule set warned of it first; null: not at all.

    It is an alert of high priority by the rules in force, or one that staff found true and acted on.
    """

    at: datetime
    text: str
    before: datetime | None
    after: datetime | None


class NurseMinutes(Given):
    """What an alert that a human handles is taken to need."""

    value: float
    source: str
    approval: str


class Trial(Given):
    """before: by the rules in force at each time; after: as if the changed rules had been in force all along.

    added, saved: alerts of only one of them. human_more: alerts that a human handles, after less before.
    nurse_minutes_a_week: more (or fewer) because of these; null for less than a week of monitoring.
    """

    weeks: int
    sentence: str
    since: datetime
    until: datetime
    monitored_days: float
    alerts_before: int
    alerts_after: int
    human_more: int
    nurse_minutes_a_week: float | None
    nurse_minutes_each: NurseMinutes
    added: list[TrialAlert]
    saved: list[TrialAlert]
    same: list[TrialSame]
    caught: list[TrialEvent]
