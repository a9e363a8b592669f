"""Messages that failed alone: tried again one by one, beside everybody else's, so that none of them stops the others.

An error may be the message's or the database's, and does not always say which. It is the message's if others with
readings were stored meanwhile; then it is set aside with its bytes, for a person.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from telehealth import clock, log
from telehealth.ingest import mqtt
from telehealth.model import delivery
from telehealth.model.delivery import Delivery, Status
from telehealth.store import db

_log = log.get("ingest")

_LONGEST_WAIT_SECONDS = 5.0
#: So often is a message tried whose error does not say what it is about, before it is taken for the message's own.
_TRIES = 4


@dataclass(slots=True)
class Held:
    """One message between the broker and its acknowledgement. what None: nothing to store. size: in memory, about.

    failures: that were its own by their kind; tries: in vain since stored, the lane's count of transactions, was read.
    """

    connection: mqtt.Connection
    mid: int
    qos: int
    size: int
    what: Delivery | Status | None
    failures: int = 0
    aside: bool = False
    tries: int = 0
    stored: int = 0
    again_at: float = 0.0

    def set_aside(self) -> None:
        """Keep its bytes only. Should even that have failed, leave it out: without a receipt its device keeps it."""
        if isinstance(self.what, Delivery) and not self.aside:
            self.what, self.aside = delivery.set_aside(self.what), True
        else:
            self.what = None
        self.tries = 0


class Suspects:
    """run() tries each when it is due, by attempt(message), which may put it off again."""

    def __init__(self, lane: str, attempt: Callable[[Held], Awaitable[None]]) -> None:
        self._lane = lane
        self._attempt = attempt
        self._waiting: list[Held] = []
        self._trying: Held | None = None
        self._changed = asyncio.Event()

    @property
    def busy(self) -> bool:
        return bool(self._waiting) or self._trying is not None

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop; then what is under way is finished. Call wake() when it is set."""
        while not stop.is_set():
            self._changed.clear()
            due = min(self._waiting, key=lambda held: held.again_at, default=None)
            seconds = None if due is None else due.again_at - clock.monotonic()
            if due is None or (seconds is not None and seconds > 0):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._changed.wait()
                continue
            self._waiting.remove(due)
            self._trying = due
            try:
                await self._attempt(due)
            finally:
                self._trying = None

    def has(self, held: Held) -> bool:
        """Whether it was put off."""
        return any(one is held for one in self._waiting)

    def put_off(self, held: Held, error: Exception, *, took: float, stored: int) -> None:
        """Try it again later. stored: transactions of the lane so far that brought readings; took: seconds, in vain."""
        held.tries += 1
        if held.tries == 1:
            held.stored = stored
        if db.unclear(error) and held.tries >= _TRIES and held.stored != stored:
            _log.error(
                "a message cannot be stored and is set aside",
                lane=self._lane,
                error=type(error).__name__,
                where=log.where(error),
            )
            held.set_aside()
        # What takes long to fail is not tried all the time.
        held.again_at = clock.monotonic() + max(patience(held.tries), 2 * took)
        self._waiting.append(held)
        self._changed.set()

    def all_due(self) -> None:
        """Something was the matter and is not any more."""
        for held in self._waiting:
            held.again_at = 0.0
        self._changed.set()

    def wake(self) -> None:
        self._changed.set()

    def forget(self, connection: mqtt.Connection) -> int:
        """Leave out what a lost connection brought: it comes again. Its size."""
        gone = sum(held.size for held in self._waiting if held.connection is connection)
        self._waiting = [held for held in self._waiting if held.connection is not connection]
        return gone


def patience(attempt: int) -> float:
    """Jittered, doubling, so that many services do not come back in step."""
    return float(min(_LONGEST_WAIT_SECONDS, 0.1 * 2 ** min(attempt, 10)) * random.uniform(0.5, 1.0))
