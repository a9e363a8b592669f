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
        while True:
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    self.status = await _line(self._process)
            except (Unavailable, TimeoutError):
                return
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
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telehealth.media.worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Ctrl-C is for us: it ends when we do.
        start_new_session=True,
    )
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
    line = await process.stdout.readline()
    if not line:
        raise Unavailable("a media worker has ended")
    try:
        return msgspec.json.decode(line, type=protocol.Status)
    except msgspec.MsgspecError:
        raise Unavailable("a media worker said what it cannot say") from None
