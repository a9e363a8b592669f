"""Notes as they are typed in a visit, one for each subject and author: by version, so that none overwrites another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from telehealth.errors import Invalid, NotFound
from telehealth.model import visits
from telehealth.store.db import Connection
from telehealth.store.queries import sql

CHARACTERS = 20_000


@dataclass(frozen=True)
class Saved:
    """It is stored. version: what the next save has to name."""

    version: int
    saved_at: datetime


@dataclass(frozen=True)
class Newer:
    """There is a newer text (from another window of the same author): nothing was stored."""

    version: int
    text: str
    saved_at: datetime


async def save(
    connection: Connection,
    consultation_id: int,
    resident_id: int,
    staff_id: int,
    text: str,
    version: int,
    *,
    now: datetime,
) -> Saved | Newer:
    """Store a note. version: of the text that was changed, 0 for a new one.

    The same text again is Saved, whatever the version: an answer that was lost. Raises NotFound, NotPossible once the
    visit is over, Invalid for the text.
    """
    if len(text) > CHARACTERS:
        raise Invalid("text", f"must be at most {CHARACTERS:,} characters")
    if "\x00" in text:
        raise Invalid("text", "contains a character that cannot be stored")
    over = await connection.fetchval(sql("notes.subject"), consultation_id, resident_id)
    if over is None:
        raise NotFound("there is no such visit about this resident")
    if over:
        raise visits.NotPossible("This visit is over: its notes are in the record.")
    saved = await connection.fetchrow(sql("notes.save"), consultation_id, resident_id, staff_id, text, version, now)
    if saved is not None:
        return Saved(saved["version"], saved["saved_at"])
    there = await connection.fetchrow(sql("notes.one"), consultation_id, resident_id, staff_id)
    assert there is not None
    if there["text"] == text:
        return Saved(there["version"], there["saved_at"])
    return Newer(there["version"], there["text"], there["saved_at"])
