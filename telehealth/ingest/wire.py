"""The socket under paho: reads and writes in bulk, and can be held shut.

paho asks for a packet's bytes one to three at a time and sends every packet by itself. Here it is
served from one large read, and what it sends leaves in one write.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Protocol

_READ = 1 << 17
#: Beyond this much unsent output paho is told to wait.
_UNSENT = 1 << 20


class Socket(Protocol):
    """What paho and we need of a socket, plain or TLS."""

    def recv(self, buffer_size: int) -> bytes: ...
    def send(self, buffer: bytes | bytearray) -> int: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...
    def setblocking(self, flag: bool) -> None: ...


class Wire:
    """A socket as paho sees it. Raises BlockingIOError as a non-blocking socket does."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._in = b""
        self._at = 0
        self._out = bytearray()
        #: While true, nothing is handed to paho; what has arrived waits here and in the kernel.
        self.shut = False

    def recv(self, buffer_size: int) -> bytes:
        if self.shut:
            raise BlockingIOError
        at = self._at
        if at >= len(self._in):
            self._in = self._socket.recv(_READ)
            at = 0
        found = self._in[at : at + buffer_size]
        self._at = at + len(found)
        return found

    @property
    def waiting(self) -> bool:
        """Whether something can be read of which the kernel will not tell."""
        if self._at < len(self._in):
            return True
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.fileno() >= 0 and self._socket.pending() > 0

    def send(self, buffer: bytes | bytearray) -> int:
        if len(self._out) > _UNSENT:
            raise BlockingIOError
        self._out += buffer
        return len(buffer)

    def flush(self) -> bool:
        """Send what paho has written; False if the kernel would not take it all now."""
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
