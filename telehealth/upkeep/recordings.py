"""Recordings whose time is over are deleted: first the key, without which no copy can be read, then the file.

The key is the database's, so any process deletes it; the file goes by every process that reaches it, now or later.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from telehealth import log
from telehealth.store import recordings
from telehealth.store.db import Actor, Database
from telehealth.store.recordings import Place

_log = log.get("upkeep")

#: Deleted, or asked about, in one transaction.
_BATCH = 100
_REASON = "kept as long as its ward wants"


async def once(database: Database, actor: Actor, where: Place | None, *, now: datetime) -> int:
    """Delete what is due and end what nobody ended; how many were deleted. now: clinical."""
    async with database.transaction(actor) as connection:
        await recordings.finish_of_ended(connection)
    deleted = 0
    while True:
        async with database.transaction(actor) as connection:
            found = await recordings.due(connection, now=now, limit=_BATCH)
            for recording in found:
                await recordings.shred(connection, recording, actor=actor, reason=_REASON, now=now)
        deleted += len(found)
        if len(found) < _BATCH:
            break
    if deleted:
        _log.info("recordings were deleted", count=deleted)
    if where is not None:
        await sweep(database, actor, where)
    return deleted


async def sweep(database: Database, actor: Actor, where: Place) -> None:
    """Files of recordings that are deleted."""
    there = await asyncio.to_thread(_files, where.directory)
    for start in range(0, len(there), _BATCH):
        async with database.transaction(actor, read_only=True) as connection:
            gone = await recordings.deleted_among(connection, there[start : start + _BATCH])
        await asyncio.to_thread(_remove, where, sorted(gone))


def _files(directory: str) -> Sequence[UUID]:
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            name, dot, suffix = entry.name.partition(".")
            if dot + suffix == recordings.SUFFIX:
                with contextlib.suppress(ValueError):
                    found.append(UUID(name))
    return sorted(found)


def _remove(where: Place, gone: Sequence[UUID]) -> None:
    for recording in gone:
        try:
            os.unlink(where.path(recording))
        except FileNotFoundError:
            pass
        except OSError as error:
            _log.warning("the file of a deleted recording stays", recording=str(recording), error=type(error).__name__)
