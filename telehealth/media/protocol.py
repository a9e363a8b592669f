"""What the service and a media worker say to each other: msgpack, one message a WebSocket frame, bounded.

The service asks, each question with a number; the worker replies with the same number, and tells of its rooms'
events to whoever watches them. Everything that can be asked may be asked again: it then changes nothing more.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from telehealth.model.media import Allowed, Answer, Connected, Quality, Recorded, RecordingTo, Slots, Speaking, Weak

#: Of one frame, either way.
MOST_BYTES: Final = 256 * 1024
#: Participants of a room; what comes above it is refused as full.
MOST_PEOPLE: Final = 10
PATH: Final = "/orders"

# Questions ------------------------------------------------------------------------------------------


class Join(msgspec.Struct, frozen=True, tag="join"):
    consultation: int
    epoch: int
    participant: int
    offer: str
    allowed: Allowed


class Restart(msgspec.Struct, frozen=True, tag="restart"):
    consultation: int
    epoch: int
    participant: int
    offer: str


class Allow(msgspec.Struct, frozen=True, tag="allow"):
    consultation: int
    epoch: int
    participant: int
    allowed: Allowed


class Prefer(msgspec.Struct, frozen=True, tag="prefer"):
    consultation: int
    epoch: int
    viewer: int
    order: list[int]


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    consultation: int
    epoch: int
    participant: int


class Close(msgspec.Struct, frozen=True, tag="close"):
    consultation: int
    epoch: int


class Record(msgspec.Struct, frozen=True, tag="record"):
    consultation: int
    epoch: int
    to: dict[int, RecordingTo]


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """Tell of these rooms from now on, and of no others. A room that nobody watches for a minute is closed."""

    consultations: list[int]


class Check(msgspec.Struct, frozen=True, tag="check"):
    pass


Question = Join | Restart | Allow | Prefer | Leave | Close | Record | Watch | Check


class Asked(msgspec.Struct, frozen=True):
    number: int
    question: Question


# What a worker says ---------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """First of all: which worker it is."""

    worker: UUID


class Done(msgspec.Struct, frozen=True, tag="done"):
    number: int
    answer: Answer | None = None


class NotDone(msgspec.Struct, frozen=True, tag="not_done"):
    """why: as media.Refused has it."""

    number: int
    why: str


Told = Hello | Done | NotDone | Slots | Connected | Weak | Speaking | Quality | Recorded

# On the pipes between a worker and the process that started it: one JSON object a line -----------------


class Start(msgspec.Struct, frozen=True):
    """What a worker begins with, on its standard input; whose end is the worker's end."""

    id: UUID
    host: str
    token: str
    capacity: int
    log_level: str = "info"


class Status(msgspec.Struct, frozen=True):
    """How a worker is, once a second, on its standard output; the first one says that it listens at port.

    streams: forwarded ones; lag: seconds that its loop is late, 99th percentile; trouble: why it takes no rooms.
    """

    port: int
    streams: int = 0
    rooms: int = 0
    people: int = 0
    audio_only: int = 0
    lag: float = 0.0
    trouble: str | None = None


_asked = msgspec.msgpack.Decoder(Asked)
_told: msgspec.msgpack.Decoder[Told] = msgspec.msgpack.Decoder(Told)
_encoder = msgspec.msgpack.Encoder()


def asked(data: bytes) -> Asked:
    """Raises msgspec.MsgspecError."""
    return _asked.decode(data)


def told(data: bytes) -> Told:
    """Raises msgspec.MsgspecError."""
    return _told.decode(data)


def frame(message: Asked | Told) -> bytes:
    return _encoder.encode(message)
