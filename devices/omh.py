"""openMHealth and IEEE 1752.1 data points: one, a list of them, or "data_points" in an envelope.

A data point is {"header", "body"}, or a body alone. What it measures is told by the names in its body, which no
version of a schema has changed; index is its place in the list, the field of a refusal the path within it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import isfinite
from typing import Any, Final

from devices import documents, fields, message, units
from devices.documents import Collector, When
from devices.fields import Wrong
from devices.message import Message

#: Names in a body, as codes of the catalogue.
_MEASURES: Final[Mapping[str, str]] = {
    "systolic_blood_pressure": "systolic",
    "diastolic_blood_pressure": "diastolic",
    "heart_rate": "pulse",
    "oxygen_saturation": "spo2",
    "supplemental_oxygen_flow_rate": "oxygen_flow",
    "body_temperature": "temperature",
    "body_weight": "weight",
    "blood_glucose": "glucose",
    "respiratory_rate": "resp_rate",
    "step_count": "steps",
}
#: Names in a body, as entries of a reading's context.
_CONTEXT: Final[Mapping[str, str]] = {
    "body_posture": "posture",
    "position_during_measurement": "posture",
    "measurement_location": "site",
    "temporal_relationship_to_meal": "meal",
    "temporal_relationship_to_sleep": "sleep",
    "temporal_relationship_to_physical_activity": "activity",
    "specimen_source": "sample",
    "blood_specimen_type": "sample",
}
#: Words for which other formats have other words.
_WORDS: Final[Mapping[str, str]] = {
    "axillary": "armpit",
    "oral": "mouth",
    "rectal": "rectum",
    "tympanic": "tympanum",
    "lying down": "lying",
    "semi-recumbent": "semi_recumbent",
}
#: Specimens in which glucose is not that of blood, nor near it.
_NOT_BLOOD: Final = frozenset({"breath", "lacrimal_fluid", "saliva", "sweat", "tears", "urine"})
#: Statistics that are still on the scale of the measurement; each is a flag.
_STATISTICS: Final = frozenset({"average", "median", "minimum", "maximum"})
_SECONDS: Final[Mapping[str, float]] = {
    "us": 1e-6,
    "ms": 1e-3,
    "sec": 1,
    "min": 60,
    "h": 3600,
    "d": 86_400,
    "wk": 604_800,
}
_LONGEST: Final = timedelta(days=366)
#: Of a day, as clocks change.
_DAY: Final = (timedelta(hours=23), timedelta(hours=25))


def decode(device_id: str, payload: bytes) -> Message:
    """The readings of one message and what was refused of it. Never raises."""
    opened = documents.opened(payload, "data_points")
    if isinstance(opened, Message):
        return opened
    points = [opened.held] if isinstance(opened.held, dict) else opened.held
    if not isinstance(points, list):
        return documents.whole(opened, "schema", "data_points")
    if len(points) > message.READINGS_LIMIT:
        return documents.whole(opened, "too_many_readings", "data_points")
    found = Collector(device_id, opened)
    for index, point in enumerate(points):
        try:
            _point(found, index, point)
        except Wrong as error:
            found.refuse(index, error.refusal.error, error.refusal.field, error.refusal.detail)
    return found.message(may_be_empty=True)


def _point(found: Collector, index: int, point: Any) -> None:
    if not isinstance(point, dict):
        raise Wrong("schema", "data_points")
    body, path = (point["body"], "body.") if "body" in point else (point, "")
    if not isinstance(body, dict):
        raise Wrong("schema", "body")
    measured = [(name, code) for name, code in _MEASURES.items() if body.get(name) is not None]
    if not measured:
        raise Wrong("code_unknown", "body", f"Known are {', '.join(_MEASURES)}.")
    header = point.get("header") if path else None
    reported = _self_reported(header)
    frame = body.get("effective_time_frame")
    when, lasted = _when(frame, path + "effective_time_frame")
    flags = (("self_reported",) if reported else ()) + _statistic(body, path)
    context = _context(body, path)
    for name, code in measured:
        token, unit, unit_sent = _unit_value(body[name], code, path + name)
        found.add(
            index,
            {"value": f"{path}{name}.value", "unit": f"{path}{name}.unit", "taken_at": path + "effective_time_frame"},
            code=code,
            token=token,
            unit=unit,
            unit_sent=unit_sent,
            when=when,
            source_id=_source_id(header),
            set=documents.fingerprint(point) if len(measured) > 1 else None,
            context=context,
            flags=flags + _length(lasted, flags) if code == "steps" else flags,
            method="keyed" if reported else "device",
        )


def _unit_value(given: Any, code: str, path: str) -> tuple[str, str | None, str | None]:
    """The token, the UCUM unit and the unit as sent, of {"value", "unit"}; early step counts are a number alone."""
    if code == "steps" and isinstance(given, fields.Whole):
        return str(given), "{steps}", None
    if not isinstance(given, dict):
        raise Wrong("value_not_number", path)
    try:
        token = fields.token(given.get("value"))
    except Wrong as error:
        raise Wrong(error.refusal.error, path + ".value") from None
    sent = given.get("unit")
    if sent is None:
        return token, None, None
    unit = documents.ucum(code, sent)
    if unit is None:
        known = ", ".join(units.CONVERSIONS[code])
        raise Wrong("unit_unknown", path + ".unit", f"Known for this code: {known}.")
    return token, unit, sent


def _when(frame: Any, path: str) -> tuple[When, timedelta | None]:
    """When it was measured, which of an interval is its end; and how long that was, if it is said."""
    if frame is None:
        return When(None), None
    if not isinstance(frame, dict):
        raise Wrong("taken_at_invalid", path)
    if frame.get("date_time") is not None:
        return _time(frame["date_time"], path + ".date_time"), None
    interval = frame.get("time_interval")
    path += ".time_interval"
    if not isinstance(interval, dict):
        raise Wrong("taken_at_invalid", path)
    if interval.get("date") is not None:
        return _time(interval["date"], path + ".date"), None
    start, end = (
        None if interval.get(name) is None else _time(interval[name], f"{path}.{name}")
        for name in ("start_date_time", "end_date_time")
    )
    lasted = None if interval.get("duration") is None else _duration(interval["duration"], path + ".duration")
    if end is not None:
        if start is not None and start.at is not None and end.at is not None:
            lasted = end.at - start.at
        return end, lasted
    if start is None or start.at is None or start.date_only or lasted is None:
        raise Wrong("taken_at_invalid", path)
    return When(start.at + lasted), lasted


def _time(given: Any, field: str) -> When:
    when = documents.when(given)
    if isinstance(when, str):
        raise Wrong(when, field)
    return when


def _duration(given: Any, path: str) -> timedelta:
    value, unit = (given.get("value"), given.get("unit")) if isinstance(given, dict) else (None, None)
    if not isinstance(value, fields.Whole | fields.Real) or type(unit) is not str or unit not in _SECONDS:
        raise Wrong("taken_at_invalid", path)
    seconds = float(value) * _SECONDS[unit]
    if not (isfinite(seconds) and 0 <= seconds <= _LONGEST.total_seconds()):
        raise Wrong("taken_at_invalid", path)
    return timedelta(seconds=seconds)


def _length(lasted: timedelta | None, flags: tuple[str, ...]) -> tuple[str, ...]:
    """A step count is that of a day, unless it says otherwise."""
    if lasted is None or "average" in flags or _DAY[0] <= lasted <= _DAY[1]:
        return ()
    return ("partial_day",) if lasted < _DAY[0] else ("several_days",)


def _statistic(body: Mapping[str, Any], path: str) -> tuple[str, ...]:
    given = body.get("descriptive_statistic")
    if given is None or (given in ("sum", "count") and "step_count" in body):
        return ()
    if type(given) is not str or given not in _STATISTICS:
        raise Wrong("statistic_unknown", path + "descriptive_statistic")
    return (given,)


def _context(body: Mapping[str, Any], path: str) -> dict[str, str | int | float | bool]:
    said: dict[str, str | int | float | bool] = {}
    for name, key in _CONTEXT.items():
        text = documents.word(body.get(name))
        if text is None:
            continue
        text = _WORDS.get(text, text.replace(" ", "_"))
        if key == "sample" and text in _NOT_BLOOD:
            raise Wrong("code_unknown", path + name, "Glucose is taken of blood and of interstitial fluid.")
        said.setdefault(key, text)
    return said


def _source_id(header: Any) -> str | None:
    for name in ("id", "uuid"):
        given = header.get(name) if isinstance(header, dict) else None
        if type(given) is str and given:
            return documents.label(given)
    return None


def _self_reported(header: Any) -> bool:
    """Told by a person, not measured by a device; openMHealth and IEEE 1752.1 have it in different places."""
    if not isinstance(header, dict):
        return False
    provenance = header.get("acquisition_provenance")
    inner = provenance.get("modality") if isinstance(provenance, dict) else None
    return "self-reported" in (header.get("modality"), inner)
