"""Recording one visit, as far as this process drives it: the rule is the store's, the files are the worker's.

Whoever of several processes asks comes to the same; the worker writes exactly what it was told last.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final
from uuid import UUID

from telehealth import clock
from telehealth.clock import ClinicalClock
from telehealth.model import media
from telehealth.store import recorded_visits
from telehealth.store.db import Connection, Database
from telehealth.store.recorded_visits import Standing
from telehealth.store.recordings import Place
from telehealth.store.visit_view import Loaded
from telehealth.web.auth import SERVICE
from telehealth.web.calls.call_media import Studio

#: How files stand is noted so often, and at their end.
_NOTE_SECONDS: Final = 5.0
#: Files are ended by a thread of their worker within a fraction of this.
_END_SECONDS: Final = 2.0
NOT_RECORDED: Final = "The recording has stopped: it cannot be written at the moment."


class Recorder:
    """One a visit and process. where: None: nothing can be recorded here."""

    def __init__(
        self, visit_id: int, database: Database, clinical: ClinicalClock, where: Place | None, studio: Studio
    ) -> None:
        self._visit_id = visit_id
        self._database = database
        self._clock = clinical
        self._where = where
        self._studio = studio
        self._one_at_a_time = asyncio.Lock()
        self._told: tuple[int | None, dict[int, media.RecordingTo]] = (None, {})
        #: Files that this visit had; a worker tells of others' as well.
        self._files: set[UUID] = set()
        self._stands: dict[UUID, media.Recorded] = {}
        self._noted_at = 0.0
        self._ended = asyncio.Event()

    async def standing(self, connection: Connection, loaded: Loaded) -> Standing:
        return await recorded_visits.standing(connection, loaded, self._where)

    async def settle(self, standing: Standing) -> str | None:
        """Make the worker write what may be written; what staff are to be told, if anything."""
        async with self._one_at_a_time:
            await self._note()
            epoch = self._studio.epoch
            told_here = self._told[0] == epoch
            before = self._told[1] if told_here else {}
            # What a worker writes may have been begun by a process that died before it could end it: whoever comes to
            # a room says what is to be written there, also if that is nothing.
            silent = self._where is not None and epoch is not None and not told_here
            if not (standing.on or standing.asked or before or silent):
                return None
            wanted = await self._wanted()
            # what another process began may be this one's to end
            ends = standing.on and not wanted
            if wanted == before and not (ends or silent):
                return None
            told = await self._studio.record(wanted)
            if told is False:
                await self._give_up()
                return NOT_RECORDED
            self._told = (epoch, wanted) if told else (None, {})
            if told and not wanted:
                await self._hear_of_the_end({to.recording for to in before.values()})
            return None

    async def _wanted(self) -> dict[int, media.RecordingTo]:
        async with self._database.transaction(SERVICE) as connection:
            wanted = await recorded_visits.settle(connection, self._visit_id, where=self._where, now=self._clock.now())
        self._files |= {to.recording for to in wanted.values()}
        return wanted

    async def _hear_of_the_end(self, files: set[UUID]) -> None:
        """How the files ended, while their worker is still listened to: what is missing later was then taken away."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                while not all(name in self._stands and self._stands[name].over for name in files):
                    self._ended.clear()
                    await self._ended.wait()
        await self._note()

    async def _give_up(self) -> None:
        async with self._database.transaction(SERVICE) as connection:
            await recorded_visits.stop(
                connection, self._visit_id, why="not possible", actor=None, now=self._clock.now()
            )
        # what it wrote before it refused must end as well
        self._told = (self._studio.epoch, {}) if await self._studio.record({}) else (None, {})

    def heard(self, event: media.Recorded) -> bool:
        """How a file stands. Whether to settle soon."""
        if event.recording not in self._files:
            return False
        self._stands[event.recording] = event
        if event.over:
            self._ended.set()
        return event.over or clock.monotonic() - self._noted_at > _NOTE_SECONDS

    async def _note(self) -> None:
        stands, self._stands = self._stands, {}
        if not stands:
            return
        self._noted_at = clock.monotonic()
        async with self._database.transaction(SERVICE) as connection:
            for stand in stands.values():
                await recorded_visits.progress(connection, stand, now=self._clock.now())
