"""Payloads of tests: one valid reading and message, changed where a test needs it."""

from __future__ import annotations

import json
from typing import Any

from devices import native
from devices.message import Message

TAKEN_AT = "2026-11-21T10:00:01Z"
MISSING = object()


def reading(**fields: Any) -> dict[str, Any]:
    """A valid SpO2 of 96 %, with fields replaced, added, or (MISSING) left out."""
    whole: dict[str, Any] = {"code": "spo2", "value": 96, "unit": "%", "taken_at": TAKEN_AT, **fields}
    return {name: value for name, value in whole.items() if value is not MISSING}


def envelope(*readings: Any, **fields: Any) -> dict[str, Any]:
    """A valid message of these readings (one, if none are given)."""
    whole = {"stream": "k3Jx9", "seq": 7, "sent_at": "2026-11-21T10:00:03Z", "readings": list(readings) or [reading()]}
    whole |= fields
    return {name: value for name, value in whole.items() if value is not MISSING}


def decode(content: Any, device_id: str = "pulse-3") -> Message:
    """content as it is if bytes, else as JSON (which, as json.dumps does, may hold NaN)."""
    payload = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return native.decode(device_id, payload)


def errors(message: Message) -> list[tuple[str, str | None, int | None]]:
    return [(one.error, one.field, one.index) for one in message.refusals]
