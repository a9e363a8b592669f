"""Measurements that Tenovi's gateways post: a list, one object, or "measurements" in an envelope.

The webhook has no units: those here are the ones that Tenovi documents for each metric. value_2 is the diastolic
pressure; of other metrics it is a spread or 0 and is left out. Each measurement names the unit that it is from, so
the device that posts them can serve many residents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from devices import documents, fields, message
from devices.documents import Collector
from devices.fields import Wrong
from devices.message import Message


class _Metric(NamedTuple):
    """(field, code, UCUM unit) of each of its values."""

    values: tuple[tuple[str, str, str], ...]
    flags: tuple[str, ...] = ()


def _one(code: str, unit: str, *flags: str) -> _Metric:
    return _Metric((("value_1", code, unit),), flags)


_METRICS: Final[Mapping[str, _Metric]] = {
    "blood_pressure": _Metric((("value_1", "systolic", "mm[Hg]"), ("value_2", "diastolic", "mm[Hg]"))),
    "pulse": _one("pulse", "/min"),
    "spO2": _one("spo2", "%"),
    "temperature": _one("temperature", "[degF]"),
    "weight": _one("weight", "[lb_av]"),
    "glucose": _one("glucose", "mg/dL"),
    "blood_glucose": _one("glucose", "mg/dL"),
    "peak_expiratory_flow": _one("peak_flow", "L/min"),
    "forced_expiratory_volume": _one("fev1", "L"),
}
#: Metrics that are no measurement of ours: no reason to refuse anything.
_IGNORED: Final = frozenset(
    {
        "battery_percentage",
        "perfusion_index",
        "irregular_heartbeat",
        "sleep",
        "heart_rate_statistics",
        "pillbox_refill_initiated",
        "pillbox_refilled",
        "pillbox_opened",
    }
)


def decode(device_id: str, payload: bytes) -> Message:
    """The readings of one message and what was refused of it. Never raises."""
    opened = documents.opened(payload, "measurements")
    if isinstance(opened, Message):
        return opened
    measurements = [opened.held] if isinstance(opened.held, dict) else opened.held
    if not isinstance(measurements, list):
        return documents.whole(opened, "schema", "measurements")
    if len(measurements) > message.READINGS_LIMIT:
        return documents.whole(opened, "too_many_readings", "measurements")
    found = Collector(device_id, opened)
    for index, one in enumerate(measurements):
        try:
            _measurement(found, index, one)
        except Wrong as error:
            found.refuse(index, error.refusal.error, error.refusal.field, error.refusal.detail)
    return found.message(may_be_empty=True)


def _measurement(found: Collector, index: int, one: Any) -> None:
    if not isinstance(one, dict):
        raise Wrong("schema", "measurements")
    name = one.get("metric")
    if type(name) is not str:
        raise Wrong("code_missing", "metric")
    metric = _METRICS.get(name)
    if metric is None:
        if name in _IGNORED:
            return
        raise Wrong("code_unknown", "metric", f"Known are {', '.join(_METRICS)}.")
    if one.get("timestamp") is None:
        raise Wrong("taken_at_missing", "timestamp")
    when = documents.when(one["timestamp"])
    if isinstance(when, str):
        raise Wrong(when, "timestamp")
    if when.date_only:
        raise Wrong("taken_at_invalid", "timestamp")
    subject = _subject(one, found.around.subject)
    for field, code, unit in metric.values:
        try:
            token = documents.number(one.get(field))
        except Wrong as error:
            found.refuse(index, error.refusal.error, field)
            continue
        found.add(
            index,
            {"value": field, "unit": field, "taken_at": "timestamp"},
            code=code,
            token=token,
            unit=unit,
            when=when,
            source_id=_source_id(one),
            subject=subject,
            # Its other values come as measurements of their own, of the same moment.
            set=documents.fingerprint([subject, one["timestamp"]]),
            context=_context(one),
            flags=(*metric.flags, "time_estimated") if one.get("estimated_timestamp") is True else metric.flags,
        )


def _subject(one: Mapping[str, Any], otherwise: str | None) -> str:
    for name in ("hwi_device_id", "patient_id"):
        given = one.get(name)
        if given is not None and given != "":
            text = documents.word(str(given) if isinstance(given, fields.Whole) else given)
            if text is None:
                raise Wrong("subject_invalid", name)
            return text
    if otherwise is None:
        # Else it would be of whoever has the device that posts for all.
        raise Wrong("subject_invalid", "hwi_device_id")
    return otherwise


def _source_id(one: Mapping[str, Any]) -> str | None:
    """The unit's own count of its measurements, where it has one."""
    parameters = one.get("filter_params")
    count = parameters.get("measurement_index") if isinstance(parameters, dict) else None
    return documents.label(str(count)) if isinstance(count, fields.Whole) or (type(count) is str and count) else None


def _context(one: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    named = (("sensor", "hardware_uuid"), ("sensor_code", "sensor_code"), ("model", "device_name"))
    said = ((key, documents.word(one.get(field))) for key, field in named)
    return {key: text for key, text in said if text is not None}
