"""Answers on their way to devices: gathered per device and stream, published after the commit.

A device that has just been answered waits up to 200 ms, so that a burst costs one receipt; one that
has not is answered at once when there is little to do. What the broker has not taken yet waits here,
where later answers join it. Should much wait all the same, the lane takes nothing more in for a moment, and then the
oldest answers are given up: their devices send again, and are answered then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from devices import receipts, topics
from devices.receipts import Refused
from telehealth.model.delivery import Answer

#: How long an answer may wait for others to join it.
COALESCE_SECONDS = 0.2
#: More answers than this in one batch are not sent at once.
_FEW = 32
#: Refusals and ids in one receipt: about 60 KB at most.
_LISTED = 200
#: Streams, ids and refusals that may wait in all.
_WAITING = 20_000
#: Numbers of answered messages that are remembered for one receipt: more than it has ranges.
_SEQS = 64

Publish = Callable[[str, bytes], bool]


class Receipts:
    """publish(topic, payload) says whether it could take the receipt now; resume() when it may again."""

    def __init__(
        self,
        publish: Publish,
        now: Callable[[], datetime],
        *,
        at_once: Callable[[], bool],
        most: int = _WAITING,
    ) -> None:
        self._most = most
        self._publish = publish
        self._now = now
        self._at_once = at_once
        self._pending: dict[tuple[str, str | None], Answer] = {}
        #: Answered since the last tick.
        self._recent: set[tuple[str, str | None]] = set()
        self._tick: asyncio.TimerHandle | None = None
        self._blocked = False
        self._weight = 0
        #: Set while there is room for more answers.
        self.room = asyncio.Event()
        self.room.set()

    @property
    def full(self) -> bool:
        """Whether so much waits that nothing should be added for now."""
        return self._weight > self._most

    @property
    def pending(self) -> int:
        """Device streams that wait for their answer."""
        return len(self._pending)

    def add(self, answers: Iterable[Answer]) -> None:
        """Take answers of a committed batch. Later ones of a stream carry its later settled set."""
        added = []
        for answer in answers:
            key = (answer.device_id, answer.stream)
            waiting = self._pending.get(key)
            if waiting is None:
                self._pending[key] = answer
                self._weigh(_weight(answer))
            else:
                before = _weight(waiting)
                waiting.settled = answer.settled
                waiting.seqs = (waiting.seqs + answer.seqs)[-_SEQS:]
                waiting.ids = list(dict.fromkeys(waiting.ids + answer.ids))
                waiting.refused = list(dict.fromkeys(waiting.refused + answer.refused))
                self._weigh(_weight(waiting) - before)
            added.append(key)
        if self._at_once():
            self.flush()
            return
        if len(added) <= _FEW and not self._blocked:
            for key in added:
                if key not in self._recent:
                    self._send(key)
        if self._tick is None and (self._pending or self._recent):
            self._tick = asyncio.get_running_loop().call_later(COALESCE_SECONDS, self._on_tick)

    def flush(self) -> None:
        """Publish everything that waits, as far as the broker takes it."""
        self._blocked = False
        for key in list(self._pending):
            if self._blocked:
                break
            self._send(key)

    def resume(self) -> None:
        """The broker has taken something: go on if it was full."""
        if self._blocked:
            self.flush()

    def shed(self) -> int:
        """Give up the oldest answers beyond what may wait; how many."""
        shed = 0
        while self.full and self._pending:
            answer = self._pending.pop(next(iter(self._pending)))
            self._weigh(-_weight(answer))
            shed += 1
        return shed

    def close(self) -> None:
        """No more ticks."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def _on_tick(self) -> None:
        self._tick = None
        self._recent.clear()
        if self._blocked:
            return
        self.flush()
        if self._recent:
            self._tick = asyncio.get_running_loop().call_later(COALESCE_SECONDS, self._on_tick)

    def _send(self, key: tuple[str, str | None]) -> None:
        answer = self._pending[key]
        topic = f"{topics.PREFIX}/{answer.device_id}/receipts"
        for payload in written(answer, self._now()):
            if not self._publish(topic, payload):
                # Kept whole: to hear something twice does a device no harm.
                self._blocked = True
                return
        del self._pending[key]
        self._weigh(-_weight(answer))
        self._recent.add(key)

    def _weigh(self, more: int) -> None:
        self._weight += more
        if self.full:
            self.room.clear()
        else:
            self.room.set()


def _weight(answer: Answer) -> int:
    return 1 + len(answer.ids) + len(answer.refused)


def written(answer: Answer, at: datetime) -> Iterator[bytes]:
    """The receipts of one answer: one, or several when there is much to list."""
    for refused, ids in _parts(answer.refused, answer.ids):
        receipt = receipts.receipt(
            answer.stream, answer.settled, at, answered=frozenset(answer.seqs), refused=refused, ids=ids
        )
        yield receipt.encode()


def _parts(refused: list[Refused], ids: list[str]) -> Iterator[tuple[list[Refused], list[str]]]:
    for start in range(0, max(len(refused), len(ids), 1), _LISTED):
        yield refused[start : start + _LISTED], ids[start : start + _LISTED]
