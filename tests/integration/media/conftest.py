"""A real worker process, and the backend that the web role has."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest

from telehealth.consult import process
from telehealth.consult.backend import Workers
from telehealth.model.media import Room
from tests.integration.media.callers import Caller, Watched

_numbers = itertools.count(1)


@contextlib.asynccontextmanager
async def started(capacity: int = 200) -> AsyncIterator[process.Process]:
    """A worker; its statuses are read until the end."""
    worker = await process.start(host="127.0.0.1", capacity=capacity, log_level="warning")

    async def read() -> None:
        async for _ in worker.statuses():
            pass

    reading = asyncio.create_task(read())
    try:
        yield worker
    finally:
        await worker.end(gently=True)
        await reading


@pytest.fixture
async def worker() -> AsyncIterator[process.Process]:
    async with started() as found:
        yield found


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    async with Workers().running() as found:
        yield found


class Visit:
    """A room with people in it."""

    def __init__(self, workers: Workers, worker: process.Process) -> None:
        self.workers = workers
        self.room = Room(next(_numbers), 1, worker.worker)
        self.watched = Watched(workers, self.room)
        self.people = self.watched.people
        self._all: list[Caller] = []

    async def join(self, participant: int, *, camera: bool = True) -> Caller:
        caller = Caller(participant, camera=camera)
        self.people[participant] = caller
        self._all.append(caller)
        await caller.join(self.workers, self.room)
        return caller

    async def offer(self, participant: int) -> str:
        """Of somebody who does not join."""
        self._all.append(Caller(participant))
        return await self._all[-1].offer()

    async def close(self) -> None:
        self.watched.stop()
        await asyncio.gather(*(caller.close() for caller in self._all))


@pytest.fixture
async def visit(workers: Workers, worker: process.Process) -> AsyncIterator[Visit]:
    found = Visit(workers, worker)
    yield found
    await found.close()
