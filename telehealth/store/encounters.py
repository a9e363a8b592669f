"""What a visit leaves in the record: an encounter for each subject, with notes and what is to follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from telehealth import clock
from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.model import mails, visits
from telehealth.store import audit, contacts, mail
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql
from telehealth.store.visit_view import Loaded, Message, SubjectShown

OUTCOMES: Final = (
    *("completed", "advice", "treatment_changed", "visit_arranged", "admitted_to_hospital"),
    *("technical_failure", "declined", "other"),
)


#: From when to when.
Turn = tuple[datetime, datetime]


@dataclass(frozen=True)
class SubjectEnding:
    """What is written of one resident. coding: the ward's own, as typed; summary: to the resident, in plain words."""

    coding: str = ""
    summary: str = ""
    #: A task that is to be done afterwards, and by when.
    follow_up: str = ""
    follow_up_due: date | None = None
    #: The summary is also mailed to the resident's own address: it leaves the service, so somebody has to wish it.
    mail_summary: bool = False


@dataclass(frozen=True)
class Ending:
    """How a visit ended. outcome: one of OUTCOMES. by_subject: by resident id; subjects that are not named get none."""

    outcome: str
    by_subject: Mapping[int, SubjectEnding] = field(default_factory=dict)


def checked(ending: Ending, subjects: frozenset[int]) -> Ending:
    """Itself, or Invalid naming the first field that is wrong."""
    if ending.outcome not in OUTCOMES:
        raise Invalid("outcome", "must be one of " + ", ".join(OUTCOMES))
    for resident_id, of_one in ending.by_subject.items():
        if resident_id not in subjects:
            raise NotFound("this visit is not about that resident")
        for name, text, most in (
            ("coding", of_one.coding, 200),
            ("summary", of_one.summary, 4000),
            ("follow_up", of_one.follow_up, 500),
        ):
            if len(text) > most:
                raise Invalid(name, f"must be at most {most} characters")
            if "\x00" in text:
                raise Invalid(name, "contains a character that cannot be stored")
    return ending


async def write(connection: Connection, held: Loaded, ending: Ending, *, actor: Actor, now: datetime) -> list[int]:
    """The encounters of a visit that is being ended, in the order of its subjects; their ids.

    In rounds each subject's encounter holds the people who were there with them, the readings, the chat and the notes
    that belong to them, and nothing of the others. A subject whose turn never came gets no encounter.
    """
    checked(ending, frozenset(subject.id for subject in held.subjects))
    written = []
    for subject in held.subjects:
        of_one = ending.by_subject.get(subject.id)
        notes = await connection.fetch(sql("encounters.notes_to_take"), held.row.id, subject.id)
        if of_one is None and not notes and not _had_a_turn(held, subject.id):
            continue
        written.append(
            await _write_one(connection, held, subject.id, of_one or SubjectEnding(), ending.outcome, actor, now)
        )
    return written


def _had_a_turn(held: Loaded, resident_id: int) -> bool:
    if len(held.subjects) == 1 or held.row.kind == "group":
        return True
    return any(subject.id == resident_id and subject.since is not None for subject in held.subjects)


async def _write_one(
    connection: Connection,
    held: Loaded,
    resident_id: int,
    of_one: SubjectEnding,
    outcome: str,
    actor: Actor,
    now: datetime,
) -> int:
    subject = next(s for s in held.subjects if s.id == resident_id)
    started = subject.since or held.row.started_at or held.row.created_at
    ended = max(subject.until or now, started)
    encounter_id: int = await connection.fetchval(
        sql("encounters.add"),
        held.row.id,
        resident_id,
        min(started, ended),
        ended,
        outcome,
        of_one.coding.strip() or None,
        _participants(held, resident_id, await _turns(connection, held, resident_id, started, ended), now),
        _readings(held, resident_id),
        [*_messages(held, resident_id), *await _captions(connection, held, resident_id)],
        of_one.summary.strip(),
        actor,
        now,
    )
    await connection.execute(sql("encounters.take_notes"), held.row.id, resident_id, encounter_id, now)
    await connection.execute(sql("encounters.drop_notes"), held.row.id, resident_id)
    if of_one.mail_summary and of_one.summary.strip():
        await _mail(connection, subject, encounter_id, of_one.summary, started)
    if of_one.follow_up.strip():
        await connection.execute(
            sql("encounters.add_follow_up"), encounter_id, of_one.follow_up.strip(), of_one.follow_up_due, actor, now
        )
    return encounter_id


async def _mail(
    connection: Connection, subject: SubjectShown, encounter_id: int, summary: str, started: datetime
) -> None:
    real_now = clock.real_now()
    text = mails.summary(summary, starts_at=started, zone=subject.zone)
    for contact in await contacts.of_resident(connection, subject.id):
        if contact.relation == "self":
            await mail.write(
                connection, resident_id=subject.id, contact_id=contact.id, about="summary",
                key=f"summary/{encounter_id}/{contact.id}", to=contact.email, text=text, due_at=real_now,
                real_now=real_now,
            )  # fmt: skip


async def _turns(
    connection: Connection, held: Loaded, resident_id: int, started: datetime, ended: datetime
) -> list[Turn]:
    """When the visit was about a resident: in rounds the turn may come again."""
    if len(held.subjects) == 1 or held.row.kind not in visits.ONE_AT_A_TIME:
        return [(started, ended)]
    found: list[Turn] = []
    since: datetime | None = started
    for row in await connection.fetch(sql("encounters.switches"), held.row.id):
        if row["left"] == resident_id and since is not None and row["at"] >= since:
            found.append((since, row["at"]))
            since = None
        elif row["came"] == resident_id:
            since = row["at"]
    if since is not None and held.row.subject_id == resident_id:
        found.append((since, ended))
    return found or [(started, ended)]


def _participants(held: Loaded, resident_id: int, turns: list[Turn], now: datetime) -> list[dict[str, Any]]:
    """Who was there with this resident, and of the time of staff what lies in the resident's turns.

    In rounds nobody learns from it who else was on the list, or when.
    """
    found = []
    for person in held.people:
        if person.joined_at is None or (person.staff_id is None and person.resident_id != resident_id):
            continue
        since, until = person.joined_at, now if person.state == "joined" else person.left_at
        if person.staff_id is not None and len(held.subjects) > 1 and held.row.kind in visits.ONE_AT_A_TIME:
            there = [(max(since, begins), min(until or ends, ends)) for begins, ends in turns]
            there = [(begins, ends) for begins, ends in there if begins <= ends]
            if not there:
                # gone before a turn began, or come after it was over
                continue
            since, until = there[0][0], there[-1][1]
        found.append(
            {
                "role": person.role,
                "name": person.name,
                "staff_id": person.staff_id,
                "identity": person.identity,
                "joined_at": since,
                "left_at": until,
                "quality": person.quality,
            }
        )
    return found


def _readings(held: Loaded, resident_id: int) -> list[dict[str, Any]]:
    return [
        {"code": r.code, "value": r.value, "unit": r.unit, "effective_at": r.at, "state": r.state}
        for r in held.readings
        if r.resident_id == resident_id and r.state != "offered"
    ]


def _messages(held: Loaded, resident_id: int) -> list[dict[str, Any]]:
    """What was said in the room while it was about this resident, and with their people while they waited."""
    if not held.row.keep_chat:
        return []
    people = {person.id: person for person in held.people}

    def about(message: Message) -> int | None:
        to = people.get(message.to_participant_id or 0)
        return message.resident_id if to is None else to.resident_id

    return [
        {"from": None if m.participant_id is None else people[m.participant_id].name, "text": m.text, "at": m.at}
        for m in held.messages
        if about(m) in (None, resident_id)
    ]


async def _captions(connection: Connection, held: Loaded, resident_id: int) -> list[dict[str, Any]]:
    """What was written down of what was said in this resident's turn, where the ward keeps the chat."""
    if not held.row.keep_chat:
        return []
    names = {person.id: person.name for person in held.people}
    return [
        {"from": names[row["participant_id"]], "text": row["text"], "at": row["at"], "caption": True}
        for row in await connection.fetch(sql("messages.captions_of"), held.row.id)
        if row["resident_id"] in (None, resident_id)
    ]


async def finish_follow_up(connection: Connection, follow_up_id: int, *, actor: Actor, now: datetime) -> None:
    """It is done. NotFound if it is not the actor's, Conflict if somebody did it already."""
    row = await connection.fetchrow(sql("encounters.hold_follow_up"), follow_up_id)
    if row is None:
        raise NotFound("there is no such task")
    if row["done_at"] is not None:
        raise Conflict("this is done already")
    await connection.execute(sql("encounters.finish_follow_up"), follow_up_id, actor, now)
    await audit.write(
        connection, actor, "follow_up.done", object_kind="follow_up", object_id=follow_up_id,
        resident_id=row["resident_id"],
    )  # fmt: skip
