"""Devices that say nothing but nonsense: one technical alert each, and not one for each message.

Counted are messages refused whole, and statuses that cannot be read, since a reading was last taken in. As the alert
"evaluation" it stands for no episode of anything measured: it is raised when it is so, and clears when a message is
taken in again, or the device is revoked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from telehealth.model.delivery import Delivery, Status
from telehealth.store import alerts as alert_store
from telehealth.store import evaluation
from telehealth.store.db import Actor, Connection, Record
from telehealth.store.queries import sql

#: Refused in a row.
MESSAGES = 20
#: And nothing taken in for so long: a hub with one broken sensor is not a broken hub.
QUIET = timedelta(hours=1)

_ZONE = ZoneInfo("Europe/London")


class Device(Protocol):
    """What is needed of a device's row."""

    @property
    def pk(self) -> int: ...
    @property
    def refused_run(self) -> int: ...


@dataclass
class _Run:
    """What a batch adds. refused: since the last message of it that was taken in."""

    refused: int = 0
    accepted: bool = False


async def note(
    connection: Connection,
    deliveries: Sequence[Delivery],
    statuses: Sequence[Status],
    devices: Mapping[str, Device],
    now: datetime,
) -> None:
    """Count on, or begin anew. The devices' contact rows are locked; most batches need nothing here."""
    runs = {
        device_id: run
        for device_id, run in _runs(deliveries, statuses).items()
        if device_id in devices and (run.refused or devices[device_id].refused_run)
    }
    if runs:
        order = sorted(runs, key=lambda device_id: devices[device_id].pk)
        await connection.execute(
            sql("nonsense.note"),
            [devices[device_id].pk for device_id in order],
            [runs[device_id].refused for device_id in order],
            [runs[device_id].accepted for device_id in order],
            [devices[device_id].refused_run for device_id in order],
            now,
            MESSAGES,
        )


def _runs(deliveries: Sequence[Delivery], statuses: Sequence[Status]) -> dict[str, _Run]:
    runs: dict[str, _Run] = {}
    for status in statuses:
        # What the broker repeats was not said again.
        if status.refusal is not None and not status.retained:
            runs.setdefault(status.device_id, _Run()).refused += 1
    for delivery in deliveries:
        message = delivery.message
        if message.readings:
            run = runs.setdefault(delivery.device_id, _Run())
            run.accepted, run.refused = True, 0
        elif message.refusals and not delivery.again:
            runs.setdefault(delivery.device_id, _Run()).refused += 1
    return runs


async def decide(
    connection: Connection, subjects: Mapping[int, evaluation.Subject], *, now: datetime, actor: Actor
) -> dict[int, int]:
    """Raise and clear the alerts of these devices; when to look again (microseconds), where time alone decides."""
    rows = await connection.fetch(sql("nonsense.runs"), list(subjects))
    running = [row for row in rows if row["refused_run"] >= MESSAGES and not row["revoked"]]
    bad = [row for row in running if row["accepted_at"] is None or row["accepted_at"] + QUIET <= now]
    if bad:
        await _raise(connection, bad, subjects, now, actor)
    badly = {row["device_pk"] for row in bad}
    good = [device_pk for device_pk in subjects if device_pk not in badly]
    if good:
        for row in await connection.fetch(sql("nonsense.clear_alerts"), good, now, actor):
            await _changed(connection, subjects[row["device_pk"]], row["id"])
    return {
        row["device_pk"]: evaluation.micros(row["accepted_at"] + QUIET)
        for row in running
        if row["device_pk"] not in badly
    }


async def _raise(
    connection: Connection,
    bad: Sequence[Record],
    subjects: Mapping[int, evaluation.Subject],
    now: datetime,
    actor: Actor,
) -> None:
    devices = [subjects[row["device_pk"]] for row in bad]
    raised = await connection.fetch(
        sql("nonsense.raise_alerts"),
        [device.organisation_id for device in devices],
        [device.ward_id for device in devices],
        [device.id for device in devices],
        [row["refused_since"] or now for row in bad],
        [_reason(row) for row in bad],
        [msgspec.json.encode(_evidence(row)).decode() for row in bad],
        now,
        actor,
    )
    for row in raised:
        await _changed(connection, subjects[row["device_pk"]], row["id"])


def _reason(row: Record) -> str:
    since = row["refused_since"]
    when = "" if since is None else f" since {since.astimezone(_ZONE):%d-%b %H:%M}"
    return f"Nothing that the device sends can be read: {row['refused_run']} messages refused in a row{when}"


def _evidence(row: Record) -> dict[str, object]:
    return {
        "refused_in_a_row": row["refused_run"],
        "since": row["refused_since"],
        "last_taken_in_at": row["accepted_at"],
        "last_reason": row["last_error"],
        "clears_when": "a message of the device is taken in again, or the device is revoked",
    }


async def look_at_revoked(connection: Connection, *, now: datetime) -> None:
    """Have the alerts of devices that were revoked cleared. now: real time."""
    await connection.execute(sql("nonsense.look_at_revoked"), now)


async def _changed(connection: Connection, subject: evaluation.Subject, alert_id: int) -> None:
    payload = alert_store.changes(residents=[], alerts=[alert_id], wards=[subject.ward_id])
    await connection.execute(sql("alerts.notify"), payload)
