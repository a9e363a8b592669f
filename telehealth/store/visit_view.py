"""A visit as a screen needs it: the consultation, who is in it, whom it is about, what was said and measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from devices import catalogue
from telehealth.errors import NotFound
from telehealth.model import visits
from telehealth.store.db import Connection
from telehealth.store.queries import sql

#: Lines of captions on a screen.
CAPTIONS = 3


@dataclass(frozen=True)
class Consultation:
    """The columns of a consultation. Times are clinical, aware, in UTC; starts_at and minutes: of its appointment."""

    id: int
    organisation_id: int
    ward_id: int
    ward: str
    appointment_id: int | None
    alert_id: int | None
    kind: visits.Kind
    state: visits.State
    locked: bool
    keep_chat: bool
    subject_id: int | None
    seq: int
    created_by: str
    created_at: datetime
    started_at: datetime | None
    changed_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    outcome: str | None
    worker_id: UUID | None
    epoch: int
    starts_at: datetime | None
    minutes: int | None
    simulated: bool


@dataclass(frozen=True)
class Participant:
    """Somebody in a visit. resident_id: who it is, or with whom they came. ready: the device check, as it was sent.

    let_in_at: by staff, the last time; joined_at: the first time, left_at: the last.
    """

    id: int
    role: visits.Role
    staff_id: int | None
    link_id: int | None
    resident_id: int | None
    name: str
    state: visits.Presence
    identity: visits.Identity
    waiting_since: datetime | None
    reason: str | None
    admitted_by: str | None
    let_in_at: datetime | None
    joined_at: datetime | None
    left_at: datetime | None
    audio: bool
    video: bool
    screen: bool
    muted_by_host: bool
    hand_at: datetime | None
    pinned: bool
    consent_at: datetime | None
    ready: dict[str, Any] | None
    quality: dict[str, Any] | None
    #: Of their link: wrong dates of birth, refused other browsers, and whether staff let the next one take over.
    wrong_births: int
    refused_browsers: int
    allow_another: bool


@dataclass(frozen=True)
class SubjectShown:
    """A resident whom the visit is about. since, until: when they were the current subject."""

    id: int
    name: str
    given_name: str
    born: date
    nhs_number: str
    zone: str
    ward_id: int
    position: int
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class Message:
    """A line of the chat. participant_id None: the service; to_participant_id None: everybody in the room."""

    id: int
    participant_id: int | None
    to_participant_id: int | None
    resident_id: int | None
    text: str
    at: datetime


@dataclass(frozen=True)
class VisitReading:
    """A reading that came in during the visit. key: to decide of it by. state: offered, accepted or left_out.

    value: a number in the unit, or a code as text; None for a measurement that failed.
    """

    key: str
    resident_id: int
    code: str
    title: str
    value: float | str | None
    unit: str | None
    at: datetime
    state: str


@dataclass(frozen=True)
class Loaded:
    """A visit with everything that is shown of it."""

    visit: visits.Visit
    row: Consultation
    people: list[Participant]
    subjects: list[SubjectShown]
    messages: list[Message]
    readings: list[VisitReading]
    policy: visits.Policy
    #: The newest lines of what is being said, as somebody writes it down.
    captions: list[Message] = field(default_factory=list)

    def participant(self, participant_id: int) -> Participant:
        """NotFound if they are not of this visit."""
        for person in self.people:
            if person.id == participant_id:
                return person
        raise NotFound("there is no such person in this visit")

    @property
    def strange(self) -> bool:
        """Whether it is about somebody now whom the actor may not see."""
        return self.row.subject_id is not None and all(subject.id != self.row.subject_id for subject in self.subjects)

    def of_wards(self, ward_ids: Collection[int]) -> Loaded:
        """What whoever belongs to these wards may see of it."""
        return self.about({subject.id for subject in self.subjects if subject.ward_id in ward_ids})

    def about(self, resident_ids: Collection[int]) -> Loaded:
        """The same without anything of other residents: they, who came with them, what was said and measured.

        visit stays whole: whether somebody fits in does not depend on who asks.
        """
        hidden = {p.id for p in self.people if p.resident_id is not None and p.resident_id not in resident_ids}

        def shown(line: Message) -> bool:
            strange = line.resident_id is not None and line.resident_id not in resident_ids
            return not strange and hidden.isdisjoint((line.participant_id, line.to_participant_id))

        return dataclasses.replace(
            self,
            people=[person for person in self.people if person.id not in hidden],
            subjects=[subject for subject in self.subjects if subject.id in resident_ids],
            messages=[line for line in self.messages if shown(line)],
            captions=[line for line in self.captions if shown(line)],
            readings=[reading for reading in self.readings if reading.resident_id in resident_ids],
        )

    def messages_on_screen(self) -> list[Message]:
        """What staff see of the chat now: what was said in another resident's turn shows when it is theirs again."""
        if self.row.kind == "group":
            return self.messages
        return [
            one
            for one in self.messages
            if one.to_participant_id is not None or one.resident_id in (None, self.row.subject_id)
        ]


@dataclass(frozen=True)
class VisitEvent:
    """Something that happened. name: of the member of staff who did it, or of the participant whom it is about."""

    id: int
    at: datetime
    event: str
    actor: str
    name: str | None
    participant_id: int | None
    resident_id: int | None
    detail: dict[str, Any] | None


async def history(connection: Connection, consultation_id: int) -> list[VisitEvent]:
    """Everything that happened in a visit of the actor's, oldest first."""
    return [VisitEvent(**dict(row)) for row in await connection.fetch(sql("consultations.events"), consultation_id)]


async def load(connection: Connection, consultation_id: int, *, hold: bool = False) -> Loaded:
    """A visit of the actor's, or NotFound. hold: nobody else changes it until the transaction ends.

    Of residents whom the actor may not see, because they are on another ward, nothing is in it.
    """
    if hold and await connection.fetchval(sql("consultations.hold"), consultation_id) is None:
        raise NotFound("there is no such visit")
    found = await connection.fetchrow(sql("consultations.one"), consultation_id)
    if found is None:
        raise NotFound("there is no such visit")
    row = Consultation(**dict(found))
    people = [Participant(**dict(r)) for r in await connection.fetch(sql("consultations.people"), row.id)]
    subjects = [SubjectShown(**dict(r)) for r in await connection.fetch(sql("consultations.subjects"), row.id)]
    messages = [Message(**dict(r)) for r in await connection.fetch(sql("messages.of"), row.id)]
    captions = [Message(**dict(r)) for r in await connection.fetch(sql("messages.newest_captions"), row.id, CAPTIONS)]
    readings = [_reading(r) for r in await connection.fetch(sql("visit_readings.of"), row.id)]
    policy = await connection.fetchrow(sql("consultations.policy"), row.id)
    loaded = Loaded(
        visit=_visit(row, people, subjects),
        row=row,
        people=people,
        subjects=subjects,
        messages=messages,
        readings=readings,
        policy=policy_of(policy),
        captions=captions,
    )
    return loaded.about({subject.id for subject in subjects})


def policy_of(row: asyncpg.Record | None) -> visits.Policy:
    """A ward's policy; without a row the defaults."""
    if row is None:
        return visits.Policy()
    return visits.Policy(row["keep_chat"], row["recording"], row["keep_recording_days"], tuple(row["reminder_hours"]))


def _visit(row: Consultation, people: list[Participant], subjects: list[SubjectShown]) -> visits.Visit:
    return visits.Visit(
        kind=row.kind,
        state=row.state,
        subjects=tuple(subject.id for subject in subjects),
        subject=row.subject_id,
        people=tuple(
            visits.Person(p.id, p.role, p.state, p.identity, p.resident_id, p.joined_at is not None) for p in people
        ),
        locked=row.locked,
    )


def key_of(taken_at: datetime, identity: UUID, value_key: int) -> str:
    """A reading's name in the messages of a visit."""
    return f"{round(taken_at.timestamp() * 1000)}.{identity.hex}.{value_key}"


def _reading(row: asyncpg.Record) -> VisitReading:
    entry = catalogue.ENTRIES.get(row["code"])
    return VisitReading(
        key=key_of(row["taken_at"], row["identity"], row["value_key"]),
        resident_id=row["resident_id"],
        code=row["code"],
        title=row["code"] if entry is None else entry.display,
        value=row["value_code"] if row["value"] is None else row["value"],
        unit=row["unit"],
        at=row["effective_at"] or row["taken_at"],
        state=row["state"],
    )
