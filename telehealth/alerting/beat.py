"""A beat that no clock holds up.

A loop's timers hang on the clock that it reads. Where that steps back (some virtual machines that were moved or
suspended, and tests that fake every clock), a wait of one second lasts as long as the step. What time brings must not:
the kernel counts this wait, from when it began.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from collections.abc import Iterator
from typing import Final

_SECONDS: Final = 1.0


class Beat:
    """Beats about once a second, and hears that there is work."""

    def __init__(self) -> None:
        #: Somebody has said that there is work, and nobody has looked for it since.
        self.heard = False
        #: How many beats each rest lasts at most, and whether hearing ends it.
        self._resting: dict[asyncio.Future[None], tuple[int, bool]] = {}

    def hear(self) -> None:
        """There is work."""
        self.heard = True
        for rest, (_, listening) in self._resting.items():
            if listening:
                _settle(rest)

    def beat(self) -> None:
        """About a second has passed."""
        for rest, (left, listening) in self._resting.items():
            self._resting[rest] = (left - 1, listening)
            if left == 1:
                _settle(rest)

    async def rest(self, seconds: float, *, listening: bool = False) -> None:
        """Wait for so long, but not beyond the second beat from now; listening: nor once there is work."""
        if listening and self.heard:
            return
        loop = asyncio.get_running_loop()
        rest: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(max(seconds, 0.0), _settle, rest)
        self._resting[rest] = (2, listening)
        try:
            await rest
        finally:
            timer.cancel()
            del self._resting[rest]


def _settle(rest: asyncio.Future[None]) -> None:
    if not rest.done():
        rest.set_result(None)


@contextlib.contextmanager
def beating() -> Iterator[Beat]:
    """Of the running loop, while the block runs."""
    loop = asyncio.get_running_loop()
    beat = Beat()
    over, end = os.pipe()

    def keep() -> None:
        while not select.select([over], [], [], _SECONDS)[0]:
            try:
                loop.call_soon_threadsafe(beat.beat)
            except RuntimeError:
                break  # the loop is closed
        os.close(over)

    threading.Thread(target=keep, name="beat", daemon=True).start()
    try:
        yield beat
    finally:
        os.close(end)
