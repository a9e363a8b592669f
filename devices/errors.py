"""Why something a device sent was refused: a closed, documented set of codes.

Refusals are values, never exceptions, and final: the device need not send the same again. A detail
says what was wrong and what is right; it never repeats what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

#: Every code with its meaning; docs/devices.md shows the same table.
MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # the whole message
        "payload_too_large": "The message is longer than 262,144 bytes.",
        "not_utf8": "The message is not valid UTF-8.",
        "not_json": "The message is not valid JSON, or is nested too deeply.",
        "schema": "The message or a reading does not have the right shape (not an object, readings not a list).",
        "too_many_readings": "The message holds more than 1,000 readings.",
        "format_unknown": "The format named in the topic is not known.",
        "too_many_frames": "The message holds more than 1,000 frames.",
        "not_cbor": "The message is not one item of valid CBOR, or is nested too deeply.",
        "adapter_failed": "The adapter of this format could not read the message, or read something that cannot be.",
        # one field of the envelope: the readings are taken all the same
        "stream_invalid": "stream is not 1 to 64 characters, or is missing beside seq.",
        "seq_invalid": "seq is not a whole number from 1 to 9007199254740991, or is missing beside stream.",
        "oldest_invalid": "oldest is not a whole number from 1 to seq.",
        "id_invalid": "id is not 1 to 64 characters.",
        "sent_at_invalid": "sent_at is not an RFC 3339 time with an offset, of the years 1900 to 2200.",
        "zone_invalid": "zone is not the name of a time zone (at most 64 characters, such as Europe/London).",
        # one reading
        "code_missing": "code is missing or not text.",
        "code_unknown": "code is not in the catalogue.",
        "taken_at_missing": "taken_at is missing.",
        "taken_at_invalid": "taken_at is not an RFC 3339 time.",
        "taken_at_no_offset": "taken_at has no offset (Z or +01:00).",
        "taken_at_out_of_range": "taken_at is not of the years 1900 to 2200.",
        "value_missing": "There is neither a value nor a reason why there is none (absent).",
        "value_not_number": "A measurement's value must be a JSON number of at most 64 characters, not text or true.",
        "value_not_finite": "The value is NaN, infinite or too large to be a number.",
        "value_not_boolean": "The value of this code must be true or false.",
        "value_not_code": "The value of this code must be one of its codes, as text.",
        "value_impossible": "The value, in the code's own unit, is outside what is possible.",
        "unit_missing": "This code needs a unit.",
        "unit_unknown": "The unit is not one of those known for this code.",
        "absent_unknown": "absent is not one of the known reasons.",
        "absent_with_value": "There is a value and a reason why there is none.",
        "source_id_invalid": "source_id is not 1 to 64 characters.",
        "subject_invalid": "subject is not 1 to 64 characters.",
        "set_invalid": "set is not 1 to 64 characters.",
        "context_invalid": "context is not an object of at most 8 short entries, or lacks one that this code needs.",
        "flags_invalid": "flags is not a list of at most 16 short words.",
        "method_unknown": "method is not device, keyed, supervised or estimated.",
        # one frame of a gateway
        "characteristic_unknown": "characteristic is not the UUID of one that is known.",
        "hex_invalid": "hex is not bytes written as hexadecimal digits.",
        "frame_too_long": "The frame is longer than 512 bytes.",
        "frame_too_short": "The frame is shorter than its flags say.",
        "control_solution": "The sample was control solution, not of the resident.",
        "context_alone": "A glucose context without its measurement in the same message.",
        # one thing in a format of others (FHIR, openMHealth, Theengs, Tenovi)
        "nothing_measured": "There is nothing in it that the catalogue knows.",
        "resource_unknown": "A resource of this kind is not taken.",
        "code_ambiguous": "The codes of one concept name different measurements.",
        "not_a_result": "It is said to be no result: entered in error, cancelled, not yet made, or test data.",
        "not_a_person": "It is not a measurement of a person, or not known to be one.",
        "subject_unclear": "Whose it is is not clear: its subject is no patient, or the message is of several.",
        "comparator_unknown": "The comparator is not <, <=, > or >=.",
        "statistic_unknown": "The descriptive statistic cannot stand for a measurement.",
        # the status message
        "online_invalid": "online is missing or not true or false.",
        "battery_invalid": "battery is not a number from 0 to 1.",
        "firmware_invalid": "firmware is not 1 to 64 characters.",
    }
)


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """What was refused and why. index: position of the reading in the message; None: not one reading."""

    error: str
    field: str | None
    detail: str
    index: int | None = None


def refusal(error: str, field: str | None = None, index: int | None = None, detail: str | None = None) -> Refusal:
    """A refusal with the documented meaning as its detail, unless there is more to say."""
    return Refusal(error, field, detail or MEANINGS[error], index)
