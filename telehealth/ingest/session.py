"""One session at the broker: kept connected while this process has its slot, then given up in good order."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable

from telehealth import clock, log
from telehealth.errors import Unavailable
from telehealth.ingest import mqtt
from telehealth.ingest.address import Address
from telehealth.ingest.lane import Worker
from telehealth.ingest.places import Place

_log = log.get("ingest")

_LONGEST_WAIT_SECONDS = 5.0
#: How long what was taken from the broker may take to be committed when a slot is handed over.
_SETTLE_SECONDS = 20.0
#: An old session that has sent nothing for so long is empty.
_QUIET_SECONDS = 2.0


class NoSharing(Exception):
    """This broker has no shared subscriptions, so there is nothing for more than one slot to do."""


class Session:
    """run() ends after leave(), or raises NoSharing.

    window: messages taken and not acknowledged; whole_window: the same where the broker cannot share, and this session
    has all of them. confirm: waits until the slot is known to be ours still. learnt: told whether the broker can share.
    """

    def __init__(
        self,
        place: Place,
        worker: Worker,
        *,
        address: Address,
        window: int,
        whole_window: int,
        report: Callable[[str | None], None],
        confirm: Callable[[], Awaitable[None]],
        learnt: Callable[[bool], None],
    ) -> None:
        self._place = place
        self._worker = worker
        self._address = address
        self._window = window
        self._whole_window = whole_window
        self._report = report
        self._confirm = confirm
        self._learnt = learnt
        self._version = mqtt.Version()
        self._leaving = asyncio.Event()
        #: Connected and subscribed.
        self.ready = False

    def leave(self) -> None:
        """Take nothing more; what was taken is committed and acknowledged, then run() ends."""
        self._leaving.set()

    async def run(self) -> None:
        """Stay connected until leave()."""
        self._report("not connected yet")
        attempt = 0
        try:
            while not self._leaving.is_set():
                try:
                    async with self._connected() as connection:
                        await self._subscribe(connection)
                        attempt = 0
                        await self._serve(connection)
                except Unavailable as error:
                    attempt += 1
                    self._lost(str(error))
                    await self._pause(_patience(attempt))
                # Somebody else may have the slot by now: then this session is theirs, and not to be fought for.
                await self._confirm()
        finally:
            self._report(None)

    async def drain(self) -> None:
        """Take in what the broker still has for a session that is no longer used, and end it. Raises Unavailable."""
        async with self._connected() as connection:
            if connection.resumed:
                await connection.unsubscribe(self._place.everything(shares=connection.shares))
                await self._emptied(connection)
            connection.end_session()
            five = connection.protocol == self._version.first()
        if not five:
            async with self._connected(fresh=True):
                pass

    @contextlib.asynccontextmanager
    async def _connected(self, *, fresh: bool = False) -> AsyncIterator[mqtt.Connection]:
        """By the newest version of MQTT that the broker speaks."""
        protocol = self._version.first()
        while True:
            try:
                async with mqtt.connect(
                    self._address,
                    (),
                    client_id=self._place.client_id,
                    window=self._window if protocol == self._version.first() else self._whole_window,
                    protocol=protocol,
                    received=self._worker.received,
                    sent=self._worker.resume_receipts,
                    fresh=fresh,
                ) as connection:
                    self._version.worked(protocol)
                    self._worker.joined(connection)
                    try:
                        yield connection
                    finally:
                        self._worker.left(connection)
                    return
            except mqtt.WrongProtocol as error:
                if protocol != self._version.first() or not self._version.older(error):
                    raise
                protocol = self._version.next()

    async def _subscribe(self, connection: mqtt.Connection) -> None:
        shares = connection.shares
        self._learnt(shares)
        if not shares and self._place.number != 0:
            connection.end_session()
            raise NoSharing
        await connection.subscribe(self._place.wanted(shares=shares))
        # Only now, so that nothing falls in between: what comes twice does no harm.
        if unwanted := self._place.unwanted(shares=shares):
            await connection.unsubscribe(unwanted)
        self._report(None)
        self.ready = True
        _log.info("connected to the broker", session=self._place.client_id, mqtt=int(connection.protocol))
        self._worker.flush_receipts()

    async def _serve(self, connection: mqtt.Connection) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                alive = group.create_task(connection.keep_alive(), name="keep alive")
                leaving = group.create_task(self._leaving.wait(), name="leave")
                await asyncio.wait([alive, leaving], return_when=asyncio.FIRST_COMPLETED)
                if not connection.lost.done():
                    connection.read_no_more()
                    await self._worker.settled(connection, _SETTLE_SECONDS)
                alive.cancel()
                leaving.cancel()
        finally:
            self.ready = False
        if connection.lost.done():
            raise Unavailable(f"the connection was lost ({connection.lost.result()})")

    async def _emptied(self, connection: mqtt.Connection) -> None:
        """Until nothing has come for a while and all that came is settled."""
        seen, since = connection.received_count, clock.monotonic()
        while clock.monotonic() - since < _QUIET_SECONDS:
            await asyncio.wait([connection.lost], timeout=0.1)
            connection.ping()
            if connection.lost.done():
                raise Unavailable(f"the connection was lost ({connection.lost.result()})")
            if connection.received_count != seen or connection.unacknowledged:
                seen, since = connection.received_count, clock.monotonic()

    def _lost(self, trouble: str) -> None:
        self._report(trouble)
        _log.warning("no connection to the broker", session=self._place.client_id, trouble=trouble)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leaving.wait()


def _patience(attempt: int) -> float:
    """Jittered, doubling, so that many services do not come back in step."""
    return float(min(_LONGEST_WAIT_SECONDS, 0.1 * 2 ** min(attempt, 10)) * random.uniform(0.5, 1.0))
