"""Alerts as people see them: lists, one with its history, acknowledging and resolving.

Who sees what is decided by row-level security; an alert that is not the actor's is not found.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from alerts import errors, lifecycle
from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql

NOTE_CHARACTERS = 2000

#: Sorts after every alert: where the first page begins.
_NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), 2**63 - 1)


@dataclass(frozen=True)
class Alert:
    """One alert with what names its subject: a resident, or a device for technical ones."""

    id: int
    organisation_id: int
    ward_id: int
    resident_id: int | None
    device_pk: int | None
    rule: str
    kind: str
    priority: str
    condition: str
    handling: str
    open: bool
    provisional: bool
    late: bool
    onset_at: datetime
    raised_at: datetime
    changed_at: datetime
    reason: str
    evidence: dict[str, Any]
    nhs_number: str | None
    family_name: str | None
    given_name: str | None
    title: str | None
    zone: str | None
    device_id: str | None

    @property
    def place(self) -> tuple[datetime, int]:
        """Where the next page goes on: pass it as before."""
        return self.raised_at, self.id


@dataclass(frozen=True)
class Event:
    """One step of an alert's history. actor_name: null unless a member of staff did it."""

    at: datetime
    event: str
    actor: str
    actor_name: str | None
    priority: str | None
    note: str | None
    outcome: str | None
    detail: dict[str, Any] | None


@dataclass(frozen=True)
class Episode:
    """A stretch of clinical time in which a rule held. ended_at: null while it does."""

    started_at: datetime
    ended_at: datetime | None
    peak_at: datetime
    peak_value: float | None
    priority: str
    provisional: bool
    evidence: dict[str, Any]


@dataclass(frozen=True)
class Detail:
    """An alert with its whole history."""

    alert: Alert
    events: list[Event]
    episodes: list[Episode]


async def open_of_ward(connection: Connection, ward_id: int, *, limit: int = 500) -> list[Alert]:
    """Open alerts of a ward, high priority first, then newest."""
    return _alerts(await connection.fetch(sql("alerts.open_of_ward"), ward_id, limit))


async def open_of_resident(connection: Connection, resident_id: int, *, limit: int = 500) -> list[Alert]:
    """Open alerts of a resident, high priority first, then newest."""
    return _alerts(await connection.fetch(sql("alerts.open_of_resident"), resident_id, limit))


async def page(
    connection: Connection,
    *,
    ward_id: int | None = None,
    resident_id: int | None = None,
    open: bool | None = None,
    condition: str | None = None,
    handling: str | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int = 200,
) -> list[Alert]:
    """Alerts, newest raised first: of a resident, or of a ward, or all that the actor may see.

    before: the place of the last alert of the page before. Filters that are None do not filter.
    """
    rest = (*(before or _NEWEST), open, condition, handling, limit)
    if resident_id is not None:
        return _alerts(await connection.fetch(sql("alerts.page_of_resident"), resident_id, *rest, ward_id))
    if ward_id is not None:
        return _alerts(await connection.fetch(sql("alerts.page_of_ward"), ward_id, *rest))
    return _alerts(await connection.fetch(sql("alerts.page_of_actor"), *rest))


async def handled_automatically(connection: Connection, ward_id: int, *, since: datetime) -> int:
    """How many alerts of a ward were handled automatically since a clinical time, and still are."""
    count: int = await connection.fetchval(sql("alerts.handled_automatically"), ward_id, since)
    return count


async def many(connection: Connection, alert_ids: Sequence[int]) -> list[Alert]:
    """Those of the given alerts that the actor may see."""
    return _alerts(await connection.fetch(sql("alerts.many"), list(alert_ids)))


async def get(connection: Connection, alert_id: int) -> Detail:
    """One alert with its events and episodes, oldest first. NotFound if it is not the actor's."""
    row = await connection.fetchrow(sql("alerts.one"), alert_id)
    if row is None:
        raise NotFound("there is no such alert")
    events = await connection.fetch(sql("alerts.events"), alert_id)
    episodes = await connection.fetch(sql("alerts.episodes"), alert_id)
    return Detail(Alert(**dict(row)), [Event(**dict(e)) for e in events], [Episode(**dict(e)) for e in episodes])


async def acknowledge(
    connection: Connection, alert_id: int, *, actor: Actor, now: datetime, note: str | None = None
) -> bool:
    """Somebody has seen it and takes it on. now: clinical time.

    False if the same person had acknowledged it already and nobody has since undone that: then
    nothing is written. Raises NotFound, or Conflict if it is resolved or acknowledged by another.
    """
    note = _checked_note(note)
    held = await _lock(connection, alert_id)
    if held["handling"] == "acknowledged":
        if await connection.fetchval(sql("alerts.acknowledged_by"), alert_id) == actor:
            return False
        raise Conflict("somebody else has acknowledged this alert already")
    await _handled(connection, held, "acknowledged", actor, now, note, None)
    return True


async def resolve(
    connection: Connection, alert_id: int, *, actor: Actor, outcome: str, now: datetime, note: str | None = None
) -> bool:
    """Somebody has finished with it. outcome: one of lifecycle.OUTCOMES. now: clinical time.

    An alert whose condition still holds stays open until that clears. False if the same person
    had resolved it with this outcome already: then nothing is written. Raises NotFound, Invalid
    for the outcome or note, Conflict if it was resolved otherwise.
    """
    if outcome not in lifecycle.OUTCOMES:
        raise Invalid("outcome", "must be one of " + ", ".join(lifecycle.OUTCOMES))
    note = _checked_note(note)
    held = await _lock(connection, alert_id)
    if held["handling"] == "resolved":
        if await connection.fetchval(sql("alerts.resolved_by"), alert_id) == [actor, outcome]:
            return False
        raise Conflict("this alert is resolved already")
    await _handled(connection, held, "resolved", actor, now, note, outcome)
    return True


async def open_by_nhs_number(connection: Connection) -> dict[str, int]:
    """Open alerts about residents, by NHS number; residents without are left out."""
    return {row["nhs_number"]: row["alerts"] for row in await connection.fetch(sql("alerts.open_by_nhs_number"))}


async def open_by_priority(connection: Connection) -> dict[tuple[str, str], int]:
    """(kind, priority) -> open alerts, for the metrics."""
    rows = await connection.fetch(sql("alerts.open_by_priority"))
    return {(row["kind"], row["priority"]): row["open"] for row in rows}


def changes(*, residents: Sequence[int] = (), alerts: Sequence[int] = (), wards: Sequence[int] = ()) -> str:
    """The payload of the channel "changes"; {} means anything, when there is too much to name."""
    named = {"residents": sorted(set(residents)), "alerts": sorted(set(alerts)), "wards": sorted(set(wards))}
    payload = msgspec.json.encode(named)
    return payload.decode() if len(payload) <= 7000 else "{}"


async def _lock(connection: Connection, alert_id: int) -> asyncpg.Record:
    row = await connection.fetchrow(sql("alerts.lock"), alert_id)
    if row is None:
        raise NotFound("there is no such alert")
    return row


async def _handled(
    connection: Connection,
    held: asyncpg.Record,
    event: lifecycle.Kind,
    actor: Actor,
    now: datetime,
    note: str | None,
    outcome: str | None,
) -> None:
    before = lifecycle.Standing(held["condition"], held["handling"], held["priority"])
    try:
        after = lifecycle.step(before, lifecycle.Event(event, outcome=outcome))
    except errors.NotAllowed as refusal:
        raise Conflict(refusal.why) from None
    await connection.execute(
        sql("alerts.handled"), held["organisation_id"], held["id"], now, event, actor, note, outcome
    )
    await connection.execute(sql("alerts.set_handling"), held["id"], after.handling, now)
    residents = [] if held["resident_id"] is None else [held["resident_id"]]
    payload = changes(residents=residents, alerts=[held["id"]], wards=[held["ward_id"]])
    await connection.execute(sql("alerts.notify"), payload)


def _checked_note(note: str | None) -> str | None:
    text = (note or "").strip()
    if len(text) > NOTE_CHARACTERS:
        raise Invalid("note", f"must be at most {NOTE_CHARACTERS} characters")
    if any(unicodedata.category(one) == "Cc" and one not in "\n\r\t" for one in text):
        raise Invalid("note", "contains a character that cannot be stored")
    return text or None


def _alerts(rows: Sequence[asyncpg.Record]) -> list[Alert]:
    return [Alert(**dict(row)) for row in rows]
