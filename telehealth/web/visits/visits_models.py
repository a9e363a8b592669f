"""What /api/v1 gives about video visits, as models. What it takes is in visits_requests.py. See schemas.py."""

from __future__ import annotations

from typing import Any, Literal

from telehealth.web.schemas import Given
from telehealth.web.visits.visits_requests import GuestRole, Kind

State = Literal["scheduled", "waiting", "admitted", "live", "interrupted", "ended", "did_not_attend", "cancelled"]
Presence = Literal["checking", "waiting", "admitted", "joined", "left", "removed"]
Role = Literal["staff", "resident", "carer", "family", "interpreter", "captioner", "guest_clinician"]
Identity = Literal["signed_in", "birth_date", "link_only", "not_checked"]
Json = dict[str, Any]


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
    unfinished: list[DiaryVisit]
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


class ContactShown(Given):
    id: int
    relation: str
    name: str
    email: str
    reminders: bool


class Contacts(Given):
    """resident: where the address of the request does not name one."""

    items: list[ContactShown]
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


class Recording(Given):
    """One person's file of one stretch. chunks, bytes and head (hex, the hash of the newest chunk and so of the whole
    chain) are of the encrypted file as it was last reported; deleted_at: its key is gone, and the file is noise."""

    id: str
    visit: int
    participant: int
    name: str
    role: Role
    started_at: str
    ended_at: str | None
    chunks: int | None
    bytes: int | None
    delete_after: str
    deleted_at: str | None


class RecordingConsent(Given):
    """ask: the number of the question that was agreed to; null in recordings from before it was kept."""

    participant: int
    at: str
    ask: int | None


class RecordingShown(Recording):
    resident: int | None
    ward_id: int
    ward: str
    head: str | None
    key_id: str
    consents: list[RecordingConsent]


class Recordings(Given):
    items: list[Recording]


class RecordingChunk(Given):
    """at, size: bytes in the file. since, until: milliseconds from its beginning. bytes_of_media: when decrypted."""

    number: int
    at: int
    size: int
    bytes_of_media: int
    since: int
    until: int


class RecordingVerdict(Given):
    """What the file is found to be when it is read through: intact, unfinished, cut or altered; see recording.md."""

    id: str
    state: Literal["intact", "unfinished", "cut", "altered"]
    line: str
    findings: list[str]
    seconds: float
    good_chunks: int
    expected_chunks: int
    head: str
    reported_head: str | None
    chunks: list[RecordingChunk]


class RecordingMedia(Given):
    """Where the WebM is, for this session only, until then."""

    id: str
    media: str
    until: str
