"""How many device messages by HTTP are dealt with at one time: memory is bounded, and pages keep their connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from aiohttp import web

from telehealth.web import errors

#: Of the connections to the database that the process has, how many transactions of devices may use.
_SHARE = 3


class Admission:
    """most: messages whose bytes are read or wait; connections: of the process, to the database."""

    def __init__(self, most: int, connections: int) -> None:
        self._most = most
        self._inside = 0
        self._transactions = asyncio.Semaphore(max(1, connections // _SHARE))

    @contextlib.contextmanager
    def message(self) -> Iterator[None]:
        """A place for one message. Raises Problem (503, come again) if there is none: the device keeps its message."""
        if self._inside >= self._most:
            raise errors.Problem(503, errors.TEXTS[503], headers={"Retry-After": "10"})
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """A turn with the database."""
        async with self._transactions:
            yield


ADMISSION = web.AppKey("admission", Admission)
