"""A small MQTT 3.1.1 client on asyncio: thousands of them fit into one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from telehealth.errors import Unavailable

_CONNECT_SECONDS = 30.0

#: heard(topic, payload)
Heard = Callable[[str, bytes], None]


class Client(asyncio.Protocol):
    """One session. Publishes with QoS 1; heard() is called for every message."""

    def __init__(self, client_id: str, heard: Heard | None = None) -> None:
        self._client_id = client_id
        self._heard = heard
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._mid = 0
        self._room = asyncio.Event()
        self._room.set()
        self._fewer = asyncio.Event()
        #: Published, and not yet acknowledged by the broker.
        self.unacknowledged = 0
        self.lost = False

    async def connect(self, port: int, topics: Sequence[str] = ()) -> None:
        """Connect, and subscribe with QoS 1. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await loop.create_connection(lambda: self, "127.0.0.1", port)
                name = self._client_id.encode()
                self._write(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + len(name).to_bytes(2, "big") + name)
                if await self._answered:
                    raise Unavailable("the broker refused a client of the benchmark")
                if topics:
                    self._answered = loop.create_future()
                    wanted = b"".join(len(t.encode()).to_bytes(2, "big") + t.encode() + b"\x01" for t in topics)
                    self._write(0x82, b"\x00\x01" + wanted)
                    await self._answered
        except (OSError, TimeoutError) as error:
            raise Unavailable("the broker cannot be reached by a client of the benchmark") from error

    def publish(self, topic: str, payload: bytes) -> None:
        self._mid = self._mid % 65535 + 1
        self.unacknowledged += 1
        name = topic.encode()
        self._write(0x32, len(name).to_bytes(2, "big") + name + self._mid.to_bytes(2, "big") + payload)

    async def drain(self) -> None:
        """Until the kernel takes more."""
        await self._room.wait()

    async def acknowledged(self, most: int) -> None:
        """Until the broker has no more than so many still to acknowledge."""
        while self.unacknowledged > most and not self.lost:
            self._fewer.clear()
            await self._fewer.wait()

    def close(self) -> None:
        if self._transport is not None and not self.lost:
            self._write(0xE0, b"")
            self._transport.close()

    def _write(self, first: int, body: bytes) -> None:
        assert self._transport is not None
        length, size = bytearray(), len(body)
        while True:
            size, digit = divmod(size, 128)
            length.append(digit | (0x80 if size else 0))
            if not size:
                break
        self._transport.write(bytes((first,)) + length + body)

    # asyncio's callbacks ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost = True
        self._fewer.set()
        self._room.set()
        if not self._answered.done():
            self._answered.set_exception(Unavailable("the broker hung up on a client of the benchmark"))

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at, end = 0, len(buffer)
        while end - at >= 2:
            start, size = at + 1, 0
            for n in range(4):
                if start + n >= end:
                    size = end
                    break
                size |= (buffer[start + n] & 127) << 7 * n
                if buffer[start + n] < 128:
                    start += n + 1
                    break
            if start + size > end:
                break
            self._packet(buffer[at], bytes(buffer[start : start + size]))
            at = start + size
        del buffer[:at]

    def _packet(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == 4:
            self.unacknowledged -= 1
            self._fewer.set()
        elif kind == 3:
            length = 2 + int.from_bytes(body[:2], "big")
            topic = body[2:length].decode()
            if first & 6:
                self._write(0x40, body[length : length + 2])
                length += 2
            if self._heard is not None:
                self._heard(topic, body[length:])
        elif kind in (2, 9) and not self._answered.done():
            self._answered.set_result(body[1] if kind == 2 else 0)
