from __future__ import annotations

import json
from typing import Any

import pytest

from devices import adapter, formats, status
from devices.errors import MEANINGS, Refusal
from devices.message import PAYLOAD_LIMIT
from tests.unit.devices.payloads import MISSING, decode, envelope, reading


def _reading(**fields: Any) -> bytes:
    return json.dumps(envelope(reading(**fields))).encode()


def _envelope(**fields: Any) -> bytes:
    return json.dumps(envelope(**fields)).encode()


SHORT = {"code": "fall", "value": True, "taken_at": "2026-11-21T10:00:01Z"}

#: One payload for each error.
PAYLOADS = {
    "payload_too_large": b" " * (PAYLOAD_LIMIT + 1),
    "not_utf8": b"\xff",
    "not_json": b"{",
    "schema": b"[]",
    "too_many_readings": _envelope(readings=[SHORT] * 1001),
    "stream_invalid": _envelope(stream=""),
    "seq_invalid": _envelope(seq=0),
    "oldest_invalid": _envelope(oldest=8),
    "id_invalid": _envelope(stream=MISSING, seq=MISSING, id=1),
    "sent_at_invalid": _envelope(sent_at=1),
    "code_missing": _reading(code=None),
    "code_unknown": _reading(code="mood"),
    "taken_at_missing": _reading(taken_at=None),
    "taken_at_invalid": _reading(taken_at="soon"),
    "taken_at_no_offset": _reading(taken_at="2026-11-21T10:00:01"),
    "taken_at_out_of_range": _reading(taken_at="1066-10-14T09:00:00Z"),
    "value_missing": _reading(value=None),
    "value_not_number": _reading(value="98"),
    "value_not_finite": _reading(value=float("nan")),
    "value_not_boolean": json.dumps(envelope({**SHORT, "value": 1})).encode(),
    "value_not_code": json.dumps(envelope({**SHORT, "code": "consciousness", "value": "X"})).encode(),
    "value_impossible": _reading(value=0.96),
    "unit_missing": _reading(unit=MISSING),
    "unit_unknown": _reading(unit="furlong"),
    "absent_unknown": _reading(value=None, absent="lazy"),
    "absent_with_value": _reading(absent="error"),
    "source_id_invalid": _reading(source_id=""),
    "subject_invalid": _reading(subject=""),
    "set_invalid": _reading(set=""),
    "context_invalid": _reading(context=""),
    "flags_invalid": _reading(flags=""),
    "method_unknown": _reading(method=""),
}


def _frame(characteristic: str, hex: str, **fields: Any) -> tuple[str, bytes]:
    return "gatt", json.dumps({"frames": [{"characteristic": characteristic, "hex": hex}], **fields}).encode()


def _coded(*loinc: str) -> Any:
    return {"coding": [{"system": "http://loinc.org", "code": code} for code in loinc]}


def _observation(**fields: Any) -> bytes:
    whole = {"resourceType": "Observation", "code": _coded("8867-4"), "valueQuantity": {"value": 72, "code": "/min"}}
    return json.dumps(whole | fields).encode()


def _bundle(*resources: Any) -> bytes:
    return json.dumps({"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}).encode()


#: One payload for each error that native messages cannot have, with its format.
OTHERS = {
    "not_cbor": ("cbor", b"\xff"),
    "too_many_frames": ("gatt", json.dumps({"frames": [0] * 1001}).encode()),
    "zone_invalid": _frame("2A37", "0048", zone="Mars/Base 1"),
    "characteristic_unknown": _frame("2A00", "00"),
    "hex_invalid": _frame("2A37", "0"),
    "frame_too_long": _frame("2A37", "00" * 513),
    "frame_too_short": _frame("2A37", "00"),
    "control_solution": _frame("2A18", "020100e40705150a1e2d00b01a"),
    "context_alone": _frame("2A34", "02010001"),
    "nothing_measured": ("fhir", b'{"resourceType":"Bundle","entry":[]}'),
    "resource_unknown": ("fhir", _bundle({"resourceType": "Condition"})),
    "code_ambiguous": ("fhir", _observation(code=_coded("8867-4", "9279-1"))),
    "not_a_result": ("fhir", _observation(status="entered-in-error")),
    "not_a_person": ("theengs", b'{"model_id":"LYWSD03MMC","type":"THB","tempc":36.6}'),
    "subject_unclear": ("fhir", _observation(subject={"reference": "Location/lounge"})),
    "comparator_unknown": ("fhir", _observation(valueQuantity={"value": 72, "code": "/min", "comparator": "~"})),
    "statistic_unknown": (
        "omh",
        b'{"heart_rate":{"value":9,"unit":"beats/min"},"descriptive_statistic":"standard deviation"}',
    ),
}
STATUSES = {
    "online_invalid": b"{}",
    "battery_invalid": b'{"online":true,"battery":2}',
    "firmware_invalid": b'{"online":true,"firmware":""}',
}


@pytest.mark.parametrize("error", PAYLOADS)
def test_every_error_of_messages_is_given(error: str) -> None:
    (got,) = decode(PAYLOADS[error]).refusals
    assert got.error == error
    assert got.detail


def test_every_documented_error_is_given_by_something() -> None:
    for error, payload in STATUSES.items():
        got = status.decode(payload)
        assert isinstance(got, Refusal)
        assert got.error == error
    assert formats.decode("nothing", "d1", b"{}").refusals[0].error == "format_unknown"
    assert adapter.guarded(lambda device_id, payload: None)("d1", b"{}").refusals[0].error == "adapter_failed"
    assert {*PAYLOADS, *OTHERS, *STATUSES, "format_unknown", "adapter_failed"} == MEANINGS.keys()


@pytest.mark.parametrize("error", OTHERS)
def test_every_error_of_other_formats_is_given(error: str) -> None:
    (got,) = formats.decode(OTHERS[error][0], "d1", OTHERS[error][1]).refusals
    assert got.error == error
    assert got.detail


@pytest.mark.parametrize(
    "field",
    ["code", "value", "unit", "taken_at", "source_id", "subject", "set", "context", "flags", "method", "absent"],
)
def test_a_refusal_never_repeats_what_was_sent(field: str) -> None:
    secret = "Zq9\x01" + "w" * 70
    for one in decode(envelope(reading(**{field: secret}))).refusals:
        assert "Zq9" not in f"{one.error} {one.field} {one.detail}"
