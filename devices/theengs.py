"""What Theengs and OpenMQTTGateway make of Bluetooth advertisements: one object, a list, or "frames" in an envelope.

Only what their decoder documents for persons is taken: body scales and heart-rate sensors. Its many temperatures are
those of rooms, freezers and grills. Without a time of the gateway a frame is undated.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from devices import documents, fields, message, units
from devices.documents import Collector, When
from devices.fields import Wrong
from devices.message import Message

#: Scales that persons stand on, by model_id; others of type SCALE are for kitchens and coffee.
_BODY_SCALES: Final = frozenset(
    {
        "XMTZC01HM/XMTZC04HM",
        "XMTZC02HM/XMTZC05HM",
        "XMTZC01HM",
        "XMTZC02HM",
        "XMTZC04HM",
        "XMTZC05HM",
    }
)
#: The type of health monitors; no thermometer of another type is for persons.
_BODY: Final = "BODY"
_RATES: Final[Mapping[str, tuple[str, ...]]] = {"bpm": (), "act_bpm": ("activity",)}
_TIMES: Final = ("UTCtime", "timestamp", "time", "unixtime")


def decode(device_id: str, payload: bytes) -> Message:
    """The readings of one message and what was refused of it. Never raises."""
    opened = documents.opened(payload, "frames")
    if isinstance(opened, Message):
        return opened
    frames = [opened.held] if isinstance(opened.held, dict) else opened.held
    if not isinstance(frames, list):
        return documents.whole(opened, "schema", "frames")
    if len(frames) > message.READINGS_LIMIT:
        return documents.whole(opened, "too_many_readings", "frames")
    found = Collector(device_id, opened)
    for index, frame in enumerate(frames):
        try:
            _frame(found, index, frame)
        except Wrong as error:
            found.refuse(index, error.refusal.error, error.refusal.field, error.refusal.detail)
    return found.message(may_be_empty=True)


def _frame(found: Collector, index: int, frame: Any) -> None:
    if not isinstance(frame, dict):
        raise Wrong("schema", "frames")
    before = len(found.readings) + len(found.refusals)
    when, time_field = _when(frame)
    sensor = documents.word(frame.get("id"))

    def add(name: str, code: str, unit: str, unit_sent: str | None, flags: tuple[str, ...] = ()) -> None:
        try:
            token = fields.token(frame[name])
        except Wrong as error:
            found.refuse(index, error.refusal.error, name)
            return
        found.add(
            index,
            {"value": name, "unit": "unit", "taken_at": time_field},
            code=code,
            token=token,
            unit=unit,
            unit_sent=unit_sent,
            when=when,
            context=None if sensor is None else {"sensor": sensor},
            flags=flags,
        )

    if "weight" in frame:
        _weight(frame, add)
    for name, flags in _RATES.items():
        if name in frame:
            add(name, "pulse", "/min", None, flags)
    if "steps" in frame:
        # Counted since midnight; how far the day has gone is not said.
        add("steps", "steps", "{steps}", None, ("partial_day",))
    for name, unit in (("tempc", "Cel"), ("tempf", "[degF]")):
        if name in frame:
            if frame.get("type") != _BODY:
                raise Wrong("not_a_person", name, "It is not known to be a thermometer for persons.")
            # The other one is the same measurement.
            add(name, "temperature", unit, None)
            break
    if len(found.readings) + len(found.refusals) == before:
        raise Wrong("nothing_measured", None)


def _weight(frame: Mapping[str, Any], add: Any) -> None:
    # Earlier versions of the decoder called it mode.
    mode, model = frame.get("weighing_mode", frame.get("mode")), frame.get("model_id")
    if mode != "person" if mode is not None else not (type(model) is str and model in _BODY_SCALES):
        raise Wrong("not_a_person", "weight" if mode is None else "weighing_mode")
    sent = frame.get("unit")
    if sent is None:
        raise Wrong("unit_missing", "unit")
    unit = documents.ucum("weight", sent)
    if unit is None:
        raise Wrong("unit_unknown", "unit", f"Known for this code: {', '.join(units.CONVERSIONS['weight'])}.")
    add("weight", "weight", unit, sent)


def _when(frame: Mapping[str, Any]) -> tuple[When, str]:
    """The gateway's time, if it adds one: a text with or without an offset, or seconds since 1970."""
    for name in _TIMES:
        given = frame.get(name)
        if given is None:
            continue
        when = documents.at_epoch(given) if isinstance(given, fields.Whole) else documents.when(given)
        if when == "taken_at_no_offset":
            return When(None, local=msgspec.convert(given, datetime)), name
        if isinstance(when, str):
            raise Wrong(when, name)
        return when, name
    return When(None), "time"
