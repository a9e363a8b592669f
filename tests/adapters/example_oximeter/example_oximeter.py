"""Lets in what the oximeters of a made-up vendor send: a line with the number of the batch, then one a measurement.

OX1 1042
2026-11-21T10:00:01+00:00 96.5 72 ok
2026-11-21T10:05:01+00:00 --   --  finger_out
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from devices import adapter
from devices.errors import Refusal
from devices.message import Message

FLAGS = {"ok": (), "moving": ("motion",), "weak": ("low_perfusion",)}


def decode(device_id: str, payload: bytes) -> Message:
    head, *lines = payload.decode("ascii").splitlines()
    name, batch = head.split()
    if name != "OX1":
        return adapter.message(device_id, payload, [adapter.refuse("schema", "head")])
    drafts = [draft for number, line in enumerate(lines) for draft in _measurement(number, line.split())]
    return adapter.message(device_id, payload, drafts, id=batch)


def _measurement(number: int, words: list[str]) -> list[adapter.Draft | Refusal]:
    if len(words) != 4:
        return [adapter.refuse("schema", "line", number)]
    at, spo2, pulse, status = words
    return [
        adapter.Draft(
            index=number,
            code=code,
            value=None if value == "--" else Decimal(value),
            absent="not-performed" if value == "--" else None,
            unit=unit,
            taken_at=datetime.fromisoformat(at),
            set=at,
            flags=FLAGS.get(status, ()),
        )
        for code, value, unit in (("spo2", spo2, "%"), ("pulse", pulse, "/min"))
    ]
