"""One medium that a participant sends, and the slots of viewers that carry it."""

from __future__ import annotations

from collections.abc import Callable

import aiortc
from aiortc import rtp

from telehealth import clock
from telehealth.media import arrivals, bandwidth, inside, onward, sequence

#: A whole picture is asked for this often at most; it costs the sender as much as many others.
_PICTURE_SECONDS = 0.5
_PICTURE_TRIES = 6
#: A packet that does not come is asked for again after so long, or a round trip if that is longer.
_AGAIN_SECONDS = 0.06
_AGAIN_TRIES = 3
_SETTLED_SECONDS = 1.0
#: Nothing for so long: it sends nothing that a line would have to carry.
_QUIET_SECONDS = 2.0


class Slot:
    """One receiving mid of a viewer's browser."""

    def __init__(self, mid: str, sender: aiortc.RTCRtpSender, line: bandwidth.Line, alive: Callable[[], None]) -> None:
        self.mid, self.line = mid, line
        self.source: Source | None = None
        self._bound_at = 0.0
        #: A picture can only be begun with a whole one.
        self._waits = False
        self.outlet = inside.Outlet(
            sender,
            wants_picture=self._wants_picture,
            heard_estimate=lambda estimate: line.heard(estimate, clock.monotonic()),
            reported=self._reported,
            alive=alive,
        )

    def bind(self, source: Source | None) -> None:
        """From now on the slot carries this source; None: nothing."""
        if source is self.source:
            return
        if self.source is not None:
            self.source.slots.remove(self)
        self.source = source
        self.outlet.in_use = source is not None
        self._bound_at = clock.monotonic()
        self.pause()
        if source is not None:
            source.slots.append(self)
            source.want_picture()

    def pause(self) -> None:
        """What comes next does not follow what came last."""
        self.outlet.restart()
        self._waits = self.source is not None and self.source.kind != "audio"

    def _wants_picture(self) -> None:
        if self.source is not None:
            self.source.want_picture()

    def _reported(self, report: inside.Report) -> None:
        now = clock.monotonic()
        # Later than a round trip after it was given to somebody else, a report is of what was sent since.
        if self.source is None or self.source.kind == "audio" or now - self._bound_at < _SETTLED_SECONDS:
            return
        self.line.reported(report.packets, report.lost, report.behind, now)

    def forward(self, packet: onward.Onward, key: bool, now: float) -> None:
        if self._waits:
            if not key or not self.outlet.ready:
                return
            self._waits = False
        self.outlet.send(packet, now)

    @property
    def waits(self) -> bool:
        return self._waits and self.outlet.ready


class Source:
    """kind: "audio", "video" (the camera) or "screen". heard: told of each packet that may be heard and seen."""

    def __init__(
        self,
        kind: str,
        receiver: aiortc.RTCRtpReceiver,
        heard: Callable[[str, rtp.RtpPacket, float], None],
        alive: Callable[[], None],
        line: arrivals.Arrivals,
        estimate: Callable[[int], int],
    ) -> None:
        self.kind, self._told = kind, heard
        self.slots: list[Slot] = []
        self.packets = self.bytes = 0
        #: When something last came; None: nothing has yet.
        self.came_at: float | None = None
        self._open = False
        self._wanted = False
        self._asked_at = float("-inf")
        self._tries = 0
        self._again: dict[int, tuple[int, float]] = {}
        self._inlet = inside.Inlet(receiver, self._heard, alive=alive, line=line, estimate=estimate)

    @property
    def open(self) -> bool:
        """Whether it may be forwarded and recorded at all."""
        return self._open

    @open.setter
    def open(self, value: bool) -> None:
        if value == self._open:
            return
        self._open = value
        for slot in self.slots:
            slot.pause()
        if value:
            self.want_picture()
            if self.came_at is not None:
                self.came_at = clock.monotonic()  # nobody was expected to send until now

    def _heard(self, packet: rtp.RtpPacket) -> None:
        now = clock.monotonic()
        self.came_at = now
        self.packets += 1
        self.bytes += len(packet.payload)
        if not self._open:
            return
        key = self.kind != "audio" and sequence.vp8_key(packet.payload)
        if key:
            self._wanted, self._tries = False, 0
        if self.slots:
            going = onward.Onward(packet, onward.ntp_now())
            for slot in self.slots:
                slot.forward(going, key, now)
        self._told(self.kind, packet, now)

    def want_picture(self) -> None:
        """Ask the browser for a whole picture, soon."""
        if self.kind != "audio" and not self._wanted:
            self._wanted, self._tries = True, 0

    def most(self, now: float) -> int | None:
        """bit/s that its viewers take; None: however many. 0: it sends nothing."""
        if self.came_at is None or now - self.came_at > _QUIET_SECONDS:
            return 0
        return bandwidth.upstream([slot.line.cap for slot in self.slots])

    async def tick(self, now: float, round_trip: float) -> None:
        """Some times in a tenth of a second: ask for what is missing."""
        if self.kind == "audio" or not self._open:
            self._again.clear()
            return
        if not self._wanted and any(slot.waits for slot in self.slots):
            self.want_picture()
        if self._wanted and now - self._asked_at >= _PICTURE_SECONDS and await self._inlet.ask_picture():
            self._asked_at = now
            self._tries += 1
            self._wanted = self._tries < _PICTURE_TRIES
        if self._inlet.missing or self._again:
            await self._ask_again(now, max(_AGAIN_SECONDS, round_trip))

    async def _ask_again(self, now: float, pause: float) -> None:
        """aiortc asks once for what is missing; what got lost on its way as well is asked for here."""
        missing = self._inlet.missing
        for number in [number for number in self._again if number not in missing]:
            del self._again[number]
        due = []
        for number in tuple(missing):
            tries, at = self._again.setdefault(number, (0, now + pause))
            if now < at:
                continue
            if tries >= _AGAIN_TRIES:
                missing.discard(number)
                self.want_picture()
                continue
            self._again[number] = (tries + 1, now + pause)
            due.append(number)
        if due:
            await self._inlet.ask_again(sorted(due))

    def counts(self) -> tuple[int, int]:
        """Packets that should have arrived, and that did."""
        return self._inlet.counts()
