"""Topic names: telehealth/v1/{device_id}/{channel}, for readings and backlog also .../{format}."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

Channel = Literal["readings", "backlog", "status", "receipts", "commands"]

PREFIX: Final = "telehealth/v1"
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)
#: Channels that have formats.
LANES: Final[tuple[Channel, ...]] = ("readings", "backlog")
#: Channels that a device publishes to; it subscribes to the others.
FROM_DEVICE: Final[tuple[Channel, ...]] = ("readings", "backlog", "status")

_TOPIC: Final = re.compile(r"telehealth/v1/([A-Za-z0-9_-]{1,64})/([a-z]+)(?:/([a-z0-9-]{1,32}))?")
_DEVICE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of one device. format: None for native (and for channels without formats)."""

    device_id: str
    channel: Channel
    format: str | None = None

    def __str__(self) -> str:
        topic = f"{PREFIX}/{self.device_id}/{self.channel}"
        return topic if self.format is None else f"{topic}/{self.format}"


def parse(topic: str) -> Topic | None:
    """The topic, or None if it is not one of this contract."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        return None
    device_id, name, format = match.groups()
    for channel in CHANNELS:
        if channel == name and (format is None or channel in LANES):
            return Topic(device_id, channel, format)
    return None


def valid_device_id(device_id: str) -> bool:
    """1 to 64 of A-Z a-z 0-9 _ -."""
    return _DEVICE_ID.fullmatch(device_id) is not None


def filters(channel: Channel) -> tuple[str, ...]:
    """What the service subscribes to for the channel of all devices."""
    every = f"{PREFIX}/+/{channel}"
    return (every, f"{every}/+") if channel in LANES else (every,)
