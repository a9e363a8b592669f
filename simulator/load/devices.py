"""The devices of a load: their messages, what is unsettled of them, and when it is sent again."""

from __future__ import annotations

import heapq
import secrets
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator import clock, receipts
from simulator.load.session import Session

RESEND_FIRST_SECONDS = 30.0
RESEND_MOST_SECONDS = 15 * 60.0


@dataclass
class Totals:
    """Counts so far, and milliseconds. messages: made; deliveries: sent, again or not."""

    messages: int = 0
    deliveries: int = 0
    resends: int = 0
    acknowledged: int = 0
    settled: int = 0
    refused: int = 0
    disconnects: int = 0
    failed_connections: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    refused_connections: Counter[str] = field(default_factory=Counter)
    connect_ms: array[float] = field(default_factory=lambda: array("d"))
    puback_ms: array[float] = field(default_factory=lambda: array("d"))
    receipt_ms: array[float] = field(default_factory=lambda: array("d"))


class Held:
    """A message that is not settled: when it was sent first (0: not yet), its readings, how often it was sent."""

    __slots__ = ("at", "attempts", "readings")

    def __init__(self, readings: bytes) -> None:
        self.at = 0.0
        self.readings = readings
        self.attempts = 0


class Devices:
    """Told by sessions what happens. receipts: whether a receipt settles a message, or else the broker's PUBACK."""

    def __init__(
        self, *, by_receipt: bool, opened: Callable[[Session], None], closed: Callable[[Session], None]
    ) -> None:
        self.totals = Totals()
        self.ready: list[Session] = []
        self.connected = 0
        self._by_receipt = by_receipt
        self._opened = opened
        self._closed = closed
        self._stream = secrets.token_urlsafe(9)
        #: The end: connections that are closed now were closed by us.
        self.over = False
        #: When which message is sent again unless it is settled: (monotonic seconds, device, seq).
        self._again: list[tuple[float, int, int]] = []
        self._place: dict[int, int] = {}

    @property
    def unsettled(self) -> int:
        return self.totals.messages - self.totals.settled

    def make(self, session: Session, number: int) -> None:
        """One message with two ordinary readings, sent if the device is connected."""
        at = clock.text(clock.now()).encode()
        session.seq += 1
        held = Held(
            b'[{"code":"spo2","value":%d,"unit":"%%","taken_at":"%s"},{"code":"pulse","value":%d,"unit":"/min","taken_at":"%s"}]'
            % (95 + number % 4, at, 64 + number % 17, at)
        )
        session.held[session.seq] = held
        self.totals.messages += 1
        if session.ready:
            self._send(session, session.seq, held, clock.monotonic())

    def resend(self, now: float) -> None:
        """What has waited for its receipt long enough."""
        while self._again and self._again[0][0] <= now:
            _, place, seq = heapq.heappop(self._again)
            session = self.ready[place]
            held = session.held.get(seq)
            if held is not None and session.ready:
                self._send(session, seq, held, now)

    def _send(self, session: Session, seq: int, held: Held, now: float) -> None:
        oldest = next(iter(session.held))
        payload = b'{"stream":"%s","seq":%d,"oldest":%d,"sent_at":"%s","readings":%s}' % (
            self._stream.encode(), seq, oldest, clock.text(clock.now()).encode(), held.readings,
        )  # fmt: skip
        mid = session.publish(payload)
        session.pending[mid] = (now, seq)
        session.silent_since = now
        if held.attempts:
            self.totals.resends += 1
        else:
            held.at = now
        wait = min(RESEND_FIRST_SECONDS * 2 ** min(held.attempts, 16), RESEND_MOST_SECONDS)
        held.attempts += 1
        self.totals.deliveries += 1
        heapq.heappush(self._again, (now + wait, self._place[id(session)], seq))

    # What sessions tell -----------------------------------------------------------------------------

    def opened(self, session: Session) -> None:
        now = clock.monotonic()
        self.connected += 1
        self.totals.connect_ms.append((now - session.opened_at) * 1000)
        session.failures = 0
        session.silent_since = now
        if id(session) not in self._place:
            self._place[id(session)] = len(self.ready)
            self.ready.append(session)
        self._opened(session)
        for seq, held in session.held.items():
            self._send(session, seq, held, now)

    def refused(self, session: Session, why: str) -> None:
        self.totals.refused_connections[why] += 1

    def closed(self, session: Session, was_ready: bool) -> None:
        session.pending.clear()
        if was_ready:
            self.connected -= 1
            self.totals.disconnects += not self.over
        self._closed(session)

    def acknowledged(self, session: Session, mid: int) -> None:
        sent = session.pending.pop(mid, None)
        if sent is None:
            return
        self.totals.acknowledged += 1
        self.totals.puback_ms.append((clock.monotonic() - sent[0]) * 1000)
        if not self._by_receipt and session.held.pop(sent[1], None) is not None:
            self.totals.settled += 1

    def heard(self, session: Session, payload: bytes) -> None:
        receipt = receipts.decode(payload)
        if receipt is None or receipt.stream != self._stream or not self._by_receipt:
            return
        for refusal in receipt.refused:
            self._refusal(session, refusal)
        now = clock.monotonic()
        # In the order of seq: what is settled stands first.
        while session.held and (seq := next(iter(session.held))) <= receipt.through:
            self._settle(session, seq, now)
        for low, high in receipt.also:
            for seq in [seq for seq in session.held if low <= seq <= high]:
                self._settle(session, seq, now)

    def _settle(self, session: Session, seq: int, now: float) -> None:
        held = session.held.pop(seq)
        self.totals.settled += 1
        self.totals.receipt_ms.append((now - held.at) * 1000)

    def _refusal(self, session: Session, refusal: receipts.Refusal) -> None:
        if refusal.seq is None:
            return
        if session.refusals is None:
            session.refusals = set()
        if (refusal.seq, refusal.index) not in session.refusals:
            session.refusals.add((refusal.seq, refusal.index))
            self.totals.refused += 1
            self.totals.reasons[refusal.error] += 1
