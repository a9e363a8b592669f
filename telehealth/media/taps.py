"""What listens to one participant's media as they come in: the recording's side of a room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from telehealth.model.media import Recorded, RecordingTo


class Packet(Protocol):
    """An RTP packet as its sender numbered it; retransmitted ones are already unwrapped."""

    sequence_number: int
    #: In ticks of the codec's clock: 48,000 a second for Opus, 90,000 for VP8.
    timestamp: int
    marker: int
    ssrc: int
    payload: bytes


class Tap(Protocol):
    """Hears one participant's packets, in order of arrival: late and repeated ones come as they come.

    Only what the participant allows is heard: nothing of a muted microphone. A tap that raises is closed by its room,
    and the room goes on.
    """

    def packet(self, kind: str, packet: Packet, arrived: float) -> None:
        """kind: "audio", "video" or "screen". arrived: clock.monotonic(). Must not block for long."""

    def close(self) -> None:
        """Nothing more comes. Called once."""


#: Opens a tap: where to write, what asks the participant's browser for a whole picture of "video" or "screen" (may be
#: called often, it is throttled), and what tells the service how the file stands.
Opener = Callable[[RecordingTo, Callable[[str], None], Callable[[Recorded], None]], Tap]
