"""Which packets of a picture have not come, to be asked for again. Pure.

aiortc looks at each number of a gap before it forgets those that are too old to be repeated: a browser that jumps with
each packet would keep a worker busy with nothing else, and everybody in it.
"""

from __future__ import annotations

from typing import Protocol

from telehealth.media import sequence

#: Older ones are not asked for: whoever sends them has forgotten them.
_KEPT = 128


class Numbered(Protocol):
    sequence_number: int


class Gaps:
    """Of one picture. Stands for aiortc's NackGenerator, and finds the same."""

    def __init__(self) -> None:
        self.missing: set[int] = set()
        self._newest: int | None = None

    def add(self, packet: Numbered) -> bool:
        """Whether packets before this one are missing that were not known to be."""
        number = packet.sequence_number
        if self._newest is None:
            self._newest = number
            return False
        forward = sequence.ahead(number, self._newest)
        if forward <= 0:
            self.missing.discard(number)
            return False
        self._newest = number
        if forward == 1 and not self.missing:
            return False
        self.missing = {one for one in self.missing if 0 < sequence.ahead(number, one) <= _KEPT}
        self.missing |= {(number - back) & 0xFFFF for back in range(1, min(forward, _KEPT + 1))}
        return forward > 1
