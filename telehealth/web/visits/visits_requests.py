"""What /api/v1 takes about video visits, as models; forms are checked by the same. See requests.py."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from telehealth.web.requests import Asked, Key

Kind = Literal["one_to_one", "carer", "group", "ward_round", "case_conference"]
GuestRole = Literal["resident", "carer", "family", "interpreter", "captioner", "guest_clinician"]
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
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\r\n]*$")]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\r\n]*$")]
Email = Annotated[str, Field(max_length=254, pattern=r'^[^@\s<>",;:]{1,64}@[A-Za-z0-9.-]{1,190}$')]
#: A name of its own: a field called date hides the type.
Day = date
Minutes = Annotated[int, Field(ge=5, le=480)]


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


class MoveVisit(Asked):
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
    """participant null: everybody in the call; somebody who waits sees only what is said to them.

    resident: whose turn it is on the caller's screen; refused (409) if it is another's by now.
    """

    participant: Key | None = None
    resident: Key | None = None
    text: Annotated[str, Field(min_length=1, max_length=1000)]
    key: Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{32,36}$")] | None = None


class Measure(Asked):
    """resident: whom the caller's screen is about; refused (409) if the visit is about another by now."""

    resident: Key | None = None
    codes: Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]], Field(min_length=1, max_length=20)]


class Record(Asked):
    on: bool


class Invite(Asked):
    """resident: with whom they come; absent: the current subject. email: the link is sent there, and answered."""

    resident: Key | None = None
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


Reason = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")]


class WatchRecording(Asked):
    """reason: why, for the audit. view: the camera, or the screen that was shared."""

    reason: Reason
    view: Literal["video", "screen"] = "video"


class JudgeRecording(Asked):
    """reason: why, for the audit. since, limit: which of the good chunks are listed."""

    reason: Reason
    since: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    limit: Annotated[int, Field(ge=0, le=1000)] = 0
