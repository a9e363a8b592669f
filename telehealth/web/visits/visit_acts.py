"""What staff do in a visit, one function each: the same for the API and for forms.

Each takes what it needs from Doing and what was asked, and gives what is to be answered beside the visit's number and
count of changes. What does not fit is visits.NotPossible: 409 with its sentence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from aiohttp import web

from telehealth import clock, errors
from telehealth.model import mails, visits
from telehealth.store import (
    calling,
    consultations,
    links,
    messages,
    notes,
    participants,
    recorded_visits,
    recordings,
    visit_desk,
)
from telehealth.store.db import Actor, Connection
from telehealth.store.visit_view import Loaded
from telehealth.web import access, auth, keys, origin
from telehealth.web.requests import Asked
from telehealth.web.shown import formats
from telehealth.web.visits import api_visits
from telehealth.web.visits import visits_requests as wanted

Json = dict[str, Any]


@dataclass(frozen=True)
class Doing:
    """Somebody of staff does something in a visit. loaded: as it was before."""

    request: web.Request
    view: access.Opened
    loaded: Loaded
    now: datetime

    @property
    def connection(self) -> Connection:
        return self.view.connection

    @property
    def actor(self) -> Actor:
        return self.view.caller.actor

    @property
    def visit(self) -> int:
        return self.loaded.row.id


class Newer(Exception):
    """The note was saved in another window meanwhile. note: text, version, saved_at as it is now."""

    def __init__(self, note: Json) -> None:
        super().__init__("newer")
        self.note = note


@dataclass(frozen=True)
class Act:
    """action: of the audit row; audited: the store writes it. done: what a page says afterwards, of render.NOTICES."""

    action: str
    model: type[Asked]
    work: Callable[[Doing, Any], Awaitable[Json]]
    audited: bool = False
    #: Asked again and again by our own pages.
    repeats: bool = False
    #: Also while the visit is about a resident of another ward.
    strange: bool = False
    done: str = "visit"


async def perform(request: web.Request, name: str, asked: Asked) -> Json:
    """Do one of ACTS as the caller. NotFound, Invalid, NotPossible, Newer."""
    act = ACTS[name]
    visit_id = request.match_info["visit_id"]
    async with access.opened(
        request, act.action, kind="consultation", object_id=visit_id, refreshes=act.repeats
    ) as view:
        loaded = await api_visits.opened_visit(view, visit_id, strange=act.strange)
        doing = Doing(request, view, loaded, request.app[keys.CLOCK].now())
        answer = await act.work(doing, asked)
        view.audited = view.audited or act.audited
        after = await consultations.load(view.connection, loaded.row.id)
        return {"visit": loaded.row.id, "seq": after.row.seq, **answer}


async def _admit(doing: Doing, asked: wanted.OfParticipant) -> Json:
    person = _person(doing, asked.participant)
    await consultations.admit(doing.connection, doing.visit, person.id, actor=doing.actor, now=doing.now)
    return {}


async def _waiting(doing: Doing, asked: wanted.OfParticipant) -> Json:
    person = _person(doing, asked.participant)
    await consultations.back_to_waiting(doing.connection, doing.visit, person.id, actor=doing.actor, now=doing.now)
    return {}


async def _remove(doing: Doing, asked: wanted.OfParticipant) -> Json:
    person = _person(doing, asked.participant)
    await consultations.remove(doing.connection, doing.visit, person.id, actor=doing.actor, now=doing.now)
    return {}


async def _mute(doing: Doing, asked: wanted.Switched) -> Json:
    person = _person(doing, asked.participant)
    await consultations.mute(doing.connection, doing.visit, person.id, asked.on, actor=doing.actor, now=doing.now)
    return {}


async def _pin(doing: Doing, asked: wanted.Switched) -> Json:
    person = _person(doing, asked.participant)
    await consultations.pin(doing.connection, doing.visit, person.id, asked.on, actor=doing.actor, now=doing.now)
    return {}


async def _allow_browser(doing: Doing, asked: wanted.OfParticipantOrLink) -> Json:
    link_id = asked.link
    if asked.participant is not None:
        link_id = _person(doing, asked.participant).link_id
    if link_id is None:
        raise visits.NotPossible("Staff come in by signing in, not by a link.")
    if (await visit_desk.link(doing.connection, link_id))["consultation_id"] != doing.visit:
        raise errors.NotFound
    await links.allow_another(doing.connection, link_id, actor=doing.actor, now=doing.now)
    return {}


async def _lock(doing: Doing, asked: wanted.Lock) -> Json:
    await consultations.lock(doing.connection, doing.visit, asked.locked, actor=doing.actor, now=doing.now)
    return {}


async def _subject(doing: Doing, asked: wanted.OfResident) -> Json:
    _subject_of(doing, asked.resident)
    await consultations.switch_subject(doing.connection, doing.visit, asked.resident, actor=doing.actor, now=doing.now)
    return {}


async def _message(doing: Doing, asked: wanted.Say) -> Json:
    if asked.participant is not None:
        _person(doing, asked.participant)
    mine = await api_visits.own_place(doing.view, doing.visit, doing.now)
    await messages.say(
        doing.connection,
        doing.visit,
        mine,
        asked.text,
        key=UUID(asked.key) if asked.key else uuid4(),
        to=asked.participant,
        about=asked.resident,
        actor=doing.actor,
        now=doing.now,
    )
    return {}


async def _invite(doing: Doing, asked: wanted.Invite) -> Json:
    """A way in for somebody who comes with the resident whom the page shows, or for the resident."""
    subject = asked.resident or doing.loaded.row.subject_id
    if subject is None:
        raise visits.NotPossible("This visit is about nobody now.")
    _subject_of(doing, subject)
    made = await make_link(
        doing.request,
        doing.view,
        doing.loaded,
        role=asked.role,
        resident_id=subject,
        name=asked.name,
        email=asked.email,
        now=doing.now,
    )
    return {**made, "mailed": asked.email is not None}


async def make_link(
    request: web.Request,
    view: access.Opened,
    loaded: Loaded,
    *,
    role: visits.Role,
    resident_id: int,
    name: str,
    now: datetime,
    email: str | None = None,
) -> Json:
    """A new way into a visit: its id, and the address to pass on, which is told this once. email: sent there, too."""
    link_id, token = await links.invite(
        view.connection,
        loaded.row.id,
        role=role,
        resident_id=resident_id,
        name=name.strip(),
        email=email,
        sender=sender(request),
        actor=view.caller.actor,
        now=now,
        real_now=clock.real_now(),
    )
    return {"id": link_id, "link": f"{origin.base(request)}/join/{token}"}


def sender(request: web.Request) -> mails.Sender:
    """The service as its mails name it: never by what a request called it."""
    settings = request.app[keys.SETTINGS]
    return mails.Sender(settings.links, settings.mail_from)


async def _ring(doing: Doing, asked: wanted.OfResident) -> Json:
    _subject_of(doing, asked.resident)
    count = await calling.ring(doing.connection, doing.visit, asked.resident, actor=doing.actor, now=doing.now)
    return {"devices": count}


async def _measure(doing: Doing, asked: wanted.Measure) -> Json:
    subject = asked.resident or doing.loaded.row.subject_id
    if subject is None:
        raise visits.NotPossible("This visit is about nobody now.")
    _subject_of(doing, subject)
    count = await calling.measure(doing.connection, doing.visit, subject, asked.codes, actor=doing.actor, now=doing.now)
    if not count:
        raise visits.NotPossible("No device of this resident can measure that.")
    return {"devices": count}


async def _record(doing: Doing, asked: wanted.Record) -> Json:
    """Ask everybody for consent, or stop; recordings are the service's own, so that nobody else ends or hides one."""
    where = recordings.place(doing.request.app[keys.SETTINGS])
    async with doing.request.app[keys.DATABASE].transaction(auth.SERVICE) as connection:
        if asked.on:
            await recorded_visits.ask(connection, doing.visit, where=where, actor=doing.actor, now=doing.now)
        else:
            await recorded_visits.stop(connection, doing.visit, why="stopped", actor=doing.actor, now=doing.now)
    return {}


async def _leave(doing: Doing, _asked: wanted.Nothing) -> Json:
    mine = await participants.of_staff(doing.connection, doing.visit, doing.view.caller.member.id, now=doing.now)
    await consultations.left(doing.connection, doing.visit, mine, now=doing.now)
    return {}


async def _readings(doing: Doing, asked: wanted.Decide) -> Json:
    await consultations.decide_reading(
        doing.connection, doing.visit, asked.key, asked.decision, actor=doing.actor, now=doing.now
    )
    return {}


async def _notes(doing: Doing, asked: wanted.Note) -> Json:
    _subject_of(doing, asked.resident)
    staff_id = doing.view.caller.member.id
    found = await notes.save(
        doing.connection, doing.visit, asked.resident, staff_id, asked.text, asked.version, now=doing.now
    )
    note = {"version": found.version, "saved_at": formats.iso(found.saved_at)}
    if isinstance(found, notes.Newer):
        raise Newer({"text": found.text, **note})
    return note


def _person(doing: Doing, participant_id: int) -> Any:
    """NotFound for somebody of another visit."""
    return doing.loaded.participant(participant_id)


def _subject_of(doing: Doing, resident_id: int) -> None:
    if resident_id not in doing.loaded.visit.subjects:
        raise errors.NotFound


#: By the last part of the path.
ACTS: Final[dict[str, Act]] = {
    "admit": Act("visit.admit", wanted.OfParticipant, _admit, audited=True, done="admitted"),
    "waiting": Act("visit.waiting", wanted.OfParticipant, _waiting, audited=True),
    "remove": Act("visit.remove", wanted.OfParticipant, _remove, audited=True),
    "mute": Act("visit.mute", wanted.Switched, _mute),
    "pin": Act("visit.pin", wanted.Switched, _pin),
    "allow-browser": Act(
        "visit.allow_browser", wanted.OfParticipantOrLink, _allow_browser, audited=True, done="allowed"
    ),
    "lock": Act("visit.lock", wanted.Lock, _lock, audited=True),
    "subject": Act("visit.subject", wanted.OfResident, _subject, audited=True, strange=True, done="subject"),
    "message": Act("visit.message", wanted.Say, _message, done="said"),
    "ring": Act("visit.ring", wanted.OfResident, _ring, audited=True, done="rang"),
    "measure": Act("visit.measure", wanted.Measure, _measure, audited=True, done="asked"),
    "record": Act("visit.record", wanted.Record, _record, audited=True),
    "invite": Act("visit.invite", wanted.Invite, _invite, audited=True),
    "readings": Act("visit.reading", wanted.Decide, _readings, audited=True),
    "notes": Act("visit.notes", wanted.Note, _notes, repeats=True, done="noted"),
    "leave": Act("visit.leave", wanted.Nothing, _leave, audited=True, strange=True),
}
