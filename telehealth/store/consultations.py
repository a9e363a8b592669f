"""Visits: what people do in them, each in the caller's transaction.

Staff act in their own transactions, so that row-level security decides what they reach; what guests and the service do
runs as service:web. now is clinical time. Every function raises NotFound for a visit that is not the actor's, and
visits.NotPossible for what does not fit what is the case. Everything that happened leaves an event; who let whom in,
who came and left, and what it was about leave an audit row too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from telehealth import clock
from telehealth.errors import NotFound
from telehealth.model import visits
from telehealth.store import alerts, audit, encounters, visit_readings, visit_view
from telehealth.store.db import Actor, Connection
from telehealth.store.encounters import Ending
from telehealth.store.queries import sql
from telehealth.store.visit_view import Loaded

#: Events that screens of the ward show: its diary and waiting area are told to look again.
_SHOWN: Final = frozenset(
    {
        *("created", "arrived", "admitted", "joined", "left", "returned", "removed", "refused_browser", "wrong_birth"),
        *("subject", "ended", "did_not_attend", "cancelled"),
    }
)
#: Those that a resident's page shows.
_OF_RESIDENT: Final = frozenset({"created", "subject", "ended", "did_not_attend", "cancelled"})
_SUBJECTS: Final = range(1, 31)


async def open_for_appointment(connection: Connection, appointment_id: int, *, actor: Actor, now: datetime) -> int:
    """The visit of an appointment, made when there is none yet."""
    found = await connection.fetchrow(sql("consultations.appointment"), appointment_id)
    if found is None:
        raise NotFound("there is no such appointment")
    there: int | None = await connection.fetchval(sql("consultations.of_appointment"), appointment_id)
    if there is not None:
        return there
    if found["cancelled_at"] is not None:
        raise visits.NotPossible("This appointment has been cancelled.")
    return await _add(
        connection, found["kind"], found["ward_id"], found["residents"] or [], appointment_id, None, actor, now
    )


async def start(
    connection: Connection,
    *,
    kind: visits.Kind,
    ward_id: int,
    resident_ids: Sequence[int],
    alert_id: int | None = None,
    actor: Actor,
    now: datetime,
) -> int:
    """A visit at once, about residents of the actor's; about an alert of one of them, if there is one."""
    if alert_id is not None:
        found = await connection.fetchrow(sql("consultations.alert"), alert_id)
        if found is None or found["resident_id"] not in resident_ids:
            raise NotFound("there is no such alert about this resident")
    return await _add(connection, kind, ward_id, list(resident_ids), None, alert_id, actor, now)


async def _add(
    connection: Connection,
    kind: visits.Kind,
    ward_id: int,
    residents: list[int],
    appointment_id: int | None,
    alert_id: int | None,
    actor: Actor,
    now: datetime,
) -> int:
    if len(residents) not in _SUBJECTS or len(set(residents)) != len(residents):
        raise visits.NotPossible("A visit is about at least one resident, and about each of them once.")
    if kind in visits.SINGLE and len(residents) > 1:
        raise visits.NotPossible("A visit of this kind is about one resident.")
    consultation_id: int | None = await connection.fetchval(
        sql("consultations.add"), ward_id, appointment_id, alert_id, kind, residents[0], actor, now
    )
    if consultation_id is None:
        raise NotFound("there is no such ward")
    added = await connection.fetch(sql("consultations.add_subjects"), consultation_id, residents)
    if len(added) != len(residents):
        raise NotFound("there is no such resident")
    await note_event(connection, consultation_id, "created", actor=actor, now=now)
    await _audit(connection, "visit.create", consultation_id, ward_id, residents[0], actor)
    return consultation_id


async def load(connection: Connection, consultation_id: int, *, hold: bool = False) -> Loaded:
    """A visit with everything that is shown of it. hold: nobody else changes it until the transaction ends."""
    return await visit_view.load(connection, consultation_id, hold=hold)


# Who comes and goes ------------------------------------------------------------------------------


async def arrive(
    connection: Connection,
    consultation_id: int,
    participant_id: int,
    *,
    ready: dict[str, Any] | None,
    reason: str,
    now: datetime,
) -> None:
    """Somebody is done with the device check (ready: what it found) and waits; reason: what for, in their words.

    Who is in already stays in: a page that is loaded again changes nothing.
    """
    held = await load(connection, consultation_id, hold=True)
    person = held.participant(participant_id)
    after = visits.arrive(held.visit, participant_id)
    words = "".join(one if one.isprintable() else " " for one in reason)
    await connection.execute(sql("consultations.set_arrival"), participant_id, ready, " ".join(words.split())[:200])
    if after != held.visit:
        await _apply(connection, held, after, None, now)
        await note_event(
            connection, consultation_id, "arrived", participant_id=participant_id,
            detail={"identity": person.identity}, actor=None, now=now,
        )  # fmt: skip
    else:
        await changed(connection, consultation_id, now=now)


async def admit(
    connection: Connection, consultation_id: int, participant_id: int, *, actor: Actor, now: datetime
) -> None:
    """Staff let in somebody who waits."""
    await _move(connection, consultation_id, participant_id, visits.admit, "admitted", actor, now)


async def back_to_waiting(
    connection: Connection, consultation_id: int, participant_id: int, *, actor: Actor, now: datetime
) -> None:
    """Staff send somebody back to the waiting area."""
    await _move(connection, consultation_id, participant_id, visits.back_to_waiting, "returned", actor, now)


async def remove(
    connection: Connection, consultation_id: int, participant_id: int, *, actor: Actor, now: datetime
) -> None:
    """Staff take somebody out; only back_to_waiting opens the way again."""
    await _move(connection, consultation_id, participant_id, visits.remove, "removed", actor, now)


async def joined(connection: Connection, consultation_id: int, participant_id: int, *, now: datetime) -> None:
    """Media of somebody flow. NotPossible if nobody let them in, or, for staff, if they are in another visit."""
    await _move(connection, consultation_id, participant_id, visits.join, "joined", None, now)


async def left(
    connection: Connection, consultation_id: int, participant_id: int, *, now: datetime, gone: bool = False
) -> None:
    """Somebody left. gone: only their connection did; who had been let in may then come back by themselves."""
    step = functools.partial(visits.leave, gone=gone)
    detail = {"gone": True} if gone else None
    await _move(connection, consultation_id, participant_id, step, "left", None, now, detail=detail)


async def _move(
    connection: Connection,
    consultation_id: int,
    participant_id: int,
    step: Callable[[visits.Visit, int], visits.Visit],
    event: str,
    actor: Actor | None,
    now: datetime,
    *,
    detail: dict[str, Any] | None = None,
) -> None:
    """A step of one person."""
    held = await load(connection, consultation_id, hold=True)
    person = held.participant(participant_id)
    after = step(held.visit, participant_id)
    if after == held.visit:
        return
    await _apply(connection, held, after, actor, now)
    await note_event(connection, held.row.id, event, participant_id=participant_id, detail=detail, actor=actor, now=now)
    await _audit(
        connection, f"visit.{event}", held.row.id, held.row.ward_id, person.resident_id, actor,
        {"participant": participant_id, "role": person.role, "identity": person.identity},
    )  # fmt: skip


# What it is about, and for whom it is open ----------------------------------------------------------


async def switch_subject(
    connection: Connection, consultation_id: int, resident_id: int, *, actor: Actor, now: datetime
) -> None:
    """Another subject is the current one; in rounds the previous resident, and who came with them, leave."""
    held = await load(connection, consultation_id, hold=True)
    after = visits.switch(held.visit, resident_id)
    if after == held.visit:
        return
    previous = held.row.subject_id
    await _apply(connection, held, after, actor, now)
    await note_event(
        connection, consultation_id, "subject", detail={"from": previous, "to": resident_id}, actor=actor, now=now
    )
    gone = {p.id for p in after.people if p.presence == "left"} - {
        p.id for p in held.visit.people if p.presence == "left"
    }
    for participant_id in sorted(gone):
        await note_event(
            connection, consultation_id, "left", participant_id=participant_id,
            detail={"subject": resident_id}, actor=actor, now=now,
        )  # fmt: skip
    await _audit(connection, "visit.subject", consultation_id, held.row.ward_id, resident_id, actor, {"from": previous})


async def lock(connection: Connection, consultation_id: int, locked: bool, *, actor: Actor, now: datetime) -> None:
    """Nobody new is let in while it is locked."""
    held = await load(connection, consultation_id, hold=True)
    after = visits.lock(held.visit, locked)
    if after == held.visit:
        return
    await _apply(connection, held, after, actor, now)
    event = "locked" if locked else "unlocked"
    await note_event(connection, consultation_id, event, actor=actor, now=now)
    await _audit(connection, f"visit.{event}", consultation_id, held.row.ward_id, None, actor)


async def end(
    connection: Connection, consultation_id: int, ending: Ending, *, actor: Actor, now: datetime
) -> list[int]:
    """End a visit and write it into the record of each subject; encounter ids. NotPossible if it is over.

    As a service: staff write into the records of those subjects only whom they may see. Everything in one transaction:
    encounters, notes, follow-ups; links die, and the chat goes where it is not kept.
    """
    held = await load(connection, consultation_id, hold=True)
    after = visits.end(held.visit)
    written = await encounters.write(connection, held, ending, actor=actor, now=now)
    await connection.execute(sql("consultations.set_outcome"), consultation_id, ending.outcome)
    await _apply(connection, held, after, actor, now)
    await close(connection, held, keep_chat=held.row.keep_chat)
    await note_event(connection, consultation_id, "ended", detail={"outcome": ending.outcome}, actor=actor, now=now)
    for subject in held.subjects:
        await _audit(
            connection, "visit.end", consultation_id, held.row.ward_id, subject.id, actor, {"outcome": ending.outcome}
        )
    residents = [subject.id for subject in held.subjects]
    await connection.execute(sql("alerts.notify"), alerts.changes(residents=residents, wards=[held.row.ward_id]))
    return written


async def did_not_attend(connection: Connection, consultation_id: int, *, actor: Actor, now: datetime) -> None:
    """The resident never came; after the planned end only."""
    held = await load(connection, consultation_id, hold=True)
    await _refuse_notes(connection, consultation_id)
    if held.row.starts_at is None or held.row.minutes is None:
        raise visits.NotPossible("This visit had no appointment.")
    planned_end = held.row.starts_at + timedelta(minutes=held.row.minutes)
    after = visits.did_not_attend(held.visit, planned_end=planned_end, now=now)
    await _apply(connection, held, after, actor, now)
    await close(connection, held, keep_chat=False)
    await note_event(connection, consultation_id, "did_not_attend", actor=actor, now=now)
    for subject in held.subjects:
        await _audit(connection, "visit.did_not_attend", consultation_id, held.row.ward_id, subject.id, actor)


async def moved(
    connection: Connection, consultation_id: int, *, before: datetime, to: datetime, actor: Actor, now: datetime
) -> None:
    """Its appointment is at another time: whoever waits already does not any more."""
    held = await load(connection, consultation_id, hold=True)
    await _apply(connection, held, visits.postpone(held.visit), actor, now)
    await note_event(connection, consultation_id, "moved", detail={"from": before, "to": to}, actor=actor, now=now)


async def cancel(connection: Connection, consultation_id: int, *, actor: Actor, now: datetime) -> None:
    """Called off before it began."""
    held = await load(connection, consultation_id, hold=True)
    await _refuse_notes(connection, consultation_id)
    after = visits.cancel(held.visit)
    await _apply(connection, held, after, actor, now)
    await close(connection, held, keep_chat=False)
    await note_event(connection, consultation_id, "cancelled", actor=actor, now=now)
    await _audit(connection, "visit.cancel", consultation_id, held.row.ward_id, held.row.subject_id, actor)


async def _refuse_notes(connection: Connection, consultation_id: int) -> None:
    if await connection.fetchval(sql("consultations.noted"), consultation_id):
        raise visits.NotPossible("Somebody has written notes in this visit: end it instead, so that they are kept.")


async def close(connection: Connection, held: Loaded, *, keep_chat: bool) -> None:
    """What dies with a visit: its links, and its chat where the ward does not keep it."""
    await connection.execute(sql("consultations.revoke_links"), held.row.id, clock.real_now())
    if not keep_chat:
        await connection.execute(sql("consultations.drop_messages"), held.row.id)


# In the room --------------------------------------------------------------------------------------


async def mute(
    connection: Connection, consultation_id: int, participant_id: int, muted: bool, *, actor: Actor, now: datetime
) -> None:
    """Staff silence somebody for everybody, or let them be heard again."""
    await _in_room(connection, consultation_id, participant_id)
    await connection.execute(sql("consultations.set_muted"), participant_id, muted)
    event = "muted" if muted else "unmuted"
    await note_event(connection, consultation_id, event, participant_id=participant_id, actor=actor, now=now)


async def pin(
    connection: Connection, consultation_id: int, participant_id: int, pinned: bool, *, actor: Actor, now: datetime
) -> None:
    """Everybody sees this tile first, an interpreter's for example; one at most."""
    await _in_room(connection, consultation_id, participant_id)
    await connection.execute(sql("consultations.set_pinned"), consultation_id, participant_id, pinned)
    event = "pinned" if pinned else "unpinned"
    await note_event(connection, consultation_id, event, participant_id=participant_id, actor=actor, now=now)


async def set_media(
    connection: Connection,
    consultation_id: int,
    participant_id: int,
    *,
    audio: bool,
    video: bool,
    screen: bool,
    now: datetime,
) -> None:
    """What somebody sends, by their own choice."""
    await _in_room(connection, consultation_id, participant_id)
    if await connection.fetchval(sql("consultations.set_media"), participant_id, audio, video, screen) is not None:
        await changed(connection, consultation_id, now=now)


async def raise_hand(
    connection: Connection, consultation_id: int, participant_id: int, *, up: bool, now: datetime
) -> None:
    """Somebody wants to speak, or does no longer. A hand that is up stays up since then."""
    person = (await _in_room(connection, consultation_id, participant_id)).participant(participant_id)
    if up != (person.hand_at is not None):
        await connection.execute(sql("consultations.set_hand"), participant_id, now if up else None)
        await changed(connection, consultation_id, now=now)


async def consent(
    connection: Connection,
    consultation_id: int,
    participant_id: int,
    *,
    given: bool,
    now: datetime,
    ask: int | None = None,
) -> None:
    """Somebody agrees that they are recorded, or does no longer. ask: to which asking (recorded_visits.agree)."""
    held = await _in_room(connection, consultation_id, participant_id)
    person = held.participant(participant_id)
    if given == (person.consent_at is not None):
        return
    await connection.execute(sql("consultations.set_consent"), participant_id, now if given else None)
    event = "consent_given" if given else "consent_withdrawn"
    detail = None if ask is None else {"ask": ask}
    await note_event(
        connection, consultation_id, event, participant_id=participant_id, detail=detail, actor=None, now=now
    )
    await _audit(
        connection, f"visit.{event}", consultation_id, held.row.ward_id, person.resident_id, None,
        {"participant": participant_id},
    )  # fmt: skip


async def _in_room(connection: Connection, consultation_id: int, participant_id: int) -> Loaded:
    held = await load(connection, consultation_id, hold=True)
    if held.row.state in visits.OVER:
        raise visits.NotPossible("This visit is over.")
    if held.participant(participant_id).state not in ("admitted", "joined"):
        raise visits.NotPossible("This person is not in the visit.")
    return held


async def gather_readings(connection: Connection, consultation_id: int, *, now: datetime) -> int:
    """Offer readings of the current subject that came in while the visit is live; how many were new."""
    count = await visit_readings.gather(connection, consultation_id)
    if count:
        await changed(connection, consultation_id, now=now)
    return count


async def decide_reading(
    connection: Connection, consultation_id: int, key: str, decision: str, *, actor: Actor, now: datetime
) -> None:
    """The clinician takes a reading into the record of this visit ("accepted") or leaves it out ("left_out")."""
    held = await load(connection, consultation_id, hold=True)
    if held.row.state in visits.OVER:
        raise visits.NotPossible("This visit is over.")
    resident_id = await visit_readings.decide(connection, consultation_id, key, decision, actor=actor, now=now)
    await note_event(connection, consultation_id, f"reading_{decision}", detail={"key": key}, actor=actor, now=now)
    await _audit(
        connection, f"visit.reading_{decision}", consultation_id, held.row.ward_id, resident_id, actor, {"key": key}
    )


# What all of it leaves ------------------------------------------------------------------------------


async def note_event(
    connection: Connection,
    consultation_id: int,
    event: str,
    *,
    participant_id: int | None = None,
    detail: Any = None,
    actor: Actor | None,
    now: datetime,
) -> None:
    """Write an event, count the change, and tell whoever serves or shows the visit. actor None: the transaction's.

    detail holds no names and no text that people wrote.
    """
    row = await connection.fetchrow(sql("consultations.bump"), consultation_id, now)
    if row is None:
        raise NotFound("there is no such visit")
    await connection.execute(
        sql("consultations.note_event"), row["organisation_id"], consultation_id, participant_id, row["subject_id"],
        event, detail, actor, now, clock.real_now(),
    )  # fmt: skip
    await connection.execute(sql("consultations.notify"), consultation_id)
    if event in _SHOWN:
        residents = [row["subject_id"]] if row["subject_id"] is not None and event in _OF_RESIDENT else []
        await connection.execute(sql("alerts.notify"), alerts.changes(residents=residents, wards=[row["ward_id"]]))


async def changed(connection: Connection, consultation_id: int, *, now: datetime) -> None:
    """Something is to be shown differently that is no event: count it and tell."""
    await connection.execute(sql("consultations.bump"), consultation_id, now)
    await connection.execute(sql("consultations.notify"), consultation_id)


async def _apply(connection: Connection, held: Loaded, after: visits.Visit, actor: Actor | None, now: datetime) -> None:
    """Write what differs."""
    before = held.visit
    for was, person in zip(before.people, after.people, strict=True):
        if was.presence != person.presence:
            await _set_presence(connection, held, person, actor, now)
    if before.subject != after.subject:
        if before.subject is not None:
            await connection.execute(sql("consultations.subject_until"), held.row.id, before.subject, now)
        await connection.execute(sql("consultations.subject_from"), held.row.id, after.subject, now)
    elif after.state == "live" and held.row.started_at is None:
        await connection.execute(sql("consultations.subject_from"), held.row.id, after.subject, now)
    if after.state in visits.OVER and after.subject is not None:
        await connection.execute(sql("consultations.subject_until"), held.row.id, after.subject, now)
    await connection.execute(
        sql("consultations.set_state"), held.row.id, after.state, after.locked, after.subject, now, actor
    )


async def _set_presence(
    connection: Connection, held: Loaded, person: visits.Person, actor: Actor | None, now: datetime
) -> None:
    try:
        async with connection.transaction():
            await connection.execute(sql("consultations.set_presence"), person.id, person.presence, now, actor)
    except asyncpg.UniqueViolationError:
        raise visits.NotPossible(visits.ELSEWHERE) from None


async def _audit(
    connection: Connection,
    action: str,
    consultation_id: int,
    ward_id: int,
    resident_id: int | None,
    actor: Actor | None,
    detail: Any = None,
) -> None:
    await audit.write(
        connection, actor, action, object_kind="consultation", object_id=consultation_id, resident_id=resident_id,
        ward_id=ward_id, detail=detail,
    )  # fmt: skip
