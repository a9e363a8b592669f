"""One browser's socket in a visit: what waits to be sent, how fast it may talk, how often it was refused. No IO.

A state replaces one that still waits. Nothing else is dropped: a browser that does not read is hung up on.
"""

from __future__ import annotations

import asyncio
import collections
import uuid
from dataclasses import dataclass, field
from typing import Final

from telehealth.web import call_messages
from telehealth.web.call_messages import Bye, State, Told

#: Messages that may wait, besides the state.
MOST_WAITING: Final = 200
#: Messages a second, and at once.
RATE: Final = 20.0
BURST: Final = 60.0
#: Refusals in a row after which the connection ends.
STRIKES: Final = 3

#: Close codes: why a socket ends.
GOING_AWAY: Final = 1001
POLICY: Final = 1008
TOO_SLOW: Final = 4008
NORMAL: Final = 1000


@dataclass(eq=False)
class Line:
    """participant: whose browser this is. staff: a member's, not a guest's."""

    consultation: int
    participant: int
    staff: bool
    at: float
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    close_code: int | None = None

    def __post_init__(self) -> None:
        self.heard_at = self.at
        self._allowance = BURST
        self._strikes = 0
        self._state: State | None = None
        self._waiting: collections.deque[Told] = collections.deque()
        self._wake = asyncio.Event()

    def may_talk(self, at: float) -> bool:
        """Whether another message is not too fast; counts it."""
        self._allowance = min(BURST, self._allowance + (at - self.heard_at) * RATE)
        self.heard_at = at
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def refused(self, about: str, why: str) -> None:
        """Tell why; the third time in a row is the last."""
        self._strikes += 1
        self.tell(call_messages.Refused(about, why))
        if self._strikes >= STRIKES:
            self.close(POLICY)

    def accepted(self) -> None:
        self._strikes = 0

    def show(self, state: State) -> None:
        """The newest state, instead of one that still waits."""
        self._state = state
        self._wake.set()

    def tell(self, message: Told) -> None:
        if self.close_code is not None:
            return
        if len(self._waiting) >= MOST_WAITING:
            self.close(TOO_SLOW)
            return
        self._waiting.append(message)
        self._wake.set()

    def bye(self, message: Bye) -> None:
        """The last message; the first reason counts."""
        if self.close_code is None:
            self._state = None
            self._waiting.append(message)
            self.close(GOING_AWAY if message.why == "service" else NORMAL)

    def close(self, code: int) -> None:
        if self.close_code is None:
            self.close_code = code
        self._wake.set()

    async def wait(self) -> None:
        """Until there is something to send, or to close for."""
        await self._wake.wait()
        self._wake.clear()

    def take(self) -> list[Told]:
        """Everything that waits: the state first, because the others speak of it."""
        messages: list[Told] = [] if self._state is None else [self._state]
        messages += self._waiting
        self._state = None
        self._waiting.clear()
        return messages
