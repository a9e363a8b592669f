"""One lane from the broker to the database and back: read, decode, commit, acknowledge, answer.

While a transaction runs, what arrives is decoded and waits; the next transaction takes all of it. So
a single message is committed at once, and under load batches grow by themselves.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from paho.mqtt.enums import MQTTProtocolVersion

from devices import topics
from devices.errors import Refusal
from telehealth import clock, log, metrics
from telehealth.clock import ClinicalClock
from telehealth.errors import Unavailable
from telehealth.ingest import mqtt, reading
from telehealth.ingest.address import Address
from telehealth.ingest.receipts import Receipts
from telehealth.model.delivery import Delivery, Lane, Status
from telehealth.store import db, ingest
from telehealth.store.db import Database
from telehealth.store.ingest import Taken

_log = log.get("ingest")
_ACTOR = db.service("ingest")

#: Of one transaction, so that it stays well under the statement timeout.
_BATCH_MESSAGES = 2000
_BATCH_READINGS = 8000
#: Payload bytes taken from the broker and not yet committed, beyond which reading stops.
_HELD_BYTES = 32 * 1024 * 1024
_TRANSACTION_SECONDS = 40.0
_LONGEST_WAIT_SECONDS = 5.0
#: How long the broker may take, at the end, to accept the last receipts.
_LAST_RECEIPTS_SECONDS = 0.7

#: report(part, trouble): a part of this lane works (None) or why not.
Report = Callable[[str, str | None], None]


@dataclass(slots=True)
class Held:
    """One message between the broker and its acknowledgement. what None: nothing to store."""

    connection: mqtt.Connection
    mid: int
    qos: int
    size: int
    what: Delivery | Status | None
    failures: int = 0


@dataclass(frozen=True)
class Plan:
    """What tells one lane from another."""

    name: Lane
    client_id: str
    topics: tuple[str, ...]
    window: int


class Worker:
    """Runs one lane until told to stop."""

    def __init__(self, plan: Plan, *, address: Address, database: Database, clock: ClinicalClock, report: Report):
        self._plan = plan
        self._address = address
        self._database = database
        self._clock = clock
        self._report = report
        self._connection: mqtt.Connection | None = None
        self._waiting: deque[Held] = deque()
        self._bytes = 0
        self._first_at = 0.0
        self._arrived = asyncio.Event()
        self._stop = asyncio.Event()
        self._receipts = Receipts(self._publish, clock.now, at_once=lambda: clock.virtual)
        self._messages = metrics.MESSAGES.labels(plan.name)
        self._published = metrics.RECEIPTS.labels(plan.name)
        metrics.RECEIPTS_WAITING.labels(plan.name).set_function(self._receipts_waiting)
        metrics.UNSETTLED.labels(plan.name).set_function(self._unacknowledged)

    async def run(self) -> None:
        """Until stop(): then the batch under way is committed, acknowledged and answered."""
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(self._stay_connected(), name=f"{self._plan.name} connection")
            await self._work()
            await self._send_last()
            keeper.cancel()

    def stop(self) -> None:
        self._stop.set()
        self._arrived.set()
        if self._connection is not None:
            self._connection.shut()

    # The broker ------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        attempt = 0
        protocol = MQTTProtocolVersion.MQTTv5
        while True:
            try:
                async with mqtt.connect(
                    self._address,
                    self._plan.topics,
                    client_id=self._plan.client_id,
                    window=self._plan.window,
                    protocol=protocol,
                    received=self._on_message,
                    sent=self._receipts.resume,
                ) as connection:
                    attempt = 0
                    self._connection = connection
                    self._report("broker", None)
                    _log.info("connected to the broker", lane=self._plan.name, mqtt=int(protocol))
                    self._receipts.flush()
                    await connection.keep_alive()
                    trouble = f"the connection was lost ({connection.lost.result()})"
                    protocol = MQTTProtocolVersion.MQTTv5
            except mqtt.WrongProtocol as error:
                trouble = str(error)
                protocol = mqtt.other(protocol)
                # The other version is tried at once; then patience.
                attempt += protocol == MQTTProtocolVersion.MQTTv5
                if protocol != MQTTProtocolVersion.MQTTv5:
                    continue
            except Unavailable as error:
                trouble = str(error)
                attempt += 1
            finally:
                self._connection = None
                self._forget_undone()
            self._report("broker", trouble)
            _log.warning("no connection to the broker", lane=self._plan.name, trouble=trouble)
            await asyncio.sleep(_patience(attempt))

    def _forget_undone(self) -> None:
        """A lost connection's messages come again by the next, or from the devices."""
        self._waiting.clear()
        self._bytes = 0

    def _on_message(
        self, connection: mqtt.Connection, topic: bytes, payload: bytes, mid: int, qos: int, retain: bool
    ) -> None:
        if not self._waiting:
            self._first_at = clock.monotonic()
        what = reading.read(self._plan.name, topic, payload, self._clock.now(), retain=retain)
        size = len(payload)
        self._waiting.append(Held(connection, mid, qos, size, what))
        self._bytes += size
        if self._bytes > _HELD_BYTES:
            connection.shut()
        self._arrived.set()

    def _publish(self, topic: str, payload: bytes) -> bool:
        connection = self._connection
        if connection is None or not connection.may_publish:
            return False
        connection.publish(topic, payload)
        self._published.inc()
        return True

    def _unacknowledged(self) -> int:
        connection = self._connection
        return 0 if connection is None else connection.unacknowledged

    def _receipts_waiting(self) -> int:
        connection = self._connection
        return self._receipts.pending + (connection.unconfirmed if connection is not None else 0)

    async def _send_last(self) -> None:
        self._receipts.flush()
        deadline = clock.monotonic() + _LAST_RECEIPTS_SECONDS
        while clock.monotonic() < deadline:
            if self._connection is None or not self._receipts_waiting():
                break
            await asyncio.sleep(0.01)
        self._receipts.close()

    # The database ----------------------------------------------------------------------------------

    async def _work(self) -> None:
        while not self._stop.is_set():
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            started, batch = self._first_at, self._next_batch()
            await self._commit(batch)
            metrics.BATCH_SECONDS.observe(clock.monotonic() - started)
            metrics.BATCH_MESSAGES.observe(len(batch))

    def _next_batch(self) -> list[Held]:
        batch: list[Held] = []
        readings = 0
        waiting = self._waiting
        while waiting and len(batch) < _BATCH_MESSAGES and readings < _BATCH_READINGS:
            held = waiting.popleft()
            batch.append(held)
            if isinstance(held.what, Delivery):
                readings += len(held.what.message.readings)
        self._first_at = clock.monotonic()
        return batch

    async def _commit(self, batch: list[Held]) -> None:
        """Commit in one transaction if it can be, else in parts, so that one message stops no other."""
        parts = [batch]
        attempt = 0
        while parts and not (self._stop.is_set() and attempt):
            part = parts[-1]
            try:
                taken = await self._take_in(part)
            except Exception as error:
                if _of_data(error) and (narrowed := self._narrowed(part, error)):
                    parts[-1:] = narrowed
                    continue
                attempt += 1
                self._away(error, attempt)
                await self._pause(_patience(attempt))
                continue
            parts.pop()
            attempt = 0
            self._done(part, taken)

    async def _take_in(self, batch: list[Held]) -> Taken:
        deliveries = [held.what for held in batch if type(held.what) is Delivery]
        statuses = [held.what for held in batch if type(held.what) is Status]
        if not deliveries and not statuses:
            return Taken()
        async with asyncio.timeout(_TRANSACTION_SECONDS), self._database.transaction(_ACTOR) as connection:
            return await ingest.take_in(connection, deliveries, statuses, now=self._clock.now())

    def _done(self, batch: Sequence[Held], taken: Taken) -> None:
        self._report("database", None)
        self._report("ingest", None)
        connection = self._connection
        for held in batch:
            self._bytes -= held.size
            if held.connection is connection and not connection.lost.done():
                connection.acknowledge(held.mid, held.qos)
        self._bytes = max(0, self._bytes)
        self._receipts.add(taken.answers)
        if connection is not None and self._bytes < _HELD_BYTES:
            connection.resume()
        self._messages.inc(len(batch))
        metrics.READINGS.labels("stored").inc(taken.stored)
        metrics.READINGS.labels("duplicate").inc(taken.received - taken.stored)
        for error, count in taken.refusals.items():
            metrics.REFUSALS.labels(error).inc(count)

    def _narrowed(self, part: list[Held], error: Exception) -> list[list[Held]] | None:
        """The halves of what could not be stored; a single message is set aside; None: wait first."""
        if len(part) > 1:
            middle = len(part) // 2
            return [part[middle:], part[:middle]]
        held = part[0]
        held.failures += 1
        if held.failures == 2:
            return None
        _log.error("a message cannot be stored and is set aside", lane=self._plan.name, error=type(error).__name__)
        # Should even that fail, it is left out: without a receipt its device keeps it.
        held.what = _set_aside(held.what) if isinstance(held.what, Delivery) and held.failures == 1 else None
        return [part]

    def _away(self, error: Exception, attempt: int) -> None:
        away = isinstance(error, db.AWAY)
        trouble = f"cannot commit ({type(error).__name__})"
        self._report("database" if away else "ingest", trouble)
        self._report("ingest", trouble)
        _log.warning("cannot commit, will try again", lane=self._plan.name, error=type(error).__name__, attempt=attempt)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            pass


def plans(instance: str, window: int, backlog_window: int) -> tuple[Plan, Plan]:
    """The live and the backlog lane. instance: tells several services on one broker apart; usually empty."""
    suffix = f"-{instance}" if instance else ""
    live = Plan(
        "live", f"telehealth-ingest-live{suffix}", topics.filters("readings") + topics.filters("status"), window
    )
    backlog = Plan("backlog", f"telehealth-ingest-backlog{suffix}", topics.filters("backlog"), backlog_window)
    return live, backlog


def _set_aside(delivery: Delivery) -> Delivery:
    """The message without its readings, refused as a whole; its bytes go to quarantine."""
    why = Refusal("not_storable", None, "The message could not be stored; its bytes are kept for a person.")
    return msgspec.structs.replace(
        delivery, message=msgspec.structs.replace(delivery.message, readings=(), refusals=(why,))
    )


def _of_data(error: Exception) -> bool:
    """Whether a failure lies in what was to be stored, rather than in the database."""
    return isinstance(error, db.DATA) and not isinstance(error, db.AWAY)


def _patience(attempt: int) -> float:
    """Jittered, doubling, so that many services do not come back in step."""
    return float(min(_LONGEST_WAIT_SECONDS, 0.1 * 2 ** min(attempt, 10)) * random.uniform(0.5, 1.0))
