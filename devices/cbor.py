"""The native format as CBOR (RFC 8949): the same keys and the same rules, the numbers exact.

Times are text as in JSON, or tagged as such (tag 0) or as seconds since 1970 (tag 1). Numbers may be decimal
fractions (tag 4). No other tag is known: what carries one is of the wrong type.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import cbor2

from devices import careful, envelope, fields, meaning, message
from devices.errors import refusal
from devices.message import Message

#: Maps and lists within each other; a native message needs five.
DEPTH_LIMIT: Final = 16
#: Seconds since 1970 beyond which no calendar goes.
_SECONDS_LIMIT: Final = 10**11
_EXPONENT_LIMIT: Final = 1000
_BITS_LIMIT: Final = 256


class _Unusable:
    """What a tag stands for that has no meaning here: of the wrong type wherever it is found."""


_UNUSABLE: Final = _Unusable()


def _unusable(given: object, immutable: bool) -> object:
    return _UNUSABLE


def _time(given: object, immutable: bool) -> object:
    return given if type(given) is str else _UNUSABLE


def _seconds(given: object, immutable: bool) -> object:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return _UNUSABLE
    # Written so that it does not hold for NaN either.
    if not abs(given) <= _SECONDS_LIMIT:
        return _UNUSABLE
    return meaning.EPOCH + timedelta(microseconds=round(Fraction(given) * 1_000_000))


def _whole(given: object, immutable: bool) -> object:
    return int.from_bytes(given, "big") if isinstance(given, bytes) else _UNUSABLE


def _negative(given: object, immutable: bool) -> object:
    return -1 - int.from_bytes(given, "big") if isinstance(given, bytes) else _UNUSABLE


def _decimal(given: object, immutable: bool) -> object:
    if not isinstance(given, list | tuple) or len(given) != 2:
        return _UNUSABLE
    exponent, mantissa = given
    if type(exponent) is not int or type(mantissa) is not int:
        return _UNUSABLE
    if abs(exponent) > _EXPONENT_LIMIT or mantissa.bit_length() > _BITS_LIMIT:
        return _UNUSABLE
    return Decimal((int(mantissa < 0), tuple(map(int, str(abs(mantissa)))), exponent))


def _itself(given: object, immutable: bool) -> object:
    return given


#: The tags that the library would make objects of by itself (shared and cyclic values, patterns to be compiled, ...).
_UNUSED: Final = (5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000)
_TAGS: Final[Mapping[int, Callable[[object, bool], object]]] = dict.fromkeys(_UNUSED, _unusable) | {
    0: _time,
    1: _seconds,
    2: _whole,
    3: _negative,
    4: _decimal,
    55799: _itself,
}


def decode(device_id: str, payload: bytes) -> Message:
    """The readings of one message and what was refused of it. Never raises."""
    digest = hashlib.sha256(payload).hexdigest()[:16]
    size = len(payload)
    content = _parse(payload) if size <= message.SEARCH_LIMIT else None
    if size > message.PAYLOAD_LIMIT:
        return envelope.refused_content(content, digest, refusal("payload_too_large"), size)
    if content is envelope.MALFORMED:
        return envelope.refused_content(None, digest, refusal("not_cbor"), size)
    return careful.content(device_id, content, digest, size)


def _parse(payload: bytes) -> Any:
    """The content with numbers as written (devices.fields), or MALFORMED. Nothing is made longer than payload."""
    decoder = cbor2.CBORDecoder(io.BytesIO(payload), semantic_decoders=_TAGS, tag_hook=_unusable, max_depth=DEPTH_LIMIT)
    try:
        content = decoder.decode()
    except (cbor2.CBORError, ValueError, ArithmeticError, TypeError, RecursionError):
        return envelope.MALFORMED
    try:
        decoder.read(1)
    except (cbor2.CBORError, EOFError):
        return _as_written(content)
    return envelope.MALFORMED


def _as_written(content: object) -> object:
    """What of the content could be a message; the rest is not worth converting."""
    if not isinstance(content, dict):
        return None
    held = content.get("readings")
    if isinstance(held, list) and len(held) > message.READINGS_LIMIT:
        return fields.as_written({key: one for key, one in content.items() if key != "readings"}) | {"readings": held}
    return fields.as_written(content)
