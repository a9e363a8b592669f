"""A dry run: what other rules would have done for one resident over the last weeks, before anybody saves them.

Both rule sets are folded over the same readings, stays and pauses: the rules as they were in force at each time, and
the changed ones as if they had been in force all along. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from alerts import backtest, course, engine, moments, onsets, pairing, rules, timeline
from alerts.backtest import DAY_US, HOUR_US, Alert
from alerts.pairing import Pairs

#: Histories that rules look back at: the fold begins so long before the weeks that are looked at.
WARM_UP_US = 62 * DAY_US

#: An alert of any rule so long before something has warned of it, and so long after it has at least noticed it.
_BEFORE_US, _AFTER_US = 48 * HOUR_US, 24 * HOUR_US
_WORTH_TELLING_US = 15 * 60_000_000
_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Cost:
    """What an alert that a human handles takes of a nurse's time."""

    minutes: float = 15.0
    source: str = "chosen: open the record, ring the resident, write it down"
    approval: str = "needs local approval"


COST = Cost()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that rules should have found. text: what it was."""

    at: int
    rule: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Caught:
    """When each rule set warned of an event first; None: not at all."""

    event: Event
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Alerts that began from `since` on, by the rules in force (before) and by the changed ones (after)."""

    since: int
    until: int
    days: float  #: of these in which the resident was monitored
    zone: str
    before: tuple[Alert, ...]
    after: tuple[Alert, ...]
    pairs: Pairs
    caught: tuple[Caught, ...]
    cost: Cost

    @property
    def more(self) -> int:
        """How many more alerts somebody would have had to handle; fewer is negative."""
        return sum(not alert.auto for alert in self.after) - sum(not alert.auto for alert in self.before)

    @property
    def minutes_a_week(self) -> float | None:
        """Of nurses' time, more or less; None for under a week."""
        return None if self.days < _WEEK_DAYS else self.more * self.cost.minutes * _WEEK_DAYS / self.days


def run(
    subject: engine.Subject,
    readings: timeline.Timeline,
    changed: rules.RuleSet,
    *,
    since: int,
    now: int,
    noted: Sequence[Event] = (),
    cost: Cost = COST,
) -> Outcome:
    """Compares changed rules with those in force. readings: from WARM_UP_US before `since` on, where there are any.

    subject: without a state; versions as they were. noted: what staff know to have happened, beside every alert of
    high priority of the rules in force. Times in microseconds since the epoch.
    """
    begin = min([since - WARM_UP_US, *(at for at, _ in subject.versions)])
    before = _alerts(subject, readings, since, now)
    after = _alerts(replace(subject, versions=[(begin, changed)]), readings, since, now)
    events = [event for event in _events(before, noted) if since <= event.at <= now]
    caught = tuple(Caught(event, _first(before, event), _first(after, event)) for event in events)
    shown = [tuple(alert for alert in found if alert.started_at >= since) for found in (before, after)]
    return Outcome(
        since,
        now,
        _monitored(subject, since, now) / DAY_US,
        subject.zone,
        shown[0],
        shown[1],
        pairing.pair(shown[0], shown[1]),
        caught,
        cost,
    )


def _alerts(subject: engine.Subject, readings: timeline.Timeline, since: int, now: int) -> list[Alert]:
    """Those that began from `since` on, and those that were open then."""
    (result,) = engine.fold([subject], readings, now)
    found = backtest.raised(0, result.episodes, backtest.Manner())
    return [alert for alert in found if alert.started_at >= since or alert.ended_at is None or alert.ended_at > since]


def _monitored(subject: engine.Subject, since: int, now: int) -> int:
    line = course.lay(subject.versions, subject.spells, subject.pauses)
    spans = {(stay.started_at, now if stay.ended_at is None else stay.ended_at) for stay in line.monitored if stay}
    return onsets.overlap(onsets.merged([span for span in spans if span[1] > span[0]]), [(since, now)])


def _events(before: Sequence[Alert], noted: Sequence[Event]) -> list[Event]:
    """Of several within a day, the first."""
    high = [Event(alert.started_at, alert.rule, alert.reason) for alert in before if alert.priority == "high"]
    found: list[Event] = []
    for event in sorted([*noted, *high], key=lambda event: (event.at, event.rule or "")):
        if not found or event.at - found[-1].at > DAY_US:
            found.append(event)
    return found


def _first(alerts: Sequence[Alert], event: Event) -> int | None:
    """The first alert near an event, or one of its own rule that was open then, however long."""
    starts = [
        alert.started_at
        for alert in alerts
        if not alert.rule.startswith("silence/")
        and (
            event.at - _BEFORE_US <= alert.started_at <= event.at + _AFTER_US
            or (
                alert.rule == event.rule
                and alert.started_at <= event.at
                and (alert.ended_at is None or alert.ended_at > event.at)
            )
        )
    ]
    return min(starts, default=None)


# In words -----------------------------------------------------------------------------------------


def sentence(outcome: Outcome) -> str:
    """ "3 more alerts in 4 weeks, about 11 nurse-minutes a week; would have caught 14 Nov 7 h earlier" """
    return "; ".join([_burden(outcome), *_consequences(outcome)])


def _burden(outcome: Outcome) -> str:
    span = _span(outcome.days)
    if outcome.days == 0:
        return "Not monitored in this time: nothing can be said"
    if not outcome.pairs.only_first and not outcome.pairs.only_second:
        return f"The same {_told(len(outcome.after))} in {span}" if outcome.after else f"No alert in {span}, as now"
    if outcome.more == 0:
        return f"As many alerts in {span} ({len(outcome.pairs.only_second)} other ones)"
    kind = "more" if outcome.more > 0 else "fewer"
    told = f"{abs(outcome.more)} {kind} {'alert' if abs(outcome.more) == 1 else 'alerts'} in {span}"
    minutes = outcome.minutes_a_week
    if minutes is None:
        return f"{told}, about {abs(outcome.more) * outcome.cost.minutes:.0f} nurse-minutes in all"
    return f"{told}, about {_rounded(abs(minutes))} nurse-minutes a week{' less' if minutes < 0 else ''}"


def _told(count: int) -> str:
    return "alert" if count == 1 else f"{count} alerts"


def _rounded(minutes: float) -> str:
    return f"{minutes:.0f}" if minutes >= 1 else "less than 1"


def _span(days: float) -> str:
    weeks = round(days / _WEEK_DAYS)
    if weeks >= 1 and abs(days - weeks * _WEEK_DAYS) < 1:
        return "a week" if weeks == 1 else f"{weeks} weeks"
    whole = round(days)
    return "less than a day" if whole < 1 else "a day" if whole == 1 else f"{whole} days"


def _consequences(outcome: Outcome) -> list[str]:
    """What would have been found earlier, later, or not at all; the greatest gain and loss by their dates."""
    gained: list[Caught] = []
    lost: list[Caught] = []
    missed: list[Caught] = []
    new: list[Caught] = []
    for one in outcome.caught:
        if one.before is not None and one.after is None:
            missed.append(one)
        elif one.before is None and one.after is not None:
            new.append(one)
        elif one.before is not None and one.after is not None and abs(one.before - one.after) >= _WORTH_TELLING_US:
            (gained if one.after < one.before else lost).append(one)
    gained.sort(key=_gain, reverse=True)
    lost.sort(key=_gain)
    told = []
    for found, verb, manner in ((gained, "caught", "earlier"), (lost, "caught", "later")):
        if found:
            told.append(
                f"would have {verb} {_day(found[0], outcome.zone)} {_long(abs(_gain(found[0])))} {manner}"
                + _others(found[1:], outcome.zone, f" {manner} too")
            )
    if new:
        first = _day(new[0], outcome.zone)
        told.append(f"would have caught {first}, which was missed{_others(new[1:], outcome.zone)}")
    if missed:
        told.append(f"would have missed {_day(missed[0], outcome.zone)}{_others(missed[1:], outcome.zone)}")
    return told


def _gain(one: Caught) -> int:
    return (one.before or 0) - (one.after or 0)


def _others(found: Sequence[Caught], zone: str, more: str = "") -> str:
    if not found:
        return ""
    days = [_day(one, zone) for one in found[:3]]
    rest = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f" (and {', '.join(days)}{rest}{more})"


def _day(one: Caught, zone: str) -> str:
    return moments.date_of(one.event.at, zone)


def _long(us: int) -> str:
    hours = us / HOUR_US
    if hours < 1:
        return f"{round(us / 60_000_000)} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


def to_json(outcome: Outcome) -> dict[str, Any]:
    """JSON form; times as ISO 8601 in UTC."""
    earlier = {
        other: (outcome.before[one].started_at - outcome.after[other].started_at) / HOUR_US
        for one, other in outcome.pairs.both
    }
    return {
        "sentence": sentence(outcome),
        "since": moments.instant(outcome.since),
        "until": moments.instant(outcome.until),
        "monitored_days": round(outcome.days, 3),
        "alerts_before": len(outcome.before),
        "alerts_after": len(outcome.after),
        "human_more": outcome.more,
        "nurse_minutes_a_week": None if outcome.minutes_a_week is None else round(outcome.minutes_a_week, 1),
        "nurse_minutes_each": {
            "value": outcome.cost.minutes,
            "source": outcome.cost.source,
            "approval": outcome.cost.approval,
        },
        "added": [_alert_json(outcome.after[position]) for position in outcome.pairs.only_second],
        "saved": [_alert_json(outcome.before[position]) for position in outcome.pairs.only_first],
        "same": [
            {**_alert_json(outcome.after[other]), "earlier_hours": round(earlier[other], 3)}
            for _, other in outcome.pairs.both
        ],
        "caught": [
            {
                "at": moments.instant(one.event.at),
                "text": one.event.text,
                "before": None if one.before is None else moments.instant(one.before),
                "after": None if one.after is None else moments.instant(one.after),
            }
            for one in outcome.caught
        ],
    }


def _alert_json(alert: Alert) -> dict[str, Any]:
    return {
        "rule": alert.rule,
        "started_at": moments.instant(alert.started_at),
        "ended_at": None if alert.ended_at is None else moments.instant(alert.ended_at),
        "priority": alert.priority,
        "human_handled": not alert.auto,
        "reason": alert.reason,
    }
