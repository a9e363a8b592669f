"""What a media worker is asked and what it tells: the interface behind which rooms' media are forwarded.

A room is the media of one consultation. Nobody is in it who was not let in: whoever may not be seen or heard is never
joined. The web role keeps who may; a worker holds transports only, and is rebuilt from what the web role knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol
from uuid import UUID

import msgspec

#: A worker tells the Quality of each participant so often.
QUALITY_SECONDS: Final = 2.0


class Worker(msgspec.Struct, frozen=True):
    """Where a worker takes orders. token: shows that the orders are the service's."""

    id: UUID
    host: str
    port: int
    token: str


class Room(msgspec.Struct, frozen=True):
    """The media of a consultation at a worker. epoch: grows whenever the room is given to a worker."""

    consultation: int
    epoch: int
    worker: Worker


class Answer(msgspec.Struct, frozen=True):
    """To an offer. slots: what each receiving mid carries at first, by mid; null where nothing yet."""

    sdp: str
    slots: dict[str, Slot | None]


class Slot(msgspec.Struct, frozen=True):
    """Whose media a receiving mid carries. source: "audio", "video" or "screen"."""

    participant: int
    source: str


class Allowed(msgspec.Struct, frozen=True):
    """What of a participant is forwarded to the others (mute by self and by host end here, not in a browser)."""

    audio: bool = True
    video: bool = True
    screen: bool = False


class RecordingTo(msgspec.Struct, frozen=True):
    """Where one participant's media are written. key: of this recording alone, 32 bytes."""

    recording: UUID
    key: bytes
    path: str
    #: Whose, as the file says of itself.
    participant: int = 0

    def __repr__(self) -> str:
        """Without the key: whatever shows this may be kept."""
        return f"RecordingTo({self.recording}, of {self.participant})"


# What a worker tells of itself -----------------------------------------------------------------------


class Slots(msgspec.Struct, frozen=True, tag="slots"):
    """What a participant's receiving mids carry from now on; mids that are not named carry what they did."""

    consultation: int
    epoch: int
    participant: int
    slots: dict[str, Slot | None]


class Connected(msgspec.Struct, frozen=True, tag="connected"):
    """Media of a participant flow ("up"), have stopped for some seconds ("silent"), or are gone ("down")."""

    consultation: int
    epoch: int
    participant: int
    how: str


class Weak(msgspec.Struct, frozen=True, tag="weak"):
    """A participant's line, told when it changes. down: it does not carry all pictures to them, so they get fewer, or
    none; up: not their own, so they should send none until it is tried again."""

    consultation: int
    epoch: int
    participant: int
    down: bool
    up: bool


class Speaking(msgspec.Struct, frozen=True, tag="speaking"):
    """Who speaks; null: nobody."""

    consultation: int
    epoch: int
    participant: int | None


class Quality(msgspec.Struct, frozen=True, tag="quality"):
    """What the worker measured of one participant over the last seconds.

    Shares are 0 to 1, round trip in seconds (null: not known yet), rates in bit/s. audio_only: rescued from a line too
    weak for pictures. weak_down, weak_up: as Weak has them.
    """

    consultation: int
    epoch: int
    participant: int
    up_loss: float
    down_loss: float
    round_trip: float | None
    up_rate: float
    down_rate: float
    audio_only: bool
    weak_down: bool = False
    weak_up: bool = False


class Recorded(msgspec.Struct, frozen=True, tag="recorded"):
    """A recording's file as it stands on the disk; size in bytes. over: nothing more is written to it.

    lost: pictures and sounds that were not written because the disk could not take them. failed: it is over because the
    disk takes no more, and not because anybody wanted so.
    """

    recording: UUID
    chunks: int
    size: int
    head: bytes
    over: bool
    lost: int = 0
    failed: bool = False


Event = Slots | Connected | Weak | Speaking | Quality | Recorded


class Refused(Exception):
    """A worker did not do what it was asked. why: "full", "unknown room", "bad offer", "self-test failed", ..."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Gone(Exception):
    """A worker cannot be reached any more: its rooms have to be given to another."""


class MediaBackend(Protocol):
    """Forwards media. Every call raises Gone when the worker is, and Refused when it will not."""

    async def join(self, room: Room, participant: int, offer: str, allowed: Allowed) -> Answer:
        """A participant's transport, from the one offer that it makes; a second one replaces the first."""

    async def restart(self, room: Room, participant: int, offer: str) -> Answer:
        """The same transport by another path, after a network change."""

    async def allow(self, room: Room, participant: int, allowed: Allowed) -> None:
        """From now on these of a participant's media reach the others."""

    async def prefer(self, room: Room, viewer: int, order: list[int]) -> None:
        """Whose pictures a viewer gets first where there are more people than slots: pinned ones, the speaker."""

    async def leave(self, room: Room, participant: int) -> None:
        """Their transport is closed; nothing of theirs reaches anybody."""

    async def close(self, room: Room) -> None:
        """Everybody's."""

    async def record(self, room: Room, to: Mapping[int, RecordingTo]) -> None:
        """Write exactly these participants' media from now on, to files of their own; {}: nobody's."""

    async def check(self, worker: Worker) -> None:
        """Returns when the worker answers."""

    def watch(self, room: Room, heard: Callable[[Event], None], gone: Callable[[], None]) -> Callable[[], None]:
        """Hear a room's events until the returned function is called. gone: once, when its worker is."""
