"""The life of a consultation and of the people in it, as pure functions: no clock, no IO."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

Kind = Literal["one_to_one", "carer", "group", "ward_round", "case_conference"]
State = Literal["scheduled", "waiting", "admitted", "live", "interrupted", "ended", "did_not_attend", "cancelled"]
Presence = Literal["checking", "waiting", "admitted", "joined", "left", "removed"]
Role = Literal["staff", "resident", "carer", "family", "interpreter", "guest_clinician"]
Identity = Literal["signed_in", "birth_date", "link_only", "not_checked"]

#: Nothing happens to a consultation in one of these any more.
OVER: Final[frozenset[State]] = frozenset({"ended", "did_not_attend", "cancelled"})
#: People at once, in any kind of consultation.
MOST_PEOPLE: Final = 10
#: Of kinds with one subject only.
SINGLE: Final[frozenset[Kind]] = frozenset({"one_to_one", "carer"})
#: Wrong dates of birth after which somebody waits as "identity not checked".
MOST_WRONG_BIRTHS: Final = 5
#: A link works from so long before the appointment begins until so long after it was to end.
LINK_BEFORE: Final = timedelta(hours=2)
LINK_AFTER: Final = timedelta(hours=2)
#: Of a visit that was started at once.
LINK_AT_ONCE: Final = timedelta(hours=4)
#: A resident may enter the waiting area so early.
WAIT_BEFORE: Final = timedelta(minutes=30)


class NotPossible(Exception):
    """What was asked does not fit what is the case. why: a sentence for whoever asked."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Policy:
    """What a ward has decided about its visits."""

    keep_chat: bool = False
    recording: bool = False
    keep_recording_days: int = 30
    reminder_hours: tuple[int, ...] = (24, 1)


@dataclass(frozen=True)
class Person:
    """A participant, as far as the visit depends on them. with_resident: who it is, or with whom they came."""

    id: int
    role: Role
    presence: Presence
    identity: Identity
    with_resident: int | None = None

    @property
    def staff(self) -> bool:
        return self.role == "staff"


@dataclass(frozen=True)
class Visit:
    """A consultation. subjects: in order; subject: the current one. people: everybody who ever came."""

    kind: Kind
    state: State
    subjects: tuple[int, ...]
    subject: int | None
    people: tuple[Person, ...] = ()
    locked: bool = False

    def person(self, participant_id: int) -> Person:
        for person in self.people:
            if person.id == participant_id:
                return person
        raise NotPossible("This person is not part of this consultation.")

    def inside(self) -> tuple[Person, ...]:
        return tuple(person for person in self.people if person.presence == "joined")


def standing(visit: Visit) -> State:
    """The state that follows from who is where; states that somebody decides (ended, ...) stay."""
    if visit.state in OVER:
        return visit.state
    inside = visit.inside()
    if any(p.staff for p in inside) and any(not p.staff for p in inside):
        return "live"
    if visit.state in ("live", "interrupted"):
        # Once it was live it is until somebody ends it; staff among themselves are at work in a conference.
        return "live" if visit.kind == "case_conference" and len(inside) > 1 else "interrupted"
    if visit.kind == "case_conference" and len(inside) > 1:
        return "live"
    if any(not p.staff and p.presence in ("admitted", "joined") for p in visit.people):
        return "admitted"
    if any(not p.staff and p.presence == "waiting" for p in visit.people):
        return "waiting"
    return "scheduled"
