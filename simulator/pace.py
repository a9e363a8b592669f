"""How fast virtual time goes by: any number of times real time, as fast as it can, or not at all."""

from __future__ import annotations

import asyncio
import contextlib

from simulator import clock


class Pace:
    """speed: virtual seconds a real one; 0: stands still; None: as fast as it can."""

    def __init__(self, speed: float | None) -> None:
        self.speed = speed
        self._anchor: tuple[float, int] | None = None
        self._changed = asyncio.Event()

    def set(self, speed: float | None) -> None:
        """From now on."""
        self.speed = speed
        self._anchor = None
        self._changed.set()

    async def reach(self, from_ms: int, to_ms: int) -> bool:
        """Waits until it is time to go from one virtual moment to the next; False: the pace was changed meanwhile."""
        self._changed.clear()
        if self.speed is None:
            await asyncio.sleep(0)
            return True
        if self.speed == 0:
            await self._changed.wait()
            return False
        if self._anchor is None:
            self._anchor = clock.monotonic(), from_ms
        since, at_ms = self._anchor
        wait = since + (to_ms - at_ms) / 1000 / self.speed - clock.monotonic()
        if wait < -5.0:
            # It cannot keep up: what was lost is not made up for in a rush.
            self._anchor = clock.monotonic(), to_ms
        if wait <= 0:
            await asyncio.sleep(0)
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), wait)
            return False
        return True
