"""What every format is decoded into: a message of readings and refusals."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from devices import catalogue
from devices.errors import Refusal

#: Bytes of a message; the readings of longer ones are not looked at.
PAYLOAD_LIMIT: Final = 256 * 1024
#: Up to here a too long message is searched for its stream and seq, so that it can be refused by them.
SEARCH_LIMIT: Final = 1024 * 1024
READINGS_LIMIT: Final = 1000
#: The greatest whole number that every JSON reader keeps exactly.
SEQ_LIMIT: Final = 2**53 - 1

Method = Literal["device", "keyed", "supervised", "estimated"]
#: Why there is no value: FHIR's data-absent-reason codes.
Absent = Literal[
    "unknown",
    "asked-unknown",
    "temp-unknown",
    "not-asked",
    "asked-declined",
    "masked",
    "not-applicable",
    "unsupported",
    "as-text",
    "error",
    "not-a-number",
    "negative-infinity",
    "positive-infinity",
    "not-performed",
    "not-permitted",
]


#: Where a taken_at is from: sent with an offset; the gateway, where the device's own clock says nothing; the device's
#: local time in a zone that the gateway names, or in one that we assume; the time of sending, or of arrival, where
#: none was sent; or nowhere: it only stands in for one.
TimeSource = Literal["own", "gateway", "zone", "assumed_zone", "sending", "arrival", "unknown"]


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One accepted measurement, answer or event.

    value: in the code's own unit; booleans as 1 and 0; None for coded values and when absent.
    value_sent, unit_sent: the JSON token and the unit as sent, None when they are what value_token()
    and unit say, so that what was sent can always be written again.
    taken_at: aware, UTC, whole milliseconds, in which identity counts; taken_us: what was sent beyond them, 0 to
    999 microseconds. None: no time was sent, or only local_time: what the device's clock showed, naive, of an
    unknown zone. Such a reading has no identity yet (meaning.dated gives it one).
    gateway_at: when the gateway had it, should local_time be of no use.
    place: its position among its equals in the message, for identity without source_id.
    """

    index: int
    code: str
    value: float | None
    value_code: str | None
    unit: str | None
    value_sent: str | None
    unit_sent: str | None
    taken_at: datetime | None
    source_id: str | None
    subject: str | None
    set: str | None
    context: Mapping[str, str | int | float | bool] | None
    flags: tuple[str, ...]
    method: Method
    absent: Absent | None
    extreme: bool
    identity: uuid.UUID
    value_key: int
    taken_us: int = 0
    local_time: datetime | None = None
    place: int = 0
    time_source: TimeSource = "own"
    gateway_at: datetime | None = None


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message of a device, whatever became of it.

    Exactly one of seq and id is set: a receipt settles the message by (stream, seq), or names id in
    its "ids" (the id that was sent, else the digest). A refusal without index and with readings
    beside it is about that one field of the envelope, which is then left out; without readings the
    whole message is refused.
    """

    digest: str  #: first 16 hex digits of the payload's SHA-256
    size: int  #: bytes
    stream: str | None
    seq: int | None
    oldest: int | None
    id: str | None
    sent_at: datetime | None
    readings: tuple[Reading, ...]
    refusals: tuple[Refusal, ...]
    #: IANA zone of the readings' local times, if the gateway names it; it may not exist.
    zone: str | None = None


def plain(value: float) -> str:
    """The shortest JSON number: 96, not 96.0; 36.6."""
    if value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return repr(value)


def value_token(reading: Reading) -> str:
    """The JSON token of the value as it was sent."""
    if reading.value_sent is not None:
        return reading.value_sent
    if reading.absent is not None:
        return "null"
    if reading.value_code is not None:
        return msgspec.json.encode(reading.value_code).decode()
    assert reading.value is not None
    if catalogue.ENTRIES[reading.code].kind == "boolean":
        return "true" if reading.value else "false"
    return plain(reading.value)


def unit_token(reading: Reading) -> str | None:
    """The unit as it was sent."""
    return reading.unit if reading.unit_sent is None else reading.unit_sent
