"""A bad network in user space: a UDP proxy that loses, delays, reorders, squeezes and cuts, both ways, by a seed.

It stands before a relay's or a media worker's port. What becomes of a packet is decided in simulator/wire.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import heapq
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from simulator import errors
from simulator.wire import Line, Window, Wire

MOST_CLIENTS: Final = 256
IDLE_SECONDS: Final = 120.0
#: Packets on their way; what comes beyond is lost as in a full queue.
_MOST_UNDERWAY = 20_000
_SOCKET_BYTES = 1 << 20
_AT_ONCE = 256

Address = tuple[str, int]


class _Deliveries:
    """Packets underway; each is handed on when it is due, in order."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, at: float, deliver: Callable[[], None]) -> bool:
        """at: by the loop's clock. False: too many are underway."""
        if at <= self._loop.time() and not self._heap:
            deliver()
            return True
        if len(self._heap) >= _MOST_UNDERWAY:
            return False
        self._number += 1
        heapq.heappush(self._heap, (at, self._number, deliver))
        if self._heap[0][1] == self._number:
            self._wait()
        return True

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._heap.clear()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._heap[0][0], self._due) if self._heap else None

    def _due(self) -> None:
        now = self._loop.time() + 0.0005
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
        self._timer = None
        self._wait()


@dataclass
class _Client:
    """Somebody on the listening side, with a socket of their own towards the other side."""

    address: Address
    heard_at: float
    socket: socket.socket | None = None


class Proxy:
    """A running proxy: `async with impair.opened(...) as proxy`. up: towards `to`."""

    def __init__(self, to: Address, up: Line, down: Line, seed: int, outages: tuple[Window, ...]) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._to = to
        self.up = Wire(up, f"{seed} up", outages)
        self.down = Wire(down, f"{seed} down", outages)
        self._deliveries = _Deliveries()
        self._clients: dict[Address, _Client] = {}
        self._listening: socket.socket | None = None
        self.rebinds = 0

    @property
    def address(self) -> Address:
        """Where it listens."""
        assert self._listening is not None
        host, port = self._listening.getsockname()[:2]
        return str(host), int(port)

    @property
    def clients(self) -> int:
        return len(self._clients)

    def statistics(self) -> dict[str, Any]:
        return {
            "seconds": round(self._now(), 3),
            "clients": len(self._clients),
            "rebinds": self.rebinds,
            "up": asdict(self.up.counts),
            "down": asdict(self.down.counts),
        }

    def change(self, *, up: Line | None = None, down: Line | None = None) -> None:
        """From the next packet on."""
        self.up.line = up or self.up.line
        self.down.line = down or self.down.line

    def cut(self, seconds: float) -> None:
        """Nothing gets through from now on for so long, in either direction."""
        window = Window(self._now(), seconds)
        self.up.cut(window)
        self.down.cut(window)

    def rebind(self) -> None:
        """Everybody comes from another port from now on, as after a change of network; what is underway is lost."""
        self.rebinds += 1
        for client in self._clients.values():
            self._close_socket(client)

    def _listen(self, at: Address) -> None:
        self._listening = _bound(at)
        self._loop.add_reader(self._listening, self._readable)

    def _close(self) -> None:
        self._deliveries.close()
        if self._listening is not None:
            self._loop.remove_reader(self._listening)
            self._listening.close()
        for client in self._clients.values():
            self._close_socket(client)

    def _close_socket(self, client: _Client) -> None:
        if client.socket is not None:
            self._loop.remove_reader(client.socket)
            client.socket.close()
            client.socket = None

    def _now(self) -> float:
        return self._loop.time() - self._began

    def _readable(self) -> None:
        assert self._listening is not None
        for data, address in _received(self._listening):
            client = self._clients.get(address)
            if client is None:
                self._forget_idle()
                if len(self._clients) >= MOST_CLIENTS:
                    continue
                client = self._clients[address] = _Client(address, self._now())
            client.heard_at = self._now()
            self._pass(self.up, data, functools.partial(self._to_server, client, data))

    def _answered(self, client: _Client, own: socket.socket) -> None:
        for data, _ in _received(own):
            self._pass(self.down, data, functools.partial(self._to_client, client, data))

    def _pass(self, wire: Wire, data: bytes, deliver: Callable[[], None]) -> None:
        there = wire.arrival(len(data), self._now())
        if there is None:
            return

        def counted() -> None:
            wire.counts.delivered += 1
            deliver()

        if not self._deliveries.add(self._began + there, counted):
            wire.counts.squeezed += 1

    def _to_server(self, client: _Client, data: bytes) -> None:
        if client.socket is None:
            own = client.socket = _unbound(self._to)
            self._loop.add_reader(own, self._answered, client, own)
        # A port where nobody is loses packets, and no more.
        with contextlib.suppress(OSError):
            client.socket.send(data)

    def _to_client(self, client: _Client, data: bytes) -> None:
        if self._listening is not None:
            with contextlib.suppress(OSError):
                self._listening.sendto(data, client.address)

    def _forget_idle(self) -> None:
        now = self._now()
        for address in [a for a, client in self._clients.items() if now - client.heard_at > IDLE_SECONDS]:
            self._close_socket(self._clients.pop(address))


async def _resolved(to: Address) -> Address:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(*to, type=socket.SOCK_DGRAM)
    except OSError:
        raise errors.BadInput(f"{to[0]} cannot be resolved") from None
    host, port = found[0][4][:2]
    return str(host), int(port)


def _bound(at: Address) -> socket.socket:
    own = _socket(at)
    try:
        own.bind(at)
    except OSError:
        own.close()
        raise
    return own


def _unbound(to: Address) -> socket.socket:
    own = _socket(to)
    with contextlib.suppress(OSError):
        own.connect(to)
    return own


def _socket(address: Address) -> socket.socket:
    own = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
    own.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        with contextlib.suppress(OSError):
            own.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BYTES)
    return own


def _received(own: socket.socket) -> Iterator[tuple[bytes, Address]]:
    """What is there now, at most so much that others get their turn."""
    for _ in range(_AT_ONCE):
        try:
            data, address = own.recvfrom(65535)
        except BlockingIOError:
            return
        except OSError:  # "nobody listens there", about something sent before
            continue
        yield data, (str(address[0]), int(address[1]))


@contextlib.asynccontextmanager
async def opened(
    to: Address,
    *,
    listen: Address = ("127.0.0.1", 0),
    up: Line | None = None,
    down: Line | None = None,
    seed: int = 1,
    outages: tuple[Window, ...] = (),
) -> AsyncIterator[Proxy]:
    """A proxy until the end of the block. Raises BadInput where it cannot listen."""
    proxy = Proxy(await _resolved(to), up or Line(), down or up or Line(), seed, outages)
    try:
        proxy._listen(listen)
    except OSError as error:
        raise errors.BadInput(f"cannot listen on {listen[0]}:{listen[1]} ({type(error).__name__})") from None
    try:
        yield proxy
    finally:
        proxy._close()
