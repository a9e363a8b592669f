"""What a device sends that means harm, or is broken beyond sense. Pure; sent with its own credentials.

Nobody keeps these messages until a receipt: they are thrown at the service as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from simulator import clock, native
from simulator.homes import delivery
from simulator.homes.faults import Fault

#: More than a message may hold, less than the broker refuses.
_TOO_LONG: Final = 300 * 1024


@dataclass(frozen=True)
class Extra:
    """A message beside the contract: the device's own status, or one that is malicious."""

    device_id: str
    at_ms: int
    topic: str
    payload: bytes
    retain: bool = False


def sent(found: Iterable[Fault], device_id: str, code: str, after_ms: int, to_ms: int) -> list[Extra]:
    """What the malicious faults of a device send in (after, to]. code: one that it measures."""
    extras = []
    for fault in found:
        for number, at in enumerate(delivery.ticks(fault, after_ms, to_ms), _first(fault, after_ms)):
            if fault.kind == "forged_topic":
                victim = fault.word("victim")
                extras.append(Extra(device_id, at, native.topic(victim, "readings"), _forged(fault, number, at)))
            elif fault.kind == "flood":
                payload = _repeated(fault, number, code, at)
                extras.append(Extra(device_id, at, native.topic(device_id, "readings"), payload))
            elif fault.kind == "malformed":
                nonsense = _NONSENSE[number % len(_NONSENSE)](at, number)
                extras.append(Extra(device_id, at, native.topic(device_id, "readings"), nonsense))
    return extras


def _first(fault: Fault, after_ms: int) -> int:
    every = max(int(60_000 / fault.number("per_minute")), 1)
    return max((after_ms - fault.from_ms) // every + 1, 0)


def _forged(fault: Fault, number: int, at: int) -> bytes:
    """A value that would alarm at once, if it reached anybody."""
    taken = clock.text(clock.from_ms(at))
    reading = {"code": "spo2", "value": 71, "unit": "%", "taken_at": taken, "source_id": f"forged-{number}"}
    return native.encode({"id": f"forged-{number}", "sent_at": taken, "readings": [reading]})


def _repeated(fault: Fault, number: int, code: str, at: int) -> bytes:
    """One failed measurement a minute, over and over: it is stored once, and tells nobody anything."""
    minute = clock.text(clock.from_ms(at // 60_000 * 60_000))
    reading = {"code": code, "value": None, "absent": "unknown", "taken_at": minute, "source_id": "flood"}
    return native.encode({"id": f"flood-{number}", "sent_at": clock.text(clock.from_ms(at)), "readings": [reading]})


def _message(at: int, number: int, **reading: object) -> bytes:
    taken = clock.text(clock.from_ms(at))
    entry = {"code": "pulse", "value": 70, "unit": "/min", "taken_at": taken} | reading
    return native.encode({"id": f"nonsense-{number}", "sent_at": taken, "readings": [entry]})


_NONSENSE: Final = (
    lambda at, n: _message(at, n)[:-9],
    lambda at, n: _message(at, n, code="mood"),
    lambda at, n: _message(at, n, unit="furlong"),
    lambda at, n: _message(at, n, value="seventy"),
    lambda at, n: _message(at, n, taken_at="yesterday"),
    lambda at, n: _message(at, n, taken_at="0001-01-01T00:00:00Z"),
    lambda at, n: _message(at, n, value=-40),
    lambda at, n: b"\xff\xfe\x00garbage" + n.to_bytes(4, "big"),
    lambda at, n: b"[" * 2000 + str(n).encode() + b"]" * 2000,
    lambda at, n: b'{"readings":"' + str(n).encode() + b"x" * _TOO_LONG + b'"}',
)
