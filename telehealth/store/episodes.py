"""Writing what a fold decided: episodes, alerts, their events and links, set by set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alerts import reconcile
from alerts.episodes import Episode
from telehealth.store import alerts as alert_store
from telehealth.store.db import Actor, Connection
from telehealth.store.evaluation import Subject, micros, moment
from telehealth.store.queries import sql

_TECHNICAL = (
    *("silence/", "unassigned/", "clock", "evaluation"),
    *("battery", "firmware", "silent", "consumable/", "calibration/"),
)


@dataclass(frozen=True)
class Planned:
    """The plan of one (subject, rule), and the ids of the episodes that are stored, by started_at."""

    subject: Subject
    rule: str
    plan: reconcile.Plan
    known: Mapping[int, int]

    @property
    def key(self) -> tuple[int | None, int | None, str]:
        return self.subject.resident_id, self.subject.device_pk, self.rule


@dataclass
class _Rows:
    """Rows to write, by statement."""

    updates: list[dict[str, Any]] = field(default_factory=list)
    inserts: list[dict[str, Any]] = field(default_factory=list)
    new_alerts: list[dict[str, Any]] = field(default_factory=list)
    closing: list[dict[str, Any]] = field(default_factory=list)
    opening: list[dict[str, Any]] = field(default_factory=list)


def kind_of(rule: str) -> str:
    """Physiological, or technical: what is missing or broken rather than what is measured."""
    return "technical" if rule.startswith(_TECHNICAL) else "physiological"


def empty(plan: reconcile.Plan) -> bool:
    """Nothing to write."""
    return not (plan.remove or plan.update or plan.insert or plan.changes)


async def apply(connection: Connection, planned: Sequence[Planned], *, now: datetime, actor: Actor) -> None:
    """Write plans and tell whoever shows alerts. now: clinical time, when the service learnt of it."""
    rows = _rows(planned)
    removed = [episode_id for p in planned for episode_id in p.plan.remove]
    if removed:
        await connection.execute(sql("evaluation.remove_episodes"), removed)
    if rows.updates:
        await connection.execute(sql("evaluation.update_episodes"), rows.updates)
    episode_ids: dict[tuple[int | None, int | None, str, int], int] = {
        (*p.key, start): episode_id for p in planned for start, episode_id in p.known.items()
    }
    if rows.inserts:
        for row in await connection.fetch(sql("evaluation.insert_episodes"), rows.inserts):
            key = (row["resident_id"], row["device_pk"], row["rule"], micros(row["started_at"]))
            episode_ids[key] = row["id"]
    # What closes goes first: only one alert of a subject and rule may be open.
    for changed in (rows.closing, rows.opening):
        if changed:
            await connection.execute(sql("evaluation.update_alerts"), changed, now)
    alert_ids: dict[tuple[int | None, int | None, str], int] = {}
    if rows.new_alerts:
        for row in await connection.fetch(sql("evaluation.insert_alerts"), rows.new_alerts, now):
            alert_ids[(row["resident_id"], row["device_pk"], row["rule"])] = row["id"]
    await _link(connection, planned, alert_ids, episode_ids)
    await _tell(connection, planned, alert_ids, now, actor)


def _rows(planned: Sequence[Planned]) -> _Rows:
    rows = _Rows()
    for p in planned:
        rows.updates += [{"id": i, **_episode(episode)} for i, episode in p.plan.update]
        rows.inserts += [
            {**_owner(p), "started_at": moment(episode.started_at), **_episode(episode)} for episode in p.plan.insert
        ]
        for change in p.plan.changes:
            row = _alert(change)
            if change.alert_id is None:
                rows.new_alerts.append({**_owner(p), "ward_id": p.subject.ward_id, "kind": kind_of(p.rule), **row})
            else:
                (rows.opening if change.standing.open else rows.closing).append({"id": change.alert_id, **row})
    return rows


def _owner(p: Planned) -> dict[str, Any]:
    return {
        "organisation_id": p.subject.organisation_id,
        "resident_id": p.subject.resident_id,
        "device_pk": p.subject.device_pk,
        "rule": p.rule,
    }


def _episode(episode: Episode) -> dict[str, Any]:
    return {
        "ended_at": None if episode.ended_at is None else moment(episode.ended_at),
        "peak_at": moment(episode.peak_at),
        "peak_value": episode.peak_value,
        "priority": episode.priority,
        "provisional": episode.provisional,
        "evidence": episode.evidence,
    }


def _alert(change: reconcile.Change) -> dict[str, Any]:
    return {
        "priority": change.standing.priority,
        "condition": change.standing.condition,
        "handling": change.standing.handling,
        "provisional": change.provisional,
        "late": change.late,
        "onset_at": None if change.onset_at is None else moment(change.onset_at),
        "reason": change.reason,
        "evidence": change.evidence,
    }


def _alert_id(p: Planned, change: reconcile.Change, new: Mapping[tuple[int | None, int | None, str], int]) -> int:
    return change.alert_id if change.alert_id is not None else new[p.key]


async def _link(
    connection: Connection,
    planned: Sequence[Planned],
    alert_ids: Mapping[tuple[int | None, int | None, str], int],
    episode_ids: Mapping[tuple[int | None, int | None, str, int], int],
) -> None:
    links = [
        (_alert_id(p, change, alert_ids), episode_ids[(*p.key, start)])
        for p in planned
        for change in p.plan.changes
        for start in change.link
    ]
    if links:
        linked = [episode_id for _, episode_id in links]
        await connection.execute(sql("evaluation.unlink"), linked)
        await connection.execute(sql("evaluation.link"), [alert_id for alert_id, _ in links], linked)


async def _tell(
    connection: Connection,
    planned: Sequence[Planned],
    alert_ids: Mapping[tuple[int | None, int | None, str], int],
    now: datetime,
    actor: Actor,
) -> None:
    events = [
        {
            "organisation_id": p.subject.organisation_id,
            "alert_id": _alert_id(p, change, alert_ids),
            "event": event.kind,
            "priority": event.priority,
            "detail": detail or None,
        }
        for p in planned
        for change in p.plan.changes
        for event, detail in change.events
    ]
    if events:
        await connection.execute(sql("evaluation.insert_events"), events, now, actor)
    changed = [(p, _alert_id(p, change, alert_ids)) for p in planned for change in p.plan.changes]
    if changed:
        payload = alert_store.changes(
            residents=[p.subject.id for p, _ in changed if p.subject.resident_id is not None],
            alerts=[alert_id for _, alert_id in changed],
            wards=[p.subject.ward_id for p, _ in changed],
        )
        await connection.execute(sql("alerts.notify"), payload)
