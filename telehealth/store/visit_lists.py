"""A ward's visits at a glance: who waits, and the diary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from telehealth.model import visits
from telehealth.store.db import Connection
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Waiting:
    """Somebody who waits to be let in. starts_at: of the appointment, if there is one. Times are clinical."""

    consultation_id: int
    kind: visits.Kind
    state: visits.State
    starts_at: datetime | None
    participant_id: int
    link_id: int | None
    name: str
    role: visits.Role
    identity: visits.Identity
    resident_id: int | None
    resident_name: str | None
    waiting_since: datetime
    #: Seconds.
    waited: float
    reason: str | None
    ready: dict[str, Any] | None
    wrong_births: int
    refused_browsers: int


@dataclass(frozen=True)
class DiaryEntry:
    """A visit of a ward. appointment_id None: started at once. starts_at: planned, or when it was made; clinical."""

    consultation_id: int
    appointment_id: int | None
    series_id: int | None
    alert_id: int | None
    kind: visits.Kind
    state: visits.State
    starts_at: datetime
    minutes: int | None
    reason: str
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    resident_ids: list[int]
    residents: list[str]
    waiting: int
    inside: int
    appointment_uid: UUID | None


async def waiting(connection: Connection, ward_id: int, *, now: datetime) -> list[Waiting]:
    """Who waits on a ward, longest first; nobody for a ward that is not the actor's."""
    rows = await connection.fetch(sql("visit_lists.waiting"), ward_id)
    return [Waiting(**dict(row), waited=max((now - row["waiting_since"]).total_seconds(), 0.0)) for row in rows]


async def diary(connection: Connection, ward_id: int, since: datetime, until: datetime) -> list[DiaryEntry]:
    """Visits of a ward that begin, or were begun, in [since, until), in order; cancelled ones too."""
    return [DiaryEntry(**dict(row)) for row in await connection.fetch(sql("visit_lists.diary"), ward_id, since, until)]


async def of_resident(connection: Connection, resident_id: int, *, limit: int = 50) -> list[DiaryEntry]:
    """A resident's visits, newest first."""
    return [
        DiaryEntry(**dict(row)) for row in await connection.fetch(sql("visit_lists.of_resident"), resident_id, limit)
    ]
