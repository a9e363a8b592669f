"""A publisher that only wants to be quick: QoS 1 by hand, so that the preload does not take longer than the test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from telehealth.errors import Unavailable

_CHUNK = 500
_UNACKNOWLEDGED = 20_000


async def publish(port: int, messages: Iterable[tuple[str, bytes]], *, client_id: str = "bench-preload") -> int:
    """Publish all, in order, and wait until the broker has acknowledged them; how many they were."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        name = client_id.encode()
        connect = b"\x00\x04MQTT\x04\x02\x00\x00" + len(name).to_bytes(2) + name
        writer.write(b"\x10" + _length(len(connect)) + connect)
        connack = await reader.readexactly(4)
        if connack[3] != 0:
            raise Unavailable("the broker refused the benchmark's publisher")
        return await _all(reader, writer, messages)
    finally:
        writer.write(b"\xe0\x00")
        writer.close()


async def forget(port: int, client_id: str) -> None:
    """End a client's session at the broker, so that nothing more is kept for it."""
    await publish(port, (), client_id=client_id)


async def _all(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, messages: Iterable[tuple[str, bytes]]
) -> int:
    sent = acknowledged = 0
    chunk = bytearray()
    for topic, payload in messages:
        sent += 1
        name = topic.encode()
        chunk += b"\x32" + _length(4 + len(name) + len(payload)) + len(name).to_bytes(2) + name
        chunk += (sent % 65535 + 1).to_bytes(2) + payload
        if sent % _CHUNK == 0:
            writer.write(bytes(chunk))
            chunk.clear()
            await writer.drain()
            while sent - acknowledged > _UNACKNOWLEDGED:
                acknowledged += len(await _pubacks(reader))
    writer.write(bytes(chunk))
    while acknowledged < sent:
        acknowledged += len(await _pubacks(reader))
    return sent


async def _pubacks(reader: asyncio.StreamReader) -> range:
    """As many whole acknowledgements (of 4 bytes) as are there, at least one."""
    first = await reader.readexactly(4)
    if first[0] != 0x40:
        raise Unavailable("the broker answered the benchmark's publisher with something else")
    buffered = len(getattr(reader, "_buffer", b"")) // 4
    if buffered:
        await reader.readexactly(buffered * 4)
    return range(buffered + 1)


def _length(n: int) -> bytes:
    """A remaining length as MQTT writes it."""
    out = bytearray()
    while True:
        n, digit = divmod(n, 128)
        out.append(digit | (0x80 if n else 0))
        if not n:
            return bytes(out)
