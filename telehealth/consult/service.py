"""The consult role's media side: runs this machine's media workers, and says in the database which there are."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
from uuid import UUID

from telehealth import clock, log, metrics
from telehealth.config import Settings
from telehealth.consult import process
from telehealth.errors import SettingError, Unavailable
from telehealth.store import db, rooms
from telehealth.store.db import Database

_log = log.get("consult")
_ACTOR = db.service("consult")

#: A worker that ends at once is started again after a pause, and a longer one each time.
_PAUSE_SECONDS = 0.5
_PAUSE_SECONDS_MOST = 30.0
_LIVED_SECONDS = 10.0


def ready() -> None:
    """Raises SettingError where media workers cannot run because a package is missing."""
    missing = [name for name in ("aiortc", "av") if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingError("TELEHEALTH_ROLES", "consult needs the extra: pip install 'telehealth[consult]'")


def workers_wanted(settings: Settings) -> int:
    """As many as are set, else one for each core but one, at least one."""
    return settings.media_workers or max(1, (os.cpu_count() or 1) - 1)


async def run(*, database: Database, settings: Settings) -> None:
    """Keep the workers running until cancelled; then they end, and their rows go."""
    running = _Running(database, settings)
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(workers_wanted(settings)):
                group.create_task(running.keep(), name=f"media worker {number}")
    finally:
        with contextlib.suppress(*db.AWAY):
            async with asyncio.timeout(1):
                await running.forget_all()


class _Running:
    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._alive: dict[UUID, process.Process] = {}
        self._known: set[UUID] = set()

    async def keep(self) -> None:
        """One worker after another."""
        pause = 0.0
        while True:
            since = clock.monotonic()
            try:
                await self._one()
            except Unavailable as error:
                _log.error("a media worker does not run", trouble=str(error))
            metrics.MEDIA_RESTARTS.inc()
            if clock.monotonic() - since > _LIVED_SECONDS:
                pause = 0.0
            await asyncio.sleep(pause)
            pause = min(_PAUSE_SECONDS_MOST, max(_PAUSE_SECONDS, pause * 2))

    async def _one(self) -> None:
        """A worker, from its start to its end."""
        settings = self._settings
        worker = await process.start(
            host=settings.media_host, capacity=settings.media_streams, log_level=settings.log_level
        )
        self._alive[worker.worker.id] = worker
        gently = True
        try:
            _log.info("a media worker runs", worker=str(worker.worker.id), pid=worker.pid)
            await self._beat(worker)
            async for _ in worker.statuses():
                self._show()
                await self._beat(worker)
            gently = False
        finally:
            del self._alive[worker.worker.id]
            self._show()
            # First nobody is sent there any more: ending it may take a moment.
            await asyncio.shield(self._forget(worker.worker.id))
            status = await asyncio.shield(worker.end(gently=gently))
        _log.error("a media worker ended", worker=str(worker.worker.id), status=status)

    async def _beat(self, worker: process.Process) -> None:
        """A database that is away is no reason to end a worker: visits go on."""
        if worker.status.trouble is not None:
            return  # it takes no rooms
        try:
            async with asyncio.timeout(2), self._database.transaction(_ACTOR) as connection:
                now = clock.real_now()
                if not await rooms.beat(connection, worker.worker.id, streams=worker.status.streams, real_now=now):
                    await rooms.register(connection, worker.worker, capacity=worker.capacity, real_now=now)
                self._known.add(worker.worker.id)
        except db.AWAY:
            _log.warning("the database is away: media workers go on")

    async def _forget(self, worker_id: UUID) -> None:
        try:
            async with asyncio.timeout(2), self._database.transaction(_ACTOR) as connection:
                await rooms.remove(connection, worker_id)
                self._known.discard(worker_id)
        except db.AWAY:
            pass  # its row is stale in a moment, and goes later

    async def forget_all(self) -> None:
        if self._known:
            async with self._database.transaction(_ACTOR) as connection:
                await rooms.remove(connection, *self._known)

    def _show(self) -> None:
        found = [worker.status for worker in self._alive.values()]
        metrics.MEDIA_WORKERS.set(sum(status.trouble is None for status in found))
        metrics.MEDIA_ROOMS.set(sum(status.rooms for status in found))
        metrics.MEDIA_PEOPLE.set(sum(status.people for status in found))
        metrics.MEDIA_STREAMS.set(sum(status.streams for status in found))
        metrics.MEDIA_AUDIO_ONLY.set(sum(status.audio_only for status in found))
        metrics.MEDIA_LAG_SECONDS.set(max((status.lag for status in found), default=0.0))
