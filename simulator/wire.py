"""What becomes of each packet on a bad line. Pure: the same seed, packets and times give the same fates."""

from __future__ import annotations

import random
from dataclasses import dataclass

from simulator import errors

#: Keeps packets that are due at one time in order.
_STEP = 1e-7


@dataclass(frozen=True)
class Line:
    """One direction. Times in seconds.

    loss: share of packets, in bursts of so many on average (1: independent). jitter: up to so much is added to the
    delay, evenly. reorder: packets may overtake each other. rate: bit/s, with so long a queue, then packets are lost.
    """

    loss: float = 0.0
    burst: float = 1.0
    delay: float = 0.0
    jitter: float = 0.0
    reorder: bool = False
    rate: float | None = None
    queue: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.loss <= 1:
            raise errors.BadInput("loss must be 0 to 100 %")
        if not 1 <= self.burst <= 1000:
            raise errors.BadInput("burst must be 1 to 1000 packets")
        if not (0 <= self.delay <= 60 and 0 <= self.jitter <= 60 and 0 < self.queue <= 60):
            raise errors.BadInput("delay, jitter and queue must be at most 60 s")
        if self.rate is not None and not 1000 <= self.rate <= 1e10:
            raise errors.BadInput("rate must be at least 1 kbit/s")


@dataclass(frozen=True)
class Window:
    """A time in which nothing gets through; seconds since the proxy began."""

    at: float
    seconds: float

    def __post_init__(self) -> None:
        if not (self.at >= 0 and self.seconds > 0):
            raise errors.BadInput("an outage is AT:SECONDS, both positive")

    def holds(self, at: float) -> bool:
        return self.at <= at < self.at + self.seconds


@dataclass
class Counts:
    """Packets of one direction. lost: by chance; out: in an outage; squeezed: by a full queue; late: were overtaken."""

    packets: int = 0
    bytes: int = 0
    delivered: int = 0
    lost: int = 0
    out: int = 0
    squeezed: int = 0
    late: int = 0


class Wire:
    """Decides when each packet of a direction arrives, if at all."""

    def __init__(self, line: Line, seed: str, outages: tuple[Window, ...] = ()) -> None:
        self.line = line
        self.counts = Counts()
        self._random = random.Random(seed)
        self._outages = outages
        self._bad = False
        self._free_at = 0.0
        self._last = 0.0

    def cut(self, window: Window) -> None:
        """Nothing gets through in this time, too."""
        self._outages = (*self._outages, window)

    def arrival(self, size: int, at: float) -> float | None:
        """When a packet of so many bytes, sent at a time, is there; None: never. Times never go back."""
        self.counts.packets += 1
        self.counts.bytes += size
        # All dice are thrown for every packet, so that one setting does not change what another does.
        lost, jitter = self._loses(), self._random.random() * self.line.jitter
        if any(window.holds(at) for window in self._outages):
            self.counts.out += 1
            return None
        if lost:
            self.counts.lost += 1
            return None
        sent = at
        if self.line.rate is not None:
            begins = max(at, self._free_at)
            if begins - at > self.line.queue:
                self.counts.squeezed += 1
                return None
            sent = self._free_at = begins + size * 8 / self.line.rate
        there = sent + self.line.delay + jitter
        if there <= self._last:
            if self.line.reorder:
                self.counts.late += 1
            else:
                there = self._last + _STEP
        self._last = max(self._last, there)
        return there

    def _loses(self) -> bool:
        """By Gilbert's two states: in the bad one everything is lost; it lasts a burst."""
        loss, dice = self.line.loss, self._random.random()
        if self.line.burst <= 1 or not 0 < loss < 1:
            return dice < loss
        if self._bad:
            self._bad = dice >= 1 / self.line.burst
        else:
            self._bad = dice < loss / (self.line.burst * (1 - loss))
        return self._bad
