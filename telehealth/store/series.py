"""What comes again: ward rounds and clinics, whose appointments are made some weeks ahead.

One of them is moved or cancelled as any appointment (store.appointments); ending the series cancels those to come.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from telehealth.errors import NotFound
from telehealth.model import appointments as times
from telehealth.model import mails, people, visits
from telehealth.store import appointments, audit
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql


@dataclass(frozen=True)
class Series:
    """A series. made_until: appointments exist up to that day. resident_ids: those who are alive and on a ward now."""

    id: int
    ward_id: int
    kind: visits.Kind
    weekdays: list[int]
    every_weeks: int
    local_time: time
    zone: str
    minutes: int
    first_on: date
    last_on: date | None
    made_until: date | None
    reason: str
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    resident_ids: list[int]


async def get(connection: Connection, series_id: int, *, now: datetime) -> Series:
    """One of the actor's, or NotFound."""
    row = await connection.fetchrow(sql("series.one"), series_id, now)
    if row is None:
        raise NotFound("there is no such series")
    return Series(**dict(row))


async def begin(
    connection: Connection,
    new: times.NewSeries,
    *,
    sender: mails.Sender,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> int:
    """A series with its appointments of the next weeks. Raises Invalid, NotFound."""
    new.checked(now=now)
    series_id: int | None = await connection.fetchval(
        sql("series.add"),
        new.ward_id,
        new.kind,
        sorted(set(new.weekdays)),
        new.every_weeks,
        new.local_time,
        new.zone,
        new.minutes,
        new.first_on,
        new.last_on,
        new.reason,
        actor,
        now,
    )
    if series_id is None:
        raise NotFound("there is no such ward")
    added = await connection.fetch(sql("series.add_subjects"), series_id, list(new.resident_ids))
    if len(added) != len(new.resident_ids):
        raise NotFound("there is no such resident")
    await audit.write(connection, actor, "series.begin", object_kind="series", object_id=series_id, ward_id=new.ward_id)
    await extend(connection, series_id, sender=sender, actor=actor, now=now, real_now=real_now)
    return series_id


async def extend(
    connection: Connection, series_id: int, *, sender: mails.Sender, actor: Actor, now: datetime, real_now: datetime
) -> int:
    """Make the appointments of the next weeks; how many. What was moved or cancelled is not made anew."""
    await connection.fetchval(sql("series.hold"), series_id)
    series = await get(connection, series_id, now=now)
    if series.ended_at is not None:
        return 0
    until = (now + times.AHEAD).astimezone(zoneinfo.ZoneInfo(series.zone)).date()
    made = 0
    for _, starts_at in times.occurrences(_as_new(series), after=series.made_until, until=until):
        # A day of which the time has passed, and a series without anybody left on the ward, make nothing.
        if starts_at < now or not series.resident_ids:
            continue
        new = times.New(
            series.ward_id, series.kind, series.resident_ids, starts_at, minutes=series.minutes, reason=series.reason
        )
        row = await appointments.make(connection, new, series_id=series.id, actor=actor, now=now)
        if row is not None:
            await appointments.announce(connection, row[0], sender=sender, actor=actor, now=now, real_now=real_now)
            made += 1
    await connection.execute(sql("series.made"), series.id, until)
    return made


async def to_extend(connection: Connection, after: int, *, now: datetime) -> int | None:
    """The next series after one that needs more appointments and that no other process is at; it is held."""
    # a day less: west of Greenwich the day that they are made up to is still the one before
    until = (now + times.AHEAD).date() - timedelta(days=1)
    found: int | None = await connection.fetchval(sql("series.to_extend"), until, after)
    return found


async def end(
    connection: Connection,
    series_id: int,
    *,
    reason: str,
    sender: mails.Sender,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> int:
    """No more of them: those to come are cancelled; how many. Raises Invalid for the reason, NotFound."""
    people.text("reason", reason, 200)
    if await connection.fetchval(sql("series.hold"), series_id) is None:
        raise NotFound("there is no such series")
    series = await get(connection, series_id, now=now)
    if series.ended_at is not None:
        raise visits.NotPossible("This series has ended already.")
    await connection.execute(sql("series.end"), series_id, now, actor)
    to_come = [row["id"] for row in await connection.fetch(sql("series.to_come"), series_id, now)]
    for appointment_id in to_come:
        await appointments.cancel(
            connection, appointment_id, reason=reason, sender=sender, actor=actor, now=now, real_now=real_now
        )
    await audit.write(
        connection, actor, "series.end", object_kind="series", object_id=series_id, ward_id=series.ward_id
    )
    return len(to_come)


def _as_new(series: Series) -> times.NewSeries:
    return times.NewSeries(
        ward_id=series.ward_id,
        kind=series.kind,
        resident_ids=series.resident_ids,
        weekdays=series.weekdays,
        local_time=series.local_time,
        zone=series.zone,
        first_on=series.first_on,
        every_weeks=series.every_weeks,
        last_on=series.last_on,
        minutes=series.minutes,
        reason=series.reason,
    )
