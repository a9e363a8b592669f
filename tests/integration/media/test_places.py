"""Which worker has which room is decided in the database, once however many ask."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psutil

from telehealth.config import Settings
from telehealth.consult import service
from telehealth.consult.backend import Workers
from telehealth.model.media import Worker
from telehealth.store import db, rooms
from telehealth.store.db import Database
from tests.support import world, written

ACTOR = db.service("web")
NOW = world.T0


async def visit(database: Database) -> int:
    ward = await world.ward(database)
    async with database.transaction(world.ACTOR) as connection:
        found: int = await connection.fetchval(
            "INSERT INTO consultation (organisation_id, ward_id, kind, state, keep_chat, created_by, created_at,"
            " changed_at) VALUES ($1, $2, 'one_to_one', 'waiting', false, 'tests', $3, $3) RETURNING id",
            ward.organisation_id,
            ward.id,
            NOW,
        )
    return found


async def register(database: Database, *, capacity: int = 100, streams: int = 0, seen: Any = NOW) -> UUID:
    worker = Worker(uuid4(), "127.0.0.1", 1000, "token")
    async with database.transaction(ACTOR) as connection:
        await rooms.register(connection, worker, capacity=capacity, real_now=seen)
        await rooms.beat(connection, worker.id, streams=streams, real_now=seen)
    return worker.id


async def place(database: Database, consultation: int, lost: int | None = None, now: Any = NOW) -> Any:
    async with database.transaction(ACTOR) as connection:
        return await rooms.place(connection, consultation, lost_epoch=lost, real_now=now)


async def test_a_room_goes_to_the_least_loaded_worker_and_stays(database: Database) -> None:
    consultation = await visit(database)
    assert await place(database, consultation) is None, "there is no worker"
    await register(database, streams=50)
    idle = await register(database, streams=10)
    await register(database, capacity=10, streams=10)
    await register(database, seen=NOW - timedelta(seconds=5))
    room = await place(database, consultation)
    assert (room.worker.id, room.epoch, room.worker.token) == (idle, 1, "token")
    assert await place(database, consultation) == room
    async with database.transaction(ACTOR, read_only=True) as connection:
        assert await rooms.current(connection, consultation) == room


async def test_of_all_who_lost_a_worker_one_finds_another(database: Database) -> None:
    consultation = await visit(database)
    for _ in range(3):
        await register(database)
    lost = await place(database, consultation)
    told: asyncio.Queue[str] = asyncio.Queue()
    async with database.listen("visits", told.put_nowait):
        found = await asyncio.gather(*(place(database, consultation, lost.epoch) for _ in range(5)))
        assert await asyncio.wait_for(told.get(), 10) == str(consultation)
    assert {room.epoch for room in found} == {2}
    assert {room.worker.id for room in found} != {lost.worker.id}
    assert len({room.worker.id for room in found}) == 1


async def test_a_lost_worker_gets_no_room_until_it_is_seen_again(database: Database) -> None:
    consultation, another = await visit(database), await visit(database)
    worker = await register(database)
    lost = await place(database, consultation)
    after = NOW + timedelta(seconds=1)
    assert await place(database, consultation, lost.epoch, now=after) is None
    assert await place(database, another, now=after) is None
    async with database.transaction(ACTOR) as connection:
        await rooms.beat(connection, worker, streams=0, real_now=NOW + timedelta(seconds=2))
    # Asking again for the same loss is not another one.
    later = NOW + timedelta(seconds=3)
    found = await place(database, consultation, lost.epoch, now=later)
    assert (found.worker.id, found.epoch) == (worker, 2)
    assert (await place(database, another, now=later)).worker.id == worker


async def test_a_worker_that_is_gone_has_no_rooms(database: Database) -> None:
    consultation = await visit(database)
    worker = await register(database)
    await place(database, consultation)
    later = NOW + timedelta(seconds=5)
    async with database.transaction(ACTOR) as connection:
        await rooms.remove(connection, worker)
        assert await rooms.current(connection, consultation) is None
        assert not await rooms.beat(connection, worker, streams=0, real_now=later)


async def test_a_visit_that_is_over_has_no_room(database: Database) -> None:
    consultation = await visit(database)
    await register(database)
    async with database.transaction(ACTOR) as connection:
        await connection.execute(
            "UPDATE consultation SET state = 'ended', ended_at = $2 WHERE id = $1", consultation, NOW
        )
    assert await place(database, consultation) is None
    assert await place(database, consultation + 1) is None


async def test_staff_do_not_see_workers(database: Database) -> None:
    ward = await world.ward(database)
    nurse = await world.staff(database, ward)
    await register(database)
    async with database.transaction(db.staff(nurse)) as connection:
        assert await connection.fetch("SELECT * FROM media_worker") == []


async def test_the_role_replaces_a_worker_that_dies_and_leaves_no_row(database: Database) -> None:
    settings = Settings.model_validate({"media_workers": 1, "log_level": "error"})
    running = asyncio.create_task(service.run(database=database, settings=settings))
    try:
        async with Workers().running() as workers:
            first = await _registered(database, None)
            await workers.check(first)
            os.kill(_pid_of_child(), signal.SIGKILL)
            second = await _registered(database, first.id)
            await workers.check(second)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    async with database.transaction(ACTOR, read_only=True) as connection:
        assert await connection.fetch("SELECT * FROM media_worker") == []


async def _registered(database: Database, other_than: UUID | None) -> Worker:
    async def workers() -> list[Worker]:
        async with database.transaction(ACTOR, read_only=True) as connection:
            found = await connection.fetch("SELECT id, host, port, token FROM media_worker")
        return [Worker(row["id"], row["host"], row["port"], row["token"]) for row in found if row["id"] != other_than]

    return (await written.until(database.url, "media_worker", workers, bool))[0]


def _pid_of_child() -> int:
    children = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    found = [child.pid for child in children if "telehealth.media.worker" in child.cmdline()]
    assert len(found) == 1
    return int(found[0])
