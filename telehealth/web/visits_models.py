"""What /api/v1 takes and gives about video visits, as models. See requests.py and schemas.py."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from telehealth.web.requests import Asked, Key
from telehealth.web.schemas import Given

Kind = Literal["one_to_one", "carer", "group", "ward_round", "case_conference"]
State = Literal["scheduled", "waiting", "admitted", "live", "interrupted", "ended", "did_not_attend", "cancelled"]
Presence = Literal["checking", "waiting", "admitted", "joined", "left", "removed"]
Role = Literal["staff", "resident", "carer", "family", "interpreter", "guest_clinician"]
GuestRole = Literal["resident", "carer", "family", "interpreter", "guest_clinician"]
Identity = Literal["signed_in", "birth_date", "link_only", "not_checked"]
Outcome = Literal[
    "completed",
    "advice",
    "treatment_changed",
    "visit_arranged",
    "admitted_to_hospital",
    "technical_failure",
    "declined",
    "other",
]
Json = dict[str, Any]
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\r\n]*$")]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\r\n]*$")]
Email = Annotated[str, Field(max_length=254, pattern=r'^[^@\s<>",;:]{1,64}@[A-Za-z0-9.-]{1,190}$')]
#: A name of its own: a field called date hides the type.
Day = date
Minutes = Annotated[int, Field(ge=5, le=480)]


# Asked ----------------------------------------------------------------------------------------------


class DiaryQuery(Asked):
    """date: of the ward's zone; absent: today."""

    date: Day | None = None


class Weekly(Asked):
    """weekdays: Monday is 0; absent: the weekday of the first. last_on absent: until somebody ends the series."""

    weekdays: Annotated[list[Annotated[int, Field(ge=0, le=6)]], Field(max_length=7)] = Field(default_factory=list)
    every_weeks: Annotated[int, Field(ge=1, le=12)] = 1
    last_on: date | None = None


class Book(Asked):
    """residents: in the order in which they are seen. anyway: although one of them has another visit at that time."""

    kind: Kind
    residents: Annotated[list[Key], Field(min_length=1, max_length=50)]
    starts_at: AwareDatetime
    minutes: Minutes = 20
    reason: Line = ""
    anyway: bool = False
    weekly: Weekly | None = None


class Move(Asked):
    starts_at: AwareDatetime
    minutes: Minutes
    anyway: bool = False


class Cancel(Asked):
    """series: also every later one of its series."""

    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\r\n]*$")]
    series: bool = False


class NewLink(Asked):
    """name absent: the resident's own, for a resident's link."""

    role: GuestRole = "resident"
    resident: Key
    name: Name | None = None


class OfLink(Asked):
    link: Key


class AddContact(Asked):
    """relation: as what they come to a visit; self: the resident. reminders false: only what was booked or changed."""

    relation: Literal["self", "carer", "family", "care_home", "interpreter"]
    name: Name
    email: Email
    reminders: bool = True


class StartNow(Asked):
    kind: Literal["one_to_one", "carer"] = "one_to_one"


class StartAlert(Asked):
    """Nothing has to be said."""


class OfParticipant(Asked):
    participant: Key


class OfParticipantOrLink(Asked):
    """One of the two."""

    participant: Key | None = None
    link: Key | None = None


class Switched(Asked):
    """on false: takes it back."""

    participant: Key
    on: bool = True


class Lock(Asked):
    locked: bool


class OfResident(Asked):
    resident: Key


class Say(Asked):
    """participant null: everybody in the call; somebody who waits sees only what is said to them."""

    participant: Key | None = None
    text: Annotated[str, Field(min_length=1, max_length=1000)]
    key: Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{32,36}$")] | None = None


class Measure(Asked):
    codes: Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]], Field(min_length=1, max_length=20)]


class Record(Asked):
    on: bool


class Invite(Asked):
    """email: the link is sent there, and answered."""

    role: GuestRole
    name: Name
    email: Email | None = None


class Decide(Asked):
    key: Annotated[str, Field(pattern=r"^-?[0-9]{1,17}\.[0-9a-f]{32}\.-?[0-9]{1,19}$")]
    decision: Literal["accepted", "left_out"]


class Note(Asked):
    """version: of the text that was changed; 0: there was none."""

    resident: Key
    text: Annotated[str, Field(max_length=20_000)]
    version: Annotated[int, Field(ge=0, lt=2**31)] = 0


class Nothing(Asked):
    """Nothing has to be said."""


class SubjectEnds(Asked):
    """What is written into one resident's record. summary: to the resident, in plain words; mail: also to their
    own address."""

    resident: Key
    coding: Line = ""
    summary: Annotated[str, Field(max_length=4000)] = ""
    follow_up: Annotated[str, Field(max_length=500)] = ""
    follow_up_due: date | None = None
    mail: bool = False


class End(Asked):
    """subjects: those who are left out get an encounter without words of their own if they were seen."""

    outcome: Outcome
    subjects: Annotated[list[SubjectEnds], Field(max_length=100)] = Field(default_factory=list)


class EncountersQuery(Asked):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=200)] | None = None


# Given ----------------------------------------------------------------------------------------------


class SubjectShort(Given):
    id: int
    name: str


class DiaryVisit(Given):
    """appointment null: started at once. visit null: nobody has opened it and no link was made yet."""

    appointment: int | None
    visit: int | None
    kind: Kind
    state: State
    starts_at: str
    minutes: int | None
    reason: str
    subjects: list[SubjectShort]
    waiting: int
    series: bool


class WaitingPerson(Given):
    """since: when they came. ready: what their device check found, or null."""

    visit: int
    participant: int
    name: str
    role: Role
    identity: Identity
    resident: str | None
    since: str | None
    starts_at: str | None
    reason: str | None
    ready: Json | None
    trouble: str | None


class FollowUp(Given):
    id: int
    encounter: int
    resident: SubjectShort
    what: str
    due_on: str | None
    overdue: bool
    created_by: str | None
    created_at: str
    done_by: str | None
    done_at: str | None


class WardVisits(Given):
    ward: Json
    date: str
    visits: list[DiaryVisit]
    waiting: list[WaitingPerson]
    follow_ups: list[FollowUp]


class WaitingArea(Given):
    waiting: list[WaitingPerson]
    at: str


class LinkShown(Given):
    """state: new, opened (on one device), another (another device was refused), allowed (the next device may), over."""

    id: int
    role: GuestRole
    resident: int
    name: str
    state: Literal["new", "opened", "another", "allowed", "over"]
    text: str
    wrong_births: int
    refused_browsers: int
    expires_at: str
    participant: int | None


class MailShown(Given):
    about: str
    to: str
    due_at: str
    state: str
    settled_at: str | None
    error: str | None


class Appointment(Given):
    id: int
    ward_id: int
    kind: Kind
    starts_at: str
    minutes: int
    reason: str
    state: State
    visit: int | None
    series: int | None
    cancelled_at: str | None
    cancel_reason: str | None
    created_by: str | None
    changed_by: str | None
    subjects: list[SubjectShort]
    links: list[LinkShown]
    mails: list[MailShown]


class Booked(Given):
    """appointment: the first of its series. told: how many mails say so. new false: it was booked already."""

    appointment: int
    visit: int | None
    series: int | None
    told: int
    new: bool


class Made(Given):
    """link: the address to pass on. It is told this once."""

    id: int
    link: str


class Started(Given):
    """new false: this visit of the resident was open already."""

    visit: int
    new: bool


class Contact(Given):
    id: int
    relation: str
    name: str
    email: str
    reminders: bool


class Contacts(Given):
    """resident: where the address of the request does not name one."""

    items: list[Contact]
    resident: int | None = None


class Done(Given):
    """seq: counts the changes of the visit."""

    visit: int
    seq: int


class Invited(Done):
    """link: the address to pass on, told this once. mailed: it was sent to the address given, too."""

    id: int
    link: str
    mailed: bool


class Saved(Done):
    version: int
    saved_at: str


class Asking(Given):
    """devices: how many were asked."""

    visit: int
    seq: int
    devices: int


class Measurable(Given):
    code: str
    name: str


class Measurables(Given):
    """What the devices of the current subject can be asked for."""

    resident: int | None
    measures: list[Measurable]


class VisitSubject(Given):
    id: int
    name: str
    born: str
    nhs_number: str


class Person(Given):
    id: int
    name: str
    role: Role
    presence: Presence
    identity: Identity
    waiting_since: str | None
    reason: str | None
    audio: bool
    video: bool
    screen: bool
    muted_by_host: bool
    hand_at: str | None
    pinned: bool
    consent: bool
    with_resident: int | None
    ready: Json | None
    trouble: str | None
    quality: Json | None


class ChatLine(Given):
    id: int
    sender: int | None
    to: int | None
    text: str
    at: str


class VisitReading(Given):
    key: str
    resident: int
    code: str
    title: str
    value: float | str | None
    unit: str | None
    at: str
    state: Literal["offered", "accepted", "left_out"]


class NoteShown(Given):
    resident: int
    text: str
    version: int
    saved_at: str | None


class Visit(Given):
    id: int
    ward_id: int
    kind: Kind
    state: State
    over: bool
    locked: bool
    seq: int
    appointment: int | None
    alert: int | None
    starts_at: str | None
    minutes: int | None
    started_at: str | None
    ended_at: str | None
    outcome: str | None
    keep_chat: bool
    recording: bool
    subject: VisitSubject | None
    subjects: list[VisitSubject]
    people: list[Person]
    messages: list[ChatLine]
    readings: list[VisitReading]
    notes: list[NoteShown]
    links: list[LinkShown]


class Ended(Given):
    visit: int
    encounters: list[int]


class EncounterNote(Given):
    text: str
    by: str | None
    at: str


class Encounter(Given):
    """participants, readings and messages are as they were written into the record."""

    id: int
    resident: int
    ward_id: int
    ward: str
    visit: int
    appointment: int | None
    alert: int | None
    kind: str
    started_at: str
    ended_at: str
    outcome: str
    coding: str | None
    summary: str
    participants: list[Json]
    readings: list[Json]
    messages: list[Json]
    notes: list[EncounterNote]
    follow_ups: list[FollowUp]
    written_by: str | None
    written_at: str


class Encounters(Given):
    items: list[Encounter]
    next: str | None
