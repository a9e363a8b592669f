"""The native payload and topics, in the simulator's own words: an encoding that the service did not write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from simulator import clock

Lane = Literal["readings", "backlog"]

PREFIX = "telehealth/v1"
#: A reading older than this when sent goes by the backlog lane.
LIVE_MS = 15 * 60 * 1000
#: Most readings in one message, and bytes: bounds of the contract.
BYTES = 256 * 1024
#: Room kept for the envelope around the readings.
ENVELOPE_BYTES = 1024


def topic(device_id: str, channel: str) -> str:
    return f"{PREFIX}/{device_id}/{channel}"


def number(value: float, decimals: int) -> float | int:
    """A measured number as a device would write it: no stray digits, no ".0" where it shows none."""
    return round(value) if decimals == 0 else round(value, decimals)


def decimals(resolution: float) -> int:
    """Digits after the point that a device of this resolution shows."""
    return 0 if resolution >= 1 else 1 if resolution >= 0.1 else 2


def reading(
    code: str,
    value: object,
    taken_at: datetime,
    *,
    unit: str | None = None,
    set_id: str | None = None,
    method: str | None = None,
    source_id: str | None = None,
    context: dict[str, str] | None = None,
    subject: str | None = None,
    flags: Sequence[str] = (),
    absent: str | None = None,
) -> dict[str, Any]:
    """One entry of "readings". value: number, text, boolean, or msgspec.Raw for a number exactly as written."""
    entry: dict[str, Any] = {"code": code, "value": value}
    optional = {"unit": unit, "taken_at": clock.text(taken_at), "set": set_id, "method": method}
    entry |= {name: given for name, given in optional.items() if given is not None}
    entry |= {"source_id": source_id} if source_id is not None else {}
    entry |= {"subject": subject} if subject is not None else {}
    entry |= {"context": context} if context is not None else {}
    entry |= {"flags": list(flags)} if flags else {}
    entry |= {"absent": absent} if absent is not None else {}
    return entry


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def message(stream: str, seq: int, oldest: int, sent_at: datetime, readings: bytes) -> bytes:
    """The whole payload; readings: the encoded array, the same bytes at every resend."""
    return b'{"stream":%s,"seq":%d,"oldest":%d,"sent_at":%s,"readings":%s}' % (
        encode(stream),
        seq,
        oldest,
        encode(clock.text(sent_at)),
        readings,
    )


def status(online: bool, battery: float, firmware: str, sent_at: datetime) -> bytes:
    return encode({"online": online, "battery": battery, "firmware": firmware, "sent_at": clock.text(sent_at)})


def lane(oldest_taken_ms: int, sent_ms: int) -> Lane:
    """The lane for a message whose oldest reading was taken then."""
    return "readings" if sent_ms - oldest_taken_ms <= LIVE_MS else "backlog"


def fitting(groups: Iterable[Sequence[bytes]], most: int) -> Iterable[list[Sequence[bytes]]]:
    """Joins groups of encoded readings into messages of at most "most" readings and the size of the contract.

    A group stays together unless it alone is too large.
    """
    packed: list[Sequence[bytes]] = []
    count = size = 0
    for group in _halved(groups, most):
        weight = sum(len(entry) + 1 for entry in group)
        if packed and (count + len(group) > most or size + weight > BYTES - ENVELOPE_BYTES):
            yield packed
            packed, count, size = [], 0, 0
        packed.append(group)
        count += len(group)
        size += weight
    if packed:
        yield packed


def _halved(groups: Iterable[Sequence[bytes]], most: int) -> Iterable[Sequence[bytes]]:
    for group in groups:
        for start in range(0, len(group), most):
            yield group[start : start + most]
