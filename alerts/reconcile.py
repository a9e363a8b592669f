"""From folded episodes to alerts: what to store and which events to append, for one (subject, rule).

Episodes are facts of clinical time and are replaced by every refold; alerts are what the service has
said, and are only ever added to. This module decides how the second follows the first:

- an episode that the refold confirms keeps its alert;
- one that overlaps an episode that is gone (moved, merged, split) takes over that one's alert;
- any other joins the open alert of its rule, or that of the episode before it where it follows within the rule's
  refractory time, or raises one;
- the episode that goes on belongs to the open alert, so that there is never a second open one;
- an alert left with no episode, or whose episodes were all contradicted by repeats, is withdrawn;
- one that has cleared before anybody handled it is handled automatically where its rule says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alerts import joining, lifecycle, reasons
from alerts.episodes import RANK, Episode, Priority

#: An alert is late when the service learnt of its episode longer after the onset than this.
LATE_US = 15 * 60 * 1_000_000

_NEW = -1


@dataclass(frozen=True, slots=True)
class Stored:
    """An episode in the database (see Episode.restore) and the alert that it is linked to."""

    episode_id: int
    alert_id: int
    episode: Episode


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert in the database."""

    alert_id: int
    standing: lifecycle.Standing
    raised_at: int


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one alert. `alert_id` None: insert it (its first event is "raised")."""

    alert_id: int | None
    standing: lifecycle.Standing
    provisional: bool
    late: bool  #: of a new alert; to be left alone otherwise
    onset_at: int | None  #: None, like reason and evidence: leave as it is (nothing is left to tell)
    reason: str | None
    evidence: Mapping[str, Any] | None
    link: tuple[int, ...]  #: started_at of the episodes that become this alert's now, new or from another
    events: tuple[tuple[lifecycle.Event, Mapping[str, Any]], ...]  #: to append, each with its detail; `at` is now


@dataclass(frozen=True, slots=True)
class Plan:
    """Apply in this order: remove, update, insert, then the changes, alerts that close before those that open."""

    remove: tuple[int, ...] = ()  #: episode ids that the refold no longer has
    update: tuple[tuple[int, Episode], ...] = ()  #: the same episode, with another end, peak or evidence
    insert: tuple[Episode, ...] = ()
    changes: tuple[Change, ...] = field(default=())


def plan(
    alerts: Sequence[Alert], stored: Sequence[Stored], folded: Sequence[Episode], since_us: int, now_us: int
) -> Plan:
    """What to do after a fold that went on from a state with through = `since_us` (very small: from the beginning).

    All of one (subject, rule). `folded`: the fold's episodes. `stored`: every stored episode that was open at
    `since_us` or started or ended after it, or ended at most joining.reach_us(folded) before it. `alerts`: the open
    one, if any, and every alert linked to those; `stored` also holds all other episodes of these alerts.
    """
    by_start = {episode.started_at: episode for episode in folded}
    matched = {entry.episode.started_at: entry for entry in stored if entry.episode.started_at in by_start}
    others = [entry for entry in stored if entry.episode.started_at not in by_start]
    kept = [entry for entry in others if entry.episode.ended_at is not None and entry.episode.ended_at <= since_us]
    gone = [entry for entry in others if entry not in kept]
    update = tuple(
        (entry.episode_id, by_start[start]) for start, entry in matched.items() if by_start[start] != entry.episode
    )
    insert = tuple(episode for episode in folded if episode.started_at not in matched)
    before = [_Extent.of(entry, since_us) for entry in (*matched.values(), *gone)]
    owner = _owners(alerts, matched, before, folded, kept)

    members: dict[int, list[Episode]] = {alert.alert_id: [] for alert in alerts}
    for entry in kept:
        members.setdefault(entry.alert_id, []).append(entry.episode)
    for episode in folded:
        members.setdefault(owner[episode.started_at], []).append(episode)
    linked = {entry.episode.started_at: entry.alert_id for entry in stored}
    touched = {episode.started_at for _, episode in update} | {episode.started_at for episode in insert}
    lost = {entry.alert_id for entry in gone}
    changes = []
    for alert_id, episodes in members.items():
        link = tuple(
            sorted(
                episode.started_at
                for episode in episodes
                if episode.started_at in by_start and linked.get(episode.started_at) != alert_id
            )
        )
        left = any(linked[start] == alert_id and owner[start] != alert_id for start in matched)
        if link or left or alert_id in lost or any(episode.started_at in touched for episode in episodes):
            known = next((alert for alert in alerts if alert.alert_id == alert_id), None)
            inherited = {start for start in link if _heirs(by_start[start], before).count(alert_id)}
            changes.append(_change(known, sorted(episodes, key=_start), link, inherited, now_us))
    _reopen(alerts, changes, members)
    changes.sort(key=lambda change: change.standing.open)
    return Plan(tuple(entry.episode_id for entry in gone), update, insert, tuple(changes))


def _start(episode: Episode) -> int:
    return episode.started_at


@dataclass(frozen=True, slots=True)
class _Extent:
    """What was known of a stored episode before this fold; an open one reached at least to the fold's start."""

    alert_id: int
    start: int
    end: int

    @classmethod
    def of(cls, entry: Stored, since_us: int) -> _Extent:
        start, end = entry.episode.started_at, entry.episode.ended_at
        return cls(entry.alert_id, start, max(start, since_us) if end is None else end)


def _reopen(alerts: Sequence[Alert], changes: list[Change], members: Mapping[int, Sequence[Episode]]) -> None:
    """A closed alert that turns out to have been worse, or to need a human after all, is looked at again, unless
    another one is open already.
    """
    still = {alert.alert_id: alert.standing.open for alert in alerts}
    still.update({change.alert_id or _NEW: change.standing.open for change in changes})
    if any(still.values()):
        return
    for position in reversed(range(len(changes))):
        change = changes[position]
        episodes = members.get(change.alert_id or _NEW, ())
        kinds: tuple[lifecycle.Kind, ...] = ()
        if change.standing.condition == "withdrawn" and episodes and _condition(episodes) == "cleared":
            kinds = ("returned", "cleared")
        elif any(event.kind == "worsened" for event, _ in change.events) or (
            change.standing.handling == "automatic" and not all(map(joining.needs_nobody, episodes))
        ):
            kinds = ("reopened",)
        if kinds:
            changes[position] = _more(change, kinds)
            return


def _more(change: Change, kinds: Sequence[lifecycle.Kind]) -> Change:
    events = [(lifecycle.Event(kind), {"reason": change.reason}) for kind in kinds]
    standing = change.standing
    for event, _ in events:
        standing = lifecycle.step(standing, event)
    return replace(change, standing=standing, events=(*change.events, *events))


def _owners(
    alerts: Sequence[Alert],
    matched: Mapping[int, Stored],
    before: Sequence[_Extent],
    folded: Sequence[Episode],
    kept: Sequence[Stored],
) -> dict[int, int]:
    """Alert id by started_at; _NEW for an alert to be raised."""
    rank = {alert.alert_id: (not alert.standing.open, alert.raised_at, alert.alert_id) for alert in alerts}
    owner: dict[int, int] = {}
    for episode in folded:
        entry = matched.get(episode.started_at)
        if entry is not None:
            owner[episode.started_at] = entry.alert_id
            continue
        heirs = _heirs(episode, before)
        if heirs:
            owner[episode.started_at] = min(heirs, key=lambda alert_id: rank[alert_id])
    target = next((alert.alert_id for alert in alerts if alert.standing.open), None)
    if target is None:
        _follow_up(owner, folded, kept)
    going_on = next((episode.started_at for episode in folded if episode.ended_at is None), None)
    if going_on is not None:
        if target is None:
            target = owner.get(going_on)
        if target is not None:
            owner[going_on] = target
    for episode in folded:
        owner.setdefault(episode.started_at, _NEW if target is None else target)
    return owner


def _follow_up(owner: dict[int, int], folded: Sequence[Episode], kept: Sequence[Stored]) -> None:
    """Where no alert is open: those that follow soon on an episode of a closed one belong to it."""
    alert_of = {entry.episode.started_at: entry.alert_id for entry in kept}
    line = sorted([*(entry.episode for entry in kept), *folded], key=_start)
    before: list[Episode] = []
    for episode in line:
        if episode.started_at not in alert_of and episode.started_at not in owner and joining.soon(before, episode):
            previous = before[-1].started_at
            follows = alert_of.get(previous, owner.get(previous))
            if follows is not None:
                owner[episode.started_at] = follows
        if joining.counts(episode):
            before = [episode]


def _heirs(episode: Episode, before: Sequence[_Extent]) -> list[int]:
    """Alerts of the stored episodes that it overlaps."""
    return [
        extent.alert_id
        for extent in before
        if episode.started_at <= extent.end and (episode.ended_at is None or extent.start <= episode.ended_at)
    ]


def _change(
    alert: Alert | None, episodes: Sequence[Episode], link: tuple[int, ...], inherited: set[int], now_us: int
) -> Change:
    """`episodes` are all of the alert's afterwards; those linked but not inherited are news."""
    standing = None if alert is None else alert.standing
    events: list[tuple[lifecycle.Event, Mapping[str, Any]]] = []

    def append(kind: lifecycle.Kind, detail: Mapping[str, Any], priority: Priority | None = None) -> None:
        nonlocal standing
        event = lifecycle.Event(kind, priority)
        standing = lifecycle.step(standing, event)
        events.append((event, detail))

    worst = max((episode.priority for episode in episodes), key=RANK.__getitem__, default=None)
    current = next((episode for episode in episodes if episode.ended_at is None), episodes[-1] if episodes else None)
    told = {} if current is None else _told(current, now_us)
    wanted = _condition(episodes)
    news = set(link) - inherited
    for position, episode in enumerate(episodes):
        if standing is None:
            append("raised", _told(episode, now_us), worst)
        elif episode.started_at in news:
            if episode is current and wanted == "active" and standing.condition == "active" and position:
                append("cleared", _told(episodes[position - 1], now_us))
            append("joined", _told(episode, now_us))
    assert standing is not None  # a new alert has an episode
    if wanted == "active" and standing.condition != "active":
        append("resumed" if current is not None and _quietly(standing, current, episodes, news) else "returned", told)
    elif wanted == "cleared" and standing.condition == "withdrawn" and standing.open:
        append("returned", told)
        append("cleared", told)
    elif wanted == "cleared" and standing.condition == "active":
        append("cleared", told)
    elif wanted == "withdrawn" and standing.condition != "withdrawn":
        append("withdrawn", told)
    if worst is not None and RANK[worst] > RANK[standing.priority]:
        append("worsened", told, worst)
    elif worst is not None and RANK[worst] < RANK[standing.priority]:
        append("eased", told, worst)
    if standing.handling == "new" and standing.condition != "active" and joining.handled_automatically(episodes):
        append("auto_handled", told)
    onset = episodes[0].started_at if episodes else None
    return Change(
        None if alert is None else alert.alert_id,
        standing,
        wanted == "active" and current is not None and current.provisional,
        onset is not None and now_us - onset > LATE_US,
        onset,
        None if current is None else current.reason,
        None if current is None else current.evidence,
        link,
        tuple(events),
    )


def _quietly(standing: lifecycle.Standing, current: Episode, episodes: Sequence[Episode], news: set[int]) -> bool:
    """Whether an alert that has cleared becomes active again without anybody being called: the episode that goes on is
    a further one, begun within the refractory time, and no worse than what people know of the alert.
    """
    if standing.condition != "cleared" or current.started_at not in news:
        return False
    earlier = [episode for episode in episodes if episode.started_at < current.started_at]
    worse = RANK[current.priority] > RANK[standing.priority]
    return not worse and joining.soon(earlier, current)


def _condition(episodes: Sequence[Episode]) -> lifecycle.Condition:
    if any(episode.ended_at is None for episode in episodes):
        return "active"
    return "withdrawn" if all(episode.ending == "withdrawn" for episode in episodes) else "cleared"


def _told(episode: Episode, now_us: int) -> dict[str, Any]:
    """What an event says of an episode."""
    return {
        "started_at": reasons.instant(episode.started_at),
        "ended_at": None if episode.ended_at is None else reasons.instant(episode.ended_at),
        "ending": episode.ending,
        "priority": episode.priority,
        "late": now_us - episode.started_at > LATE_US,
        "reason": episode.reason,
    }
