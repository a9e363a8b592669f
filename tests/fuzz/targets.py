"""What is fuzzed: functions of bytes that fail when a promise is broken, each alone."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from devices import catalogue, errors, formats, meaning, message, receipts, status, topics
from devices.errors import Refusal
from devices.message import Message, Reading
from telehealth.ingest import reading
from telehealth.ingest.wire import Wire
from telehealth.model.delivery import Delivery

Target = Callable[[bytes], None]

_NOW: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_DEVICE: Final = "fuzz-1"
#: How many inputs there were of which something was taken: a fuzzer that is always refused tests little.
good = 0


def _decoder(name: str) -> Target:
    def decode(payload: bytes) -> None:
        found = formats.decode(name, _DEVICE, payload)
        check(found)
        if found.digest[0] == "0":
            assert formats.decode(name, _DEVICE, payload) == found, "not the same twice"

    return decode


def check(found: Message) -> None:
    """What every decoder promises of its answer."""
    global good
    good += bool(found.readings)
    assert (found.seq is None) != (found.id is None)
    assert found.seq is None or found.stream
    assert len(found.readings) <= message.READINGS_LIMIT
    assert len(found.digest) == 16
    assert found.readings or found.refusals or not found.size or found.size > 1
    for one in found.readings:
        _reading(one)
    for refused in found.refusals:
        assert refused.error in errors.MEANINGS
        assert len(refused.detail) < 500
        assert refused.field is None or len(refused.field) < 200
    # What is stored and answered can be written.
    msgspec.json.encode(found)
    settled = () if found.seq is None else ((found.seq, found.seq + 1),)
    receipts.receipt(found.stream, settled, _NOW, answered=frozenset(), refused=[], ids=[]).encode()


def _reading(one: Reading) -> None:
    entry = catalogue.ENTRIES[one.code]
    if one.value is not None:
        assert math.isfinite(one.value)
        assert entry.kind == "boolean" or entry.possible(one.value)
        assert one.unit == entry.unit
    assert (one.value is None and one.value_code is None) == (one.absent is not None)
    assert (one.identity == meaning.NO_IDENTITY) == (one.taken_at is None)
    if one.taken_at is not None:
        assert one.taken_at.tzinfo is UTC
        assert meaning.EARLIEST <= one.taken_at < meaning.LATEST
        assert one.taken_at.microsecond % 1000 == 0
    assert one.local_time is None or one.local_time.tzinfo is None
    for text in (one.source_id, one.subject, one.set, *one.flags):
        assert text is None or 0 < len(text) <= 64
        assert text is None or "\x00" not in text
    assert one.context is None or len(one.context) <= 12
    assert isinstance(message.value_token(one), str)


def _status(payload: bytes) -> None:
    global good
    said = status.decode(payload)
    good += not isinstance(said, Refusal)
    assert isinstance(said, Refusal) or isinstance(said.online, bool)


def _topic(payload: bytes) -> None:
    global good
    parsed = topics.parse(payload.decode(errors="replace"))
    good += parsed is not None
    assert parsed is None or topics.parse(str(parsed)) == parsed


def _mqtt(payload: bytes) -> None:
    """The handler of messages: the first bytes choose lane, topic and content type."""
    choice, rest = payload[:1] or b"\x00", payload[1:]
    last = (b"readings", b"backlog/gatt", b"readings/fhir", b"status", b"readings/nobody", b"", b"receipts")[
        choice[0] % 7
    ]
    name, content = rest, rest
    if choice[0] < 200:
        name = b"telehealth/v1/fuzz-1/" + last
    kind = rest[:20].decode("latin-1") if choice[0] % 2 else None
    said = reading.read("live", name, content, _NOW, retain=bool(choice[0] & 4), content_type=kind)
    if isinstance(said, Delivery):
        check(said.message)


class _Bytes:
    """A socket from which these bytes come, in two pieces."""

    def __init__(self, given: bytes) -> None:
        half = len(given) // 2
        self._pieces = [given[:half], given[half:], b""]

    def recv(self, buffer_size: int) -> bytes:
        return self._pieces.pop(0)[:buffer_size] if self._pieces else b""

    def send(self, buffer: bytes | bytearray) -> int:
        return len(buffer)

    def close(self) -> None: ...

    def fileno(self) -> int:
        return -1

    def setblocking(self, flag: bool) -> None: ...


def _hand(handed: list[tuple[Any, ...]], *message: Any) -> None:
    handed.append(message)


def _wire(payload: bytes) -> None:
    """What a broker sends, byte by byte under paho."""
    global good
    for five in (False, True):
        handed: list[tuple[Any, ...]] = []
        wire = Wire(_Bytes(payload), functools.partial(_hand, handed), five=five)
        for _ in range(8):
            wire.read(3)
        good += bool(handed)
        for _topic_name, content, mid, qos, _retain in handed:
            assert len(content) <= len(payload)
            assert 0 <= mid < 65536
            assert qos in (0, 1)


#: By name.
TARGETS: Final[Mapping[str, Target]] = {
    **{name: _decoder(name) for name in sorted(formats.DECODERS)},
    "status": _status,
    "topic": _topic,
    "mqtt": _mqtt,
    "wire": _wire,
}
