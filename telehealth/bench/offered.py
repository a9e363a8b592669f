"""Messages offered at a steady rate, whatever becomes of them, and when each is answered by a receipt."""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, timedelta

import msgspec

from telehealth import clock
from telehealth.bench import raw

_TURN_SECONDS = 0.005
_AGE = timedelta(milliseconds=5)


class _Receipt(msgspec.Struct):
    stream: str | None = None
    through: int = 0


class Percentiles(msgspec.Struct):
    """Milliseconds."""

    count: int
    p50: float
    p99: float
    longest: float


def percentiles(seconds: Sequence[float] | array[float]) -> Percentiles:
    """Of at least one duration."""
    found = sorted(seconds)
    last = len(found) - 1
    p50, p99 = (found[min(last, int(len(found) * part))] * 1000 for part in (0.5, 0.99))
    return Percentiles(len(found), p50, p99, found[last] * 1000)


class Devices:
    """What devices have sent and not yet heard of. stream: of all of them."""

    def __init__(self, device_ids: Sequence[str], stream: str) -> None:
        self.device_ids = device_ids
        self.stream = stream
        self._waiting: dict[str, deque[tuple[int, float]]] = {name: deque() for name in device_ids}
        self._seq = dict.fromkeys(device_ids, 0)
        self.sent = 0
        self.settled = 0
        #: Seconds from publishing to the receipt.
        self.took = array("d")
        self.progress = asyncio.Event()

    def heard(self, topic: str, payload: bytes) -> None:
        """A message on telehealth/v1/+/receipts."""
        receipt = msgspec.json.decode(payload, type=_Receipt)
        waiting = self._waiting.get(topic.split("/")[2])
        if receipt.stream != self.stream or waiting is None:
            return
        now = clock.monotonic()
        while waiting and waiting[0][0] <= receipt.through:
            self.took.append(now - waiting.popleft()[1])
            self.settled += 1
        self.progress.set()

    def unsettled(self, device_id: str) -> int:
        return len(self._waiting[device_id])

    def publish(self, client: raw.Client, device_id: str, readings: str, *, channel: str = "readings") -> None:
        """readings: the inside of the JSON array; sent now."""
        self._seq[device_id] += 1
        seq = self._seq[device_id]
        sent = rfc3339()
        payload = f'{{"stream":"{self.stream}","seq":{seq},"sent_at":"{sent}","readings":[{readings}]}}'
        self._waiting[device_id].append((seq, clock.monotonic()))
        self.sent += 1
        client.publish(f"telehealth/v1/{device_id}/{channel}", payload.encode())

    async def all_settled(self, seconds: float) -> bool:
        """Whether every message is answered before nothing has been for so long."""
        while self.settled < self.sent:
            self.progress.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self.progress.wait()
            except TimeoutError:
                return False
        return True


def pair(spo2: int, pulse: int = 72) -> str:
    """Two readings taken now."""
    at = rfc3339(_AGE)
    return (
        f'{{"code":"spo2","value":{spo2},"unit":"%","taken_at":"{at}"}},'
        f'{{"code":"pulse","value":{pulse},"unit":"/min","taken_at":"{at}"}}'
    )


def rfc3339(ago: timedelta = timedelta(0)) -> str:
    return (clock.real_now() - ago).astimezone(UTC).isoformat(timespec="milliseconds")


async def steadily(
    a_second: float, seconds: float, send: Callable[[int], None], pause: Callable[[], Awaitable[None]] | None = None
) -> int:
    """Call send(n) for n = 0, 1, ... at this rate; how many it came to. pause: where to wait if there is no room."""
    started = clock.monotonic()
    n = 0
    while (passed := clock.monotonic() - started) < seconds:
        wanted = int(passed * a_second) + 1
        # A little at a time, so that answers are heard meanwhile.
        for _ in range(min(wanted - n, 500)):
            send(n)
            n += 1
        if pause is not None:
            await pause()
        await asyncio.sleep(_TURN_SECONDS if n >= wanted else 0)
    return n


@contextlib.asynccontextmanager
async def connected(port: int, clients: Sequence[raw.Client], topics: Sequence[str] = ()) -> AsyncIterator[None]:
    """Clients for the duration of the block; many of them some at a time."""
    try:
        for start in range(0, len(clients), 100):
            await asyncio.gather(*(client.connect(port, topics) for client in clients[start : start + 100]))
        yield
    finally:
        for client in clients:
            client.close()
