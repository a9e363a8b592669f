"""A media worker: `python -m telehealth.media.worker`, started by the consult role and never by hand.

It reads from its standard input what to begin with (protocol.Start), says once a second on its standard output how it
is (protocol.Status), and ends with its standard input: so that none outlives the process that started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

import msgspec
import uvloop
from aiohttp import web

from telehealth import log
from telehealth.media import fitting, protocol, recording
from telehealth.media.control import Control
from telehealth.media.rooms import Rooms

_log = log.get("media")

_STATUS_SECONDS = 1.0
#: Closing transports and recordings; then it ends anyway.
_STOP_SECONDS = 2.0


async def _input(stop: asyncio.Event, started: asyncio.Future[protocol.Start]) -> None:
    """Sets stop at the end of the input."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        started.set_result(msgspec.json.decode(await reader.readline(), type=protocol.Start))
        while await reader.read(4096):
            pass
    except msgspec.MsgspecError:
        started.cancel()
    finally:
        transport.close()
        stop.set()


async def _say(rooms: Rooms, port: int, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    while True:
        data = msgspec.json.encode(rooms.status(port)) + b"\n"
        try:
            await loop.run_in_executor(None, os.write, sys.stdout.fileno(), data)
        except OSError:
            stop.set()
            return
        await asyncio.sleep(_STATUS_SECONDS)


async def _trouble() -> str | None:
    try:
        await fitting.self_test()
    except fitting.DoesNotFit as why:
        _log.error("this worker takes no rooms: aiortc is not what it was written against", why=str(why))
        return str(why)
    return None


async def _serve(start: protocol.Start, stop: asyncio.Event) -> None:
    control = Control(start.id, start.token)
    rooms = Rooms(capacity=start.capacity, tell=control.tell, opener=recording.open, trouble=await _trouble())
    rooms.watched = control.watched
    control.rooms = rooms
    runner = web.AppRunner(control.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, start.host, 0)
        await site.start()
        port = int(runner.addresses[0][1])
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(rooms.run()), group.create_task(_say(rooms, port, stop))]
            await stop.wait()
            for task in tasks:
                task.cancel()
    finally:
        await runner.cleanup()


async def run() -> int:
    """Until the input ends or a signal; the exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    started: asyncio.Future[protocol.Start] = loop.create_future()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(_input(stop, started))
        try:
            start = await started
        except asyncio.CancelledError:
            if not started.cancelled():
                raise
            return 2
        log.configure(start.log_level, pretty=False)
        serving = group.create_task(_serve(start, stop))
        await stop.wait()
        reading.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.shield(serving)
        if not serving.done():
            os._exit(1)  # whatever holds it up must not keep it alive: its parent has given it up
    return 0


def main() -> None:
    sys.exit(uvloop.run(run()))


if __name__ == "__main__":
    main()
