"""The life of a consultation and of the people in it, as pure functions: no clock, no IO."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from telehealth import errors

Kind = Literal["one_to_one", "carer", "group", "ward_round", "case_conference"]
State = Literal["scheduled", "waiting", "admitted", "live", "interrupted", "ended", "did_not_attend", "cancelled"]
Presence = Literal["checking", "waiting", "admitted", "joined", "left", "removed"]
Role = Literal["staff", "resident", "carer", "family", "interpreter", "captioner", "guest_clinician"]
Identity = Literal["signed_in", "birth_date", "link_only", "not_checked"]

#: Nothing happens to a consultation in one of these any more.
OVER: Final[frozenset[State]] = frozenset({"ended", "did_not_attend", "cancelled"})
#: People at once, in any kind of consultation.
MOST_PEOPLE: Final = 10
KINDS: Final[tuple[Kind, ...]] = ("one_to_one", "carer", "group", "ward_round", "case_conference")
#: Of kinds with one subject only.
SINGLE: Final[frozenset[Kind]] = frozenset({"one_to_one", "carer"})
#: Of kinds in which one resident at a time is there: the current subject.
ONE_AT_A_TIME: Final[frozenset[Kind]] = frozenset({"one_to_one", "carer", "ward_round", "case_conference"})
#: Wrong dates of birth after which somebody waits as "identity not checked".
MOST_WRONG_BIRTHS: Final = 5
#: A link works from so long before the appointment begins until so long after it was to end.
LINK_BEFORE: Final = timedelta(hours=2)
LINK_AFTER: Final = timedelta(hours=2)
#: Of a visit that was started at once.
LINK_AT_ONCE: Final = timedelta(hours=4)
#: A resident may enter the waiting area so early.
WAIT_BEFORE: Final = timedelta(minutes=30)

#: Told to whoever comes before that.
EARLY: Final = f"It is early. The waiting area opens {int(WAIT_BEFORE.total_seconds() // 60)} minutes before the visit."

#: Told to staff who are in another one.
ELSEWHERE: Final = "You are in another video visit: leave or end that one first."

_THERE: Final[frozenset[Presence]] = frozenset({"checking", "waiting", "admitted", "joined"})


class NotPossible(errors.Conflict):
    """What was asked does not fit what is the case. why: a sentence for whoever asked."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class GoneOn(NotPossible):
    """It was meant for the resident before: a colleague has gone on to the next one meanwhile."""

    def __init__(self) -> None:
        super().__init__("The visit has gone on to another resident meanwhile: this was not done. Look whom you see.")


@dataclass(frozen=True)
class Policy:
    """What a ward has decided about its visits."""

    keep_chat: bool = False
    recording: bool = False
    keep_recording_days: int = 30
    reminder_hours: tuple[int, ...] = (24, 1)


@dataclass(frozen=True)
class Person:
    """A participant, as far as the visit depends on them.

    with_resident: who it is, or with whom they came. was_inside: has joined at least once.
    """

    id: int
    role: Role
    presence: Presence
    identity: Identity
    with_resident: int | None = None
    was_inside: bool = False

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


# What people do -----------------------------------------------------------------------------------
#
# Each takes a visit and gives the visit as it is afterwards, or raises NotPossible with a sentence for who asked.

_NEVER: Final = "This visit is over."
_LOCKED: Final = "This visit is locked: unlock it to let somebody in."
_FULL: Final = f"There are {MOST_PEOPLE} people in this visit already, which is as many as there can be."


def arrive(visit: Visit, participant_id: int) -> Visit:
    """Somebody is done with the device check and waits; who is in already, or was let in, stays that (a reload)."""
    person = _open(visit).person(participant_id)
    if person.presence == "removed":
        raise NotPossible("You have been taken out of this visit.")
    if person.presence in ("admitted", "joined", "waiting"):
        return visit
    return _now(visit, person, "waiting")


def admit(visit: Visit, participant_id: int) -> Visit:
    """Staff let somebody in who waits."""
    person = _open(visit).person(participant_id)
    if person.presence in ("admitted", "joined"):
        return visit
    if person.presence != "waiting":
        raise NotPossible("Only somebody in the waiting area can be let in.")
    _has_room(visit)
    _fits_subject(visit, person)
    return _now(visit, person, "admitted")


def join(visit: Visit, participant_id: int) -> Visit:
    """Somebody's media flow. Staff let themselves in; everybody else has been admitted before."""
    person = _open(visit).person(participant_id)
    if person.presence == "joined":
        return visit
    if person.staff:
        if person.presence != "admitted":
            _has_room(visit, returning=person.was_inside)
    elif person.presence != "admitted":
        raise NotPossible("Nobody has let you in yet.")
    else:
        _fits_subject(visit, person)
    return _now(visit, replace(person, was_inside=True), "joined")


def leave(visit: Visit, participant_id: int, *, gone: bool = False) -> Visit:
    """Somebody left. gone: their connection did, not they; then they may come back without being let in anew."""
    person = visit.person(participant_id)
    if visit.state in OVER or person.presence in ("left", "removed"):
        return visit
    if gone and not person.staff:
        # Who waits goes on waiting while a page is loaded anew; nobody loses the place to bad Wi-Fi.
        return _now(visit, person, "admitted") if person.presence == "joined" else visit
    return _now(visit, person, "left")


def back_to_waiting(visit: Visit, participant_id: int) -> Visit:
    """Staff send somebody back to the waiting area; also the way back for one who was taken out."""
    person = _open(visit).person(participant_id)
    if person.staff:
        raise NotPossible("Staff do not wait: they leave.")
    if person.presence == "waiting":
        return visit
    if person.presence == "checking":
        raise NotPossible("This person has not arrived yet.")
    return _now(visit, person, "waiting")


def remove(visit: Visit, participant_id: int) -> Visit:
    """Staff take somebody out, who cannot come back unless staff let them wait again.

    A colleague only leaves by it: nobody could let them in again, and the record is theirs to see anyway.
    """
    person = _open(visit).person(participant_id)
    if person.presence == "removed":
        return visit
    if person.staff:
        return leave(visit, participant_id)
    return _now(visit, person, "removed")


def switch(visit: Visit, resident_id: int) -> Visit:
    """Another of the subjects is the current one.

    In rounds and conferences the previous resident leaves, and so does everybody who came with them: interpreter and
    other doctors too, because nobody hears of a second resident what they were invited to hear of the first. They may
    be let in again when their resident's turn comes again. In a group the residents are together on purpose: there a
    switch only changes to whom notes, readings and the record beside the pictures belong.
    """
    _open(visit)
    if resident_id not in visit.subjects:
        raise NotPossible("This visit is not about that resident.")
    if resident_id == visit.subject:
        return visit
    if visit.kind in SINGLE:
        raise NotPossible("This visit is about one resident: end it before you see another.")
    people = visit.people
    if visit.kind in ONE_AT_A_TIME:
        people = tuple(
            replace(p, presence="left")
            if not p.staff and p.with_resident != resident_id and p.presence in ("admitted", "joined")
            else p
            for p in people
        )
    return _settled(replace(visit, subject=resident_id, people=people))


def postpone(visit: Visit) -> Visit:
    """It was moved to another time: nobody waits for it now. What has begun cannot be moved."""
    cancel(visit)
    people = tuple(
        replace(p, presence="checking") if not p.staff and p.presence in ("waiting", "admitted") else p
        for p in visit.people
    )
    return _settled(replace(visit, people=people))


def lock(visit: Visit, locked: bool) -> Visit:
    """Nobody new is let in; who was may still come back after an interruption."""
    return replace(_open(visit), locked=locked)


def end(visit: Visit) -> Visit:
    """Staff end it. People leave; nothing happens to it any more."""
    return _over(_open(visit), "ended")


def did_not_attend(visit: Visit, *, planned_end: datetime, now: datetime) -> Visit:
    """The resident never came. Not while somebody waits: then it was not they who did not attend."""
    _open(visit)
    if now < planned_end:
        raise NotPossible("The time of this visit is not over yet.")
    if any(p.role == "resident" and p.was_inside for p in visit.people):
        raise NotPossible("The resident has been in this visit.")
    if any(not p.staff and p.presence in ("waiting", "admitted", "joined") for p in visit.people):
        raise NotPossible("Somebody is waiting to be let in.")
    return _over(visit, "did_not_attend")


def cancel(visit: Visit) -> Visit:
    """Called off before it began. Staff who looked in and left did not begin it."""
    begun = _open(visit).state in ("live", "interrupted")
    if begun or any(p.presence == "joined" or (p.was_inside and not p.staff) for p in visit.people):
        raise NotPossible("This visit has begun: end it instead.")
    return _over(visit, "cancelled")


def too_early(role: Role, starts_at: datetime | None, now: datetime) -> bool:
    """Whether the waiting area is not open yet: to residents from WAIT_BEFORE, to others as long as their links."""
    return starts_at is not None and now < starts_at - (WAIT_BEFORE if role == "resident" else LINK_BEFORE)


def _open(visit: Visit) -> Visit:
    if visit.state in OVER:
        raise NotPossible(_NEVER)
    return visit


def _has_room(visit: Visit, *, returning: bool = False) -> None:
    if visit.locked and not returning:
        raise NotPossible(_LOCKED)
    if sum(p.presence in ("admitted", "joined") for p in visit.people) >= MOST_PEOPLE:
        raise NotPossible(_FULL)


def _fits_subject(visit: Visit, person: Person) -> None:
    """Never a second resident, nor anybody who came with one, over the one whom this is about now."""
    if person.staff or visit.kind not in ONE_AT_A_TIME:
        return
    if person.with_resident != visit.subject:
        raise NotPossible("This person is here for another resident: first switch to that resident.")


def _now(visit: Visit, person: Person, presence: Presence) -> Visit:
    changed = replace(person, presence=presence)
    return _settled(replace(visit, people=tuple(changed if p.id == person.id else p for p in visit.people)))


def _over(visit: Visit, state: State) -> Visit:
    people = tuple(replace(p, presence="left") if p.presence in _THERE else p for p in visit.people)
    return replace(visit, state=state, people=people)


def _settled(visit: Visit) -> Visit:
    return replace(visit, state=standing(visit))
