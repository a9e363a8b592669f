"""Places at which a test may stop the world: between a commit and what follows from it.

TELEHEALTH_FAILPOINTS names the Unix socket of whoever watches. A place that is reached is told there, and the
process waits for the answer: the watcher may first kill the broker, the database or this process. Otherwise,
always outside of such tests, reaching a place costs one comparison.
"""

from __future__ import annotations

import socket
from typing import Final

#: A watcher that is gone does not hold anybody up for ever.
_ANSWER_SECONDS: Final = 60.0

_watcher: socket.socket | None = None


def arm(path: str | None) -> None:
    """Connect to the watcher; None: there is none. Raises OSError if nobody listens."""
    global _watcher
    if path is None:
        return
    watcher = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    watcher.settimeout(_ANSWER_SECONDS)
    watcher.connect(path)
    _watcher = watcher


def reach(place: str) -> None:
    """This process is at a place: a name of letters, dots and underscores."""
    if _watcher is None:
        return
    _stop_at(_watcher, place)


def _stop_at(watcher: socket.socket, place: str) -> None:
    global _watcher
    try:
        watcher.sendall(f"{place}\n".encode())
        if not watcher.recv(1):
            _watcher = None
    except OSError:
        _watcher = None
