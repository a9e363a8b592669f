"""The format gatt: the native envelope, with the frames that a gateway received instead of readings.

What the bytes say of time, slot and context goes before what the gateway says beside them. A frame can make
several readings; what is refused of it has the index of the frame.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from devices import envelope, fields, meaning, timing
from devices.errors import Refusal, refusal
from devices.fields import Wrong
from devices.gatt import blood_pressure, glucose, heart_rate, oximeter, scale, thermometer
from devices.gatt.frame import Cursor, Frame, Measured
from devices.message import Message, Reading

FRAMES_LIMIT: Final = 1000
#: Bytes of a characteristic, by the specification.
FRAME_LIMIT: Final = 512

#: By 16-bit UUID.
CHARACTERISTICS: Final[Mapping[str, Callable[[Cursor], Frame]]] = MappingProxyType(
    {
        "2A18": glucose.read,
        "2A1C": thermometer.read,
        "2A34": glucose.read_context,
        "2A35": blood_pressure.read,
        "2A37": heart_rate.read,
        "2A5E": oximeter.read_spot,
        "2A5F": oximeter.read_continuous,
        "2A9D": scale.read,
    }
)
#: Of 16 bits, or of 128 with or without hyphens.
_UUID: Final = re.compile(
    r"(?:0x)?([0-9a-f]{4})|0000([0-9a-f]{4})(?:-0000-1000-8000-|000010008000)00805f9b34fb", re.IGNORECASE
)


class _Sent(NamedTuple):
    """A frame with what the gateway says of it. place: its position in the message."""

    place: int
    frame: Frame
    data: bytes
    taken_at: datetime | None
    source_id: str | None
    subject: str | None
    set: str | None
    context: Mapping[str, str | int | float | bool] | None


def decode(device_id: str, payload: bytes) -> Message:
    """The readings of a gateway's message, and what was refused of it. Never raises."""
    digest = hashlib.sha256(payload).hexdigest()[:16]
    content = envelope.opened(payload, digest)
    if isinstance(content, Message):
        return content
    read = envelope.read(content, digest, gateway=True)
    held = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(held, list):
        field = "frames" if isinstance(content, dict) else None
        detail = "frames is missing or not a list." if field else None
        return envelope.made(digest, len(payload), read, (), (refusal("schema", field, None, detail),))
    if len(held) > FRAMES_LIMIT:
        return envelope.made(digest, len(payload), read, (), (refusal("too_many_frames", "frames"),))
    sent: list[_Sent] = []
    refusals: list[Refusal] = []
    for index, one in enumerate(held):
        try:
            sent.append(_sent(index, one))
        except Wrong as error:
            refusals.append(msgspec.structs.replace(error.refusal, index=index))
    return _message(device_id, digest, len(payload), read, sent, refusals)


def decode_frame(device_id: str, characteristic: str, data: bytes) -> Message:
    """As decode(), of one frame that has no envelope."""
    digest = hashlib.sha256(data).hexdigest()[:16]
    read = envelope.read(None, digest)
    try:
        sent = [_sent(0, {"characteristic": characteristic, "hex": data.hex()})]
    except Wrong as error:
        return envelope.made(digest, len(data), read, (), (msgspec.structs.replace(error.refusal, index=0),))
    return _message(device_id, digest, len(data), read, sent, [])


def _sent(index: int, given: Any) -> _Sent:
    if not isinstance(given, dict):
        raise Wrong("schema", "frames")
    characteristic = given.get("characteristic")
    match = _UUID.fullmatch(characteristic) if type(characteristic) is str else None
    reader = CHARACTERISTICS.get((match[1] or match[2]).upper()) if match is not None else None
    if reader is None:
        raise Wrong("characteristic_unknown", "characteristic", f"Known are {', '.join(CHARACTERISTICS)}.")
    data = _data(given.get("hex"))
    stated = given.get("taken_at")
    taken_at = None if stated is None else fields.aware(stated, "taken_at")
    source_id, subject = fields.optional(given, "source_id"), fields.optional(given, "subject")
    group, context = fields.optional(given, "set"), fields.context(given.get("context"))
    cursor = Cursor(data)
    frame = reader(cursor)
    if cursor.clock_wrong and timing.CLOCK_NOT_SET not in frame.flags:
        frame = replace(frame, flags=(timing.CLOCK_NOT_SET, *frame.flags))
    return _Sent(index, frame, data, taken_at, source_id, subject, group, context)


def _data(given: Any) -> bytes:
    if type(given) is not str:
        raise Wrong("hex_invalid", "hex")
    if len(given) > 2 * FRAME_LIMIT:
        raise Wrong("frame_too_long", "hex")
    try:
        return bytes.fromhex(given)
    except ValueError:
        raise Wrong("hex_invalid", "hex") from None


def _message(
    device_id: str,
    digest: str,
    size: int,
    read: envelope.Envelope,
    sent: Sequence[_Sent],
    refusals: list[Refusal],
) -> Message:
    contexts = _contexts(sent, refusals)
    readings: list[Reading] = []
    equals: meaning.Equals = {}
    for one in sent:
        context = _context(one, contexts.get(one.place))
        group = one.set or (_group(read, one) if len(one.frame.measured) > 1 else None)
        for measured in one.frame.measured:
            got = _reading(device_id, read, one, measured, context, group, equals)
            if isinstance(got, Reading):
                readings.append(got)
            else:
                refusals.append(got)
    refusals.sort(key=lambda refused: refused.index or 0)
    return envelope.made(digest, size, read, tuple(readings), tuple(refusals))


def _reading(
    device_id: str,
    read: envelope.Envelope,
    sent: _Sent,
    measured: Measured,
    context: Mapping[str, str | int | float | bool] | None,
    group: str | None,
    equals: meaning.Equals,
) -> Reading | Refusal:
    frame = sent.frame
    stated, local_time = sent.taken_at or read.taken_at, frame.local_time
    clock_set = timing.CLOCK_NOT_SET not in frame.flags
    # The device's own time wins: the gateway may have had the reading from its memory.
    taken_at = stated if local_time is None or not clock_set else None
    source_id = sent.source_id
    if source_id is None and frame.sequence is not None:
        source_id = str(frame.sequence)
    got = meaning.reading(
        device_id,
        sent.place,
        equals,
        code=measured.code,
        token=measured.token,
        unit=measured.unit,
        taken_at=taken_at,
        source_id=source_id,
        subject=sent.subject,
        set=group,
        context=context,
        flags=frame.flags[: fields.FLAGS_LIMIT],
        method="device",
        absent=measured.absent,
        local_time=local_time,
    )
    if isinstance(got, Refusal) and got.field in ("value", "unit"):
        return msgspec.structs.replace(got, field="hex", detail=f"{measured.code}: {got.detail}")
    if isinstance(got, Reading) and stated is not None:
        if got.taken_at is None:
            return msgspec.structs.replace(got, gateway_at=stated)
        if not clock_set:
            return msgspec.structs.replace(got, time_source="gateway")
    return got


def _contexts(sent: Sequence[_Sent], refusals: list[Refusal]) -> dict[int, Frame]:
    """The contexts of glucose, by the index of the frame that each belongs to: the last one of its sequence number
    before it, else the first one after it.
    """
    found: dict[int, Frame] = {}
    before: dict[int, int] = {}
    early: dict[int, list[_Sent]] = {}
    for one in sent:
        if one.frame.sequence is not None:
            before[one.frame.sequence] = one.place
            for context in early.pop(one.frame.sequence, ()):
                found[one.place] = context.frame
        elif one.frame.of is not None:
            owner = before.get(one.frame.of)
            if owner is None:
                early.setdefault(one.frame.of, []).append(one)
            else:
                found[owner] = one.frame
    refusals.extend(refusal("context_alone", "hex", one.place) for alone in early.values() for one in alone)
    return found


def _context(sent: _Sent, beside: Frame | None) -> Mapping[str, str | int | float | bool] | None:
    """As much as there is room for: the bytes' own, of the context frame beside it, the gateway's."""
    merged = dict[str, str | int | float | bool]()
    for entries in (sent.frame.context, beside.context if beside is not None else {}, sent.context or {}):
        for key, value in entries.items():
            if len(merged) < fields.CONTEXT_LIMIT:
                merged.setdefault(key, value)
    return merged or None


def _group(read: envelope.Envelope, sent: _Sent) -> str:
    """A set for the readings of one frame, the same whenever the message comes again."""
    number = read.id if read.seq is None else f"{read.seq}|{read.stream}"
    named = f"{sent.place}|{number}|".encode() + sent.data
    return hashlib.blake2b(named, digest_size=8).hexdigest()
