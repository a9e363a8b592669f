"""How often something may be asked for: many times at once, and then as often as that becomes due again. Pure."""

from __future__ import annotations


class Allowance:
    def __init__(self, at_once: float, a_second: float, now: float) -> None:
        self._most, self._a_second = at_once, a_second
        self._left, self._at = at_once, now

    def take(self, now: float) -> bool:
        """Whether it may be asked for once more; counts it."""
        self._left = min(self._most, self._left + (now - self._at) * self._a_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
