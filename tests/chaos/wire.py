"""As much MQTT 3.1.1 as a device needs, on a bare connection that can be cut at any byte."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Gone(Exception):
    """The connection ended."""


class Link:
    """One connection of one device: clean session, one subscription, QoS 1 both ways."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._mid = 0

    @classmethod
    async def open(cls, port: int, client_id: str, topic: str) -> Link:
        """Connected and subscribed. Raises Gone."""
        try:
            link = cls(*await asyncio.open_connection("127.0.0.1", port))
        except OSError as error:
            raise Gone from error
        try:
            async with asyncio.timeout(10):
                link._send(0x10, _text("MQTT") + b"\x04\x02\x00\x3c" + _text(client_id))
                await link._expect(0x20)
                link._send(0x82, b"\x00\x01" + _text(topic) + b"\x01")
                await link._expect(0x90)
                return link
        except BaseException as error:
            link.cut()
            if isinstance(error, OSError | EOFError | TimeoutError):
                raise Gone from error
            raise

    async def _expect(self, kind: int) -> None:
        first, _ = await self._packet()
        if first & 0xF0 != kind:
            raise Gone

    def publish(self, topic: str, payload: bytes) -> None:
        """QoS 1; the broker's acknowledgement says nothing that a device may rely on, so nobody waits for it."""
        self._mid = self._mid % 65535 + 1
        self._send(0x32, _text(topic) + self._mid.to_bytes(2, "big") + payload)

    async def listen(self, received: Callable[[bytes], None]) -> None:
        """Hand every message to received until the connection ends; raises Gone then."""
        try:
            while True:
                first, body = await self._packet()
                if first >> 4 != 3:
                    continue
                at = 2 + int.from_bytes(body[:2], "big")
                if first & 0x06:
                    self._send(0x40, body[at : at + 2])
                    at += 2
                received(body[at:])
        except (OSError, EOFError) as error:
            raise Gone from error

    async def drain(self) -> None:
        """Until the kernel has taken what was written."""
        try:
            await self._writer.drain()
        except OSError as error:
            raise Gone from error

    def cut(self) -> None:
        """As when the Wi-Fi goes: no goodbye."""
        self._writer.transport.abort()

    async def _packet(self) -> tuple[int, bytes]:
        first = (await self._reader.readexactly(1))[0]
        length = shift = 0
        while True:
            digit = (await self._reader.readexactly(1))[0]
            length |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                return first, await self._reader.readexactly(length)

    def _send(self, first: int, body: bytes) -> None:
        length, digits = len(body), bytearray()
        while True:
            length, digit = divmod(length, 128)
            digits.append(digit | 128 if length else digit)
            if not length:
                break
        self._writer.write(bytes([first]) + bytes(digits) + body)


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()
