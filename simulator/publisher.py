"""Publishes what devices hold until receipts settle it: one connection per device, all on one loop."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from devices import commands
from simulator import clock, connection, errors, kit, native, outbox, receipts, world

RESEND_FIRST_SECONDS = 30.0
RESEND_MOST_SECONDS = 15 * 60.0
BACKLOG_UNSETTLED = 4
#: A connection that held this long was a good one: the next attempt comes at once.
STEADY_SECONDS = 30.0
DIGESTS_KEPT = 8
#: A message that leaves within so long of when it was to leave says that it left then.
PROMPT_MS = 3_000


@dataclass
class Totals:
    """What happened so far, in messages; refused in refusals (a message may have several)."""

    taken: int = 0
    readings: int = 0
    deliveries: int = 0
    settled: int = 0
    refused: int = 0
    reconnects: int = 0


@dataclass
class Station:
    """One device's side of the contract."""

    device_id: str
    password: str
    held: dict[tuple[str, int], outbox.Held] = field(default_factory=dict)
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    #: Cleared while it has no connection: its Wi-Fi is down, it is switched off.
    reachable: asyncio.Event = field(default_factory=asyncio.Event)
    link: connection.Link | None = None
    trouble: str | None = None
    refused: bool = False
    totals: Totals = field(default_factory=Totals)


RefusalHandler = Callable[[outbox.Held, receipts.Refusal], None]
SettledHandler = Callable[[outbox.Held], None]
#: A message, and when the device sent it (milliseconds since 1970); attempts tells the first one from resends.
DeliveryHandler = Callable[[outbox.Held, int], None]
CommandHandler = Callable[[str, commands.Command], None]


def _usual_state(_device_id: str, _at_ms: int) -> tuple[float, str]:
    return 1.0, "1.4.2"


@dataclass(frozen=True)
class Facts:
    """What devices know of themselves at a time: what their clocks show (ms), their charge and firmware."""

    shown: Callable[[str, int], int] = lambda _device_id, at_ms: at_ms
    state: Callable[[str, int], tuple[float, str]] = _usual_state


class Publisher:
    """Use inside `async with publisher.running():`. now: what the devices' clocks show (virtual or real)."""

    def __init__(
        self,
        broker: world.Broker,
        journal: outbox.Outbox,
        *,
        now: Callable[[], datetime] = clock.now,
        on_refused: RefusalHandler = lambda _held, _refusal: None,
        on_settled: SettledHandler = lambda _held: None,
        on_delivery: DeliveryHandler = lambda _held, _at_ms: None,
        on_command: CommandHandler = lambda _device_id, _command: None,
        facts: Facts | None = None,
        retry_seconds: Sequence[float] = (0.5, 1, 2, 5),
        beside: str | None = None,
        announced: bool = True,
    ) -> None:
        """beside: marks the client ids, so that a broker that allows it keeps the device's other connection too.

        announced: whether devices say on their status topic that they are online.
        """
        self.totals = Totals()
        self._broker = broker
        self._journal = journal
        self._now = now
        self._on_refused = on_refused
        self._on_settled = on_settled
        self._on_delivery = on_delivery
        self._on_command = on_command
        self._facts = facts or Facts()
        self._retry_seconds = retry_seconds
        # "." is in no device id: this can never be the name of another device.
        self._suffix = f".{beside}" if beside else ""
        self._announced = announced
        #: While history is fed: a message says that it was sent when it would have been, not when it is.
        self.as_planned = False
        self._tasks: list[asyncio.Task[None]] = []
        self._stations: dict[str, Station] = {}
        self._group: asyncio.TaskGroup | None = None
        self._changed = asyncio.Condition()
        self._poke = asyncio.Event()
        self._left: dict[str, list[outbox.Held]] = {}
        for held in journal.held():
            self._left.setdefault(held.device_id, []).append(held)

    @property
    def unsettled(self) -> int:
        return sum(len(station.held) for station in self._stations.values())

    @property
    def connected(self) -> int:
        return sum(station.link is not None for station in self._stations.values())

    @property
    def troubles(self) -> dict[str, str]:
        """Devices that cannot connect, with why."""
        return {name: station.trouble for name, station in self._stations.items() if station.trouble}

    @property
    def credentials_refused(self) -> dict[str, str]:
        """Of these, the ones whose credentials the broker does not accept: waiting does not help."""
        return {name: station.trouble or "" for name, station in self._stations.items() if station.refused}

    def left(self, device_id: str) -> bool:
        """Whether an earlier run left messages of this device, which is not known yet."""
        return device_id in self._left

    def add(self, device: world.Device) -> None:
        """Makes a device known; it connects when it has something to send, or by connect()."""
        station = Station(device.device_id, device.password)
        station.reachable.set()
        self._stations[device.device_id] = station
        for held in self._left.pop(device.device_id, []):
            station.held[held.name] = held
            station.wanted.set()
        self._start(station)

    def connect(self, device_id: str) -> None:
        """Connects although there is nothing to send, to be there for commands."""
        self._stations[device_id].wanted.set()

    def cut(self, device_id: str) -> None:
        """Its connection is lost without a word, until restore()."""
        station = self._stations[device_id]
        station.reachable.clear()
        if station.link is not None:
            station.link.abandon()

    def restore(self, device_id: str) -> None:
        """It may connect again, which it does if it was connected or has something to send."""
        self._stations[device_id].reachable.set()

    def is_connected(self, device_id: str) -> bool:
        return self._stations[device_id].link is not None

    def unsettled_of(self, device_id: str) -> int:
        return len(self._stations[device_id].held)

    def counts(self, device_id: str) -> Totals:
        """What happened to one device's messages."""
        return self._stations[device_id].totals

    def say(self, device_id: str, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Sends what nobody keeps: a status, or what is malicious. False: there is no connection."""
        station = self._stations[device_id]
        station.wanted.set()
        if station.link is None:
            return False
        station.link.publish(topic, payload, retain=retain)
        return True

    def publish(self, batches: Iterable[kit.Batch]) -> list[outbox.Held]:
        """Keeps the messages on disk, then sends what may be sent now; the others when their time has come."""
        fresh = self.keep(batches)
        for name in {held.device_id for held in fresh}:
            self._pump(self._stations[name])
        return fresh

    def keep(self, batches: Iterable[kit.Batch]) -> list[outbox.Held]:
        """Keeps the messages on disk; send_due() sends them."""
        wanted = list(batches)
        fresh = self._journal.put((b.device_id, b.taken_ms, b.sent_ms, b.count, b.readings) for b in wanted)
        for batch, held in zip(wanted, fresh, strict=True):
            held.copies = batch.copies
            station = self._stations[held.device_id]
            station.held[held.name] = held
            station.wanted.set()
            for totals in (self.totals, station.totals):
                totals.taken += 1
                totals.readings += held.count
        return fresh

    def adopt(self, held: outbox.Held) -> None:
        """Sends a message that has its stream and number already; kept in memory only, until its receipt."""
        station = self._stations[held.device_id]
        station.held[held.name] = held
        station.wanted.set()
        for totals in (self.totals, station.totals):
            totals.taken += 1
            totals.readings += held.count
        self._pump(station)

    def send_due(self) -> None:
        """Sends what was kept until now."""
        for station in self._stations.values():
            if station.held:
                self._pump(station)

    @property
    def due(self) -> int:
        """Messages that wait for their receipts, of devices that can be reached."""
        now_ms = clock.to_ms(self._now())
        return sum(
            held.sent_ms <= now_ms
            for station in self._stations.values()
            if station.reachable.is_set()
            for held in station.held.values()
        )

    @property
    def open(self) -> int:
        """Messages whose time has come and that no receipt has settled, whether their devices can be reached or not."""
        now_ms = clock.to_ms(self._now())
        return sum(held.sent_ms <= now_ms for station in self._stations.values() for held in station.held.values())

    async def nothing_due(self) -> None:
        """Waits until everything that could be sent by now is settled."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.due == 0)

    async def settled(self) -> None:
        """Waits until every message is settled."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.unsettled == 0)

    async def changed(self) -> None:
        """Waits until something is settled or a device cannot connect."""
        async with self._changed:
            await self._changed.wait()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Publisher]:
        """Runs the connections; at the end closes them and keeps what is unsettled in the journal."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._tasks = [group.create_task(self._tick(), name="resend"), group.create_task(self._tell(), name="tell")]
            for station in self._stations.values():
                self._start(station)
            try:
                yield self
            finally:
                self._group = None
                for task in self._tasks:
                    task.cancel()
                self._journal.flush()

    def _start(self, station: Station) -> None:
        if self._group is not None:
            self._tasks.append(self._group.create_task(self._serve(station), name=f"device {station.device_id}"))

    async def _serve(self, station: Station) -> None:
        """Keeps one device connected from when it is wanted on."""
        await station.wanted.wait()
        failures = 0
        while True:
            await station.reachable.wait()
            opened = clock.monotonic()
            try:
                await self._session(station)
                if clock.monotonic() - opened > STEADY_SECONDS:
                    failures = 0
                self.totals.reconnects += 1
                station.totals.reconnects += 1
            except errors.SimulatorError as error:
                station.trouble = str(error)
                station.refused = isinstance(error, connection.CredentialsRefused)
                self._poke.set()
            await asyncio.sleep(self._retry_seconds[min(failures, len(self._retry_seconds) - 1)])
            failures += 1

    async def _session(self, station: Station) -> None:
        name = station.device_id

        def status(online: bool) -> bytes:
            now_ms = clock.to_ms(self._now())
            shown = clock.from_ms(self._facts.shown(name, now_ms))
            return native.status(online, *self._facts.state(name, now_ms), shown)

        async with connection.connect(
            self._broker,
            name,
            station.password,
            topics=[native.topic(name, "receipts"), native.topic(name, "commands")],
            will=(native.topic(name, "status"), status(False)) if self._announced else None,
            client_id=name + self._suffix,
            on_message=lambda topic, payload: self._heard(station, topic, payload),
        ) as link:
            station.link, station.trouble, station.refused = link, None, False
            try:
                if self._announced:
                    link.publish(native.topic(name, "status"), status(True), retain=True)
                for held in station.held.values():
                    held.again_at = 0.0
                self._pump(station)
                if not station.reachable.is_set():
                    # It was cut off while it was connecting.
                    link.abandon()
                await link.closed.wait()
            finally:
                station.link = None
                if self._announced and not link.closed.is_set():
                    link.publish(native.topic(name, "status"), status(False), retain=True)

    def _pump(self, station: Station) -> None:
        """Sends what is due: all of the live lane, and of the backlog no more than the contract allows at once."""
        if station.link is None:
            return
        at = clock.monotonic()
        now_ms = clock.to_ms(self._now())
        backlog = 0
        oldest: dict[str, int] = {}
        for held in station.held.values():
            oldest[held.stream] = min(oldest.get(held.stream, held.seq), held.seq)
        for held in list(station.held.values()):
            if held.attempts == 0 and held.sent_ms > now_ms:
                continue
            sent_ms = self._sent_ms(held, now_ms)
            lane = native.lane(held.taken_ms, sent_ms)
            if lane == "backlog":
                backlog += 1
                if backlog > BACKLOG_UNSETTLED:
                    continue
            if held.again_at <= at:
                self._send(station, held, lane, sent_ms, oldest[held.stream], at)
                while held.copies:
                    held.copies -= 1
                    self._send(station, held, lane, sent_ms, oldest[held.stream], at)

    def _sent_ms(self, held: outbox.Held, now_ms: int) -> int:
        if held.attempts == 0 and not held.left and (self.as_planned or now_ms - held.sent_ms <= PROMPT_MS):
            return held.sent_ms
        return now_ms

    def _send(
        self, station: Station, held: outbox.Held, lane: native.Lane, sent_ms: int, oldest: int, at: float
    ) -> None:
        shown = clock.from_ms(self._facts.shown(held.device_id, sent_ms))
        payload = native.message(held.stream, held.seq, oldest, shown, held.readings)
        held.digests = [*held.digests[1 - DIGESTS_KEPT :], hashlib.sha256(payload).hexdigest()[:16]]
        wait = min(RESEND_FIRST_SECONDS * 2 ** min(held.attempts, 16), RESEND_MOST_SECONDS)
        held.attempts += 1
        held.again_at = at + wait
        self.totals.deliveries += 1
        station.totals.deliveries += 1
        self._on_delivery(held, sent_ms)
        if station.link is not None:
            station.link.publish(native.topic(held.device_id, lane), payload)

    def _heard(self, station: Station, topic: str, payload: bytes) -> None:
        if topic == native.topic(station.device_id, "receipts"):
            receipt = receipts.decode(payload)
            if receipt is not None:
                self._take(station, receipt)
        elif topic == native.topic(station.device_id, "commands"):
            command = commands.decode(payload)
            # An expired command is ignored: a late ring must not ring.
            if command is not None and command.expires_at > self._now():
                self._on_command(station.device_id, command)

    def _take(self, station: Station, receipt: receipts.Receipt) -> None:
        done: list[outbox.Held] = []
        for held in station.held.values():
            for refusal in receipts.refusals(receipt, held.stream, held.seq, held.digests):
                if refusal not in held.refusals:
                    held.refusals.append(refusal)
                    self.totals.refused += 1
                    station.totals.refused += 1
                    self._on_refused(held, refusal)
            if receipts.settles(receipt, held.stream, held.seq, held.digests):
                done.append(held)
        for held in done:
            del station.held[held.name]
            self._journal.settle(held)
            self.totals.settled += 1
            station.totals.settled += 1
            self._on_settled(held)
        if done:
            self._pump(station)
            self._poke.set()

    async def _tick(self) -> None:
        """Every second: pings, resends whose time has come, and the journal of what is settled."""
        while True:
            await asyncio.sleep(1.0)
            for station in self._stations.values():
                if station.link is not None:
                    station.link.keep_alive()
                if station.held:
                    self._pump(station)
            self._journal.flush()

    async def _tell(self) -> None:
        """Wakes those who wait for a change; callbacks of paho cannot take the lock themselves."""
        while True:
            await self._poke.wait()
            self._poke.clear()
            async with self._changed:
                self._changed.notify_all()
