"""One field of JSON-like content at a time, read strictly: what every format that is not on the fast path shares.

Content is what json gives, with numbers as they were written (Whole, Real, NotFinite), so that a value is never
rounded before it is judged. Formats that are not JSON make the same content of what they hold: as_written().
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final, get_args

import msgspec

from devices import meaning, message
from devices.errors import refusal
from devices.message import Absent, Method

KEY: Final = "^[a-z][a-z0-9_]{0,31}$"
FLAG: Final = "^[a-z0-9][a-z0-9_-]{0,31}$"
TEXT_LIMIT: Final = 64
CONTEXT_LIMIT: Final = 8
FLAGS_LIMIT: Final = 16
METHODS: Final = frozenset(get_args(Method))
REASONS: Final = frozenset(get_args(Absent))
_key: Final = re.compile(KEY.replace("$", r"\Z"))
_flag: Final = re.compile(FLAG.replace("$", r"\Z"))
_zone: Final = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
#: Bits of whole numbers that are written out; longer ones are no value anyway, and slow to write.
_BITS_LIMIT: Final = 256


class Whole(str):
    """A JSON number without fraction and exponent, as written."""


class Real(str):
    """Any other JSON number, as written."""


class NotFinite(str):
    """NaN, Infinity or -Infinity, which JSON does not have."""


class Wrong(Exception):
    """Carries a refusal out of the reading of one field; whoever decodes catches it."""

    def __init__(self, error: str, field: str | None, detail: str | None = None) -> None:
        self.refusal = refusal(error, field, None, detail)


def as_written(given: Any) -> Any:
    """Content of Python values: numbers as JSON would write them exactly, everything else as it is.

    given: nested no deeper than its format allows; Decimals, tuples and times are taken as well.
    """
    if given is None or given is True or given is False or isinstance(given, str):
        return given
    if isinstance(given, int):
        return Whole(given) if given.bit_length() <= _BITS_LIMIT else Whole("1" + "0" * meaning.TOKEN_LIMIT)
    if isinstance(given, float):
        return Real(repr(given)) if isfinite(given) else NotFinite(given)
    if isinstance(given, Decimal):
        if not given.is_finite():
            return NotFinite(given)
        # A number longer than any value may be: its digits need not be written out.
        return Real(given) if len(given.as_tuple().digits) <= meaning.TOKEN_LIMIT else Real("1" * 65)
    if isinstance(given, list | tuple):
        return [as_written(one) for one in given]
    if isinstance(given, Mapping):
        return {key: as_written(one) for key, one in given.items()}
    return given


def text(given: Any, field: str) -> str:
    """1 to 64 characters without control characters, which the database could not keep."""
    good = type(given) is str and 0 < len(given) <= TEXT_LIMIT and storable(given)
    if not good:
        raise Wrong(f"{field}_invalid", field)
    return str(given)


def storable(given: str) -> bool:
    """Whether a text that is not empty has no control characters and can be written as UTF-8."""
    if min(given) < " ":
        return False
    try:
        given.encode()
    except UnicodeEncodeError:  # half a surrogate pair, or bytes that are not UTF-8
        return False
    return True


def optional(given: Mapping[str, Any], field: str) -> str | None:
    value = given.get(field)
    return None if value is None else text(value, field)


def whole(given: Any, field: str, highest: int) -> int:
    if type(given) is Whole and len(given) <= 16 and 1 <= int(given) <= highest:
        return int(given)
    raise Wrong(f"{field}_invalid", field)


def zone(given: Any) -> str:
    """What may be the name of an IANA time zone; whether there is such a zone is not looked up."""
    if type(given) is str and _zone.fullmatch(given):
        return given
    raise Wrong("zone_invalid", "zone")


def taken_at(given: Any) -> datetime:
    """An RFC 3339 time as sent, aware or naive: meaning.reading judges that."""
    at = _datetime(given)
    if at is None:
        raise Wrong("taken_at_invalid", "taken_at")
    return at


def aware(given: Any, field: str) -> datetime:
    """A time with an offset, UTC; each way in which it can be wrong has its own error: taken_at_no_offset, ..."""
    at = _datetime(given)
    checked = meaning.moment(at) if at is not None else "invalid"
    if isinstance(checked, str):
        raise Wrong(f"{field}_{checked}", field)
    assert at is not None
    # Microseconds are kept: a reading's time has them beside what identity counts.
    return checked.replace(microsecond=at.microsecond)


def moment(given: Any, field: str, error: str) -> datetime:
    at = _datetime(given)
    checked = meaning.moment(at) if at is not None else "invalid"
    if isinstance(checked, str):
        raise Wrong(error, field)
    return checked


def _datetime(given: Any) -> datetime | None:
    if type(given) is datetime:
        return given
    if type(given) is not str:
        return None
    try:
        return msgspec.convert(given, datetime)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return None


def token(given: Any, field: str = "value") -> str:
    """The JSON text of a value; of an object or array only that it is one. Raises Wrong naming the field."""
    if given is None:
        return "null"
    if given is True or given is False:
        return "true" if given else "false"
    if type(given) is NotFinite:
        raise Wrong("value_not_finite", field)
    if isinstance(given, Whole | Real):
        return str(given)
    if type(given) is str:
        return f'"{given}"'
    return "[]"


def unit(given: Any) -> str | None:
    if given is None or type(given) is str:
        return given
    raise Wrong("unit_unknown", "unit")


def context(given: Any) -> Mapping[str, str | int | float | bool] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or len(given) > CONTEXT_LIMIT:
        raise Wrong("context_invalid", "context")
    return {key: _context_value(key, value) for key, value in given.items()}


def _context_value(key: Any, given: Any) -> str | int | float | bool:
    if type(key) is str and _key.match(key):
        if type(given) is str:
            if 0 < len(given) <= TEXT_LIMIT and storable(given):
                return given
        elif type(given) is bool:
            return given
        elif isinstance(given, Whole | Real):
            number = float(given)
            if abs(number) <= message.SEQ_LIMIT:
                return int(given) if type(given) is Whole else number
    raise Wrong("context_invalid", "context")


def flags(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > FLAGS_LIMIT:
        raise Wrong("flags_invalid", "flags")
    if not all(type(flag) is str and _flag.match(flag) for flag in given):
        raise Wrong("flags_invalid", "flags")
    return tuple(given)


def one_of(given: Mapping[str, Any], field: str, known: frozenset[str], error: str) -> Any:
    value = given.get(field)
    if value is None:
        return None
    if type(value) is not str or value not in known:
        raise Wrong(error, field)
    return value
