"""How fast virtual time goes by: any number of times real time, as fast as it can, or not at all."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from typing import Final

from simulator import clock

#: Over so many of the last real seconds it is told how fast time really goes, and after how many for the first time.
TOLD_SECONDS: Final = 20.0
FIRST_SECONDS: Final = 4.0


class Pace:
    """speed: virtual seconds a real one; 0: stands still; None: as fast as it can."""

    def __init__(self, speed: float | None) -> None:
        self.speed = speed
        self._anchor: tuple[float, int] | None = None
        #: (real seconds, virtual milliseconds) of the latest steps.
        self._steps: collections.deque[tuple[float, int]] = collections.deque()
        self._changed = asyncio.Event()

    def set(self, speed: float | None) -> None:
        """From now on."""
        self.speed = speed
        self._anchor = None
        self._steps.clear()
        self._changed.set()

    def stepped(self, at_ms: int) -> None:
        """A virtual moment was reached, and all that came of it is settled."""
        now = clock.monotonic()
        self._steps.append((now, at_ms))
        while len(self._steps) > 2 and self._steps[1][0] < now - TOLD_SECONDS:
            self._steps.popleft()

    @property
    def reached(self) -> float | None:
        """How many times as fast as real time it really goes; None: not known yet."""
        if len(self._steps) < 2:
            return None
        (begun, from_ms), (ended, to_ms) = self._steps[0], self._steps[-1]
        # A step that takes very long counts while it lasts.
        late = clock.monotonic() - ended
        lasted = ended - begun + (late if late > FIRST_SECONDS else 0.0)
        return (to_ms - from_ms) / 1000 / lasted if lasted >= FIRST_SECONDS else None

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
