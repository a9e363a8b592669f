from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import message
from tests.unit.devices.foreign import JSON, decoded, errors, nearly, values

AT = "2020-02-05T07:25:00-08:00"
TAKEN = datetime(2020, 2, 5, 15, 25, tzinfo=UTC)


def body(**fields: Any) -> dict[str, Any]:
    """A heart rate of 55, with fields replaced or (None) left out."""
    whole = {"heart_rate": {"value": 55, "unit": "beats/min"}, "effective_time_frame": {"date_time": AT}} | fields
    return {name: value for name, value in whole.items() if value is not None}


def only(**fields: Any) -> dict[str, Any]:
    return body(**({"heart_rate": None} | fields))


def point(measured: dict[str, Any], **header: Any) -> dict[str, Any]:
    whole = {
        "id": "123e4567-e89b-12d3-a456-426655440000",
        "creation_date_time": "2020-02-05T15:26:00Z",
        "schema_id": {"namespace": "omh", "name": "heart-rate", "version": "2.0"},
        "acquisition_provenance": {"source_name": "RunKeeper", "modality": "sensed"},
    }
    return {"header": whole | header, "body": measured}


def interval(**fields: Any) -> dict[str, Any]:
    return {"effective_time_frame": {"time_interval": fields}}


def test_a_data_point() -> None:
    got = decoded("omh", point(body()))
    (one,) = got.readings
    assert (one.code, one.value, one.unit, message.unit_token(one)) == ("pulse", 55, "/min", "beats/min")
    assert (one.taken_at, one.source_id, one.method) == (TAKEN, "123e4567-e89b-12d3-a456-426655440000", "device")
    assert (got.refusals, got.id) == ((), got.digest)


@pytest.mark.parametrize(
    ("name", "given_value", "unit", "expected"),
    [
        ("heart_rate", "50.5", "beats/min", {"pulse": 50.5}),
        ("oxygen_saturation", "95", "%", {"spo2": 95}),
        ("body_temperature", "96.8", "F", {"temperature": 36}),
        ("body_temperature", "36.60", "C", {"temperature": 36.6}),
        ("body_temperature", "310.15", "K", {"temperature": 37}),
        ("body_weight", "50", "kg", {"weight": 50}),
        ("body_weight", "50000", "g", {"weight": 50}),
        ("body_weight", "100", "lb", {"weight": 45.359237}),
        ("blood_glucose", "90.078", "mg/dL", {"glucose": 5}),
        ("blood_glucose", "5.5", "mmol/L", {"glucose": 5.5}),
        ("respiratory_rate", "12.5", "breaths/min", {"resp_rate": 12.5}),
        ("step_count", "6000", "steps", {"steps": 6000}),
    ],
)
def test_measures_and_units(name: str, given_value: str, unit: str, expected: dict[str, float]) -> None:
    content = json.dumps(only(**{name: {"value": "@", "unit": unit}})).replace('"@"', given_value)
    for whole in (content, f"[{content}]", f'{{"body": {content}}}'):
        got = decoded("omh", whole)
        assert (values(got), got.refusals) == (expected, ())
        assert message.value_token(got.readings[0]) == given_value
        assert message.unit_token(got.readings[0]) == unit


def test_a_blood_pressure_with_where_and_how() -> None:
    given_body = only(
        systolic_blood_pressure={"value": 125, "unit": "mmHg"},
        diastolic_blood_pressure={"value": 60, "unit": "mmHg"},
        body_posture="sitting",
        measurement_location="left wrist",
        temporal_relationship_to_physical_activity="at rest",
    )
    systolic, diastolic = decoded("omh", given_body).readings
    assert (systolic.code, systolic.value, diastolic.code, diastolic.value) == ("systolic", 125, "diastolic", 60)
    assert systolic.context == {"posture": "sitting", "site": "left_wrist", "activity": "at_rest"}
    assert systolic.set == diastolic.set is not None


def test_oxygen_and_glucose_with_what_belongs_to_them() -> None:
    flow = {"value": 2.5, "unit": "L/min"}
    with_oxygen = only(
        oxygen_saturation={"value": 95, "unit": "%"},
        supplemental_oxygen_flow_rate=flow,
        oxygen_therapy_mode_of_administration="nasal cannula",
        system="peripheral capillary",
        measurement_method="pulse oximetry",
    )
    assert values(decoded("omh", with_oxygen)) == {"spo2": 95, "oxygen_flow": 2.5}
    sugar = only(
        blood_glucose={"value": 95, "unit": "mg/dL"},
        specimen_source="capillary blood",
        temporal_relationship_to_meal="fasting",
        temporal_relationship_to_sleep="on waking",
    )
    (one,) = decoded("omh", sugar).readings
    assert one.context == {"meal": "fasting", "sleep": "on_waking", "sample": "capillary_blood"}
    assert one.value == pytest.approx(950 / 180.156, rel=1e-15)
    assert errors(decoded("omh", sugar | {"specimen_source": "urine"})) == [("code_unknown", "specimen_source", 0)]


@pytest.mark.parametrize(
    ("frame", "taken_at"),
    [
        (interval(start_date_time="2020-02-05T15:00:00Z", end_date_time=AT), TAKEN),
        (interval(start_date_time="2020-02-05T15:24:30Z", duration={"value": 30, "unit": "sec"}), TAKEN),
        (interval(end_date_time=AT, duration={"value": 1, "unit": "d"}), TAKEN),
        ({"effective_time_frame": None}, None),
    ],
)
def test_an_interval_counts_when_it_ended(frame: dict[str, Any], taken_at: datetime | None) -> None:
    (one,) = decoded("omh", body(**frame)).readings
    assert one.taken_at == taken_at


def test_a_part_of_a_day_is_held_for_a_person() -> None:
    (one,) = decoded("omh", body(**interval(date="2020-02-05", part_of_day="morning"))).readings
    assert (one.time_source, one.flags) == ("unknown", ("date_only",))


@pytest.mark.parametrize(
    ("given_body", "flags"),
    [
        (only(step_count=6000, **interval(start_date_time="2020-02-05T14:25:00Z", end_date_time=AT)), ("partial_day",)),
        (only(step_count=6000, **interval(end_date_time=AT, duration={"value": 1, "unit": "d"})), ()),
        (only(step_count=60000, **interval(end_date_time=AT, duration={"value": 1, "unit": "wk"})), ("several_days",)),
        (
            only(
                step_count={"value": 12500, "unit": "steps"},
                **interval(start_date_time="2020-01-05T15:25:00Z", end_date_time=AT),
                descriptive_statistic="average",
                descriptive_statistic_denominator="d",
            ),
            ("average",),
        ),
    ],
)
def test_steps_say_what_they_are_of(given_body: dict[str, Any], flags: tuple[str, ...]) -> None:
    (one,) = decoded("omh", given_body).readings
    assert (one.code, one.flags) == ("steps", flags)


def test_what_is_no_single_measurement_is_flagged() -> None:
    (one,) = decoded("omh", body(descriptive_statistic="minimum")).readings
    assert one.flags == ("minimum",)
    reported = {"acquisition_provenance": {"source_name": "x", "modality": "self-reported"}}
    (one,) = decoded("omh", point(body(), **reported)).readings
    assert (one.flags, one.method) == (("self_reported",), "keyed")
    (one,) = decoded("omh", point(body(), id=None, uuid="u1", modality="self-reported")).readings
    assert (one.flags, one.source_id) == (("self_reported",), "u1")


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"heart_rate": {"value": 55, "unit": "bps"}}, "unit_unknown", "body.heart_rate.unit"),
        ({"heart_rate": {"value": 55}}, "unit_missing", "body.heart_rate.unit"),
        ({"heart_rate": {"unit": "beats/min"}}, "value_missing", "body.heart_rate.value"),
        ({"heart_rate": {"value": "55", "unit": "beats/min"}}, "value_not_number", "body.heart_rate.value"),
        ({"heart_rate": {"value": 5, "unit": "beats/min"}}, "value_impossible", "body.heart_rate.value"),
        ({"heart_rate": {"value": float("nan"), "unit": "beats/min"}}, "value_not_finite", "body.heart_rate.value"),
        ({"heart_rate": 55}, "value_not_number", "body.heart_rate"),
        ({"heart_rate": None}, "code_unknown", "body"),
        ({"heart_rate": None, "body_height": {"value": 180, "unit": "cm"}}, "code_unknown", "body"),
        ({"descriptive_statistic": "variance"}, "statistic_unknown", "body.descriptive_statistic"),
        ({"effective_time_frame": "now"}, "taken_at_invalid", "body.effective_time_frame"),
        (
            {"effective_time_frame": {"date_time": "2020-02-05T07:25:00"}},
            "taken_at_no_offset",
            "body.effective_time_frame.date_time",
        ),
        (interval(start_date_time=AT), "taken_at_invalid", "body.effective_time_frame.time_interval"),
        (
            interval(start_date_time=AT, duration={"value": 1, "unit": "Mo"}),
            "taken_at_invalid",
            "body.effective_time_frame.time_interval.duration",
        ),
    ],
)
def test_refusals_name_the_field(fields: dict[str, Any], error: str, field: str) -> None:
    got = decoded("omh", [point(body()), point(body(**fields)), point(body())])
    assert errors(got) == [(error, field, 1)]
    assert [one.index for one in got.readings] == [0, 2]


def test_lists_and_envelopes() -> None:
    got = decoded("omh", {"stream": "s1", "seq": 9, "data_points": [point(body()), body()]})
    assert (got.stream, got.seq, len(got.readings)) == ("s1", 9, 2)
    assert errors(decoded("omh", [body(), 3, {"body": []}])) == [("schema", "data_points", 1), ("schema", "body", 2)]
    assert decoded("omh", []).refusals == ()
    assert errors(decoded("omh", [{}] * 1001)) == [("too_many_readings", "data_points", None)]
    assert errors(decoded("omh", b'"x"')) == [("schema", "data_points", None)]
    again = decoded("omh", [body(), point(body())]).readings[1]
    assert again.identity == decoded("omh", point(body())).readings[0].identity


@given(
    st.sampled_from([("heart_rate", "beats/min"), ("body_weight", "kg"), ("blood_glucose", "mmol/L")]),
    st.decimals(12, 60, places=3),
)
def test_what_was_put_in_comes_out(measure: tuple[str, str], value: Decimal) -> None:
    name, unit = measure
    content = json.dumps(point(only(**{name: {"value": "@", "unit": unit}}))).replace('"@"', str(value))
    (one,) = decoded("omh", content).readings
    assert (one.value, message.value_token(one), message.unit_token(one)) == (float(value), str(value), unit)


@given(JSON)
def test_decode_never_raises_on_json(content: Any) -> None:
    decoded("omh", content)


@given(
    nearly(
        point(body()),
        [
            point(
                only(
                    step_count={"value": 5, "unit": "steps"},
                    **interval(end_date_time=AT, duration={"value": 1, "unit": "h"}),
                )
            )
        ],
        {"id": "m", "data_points": [body(descriptive_statistic="average", specimen_source="urine")]},
    )
)
def test_decode_never_raises_on_what_is_nearly_valid(content: Any) -> None:
    decoded("omh", content)
