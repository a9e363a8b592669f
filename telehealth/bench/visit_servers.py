"""What forwards media in the benchmark of visits, each in a process of its own: our worker, stock aiortc, Janus."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import json
import os
import secrets
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from telehealth.media import protocol
from telehealth.model import media

_START_SECONDS = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Process:
    """A process that is measured."""

    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_seconds(self) -> float:
        """User and system, of all its threads, so far."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / _TICKS

    def size(self) -> Size:
        status = dict(
            line.partition(":")[::2]
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines()
            if ":" in line
        )
        return Size(
            int(status["VmRSS"].split()[0]) * 1024,
            int(status["Threads"]),
            len(list(Path(f"/proc/{self.pid}/fd").iterdir())),
        )


class Size(msgspec.Struct, frozen=True):
    """bytes: of resident memory."""

    bytes: int
    threads: int
    files: int


@dataclass
class MediaWorker(Process):
    """told: what it last said of itself."""

    worker: media.Worker
    told: protocol.Status = field(default_factory=lambda: protocol.Status(0))

    def kill(self) -> None:
        self.process.kill()


@contextlib.asynccontextmanager
async def worker(*, capacity: int = 500) -> AsyncIterator[MediaWorker]:
    """A media worker, listening, until the block ends."""
    start = protocol.Start(uuid.uuid4(), "127.0.0.1", secrets.token_hex(16), capacity, "error")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "telehealth.media.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(start) + b"\n")
        async with asyncio.timeout(_START_SECONDS):
            first = msgspec.json.decode(await process.stdout.readline(), type=protocol.Status)
        if first.trouble is not None:
            raise RuntimeError(first.trouble)
        found = MediaWorker(process, media.Worker(start.id, start.host, first.port, start.token), first)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(_listen(process.stdout, found))
            try:
                yield found
            finally:
                listening.cancel()
    finally:
        await stopped(process)


class Decoding(Process):
    """Stock aiortc; see visit_relay.py."""

    async def answer(self, who: int, offer: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"who": who, "sdp": offer}).encode() + b"\n")
        return str(json.loads(await self.process.stdout.readline())["sdp"])


@contextlib.asynccontextmanager
async def decoding() -> AsyncIterator[Decoding]:
    """A server that decodes and encodes, for two people, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telehealth.bench.visit_relay"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            await process.stdout.readline()
        yield Decoding(process)
    finally:
        await stopped(process)


async def _listen(lines: asyncio.StreamReader, found: MediaWorker) -> None:
    while line := await lines.readline():
        found.told = msgspec.json.decode(line, type=protocol.Status)


async def stopped(process: asyncio.subprocess.Process) -> None:
    """Asked to end, else killed."""
    if process.returncode is None:
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
