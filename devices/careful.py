"""The native format read field by field, for messages that are not wholly well-formed.

Every bad reading becomes a refusal with its index; a bad field of the envelope becomes a refusal of
that field and is left out, and the readings are taken all the same. Of two keys with the same name
the last counts; keys that are not known are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, get_args

import msgspec

from devices import catalogue, meaning, message
from devices.errors import Refusal, refusal
from devices.message import Absent, Message, Method, Reading

KEY: Final = "^[a-z][a-z0-9_]{0,31}$"
FLAG: Final = "^[a-z0-9][a-z0-9_-]{0,31}$"
TEXT_LIMIT: Final = 64
CONTEXT_LIMIT: Final = 8
FLAGS_LIMIT: Final = 16
MALFORMED: Final = object()
_key: Final = re.compile(KEY.replace("$", r"\Z"))
_flag: Final = re.compile(FLAG.replace("$", r"\Z"))
_methods: Final = frozenset(get_args(Method))
_reasons: Final = frozenset(get_args(Absent))


class Whole(str):
    """A JSON number without fraction and exponent, as written."""


class Real(str):
    """Any other JSON number, as written."""


class NotFinite(str):
    """NaN, Infinity or -Infinity, which JSON does not have."""


class _Wrong(Exception):
    """Internal: carries a refusal out of the reading of one field; never leaves this module."""

    def __init__(self, error: str, field: str | None, detail: str | None = None) -> None:
        self.refusal = refusal(error, field, None, detail)


class Envelope(NamedTuple):
    stream: str | None
    seq: int | None
    oldest: int | None
    id: str | None
    sent_at: datetime | None
    refusals: tuple[Refusal, ...]


def decode(device_id: str, payload: bytes, digest: str) -> Message:
    """As native.decode, and the same result for what is wholly well-formed; about ten times slower."""
    if len(payload) > message.PAYLOAD_LIMIT:
        return refused(payload, digest, refusal("payload_too_large"))
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return refused(payload, digest, refusal("not_utf8"))
    content = parse(text)
    if content is MALFORMED:
        return refused(b"", digest, refusal("not_json"), len(payload))
    envelope = read_envelope(content, digest)
    given = content.get("readings") if isinstance(content, dict) else None
    if not isinstance(given, list):
        field = "readings" if isinstance(content, dict) else None
        return assembled(digest, len(payload), envelope, (), (refusal("schema", field),))
    if len(given) > message.READINGS_LIMIT:
        return assembled(digest, len(payload), envelope, (), (refusal("too_many_readings", "readings"),))
    readings: list[Reading] = []
    refusals: list[Refusal] = []
    equals: meaning.Equals = {}
    for index, one in enumerate(given):
        read = _reading(device_id, index, equals, one)
        if isinstance(read, Reading):
            readings.append(read)
        else:
            refusals.append(read)
    return assembled(digest, len(payload), envelope, tuple(readings), tuple(refusals))


def refused(payload: bytes, digest: str, why: Refusal, size: int | None = None) -> Message:
    """A message refused whole, by stream and seq or id where they can still be found in it."""
    content: Any = None
    if len(payload) <= message.SEARCH_LIMIT:
        content = parse(payload.decode(errors="surrogateescape"))
    envelope = read_envelope(content, digest)
    # Only how to answer it matters now: what else was wrong with the envelope would say nothing more.
    envelope = envelope._replace(refusals=())
    return assembled(digest, len(payload) if size is None else size, envelope, (), (why,))


def assembled(
    digest: str, size: int, envelope: Envelope, readings: tuple[Reading, ...], refusals: tuple[Refusal, ...]
) -> Message:
    return Message(
        digest,
        size,
        envelope.stream,
        envelope.seq,
        envelope.oldest,
        envelope.id,
        envelope.sent_at,
        readings,
        envelope.refusals + refusals,
    )


def parse(text: str) -> Any:
    """The JSON content with numbers as written, or MALFORMED."""
    try:
        return json.loads(text, parse_int=Whole, parse_float=Real, parse_constant=NotFinite)
    except (ValueError, RecursionError):
        return MALFORMED


def read_envelope(content: Any, digest: str) -> Envelope:
    """stream, seq, oldest, id and sent_at of a parsed message, and what was wrong with them."""
    if not isinstance(content, dict):
        return Envelope(None, None, None, digest, None, ())
    wrong: list[Refusal] = []

    def field(name: str, read: Any) -> Any:
        given = content.get(name)
        if given is None:
            return None
        try:
            return read(given)
        except _Wrong as error:
            wrong.append(error.refusal)
            return None

    stream = field("stream", lambda given: _text(given, "stream"))
    seq = field("seq", lambda given: _whole(given, "seq", message.SEQ_LIMIT))
    # Beside a stream and seq an id is one of the keys that are ignored.
    own_id = None if stream and seq else field("id", lambda given: _text(given, "id"))
    sent_at = field("sent_at", lambda given: _moment(given, "sent_at", "sent_at_invalid"))
    if seq is not None and content.get("stream") is None and own_id is None:
        wrong.append(refusal("stream_invalid", "stream"))
    if stream is not None and content.get("seq") is None and own_id is None:
        wrong.append(refusal("seq_invalid", "seq"))
    if stream is None:
        seq = None
    oldest = None
    if seq is not None:
        oldest = field("oldest", lambda given: _whole(given, "oldest", seq))
    answer = None if seq is not None else own_id or digest
    return Envelope(stream, seq, oldest, answer, sent_at, tuple(wrong))


def _reading(device_id: str, index: int, equals: meaning.Equals, given: Any) -> Reading | Refusal:
    if not isinstance(given, dict):
        return refusal("schema", "readings", index)
    try:
        code = given.get("code")
        if type(code) is not str:
            raise _Wrong("code_missing", "code")
        if code not in catalogue.ENTRIES:
            raise _Wrong("code_unknown", "code")
        taken_at = _taken_at(given.get("taken_at"))
        source_id = _optional(given, "source_id")
        subject = _optional(given, "subject")
    except _Wrong as error:
        return msgspec.structs.replace(error.refusal, index=index)
    try:
        return meaning.reading(
            device_id,
            index,
            equals,
            code=code,
            token=_token(given.get("value")),
            unit=_unit(given.get("unit")),
            taken_at=taken_at,
            source_id=source_id,
            subject=subject,
            set=_optional(given, "set"),
            context=_context(given.get("context")),
            flags=_flags(given.get("flags")),
            method=_one_of(given, "method", _methods, "method_unknown") or "device",
            absent=_one_of(given, "absent", _reasons, "absent_unknown"),
        )
    except _Wrong as error:
        _count(equals, code, taken_at, source_id, subject)
        return msgspec.structs.replace(error.refusal, index=index)


def _count(equals: meaning.Equals, code: str, taken_at: datetime, source_id: str | None, subject: str | None) -> None:
    """A refused reading keeps its place among its equals, as it does on the fast path."""
    at = meaning.moment(taken_at)
    if source_id is None and not isinstance(at, str):
        key = (code, meaning.milliseconds(at), subject)
        equals[key] = equals.get(key, 0) + 1


def _text(given: Any, field: str) -> str:
    """1 to 64 characters without control characters, which the database could not keep."""
    good = type(given) is str and 0 < len(given) <= TEXT_LIMIT and storable(given)
    if not good:
        raise _Wrong(f"{field}_invalid", field)
    return str(given)


def storable(text: str) -> bool:
    """Whether a text that is not empty has no control characters and can be written as UTF-8."""
    if min(text) < " ":
        return False
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, or bytes that are not UTF-8
        return False
    return True


def _optional(given: Mapping[str, Any], field: str) -> str | None:
    value = given.get(field)
    return None if value is None else _text(value, field)


def _whole(given: Any, field: str, highest: int) -> int:
    if type(given) is Whole and len(given) <= 16 and 1 <= int(given) <= highest:
        return int(given)
    raise _Wrong(f"{field}_invalid", field)


def _taken_at(given: Any) -> datetime:
    if given is None:
        raise _Wrong("taken_at_missing", "taken_at")
    at = _datetime(given)
    if at is None:
        raise _Wrong("taken_at_invalid", "taken_at")
    return at


def _moment(given: Any, field: str, error: str) -> datetime:
    at = _datetime(given)
    checked = meaning.moment(at) if at is not None else "invalid"
    if isinstance(checked, str):
        raise _Wrong(error, field)
    return checked


def _datetime(given: Any) -> datetime | None:
    if type(given) is not str:
        return None
    try:
        return msgspec.convert(given, datetime)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return None


def _token(given: Any) -> str:
    """The JSON text of a value; of an object or array only that it is one."""
    if given is None:
        return "null"
    if given is True or given is False:
        return "true" if given else "false"
    if type(given) is NotFinite:
        raise _Wrong("value_not_finite", "value")
    if isinstance(given, Whole | Real):
        return str(given)
    if type(given) is str:
        return f'"{given}"'
    return "[]"


def _unit(given: Any) -> str | None:
    if given is None or type(given) is str:
        return given
    raise _Wrong("unit_unknown", "unit")


def _context(given: Any) -> Mapping[str, str | int | float | bool] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or len(given) > CONTEXT_LIMIT:
        raise _Wrong("context_invalid", "context")
    return {key: _context_value(key, value) for key, value in given.items()}


def _context_value(key: str, given: Any) -> str | int | float | bool:
    if _key.match(key):
        if type(given) is str:
            if 0 < len(given) <= TEXT_LIMIT and storable(given):
                return given
        elif type(given) is bool:
            return given
        elif isinstance(given, Whole | Real):
            number = float(given)
            if abs(number) <= message.SEQ_LIMIT:
                return int(given) if type(given) is Whole else number
    raise _Wrong("context_invalid", "context")


def _flags(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > FLAGS_LIMIT:
        raise _Wrong("flags_invalid", "flags")
    if not all(type(flag) is str and _flag.match(flag) for flag in given):
        raise _Wrong("flags_invalid", "flags")
    return tuple(given)


def _one_of(given: Mapping[str, Any], field: str, known: frozenset[str], error: str) -> Any:
    value = given.get(field)
    if value is None:
        return None
    if type(value) is not str or value not in known:
        raise _Wrong(error, field)
    return value
