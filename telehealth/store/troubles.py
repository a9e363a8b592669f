"""Residents whose evaluation fails: their work is kept for later, and staff are told.

A technical alert of rule "evaluation" says that alerts of this resident may be missing. It is not
an episode of anything measured: it is raised when evaluation first fails and clears when it works.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from telehealth.store import alerts as alert_store
from telehealth.store import evaluation
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql

_REASON = (
    "Readings could not be evaluated, so alerts may be missing. Look at the readings themselves, and tell the operator."
)
_FIRST = timedelta(minutes=1)
_LONGEST = timedelta(hours=1)


def back_off(attempts: int) -> timedelta:
    """How long to wait after so many failures (at least one) before trying again."""
    doublings: int = 2 ** min(attempts - 1, 10)
    return min(_LONGEST, _FIRST * doublings)


async def failed(
    connection: Connection, taken: evaluation.Taken, *, attempts: int, until: datetime, now: datetime, actor: Actor
) -> None:
    """Postpone the work of subjects that cannot be evaluated, and raise the alert once.

    attempts: how often it failed by now; until: when it is due again, as due_at counts.
    """
    await evaluation.postpone(connection, taken, until, {"attempts": attempts})
    for subject in taken.subjects.values():
        row = await connection.fetchrow(
            sql("troubles.raise_alert"),
            subject.organisation_id,
            subject.ward_id,
            subject.resident_id,
            subject.device_pk,
            now,
            _REASON,
            actor,
        )
        if row is not None:
            await _changed(connection, subject, row["id"])


async def over(
    connection: Connection, subjects: Mapping[int, evaluation.Subject], *, now: datetime, actor: Actor
) -> None:
    """Clear the alerts of subjects, all of one sort, that can be evaluated again."""
    residents = [subject.id for subject in subjects.values() if subject.resident_id is not None]
    devices = [subject.id for subject in subjects.values() if subject.device_pk is not None]
    for row in await connection.fetch(sql("troubles.clear_alerts"), residents, devices, now, actor):
        await _changed(connection, subjects[row["subject"]], row["id"])


async def _changed(connection: Connection, subject: evaluation.Subject, alert_id: int) -> None:
    residents = [] if subject.resident_id is None else [subject.resident_id]
    payload = alert_store.changes(residents=residents, alerts=[alert_id], wards=[subject.ward_id])
    await connection.execute(sql("alerts.notify"), payload)
