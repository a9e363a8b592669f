"""The wire hands on messages however their bytes arrive, and lets paho have the rest."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.ingest.wire import Wire

Message = tuple[bytes, bytes, int, int, bool]


class Chunks:
    """A socket that gives the bytes in these pieces, then nothing, then the end."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = list(pieces)
        self.sent = bytearray()
        self.takes = 1 << 20

    def recv(self, _size: int) -> bytes:
        if not self.pieces:
            raise BlockingIOError
        return self.pieces.pop(0)

    def send(self, buffer: bytes | bytearray) -> int:
        if not self.takes:
            raise BlockingIOError
        part = buffer[: self.takes]
        self.sent += part
        return len(part)

    def close(self) -> None: ...

    def fileno(self) -> int:
        return -1

    def setblocking(self, flag: bool) -> None: ...


#: A name and a value, both empty.
_USER_PROPERTY = b"\x26\x00\x00\x00\x00"


def _length(n: int) -> bytes:
    out = bytearray()
    while True:
        n, digit = divmod(n, 128)
        out.append(digit | (0x80 if n else 0))
        if not n:
            return bytes(out)


def _publish(topic: bytes, payload: bytes, mid: int, properties: bytes | None) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic
    if mid:
        body += mid.to_bytes(2, "big")
    if properties is not None:
        body += _length(len(properties)) + properties
    body += payload
    return bytes([0x32 if mid else 0x30]) + _length(len(body)) + body


def _drain(wire: Wire, *, packets: int = 3) -> None:
    for _ in range(10_000):
        if not wire.read(packets):
            return


_messages = st.lists(
    st.tuples(st.binary(min_size=1, max_size=9), st.binary(max_size=300), st.integers(0, 65535)), max_size=8
)


@given(_messages, st.booleans(), st.integers(0, 200), st.data())
def test_any_division_of_the_bytes_gives_the_same_messages(
    messages: list[tuple[bytes, bytes, int]], five: bool, properties: int, data: st.DataObject
) -> None:
    """Messages, with other packets between them, in pieces of any size."""
    puback = b"\x40\x02\x00\x07"
    raw = b"".join(
        puback + _publish(topic, payload, mid, _USER_PROPERTY * properties if five else None)
        for topic, payload, mid in messages
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    edges = [0, *cuts, len(raw)]
    pieces = [raw[a:b] for a, b in itertools.pairwise(edges) if a < b]
    found: list[Message] = []
    wire = Wire(Chunks(pieces), lambda *message: found.append(message), five=five)
    for _ in range(len(pieces) + 1):
        _drain(wire)
    assert found == [(topic, payload, mid, 1 if mid else 0, False) for topic, payload, mid in messages]
    assert wire.for_paho == bool(messages)
    if messages:
        assert wire.recv(1 << 20) == puback * len(messages)


def test_shut_in_the_middle() -> None:
    """Nothing is handed on while shut, and nothing is lost by it."""
    raw = b"".join(_publish(b"t", bytes([n]), n, None) for n in range(1, 6))
    found: list[Message] = []
    wire = Wire(Chunks([raw]), lambda *message: _keep(message), five=False)

    def _keep(message: Message) -> None:
        found.append(message)
        wire.shut = len(found) == 2

    _drain(wire)
    assert len(found) == 2
    wire.shut = False
    _drain(wire)
    assert [payload[0] for _, payload, *_ in found] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x32\xff\xff\xff\xff\x01",  # a length of five digits
        b"\x32\x04\x00\x09ab",  # a topic longer than its packet
        b"\x34\x07\x00\x01t\x00\x01xx",  # quality of service 2, to which nobody subscribed
    ],
)
def test_what_is_not_mqtt_ends_the_connection(raw: bytes) -> None:
    """paho hears an error when it reads, and closes."""
    wire = Wire(Chunks([raw]), lambda *_: None, five=False)
    _drain(wire)
    assert wire.for_paho
    with pytest.raises(OSError, match=r"packet|message"):
        wire.recv(1)


def test_the_end_reaches_paho_after_what_came_before() -> None:
    """A closed connection first gives up its messages."""
    found: list[Message] = []
    wire = Wire(Chunks([_publish(b"t", b"x", 1, None), b""]), lambda *message: found.append(message), five=False)
    _drain(wire)
    _drain(wire)
    assert len(found) == 1
    assert wire.recv(1) == b""


def test_acknowledgements_leave_in_order_when_the_kernel_takes_little() -> None:
    """What is written waits, whole and in order."""
    socket = Chunks([])
    wire = Wire(socket, lambda *_: None, five=True)
    wire.acknowledge(1)
    wire.send(b"PING")
    wire.acknowledge(258)
    socket.takes = 0
    assert not wire.flush()
    socket.takes = 3
    assert wire.flush()
    assert bytes(socket.sent) == b"\x40\x02\x00\x01PING\x40\x02\x01\x02"


@pytest.mark.parametrize(
    "others",
    [
        b"",
        b"\x01\x01",
        b"\x02\x00\x00\x00\x09",
        b"\x0b\xff\x01",
        b"\x23\x00\x07",
        b"\x09\x00\x02xy",
        _USER_PROPERTY * 40,
    ],
)
def test_the_content_type_is_found_among_other_properties(others: bytes) -> None:
    """It belongs to its message, and to no other."""
    said = b"\x03\x00\x10application/cbor"
    three = [(b"1", others + said), (b"2", said + others), (b"3", others)]
    raw = b"".join(_publish(b"t", payload, 7, properties) for payload, properties in three)
    found: list[tuple[bytes, str | None]] = []
    wire = Wire(Chunks([raw]), lambda _topic, payload, *_: found.append((payload, wire.content_type)), five=True)
    _drain(wire)
    assert found == [(b"1", "application/cbor"), (b"2", "application/cbor"), (b"3", None)]


@pytest.mark.parametrize("properties", [b"\x7f", b"\x03\x00\x09x", b"\x26\x00\x01", b"\x0b\xff\xff\xff\xff\xff"])
def test_properties_that_are_none_end_the_connection(properties: bytes) -> None:
    """Nothing of such a message is handed on; paho hears of the end."""
    wire = Wire(Chunks([_publish(b"t", b"1", 7, properties)]), lambda *_: pytest.fail("handed on"), five=True)
    _drain(wire)
    with pytest.raises(OSError, match=r"malformed|too early|property"):
        wire.recv(1)
