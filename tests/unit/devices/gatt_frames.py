"""Frames of Bluetooth characteristics, written from the specification's tables: the encoder that the decoder is
tested against.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from devices import formats
from devices.message import Message

NAN, POSITIVE, NEGATIVE, NRES, RESERVED = 0x07FF, 0x07FE, 0x0802, 0x0800, 0x0801
TIME = (2026, 10, 25, 1, 30, 15)


def sfloat(mantissa: int, exponent: int = 0) -> bytes:
    return struct.pack("<H", (exponent & 0xF) << 12 | mantissa & 0xFFF)


def float32(mantissa: int, exponent: int = 0) -> bytes:
    return struct.pack("<I", (exponent & 0xFF) << 24 | mantissa & 0xFFFFFF)


def time(at: tuple[int, int, int, int, int, int]) -> bytes:
    return struct.pack("<HBBBBB", *at)


def cuff(
    *values: bytes,
    kpa: bool = False,
    at: tuple[int, int, int, int, int, int] | None = None,
    pulse: bytes | None = None,
    user: int | None = None,
    status: int | None = None,
    reserved: int = 0,
) -> bytes:
    """2A35. values: systolic, diastolic, mean arterial."""
    flags = kpa | (at is not None) << 1 | (pulse is not None) << 2 | (user is not None) << 3 | (status is not None) << 4
    data = bytes([flags | reserved]) + b"".join(values)
    data += time(at) if at is not None else b""
    data += pulse if pulse is not None else b""
    data += bytes([user]) if user is not None else b""
    return data + (struct.pack("<H", status) if status is not None else b"")


def spot(
    spo2: bytes,
    pulse: bytes,
    *,
    at: tuple[int, int, int, int, int, int] | None = None,
    status: int | None = None,
    sensor: int | None = None,
    amplitude: bytes | None = None,
    clock_not_set: bool = False,
) -> bytes:
    """2A5E."""
    flags = (at is not None) | (status is not None) << 1 | (sensor is not None) << 2 | (amplitude is not None) << 3
    data = bytes([flags | clock_not_set << 4]) + spo2 + pulse
    data += time(at) if at is not None else b""
    data += struct.pack("<H", status) if status is not None else b""
    data += struct.pack("<I", sensor)[:3] if sensor is not None else b""
    return data + (amplitude or b"")


def continuous(
    spo2: bytes,
    pulse: bytes,
    *,
    fast: bytes = b"",
    slow: bytes = b"",
    status: int | None = None,
    sensor: int | None = None,
    amplitude: bytes | None = None,
) -> bytes:
    """2A5F. fast, slow: two SFLOATs each."""
    flags = bool(fast) | bool(slow) << 1 | (status is not None) << 2 | (sensor is not None) << 3
    data = bytes([flags | (amplitude is not None) << 4]) + spo2 + pulse + fast + slow
    data += struct.pack("<H", status) if status is not None else b""
    data += struct.pack("<I", sensor)[:3] if sensor is not None else b""
    return data + (amplitude or b"")


def thermometer(
    value: bytes,
    *,
    fahrenheit: bool = False,
    at: tuple[int, int, int, int, int, int] | None = None,
    site: int | None = None,
) -> bytes:
    """2A1C."""
    data = bytes([fahrenheit | (at is not None) << 1 | (site is not None) << 2]) + value
    return data + (time(at) if at is not None else b"") + (bytes([site]) if site is not None else b"")


def scale(
    raw: int,
    *,
    imperial: bool = False,
    at: tuple[int, int, int, int, int, int] | None = None,
    user: int | None = None,
    body: tuple[int, int] | None = None,
) -> bytes:
    """2A9D. body: mass index and height, as raw numbers."""
    data = struct.pack("<BH", imperial | (at is not None) << 1 | (user is not None) << 2 | (body is not None) << 3, raw)
    data += time(at) if at is not None else b""
    data += bytes([user]) if user is not None else b""
    return data + (struct.pack("<HH", *body) if body is not None else b"")


def meter(
    sequence: int,
    at: tuple[int, int, int, int, int, int],
    *,
    offset: int | None = None,
    value: bytes | None = None,
    kinds: int = 0x11,
    mol: bool = False,
    status: int | None = None,
    context_follows: bool = False,
) -> bytes:
    """2A18. kinds: type in the low half of the byte, sample location in the high half."""
    flags = (offset is not None) | (value is not None) << 1 | mol << 2 | (status is not None) << 3
    data = struct.pack("<BH", flags | context_follows << 4, sequence) + time(at)
    data += struct.pack("<h", offset) if offset is not None else b""
    data += value + bytes([kinds]) if value is not None else b""
    return data + (struct.pack("<H", status) if status is not None else b"")


def heart_rate(
    rate: int, *, wide: bool = False, contact: int = 0, energy: int | None = None, intervals: tuple[int, ...] = ()
) -> bytes:
    """2A37. contact: the two bits."""
    flags = wide | contact << 1 | (energy is not None) << 3 | bool(intervals) << 4
    data = struct.pack("<BH" if wide else "<BB", flags, rate)
    data += struct.pack("<H", energy) if energy is not None else b""
    return data + b"".join(struct.pack("<H", interval) for interval in intervals)


def frame(characteristic: str, data: bytes, **fields: Any) -> dict[str, Any]:
    return {"characteristic": characteristic, "hex": data.hex(), **fields}


def decode(*frames: Any, **fields: Any) -> Message:
    """What a message of these frames is decoded into."""
    content = {"stream": "k3Jx9", "seq": 7, "frames": list(frames), **fields}
    return formats.decode("gatt", "hub-1", json.dumps(content).encode())
