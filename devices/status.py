"""What a device says of itself, retained on its status topic; the last will sets online to false."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from devices import meaning
from devices.errors import Refusal, refusal

#: Bytes of a status message.
PAYLOAD_LIMIT: Final = 4096


class Status(msgspec.Struct, frozen=True, gc=False):
    """battery: 0 to 1. sent_at: aware, UTC; a last will has been written long before it is sent."""

    online: bool
    battery: float | None = None
    firmware: str | None = None
    sent_at: datetime | None = None


def decode(payload: bytes) -> Status | Refusal:
    """The status, or why it is refused (whole: nothing waits for it). Never raises."""
    if len(payload) > PAYLOAD_LIMIT:
        return refusal("payload_too_large")
    try:
        payload.decode()
    except UnicodeDecodeError:
        return refusal("not_utf8")
    try:
        given = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, RecursionError):
        return refusal("not_json")
    if not isinstance(given, dict):
        return refusal("schema")
    return _status(given)


def _status(given: dict[str, Any]) -> Status | Refusal:
    online, battery = given.get("online"), given.get("battery")
    firmware, sent_at = given.get("firmware"), given.get("sent_at")
    if type(online) is not bool:
        return refusal("online_invalid", "online")
    if battery is not None and (type(battery) not in (int, float) or not 0 <= battery <= 1):
        return refusal("battery_invalid", "battery")
    if firmware is not None and (type(firmware) is not str or not 0 < len(firmware) <= 64 or min(firmware) < " "):
        return refusal("firmware_invalid", "firmware")
    at = None
    if sent_at is not None:
        try:
            read = meaning.moment(msgspec.convert(sent_at, datetime))
        except msgspec.ValidationError:
            read = "invalid"
        if isinstance(read, str):
            return refusal("sent_at_invalid", "sent_at")
        at = read
    return Status(online, None if battery is None else float(battery), firmware, at)
