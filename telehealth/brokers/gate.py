"""The gate: what stands between a client's socket and the embedded broker.

amqtt 0.12.1 touches the session of a client id before it has checked the password, publishes wills
without asking its topic rules, hands everybody's retained messages to whoever reconnects, does not
end connections that fall silent, loses its place in the stream after a bad packet, and takes
packets of any size. It acknowledges a message before it has passed it on and drops it when the
client then leaves. (All seen; see docs/operations.md.) So it never sees a client that
is not admitted, nor a packet that is not well-formed and allowed: the gate reads whole packets,
checks each, and rewrites what the broker must not know. Only amqtt's public adapters are used.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from amqtt import adapters

from telehealth.brokers import packets, rules
from telehealth.brokers.packets import Kind, Malformed

#: A topic that nobody can subscribe to: what must reach nobody is published there, so that the
#: broker acknowledges it as it does everything else.
NOBODY = "nobody"
#: A filter that is not one: the broker answers it with "failure".
_NO_FILTER = "#/#"

_FILTERS_PER_CLIENT = 64
#: Messages of one client that the broker may have acknowledged and not yet passed on.
_PENDING = 20
_OPEN_QOS2 = 16
#: Bytes that may wait for a client that does not read.
_UNREAD_BYTES = 4_000_000


class Retained:
    """The newest status of each device, for those who subscribe later."""

    def __init__(self) -> None:
        self._messages: dict[str, bytes] = {}

    def keep(self, topic: str, message: bytes) -> None:
        if not rules.retained(topic):
            return
        if message:
            self._messages[topic] = message
        else:
            self._messages.pop(topic, None)

    def matching(self, topic_filter: str) -> list[tuple[str, bytes]]:
        return [(topic, m) for topic, m in self._messages.items() if rules.matches(topic_filter, topic)]


async def read_packet(reader: asyncio.StreamReader, *, only: int | None = None) -> tuple[int, bytes, bytes]:
    """First byte, body and all bytes of the next packet. Raises Malformed, IncompleteReadError.

    only: the first byte that it must have; anything else is refused before its length is believed.
    """
    head = bytearray(await reader.readexactly(2))
    if only not in (None, head[0]):
        raise Malformed("another packet than is due")
    while head[-1] & 0x80:
        if len(head) == 5:
            raise Malformed("a length of more than four bytes")
        head += await reader.readexactly(1)
    length = sum((digit & 0x7F) << 7 * place for place, digit in enumerate(head[1:]))
    if length > packets.MAX_PACKET:
        raise Malformed("too large")
    body = await reader.readexactly(length) if length else b""
    return head[0], body, bytes(head) + body


class Inward(adapters.ReaderAdapter):  # type: ignore[misc]  # amqtt ships no types
    """What the broker reads of one client: packets that are whole, well-formed and allowed."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        admitted: packets.Connect,
        user: str,
        *,
        retained: Retained,
        ready: Callable[[int], Awaitable[None]],
        ended: Callable[[str], None],
    ) -> None:
        self._reader = reader
        self._user = user
        self._retained = retained
        self._ready = ready
        self._ended = ended
        # The gate itself watches the keepalive: the broker would only note in its log that it passed.
        self._patience = admitted.keepalive_seconds * 1.5 or None
        self._will = admitted.will
        self._buffer = packets.connect(
            replace(
                admitted,
                keepalive_seconds=0,
                password=None,
                will=None if admitted.will is None else replace(admitted.will, retain=False),
            )
        )
        self._at = 0
        self._over = False
        self._filters: set[str] = set()
        self._open_qos2 = 0
        #: Filters of SUBSCRIBE packets that the broker has not answered yet, by packet id.
        self.subscribing: dict[bytes, list[str]] = {}

    async def read(self, n: int = -1) -> bytes:
        if self._at == len(self._buffer):
            self._buffer, self._at = await self._next(), 0
        end = len(self._buffer) if n < 0 else self._at + n
        found = self._buffer[self._at : end]
        self._at += len(found)
        return found

    def feed_eof(self) -> None:
        self._reader.feed_eof()

    async def _next(self) -> bytes:
        """The next packet for the broker; nothing at the end, whatever kind of end it is."""
        if self._over:
            return b""
        await self._ready(_PENDING)
        packet, last = await self._one()
        if last:
            self._over = True
            # What the client sent before it left must be on its way before the broker hears of it.
            await self._ready(0)
        return packet

    async def _one(self) -> tuple[bytes, bool]:
        """A packet, and whether it is the last one."""
        try:
            async with asyncio.timeout(self._patience):
                first, body, whole = await read_packet(self._reader)
            kind = packets.check(first, body)
            return self._checked(kind, first, body, whole), kind is Kind.DISCONNECT
        except Malformed as problem:
            self._leave(str(problem))
        except TimeoutError:
            self._leave("silent for longer than its keepalive")
        except (asyncio.IncompleteReadError, OSError):
            self._leave("connection lost")
        return b"", True

    def _leave(self, why: str) -> None:
        if self._will is not None and self._will.retain:
            self._retained.keep(self._will.topic, self._will.message)
        self._will = None
        self._ended(why)

    def _checked(self, kind: Kind, first: int, body: bytes, whole: bytes) -> bytes:
        if kind is Kind.PUBLISH:
            return self._publish(packets.read_publish(first, body))
        if kind is Kind.SUBSCRIBE:
            return self._subscribe(*packets.read_subscribe(body))
        if kind is Kind.UNSUBSCRIBE:
            self._filters.difference_update(packets.read_unsubscribe(body))
        elif kind is Kind.PUBREL:
            self._open_qos2 = max(self._open_qos2 - 1, 0)
        elif kind is Kind.DISCONNECT:
            self._will = None
        return whole

    def _publish(self, message: packets.Publish) -> bytes:
        if message.qos == 2 and not message.duplicate:
            self._open_qos2 += 1
            if self._open_qos2 > _OPEN_QOS2:
                raise Malformed("too many messages of QoS 2 under way")
        if not rules.may_publish(self._user, message.topic):
            return packets.publish(replace(message, topic=NOBODY, message=b"", retain=False))
        if message.retain:
            self._retained.keep(message.topic, message.message)
        return packets.publish(replace(message, retain=False))

    def _subscribe(self, packet_id: bytes, wanted: list[tuple[str, int]]) -> bytes:
        allowed = [rules.may_subscribe(self._user, name) for name, _ in wanted]
        self._filters.update(name for (name, _), ok in zip(wanted, allowed, strict=True) if ok)
        if len(self._filters) > _FILTERS_PER_CLIENT:
            raise Malformed("too many subscriptions")
        self.subscribing[packet_id] = [name for (name, _), ok in zip(wanted, allowed, strict=True) if ok]
        return packets.subscribe(
            packet_id, [(name if ok else _NO_FILTER, qos) for (name, qos), ok in zip(wanted, allowed, strict=True)]
        )


class Outward(adapters.WriterAdapter):  # type: ignore[misc]  # amqtt ships no types
    """What the broker writes to one client: only what the client may receive, and never without bound."""

    def __init__(self, writer: asyncio.StreamWriter, user: str, inward: Inward, retained: Retained) -> None:
        self._writer = writer
        self._user = user
        self._inward = inward
        self._retained = retained

    def write(self, data: bytes) -> None:
        # amqtt writes whole packets, one at a time.
        if self._writer.transport.get_write_buffer_size() > _UNREAD_BYTES:
            self._writer.transport.abort()
            return
        kind = data[0] >> 4
        if kind == Kind.PUBLISH:
            first, body = packets.split(data)
            if not rules.may_receive(self._user, packets.read_publish(first & ~1, body).topic):
                return
            # amqtt marks what waited for a client as retained, which it is not.
            data = bytes([first & ~1]) + data[1:]
        self._writer.write(data)
        if kind == Kind.SUBACK:
            self._greet(packets.split(data)[1][:2])

    def _greet(self, packet_id: bytes) -> None:
        for topic_filter in self._inward.subscribing.pop(packet_id, []):
            for topic, message in self._retained.matching(topic_filter):
                if rules.may_receive(self._user, topic):
                    kept = packets.Publish(topic, qos=0, retain=True, duplicate=False, packet_id=b"", message=message)
                    self._writer.write(packets.publish(kept))

    async def drain(self) -> None:
        await self._writer.drain()

    def get_peer_info(self) -> tuple[str, int] | None:
        peer: Any = self._writer.get_extra_info("peername")
        return (str(peer[0]), int(peer[1])) if peer else None

    def get_ssl_info(self) -> None:
        return None

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                await self._writer.wait_closed()
