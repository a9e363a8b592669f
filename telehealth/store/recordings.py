"""Recordings of visits as they are kept: where their files lie, what is known of each, and when they are deleted.

What deletes runs as the service or an operator: staff only read (row-level security). now is clinical.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from telehealth.config import Settings
from telehealth.errors import NotFound, SettingError
from telehealth.model import recording_keys, vault, visits
from telehealth.model.recording_keys import Master
from telehealth.store import audit
from telehealth.store.db import Actor, Connection, Record
from telehealth.store.queries import sql

#: Of files of recordings; their names are the recordings' ids.
SUFFIX = ".recording"


@dataclass(frozen=True)
class Place:
    """Where recordings lie, and the master keys that open them; the first wraps the keys of new ones."""

    directory: str
    masters: tuple[Master, ...]

    def path(self, recording: UUID) -> str:
        """A file's name says nothing of anybody."""
        return os.path.join(self.directory, f"{recording}{SUFFIX}")


@dataclass(frozen=True)
class Shown:
    """A recording, as lists show it. bytes: of the encrypted file as last reported."""

    id: UUID
    consultation_id: int
    participant_id: int
    name: str
    role: visits.Role
    started_at: datetime
    ended_at: datetime | None
    chunks: int | None
    bytes: int | None
    delete_after: datetime
    deleted_at: datetime | None


@dataclass(frozen=True)
class Kept(Shown):
    """One recording with what opens it. resident_id: whose record looking at it belongs to."""

    head: bytes | None
    key_id: str
    wrapped_key: bytes
    organisation_id: int
    ward_id: int
    ward: str
    simulated: bool
    resident_id: int | None
    #: [{participant_id, consent_at, ask}] of everybody who was there when it began.
    consents: list[dict[str, Any]]

    @property
    def reported(self) -> vault.Reported | None:
        return None if self.chunks is None or self.head is None else vault.Reported(self.chunks, self.head)

    def key(self, place: Place) -> bytes:
        """recording_keys.NoKey if it is deleted, or its master key is gone."""
        return recording_keys.unwrap(place.masters, self.key_id, self.id, self.wrapped_key)


def place(settings: Settings) -> Place | None:
    """Of the settings; None: nothing can be recorded here. SettingError names what is wrong."""
    if settings.recordings_dir is None or settings.recording_keys is None:
        if settings.recordings_dir is not None:
            raise SettingError("TELEHEALTH_RECORDING_KEYS", "is not set, and TELEHEALTH_RECORDINGS_DIR is")
        if settings.recording_keys is not None:
            raise SettingError("TELEHEALTH_RECORDINGS_DIR", "is not set, and TELEHEALTH_RECORDING_KEYS is")
        return None
    try:
        masters = recording_keys.masters(settings.recording_keys.get_secret_value())
    except ValueError as error:
        raise SettingError("TELEHEALTH_RECORDING_KEYS", str(error)) from None
    return Place(os.path.abspath(settings.recordings_dir), masters)


async def of_consultation(connection: Connection, consultation_id: int) -> list[Shown]:
    """All of a visit that the actor may see, those that were deleted too, oldest first."""
    return [Shown(**dict(r)) for r in await connection.fetch(sql("recordings.of_consultation"), consultation_id)]


async def one(connection: Connection, recording: UUID) -> Kept:
    """One that the actor may see, or NotFound."""
    row = await connection.fetchrow(sql("recordings.one"), recording)
    if row is None:
        raise NotFound("there is no such recording")
    return Kept(**dict(row))


async def listing(
    connection: Connection, *, consultation_id: int | None = None, deleted: bool = False, limit: int = 1000
) -> list[Record]:
    """The newest first, without names."""
    return await connection.fetch(sql("recordings.listing"), consultation_id, deleted, limit)


async def due(connection: Connection, *, now: datetime, limit: int) -> list[UUID]:
    """Recordings that have been kept as long as their ward wants."""
    return [row["id"] for row in await connection.fetch(sql("recordings.due"), now, limit)]


async def key_ids(connection: Connection) -> dict[str, int]:
    """How many recordings that are kept need which master key."""
    return {row["key_id"]: row["count"] for row in await connection.fetch(sql("recordings.key_ids"))}


async def finish_of_ended(connection: Connection) -> int:
    """Recordings whose visit is over are over too, even if nobody lived to say so; how many."""
    return len(await connection.fetch(sql("recordings.finish_of_ended")))


async def deleted_among(connection: Connection, known: Sequence[UUID]) -> set[UUID]:
    """Which of these are deleted, so that their files may go as well."""
    return {row["id"] for row in await connection.fetch(sql("recordings.deleted_among"), list(known))}


async def shred(connection: Connection, recording: UUID, *, actor: Actor, reason: str, now: datetime) -> None:
    """Overwrite its key and note that it is deleted. The row, with consents and hash, stays. reason: for the audit."""
    if await connection.fetchval(sql("recordings.shred"), recording, now) is None:
        raise NotFound("there is no such recording")
    kept = await one(connection, recording)
    await audit.write(
        connection,
        actor,
        "recording.delete",
        object_kind="recording",
        object_id=recording,
        resident_id=kept.resident_id,
        ward_id=kept.ward_id,
        detail={"reason": reason},
    )
