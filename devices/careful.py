"""The native format read field by field, for messages that are not wholly well-formed, or not JSON.

Every bad reading becomes a refusal with its index; a bad field of the envelope becomes a refusal of
that field and is left out, and the readings are taken all the same. Of two keys with the same name
the last counts; keys that are not known are ignored.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from devices import catalogue, envelope, fields, meaning, message
from devices.errors import Refusal, refusal
from devices.fields import Wrong
from devices.message import Message, Reading


def decode(device_id: str, payload: bytes, digest: str) -> Message:
    """As native.decode, and the same result for what is wholly well-formed; about ten times slower."""
    opened = envelope.opened(payload, digest)
    return opened if isinstance(opened, Message) else content(device_id, opened, digest, len(payload))


def content(device_id: str, given: Any, digest: str, size: int) -> Message:
    """The message of content (devices.fields) in the shape of the native format, whatever it was written in."""
    read = envelope.read(given, digest)
    held = given.get("readings") if isinstance(given, dict) else None
    if not isinstance(held, list):
        field = "readings" if isinstance(given, dict) else None
        return envelope.made(digest, size, read, (), (refusal("schema", field),))
    if len(held) > message.READINGS_LIMIT:
        return envelope.made(digest, size, read, (), (refusal("too_many_readings", "readings"),))
    readings: list[Reading] = []
    refusals: list[Refusal] = []
    equals: meaning.Equals = {}
    for index, one in enumerate(held):
        got = _reading(device_id, index, equals, one)
        if isinstance(got, Reading):
            readings.append(got)
        else:
            refusals.append(got)
    return envelope.made(digest, size, read, tuple(readings), tuple(refusals))


def _reading(device_id: str, index: int, equals: meaning.Equals, given: Any) -> Reading | Refusal:
    if not isinstance(given, dict):
        return refusal("schema", "readings", index)
    try:
        code = given.get("code")
        if type(code) is not str:
            raise Wrong("code_missing", "code")
        if code not in catalogue.ENTRIES:
            raise Wrong("code_unknown", "code")
        taken_at = _taken_at(given.get("taken_at"))
        source_id = fields.optional(given, "source_id")
        subject = fields.optional(given, "subject")
    except Wrong as error:
        return msgspec.structs.replace(error.refusal, index=index)
    try:
        return meaning.reading(
            device_id,
            index,
            equals,
            code=code,
            token=fields.token(given.get("value")),
            unit=fields.unit(given.get("unit")),
            taken_at=taken_at,
            source_id=source_id,
            subject=subject,
            set=fields.optional(given, "set"),
            context=fields.context(given.get("context")),
            flags=fields.flags(given.get("flags")),
            method=fields.one_of(given, "method", fields.METHODS, "method_unknown") or "device",
            absent=fields.one_of(given, "absent", fields.REASONS, "absent_unknown"),
        )
    except Wrong as error:
        _count(equals, code, taken_at, source_id, subject)
        return msgspec.structs.replace(error.refusal, index=index)


def _count(equals: meaning.Equals, code: str, taken_at: datetime, source_id: str | None, subject: str | None) -> None:
    """A refused reading keeps its place among its equals, as it does on the fast path."""
    at = meaning.moment(taken_at)
    if source_id is None and not isinstance(at, str):
        key = (code, meaning.milliseconds(at), subject)
        equals[key] = equals.get(key, 0) + 1


def _taken_at(given: Any) -> datetime:
    if given is None:
        raise Wrong("taken_at_missing", "taken_at")
    return fields.taken_at(given)
