"""Readings that are nobody's: of devices without a resident, or of no known time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from alerts import rules
from telehealth.store.db import Connection
from telehealth.store.evaluation import Taken, micros, moment
from telehealth.store.library import Library
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Reading:
    """at: microseconds since the epoch; when it was received where its own time is not known.

    rules: of the resident who had the device when a reading of unknown time came, if any.
    """

    at: int
    code: str
    value: float | None
    value_code: str | None
    identity: int
    time_known: bool
    rules: rules.RuleSet | None


@dataclass(frozen=True)
class Given:
    """By device: readings in order of time, and when its assignments begin (microseconds)."""

    readings: dict[int, list[Reading]]
    assigned: dict[int, list[int]]


async def ask(connection: Connection, device_pk: int, since: datetime, now: datetime) -> None:
    """Have a device's readings of nobody decided anew from a clinical time on: whose they are has changed."""
    await connection.execute(sql("unattributed.ask"), device_pk, since, now)


async def since(connection: Connection, taken: Taken) -> dict[int, datetime]:
    """From when on to decide anew, by device: what was touched, and the episodes that reach into it."""
    ids = list(taken.subjects)
    rows = await connection.fetch(sql("unattributed.since"), ids, [taken.earliest(i) for i in ids])
    return {row["device_pk"]: row["since"] for row in rows}


async def load(connection: Connection, since: Mapping[int, datetime], library: Library) -> Given:
    """The devices' readings of nobody from those moments on."""
    ids = list(since)
    rows = await connection.fetch(sql("unattributed.readings"), ids, list(since.values()))
    unknown = library.unknown(row["version_id"] for row in rows if row["version_id"] is not None)
    if unknown:
        for row in await connection.fetch(sql("evaluation.rules"), unknown):
            library.learn(row["id"], row["rules"])
    readings: dict[int, list[Reading]] = {}
    for row in rows:
        readings.setdefault(row["device_pk"], []).append(
            Reading(
                at=micros(row["at"]),
                code=row["code"],
                value=row["value"],
                value_code=row["value_code"],
                identity=row["identity"].int,
                time_known=row["time_known"],
                rules=None if row["version_id"] is None else library.version(row["version_id"]),
            )
        )
    assigned: dict[int, list[int]] = {}
    for row in await connection.fetch(sql("unattributed.assigned"), ids):
        assigned.setdefault(row["device_pk"], []).append(micros(row["started_at"]))
    return Given(readings, assigned)


async def finish(connection: Connection, taken: Taken, wakes: Mapping[int, int | None], written_at: datetime) -> None:
    """Delete exactly the work that was taken; look again at devices when an episode will end (microseconds)."""
    await connection.execute(sql("evaluation.delete_taken"), taken.rows())
    await connection.execute(
        sql("unattributed.replace_wakes"),
        list(wakes),
        [taken.subjects[i].organisation_id for i in wakes],
        [None if at is None else moment(at) for at in wakes.values()],
        written_at,
    )
