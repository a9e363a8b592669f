"""What a device is asked to do. Every command has an id and an end: a late "ring" must not ring."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec


class Measure(msgspec.Struct, frozen=True, tag="measure", tag_field="command"):
    """Measure again, for example to confirm an extreme value. subject: of whom, on a kit that several share."""

    id: str
    expires_at: datetime
    codes: tuple[str, ...]
    reason: str | None = None
    subject: str | None = None


class Schedule(msgspec.Struct, frozen=True, tag="schedule", tag_field="command"):
    """Local times at which the resident is to be reminded, by code: {"spo2": ["08:00", "20:00"]}."""

    id: str
    expires_at: datetime
    zone: str
    times: Mapping[str, tuple[str, ...]]


class Ring(msgspec.Struct, frozen=True, tag="ring", tag_field="command"):
    """An incoming call. Ignored once expired. url: where it is taken; subject: for whom, on a shared kit."""

    id: str
    expires_at: datetime
    url: str
    caller: str | None = None
    subject: str | None = None


class Text(msgspec.Struct, frozen=True, tag="message", tag_field="command"):
    """A few words to show to the resident. subject: to whom, on a kit that several share."""

    id: str
    expires_at: datetime
    text: str
    subject: str | None = None


Command = Measure | Schedule | Ring | Text


def name(command: Command) -> str:
    """What the contract calls it: measure, schedule, ring or message."""
    return str(command.__struct_config__.tag)


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Command)


def encode(command: Command) -> bytes:
    """The JSON of the contract. Times must be aware."""
    return _encoder.encode(command)


def decode(payload: bytes) -> Command | None:
    """A command as a device reads it; None if it is none, which a device ignores."""
    try:
        command = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return command if command.expires_at.tzinfo is not None else None
