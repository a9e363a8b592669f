"""Sends devices what they are asked to do, once it is committed.

At least once: a command is settled when the broker has acknowledged it, and until then it is sent again, also by
another process. One whose time is over is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from devices import commands, topics
from telehealth import log
from telehealth.clock import ClinicalClock
from telehealth.store import commands as outbox
from telehealth.store import db
from telehealth.store.commands import Waiting
from telehealth.store.db import Database

_log = log.get("ingest")
_ACTOR = db.service("ingest")
_EVERY_SECONDS = 1.0
#: How long the broker may take to acknowledge.
_CONFIRM_SECONDS = 10.0

#: publish(topic, payload): a future that says whether the broker has it; None if it cannot be sent now.
Publish = Callable[[str, bytes], "asyncio.Future[bool] | None"]


async def run(
    database: Database,
    clock: ClinicalClock,
    publish: Publish,
    ours: Callable[[], bool],
    *,
    public_url: str | None = None,
) -> None:
    """Until cancelled. ours: whether this process is the one that sends. public_url: where calls are taken."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        if not ours():
            continue
        try:
            await send(database, clock, publish, public_url=public_url)
        except Exception as error:
            # What is not sent now is sent later; nothing that goes wrong with it may stop taking readings in.
            _log.warning("cannot send commands to devices", error=type(error).__name__, where=log.where(error))


async def send(database: Database, clock: ClinicalClock, publish: Publish, *, public_url: str | None = None) -> int:
    """Send what waits; how many commands the broker has taken."""
    async with database.transaction(_ACTOR, read_only=True) as connection:
        waiting = await outbox.waiting(connection)
    if not waiting:
        return 0
    now = clock.now()
    expired = [command.id for command in waiting if command.expires_at <= now]
    due = [command for command in waiting if command.expires_at > now]
    published = await _published(due, publish, public_url)
    async with database.transaction(_ACTOR) as connection:
        await outbox.settle(connection, expired, "expired", now=now)
        await outbox.settle(connection, published, "published", now=now)
    if expired:
        _log.info("commands to devices came too late", commands=len(expired))
    return len(published)


async def _published(waiting: list[Waiting], publish: Publish, public_url: str | None) -> list[UUID]:
    under_way: dict[asyncio.Future[bool], UUID] = {}
    for command in waiting:
        confirmed = publish(f"{topics.PREFIX}/{command.device_id}/commands", payload(command, public_url))
        if confirmed is None:
            break
        under_way[confirmed] = command.id
    if not under_way:
        return []
    done, _ = await asyncio.wait(under_way, timeout=_CONFIRM_SECONDS)
    return [under_way[confirmed] for confirmed in done if confirmed.result()]


def payload(command: Waiting, public_url: str | None = None) -> bytes:
    """The JSON of the contract."""
    return commands.encode(outbox.order(command, public_url))
