"""The native format, version 1: decode(device_id, payload) never raises, whatever the bytes.

Well-formed messages take a fast path: one typed decode of the whole. Anything else is read again
field by field (devices.careful), so that one bad field or reading costs only itself.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Final

import msgspec

from devices import careful, envelope, fields, meaning, message
from devices.errors import Refusal, refusal
from devices.message import Absent, Message, Method, Reading

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Key = Annotated[str, msgspec.Meta(pattern=fields.KEY)]
_Flag = Annotated[str, msgspec.Meta(pattern=fields.FLAG)]
_Whole = Annotated[int, msgspec.Meta(ge=1, le=message.SEQ_LIMIT)]

_Int = Annotated[int, msgspec.Meta(ge=-message.SEQ_LIMIT, le=message.SEQ_LIMIT)]
_Float = Annotated[float, msgspec.Meta(ge=-message.SEQ_LIMIT, le=message.SEQ_LIMIT)]


class _Reading(msgspec.Struct, gc=False):
    code: str
    taken_at: datetime
    value: msgspec.Raw
    unit: str | None = None
    source_id: _Text | None = None
    subject: _Text | None = None
    set: _Text | None = None
    context: Annotated[dict[_Key, _Text | _Int | _Float | bool], msgspec.Meta(max_length=8)] | None = None
    flags: Annotated[tuple[_Flag, ...], msgspec.Meta(max_length=16)] = ()
    method: Method = "device"
    absent: Absent | None = None


class _Message(msgspec.Struct, gc=False):
    stream: _Text
    seq: _Whole
    readings: Annotated[list[_Reading], msgspec.Meta(max_length=message.READINGS_LIMIT)]
    oldest: _Whole | None = None
    sent_at: datetime | None = None


_fast: Final = msgspec.json.Decoder(_Message)


def decode(device_id: str, payload: bytes) -> Message:
    """The readings of one message and what was refused of it. device_id: of the topic, valid already."""
    digest = hashlib.sha256(payload).hexdigest()[:16]
    size = len(payload)
    # Without escapes a string holds no control characters: those would have been malformed.
    if size > message.PAYLOAD_LIMIT or b"\\" in payload:
        return careful.decode(device_id, payload, digest)
    try:
        if not payload.isascii():
            payload.decode()
        wire = _fast.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return careful.decode(device_id, payload, digest)
    oldest = wire.oldest
    if oldest is not None and oldest > wire.seq:
        return careful.decode(device_id, payload, digest)
    sent_at = wire.sent_at
    if sent_at is not None:
        at = meaning.moment(sent_at)
        if isinstance(at, str):
            return careful.decode(device_id, payload, digest)
        sent_at = at
    readings: list[Reading] = []
    refusals: list[Refusal] = []
    equals: meaning.Equals = {}
    for index, one in enumerate(wire.readings):
        read = meaning.reading(
            device_id,
            index,
            equals,
            code=one.code,
            token=str(one.value, "utf-8"),
            unit=one.unit,
            taken_at=one.taken_at,
            source_id=one.source_id,
            subject=one.subject,
            set=one.set,
            context=one.context,
            flags=one.flags,
            method=one.method,
            absent=one.absent,
        )
        if isinstance(read, Reading):
            readings.append(read)
        else:
            refusals.append(read)
    return Message(digest, size, wire.stream, wire.seq, oldest, None, sent_at, tuple(readings), tuple(refusals))


def refuse(payload: bytes, error: str, field: str | None = None) -> Message:
    """A message refused whole for a reason from outside it; by stream and seq if it is native enough to have them."""
    digest = hashlib.sha256(payload).hexdigest()[:16]
    return envelope.refused(payload, digest, refusal(error, field))
