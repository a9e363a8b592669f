"""A load from its first connection to its last receipt: the ramp, the rate, reconnecting, what it came to."""

from __future__ import annotations

import asyncio
import heapq
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from simulator import clock, errors, world
from simulator.load import figures
from simulator.load.devices import Devices
from simulator.load.session import KEEP_ALIVE_SECONDS, Session

_TURN_SECONDS = 0.005
#: Messages made in one turn, so that answers are heard meanwhile.
_AT_ONCE = 200
#: Connections that are being opened at a time, and how long one may take.
_OPENING = 100
_OPEN_SECONDS = 30.0
_AGAIN_FIRST_SECONDS, _AGAIN_MOST_SECONDS = 0.5, 30.0
_UPKEEP_SECONDS = 1.0
#: What every device waits a little longer or shorter than, so that not all come back at once.
_SPREAD = 0.618034


@dataclass(frozen=True)
class Plan:
    """every: seconds between two messages of a device; ramp: over which all connect; settle: waited at the end.

    by_receipt: a receipt of the service settles a message, else the broker's PUBACK does.
    """

    every: float
    ramp: float
    duration: float
    settle: float = 30.0
    by_receipt: bool = True


class Load(msgspec.Struct):
    """What came of it. Rates in messages a second, of the time after the ramp; bytes: of this process's memory."""

    devices: int
    connected: int
    ramp_seconds: float
    seconds: float
    wanted_a_second: float
    made_a_second: float
    messages: int
    deliveries: int
    resends: int
    acknowledged: int
    settled: int
    lost: int
    refused: int
    refused_by_reason: dict[str, int]
    disconnects: int
    failed_connections: int
    refused_connections: dict[str, int]
    connect_ms: figures.Percentiles
    puback_ms: figures.Percentiles
    receipt_ms: figures.Percentiles
    behind_ms: float
    cores: float
    cores_ramp: float
    memory_bytes: int
    memory_before_bytes: int
    file_limit: int


@dataclass
class Snapshot:
    """For who looks on."""

    phase: str
    seconds: float
    connected: int
    messages: int
    acknowledged: int
    settled: int
    unsettled: int
    refused: int
    disconnects: int
    recent_ms: list[float]


async def load(
    plan: Plan,
    devices: Sequence[world.Device],
    broker: world.Broker,
    stop: asyncio.Event,
    look: Callable[[Snapshot], None],
) -> Load:
    """Runs it to the end, or until stop is set. Raises BadInput or Unreachable."""
    limit = figures.raise_file_limit(len(devices))
    before = figures.memory_bytes()
    return await _Run(plan, devices, await _address(broker), stop, look).all(limit, before)


async def _address(broker: world.Broker) -> tuple[str, int]:
    """Resolved once, and tried, so that a wrong address is one line and not ten thousand failures."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
        host = str(found[0][4][0])
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, broker.port), 10)
        writer.close()
    except (OSError, TimeoutError) as error:
        raise errors.Unreachable(f"no broker at {broker.host}:{broker.port}: {error}") from None
    return host, broker.port


class _Run:
    def __init__(
        self,
        plan: Plan,
        devices: Sequence[world.Device],
        address: tuple[str, int],
        stop: asyncio.Event,
        look: Callable[[Snapshot], None],
    ) -> None:
        self._plan = plan
        self._address = address
        self._stop = stop
        self._look = look
        self._devices = Devices(by_receipt=plan.by_receipt, opened=self._arrived, closed=self._lost)
        self._sessions = [Session(self._devices, device.device_id, device.password) for device in devices]
        self._order = {id(session): number for number, session in enumerate(self._sessions)}
        #: Who is to connect when: (monotonic seconds, number of the session).
        self._waiting: list[tuple[float, int]] = []
        self._opening: asyncio.Queue[Session] = asyncio.Queue()
        self._arriving: dict[int, asyncio.Future[None]] = {}
        self._behind = 0.0
        self._seen = 0

    async def all(self, limit: int, before: int) -> Load:
        started, cpu = clock.monotonic(), figures.cpu_seconds()
        self._waiting = [
            (started + self._plan.ramp * number / len(self._sessions), number) for number in range(len(self._sessions))
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._opener()) for _ in range(_OPENING)]
            tasks.append(group.create_task(self._upkeep(started)))
            try:
                await self._make(started + self._plan.ramp, whole=False)
                await self._everybody()
                risen, cpu_risen, made = clock.monotonic(), figures.cpu_seconds(), self._devices.totals.messages
                await self._make(risen + self._plan.duration, whole=True)
                ended, cpu_ended = clock.monotonic(), figures.cpu_seconds()
                made = self._devices.totals.messages - made
                connected = self._devices.connected
                await self._settled()
            finally:
                self._devices.over = True
                for task in tasks:
                    task.cancel()
                for session in self._sessions:
                    session.close()
        await asyncio.sleep(0.1)  # the goodbyes leave
        return self._result(
            (risen - started, ended - risen), made, connected,
            ((cpu_risen - cpu) / max(risen - started, 1e-9), (cpu_ended - cpu_risen) / max(ended - risen, 1e-9)),
            limit, before,
        )  # fmt: skip

    # The rate ---------------------------------------------------------------------------------------

    async def _make(self, until: float, *, whole: bool) -> None:
        """Messages of everybody who was connected once, in turn. whole: at the full rate from the beginning."""
        devices, place, owed = self._devices, self._devices.totals.messages, 0.0
        last = clock.monotonic()
        while last < until and not self._stop.is_set():
            await asyncio.sleep(_TURN_SECONDS)
            now = clock.monotonic()
            owed += (now - last) * len(devices.ready) / self._plan.every
            last = now
            for _ in range(min(int(owed), _AT_ONCE)):
                devices.make(devices.ready[place % len(devices.ready)], place)
                place += 1
                owed -= 1
            if whole and devices.ready:
                self._behind = max(self._behind, int(owed) * self._plan.every / len(devices.ready))
            devices.resend(now)

    async def _everybody(self) -> None:
        """Until everybody has been connected once, or cannot be."""
        end = clock.monotonic() + _OPEN_SECONDS
        while clock.monotonic() < end and not self._stop.is_set():
            if len(self._devices.ready) + sum(session.hopeless for session in self._sessions) >= len(self._sessions):
                return
            await self._make(clock.monotonic() + 0.1, whole=False)

    async def _settled(self) -> None:
        end = clock.monotonic() + self._plan.settle
        while self._devices.unsettled and clock.monotonic() < end:
            self._devices.resend(clock.monotonic())
            await asyncio.sleep(0.02)

    # Connections ------------------------------------------------------------------------------------

    async def _opener(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            session = await self._opening.get()
            session.opened_at = clock.monotonic()
            arrived = self._arriving[id(session)] = loop.create_future()
            try:
                async with asyncio.timeout(_OPEN_SECONDS):
                    await self._connect(session)
                    # The next one only when this one is in: a broker that is slow is not flooded with more.
                    await arrived
            except (OSError, TimeoutError):
                self._devices.totals.failed_connections += 1
                if session.connected:
                    session.abandon()
                else:
                    self._lost(session)
            finally:
                self._arriving.pop(id(session), None)

    async def _connect(self, session: Session) -> None:
        host, port = self._address
        await asyncio.get_running_loop().create_connection(lambda: session, host, port)

    def _arrived(self, session: Session) -> None:
        """It is in, or it is gone."""
        arrived = self._arriving.get(id(session))
        if arrived is not None and not arrived.done():
            arrived.set_result(None)

    def _lost(self, session: Session) -> None:
        """A connection ended, or did not come about: later again."""
        self._arrived(session)
        if self._devices.over or session.hopeless:
            return
        session.failures += 1
        wait = min(_AGAIN_FIRST_SECONDS * 2 ** min(session.failures, 10), _AGAIN_MOST_SECONDS)
        number = self._order[id(session)]
        heapq.heappush(self._waiting, (clock.monotonic() + wait * (0.5 + number * _SPREAD % 1), number))

    async def _upkeep(self, started: float) -> None:
        looked = 0.0
        while True:
            now = clock.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                self._opening.put_nowait(self._sessions[heapq.heappop(self._waiting)[1]])
            if now - looked >= _UPKEEP_SECONDS:
                looked = now
                self._ping(now)
                self._look(self._snapshot(now - started))
            await asyncio.sleep(0.02)

    def _ping(self, now: float) -> None:
        for session in self._devices.ready:
            if session.ready and now - session.silent_since > KEEP_ALIVE_SECONDS * 0.7:
                session.silent_since = now
                session.ping()

    # What it came to --------------------------------------------------------------------------------

    def _snapshot(self, seconds: float) -> Snapshot:
        totals = self._devices.totals
        took = totals.receipt_ms if self._plan.by_receipt else totals.puback_ms
        recent = took[max(self._seen, len(took) - 10_000) :].tolist()
        self._seen = len(took)
        phase = "connecting" if len(self._devices.ready) < len(self._sessions) else "steady"
        return Snapshot(
            phase, seconds, self._devices.connected, totals.messages, totals.acknowledged, totals.settled,
            self._devices.unsettled, totals.refused, totals.disconnects, recent,
        )  # fmt: skip

    def _result(
        self,
        seconds: tuple[float, float],
        made: int,
        connected: int,
        cores: tuple[float, float],
        limit: int,
        before: int,
    ) -> Load:
        totals = self._devices.totals
        return Load(
            devices=len(self._sessions),
            connected=connected,
            ramp_seconds=round(seconds[0], 3),
            seconds=round(seconds[1], 3),
            wanted_a_second=len(self._sessions) / self._plan.every,
            made_a_second=made / seconds[1] if seconds[1] else 0.0,
            messages=totals.messages,
            deliveries=totals.deliveries,
            resends=totals.resends,
            acknowledged=totals.acknowledged,
            settled=totals.settled,
            lost=self._devices.unsettled,
            refused=totals.refused,
            refused_by_reason=dict(totals.reasons),
            disconnects=totals.disconnects,
            failed_connections=totals.failed_connections,
            refused_connections=dict(totals.refused_connections),
            connect_ms=figures.percentiles(totals.connect_ms),
            puback_ms=figures.percentiles(totals.puback_ms),
            receipt_ms=figures.percentiles(totals.receipt_ms),
            behind_ms=round(self._behind * 1000, 1),
            cores=round(cores[1], 3),
            cores_ramp=round(cores[0], 3),
            memory_bytes=figures.most_memory_bytes(),
            memory_before_bytes=before,
            file_limit=limit,
        )
