"""What changes the meaning of an Observation where one would not look for it, and what is no measurement at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.devices.foreign import decoded, errors, nearly, values
from tests.unit.devices.test_fhir import MDC, UCUM, bundle, coded, component, observation, pressure, quantity

LABEL = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def test_test_data_is_no_result_of_anybody() -> None:
    meta = {"security": [{"system": "urn:x", "code": "R"}, LABEL]}
    got = decoded("fhir", bundle(observation(meta=meta), observation(valueQuantity=quantity(61, "/min"))))
    assert (values(got), errors(got)) == ({"pulse": 61}, [("not_a_result", "meta.security", 0)])
    assert errors(decoded("fhir", bundle(observation(), meta=meta))) == [("not_a_result", "meta.security", None)]


def test_what_may_turn_the_meaning_of_an_observation_round_is_not_passed_over() -> None:
    modified = [{"url": "http://example.org/negated", "valueBoolean": True}]
    got = decoded("fhir", observation(modifierExtension=modified))
    assert (got.readings, errors(got)) == ((), [("resource_unknown", "modifierExtension", 0)])
    parts = pressure()["component"]
    parts[1] |= {"modifierExtension": modified}
    got = decoded("fhir", pressure(component=parts))
    assert values(got) == {"systolic": 116, "mean_arterial": 86}
    assert errors(got) == [("resource_unknown", "component[1].modifierExtension", 0)]


def test_an_observation_inside_another_resource_is_not_lost_in_silence() -> None:
    inner = observation(code=coded("59408-5"), valueQuantity=quantity(84, "%"))
    report = {"resourceType": "DiagnosticReport", "contained": [{"resourceType": "Patient"}, inner]}
    got = decoded("fhir", bundle(observation(), report))
    assert values(got) == {"pulse": 72}
    assert errors(got) == [("resource_unknown", "contained[1].resourceType", 1)]
    clock = observation(code=coded("67975", system=MDC), valueQuantity=None)
    assert decoded("fhir", observation(contained=[clock])).refusals == ()
    assert errors(decoded("fhir", observation(contained=[inner]))) == [
        ("resource_unknown", "contained[0].resourceType", 0)
    ]


@pytest.mark.parametrize("code", ["67914", "67975", "67983", "68226", "67892"])
def test_components_of_a_device_about_itself_are_no_measurements(code: str) -> None:
    """Accuracy, time stamps and limits, as HL7 PHD has them beside the value."""
    about = component(coded(code, system=MDC), valueQuantity={"value": 2, "system": UCUM, "code": "%"})
    got = decoded("fhir", observation(component=[about]))
    assert (values(got), got.refusals) == ({"pulse": 72}, ())


@pytest.mark.parametrize(
    ("extension", "absent", "error"),
    [
        ([{"url": ABSENT, "valueCode": "not-a-number"}], "not-a-number", None),
        ([{"url": "urn:x"}, {"url": ABSENT, "valueCode": "error"}], "error", None),
        ([{"url": ABSENT, "valueCode": "lost"}], None, ("absent_unknown", "dataAbsentReason.coding", 0)),
        ([{"url": "urn:x", "valueCode": "error"}], None, ("value_missing", "valueQuantity.value", 0)),
        ("error", None, ("value_missing", "valueQuantity.value", 0)),
    ],
)
def test_a_reason_in_the_place_of_the_number(extension: Any, absent: str | None, error: Any) -> None:
    without = {"_value": {"extension": extension}, "system": UCUM, "code": "/min"}
    got = decoded("fhir", observation(valueQuantity=without))
    assert [(one.value, one.absent, one.unit) for one in got.readings] == ([(None, absent, "/min")] if absent else [])
    assert errors(got) == ([error] if error else [])


# What a device says of its measurement in an Observation of its own


def status(code: str, *bits: int, clear: tuple[int, ...] = (), **fields: Any) -> dict[str, Any]:
    """An Observation of bits as HL7 PHD has it."""
    said = [(bit, "Y") for bit in bits] + [(bit, "N") for bit in clear]
    parts = [
        component(
            coded(f"{code}.{bit}", system="http://hl7.org/fhir/uv/phd/CodeSystem/ASN1ToHL7"),
            valueCodeableConcept=coded(answer, system="http://terminology.hl7.org/CodeSystem/v2-0136"),
        )
        for bit, answer in said
    ]
    return observation(**({"code": coded(code, system=MDC), "valueQuantity": None, "component": parts} | fields))


def test_the_status_of_a_cuff_is_flags_of_the_pressure_it_names() -> None:
    bits = status("8410608", 0, 5, 9, clear=(1,), derivedFrom=[{"reference": "Observation/bp-1"}])
    for held in ([pressure(id="bp-1"), observation(id="hr"), bits], [bits, pressure(id="bp-1"), observation(id="hr")]):
        got = decoded("fhir", bundle(*held))
        assert got.refusals == ()
        assert {one.code: one.flags for one in got.readings} == {
            **dict.fromkeys(("systolic", "diastolic", "mean_arterial"), ("motion", "position")),
            "pulse": (),
        }
    (named,) = [{"reference": "urn:uuid:0"}]
    got = decoded("fhir", bundle(pressure(), status("8410608", 1, derivedFrom=[named])))
    assert {one.flags for one in got.readings} == {("cuff_loose",)}


def test_a_status_that_names_nothing_is_of_its_kind_and_moment() -> None:
    spo2 = observation(code=coded("59408-5"), valueQuantity=quantity(93, "%"))
    late = observation(code=coded("59408-5"), valueQuantity=quantity(94, "%"), effectiveDateTime="2026-03-02T12:00:00Z")
    weight = observation(code=coded("29463-7"), valueQuantity=quantity(70, "kg"))
    got = decoded("fhir", bundle(spo2, late, weight, status("150604", 10, 2, clear=(4,))))
    assert [one.flags for one in got.readings] == [("low_perfusion", "sensor_displaced"), (), ()]
    every = decoded("fhir", bundle(spo2, status("150604", *range(20))))
    assert len(every.readings[0].flags) == 14


def test_a_status_without_its_measurement_is_refused() -> None:
    elsewhere = status("8417752", 9, derivedFrom=[{"reference": "Observation/elsewhere"}])
    assert errors(decoded("fhir", elsewhere)) == [("nothing_measured", "derivedFrom", 0)]
    got = decoded("fhir", bundle(observation(), elsewhere))
    assert (values(got), errors(got)) == ({"pulse": 72}, [("nothing_measured", "derivedFrom", 1)])


@given(
    st.lists(nearly(status("8410608", 0, derivedFrom=[{"reference": "Observation/a"}]), pressure(id="a")), max_size=3)
)
def test_whatever_a_status_is_it_stops_nothing(held: list[Any]) -> None:
    decoded("fhir", bundle(*held))
