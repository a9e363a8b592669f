"""Appointments: booked, moved and cancelled with their visit, its ways in and the mails that tell of it.

One transaction each, so that nobody is told of what did not happen. now is clinical, real_now real: mails and links
live in real time, as far from now as the appointment is in clinical time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

import asyncpg

from telehealth.errors import NotFound
from telehealth.model import appointments as times
from telehealth.model import calendar, mails, people, visits
from telehealth.store import audit, consultations, contacts, links, mail, visit_policy
from telehealth.store.db import Actor, Connection, Record
from telehealth.store.queries import sql

#: Of a series each time is announced so long before.
ANNOUNCED = timedelta(days=7)


@dataclass(frozen=True)
class Appointment:
    """An appointment; times are clinical, aware, in UTC. consultation_id, state: of its visit. reason: for staff."""

    id: int
    ward_id: int
    ward: str
    series_id: int | None
    kind: visits.Kind
    starts_at: datetime
    minutes: int
    reason: str
    uid: UUID
    revision: int
    created_by: str
    created_at: datetime
    changed_by: str
    changed_at: datetime
    cancelled_at: datetime | None
    cancel_reason: str | None
    consultation_id: int | None
    state: visits.State | None
    resident_ids: list[int]

    @property
    def ends_at(self) -> datetime:
        """As planned."""
        return self.starts_at + timedelta(minutes=self.minutes)


@dataclass(frozen=True)
class Overlap:
    """A resident has another appointment at that time."""

    resident_id: int
    appointment_id: int
    starts_at: datetime
    minutes: int
    kind: visits.Kind


@dataclass(frozen=True)
class Told:
    """Who was written to. url: the way in that the mail carries; None without a public address of the service."""

    contact_id: int
    resident_id: int
    link_id: int | None
    url: str | None


@dataclass(frozen=True)
class Booked:
    """What came of a booking. overlaps: worth a warning, no obstacle."""

    appointment_id: int
    consultation_id: int
    overlaps: list[Overlap] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


@dataclass(frozen=True)
class _Now:
    clinical: datetime
    real: datetime

    def real_of(self, clinical: datetime) -> datetime:
        return self.real + (clinical - self.clinical)


async def get(connection: Connection, appointment_id: int) -> Appointment:
    """One of the actor's, or NotFound."""
    row = await connection.fetchrow(sql("appointments.one"), appointment_id)
    if row is None:
        raise NotFound("there is no such appointment")
    return Appointment(**dict(row))


async def listing(
    connection: Connection,
    *,
    since: datetime,
    until: datetime,
    ward_id: int | None = None,
    resident_id: int | None = None,
) -> list[Appointment]:
    """Appointments that begin in [since, until), in order; cancelled ones too."""
    rows = await connection.fetch(sql("appointments.listing"), ward_id, since, until, resident_id)
    return [Appointment(**dict(row)) for row in rows]


async def overlaps(
    connection: Connection, resident_ids: Sequence[int], starts_at: datetime, minutes: int, *, but: int | None = None
) -> list[Overlap]:
    """Other appointments of these residents at that time; but: the one that is to be moved."""
    ends_at = starts_at + timedelta(minutes=minutes)
    rows = await connection.fetch(sql("appointments.overlapping"), list(resident_ids), starts_at, ends_at, but)
    return [Overlap(**dict(row)) for row in rows]


async def book(
    connection: Connection, new: times.New, *, sender: mails.Sender, actor: Actor, now: datetime, real_now: datetime
) -> Booked:
    """Book a visit: its row, ways in for whom there is an address, and the mails. Raises Invalid, NotFound."""
    new.checked(now=now)
    found = await overlaps(connection, new.resident_ids, new.starts_at, new.minutes)
    at = _Now(now, real_now)
    made = await make(connection, new, series_id=None, actor=actor, now=now)
    assert made is not None
    appointment, consultation_id = made
    told = await _tell(connection, appointment, "booked", at.real, sender=sender, actor=actor, at=at)
    await _audit(connection, actor, "appointment.book", appointment)
    return Booked(appointment.id, consultation_id, found, told)


async def make(
    connection: Connection,
    new: times.New,
    *,
    series_id: int | None,
    actor: Actor,
    now: datetime,
) -> tuple[Appointment, int] | None:
    """The rows of an appointment and of its visit; None if its series has one at that time already."""
    appointment_id: int | None = await connection.fetchval(
        sql("appointments.add"),
        new.ward_id,
        series_id,
        new.kind,
        new.starts_at,
        new.minutes,
        new.reason,
        actor,
        now,
    )
    if appointment_id is None:
        if series_id is not None:
            return None
        raise NotFound("there is no such ward")
    added = await connection.fetch(sql("appointments.add_subjects"), appointment_id, list(new.resident_ids))
    if len(added) != len(new.resident_ids):
        raise NotFound("there is no such resident")
    consultation_id = await consultations.open_for_appointment(connection, appointment_id, actor=actor, now=now)
    return await get(connection, appointment_id), consultation_id


async def announce(
    connection: Connection,
    appointment: Appointment,
    *,
    sender: mails.Sender,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> None:
    """The mails of one time of a series: a week before, or at once when it is sooner."""
    at = _Now(now, real_now)
    due = _announced(appointment, at)
    await _tell(connection, appointment, "booked", due, sender=sender, actor=actor, at=at)


async def move(
    connection: Connection,
    appointment_id: int,
    *,
    starts_at: datetime,
    minutes: int | None = None,
    sender: mails.Sender,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> Booked:
    """To another time: links work until after it, mails that wait are dropped, everybody is told.

    Whoever has a link keeps it. Raises Invalid, NotFound, NotPossible once it has begun or is over.
    """
    before = await _held(connection, appointment_id)
    lasts = before.minutes if minutes is None else minutes
    times.check_start(starts_at, now=now)
    times.check_minutes(lasts)
    await _not_begun(connection, before)
    found = await overlaps(connection, before.resident_ids, starts_at, lasts, but=before.id)
    assert before.consultation_id is not None
    if (starts_at, lasts) == (before.starts_at, before.minutes):
        return Booked(before.id, before.consultation_id, found)
    try:
        async with connection.transaction():
            await connection.execute(sql("appointments.move"), before.id, starts_at, lasts, actor, now)
    except asyncpg.UniqueViolationError:
        raise visits.NotPossible(
            "The series has another appointment at that time already, or had one that was cancelled."
        ) from None
    at = _Now(now, real_now)
    after = await get(connection, appointment_id)
    await links.move(connection, before.consultation_id, expires_at=at.real_of(after.ends_at + visits.LINK_AFTER))
    await consultations.moved(
        connection, before.consultation_id, before=before.starts_at, to=starts_at, actor=actor, now=now
    )
    heard = await mail.heard(connection, before.id, real_now=real_now)
    await mail.drop(connection, before.id, real_now=real_now)
    told = await _tell(connection, after, "moved", at.real, sender=sender, actor=actor, at=at, heard=heard)
    await _audit(connection, actor, "appointment.move", after)
    return Booked(before.id, before.consultation_id, found, told)


async def cancel(
    connection: Connection,
    appointment_id: int,
    *,
    reason: str,
    sender: mails.Sender,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> None:
    """It will not take place: its visit is closed, its links die, everybody is told. reason: for staff.

    Raises Invalid for the reason, NotFound, NotPossible once it has begun or is over.
    """
    people.text("reason", reason, 200)
    before = await _held(connection, appointment_id)
    await _not_begun(connection, before)
    assert before.consultation_id is not None
    await connection.execute(sql("appointments.cancel"), before.id, reason, now, actor)
    at = _Now(now, real_now)
    heard = await mail.heard(connection, before.id, real_now=real_now)
    await mail.drop(connection, before.id, real_now=real_now)
    after = await get(connection, before.id)
    await _tell(connection, after, "cancelled", at.real, sender=sender, actor=actor, at=at, heard=heard)
    await consultations.cancel(connection, before.consultation_id, actor=actor, now=now)
    await _audit(connection, actor, "appointment.cancel", after)


async def _held(connection: Connection, appointment_id: int) -> Appointment:
    if await connection.fetchval(sql("appointments.hold"), appointment_id) is None:
        raise NotFound("there is no such appointment")
    found = await get(connection, appointment_id)
    if found.cancelled_at is not None:
        raise visits.NotPossible("This appointment has been cancelled.")
    return found


async def _not_begun(connection: Connection, appointment: Appointment) -> None:
    if appointment.consultation_id is None:
        raise visits.NotPossible("This appointment has no visit.")
    held = await consultations.load(connection, appointment.consultation_id, hold=True)
    visits.cancel(held.visit)


async def _tell(
    connection: Connection,
    appointment: Appointment,
    about: Literal["booked", "moved", "cancelled"],
    due_at: datetime,
    *,
    sender: mails.Sender,
    actor: Actor,
    at: _Now,
    heard: frozenset[int] | None = None,
) -> list[Told]:
    """The mails of a change, with the reminders to come.

    heard: contacts who know of the appointment. To the others one that was moved is new, and announced as such; they
    need not hear that it is cancelled.
    """
    known = await mail.tokens(connection, appointment.id)
    told = []
    for row in await connection.fetch(sql("appointments.to_tell"), appointment.id):
        knows = heard is None or row["contact_id"] in heard
        if about == "cancelled":
            if knows:
                await _write(connection, appointment, row, about, about, due_at, None, sender, at)
            continue
        link_id, token = await _way_in(connection, appointment, row, known.get(row["contact_id"]), sender, actor, at)
        url = sender.join_url(token)
        what, due = (about, due_at) if knows else ("booked", _announced(appointment, at))
        await _write(connection, appointment, row, what, what, due, url, sender, at)
        await _remind(connection, appointment, row, due, url, sender, at)
        told.append(Told(row["contact_id"], row["resident_id"], link_id, url))
    return told


def _announced(appointment: Appointment, at: _Now) -> datetime:
    """When people hear of an appointment first; real."""
    if appointment.series_id is None:
        return at.real
    return max(at.real, at.real_of(appointment.starts_at - ANNOUNCED))


async def _remind(
    connection: Connection,
    appointment: Appointment,
    row: Record,
    after: datetime,
    url: str | None,
    sender: mails.Sender,
    at: _Now,
) -> None:
    if not row["reminders"]:
        return
    for hours in (await visit_policy.of_ward(connection, appointment.ward_id)).reminder_hours:
        due = appointment.starts_at - timedelta(hours=hours)
        if due > at.clinical and at.real_of(due) > after:
            await _write(
                connection, appointment, row, "reminder", f"reminder-{hours}", at.real_of(due), url, sender, at
            )


async def _way_in(
    connection: Connection,
    appointment: Appointment,
    row: Record,
    token: str | None,
    sender: mails.Sender,
    actor: Actor,
    at: _Now,
) -> tuple[int, str | None]:
    """The link of a contact: the one that they were sent, or else a new one. None: no mail can carry it."""
    assert appointment.consultation_id is not None
    if token is not None:
        found = await links.find(connection, token)
        if found is not None and not found.over(at.real):
            return found.id, token
    role = contacts.ROLES[row["relation"]]
    if sender.public_url is None:
        for link in await links.of_visit(connection, appointment.consultation_id):
            same = (link.role, link.resident_id, link.name) == (role, row["resident_id"], row["name"])
            if same and not link.over(at.real):
                return link.id, None
    return await links.make(
        connection,
        appointment.consultation_id,
        role=role,
        resident_id=row["resident_id"],
        name=row["name"],
        actor=actor,
        now=at.clinical,
        real_now=at.real,
        expires_at=at.real_of(appointment.ends_at + visits.LINK_AFTER),
    )


async def _write(
    connection: Connection,
    appointment: Appointment,
    row: Record,
    about: mails.About,
    part: str,
    due_at: datetime,
    url: str | None,
    sender: mails.Sender,
    at: _Now,
) -> None:
    text = mails.visit(
        about,
        starts_at=appointment.starts_at,
        minutes=appointment.minutes,
        zone=row["zone"],
        url=url,
        given_name=None if row["relation"] == "self" else row["given_name"],
    )
    method: calendar.Method = "CANCEL" if about == "cancelled" else "REQUEST"
    event = calendar.event(
        uid=_uid(appointment, row["resident_id"]),
        revision=appointment.revision,
        method=method,
        starts_at=appointment.starts_at,
        minutes=appointment.minutes,
        stamp=appointment.changed_at,
        organiser=sender.mail_from,
        attendee=row["email"],
        url=url,
    )
    await mail.write(
        connection,
        resident_id=row["resident_id"],
        appointment_id=appointment.id,
        contact_id=row["contact_id"],
        about=about,
        key=f"visit/{appointment.id}/{appointment.revision}/{row['contact_id']}/{part}",
        to=row["email"],
        text=text,
        due_at=due_at,
        real_now=at.real,
        event=event,
        method=method,
    )


def _uid(appointment: Appointment, resident_id: int) -> UUID:
    """Of the event in a calendar: one for each resident, because somebody may be invited with several of them."""
    if len(appointment.resident_ids) == 1:
        return appointment.uid
    return uuid5(appointment.uid, str(resident_id))


async def _audit(connection: Connection, actor: Actor, action: str, appointment: Appointment) -> None:
    for resident_id in appointment.resident_ids:
        await audit.write(
            connection, actor, action, object_kind="appointment", object_id=appointment.id, resident_id=resident_id,
            ward_id=appointment.ward_id,
        )  # fmt: skip
