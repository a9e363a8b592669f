"""What arrives from devices, by whatever path, and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from devices.errors import Refusal
from devices.message import Message
from devices.receipts import Ranges, Refused

Lane = Literal["live", "backlog"]


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """One message of a device as it was delivered, decoded. received_at: clinical time, aware.

    again: it was received long ago and is decoded anew; it says nothing of how the device is now.
    """

    lane: Lane
    topic: str
    device_id: str
    payload: bytes
    received_at: datetime
    message: Message
    again: bool = False


class Status(msgspec.Struct, frozen=True, gc=False):
    """What a device says of itself. retained: repeated by the broker, not said just now.

    refusal: why it could not be read; then status is null and online false, and the rest is for quarantine.
    """

    device_id: str
    status: str | None  #: a small JSON object of known fields
    online: bool
    received_at: datetime
    retained: bool
    refusal: Refusal | None = None
    topic: str = ""
    payload: bytes = b""
    size: int = 0


class Answer(msgspec.Struct, gc=False):
    """What is settled of one stream of one device (stream None: of messages that have none).

    settled: the stream's whole settled set. seqs, ids and refused are of the deliveries at hand.
    """

    device_id: str
    stream: str | None
    settled: Ranges
    seqs: list[int]
    ids: list[str]
    refused: list[Refused]


def set_aside(delivery: Delivery) -> Delivery:
    """The message without its readings, refused as a whole; its bytes go to quarantine."""
    why = Refusal("not_storable", None, "The message could not be stored; its bytes are kept for a person.")
    return msgspec.structs.replace(
        delivery, message=msgspec.structs.replace(delivery.message, readings=(), refusals=(why,))
    )
