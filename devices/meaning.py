"""From the fields of one well-formed reading to what they mean: units, ranges, identity.

Shared by every format, so that a value means the same however it came.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final

import msgspec

from devices import catalogue, identity, message, units
from devices.errors import Refusal, refusal
from devices.message import Absent, Method, Reading, TimeSource

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2201, 1, 1, tzinfo=UTC)
TOKEN_LIMIT: Final = 64
_MILLISECOND: Final = timedelta(milliseconds=1)
_WORD: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

#: Of readings without a time, until they are dated.
NO_IDENTITY: Final = uuid.UUID(int=0)
#: How many readings of a message had the same (code, ms, subject) so far; ms: None without a time.
Equals = dict[tuple[str, int | None, str | None], int]


def moment(at: datetime) -> datetime | str:
    """at in UTC, finer than a millisecond cut off; or why not: "no_offset" or "out_of_range"."""
    zone = at.tzinfo
    if zone is None:
        return "no_offset"
    if zone is not UTC:
        # Shifting a time at the ends of the calendar would overflow.
        if not 1899 <= at.year <= 2201:
            return "out_of_range"
        at = at.astimezone(UTC)
    if not EARLIEST <= at < LATEST:
        return "out_of_range"
    microsecond = at.microsecond
    if microsecond % 1000:
        return at.replace(microsecond=microsecond - microsecond % 1000)
    return at


def milliseconds(at: datetime) -> int:
    """Since 1970, of a moment()."""
    return (at - EPOCH) // _MILLISECOND


def reading(
    device_id: str,
    index: int,
    equals: Equals,
    *,
    code: str,
    token: str | None,
    unit: str | None,
    taken_at: datetime | None,
    source_id: str | None,
    subject: str | None,
    set: str | None,
    context: Mapping[str, str | int | float | bool] | None,
    flags: tuple[str, ...],
    method: Method,
    absent: Absent | None,
    local_time: datetime | None = None,
) -> Reading | Refusal:
    """One reading, or why not. token: the value's JSON text; None or "null" when there is none.

    Fields are of the right type and within their bounds already. taken_at None: the bytes have no time but
    perhaps local_time, which is naive.
    """
    entry = catalogue.ENTRIES.get(code)
    if entry is None:
        return refusal("code_unknown", "code", index)
    at: datetime | None = None
    ms: int | None = None
    if taken_at is not None:
        checked = moment(taken_at)
        if isinstance(checked, str):
            return refusal("taken_at_" + checked, "taken_at", index)
        at = checked
        ms = milliseconds(at)
        local_time = None
    elif local_time is not None:
        # Only to tell equals apart.
        ms = milliseconds(local_time.replace(tzinfo=UTC))
    n = 0
    if source_id is not None:
        source = identity.source(source_id)
    else:
        # Counted before the value is judged: what else is wrong must not shift the others.
        key = (code, ms, subject)
        n = equals.get(key, 0)
        equals[key] = n + 1
        source = identity.position(n)
    for name in entry.needs_context:
        if context is None or name not in context:
            return refusal("context_invalid", "context", index, f'This code needs "{name}" in its context.')

    judged = _value(entry, token, unit, absent)
    if type(judged) is Refusal:
        return refusal(judged.error, judged.field, index, judged.detail)
    assert type(judged) is tuple
    value, value_code, value_sent, own_unit, extreme, value_key = judged
    return Reading(
        index,
        code,
        value,
        value_code,
        own_unit,
        value_sent,
        None if unit == own_unit else unit,
        at,
        source_id,
        subject,
        set,
        context,
        flags,
        method,
        absent,
        extreme,
        NO_IDENTITY if at is None or ms is None else identity.identity(device_id, subject, code, ms, source),
        value_key,
        0 if taken_at is None else taken_at.microsecond % 1000,
        local_time,
        n,
    )


def dated(device_id: str, reading: Reading, taken_at: datetime, time_source: TimeSource) -> Reading:
    """A reading that was sent without a time, with the time that was found for it, and so its identity.

    taken_at: aware, of the years 1900 to 2200.
    """
    at = moment(taken_at)
    assert isinstance(at, datetime)
    source = identity.position(reading.place) if reading.source_id is None else identity.source(reading.source_id)
    own = identity.identity(device_id, reading.subject, reading.code, milliseconds(at), source)
    us = taken_at.microsecond % 1000
    return msgspec.structs.replace(reading, taken_at=at, taken_us=us, identity=own, time_source=time_source)


#: value, value_code, value_sent, unit, extreme, value_key
_Value = tuple[float | None, str | None, str | None, str | None, bool, int]


def _value(entry: catalogue.Entry, token: str | None, unit: str | None, absent: Absent | None) -> _Value | Refusal:
    if token is None or token == "null":
        return _absent(entry, unit, absent)
    if absent is not None:
        return refusal("absent_with_value", "absent")
    if entry.kind == "number":
        return _number(entry, token, unit)
    if unit is not None:
        return _unit_unknown(entry)
    if entry.kind == "boolean":
        if token == "true":
            return 1.0, None, token, None, False, 1
        if token == "false":
            return 0.0, None, token, None, False, 0
        return refusal("value_not_boolean", "value")
    return _coded(entry, token)


def _number(entry: catalogue.Entry, token: str, unit: str | None) -> _Value | Refusal:
    first = token[0]
    if not (first.isdecimal() or first == "-") or len(token) > TOKEN_LIMIT:
        return refusal("value_not_number", "value")
    if unit is None:
        if entry.unit is not None:
            return _unit_missing(entry)
        conversion = units.SAME
    else:
        known = units.CONVERSIONS[entry.code].get(unit)
        if known is None:
            return _unit_unknown(entry)
        conversion = known
    value = float(token)
    if not isfinite(value):
        return refusal("value_not_finite", "value")
    # Adding 0 turns -0.0 into 0.0.
    value = (value if conversion is units.SAME else conversion.apply(value)) + 0.0
    if not entry.impossible_low <= value <= entry.impossible_high:
        return _impossible(entry)
    sent = None if token == message.plain(value) else token
    extreme = not entry.extreme_low <= value <= entry.extreme_high
    return value, None, sent, entry.unit, extreme, identity.value_key(entry, value)


def _coded(entry: catalogue.Entry, token: str) -> _Value | Refusal:
    word = token[1:-1] if token[0] == '"' else ""
    if entry.codes:
        if word not in entry.codes:
            return refusal("value_not_code", "value", None, f"Known are {', '.join(entry.codes)}, as text.")
    elif _WORD.fullmatch(word) is None:
        return refusal("value_not_code", "value")
    return None, word, None, None, False, identity.word_key("code", word)


def _absent(entry: catalogue.Entry, unit: str | None, absent: Absent | None) -> _Value | Refusal:
    if absent is None:
        return refusal("value_missing", "value")
    if unit is not None and unit not in units.CONVERSIONS[entry.code]:
        return _unit_unknown(entry)
    # No unit was needed, so none is made up.
    return None, None, None, None if unit is None else entry.unit, False, identity.word_key("absent", absent)


def _unit_unknown(entry: catalogue.Entry) -> Refusal:
    known = ", ".join(units.CONVERSIONS[entry.code])
    return refusal(
        "unit_unknown", "unit", None, f"Known for this code: {known}." if known else "This code has no unit."
    )


def _unit_missing(entry: catalogue.Entry) -> Refusal:
    return refusal("unit_missing", "unit", None, f"Known for this code: {', '.join(units.CONVERSIONS[entry.code])}.")


def _impossible(entry: catalogue.Entry) -> Refusal:
    low, high = message.plain(float(entry.impossible_low)), message.plain(float(entry.impossible_high))
    return refusal("value_impossible", "value", None, f"Possible: {low} to {high} {entry.unit or ''}".rstrip() + ".")
