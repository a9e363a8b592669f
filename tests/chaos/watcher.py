"""Hears which failpoints the services reach, and lets one of them be struck exactly there."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

#: strike(pid of the process that is there): whether that process goes on.
Strike = Callable[[int], Awaitable[bool]]


@dataclass
class Watcher:
    """At most one place is armed at a time."""

    reached: Counter[str] = field(default_factory=Counter)
    _place: str | None = None
    _strike: Strike | None = None
    _struck: asyncio.Event = field(default_factory=asyncio.Event)

    async def once(self, place: str, strike: Strike, *, seconds: float) -> bool:
        """Strike the next process that reaches the place; False if none did in time."""
        self._struck.clear()
        self._place, self._strike = place, strike
        try:
            async with asyncio.timeout(seconds):
                await self._struck.wait()
            return True
        except TimeoutError:
            return False
        finally:
            self._place = self._strike = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One process of the service."""
        peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid = struct.unpack("3i", peer)[0]
        with contextlib.suppress(OSError, EOFError), contextlib.closing(writer):
            while line := await reader.readline():
                place = line.decode().strip()
                self.reached[place] += 1
                goes_on = True
                if place == self._place and self._strike is not None:
                    strike, self._place = self._strike, None
                    goes_on = await strike(pid)
                    self._struck.set()
                if goes_on:
                    writer.write(b".")
                    await writer.drain()


@contextlib.asynccontextmanager
async def watching(path: Path) -> AsyncIterator[Watcher]:
    """Listens on a Unix socket inside the block."""
    watcher = Watcher()
    server = await asyncio.start_unix_server(watcher.serve, path)
    try:
        yield watcher
    finally:
        server.close()
