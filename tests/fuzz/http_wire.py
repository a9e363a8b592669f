"""HTTP as bytes: written as they are, read as a client must who trusts nothing."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass

#: No answer of ours is larger, nor takes longer.
LARGEST = 8 * 1024 * 1024
LONGEST_SECONDS = 60.0


class Unbounded(Exception):
    """An answer that is too long, or does not end."""


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes


async def exchange(
    port: int, pieces: list[bytes], *, pause: float = 0.0, patience: float | None = None
) -> list[Answer]:
    """Write the pieces, with pauses between them, and read until the end. patience: seconds of silence after which
    nothing is expected any more; None: there must be an answer. Raises Unbounded.
    """
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return []
    received = bytearray()
    try:
        async with asyncio.timeout(LONGEST_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(_read(reader, received, patience))
            with contextlib.suppress(OSError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    if pause:
                        await asyncio.sleep(pause)
    except TimeoutError:
        raise Unbounded("an answer does not end") from None
    except BaseExceptionGroup as failed:
        raise Unbounded(str(failed.exceptions[0])) from None
    finally:
        writer.transport.abort()
    return answers(bytes(received))


async def _read(reader: asyncio.StreamReader, received: bytearray, patience: float | None) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        while True:
            async with asyncio.timeout(patience):
                found = await reader.read(65536)
            if not found:
                return
            received += found
            if len(received) > LARGEST:
                raise Unbounded("an answer is too long")
            if received.startswith(b"HTTP/1.1 101 "):
                patience = 0.3


def answers(received: bytes) -> list[Answer]:
    """As far as they can be told apart."""
    found: list[Answer] = []
    while received:
        head, between, rest = received.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
        if status is None or not between:
            return [*found, Answer(0, head, rest)]
        body, received = _body(head, rest, int(status[1]))
        found.append(Answer(int(status[1]), head, body))
    return found


def _body(head: bytes, rest: bytes, status: int) -> tuple[bytes, bytes]:
    if status in (100, 101, 204, 304):
        return b"", rest if status == 100 else b""
    length = re.search(rb"\r\nContent-Length: (\d+)", head, re.IGNORECASE)
    if length is not None:
        # An answer to HEAD has the length and not the body.
        end = 0 if rest.startswith(b"HTTP/1.") else int(length[1])
        return rest[:end], rest[end:]
    if b"chunked" in head.lower():
        body, _, rest = rest.partition(b"0\r\n\r\n")
        return body, rest
    return rest, b""
