"""What people write to each other in a visit."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from uuid import UUID

from telehealth.errors import Invalid, NotFound
from telehealth.model import visits
from telehealth.store import consultations
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql
from telehealth.store.visit_view import Loaded

#: Of one visit.
MOST = 2000
#: Of one visit, where its ward keeps the chat: three hours of somebody who writes fast.
MOST_CAPTIONS = 5000
#: Elsewhere no more than these are there at any moment.
UNKEPT_CAPTIONS = 20
CAPTION_LENGTH = 300
#: Who may write down what is said.
CAPTIONERS: frozenset[visits.Role] = frozenset({"staff", "interpreter", "captioner"})


async def say(
    connection: Connection,
    consultation_id: int,
    participant_id: int | None,
    text: str,
    *,
    key: UUID,
    to: int | None = None,
    about: int | None = None,
    actor: Actor | None = None,
    now: datetime,
) -> int | None:
    """Write a line: by a participant (null: the service) to the room, or to one who waits; its id.

    None if this key was written already: a repeated send is one message. Staff may write to anybody who waits, who may
    answer (kept as written to themselves: what is said with somebody who waits); others write to the room, from inside.
    about: whose turn it was when it was written, as far as that is known. Raises Invalid for the text, NotPossible,
    GoneOn if it is another's turn, NotFound.
    """
    text = _checked(text, 2000)
    held = await consultations.load(connection, consultation_id, hold=True)
    if held.row.state in visits.OVER:
        raise visits.NotPossible("This visit is over.")
    if len(held.messages) >= MOST:
        raise visits.NotPossible("There are too many messages in this visit.")
    author = None if participant_id is None else held.participant(participant_id)
    if author is not None and author.role != "staff":
        if to is not None:
            raise visits.NotPossible("You can write to everybody in the visit only.")
        if author.state != "joined":
            if not any(message.to_participant_id == author.id for message in held.messages):
                raise visits.NotPossible("You are not in the visit.")
            # an answer to staff, from the waiting area: never to the room
            to = author.id
    if to is None:
        await _same_turn(connection, held, about, key)
    elif held.participant(to).state not in ("checking", "waiting", "admitted", "joined"):
        raise NotFound("there is no such person in this visit")
    written: int | None = await connection.fetchval(
        sql("messages.say"), consultation_id, participant_id, to, key, text, now, False
    )
    if written is not None:
        await consultations.note_event(
            connection, consultation_id, "chat", participant_id=participant_id,
            detail={"message": written, "to": to}, actor=actor, now=now,
        )  # fmt: skip
    return written


async def _same_turn(connection: Connection, held: Loaded, about: int | None, key: UUID) -> None:
    """What was written for one resident never reaches the room of the next; in a group all are together."""
    if about in (None, held.row.subject_id) or held.row.kind == "group":
        return
    if not await connection.fetchval(sql("messages.known"), held.row.id, key):
        raise visits.GoneOn


async def caption(
    connection: Connection,
    consultation_id: int,
    participant_id: int,
    text: str,
    *,
    key: UUID,
    about: int | None = None,
    now: datetime,
) -> int | None:
    """A line of what is being said, written down by somebody inside; its id, None if this key was written already.

    Where the ward does not keep the chat, only the newest are there at all. about: as of say. Raises Invalid,
    NotPossible, GoneOn.
    """
    text = _checked(" ".join(text.split()), CAPTION_LENGTH)
    held = await consultations.load(connection, consultation_id, hold=True)
    if held.row.state in visits.OVER:
        raise visits.NotPossible("This visit is over.")
    author = held.participant(participant_id)
    if author.role not in CAPTIONERS:
        raise visits.NotPossible("Captions are written by staff, an interpreter or a captioner.")
    if author.state != "joined":
        raise visits.NotPossible("You are not in the visit.")
    await _same_turn(connection, held, about, key)
    if await connection.fetchval(sql("messages.count_captions"), consultation_id) >= MOST_CAPTIONS:
        raise visits.NotPossible("There are too many captions in this visit.")
    written: int | None = await connection.fetchval(
        sql("messages.say"), consultation_id, participant_id, None, key, text, now, True
    )
    if written is not None:
        if not held.row.keep_chat:
            await connection.execute(sql("messages.forget_captions"), consultation_id, UNKEPT_CAPTIONS)
        await consultations.changed(connection, consultation_id, now=now)
    return written


def _checked(text: str, most: int) -> str:
    text = text.strip()
    if not 1 <= len(text) <= most:
        raise Invalid("text", f"must be 1 to {most:,} characters")
    if any(unicodedata.category(one) == "Cc" and one not in "\n\t" for one in text):
        raise Invalid("text", "contains a character that cannot be stored")
    return text
