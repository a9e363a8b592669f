"""One lane from the broker to the database and back: decode, commit, acknowledge, answer.

While a transaction runs, what arrives is decoded and waits; the next transaction takes all of it. So
a single message is committed at once, and under load batches grow by themselves. However many
sessions at the broker a lane takes messages from, it has a fixed number of transactions at a time, each
with a share of the topics of its own: while the database is busy with one, the next is prepared here,
and they seldom wait for each other's devices.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telehealth import clock, failpoints, log, metrics
from telehealth.clock import ClinicalClock
from telehealth.ingest import mqtt, reading
from telehealth.ingest.receipts import Receipts
from telehealth.ingest.suspects import Held, Suspects, patience
from telehealth.model.delivery import Delivery, Lane, Status
from telehealth.store import db, ingest, outage
from telehealth.store.db import Database
from telehealth.store.ingest import Taken

_log = log.get("ingest")
_ACTOR = db.service("ingest")

#: What a decoded reading or a refusal takes in memory, beside the payload; generously.
_DECODED_BYTES = 1024
_TRANSACTION_SECONDS = 40.0
#: How long the broker may take, at the end, to accept the last receipts.
_LAST_RECEIPTS_SECONDS = 0.7
#: How long to wait for the broker to take receipts, when many wait, before some are given up.
_ROOM_SECONDS = 1.0
_LOOK_SECONDS = 1.0
#: The backlog's next transaction waits so long at most while live messages are at hand; longer while live is slow.
_GIVE_WAY_SECONDS = 0.25
_GIVE_WAY_SLOW_SECONDS = 2.0
_SLOW_SECONDS = 0.25

#: A transaction that takes longer is said to be trouble before it has failed: a lock, a network that swallows packets.
_HANGS_SECONDS = 10.0

#: What a smaller batch may be spared, or one without the device that somebody else has locked.
_TOO_MUCH = (*db.REFUSED_WORK, TimeoutError)

#: report(part, trouble): a part of this lane works (None) or why not.
Report = Callable[[str, str | None], None]


@dataclass(frozen=True)
class Bounds:
    """messages and readings: of one transaction, so that it stays well under the statement timeout. held_bytes: taken
    from the broker and not yet committed, beyond which reading stops. shares: transactions at a time."""

    messages: int
    readings: int
    held_bytes: int
    shares: int


#: Two shares: while the database is busy with one, the next is prepared. On two quiet cores 10 % more than with one.
LIVE = Bounds(2000, 8000, 32 * 1024 * 1024, 2)
#: Small, so that it neither holds locks nor the disk for long while something live comes.
BACKLOG = Bounds(200, 1000, 16 * 1024 * 1024, 1)


class _Share:
    """What waits for the next of one transaction after the other: the messages of some topics."""

    def __init__(self) -> None:
        self.waiting: deque[Held] = deque()
        #: When the first of them came.
        self.first_at = 0.0
        self.arrived = asyncio.Event()
        self.committing = False

    @property
    def busy(self) -> bool:
        return self.committing or bool(self.waiting)


class Worker:
    """Runs one lane until told to stop. gives_way_to: the lane that goes first."""

    def __init__(
        self,
        name: Lane,
        bounds: Bounds,
        *,
        database: Database,
        clock: ClinicalClock,
        report: Report,
        gives_way_to: Worker | None = None,
    ):
        self.name = name
        self._bounds = bounds
        self._database = database
        self._clock = clock
        self._report = report
        self._before = gives_way_to
        self._connections: list[mqtt.Connection] = []
        self._shares = [_Share() for _ in range(bounds.shares)]
        self._suspects = Suspects(name, self._try_again)
        #: Transactions that brought readings.
        self._stored = 0
        self._bytes = 0
        #: How long the last transaction took.
        self._took_seconds = 0.0
        self._idle = asyncio.Event()
        #: A share has enough for a transaction, or one has just ended.
        self._gathered = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._stop = asyncio.Event()
        self._receipts = Receipts(self.publish, clock.now, at_once=lambda: clock.virtual)
        self._messages = metrics.MESSAGES.labels(name)
        self._published = metrics.RECEIPTS.labels(name)
        metrics.RECEIPTS_WAITING.labels(name).set_function(self._receipts_waiting)
        metrics.UNSETTLED.labels(name).set_function(self._unacknowledged)
        metrics.HELD_BYTES.labels(name).set_function(lambda: self._bytes)

    async def run(self) -> None:
        """Until stop(): then the batch under way is committed, acknowledged and answered."""
        async with asyncio.TaskGroup() as group:
            for share in self._shares:
                group.create_task(self._work(share), name=f"{self.name} commits")
            group.create_task(self._suspects.run(self._stop), name=f"{self.name} tries again")
        self._idle.set()
        await self._send_last()

    def stop(self) -> None:
        self._stop.set()
        for share in self._shares:
            share.arrived.set()
        self._gathered.set()
        self._suspects.wake()
        for connection in self._connections:
            connection.read_no_more()

    @property
    def busy(self) -> bool:
        """Whether something is waiting or being committed."""
        return self._suspects.busy or self.taking

    @property
    def taking(self) -> bool:
        """Whether something is waiting or being committed that is not waited for to come right."""
        return any(share.busy for share in self._shares)

    def writes_again(self) -> None:
        """The database takes writes: whatever was wrong is over, unless a batch still finds otherwise."""
        if not self.busy:
            self._well()

    # The broker ------------------------------------------------------------------------------------

    def joined(self, connection: mqtt.Connection) -> None:
        """A session is connected."""
        self._connections.append(connection)

    def left(self, connection: mqtt.Connection) -> None:
        """It is not any more: what it brought and is not under way comes again, by another or from the devices."""
        self._connections.remove(connection)
        for share in self._shares:
            keep = deque(held for held in share.waiting if held.connection is not connection)
            self._bytes -= sum(held.size for held in share.waiting if held.connection is connection)
            share.waiting = keep
        self._bytes -= self._suspects.forget(connection)
        self._read_on()

    async def settled(self, connection: mqtt.Connection, seconds: float) -> None:
        """Until all that a connection brought is acknowledged and answered, or it is lost, or the time is over."""
        deadline = clock.monotonic() + seconds
        while connection.unacknowledged and not connection.lost.done() and clock.monotonic() < deadline:
            self._acknowledged.clear()
            await self._pause(_LOOK_SECONDS, self._acknowledged)
        self._receipts.flush()

    def received(
        self, connection: mqtt.Connection, topic: bytes, payload: bytes, mid: int, qos: int, retain: bool
    ) -> None:
        """A message of one of the sessions."""
        # By topic, in every process alike: a device's messages wait for each other, those of others do not.
        share = self._shares[zlib.crc32(topic) % len(self._shares)]
        if not share.waiting:
            share.first_at = clock.monotonic()
        what = reading.read(
            self.name, topic, payload, self._clock.now(), retain=retain, content_type=connection.content_type
        )
        size = len(payload) + _DECODED_BYTES * (1 + _entries(what))
        share.waiting.append(Held(connection, mid, qos, size, what))
        self._bytes += size
        if self._bytes > self._bounds.held_bytes:
            for each in self._connections:
                each.shut()
        share.arrived.set()
        if len(share.waiting) == self._bounds.messages // 2:
            self._gathered.set()

    def _read_on(self) -> None:
        if self._bytes <= self._bounds.held_bytes:
            for connection in self._connections:
                connection.resume()

    def publish(self, topic: str, payload: bytes) -> bool:
        """QoS 1, by whichever session may; False if none may now."""
        for connection in self._connections:
            if connection.may_publish:
                connection.publish(topic, payload)
                self._published.inc()
                return True
        return False

    def publish_confirmed(self, topic: str, payload: bytes) -> asyncio.Future[bool] | None:
        """As publish; a future that says whether the broker has it, None if it cannot be sent now."""
        for connection in self._connections:
            if connection.may_publish:
                return connection.publish_confirmed(topic, payload)
        return None

    def resume_receipts(self) -> None:
        """The broker has taken something."""
        self._receipts.resume()

    def flush_receipts(self) -> None:
        """A session has come: it may take what waits."""
        self._receipts.flush()

    def _unacknowledged(self) -> int:
        return sum(connection.unacknowledged for connection in self._connections)

    def _receipts_waiting(self) -> int:
        return self._receipts.pending + sum(connection.unconfirmed for connection in self._connections)

    async def _send_last(self) -> None:
        self._receipts.flush()
        deadline = clock.monotonic() + _LAST_RECEIPTS_SECONDS
        while clock.monotonic() < deadline:
            if not self._connections or not self._receipts_waiting():
                break
            await asyncio.sleep(0.01)
        self._receipts.close()

    # The database ----------------------------------------------------------------------------------

    async def _work(self, share: _Share) -> None:
        while not self._stop.is_set():
            if not share.waiting:
                if not self.taking:
                    self._idle.set()
                share.arrived.clear()
                await share.arrived.wait()
                self._idle.clear()
                continue
            await self._gather(share)
            await self._give_way()
            await self._room_for_answers()
            if not share.waiting:
                continue
            batch = self._next_batch(share)
            started, share.first_at = share.first_at, clock.monotonic()
            share.committing = True
            try:
                await self._commit(batch)
            finally:
                share.committing = False
                self._gathered.set()
                self._read_on()
            self._took_seconds = clock.monotonic() - started
            metrics.BATCH_SECONDS.observe(self._took_seconds)
            metrics.BATCH_MESSAGES.observe(len(batch))

    async def _gather(self, share: _Share) -> None:
        """Beside another share's transaction only what is much: a few messages cost less in the one after it."""
        while (
            len(share.waiting) < self._bounds.messages // 2
            and any(other.committing for other in self._shares)
            and not self._stop.is_set()
        ):
            self._gathered.clear()
            await self._gathered.wait()

    async def _give_way(self) -> None:
        """A live message goes first. For a while only: a backlog must drain under a steady load too."""
        before = self._before
        if before is None or not before.taking:
            return
        slow = before._took_seconds > _SLOW_SECONDS
        await self._pause(_GIVE_WAY_SLOW_SECONDS if slow else _GIVE_WAY_SECONDS, before._idle)

    async def _room_for_answers(self) -> None:
        """Take no more in while the broker takes no answers; then give some up: they will be asked for again."""
        if self._receipts.full:
            await self._pause(_ROOM_SECONDS, self._receipts.room)
            if shed := self._receipts.shed():
                metrics.SHED_RECEIPTS.inc(shed)
                _log.warning("the broker takes no receipts: some are given up", lane=self.name, answers=shed)

    def _next_batch(self, share: _Share) -> list[Held]:
        """What waits of a share; of the others too while all is little, as one transaction costs less than two."""
        batch: list[Held] = []
        readings = self._take(share, batch, 0)
        for other in self._shares:
            if other is share or other.committing or not other.waiting:
                continue
            if len(batch) + len(other.waiting) <= self._bounds.messages // 2:
                share.first_at = min(share.first_at, other.first_at)
                readings = self._take(other, batch, readings)
        return batch

    def _take(self, share: _Share, batch: list[Held], readings: int) -> int:
        """Move what waits to a batch that has so many readings, within the bounds; how many it has then."""
        waiting = share.waiting
        while waiting and len(batch) < self._bounds.messages and readings < self._bounds.readings:
            held = waiting.popleft()
            batch.append(held)
            readings += _entries(held.what)
        return readings

    async def _commit(self, batch: list[Held]) -> None:
        """Commit in one transaction if it can be, else in parts, so that one message stops no other."""
        parts = [batch]
        attempt = 0
        while parts and not (self._stop.is_set() and attempt):
            part = parts[-1]
            began = clock.monotonic()
            try:
                taken = await self._take_in(part)
            except Exception as error:
                if _of_data(error) and (narrowed := self._narrowed(part, error)):
                    parts[-1:] = narrowed
                    continue
                if len(part) == 1 and not _away(error):
                    self._put_off(parts.pop()[0], error, clock.monotonic() - began)
                    continue
                attempt += 1
                self._cannot(error, attempt)
                await self._pause(patience(attempt), self._stop)
                self._bytes -= _forget_lost(parts)
                if not _away(error):
                    _lighten(parts)
                continue
            parts.pop()
            attempt = 0
            self._done(part, taken)

    def _put_off(self, held: Held, error: Exception, took: float) -> None:
        if held.tries == 0 or held.stored == self._stored:
            # Nothing else was stored since: it may well be the database.
            self._cannot(error, held.tries + 1)
        self._suspects.put_off(held, error, took=took, stored=self._stored)

    async def _try_again(self, held: Held) -> None:
        """One message that failed alone."""
        if held.connection.lost.done():
            self._bytes -= held.size
            return
        await self._commit([held])
        if not self._suspects.has(held):
            self._suspects.all_due()

    async def _take_in(self, batch: list[Held]) -> Taken:
        deliveries = [held.what for held in batch if type(held.what) is Delivery]
        statuses = [held.what for held in batch if type(held.what) is Status]
        if not deliveries and not statuses:
            return Taken()
        hanging = asyncio.get_running_loop().call_later(_HANGS_SECONDS, self._hangs, self._stored)
        try:
            async with asyncio.timeout(_TRANSACTION_SECONDS), self._database.transaction(_ACTOR) as connection:
                now, stepped = self._clock.now(), self._clock.virtual
                taken = await ingest.take_in(connection, deliveries, statuses, now=now, stepped=stepped)
                failpoints.reach("ingest.before_commit")
        finally:
            hanging.cancel()
        failpoints.reach("ingest.committed")
        self._stored += bool(taken.received)
        self._well()
        return taken

    def _done(self, batch: Sequence[Held], taken: Taken) -> None:
        for held in batch:
            self._bytes -= held.size
            if not held.connection.lost.done():
                held.connection.acknowledge(held.mid, held.qos)
        self._acknowledged.set()
        failpoints.reach("ingest.acknowledged")
        self._receipts.add(taken.answers)
        failpoints.reach("ingest.receipted")
        self._read_on()
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
        _log.error(
            "a message cannot be stored and is set aside",
            lane=self.name,
            error=type(error).__name__,
            where=log.where(error),
        )
        held.set_aside()
        return [part]

    def _well(self) -> None:
        self._report("database", None)
        self._report("ingest", None)

    def _cannot(self, error: Exception, attempt: int) -> None:
        trouble = outage.sentence(error)
        if isinstance(error, db.AWAY):
            self._report("database", trouble)
        self._not_stored(trouble)
        _log.warning("cannot commit, will try again", lane=self.name, error=type(error).__name__, attempt=attempt)

    def _hangs(self, stored: int) -> None:
        """Nothing of the lane was stored since a transaction began, which is still under way."""
        if self._stored == stored:
            self._not_stored("the database has been busy with them, or waiting for a lock, for too long")
            _log.warning("a commit takes long", lane=self.name, seconds=_HANGS_SECONDS)

    def _not_stored(self, trouble: str) -> None:
        self._report("ingest", f"readings are not being stored: {trouble}; they wait with the broker and the devices")

    async def _pause(self, seconds: float, unless: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(seconds):
                await unless.wait()
        except TimeoutError:
            pass


def _entries(what: Delivery | Status | None) -> int:
    return len(what.message.readings) + len(what.message.refusals) if type(what) is Delivery else 0


def _lighten(parts: list[list[Held]]) -> None:
    """The last part took the database too long, or may be what is wrong: try half of it."""
    middle = len(parts[-1]) // 2 if parts else 0
    if middle:
        part = parts.pop()
        parts += [part[middle:], part[:middle]]


def _forget_lost(parts: list[list[Held]]) -> int:
    """Leave out what comes again by another connection, so that it is not held twice; its size."""
    forgotten = 0
    for part in parts:
        forgotten += sum(held.size for held in part if held.connection.lost.done())
        part[:] = [held for held in part if not held.connection.lost.done()]
    parts[:] = [part for part in parts if part]
    return forgotten


def _of_data(error: Exception) -> bool:
    """Whether a failure lies in what was to be stored, rather than in the database."""
    return isinstance(error, db.DATA) and not isinstance(error, db.AWAY)


def _away(error: Exception) -> bool:
    """Whether the database is not there for anybody."""
    return isinstance(error, db.AWAY) and not isinstance(error, _TOO_MUCH) and not db.unclear(error)
