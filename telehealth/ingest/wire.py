"""The socket under paho, and the two packets that there are many of.

paho looks after the session: connecting, subscribing, pings, what we publish. The messages that come
in (PUBLISH) and their acknowledgements (PUBACK) do not pass through it: reading them here, from one
large read, takes a tenth of the time, and what is written leaves in one write.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from typing import Final, Protocol

_READ: Final = 1 << 17
#: Beyond this much unsent output paho is told to wait.
_UNSENT: Final = 1 << 20
_PUBLISH: Final = 3

#: Properties of a message by their kind: of fixed length, of one or two texts, and the one that is a number.
_FIXED: Final = {0x01: 1, 0x02: 4, 0x23: 2}
_TEXTS: Final = {0x03: 1, 0x08: 1, 0x09: 1, 0x26: 2}
_SUBSCRIPTION: Final = 0x0B
_CONTENT_TYPE: Final = 0x03

#: published(topic, payload, mid, qos, retain); mid is 0 for QoS 0.
Published = Callable[[bytes, bytes, int, int, bool], None]


class Socket(Protocol):
    """What paho and we need of a socket, plain or TLS."""

    def recv(self, buffer_size: int) -> bytes: ...
    def send(self, buffer: bytes | bytearray) -> int: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...
    def setblocking(self, flag: bool) -> None: ...


class Malformed(OSError):
    """The broker sent something that is not MQTT."""


class Wire:
    """A socket as paho sees it; all but PUBLISH reaches paho. Raises BlockingIOError as a non-blocking socket does."""

    def __init__(self, socket: Socket, published: Published, *, five: bool) -> None:
        self._socket = socket
        self._published = published
        self._five = five
        #: As received: whole packets from _at on, and the beginning of one.
        self._raw = b""
        self._at = 0
        #: Packets for paho.
        self._in = bytearray()
        self._out = bytearray()
        self._ended: OSError | bool = False
        #: While true no packet is handed on; what arrives waits in the kernel, then at the broker.
        self.shut = False
        #: Of the message that is being handed on, where it says one (MQTT 5).
        self.content_type: str | None = None

    # Reading ---------------------------------------------------------------------------------------

    def read(self, packets: int) -> bool:
        """Hand on what has arrived, at most so many packets; whether there may be more without waiting."""
        if self._parse(packets):
            return True
        if self.shut or self._ended:
            return False
        try:
            found = self._socket.recv(_READ)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            self._ended = error
            return False
        if not found:
            self._ended = True
            return False
        self._raw = self._raw[self._at :] + found if self._at < len(self._raw) else found
        self._at = 0
        return self._parse(packets) or len(found) == _READ or self._pending()

    @property
    def for_paho(self) -> bool:
        """Whether paho has something to read: packets, or the end."""
        return bool(self._in) or bool(self._ended)

    def recv(self, buffer_size: int) -> bytes:
        """paho's reading."""
        if self._in:
            found = bytes(self._in[:buffer_size])
            del self._in[:buffer_size]
            return found
        if isinstance(self._ended, OSError):
            raise self._ended
        if self._ended:
            return b""
        raise BlockingIOError

    def _pending(self) -> bool:
        """Bytes that TLS has taken from the kernel already, of which the kernel will not tell."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.fileno() >= 0 and self._socket.pending() > 0

    def _parse(self, packets: int) -> bool:
        """Hand on whole packets; True if it stopped for their number."""
        raw, at = self._raw, self._at
        end = len(raw)
        try:
            while not self.shut and end - at >= 2:
                start, stop = _body(raw, at, end)
                if stop > end:
                    return False
                if not packets:
                    return True
                packets -= 1
                begun, self._at, at = at, stop, stop
                if raw[begun] >> 4 == _PUBLISH:
                    self._publish(raw, raw[begun], start, stop)
                else:
                    self._in += raw[begun:stop]
            return False
        except (IndexError, Malformed) as error:
            self._ended = error if isinstance(error, Malformed) else Malformed("a packet ends too early")
            return False

    def _publish(self, raw: bytes, first: int, start: int, stop: int) -> None:
        qos = first >> 1 & 3
        at = start + 2 + (raw[start] << 8 | raw[start + 1])
        topic = raw[start + 2 : at]
        mid = 0
        if qos:
            mid = raw[at] << 8 | raw[at + 1]
            at += 2
        if self._five:
            if raw[at]:
                at, self.content_type = _properties(raw, at, stop)
            else:
                at += 1
        if at > stop or qos > 1:
            raise Malformed("a message is not as subscribed")
        self._published(topic, raw[at:stop], mid, qos, bool(first & 1))
        self.content_type = None

    # Writing ---------------------------------------------------------------------------------------

    def acknowledge(self, mid: int) -> None:
        """PUBACK; leaves with the next flush()."""
        self._out += b"\x40\x02" + mid.to_bytes(2, "big")

    def send(self, buffer: bytes | bytearray) -> int:
        """paho's writing; leaves with the next flush()."""
        if len(self._out) > _UNSENT:
            raise BlockingIOError
        self._out += buffer
        return len(buffer)

    def flush(self) -> bool:
        """Send what was written; False if the kernel would not take it all now."""
        while self._out:
            try:
                sent = self._socket.send(self._out)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            del self._out[:sent]
        return True

    def close(self) -> None:
        # paho closes right after it has written its DISCONNECT
        with contextlib.suppress(OSError):
            self.flush()
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        self._socket.setblocking(flag)


def _body(raw: bytes, at: int, end: int) -> tuple[int, int]:
    """Where the rest of a packet begins and ends; beyond the end if that is not all there."""
    length = raw[at + 1]
    if length < 128:
        return at + 2, at + 2 + length
    length &= 127
    for n in (1, 2, 3):
        if at + 1 + n >= end:
            return end, end + 1
        digit = raw[at + 1 + n]
        length |= (digit & 127) << 7 * n
        if digit < 128:
            return at + 2 + n, at + 2 + n + length
    raise Malformed("a packet's length is malformed")


def _properties(raw: bytes, at: int, stop: int) -> tuple[int, str | None]:
    """Where the MQTT 5 properties of a message end, and the content type among them."""
    length, at = _number(raw, at)
    end = at + length
    if end > stop:
        raise Malformed("a message's properties are malformed")
    content_type = None
    while at < end:
        kind = raw[at]
        at += 1
        if kind == _CONTENT_TYPE:
            content_type = raw[at + 2 : at + 2 + (raw[at] << 8 | raw[at + 1])].decode(errors="replace")
        if kind in _FIXED:
            at += _FIXED[kind]
        elif kind in _TEXTS:
            for _ in range(_TEXTS[kind]):
                at += 2 + (raw[at] << 8 | raw[at + 1])
        elif kind == _SUBSCRIPTION:
            at = _number(raw, at)[1]
        else:
            raise Malformed("a message has a property that is none")
    if at != end:
        raise Malformed("a message's properties are malformed")
    return end, content_type


def _number(raw: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer and where it ends."""
    number = 0
    for n in range(4):
        number |= (raw[at + n] & 127) << 7 * n
        if raw[at + n] < 128:
            return number, at + n + 1
    raise Malformed("a message's properties are malformed")
