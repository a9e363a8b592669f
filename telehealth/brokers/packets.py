"""The little of MQTT 3.1.1 that the gate must understand. Pure: bytes in, values out.

Anything that the standard forbids raises Malformed; the gate then hangs up.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

#: A little over 1 MiB: larger packets end the connection.
MAX_PACKET = 1_050_000


class Malformed(Exception):
    """Not MQTT 3.1.1, or larger than we take."""


class Kind(enum.IntEnum):
    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


#: What clients may send after CONNECT, with the flags that the standard fixes (None: checked apart).
FROM_CLIENTS: dict[int, int | None] = {
    Kind.PUBLISH: None,
    Kind.PUBACK: 0,
    Kind.PUBREC: 0,
    Kind.PUBREL: 2,
    Kind.PUBCOMP: 0,
    Kind.SUBSCRIBE: 2,
    Kind.UNSUBSCRIBE: 2,
    Kind.PINGREQ: 0,
    Kind.DISCONNECT: 0,
}
_TWO_BYTES = frozenset({Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP})
_EMPTY = frozenset({Kind.PINGREQ, Kind.DISCONNECT})


class Refusal(enum.IntEnum):
    """Return codes of CONNACK."""

    PROTOCOL = 1
    CLIENT_ID = 2
    UNAVAILABLE = 3
    PASSWORD = 4
    NOT_AUTHORISED = 5


@dataclass(frozen=True)
class Will:
    topic: str
    message: bytes
    qos: int
    retain: bool


@dataclass(frozen=True)
class Connect:
    level: int
    client_id: str
    clean: bool
    keepalive_seconds: int
    will: Will | None = None
    username: str | None = None
    password: bytes | None = None


@dataclass(frozen=True)
class Publish:
    topic: str
    qos: int
    retain: bool
    duplicate: bool
    packet_id: bytes
    message: bytes


class _Cursor:
    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0

    def take(self, count: int) -> bytes:
        self.at += count
        if self.at > len(self.body):
            raise Malformed("shorter than it says")
        return self.body[self.at - count : self.at]

    def binary(self) -> bytes:
        return self.take(int.from_bytes(self.take(2), "big"))

    def text(self) -> str:
        try:
            found = self.binary().decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("a string is not UTF-8") from None
        if "\0" in found:
            raise Malformed("a string has a null character")
        return found

    @property
    def done(self) -> bool:
        return self.at == len(self.body)


def check(first: int, body: bytes) -> Kind:
    """The kind of a packet that a client may send now, by its first byte and body."""
    kind, flags = first >> 4, first & 0x0F
    if kind not in FROM_CLIENTS or FROM_CLIENTS[kind] not in (None, flags):
        raise Malformed("a packet that clients do not send")
    if (kind in _TWO_BYTES and len(body) != 2) or (kind in _EMPTY and body):
        raise Malformed("a packet of the wrong length")
    return Kind(kind)


def read_connect(body: bytes) -> Connect:
    """The body of CONNECT. Of another protocol version only the level is read."""
    cursor = _Cursor(body)
    name, level = cursor.binary(), cursor.take(1)[0]
    if (name, level) != (b"MQTT", 4):
        if name not in (b"MQTT", b"MQIsdp"):
            raise Malformed("not MQTT")
        return Connect(level, "", clean=True, keepalive_seconds=0)
    flags = cursor.take(1)[0]
    keepalive = int.from_bytes(cursor.take(2), "big")
    client_id = cursor.text()
    will = None
    if flags & 0x04:
        will = Will(cursor.text(), cursor.binary(), flags >> 3 & 3, bool(flags & 0x20))
    username = cursor.text() if flags & 0x80 else None
    password = cursor.binary() if flags & 0x40 else None
    if flags & 1 or not cursor.done or (will is None and flags & 0x38) or (will is not None and will.qos == 3):
        raise Malformed("CONNECT")
    return Connect(level, client_id, bool(flags & 0x02), keepalive, will, username, password)


def read_publish(first: int, body: bytes) -> Publish:
    """A PUBLISH by its first byte and body."""
    qos = first >> 1 & 3
    cursor = _Cursor(body)
    topic = cursor.text()
    packet_id = cursor.take(2) if qos else b""
    if qos == 3 or packet_id == b"\0\0" or not topic or "+" in topic or "#" in topic:
        raise Malformed("PUBLISH")
    return Publish(topic, qos, bool(first & 1), bool(first & 8), packet_id, body[cursor.at :])


def read_subscribe(body: bytes) -> tuple[bytes, list[tuple[str, int]]]:
    """Packet id and (filter, QoS) of a SUBSCRIBE."""
    cursor = _Cursor(body)
    packet_id, wanted = cursor.take(2), []
    while not cursor.done:
        topic_filter, qos = cursor.text(), cursor.take(1)[0]
        if not topic_filter or qos > 2:
            raise Malformed("SUBSCRIBE")
        wanted.append((topic_filter, qos))
    if not wanted or packet_id == b"\0\0":
        raise Malformed("SUBSCRIBE")
    return packet_id, wanted


def read_unsubscribe(body: bytes) -> list[str]:
    """The filters of an UNSUBSCRIBE."""
    cursor = _Cursor(body)
    cursor.take(2)
    filters = []
    while not cursor.done:
        filters.append(cursor.text())
    if not filters:
        raise Malformed("UNSUBSCRIBE")
    return filters


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(first: int, body: bytes) -> bytes:
    length, out = len(body), bytearray([first])
    while True:
        length, digit = length >> 7, length & 0x7F
        out.append(digit | 0x80 if length else digit)
        if not length:
            return bytes(out) + body


def connect(wanted: Connect) -> bytes:
    flags = 0x02 if wanted.clean else 0
    tail = _text(wanted.client_id)
    if wanted.will is not None:
        flags |= 0x04 | wanted.will.qos << 3 | (0x20 if wanted.will.retain else 0)
        tail += _text(wanted.will.topic) + len(wanted.will.message).to_bytes(2, "big") + wanted.will.message
    if wanted.username is not None:
        flags |= 0x80
        tail += _text(wanted.username)
    head = _text("MQTT") + bytes([wanted.level, flags]) + wanted.keepalive_seconds.to_bytes(2, "big")
    return _packet(Kind.CONNECT << 4, head + tail)


def publish(message: Publish) -> bytes:
    first = Kind.PUBLISH << 4 | message.duplicate << 3 | message.qos << 1 | message.retain
    return _packet(first, _text(message.topic) + message.packet_id + message.message)


def subscribe(packet_id: bytes, wanted: list[tuple[str, int]]) -> bytes:
    return _packet(Kind.SUBSCRIBE << 4 | 2, packet_id + b"".join(_text(name) + bytes([qos]) for name, qos in wanted))


def refusal(level: int, why: Refusal) -> bytes:
    """The CONNACK that says no, in the form that clients of that version read."""
    if level == 5:
        reason = {Refusal.PROTOCOL: 0x84, Refusal.CLIENT_ID: 0x85, Refusal.UNAVAILABLE: 0x88}.get(why, 0x87)
        return bytes([Kind.CONNACK << 4, 3, 0, reason, 0])
    return bytes([Kind.CONNACK << 4, 2, 0, why])


def split(data: bytes) -> tuple[int, bytes]:
    """First byte and body of one whole packet."""
    at = 1
    while data[at] & 0x80:
        at += 1
    return data[0], data[at + 1 :]
