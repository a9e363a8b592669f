"""The log of created messages, JSON lines: what devices made, whatever the network then did with it.

The same world, seed, script and start give the same bytes at any speed and on any machine. Deliveries beyond the
first are logged apart, because they depend on the network.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from simulator import clock, errors, native, outbox
from simulator.homes.malicious import Extra

Shown = Callable[[str, int], int]


class Log:
    """Takes messages as they are made and writes them in the order (sent, device, stream, seq) as time passes."""

    def __init__(
        self, write: Callable[[bytes], None], shown: Shown, flushed: Callable[[int], None] = lambda _to_ms: None
    ) -> None:
        """shown: what a device's clock shows at a true time, both in ms. flushed: told what time is written."""
        self._write = write
        self._shown = shown
        self._flushed = flushed
        self._waiting: list[tuple[int, str, str, int, int, bytes]] = []
        self._count = itertools.count()
        self.written = 0

    def add(self, held: Iterable[outbox.Held], created_ms: Iterable[int]) -> None:
        for one, created in zip(held, created_ms, strict=True):
            self._push(one.sent_ms, one.device_id, one.stream, one.seq, line(one, created, self._shown))

    def add_extras(self, extras: Iterable[Extra]) -> None:
        for extra in extras:
            self._push(extra.at_ms, extra.device_id, "", 0, _extra(extra))

    def flush(self, to_ms: int) -> None:
        """Writes what has left by then."""
        while self._waiting and self._waiting[0][0] <= to_ms:
            self._write(heapq.heappop(self._waiting)[-1] + b"\n")
            self.written += 1
        self._flushed(to_ms)

    def _push(self, sent_ms: int, device_id: str, stream: str, seq: int, body: bytes) -> None:
        heapq.heappush(self._waiting, (sent_ms, device_id, stream, seq, next(self._count), body))


class Resends:
    """The log of deliveries beyond the first."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def delivered(self, held: outbox.Held, at_ms: int) -> None:
        if held.attempts > 1:
            entry = {"device_id": held.device_id, "stream": held.stream, "seq": held.seq}
            entry |= {"delivery": held.attempts, "at": clock.text(clock.from_ms(at_ms))}
            self._write(native.encode(entry) + b"\n")


def line(held: outbox.Held, created_ms: int, shown: Shown) -> bytes:
    """One message as it stands in the log; payload: as it was first sent, without "oldest"."""
    sent_at = clock.text(clock.from_ms(shown(held.device_id, held.sent_ms)))
    lane = native.lane(held.taken_ms, held.sent_ms)
    head = {
        "device_id": held.device_id,
        "lane": lane,
        "stream": held.stream,
        "seq": held.seq,
        "created_at": clock.text(clock.from_ms(created_ms)),
        "sent_at": clock.text(clock.from_ms(held.sent_ms)),
        "topic": native.topic(held.device_id, lane),
        "payload": {
            "stream": held.stream,
            "seq": held.seq,
            "sent_at": sent_at,
            "readings": msgspec.Raw(held.readings),
        },
    }
    return native.encode(head)


def _extra(extra: Extra) -> bytes:
    at = clock.text(clock.from_ms(extra.at_ms))
    head: dict[str, Any] = {
        "device_id": extra.device_id,
        "lane": extra.topic.rpartition("/")[2],
        "stream": None,
        "seq": None,
        "created_at": at,
        "sent_at": at,
        "topic": extra.topic,
        "retain": extra.retain,
    }
    try:
        json.loads(extra.payload)
        head["payload"] = msgspec.Raw(extra.payload)
    except (ValueError, RecursionError):
        # What is no JSON cannot stand in JSON.
        head["hex"] = extra.payload.hex()
    return native.encode(head)


class Envelope(msgspec.Struct, frozen=True):
    """The payload of a message that devices keep until a receipt."""

    readings: msgspec.Raw
    sent_at: str | None = None


class Message(msgspec.Struct, frozen=True):
    """A line of a log, read again."""

    device_id: str
    lane: str
    created_at: str
    sent_at: str
    topic: str
    stream: str | None = None
    seq: int | None = None
    payload: msgspec.Raw = msgspec.Raw(b"")
    hex: str | None = None
    retain: bool = False

    @property
    def sent_ms(self) -> int:
        return clock.to_ms(clock.parsed(self.sent_at))

    @property
    def envelope(self) -> Envelope | None:
        """What devices keep until a receipt; None for what is sent beside the contract."""
        if self.stream is None or self.seq is None:
            return None
        return msgspec.json.decode(self.payload, type=Envelope)

    @property
    def body(self) -> bytes:
        """What is sent beside the contract, byte for byte."""
        return bytes.fromhex(self.hex) if self.hex is not None else bytes(self.payload)


def read(path: str) -> list[Message]:
    """Raises BadInput with the number of the line that is wrong."""
    found = []
    try:
        with Path(path).open("rb") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    try:
                        message = msgspec.json.decode(text, type=Message)
                        clock.parsed(message.sent_at)
                        _ = message.envelope
                    except (msgspec.DecodeError, ValueError) as error:
                        raise errors.BadInput(f"{path}: line {number} is not a created message: {error}") from None
                    found.append(message)
    except OSError as error:
        raise errors.BadInput(f"cannot read {path}: {error.strerror}") from None
    return found


def is_log(path: str) -> bool:
    """Whether a file begins like a log of created messages (and not like a CSV)."""
    try:
        with Path(path).open("rb") as file:
            return file.read(200).lstrip()[:1] == b"{"
    except OSError:
        return False


@contextlib.contextmanager
def opened(path: str | None) -> Iterator[Callable[[bytes], None]]:
    """Somewhere to write lines: a file, standard output for "-", nowhere for None. Raises BadInput."""
    if path is None:
        yield lambda _line: None
        return
    if path == "-":
        import sys

        yield lambda body: _put(sys.stdout.buffer, body)
        return
    try:
        file = Path(path).open("wb")  # noqa: SIM115  # closed below, after the errors of opening are told apart
    except OSError as error:
        raise errors.BadInput(f"cannot write {path}: {error.strerror}") from None
    with file:
        yield lambda body: _put(file, body)


def _put(file: IO[bytes], body: bytes) -> None:
    file.write(body)
