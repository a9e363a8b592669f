"""What each person in a visit is shown of it. Pure: a guest's screen holds nothing that is not theirs to know.

Staff see everything of the visit, as far as it is about residents of their wards. A guest who has been let in sees
who is in the room, by role and the name that the ward gave them, whom the visit is about if that is their own resident,
and what was said to everybody since they were let in.
Whoever waits sees nobody: only what the ward and they themselves have said to each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from telehealth.model import visits
from telehealth.store.messages import CAPTIONERS
from telehealth.store.recorded_visits import Standing
from telehealth.store.visit_view import Loaded, Message, Participant, SubjectShown, VisitReading
from telehealth.web.shown import formats

Json = dict[str, Any]

_INSIDE: Final = frozenset({"admitted", "joined"})
_STAFF_MAY: Final = (
    *("join", "admit", "waiting", "remove", "mute", "pin", "lock", "message", "ring", "measure", "invite"),
    *("readings", "notes", "end", "allow-browser"),
)
_INSIDE_MAY: Final = ("media", "hand", "chat", "consent", "leave")
_OUTSIDE_MAY: Final = ("ready", "chat", "leave")


NOT_RECORDED: Final = Standing(on=False, asked=False, possible=False)


@dataclass(frozen=True)
class Now:
    """What is the case beside the database. epoch: of the room, None: nowhere yet.

    words: how good a connection is. lost: whose connection is interrupted. away: whose page is closed, or cut off.
    weak: whose line does not carry pictures to them, and from them.
    """

    epoch: int | None = None
    words: Mapping[int, str] | None = None
    lost: frozenset[int] = frozenset()
    away: frozenset[int] = frozenset()
    weak: Mapping[int, tuple[bool, bool]] | None = None
    recording: Standing = NOT_RECORDED


def theirs(loaded: Loaded, ward_ids: Collection[int]) -> bool:
    """Whether a visit is for staff of these wards now: it is of one of them, and so is whom it is about."""
    about = next((one.ward_id for one in loaded.subjects if one.id == loaded.row.subject_id), loaded.row.ward_id)
    return loaded.row.ward_id in ward_ids and about in ward_ids


def shown(loaded: Loaded, now: Now, viewer: int, ice_servers: list[Json]) -> tuple[Json, Json]:
    """(you, visit) of the message "state" for one participant. NotFound if they are not of this visit."""
    me = loaded.participant(viewer)
    inside = me.state in _INSIDE
    you = {
        "participant": me.id,
        "role": me.role,
        "presence": me.state,
        "identity": me.identity,
        "may": _may(loaded, me, now),
        "ice_servers": ice_servers,
    }
    if me.role == "staff":
        return you, _whole(loaded, now, me)
    return you, _of_guest(loaded, now, me, inside)


def _may(loaded: Loaded, me: Participant, now: Now) -> list[str]:
    if loaded.row.state in visits.OVER or me.state == "removed":
        return []
    may = list(_INSIDE_MAY if me.state in _INSIDE else _OUTSIDE_MAY)
    if me.role in CAPTIONERS and me.state == "joined":
        may.append("caption")
    if me.role == "staff":
        may += _STAFF_MAY
        if len(loaded.subjects) > 1:
            may.append("subject")
        if now.recording.possible:
            may.append("record")
    return may


def _common(loaded: Loaded, now: Now, me: Participant) -> Json:
    return {
        "id": loaded.row.id,
        "kind": loaded.row.kind,
        "state": loaded.row.state,
        "locked": loaded.row.locked,
        "room": None if now.epoch is None else {"epoch": now.epoch},
        "recording": _recording(now.recording, me),
    }


def _recording(standing: Standing, me: Participant) -> Json:
    """stopped: only for who was there then."""
    stopped = standing.stopped
    known = stopped is not None and me.joined_at is not None and me.joined_at <= stopped.at
    return {
        "on": standing.on,
        "asked": standing.asked,
        "ask": standing.ask,
        "stopped": {"why": stopped.why, "at": formats.iso(stopped.at), "began": stopped.began}
        if stopped is not None and known and me.state in _INSIDE
        else None,
    }


def _whole(loaded: Loaded, now: Now, me: Participant) -> Json:
    """For staff."""
    subjects = {subject.id: _subject(subject) for subject in loaded.subjects}
    current = loaded.row.subject_id
    return {
        **_common(loaded, now, me),
        "subject": None if current is None else subjects.get(current),
        "subjects": list(subjects.values()),
        "people": [_person(p, now) for p in loaded.people],
        # never of a resident who is not the current one: the screen is about one at a time
        "messages": [_message(m) for m in loaded.messages_on_screen()],
        "readings": [_reading(r) for r in loaded.readings if r.resident_id == current],
        "captions": [_message(c) for c in loaded.captions if _of_turn(loaded, c)],
        "names": {str(p.id): p.name for p in loaded.people},
    }


def _of_turn(loaded: Loaded, line: Message) -> bool:
    """Whether it was said in the turn of whom the visit is about now."""
    return loaded.row.kind == "group" or line.resident_id in (None, loaded.row.subject_id)


def _of_guest(loaded: Loaded, now: Now, me: Participant, inside: bool) -> Json:
    own = [{"id": s.id, "name": s.name} for s in loaded.subjects if inside and s.id == me.resident_id]
    current = loaded.row.subject_id
    mine = bool(own) and current == me.resident_id
    measured = loaded.readings if mine and me.role == "resident" else ()
    people = [p for p in loaded.people if inside and (p.state == "joined" or p.id == me.id)]
    messages = [m for m in loaded.messages if _hears(loaded, me, m, inside)]
    captions = [c for c in loaded.captions if _hears(loaded, me, c, inside)]
    known = {p.id for p in people} | {m.participant_id for m in (*messages, *captions)}
    return {
        **_common(loaded, now, me),
        "subject": own[0] if mine else None,
        "subjects": own,
        "people": [_neighbour(p, me, now) for p in people],
        "messages": [_message(m) for m in messages],
        "captions": [_message(c) for c in captions],
        # their own only, while it is their turn: "your reading arrived"
        "readings": [_reading(r) for r in measured if r.resident_id == current],
        "names": {str(p.id): p.name for p in loaded.people if p.id in known},
    }


def _hears(loaded: Loaded, me: Participant, message: Message, inside: bool) -> bool:
    """Whether a message is a guest's to see."""
    if me.id in (message.participant_id, message.to_participant_id):
        return True
    if message.to_participant_id is not None or not inside or me.joined_at is None:
        return False
    if message.at < max(me.joined_at, me.let_in_at or me.joined_at):
        # before they came, or while they had been sent out of the room
        return False
    writer = next((p for p in loaded.people if p.id == message.participant_id), None)
    if writer is not None and writer.role != "staff" and writer.joined_at is None:
        # what somebody wrote from the waiting area is for staff
        return False
    return loaded.row.kind == "group" or message.resident_id == me.resident_id


def _subject(subject: SubjectShown) -> Json:
    return {
        "id": subject.id,
        "name": subject.name,
        "born": subject.born.isoformat(),
        "nhs_number": subject.nhs_number,
    }


def _person(person: Participant, now: Now) -> Json:
    return {
        "id": person.id,
        "name": person.name,
        "role": person.role,
        "presence": person.state,
        "identity": person.identity,
        "waiting_since": formats.iso(person.waiting_since),
        "reason": person.reason,
        **_media(person),
        "consent": _consent(person, now),
        "quality": _quality(person, now),
        "weak": _weak(person, now),
        # of who waits, or was inside: their page is not there at the moment
        "away": person.id in now.away,
        "with_resident": person.resident_id,
        "ready": person.ready,
        "link": person.link_id,
        "refused_browsers": person.refused_browsers,
        "allow_another": person.allow_another,
        "wrong_births": person.wrong_births,
    }


def _neighbour(person: Participant, me: Participant, now: Now) -> Json:
    """Somebody in the room as guests see them: role, name, and what their tile needs."""
    mine = person.id == me.id
    quality = _quality(person, now)
    return {
        "id": person.id,
        "name": person.name,
        "role": person.role,
        "presence": person.state,
        "identity": person.identity if mine else None,
        "waiting_since": None,
        "reason": None,
        **_media(person),
        "consent": _consent(person, now) if mine else None,
        "quality": quality if mine or quality == "lost" else None,
        "weak": _weak(person, now),
        "with_resident": None,
        "ready": None,
    }


def _consent(person: Participant, now: Now) -> bool | None:
    """True: they agree to be recorded. False: they said no, or took it back. None: they have not answered."""
    if person.consent_at is not None:
        return True
    return False if person.id in now.recording.against else None


def _media(person: Participant) -> Json:
    return {
        "audio": person.audio,
        "video": person.video,
        "screen": person.screen,
        "muted_by_host": person.muted_by_host,
        "hand_at": formats.iso(person.hand_at),
        "pinned": person.pinned,
    }


def _quality(person: Participant, now: Now) -> str | None:
    if person.state != "joined":
        return None
    if person.id in now.lost:
        return "lost"
    return (now.words or {}).get(person.id)


def _weak(person: Participant, now: Now) -> Json | None:
    """Why there is no picture although a camera is on. down: none, or fewer, to them; up: none of them."""
    down, up = (now.weak or {}).get(person.id, (False, False))
    return {"down": down, "up": up} if person.state == "joined" and (down or up) else None


def _message(message: Message) -> Json:
    return {
        "id": message.id,
        "from": message.participant_id,
        "to": message.to_participant_id,
        "text": message.text,
        "at": formats.iso(message.at),
    }


def _reading(reading: VisitReading) -> Json:
    return {
        "key": reading.key,
        "code": reading.code,
        "title": reading.title,
        "value": reading.value,
        "unit": reading.unit,
        "at": formats.iso(reading.at),
        "state": reading.state,
    }
