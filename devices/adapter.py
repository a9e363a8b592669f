"""For makers of adapters: what a vendor's payload says, as drafts; identities, conversions and refusals are made here.

    def decode(device_id: str, payload: bytes) -> Message:
        drafts = [adapter.Draft(code="pulse", value=72, unit="/min", taken_at=at)]
        return adapter.message(device_id, payload, drafts)

is a whole adapter. docs/adapters.md has one that can be installed.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from devices import envelope, fields, meaning
from devices import message as messages
from devices.errors import MEANINGS, Refusal, refusal
from devices.fields import Wrong
from devices.message import Message, Reading

#: Readings of one message: a payload of 262,144 bytes says no more than that.
DRAFTS_LIMIT: Final = 5_000
_DETAIL_LIMIT: Final = 200
_INDEX_LIMIT: Final = 1_000_000


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One reading as the vendor's payload has it; fields as in the native format (docs/devices.md).

    value: a number (Decimal for those written as decimals, so that they stay exact), True or False, or a word; None
    with absent, if the measurement failed. taken_at: aware, or naive for the device's local time of no zone, or None.
    index: of the part of the payload that it is from, for refusals; None: its place in the list.
    """

    code: str
    value: int | float | Decimal | bool | str | None = None
    unit: str | None = None
    taken_at: datetime | None = None
    source_id: str | None = None
    subject: str | None = None
    set: str | None = None
    context: Mapping[str, str | int | float | bool] | None = None
    flags: Sequence[str] = ()
    method: str = "device"
    absent: str | None = None
    index: int | None = None


def message(
    device_id: str,
    payload: bytes,
    drafts: Sequence[Draft | Refusal],
    *,
    stream: str | None = None,
    seq: int | None = None,
    oldest: int | None = None,
    id: str | None = None,
    sent_at: datetime | None = None,
    taken_at: datetime | None = None,
    zone: str | None = None,
) -> Message:
    """The message of these drafts. What is wrong with a draft refuses it alone; a draft that the adapter itself could
    not read is a Refusal in its place (refuse()).

    taken_at: aware, of drafts without a time. stream and seq, or id: by which the device is answered; without them it
    is by the digest of payload. zone: IANA name, of local times.
    """
    digest = hashlib.sha256(payload).hexdigest()[:16]
    said: dict[str, Any] = {"stream": stream, "seq": seq, "oldest": oldest, "id": id}
    said |= {"sent_at": sent_at, "taken_at": taken_at, "zone": zone}
    read = envelope.read(fields.as_written(said), digest, gateway=True)
    readings: list[Reading] = []
    refusals: list[Refusal] = []
    equals: meaning.Equals = {}
    for place, draft in enumerate(drafts):
        got = draft if isinstance(draft, Refusal) else _reading(device_id, place, draft, read.taken_at, equals)
        if isinstance(got, Reading):
            readings.append(got)
        else:
            refusals.append(got)
    return envelope.made(digest, len(payload), read, tuple(readings), tuple(refusals))


def refuse(error: str, field: str | None = None, index: int | None = None, detail: str | None = None) -> Refusal:
    """What could not be read. error: one of those in docs/devices.md. detail: never what was sent."""
    return refusal(error, field, index, detail)


def guarded(decoder: Callable[[str, bytes], Any]) -> Callable[[str, bytes], Message]:
    """The decoder of an adapter, which may be wrong in any way, as one that never raises and gives what is possible."""
    return functools.partial(_guarded, decoder)


def _guarded(decoder: Callable[[str, bytes], Any], device_id: str, payload: bytes) -> Message:
    if len(payload) > messages.PAYLOAD_LIMIT:
        return _refused(payload, "payload_too_large", None)
    try:
        return _checked(device_id, payload, decoder(device_id, payload))
    except (Exception, SystemExit) as error:
        return _refused(payload, "adapter_failed", f"The adapter stopped: {type(error).__name__}.")


def _refused(payload: bytes, error: str, detail: str | None) -> Message:
    digest = hashlib.sha256(payload).hexdigest()[:16]
    return envelope.refused(payload, digest, refusal(error, None, None, detail))


def _checked(device_id: str, payload: bytes, given: Any) -> Message:
    """What the adapter gave, made again of what it says: nothing of it is taken on trust."""
    if not isinstance(given, Message):
        return _refused(payload, "adapter_failed", "The adapter gave no message.")
    if len(given.readings) + len(given.refusals) > DRAFTS_LIMIT:
        return _refused(payload, "adapter_failed", f"The adapter gave more than {DRAFTS_LIMIT:,} readings.")
    again = message(
        device_id,
        payload,
        [_draft(reading) for reading in given.readings],
        stream=given.stream,
        seq=given.seq,
        oldest=given.oldest,
        id=None if given.id == given.digest else given.id,
        sent_at=given.sent_at,
        zone=given.zone,
    )
    refusals = tuple(_refusal(one) for one in given.refusals)
    return msgspec.structs.replace(again, refusals=(*refusals, *(one for one in again.refusals if one not in refusals)))


def _draft(reading: Reading) -> Draft:
    value = _Token(messages.value_token(reading))
    at = reading.taken_at
    if at is not None and type(reading.taken_us) is int and 0 <= reading.taken_us < 1000:
        at = at.replace(microsecond=at.microsecond // 1000 * 1000 + reading.taken_us)
    return Draft(
        code=reading.code,
        value=value,
        unit=messages.unit_token(reading),
        taken_at=reading.local_time if at is None else at,
        source_id=reading.source_id,
        subject=reading.subject,
        set=reading.set,
        context=reading.context,
        flags=reading.flags,
        method=reading.method,
        absent=reading.absent,
        index=reading.index,
    )


class _Token(str):
    """A value that is JSON text already."""


def _refusal(given: Any) -> Refusal:
    if not isinstance(given, Refusal) or given.error not in MEANINGS:
        return refusal("adapter_failed", None, None, "The adapter refused something for a reason that is not known.")
    index = given.index if _is_index(given.index) else None
    field = given.field if _is_text(given.field, fields.TEXT_LIMIT) else None
    detail = given.detail if _is_text(given.detail, _DETAIL_LIMIT) else None
    return refusal(given.error, field, index, detail)


def _is_index(given: Any) -> bool:
    return type(given) is int and 0 <= given < _INDEX_LIMIT


def _is_text(given: Any, limit: int) -> bool:
    return type(given) is str and 0 < len(given) <= limit and fields.storable(given)


def _reading(
    device_id: str, place: int, draft: Draft, taken_at: datetime | None, equals: meaning.Equals
) -> Reading | Refusal:
    index = draft.index if draft.index is not None and _is_index(draft.index) else place
    if type(draft.code) is not str:
        return refusal("code_missing", "code", index)
    try:
        at, local_time = _times(draft.taken_at)
        given = {name: fields.as_written(getattr(draft, name)) for name in _CHECKED}
        return meaning.reading(
            device_id,
            index,
            equals,
            code=draft.code,
            token=_token(draft.value),
            unit=fields.unit(draft.unit),
            taken_at=taken_at if at is None and local_time is None else at,
            local_time=local_time,
            source_id=fields.optional(given, "source_id"),
            subject=fields.optional(given, "subject"),
            set=fields.optional(given, "set"),
            context=fields.context(given["context"]),
            flags=fields.flags(given["flags"]),
            method=fields.one_of(given, "method", fields.METHODS, "method_unknown") or "device",
            absent=fields.one_of(given, "absent", fields.REASONS, "absent_unknown"),
        )
    except Wrong as error:
        return msgspec.structs.replace(error.refusal, index=index)


def _times(taken_at: Any) -> tuple[datetime | None, datetime | None]:
    """An aware time, or a local one of no zone, or neither."""
    if taken_at is None:
        return None, None
    if not isinstance(taken_at, datetime):
        raise Wrong("taken_at_invalid", "taken_at")
    if taken_at.tzinfo is not None:
        return taken_at, None
    if not meaning.EARLIEST.year < taken_at.year < meaning.LATEST.year - 1:
        raise Wrong("taken_at_out_of_range", "taken_at")
    return None, taken_at


_CHECKED: Final = ("source_id", "subject", "set", "context", "flags", "method", "absent")


def _token(value: Any) -> str:
    return str(value) if isinstance(value, _Token) else fields.token(fields.as_written(value))
