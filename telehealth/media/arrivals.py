"""What a sender's line carries, from when its packets left and when they came. Pure.

aiortc's own estimate follows how delays change from packet to packet, and takes a line whose delay varies (radio, busy
Wi-Fi) for a full one, again and again: it fell to 25 kbit/s on a line that lost nothing and had room for ten times as
much. What shows a full line is a queue: then the *least* delay of many packets grows, which chance does not do.
"""

from __future__ import annotations

from collections import deque

#: Least delays are of so long, and of so many packets at least.
_WINDOW_MS = 400
_FEW = 3
#: The least delay of so many windows is that of the line without a queue.
_BASE_WINDOWS = 50
#: A queue that is shorter, in ms, may be chance; one that grows by less from one window to the next does not grow.
_QUEUE_MS = 80.0
_GROWTH_MS = 20.0
#: One that is longer is too long, even if it does not grow.
_LONG_MS = 400.0
_BACK = 0.85
_HOLD_MS = 1000
#: Growth a second: far from where the line was last full, and near to it.
_FAST, _SLOW = 1.5, 1.05
_NEAR = (0.7, 1.3)
_LEAST = 10_000
_CYCLE = 1 << 24
_FRACTION_BITS = 18
#: A source number is told of for so long after its last packet.
_HEARD_MS = 10_000


class Arrivals:
    """Of all that one browser sends by one path. Stands for aiortc's estimator, whose names add() has."""

    def __init__(self) -> None:
        self._sources: dict[int, int] = {}
        self._window_at: int | None = None
        self._bytes = 0
        self._delays: list[float] = []
        self._reference: tuple[int, int] | None = None
        self._lows: deque[float] = deque(maxlen=_BASE_WINDOWS)
        self._estimate: float | None = None
        self._full_at: float | None = None
        self._backed_at: float = -_HOLD_MS
        self._waited = False
        #: ms that packets wait in a queue on their way; bit/s that arrive.
        self.queue = 0.0
        self.rate = 0.0

    def add(
        self, arrival_time_ms: int, abs_send_time: int, payload_size: int, ssrc: int
    ) -> tuple[int, list[int]] | None:
        """bit/s that the line carries, and whose, some times in two seconds.

        abs_send_time: seconds in 24 bits, 6 of them whole.
        """
        self._sources[ssrc] = arrival_time_ms
        if self._window_at is None or arrival_time_ms - self._window_at > 10 * _WINDOW_MS:
            self._begin(arrival_time_ms)  # nothing came for a while: a rate over the gap would mean nothing
        self._bytes += payload_size
        self._delays.append(self._delay(arrival_time_ms, abs_send_time))
        assert self._window_at is not None
        passed = arrival_time_ms - self._window_at
        if passed < _WINDOW_MS or len(self._delays) < _FEW:
            return None
        self._judge(arrival_time_ms, 8000 * self._bytes / passed)
        self._begin(arrival_time_ms)
        heard = [one for one, at in self._sources.items() if arrival_time_ms - at < _HEARD_MS]
        return int(max(_LEAST, self._estimate or 0.0)), heard

    def _begin(self, now: int) -> None:
        self._window_at, self._bytes = now, 0
        self._delays.clear()

    def _delay(self, arrival: int, sent: int) -> float:
        """ms, counted from the first packet's."""
        if self._reference is None:
            self._reference = arrival, sent
        since = ((sent - self._reference[1] + _CYCLE // 2) % _CYCLE - _CYCLE // 2) * 1000 / (1 << _FRACTION_BITS)
        # Moves with the packets, so that times that begin anew every 64 s are never half of that apart.
        found = self._offset + (arrival - self._reference[0]) - since
        self._reference, self._offset = (arrival, sent), found
        return found

    _offset = 0.0

    def _judge(self, now: int, rate: float) -> None:
        low = min(self._delays)
        before = self._lows[-1] if self._lows else low
        self._lows.append(low)
        self.queue, self.rate = low - min(self._lows), rate
        if self._estimate is None:
            self._estimate = 1.5 * rate
        # In two windows in a row: either side may stand still for a moment, and then sends or takes all at once.
        waited, self._waited = self._waited, self.queue > _QUEUE_MS
        grows = low - before > _GROWTH_MS
        if waited and self._waited and (grows or self.queue > _LONG_MS):
            if now - self._backed_at >= _HOLD_MS:
                self._full_at = rate
                self._estimate, self._backed_at = min(self._estimate, _BACK * rate), now
            return
        if now - self._backed_at < _HOLD_MS or self.queue > _QUEUE_MS:
            return
        near = self._full_at is not None and _NEAR[0] < self._estimate / max(1.0, self._full_at) < _NEAR[1]
        more = (_SLOW if near else _FAST) ** (_WINDOW_MS / 1000)
        most = max(self._estimate, 1.5 * rate + 10_000)
        self._estimate = min(self._estimate * more + 1000, most)
