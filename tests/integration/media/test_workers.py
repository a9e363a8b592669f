"""Workers end, stand still, are full of strangers, and are replaced; nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from telehealth.consult import backend, process
from telehealth.consult.backend import Workers
from telehealth.errors import Unavailable
from telehealth.media import protocol
from telehealth.model.media import Allowed, Gone, RecordingTo, Refused, Room, Worker
from tests.integration.media.callers import Caller, Watched
from tests.integration.media.conftest import Visit, started


async def test_a_killed_worker_is_gone_and_its_people_meet_at_another(workers: Workers) -> None:
    async with started() as worker:
        await _kill_and_meet(workers, worker)


async def _kill_and_meet(workers: Workers, worker: process.Process) -> None:
    visit = Visit(workers, worker)
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    os.kill(worker.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        await visit.watched.gone.wait()
    with pytest.raises(Gone):
        await workers.allow(visit.room, 1, Allowed())
    async with started() as other:
        room = Room(visit.room.consultation, 2, other.worker)
        watched = Watched(workers, room)
        people = [Caller(1), Caller(2)]
        for caller in people:
            watched.people[caller.participant] = caller
            await caller.join(workers, room)
        await asyncio.gather(people[0].sees(2), people[1].sees(1))
        watched.stop()
        await asyncio.gather(*(caller.close() for caller in people))
    await visit.close()


async def test_a_worker_that_stands_still_is_gone(visit: Visit, workers: Workers, worker: process.Process) -> None:
    await workers.check(worker.worker)
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(15):
            await visit.watched.gone.wait()
        with pytest.raises(Gone):
            await workers.check(worker.worker)
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    await workers.check(worker.worker)


async def test_a_parent_that_stood_still_does_not_take_its_worker_for_dead(
    visit: Visit, worker: process.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its people would lose each other because another part of that process was busy."""
    monkeypatch.setattr(process, "SILENT_SECONDS", 1.5)
    await _says(worker, 2)
    time.sleep(2.5)  # noqa: ASYNC251  # the fault itself: this process, and so its loop, stands still
    await _says(worker, 3)


async def _says(worker: process.Process, times: int) -> None:
    async with asyncio.timeout(10):
        for _ in range(times):
            worker.said.clear()
            await worker.said.wait()


async def test_a_worker_for_which_there_is_no_room_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_memory(*_: Any, **__: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_memory)
    with pytest.raises(Unavailable):
        await process.start(host="127.0.0.1", capacity=10)


@pytest.mark.parametrize("says", [None, b"\xff", protocol.frame(protocol.Done(1))])
async def test_whoever_says_what_workers_do_not_is_none(
    workers: Workers, worker: process.Process, monkeypatch: pytest.MonkeyPatch, says: bytes | None
) -> None:
    monkeypatch.setattr(backend, "_GONE_SECONDS", 0.5)
    hung_up: list[asyncio.Event] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        over = asyncio.Event()
        hung_up.append(over)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if says is not None:
            await socket.send_bytes(says)
        async for _ in socket:
            pass
        over.set()
        return socket

    application = web.Application()
    application.router.add_get(protocol.PATH, serve)
    async with TestServer(application) as server:
        other = Worker(uuid4(), str(server.host), int(server.port or 0), "token")
        with pytest.raises(Gone):
            await workers.check(other)
        assert hung_up
        async with asyncio.timeout(5):
            for over in hung_up:
                await over.wait()
    await workers.check(worker.worker)


async def test_nobody_answers_at_all(workers: Workers, unused_tcp_port: int) -> None:
    nobody = Worker(uuid4(), "127.0.0.1", unused_tcp_port, "token")
    gone = asyncio.Event()
    workers.watch(Room(1, 1, nobody), lambda _: None, gone.set)
    with pytest.raises(Gone):
        await workers.join(Room(1, 1, nobody), 1, "v=0", Allowed())
    async with asyncio.timeout(10):
        await gone.wait()


async def test_another_worker_at_the_same_address_is_not_taken_for_it(
    workers: Workers, worker: process.Process
) -> None:
    real = worker.worker
    with pytest.raises(Gone):
        await workers.check(Worker(uuid4(), real.host, real.port, real.token))
    with pytest.raises(Gone):
        await workers.check(Worker(real.id, real.host, real.port, "another token"))
    await workers.check(real)


async def test_an_older_epoch_is_refused_and_a_newer_one_begins_anew(visit: Visit, workers: Workers) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    old = Room(visit.room.consultation, 0, visit.room.worker)
    with pytest.raises(Refused, match="unknown room"):
        await workers.join(old, 3, await visit.offer(3), Allowed())
    with pytest.raises(Refused, match="unknown room"):
        await workers.allow(old, 1, Allowed(audio=False))
    await workers.close(old)
    await asyncio.gather(one.sees(2), two.sees(1))
    three = Caller(3)
    await three.join(workers, Room(visit.room.consultation, 2, visit.room.worker))
    assert set(three.slots.values()) == {None}, "nobody of the old epoch is there"
    with pytest.raises(Refused, match="unknown room"):
        await workers.prefer(visit.room, 1, [2])
    await three.close()


async def test_a_room_that_is_closed_is_empty(visit: Visit, workers: Workers) -> None:
    one, two = await visit.join(1), await visit.join(2)
    await asyncio.gather(one.sees(2), two.sees(1))
    await workers.close(visit.room)
    await workers.close(visit.room)
    with pytest.raises(Refused, match="unknown room"):
        await workers.allow(visit.room, 1, Allowed())
    again = await visit.join(1)
    assert set(again.slots.values()) == {None}


async def test_recordings_that_cannot_be_written_are_refused(visit: Visit, workers: Workers) -> None:
    await visit.join(1)
    with pytest.raises(Refused, match="recording"):
        await workers.record(visit.room, {1: RecordingTo(uuid4(), bytes(32), "/nowhere/at/all")})
    await workers.record(visit.room, {})


def _address(worker: process.Process) -> str:
    return f"http://{worker.worker.host}:{worker.worker.port}{protocol.PATH}"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer é"}])
async def test_strangers_give_no_orders(worker: process.Process, headers: dict[str, str]) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(_address(worker), headers=headers)
        assert refused.value.status == 403


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 20,
        msgspec.msgpack.encode({"number": 1, "question": {"type": "join"}}),
        msgspec.msgpack.encode({"number": 1, "question": {"type": "explode"}}),
        b"x" * (protocol.MOST_BYTES + 1),
        "text",
    ],
)
async def test_orders_that_are_none_end_that_connection_only(
    visit: Visit, worker: process.Process, data: bytes | str
) -> None:
    one, two = await visit.join(1), await visit.join(2)
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {worker.worker.token}"}
        async with session.ws_connect(_address(worker), headers=headers) as socket:
            await socket.receive_bytes()
            await (socket.send_str(data) if isinstance(data, str) else socket.send_bytes(data))
            message = await socket.receive(timeout=10)
            assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    await asyncio.gather(one.sees(2), two.sees(1))


async def test_a_worker_ends_with_its_parent() -> None:
    # A parent that is killed itself: its worker's input ends with it.
    script = (
        "import asyncio\n"
        "from telehealth.consult import process\n"
        "async def main():\n"
        "    worker = await process.start(host='127.0.0.1', capacity=10, log_level='error')\n"
        "    print(worker.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(psutil.wait_procs, [child], 10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_rounds_of_coming_and_going_leave_nothing_behind(
    visit: Visit, workers: Workers, worker: process.Process
) -> None:
    seen = psutil.Process(worker.pid)
    stays = await visit.join(1)
    before: tuple[int, int] = (0, 0)
    for number in range(30):
        guests = [Caller(2), Caller(3)]
        for guest in guests:
            visit.people[guest.participant] = guest
            await guest.join(workers, visit.room)
        if number % 10 == 0:
            await guests[0].sees(1, more=1)
        for guest in guests:
            await workers.leave(visit.room, guest.participant)
            await guest.close()
        if number == 4:
            before = await _settled(worker, seen, people=1)
    assert await _settled(worker, seen, people=1) <= before
    assert set(stays.slots.values()) == {None}


async def _settled(worker: process.Process, seen: Any, *, people: int) -> tuple[int, int]:
    """Descriptors and threads, once the worker says that only these people are left and nothing changes any more."""
    last: tuple[int, int] | None = None
    async with asyncio.timeout(30):
        while True:
            await worker.said.wait()
            worker.said.clear()
            found = (seen.num_fds(), seen.num_threads())
            if worker.status.people == people and found == last:
                return found
            last = found
