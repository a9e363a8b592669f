"""One browser's socket in a visit: what waits to be sent, how fast it may talk, how often it was refused. No IO.

A state replaces one that still waits. Nothing else is dropped: a browser that does not read is hung up on.
"""

from __future__ import annotations

import asyncio
import collections
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from telehealth.web.calls import call_messages
from telehealth.web.calls.call_messages import Bye, State, Told

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
SESSION_OVER: Final = 4401
NOT_YOURS: Final = 4403
NORMAL: Final = 1000


@dataclass(eq=False)
class Line:
    """participant: whose browser this is.

    credential: hash of the session or token of a member of staff, or of a guest's browser; member, link: whose it is.
    tab: the page that it is of; takes: the person said on it that they go on there, wherever else it is open.
    epoch: of the room, as the browser was told last. shown: what it was shown last. shut_out: it may not hear and see
    any more, so that its end is no broken connection that may come back.
    """

    consultation: int
    participant: int
    at: float
    credential: bytes
    member: int | None = None
    link: int | None = None
    tab: uuid.UUID | None = None
    takes: bool = False
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    close_code: int | None = None
    epoch: int | None = None
    shown: tuple[dict[str, Any], dict[str, Any]] | None = None
    shut_out: bool = False

    def __post_init__(self) -> None:
        self.heard_at = self.at
        self._allowance = BURST
        self._strikes = 0
        self.refusals = 0
        self._state: State | None = None
        self._waiting: collections.deque[Told] = collections.deque()
        self._wake = asyncio.Event()

    @property
    def staff(self) -> bool:
        return self.member is not None

    def may_talk(self, at: float) -> bool:
        """Whether another message is not too fast; counts it."""
        self._allowance = min(BURST, self._allowance + (at - self.heard_at) * RATE)
        self.heard_at = at
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def refused(self, about: str, why: str, *, strike: bool = True) -> None:
        """Tell why. strike: it was no mistake of ours or of theirs; the third in a row is the last."""
        self.tell(call_messages.Refused(about, why))
        if strike:
            self.refusals += 1
            self._strikes += 1
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
        if code in (SESSION_OVER, NOT_YOURS):
            self.shut_out = True
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
