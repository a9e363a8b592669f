from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import message
from tests.unit.devices.foreign import JSON, decoded, errors, nearly, values

TAKEN = datetime(2025, 1, 16, 17, 34, tzinfo=UTC)


def measurement(**fields: Any) -> dict[str, Any]:
    """A pulse of 100 as the webhook has it, with fields replaced or (None) null."""
    return {
        "metric": "pulse",
        "device_name": "Tenovi BPM",
        "hwi_device_id": "12345678-abcd-1234-abcd-1234567890ab",
        "patient_id": "54321",
        "hardware_uuid": "1234ABCD5678",
        "sensor_code": "10",
        "value_1": "100.00",
        "value_2": "0.00",
        "created": "2025-01-16T17:34:47.025219Z",
        "timestamp": "2025-01-16T17:34:00.000000Z",
        "timezone_offset": -5,
        "estimated_timestamp": False,
        "filter_params": None,
    } | fields


def test_a_webhook() -> None:
    pressure = measurement(metric="blood_pressure", value_1="120.00", value_2="80.00")
    got = decoded("tenovi", [pressure, measurement()])
    assert values(got) == {"systolic": 120, "diastolic": 80, "pulse": 100}
    assert (got.refusals, got.id) == ((), got.digest)
    for one in got.readings:
        assert (one.taken_at, one.subject, one.flags) == (TAKEN, "12345678-abcd-1234-abcd-1234567890ab", ())
        assert one.context == {"sensor": "1234ABCD5678", "sensor_code": "10", "model": "Tenovi BPM"}
    assert len({one.set for one in got.readings}) == 1
    assert message.value_token(got.readings[0]) == "120.00"


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("spO2", "97.00", ("spo2", 97, "%")),
        ("spO2", 97, ("spo2", 97, "%")),
        ("temperature", "98.6", ("temperature", 37, "Cel")),
        ("weight", "100", ("weight", 45.359237, "kg")),
        ("glucose", 90.078, ("glucose", 5, "mmol/L")),
        ("blood_glucose", "90.078", ("glucose", 5, "mmol/L")),
        ("peak_expiratory_flow", "410.00", ("peak_flow", 410, "L/min")),
        ("forced_expiratory_volume", "2.31", ("fev1", 2.31, "L")),
    ],
)
def test_metrics(metric: str, value: Any, expected: tuple[str, float, str]) -> None:
    (one,) = decoded("tenovi", measurement(metric=metric, value_1=value, value_2="1.5")).readings
    assert (one.code, one.value, one.unit) == expected


def test_an_estimated_time_is_flagged() -> None:
    (one,) = decoded("tenovi", [measurement(estimated_timestamp=True)]).readings
    assert one.flags == ("time_estimated",)


def test_the_units_of_a_kit_are_told_apart() -> None:
    first, second = decoded("tenovi", [measurement(hwi_device_id="a"), measurement(hwi_device_id="b")]).readings
    assert (first.subject, second.subject) == ("a", "b")
    assert first.identity != second.identity
    (one,) = decoded("tenovi", [measurement(hwi_device_id=None)]).readings
    assert one.subject == "54321"


def test_the_same_measurement_in_another_post_is_the_same_reading() -> None:
    counted = measurement(filter_params={"measurement_index": 587})
    (one,) = decoded("tenovi", [counted]).readings
    again = decoded("tenovi", [measurement(), counted]).readings[1]
    assert (one.identity, one.source_id) == (again.identity, "587")


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"metric": None}, "code_missing", "metric"),
        ({"metric": "mood"}, "code_unknown", "metric"),
        ({"value_1": None}, "value_missing", "value_1"),
        ({"value_1": "1OO"}, "value_not_number", "value_1"),
        ({"value_1": True}, "value_not_number", "value_1"),
        ({"value_1": float("inf")}, "value_not_finite", "value_1"),
        ({"value_1": "0.00"}, "value_impossible", "value_1"),
        ({"timestamp": None}, "taken_at_missing", "timestamp"),
        ({"timestamp": "2025-01-16T17:34:00"}, "taken_at_no_offset", "timestamp"),
        ({"timestamp": "2025-01-16"}, "taken_at_invalid", "timestamp"),
        ({"hwi_device_id": None, "patient_id": None}, "subject_invalid", "hwi_device_id"),
        ({"hwi_device_id": "x" * 65}, "subject_invalid", "hwi_device_id"),
    ],
)
def test_refusals_name_the_field(fields: dict[str, Any], error: str, field: str) -> None:
    got = decoded("tenovi", [measurement(), measurement(**fields)])
    assert errors(got) == [(error, field, 1)]
    assert len(got.readings) == 1


def test_what_is_no_measurement_of_ours_is_let_pass() -> None:
    got = decoded("tenovi", [measurement(metric="battery_percentage"), measurement(metric="pillbox_opened")])
    assert (got.readings, got.refusals) == ((), ())


def test_envelopes_and_lists() -> None:
    got = decoded("tenovi", {"stream": "s", "seq": 3, "measurements": [measurement()]})
    assert (got.seq, values(got)) == (3, {"pulse": 100})
    assert errors(decoded("tenovi", [3])) == [("schema", "measurements", 0)]
    assert errors(decoded("tenovi", b"3")) == [("schema", "measurements", None)]
    assert errors(decoded("tenovi", [{}] * 1001)) == [("too_many_readings", "measurements", None)]


@given(st.decimals(10, 350, places=2), st.booleans())
def test_what_was_put_in_comes_out(value: Decimal, quoted: bool) -> None:
    (one,) = decoded("tenovi", [measurement(value_1=str(value) if quoted else float(value))]).readings
    assert one.value == float(value)


@given(JSON)
def test_decode_never_raises_on_json(content: Any) -> None:
    decoded("tenovi", content)


@given(nearly([measurement(), measurement(metric="blood_pressure", filter_params={"measurement_index": 1})]))
def test_decode_never_raises_on_what_is_nearly_valid(content: Any) -> None:
    decoded("tenovi", content)
