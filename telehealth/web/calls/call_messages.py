"""What a browser and the service say to each other on the sockets of a visit. JSON; `t` is the tag.

Whatever does not fit one of these exactly is refused: a field more is somebody trying something.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

#: Of one message; what is larger is refused, and beyond HARD_BYTES the connection ends.
MOST_BYTES = 64 * 1024
HARD_BYTES = 256 * 1024

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Count = Annotated[int, Meta(ge=0, le=2**40)]
Key = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="t"):
    """Base of what browsers say."""


# Browser to server ---------------------------------------------------------------------------------


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the device check went."""

    camera: Literal["ok", "none", "refused", "failed"]
    microphone: Literal["ok", "none", "refused", "failed"]
    speaker: Literal["ok", "failed", "not_heard"]
    network: Literal["ok", "slow", "failed"]
    relay: Literal["ok", "failed", "not_tried"]


class Ready(_Asked, frozen=True, tag="ready"):
    """The device check is done: waiting from now on. reason: what they say that they wait for."""

    check: Check
    reason: Annotated[str, Meta(max_length=200)] = ""


class Offer(_Asked, frozen=True, tag="offer"):
    """The one peer connection's offer. restart: the same one by another path."""

    epoch: Annotated[int, Meta(ge=0, lt=2**31)]
    sdp: Annotated[str, Meta(min_length=1, max_length=60_000)]
    restart: bool = False


class Media(_Asked, frozen=True, tag="media"):
    """What of their own they send from now on."""

    audio: bool
    video: bool
    screen: bool = False


class Hand(_Asked, frozen=True, tag="hand"):
    up: bool


class Chat(_Asked, frozen=True, tag="chat"):
    """key: makes a repeated send one message. to: a participant who waits; null: everybody inside.

    about: whose turn it was on the screen when it was written; refused if it is another's by now.
    """

    key: UUID
    text: Annotated[str, Meta(min_length=1, max_length=2000)]
    to: Key | None = None
    about: Key | None = None


class Caption(_Asked, frozen=True, tag="caption"):
    """A line of what is being said, by somebody who writes it down. key, about: as of Chat."""

    key: UUID
    text: Annotated[str, Meta(min_length=1, max_length=300)]
    about: Key | None = None


class Consent(_Asked, frozen=True, tag="consent"):
    """To being recorded; false withdraws it. ask: the question that is agreed to, as the state named it."""

    recording: bool
    ask: Key | None = None


class Stats(_Asked, frozen=True, tag="stats"):
    """What the browser measured over the last seconds (getStats). rtt, jitter, frozen, join in seconds."""

    rtt: Seconds | None
    up_loss: Share
    down_loss: Share
    jitter: Seconds
    freezes: Count
    frozen: Seconds
    frames: Count
    join: Seconds | None
    path: Literal["host", "srflx", "prflx", "relay-udp", "relay-tcp", "relay-tls", "unknown"]


class Leave(_Asked, frozen=True, tag="leave"):
    """Goes, and means it."""


class Ping(_Asked, frozen=True, tag="ping"):
    n: Annotated[int, Meta(ge=0, lt=2**53)]


Asked = Ready | Offer | Media | Hand | Chat | Caption | Consent | Stats | Leave | Ping

_DECODER: msgspec.json.Decoder[Asked] = msgspec.json.Decoder(Asked)


class NotUnderstood(Exception):
    """A message that is none of ours. about: its tag, if it is one of ours, else "message"."""

    def __init__(self, about: str) -> None:
        super().__init__(about)
        self.about = about


_TAGS = frozenset({"ready", "offer", "media", "hand", "chat", "caption", "consent", "stats", "leave", "ping"})


class _Tagged(msgspec.Struct):
    t: str = ""


def read(text: str) -> Asked:
    """One message of a browser. NotUnderstood for anything else; says nothing of what it held."""
    try:
        return _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise NotUnderstood(_about(text)) from None


def _about(text: str) -> str:
    try:
        tag = msgspec.json.decode(text, type=_Tagged).t
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return "message"
    return tag if tag in _TAGS else "message"


def about(asked: Asked) -> str:
    """The tag of a message."""
    return str(type(asked).__struct_config__.tag)


# Server to browser ---------------------------------------------------------------------------------


class _Told(msgspec.Struct, frozen=True, tag_field="t"):
    """Base of what the service says."""


class SlotOf(msgspec.Struct, frozen=True):
    """Whose media a receiving mid carries. source: "audio", "video" or "screen"."""

    participant: int
    source: str


class State(_Told, frozen=True, tag="state"):
    """Everything that the viewer may know of the visit; replaces what was known. As call_state makes it."""

    seq: int
    you: dict[str, Any]
    visit: dict[str, Any]


class Answer(_Told, frozen=True, tag="answer"):
    epoch: int
    sdp: str
    slots: dict[str, SlotOf | None]
    restart: bool


class Slots(_Told, frozen=True, tag="slots"):
    """mids that are not named carry what they did."""

    epoch: int
    slots: dict[str, SlotOf | None]


class Speaking(_Told, frozen=True, tag="speaking"):
    participant: int | None


class Rebuild(_Told, frozen=True, tag="rebuild"):
    """The room is elsewhere: make a new peer connection and offer it with this epoch."""

    epoch: int


class Pong(_Told, frozen=True, tag="pong"):
    n: int


class Refused(_Told, frozen=True, tag="refused"):
    """about: the tag of the message, or "visit": what staff have to know. why: a sentence for whoever sits there."""

    about: str
    why: str


class Ring(_Told, frozen=True, tag="ring"):
    """The ward rings: make a sound, and say so."""


class Bye(_Told, frozen=True, tag="bye"):
    """The last one. After "service" the browser reconnects by itself; after the others it does not.

    "elsewhere": another page of theirs has the visit; it takes the place only if they say so there.
    """

    why: Literal["ended", "removed", "taken_over", "elsewhere", "expired", "service"]


Told = State | Answer | Slots | Speaking | Rebuild | Pong | Refused | Ring | Bye


def text(told: Told) -> str:
    return msgspec.json.encode(told).decode()
