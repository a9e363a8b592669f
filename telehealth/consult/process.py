"""One media worker as a child process: started, listened to, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import sys
import uuid
from collections.abc import AsyncIterator

import msgspec

from telehealth.errors import Unavailable
from telehealth.media import protocol
from telehealth.model.media import Worker

_START_SECONDS = 20.0
#: A worker that says nothing for so long stands still: it is ended, and another started.
SILENT_SECONDS = 5.0
_STALLED_SECONDS = 0.5
_STOP_SECONDS = 2.5


class Process:
    """A running worker. status: the last that it said."""

    def __init__(
        self, process: asyncio.subprocess.Process, worker: Worker, capacity: int, status: protocol.Status
    ) -> None:
        self._process, self.worker, self.capacity, self.status = process, worker, capacity, status
        #: Set whenever status is new.
        self.said = asyncio.Event()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def statuses(self) -> AsyncIterator[protocol.Status]:
        """What it says of itself, until it has ended or stands still."""
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    self.status = await _line(self._process)
            except Unavailable:
                return
            except TimeoutError:
                if loop.time() - since < SILENT_SECONDS + _STALLED_SECONDS:
                    return
                continue  # this process stood still: what the worker said meanwhile lies here unread
            self.said.set()
            yield self.status

    async def end(self, *, gently: bool) -> int:
        """End it, gently if there is time for recordings to be closed; its exit status."""
        process = self._process
        assert process.stdin is not None
        process.stdin.close()
        if gently and process.returncode is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    return await process.wait()
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        return await process.wait()


async def start(*, host: str, capacity: int, log_level: str = "info") -> Process:
    """A new worker that listens. Raises Unavailable."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "telehealth.media.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C is for us: it ends when we do.
            start_new_session=True,
        )
    except OSError as error:  # no memory, too many processes: those that run go on
        raise Unavailable(f"a media worker cannot be started ({type(error).__name__})") from None
    assert process.stdin is not None
    told = protocol.Start(uuid.uuid4(), host, secrets.token_urlsafe(32), capacity, log_level)
    try:
        process.stdin.write(msgspec.json.encode(told) + b"\n")
        async with asyncio.timeout(_START_SECONDS):
            status = await _line(process)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if isinstance(error, OSError | TimeoutError):
            raise Unavailable("a media worker does not start") from None
        raise
    return Process(process, Worker(told.id, host, status.port, told.token), capacity, status)


async def _line(process: asyncio.subprocess.Process) -> protocol.Status:
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line:
            raise Unavailable("a media worker has ended")
        return msgspec.json.decode(line, type=protocol.Status)
    except (msgspec.MsgspecError, ValueError):  # or one without an end
        raise Unavailable("a media worker said what it cannot say") from None
