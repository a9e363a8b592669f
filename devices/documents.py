"""Messages in other people's JSON formats: bare, or in an envelope of ours, and the readings found in them.

A bare message has no number, so it is answered by its digest whatever "id" it holds: that is the id of a resource or
of a sensor. In an envelope ({"stream", "seq", "sent_at", ..., key: content}) it is answered like a native one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from devices import envelope, fields, meaning, message, units
from devices.envelope import Envelope
from devices.errors import Refusal, refusal
from devices.message import Absent, Message, Method, Reading

#: The flag of a reading of which only the day is known; it is held until somebody gives it a time.
DATE_ONLY: Final = "date_only"

#: Units in words that people's formats use, as UCUM; taken only where the code knows the UCUM unit.
UNIT_WORDS: Final[Mapping[str, str]] = {
    "mmHg": "mm[Hg]",
    "mm Hg": "mm[Hg]",
    "beats/min": "/min",
    "beats/minute": "/min",
    "bpm": "/min",
    "breaths/min": "/min",
    "breaths/minute": "/min",
    "C": "Cel",
    "degC": "Cel",
    "°C": "Cel",
    "F": "[degF]",
    "degF": "[degF]",
    "°F": "[degF]",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "steps": "{steps}",
    "mg/dl": "mg/dL",
    "mmol/l": "mmol/L",
    "umol/l": "umol/L",
    "l/min": "L/min",
    "l/s": "L/s",
    "ml/min": "mL/min",
    "l": "L",
    "ml": "mL",
}

#: Of lists and objects in each other; a Bundle of Observations has a dozen.
_DEPTH_LIMIT: Final = 64
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class Opened(NamedTuple):
    """held: the content in the other format. subject: whom the envelope says that all of it is of."""

    digest: str
    size: int
    envelope: Envelope
    held: Any
    subject: str | None


class When(NamedTuple):
    """at: aware; None: no time was said. date_only: at is midnight UTC of a day, and stands in for a time.

    local: naive, of a clock of unknown zone.
    """

    at: datetime | None
    date_only: bool = False
    local: datetime | None = None


def opened(payload: bytes, key: str) -> Opened | Message:
    """The content of a message, or the message that refuses it whole. key: of the content within an envelope."""
    digest = hashlib.sha256(payload).hexdigest()[:16]
    content = envelope.opened(payload, digest)
    if isinstance(content, Message):
        return content
    if _deeper(content, _DEPTH_LIMIT):
        return envelope.refused_content(None, digest, refusal("not_json"), len(payload))
    if not isinstance(content, dict) or not (key in content or "stream" in content or "seq" in content):
        return Opened(digest, len(payload), Envelope(None, None, None, digest, None, ()), content, None)
    around = envelope.read(content, digest, gateway=True)
    subject = None
    if content.get("subject") is not None:
        try:
            subject = fields.text(content["subject"], "subject")
        except fields.Wrong as error:
            # Not left out like other fields of the envelope: it would make the readings somebody else's.
            return envelope.refused_content(content, digest, error.refusal, len(payload))
    return Opened(digest, len(payload), around, content.get(key), subject)


def _deeper(content: Any, levels: int) -> bool:
    """Whether lists and objects are nested deeper than so."""
    layer = [content]
    for _ in range(levels):
        layer = [
            inner
            for one in layer
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not layer:
            return False
    return any(isinstance(one, dict | list) for one in layer)


def whole(around: Opened, error: str, field: str | None = None, detail: str | None = None) -> Message:
    """The message of which nothing is taken."""
    bare = around.envelope._replace(refusals=())
    return envelope.made(around.digest, around.size, bare, (), (refusal(error, field, None, detail),))


class Collector:
    """The readings and refusals of one message, as they are found."""

    def __init__(self, device_id: str, around: Opened) -> None:
        self._device_id = device_id
        self.around = around
        self.readings: list[Reading] = []
        self.refusals: list[Refusal] = []
        self._equals: meaning.Equals = {}

    def refuse(self, index: int, error: str, field: str | None, detail: str | None = None) -> None:
        self.refusals.append(refusal(error, field, index, detail))

    def add(
        self,
        index: int,
        paths: Mapping[str, str],
        *,
        code: str,
        token: str | None,
        unit: str | None,
        when: When,
        unit_sent: str | None = None,
        source_id: str | None = None,
        subject: str | None = None,
        set: str | None = None,
        context: Mapping[str, str | int | float | bool] | None = None,
        flags: tuple[str, ...] = (),
        method: Method = "device",
        absent: Absent | None = None,
    ) -> None:
        """One reading. unit: UCUM; unit_sent: as it was said, where that differs. paths: of native field names."""
        at = when.at
        local = when.local
        if at is None and local is None:
            at = self.around.envelope.taken_at
        if when.date_only and at is not None:
            flags = (*flags, DATE_ONLY)
            # Only to tell equals apart.
            local = at.replace(tzinfo=None)
        read = meaning.reading(
            self._device_id,
            index,
            self._equals,
            code=code,
            token=token,
            unit=unit,
            taken_at=None if when.date_only else at,
            local_time=local,
            source_id=source_id,
            subject=self.around.subject if subject is None else subject,
            set=set,
            context=context or None,
            flags=flags,
            method=method,
            absent=absent,
        )
        if isinstance(read, Refusal):
            self.refusals.append(msgspec.structs.replace(read, field=paths.get(read.field or "", read.field)))
            return
        if when.date_only and at is not None:
            read = meaning.dated(self._device_id, read, at, "unknown")
        if unit_sent is not None:
            read = msgspec.structs.replace(read, unit_sent=None if unit_sent == read.unit else unit_sent)
        self.readings.append(read)

    def message(self, *, may_be_empty: bool = False) -> Message:
        """What came of it. may_be_empty: that nothing was measured is nothing to refuse."""
        around = self.around
        if len(self.readings) > message.READINGS_LIMIT or len(self.refusals) > message.READINGS_LIMIT:
            return whole(around, "too_many_readings")
        if not self.readings and not self.refusals and not may_be_empty:
            return whole(around, "nothing_measured")
        return envelope.made(around.digest, around.size, around.envelope, tuple(self.readings), tuple(self.refusals))


def when(given: Any) -> When | str:
    """The time of an RFC 3339 text or of a date alone; or the error."""
    if type(given) is not str:
        return "taken_at_invalid"
    text = given + "T00:00:00Z" if _DATE.fullmatch(given) else given
    try:
        at = msgspec.convert(text, datetime)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return "taken_at_invalid"
    checked = meaning.moment(at)
    if isinstance(checked, str):
        return "taken_at_" + checked
    return When(checked.replace(microsecond=at.microsecond), text is not given)


def at_epoch(seconds: Any) -> When | str:
    """The time of a number of whole seconds since 1970; or the error."""
    if type(seconds) is not fields.Whole or len(seconds) > 11:
        return "taken_at_invalid"
    try:
        at = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return "taken_at_out_of_range"
    checked = meaning.moment(at)
    return "taken_at_" + checked if isinstance(checked, str) else When(checked)


def ucum(code: str, word: Any) -> str | None:
    """The known UCUM unit of code that is meant by a unit or word; None if it is not known."""
    if type(word) is not str:
        return None
    known = units.CONVERSIONS[code]
    if word in known:
        return word
    unit = UNIT_WORDS.get(word)
    return unit if unit in known else None


def number(given: Any) -> str:
    """The token of a number, or of one in quotes; of anything else one that is no number. May raise fields.Wrong."""
    if type(given) is str and len(given) <= meaning.TOKEN_LIMIT and _NUMBER.fullmatch(given):
        return given
    return fields.token(given)


def label(given: str) -> str:
    """given, or where it is too long or cannot be stored a hash of it, of at most 64 characters."""
    if 0 < len(given) <= fields.TEXT_LIMIT and fields.storable(given):
        return given
    return hashlib.blake2b(given.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def fingerprint(content: Any) -> str:
    """The same for the same content, whatever message it is in; 16 characters."""
    written = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(written.encode(), digest_size=8).hexdigest()


def word(given: Any) -> str | None:
    """A text for the context of a reading, or None if it cannot be one."""
    if type(given) is str and 0 < len(given) <= fields.TEXT_LIMIT and fields.storable(given):
        return given
    return None
