from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import catalogue, fhir_terms, message
from tests.unit.devices.foreign import JSON, decoded, errors, nearly, values

AT = "2026-03-02T11:59:00.250+01:00"
TAKEN = datetime(2026, 3, 2, 10, 59, 0, 250_000, tzinfo=UTC)
UCUM = "http://unitsofmeasure.org"
MDC = "urn:iso:std:iso:11073:10101"
SNOMED = "http://snomed.info/sct"


def coded(*codes: str, system: str = "http://loinc.org") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} for code in codes]}


def quantity(value: Any, code: str, **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": "words", "system": UCUM, "code": code, **more}


def observation(**fields: Any) -> dict[str, Any]:
    """A heart rate of 72 as the vital signs profile has it, with fields replaced or (None) left out."""
    whole = {
        "resourceType": "Observation",
        "id": "heart-rate",
        "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/vitalsigns"]},
        "status": "final",
        "category": [coded("vital-signs", system="http://terminology.hl7.org/CodeSystem/observation-category")],
        "code": coded("8867-4") | {"text": "Heart rate"},
        "subject": {"reference": "Patient/example"},
        "effectiveDateTime": AT,
        "valueQuantity": quantity(72, "/min"),
    }
    return {name: value for name, value in (whole | fields).items() if value is not None}


def component(code: dict[str, Any], **value: Any) -> dict[str, Any]:
    return {"code": code, **value}


def pressure(**fields: Any) -> dict[str, Any]:
    parts = [
        component(coded("8480-6"), valueQuantity=quantity(116, "mm[Hg]")),
        component(coded("150022", system=MDC), valueQuantity=quantity(71, "mm[Hg]")),
        component(coded("150023", system=MDC), valueQuantity=quantity(86, "mm[Hg]")),
    ]
    code = {"coding": [{"system": MDC, "code": "150020"}, {"system": "http://loinc.org", "code": "85354-9"}]}
    return observation(**({"code": code, "component": parts, "valueQuantity": None} | fields))


def bundle(*resources: Any, type: str = "transaction", **fields: Any) -> dict[str, Any]:
    entry = [{"fullUrl": f"urn:uuid:{n}", "resource": one} for n, one in enumerate(resources)]
    return {"resourceType": "Bundle", "type": type, "entry": entry, **fields}


def test_a_vital_sign() -> None:
    got = decoded("fhir", observation())
    (one,) = got.readings
    assert (one.code, one.value, one.unit, one.taken_at, one.subject) == ("pulse", 72, "/min", TAKEN, None)
    assert (got.refusals, got.seq, got.id) == ((), None, got.digest)


@pytest.mark.parametrize(
    ("system", "code", "value", "unit", "expected"),
    [
        ("http://loinc.org", "59408-5", "97.0", "%", ("spo2", 97)),
        ("http://loinc.org", "2708-6", "0.97", "1", ("spo2", 97)),
        ("http://loinc.org", "9279-1", "26", "/min", ("resp_rate", 26)),
        ("http://loinc.org", "9279-1", "26", "{breaths}/min", ("resp_rate", 26)),
        ("http://loinc.org", "8310-5", "36.50", "Cel", ("temperature", 36.5)),
        ("http://loinc.org", "8331-1", "98.6", "[degF]", ("temperature", 37)),
        ("http://loinc.org", "29463-7", "185", "[lb_av]", ("weight", 83.91458845)),
        ("http://loinc.org", "3141-9", "6.35e1", "kg", ("weight", 63.5)),
        ("http://loinc.org", "2339-0", "90.078", "mg/dL", ("glucose", 5)),
        ("http://loinc.org", "15074-8", "6.3", "mmol/L", ("glucose", 6.3)),
        ("http://loinc.org", "14743-9", "6.3", "mmol/l", ("glucose", 6.3)),
        ("http://loinc.org", "41653-7", "90.078", "mg/dl", ("glucose", 5)),
        ("http://loinc.org", "40443-4", "61", "{beats}/min", ("resting_pulse", 61)),
        ("http://loinc.org", "33452-4", "7.5", "L/s", ("peak_flow", 450)),
        ("http://loinc.org", "20150-9", "2.31", "L", ("fev1", 2.31)),
        ("http://loinc.org", "41950-7", "6512", "{steps}", ("steps", 6512)),
        ("http://loinc.org", "3151-8", "2", "L/min", ("oxygen_flow", 2)),
        ("http://loinc.org", "72514-3", "7", "{score}", ("pain", 7)),
        ("http://loinc.org", "72514-3", "7", "1", ("pain", 7)),
        (MDC, "150456", "79.0", "%", ("spo2", 79)),
        (MDC, "149530", "48.0", "/min", ("pulse", 48)),
        (MDC, "149514", "48.0", "{beat}/min", ("pulse", 48)),
        (MDC, "150364", "36.97", "Cel", ("temperature", 36.97)),
        (MDC, "188424", "36.97", "Cel", ("temperature", 36.97)),
        (MDC, "188736", "157.00", "[lb_av]", ("weight", 71.21400209)),
        (MDC, "160184", "6.3", "mmol/L", ("glucose", 6.3)),
        (MDC, "160368", "90.078", "mg/dL", ("glucose", 5)),
        (SNOMED, "271649006", "120", "mm[Hg]", ("systolic", 120)),
        ("urn:oid:2.16.840.1.113883.6.1", "8867-4", "72", "/min", ("pulse", 72)),
        ("urn:telehealth:code", "breathlessness", "4", "{score}", ("breathlessness", 4)),
    ],
)
def test_codes_and_units(system: str, code: str, value: str, unit: str, expected: tuple[str, float]) -> None:
    content = json.dumps(observation(code=coded(code, system=system), valueQuantity=quantity("@", unit)))
    got = decoded("fhir", content.replace('"@"', value))
    (one,) = got.readings
    assert (one.code, one.value) == expected
    assert message.value_token(one) == value
    assert message.unit_token(one) == unit


def test_a_blood_pressure_is_one_set() -> None:
    got = decoded("fhir", pressure(identifier=[{"system": "urn:oid:1.2", "value": "bp-7"}]))
    assert values(got) == {"systolic": 116, "diastolic": 71, "mean_arterial": 86}
    assert {one.set for one in got.readings} == {one.source_id for one in got.readings} == {"urn:oid:1.2|bp-7"}
    (again,) = {one.set for one in decoded("fhir", pressure()).readings}
    assert again is not None
    assert again == decoded("fhir", bundle(pressure())).readings[0].set


def test_a_value_with_components_keeps_both() -> None:
    parts = [
        component(coded("3151-8"), valueQuantity=quantity(6, "L/min")),
        component(coded("3150-6"), valueQuantity=quantity(40, "%")),
        component(coded("68193", system=MDC), valueCodeableConcept=coded("150588", system=MDC)),
    ]
    given = observation(code=coded("59408-5", "2708-6"), valueQuantity=quantity(95, "%"), component=parts)
    got = decoded("fhir", given)
    assert values(got) == {"spo2": 95, "oxygen_flow": 6}
    assert errors(got) == [("code_unknown", "component[1].code.coding", 0)]
    assert got.readings[0].context == {"modality": "spot"}


def test_glucose_with_its_meal_and_of_a_control_solution() -> None:
    parts = [
        component(coded("160184", system=MDC), valueQuantity=quantity(6.3, "mmol/L")),
        component(coded("8417864", system=MDC), valueCodeableConcept=coded("8417872", system=MDC)),
        component(coded("8417846", system=MDC), valueString="Somewhere on the body."),
    ]
    private = coded("8452097", system="http://hl7.org/fhir/uv/phd/CodeSystem/ACMEIncPrivateMDCCodes")
    (one,) = decoded("fhir", observation(code=private, valueQuantity=None, component=parts)).readings
    assert (one.code, one.value) == ("glucose", 6.3)
    assert one.context == {"sample": "capillary_blood", "meal": "after_meal"}
    location = component(coded("8417844", system=MDC), valueCodeableConcept=coded("8417860", system=MDC))
    got = decoded("fhir", observation(code=private, valueQuantity=None, component=[parts[0], location]))
    assert (got.readings, errors(got)) == ((), [("control_solution", "component", 0)])


def test_what_could_not_be_measured() -> None:
    reason = coded("not-a-number", system="http://terminology.hl7.org/CodeSystem/data-absent-reason")
    (one,) = decoded("fhir", observation(valueQuantity=None, dataAbsentReason=reason)).readings
    assert (one.code, one.value, one.absent) == ("pulse", None, "not-a-number")
    parts = [
        component(coded("8480-6"), valueQuantity=quantity(107, "mm[Hg]")),
        component(coded("8462-4"), dataAbsentReason=coded("not-performed", system=reason["coding"][0]["system"])),
    ]
    got = decoded("fhir", pressure(component=parts))
    assert [(one.code, one.value, one.absent) for one in got.readings] == [
        ("systolic", 107, None),
        ("diastolic", None, "not-performed"),
    ]
    got = decoded("fhir", pressure(component=None, dataAbsentReason={"text": "Not today"}))
    assert [(one.code, one.absent) for one in got.readings] == [("systolic", "unknown"), ("diastolic", "unknown")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"valueCodeableConcept": coded("248234008", system=SNOMED)}, "A"),
        ({"valueCodeableConcept": coded("130987000", system=SNOMED)}, "C"),
        ({"valueCodeableConcept": coded("LA17108-4")}, "V"),
        ({"valueCodeableConcept": coded("LA17107-6")}, "P"),
        ({"valueCodeableConcept": coded("LA9343-0")}, "U"),
        ({"valueCodeableConcept": {"coding": [{"code": "V"}]}}, "V"),
        ({"valueString": "A"}, "A"),
    ],
)
def test_consciousness(value: dict[str, Any], expected: str) -> None:
    for code in ("80288-4", "67775-7"):
        got = decoded("fhir", observation(code=coded(code), valueQuantity=None, **value))
        assert values(got) == {"consciousness": expected}


def test_booleans() -> None:
    on_oxygen = {"code": coded("371825009", system=SNOMED), "valueQuantity": None}
    said = decoded("fhir", observation(**on_oxygen, valueCodeableConcept=coded("373066001", system=SNOMED)))
    assert values(said) == {"on_oxygen": 1}
    assert values(decoded("fhir", observation(**on_oxygen, valueBoolean=False))) == {"on_oxygen": 0}
    fell = observation(code=coded("fall", system="urn:telehealth:code"), valueQuantity=None, valueBoolean=True)
    assert values(decoded("fhir", fell)) == {"fall": 1}


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ({"effectiveInstant": AT}, TAKEN),
        ({"effectivePeriod": {"start": "2026-03-02T10:00:00Z", "end": AT}}, TAKEN),
        ({"effectivePeriod": {"start": AT}}, TAKEN),
        ({"effectiveTiming": {"event": [AT]}}, TAKEN),
        ({}, None),
    ],
)
def test_times(time: dict[str, Any], expected: datetime | None) -> None:
    (one,) = decoded("fhir", observation(effectiveDateTime=None, **time)).readings
    assert (one.taken_at, one.time_source) == (expected, "own")


def test_a_date_alone_is_held_for_a_person() -> None:
    (one,) = decoded("fhir", observation(effectiveDateTime="2026-03-02")).readings
    assert (one.time_source, one.flags) == ("unknown", ("date_only",))
    assert one.taken_at == datetime(2026, 3, 2, tzinfo=UTC)
    assert one.identity.int != 0
    assert one.identity == decoded("fhir", bundle(observation(effectiveDateTime="2026-03-02"))).readings[0].identity


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"status": "entered-in-error"}, "not_a_result", "status"),
        ({"status": "cancelled"}, "not_a_result", "status"),
        ({"status": "registered"}, "not_a_result", "status"),
        ({"status": ["final"]}, "not_a_result", "status"),
        ({"effectiveDateTime": "2026-03-02T11:59:00"}, "taken_at_no_offset", "effectiveDateTime"),
        ({"effectiveDateTime": "2026-03"}, "taken_at_invalid", "effectiveDateTime"),
        ({"effectiveDateTime": "1811-03-02T11:59:00Z"}, "taken_at_out_of_range", "effectiveDateTime"),
        (
            {"effectiveDateTime": None, "effectivePeriod": {"end": "2026-03-02T11:59:00"}},
            "taken_at_no_offset",
            "effectivePeriod.end",
        ),
        (
            {"effectiveDateTime": None, "effectiveTiming": {"event": [AT, AT]}},
            "taken_at_invalid",
            "effectiveTiming.event",
        ),
        ({"code": None}, "code_missing", "code.coding"),
        ({"code": {"text": "Heart rate"}}, "code_missing", "code.coding"),
        ({"code": coded("8302-2")}, "code_unknown", "code.coding"),
        ({"code": coded("8867-4", "9279-1")}, "code_ambiguous", "code.coding"),
        ({"code": coded("160208", system=MDC)}, "control_solution", "code.coding"),
        ({"valueQuantity": None}, "value_missing", "value"),
        ({"valueQuantity": {"code": "/min"}}, "value_missing", "valueQuantity.value"),
        ({"valueQuantity": quantity("72", "/min")}, "value_not_number", "valueQuantity.value"),
        ({"valueQuantity": quantity(720, "/min")}, "value_impossible", "valueQuantity.value"),
        ({"valueQuantity": 72}, "value_not_number", "valueQuantity"),
        ({"valueQuantity": None, "valueString": "72"}, "value_not_number", "valueString"),
        ({"valueQuantity": None, "valueRange": {}}, "value_not_number", "valueRange"),
        ({"valueQuantity": quantity(72, "mm[Hg]")}, "unit_unknown", "valueQuantity.code"),
        ({"valueQuantity": {"value": 72, "unit": "furlongs"}}, "unit_unknown", "valueQuantity.unit"),
        ({"valueQuantity": {"value": 72}}, "unit_missing", "valueQuantity.code"),
        ({"valueQuantity": quantity(72, "/min", system="urn:mine")}, "unit_unknown", "valueQuantity.system"),
        ({"valueQuantity": quantity(72, "/min", comparator="ad")}, "comparator_unknown", "valueQuantity.comparator"),
        ({"dataAbsentReason": {"coding": [{"code": "error"}]}}, "absent_with_value", "dataAbsentReason"),
        (
            {"valueQuantity": None, "dataAbsentReason": {"coding": [{"code": "shy"}]}},
            "absent_unknown",
            "dataAbsentReason.coding",
        ),
        ({"subject": {"reference": "Device/1"}}, "subject_unclear", "subject.reference"),
        ({"subject": {"reference": "https://a.example/fhir/Location/1"}}, "subject_unclear", "subject.reference"),
        (
            {"subject": {"identifier": {"system": "urn:telehealth:subject", "value": "x" * 65}}},
            "subject_invalid",
            "subject.identifier.value",
        ),
        ({"component": {}}, "schema", "component"),
        ({"component": [3]}, "schema", "component"),
        ({"component": [{}] * 101}, "schema", "component"),
        (
            {
                "interpretation": [
                    coded("test-data", system="http://hl7.org/fhir/uv/pocd/CodeSystem/measurement-status")
                ]
            },
            "not_a_result",
            "interpretation",
        ),
    ],
)
def test_refusals_name_the_field(fields: dict[str, Any], error: str, field: str) -> None:
    got = decoded("fhir", bundle({"resourceType": "Patient"}, observation(**fields), observation()))
    assert errors(got) == [(error, field, 1)]
    assert [one.index for one in got.readings] == [2]


@pytest.mark.parametrize(
    ("component_value", "error", "field"),
    [
        ({"valueQuantity": quantity(116, "kg")}, "unit_unknown", "component[0].valueQuantity.code"),
        ({"valueQuantity": quantity(2047, "mm[Hg]")}, "value_impossible", "component[0].valueQuantity.value"),
        ({"dataAbsentReason": {"coding": [{"code": "shy"}]}}, "absent_unknown", "component[0].dataAbsentReason.coding"),
        ({}, "value_missing", "component[0].value"),
    ],
)
def test_a_bad_component_does_not_lose_the_others(component_value: dict[str, Any], error: str, field: str) -> None:
    parts = [
        component(coded("8480-6"), **component_value),
        component(coded("8462-4"), valueQuantity=quantity(71, "mm[Hg]")),
    ]
    got = decoded("fhir", pressure(component=parts))
    assert (values(got), errors(got)) == ({"diastolic": 71}, [(error, field, 0)])


def test_values_beyond_what_a_device_measures_are_kept_and_flagged() -> None:
    (one,) = decoded(
        "fhir", observation(code=coded("15074-8"), valueQuantity=quantity(33.3, "mmol/L", comparator=">"))
    ).readings
    assert (one.value, one.flags) == (33.3, ("above_range",))


def test_units_in_words_count_where_there_is_no_code() -> None:
    (one,) = decoded("fhir", observation(valueQuantity={"value": 72, "unit": "beats/minute"})).readings
    assert (one.unit, message.unit_token(one)) == ("/min", "beats/minute")
    mdc = {"value": 72, "unit": "bpm", "system": MDC, "code": "264864"}
    assert values(decoded("fhir", observation(valueQuantity=mdc))) == {"pulse": 72}


def test_where_and_how_it_was_measured() -> None:
    position = {
        "url": "http://hl7.org/fhir/StructureDefinition/observation-bodyPosition",
        "valueCodeableConcept": coded("33586001", system=SNOMED),
    }
    quality = coded("questionable", "in-alarm", system="http://hl7.org/fhir/uv/pocd/CodeSystem/measurement-status")
    given = observation(
        status="amended",
        bodySite={"coding": [{"system": SNOMED, "code": "368209003", "display": "Right arm"}]},
        extension=[position, {"url": "urn:other", "valueString": "x"}],
        interpretation=[
            quality,
            coded("L", system="http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"),
        ],
    )
    (one,) = decoded("fhir", given).readings
    assert one.context == {"site": "Right arm", "posture": "sitting"}
    assert one.flags == ("amended", "questionable")


def test_a_bundle_of_a_gateway() -> None:
    clock = observation(
        code=coded("67975", system=MDC), subject={"reference": "Device/1"}, valueQuantity=None, valueDateTime=AT
    )
    got = decoded("fhir", bundle({"resourceType": "Device"}, clock, observation(), pressure()))
    assert [(one.code, one.index) for one in got.readings] == [
        ("pulse", 2),
        ("systolic", 3),
        ("diastolic", 3),
        ("mean_arterial", 3),
    ]
    assert got.refusals == ()
    got = decoded(
        "fhir", bundle(observation(), {"resourceType": "QuestionnaireResponse"}, {"no": "type"}, type="batch")
    )
    assert errors(got) == [("resource_unknown", "resourceType", 1), ("schema", "resource", 2)]
    assert len(got.readings) == 1


@pytest.mark.parametrize(
    ("content", "error", "field"),
    [
        ([], "schema", None),
        ({"resourceType": "Patient"}, "schema", "resourceType"),
        (bundle(type="history"), "schema", "type"),
        (bundle(type="batch") | {"type": ["batch"]}, "schema", "type"),
        (bundle() | {"entry": {}}, "schema", "entry"),
        (bundle(*[{}] * 1001), "too_many_readings", "entry"),
        (bundle({"resourceType": "Patient"}), "nothing_measured", None),
        ({"resourceType": "Bundle"}, "nothing_measured", None),
        (b"{", "not_json", None),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "not_json", None),
    ],
)
def test_what_is_refused_whole(content: Any, error: str, field: str | None) -> None:
    got = decoded("fhir", content)
    assert (errors(got), got.readings, got.id) == ([(error, field, None)], (), got.digest)


def test_more_readings_than_a_message_may_have() -> None:
    one = {"code": coded("8480-6"), "valueQuantity": {"value": 1e2, "code": "mm[Hg]"}}
    small = {"resourceType": "Observation", "code": coded("85354-9"), "component": [one] * 10}
    got = decoded("fhir", bundle(*[small] * 101))
    assert (errors(got), got.readings) == ([("too_many_readings", None, None)], ())
    assert len(decoded("fhir", bundle(*[small] * 100)).readings) == 1000


def test_an_envelope_gives_full_receipts() -> None:
    given = {"stream": "s1", "seq": 4, "oldest": 2, "sent_at": AT, "zone": "Europe/London", "resource": observation()}
    got = decoded("fhir", given)
    assert (got.stream, got.seq, got.oldest, got.id, got.zone) == ("s1", 4, 2, None, "Europe/London")
    assert values(got) == {"pulse": 72}
    got = decoded("fhir", {"id": "m1", "resource": bundle(observation())})
    assert (got.id, len(got.readings)) == ("m1", 1)
    got = decoded("fhir", {"stream": "s1", "seq": 4})
    assert (errors(got), got.seq) == ([("schema", None, None)], 4)
    undated = observation(effectiveDateTime=None)
    (one,) = decoded("fhir", {"id": "m1", "taken_at": AT, "resource": undated}).readings
    assert one.taken_at == TAKEN


def test_whose_it_is() -> None:
    labelled = {"identifier": {"system": "urn:telehealth:subject", "value": "bed-3"}}
    assert decoded("fhir", observation(subject=labelled)).readings[0].subject == "bed-3"
    assert decoded("fhir", {"id": "m", "subject": "bed-4", "resource": observation()}).readings[0].subject == "bed-4"
    same = observation(subject={"reference": "https://a.example/fhir/Patient/example/_history/2"})
    assert len(decoded("fhir", bundle(observation(), same)).readings) == 2
    other = observation(subject={"reference": "Patient/2"})
    two = decoded("fhir", bundle(observation(), other, observation(subject=labelled)))
    assert errors(two) == [("subject_unclear", "subject", 0), ("subject_unclear", "subject", 1)]
    assert [one.subject for one in two.readings] == ["bed-3"]
    bad = decoded("fhir", {"stream": "s", "seq": 1, "subject": "", "resource": observation()})
    assert (errors(bad), bad.readings) == ([("subject_invalid", "subject", None)], ())


def test_the_same_observation_in_another_message_is_the_same_reading() -> None:
    identified = observation(identifier=[{"value": "x" * 100}])
    alone = decoded("fhir", identified).readings[0]
    other = decoded("fhir", bundle(observation(), identified, type="collection"))
    assert alone.identity == other.readings[1].identity
    assert alone.identity != other.readings[0].identity
    assert alone.source_id is not None
    assert len(alone.source_id) == 32
    longer = decoded("fhir", observation(identifier=[{"value": "x" * 101}])).readings[0]
    assert longer.identity != alone.identity


def test_the_documented_codes_are_those_of_the_code() -> None:
    text = (Path(__file__).parents[3] / "docs" / "devices.md").read_text()
    rows = text.split("| code | LOINC | MDC | SNOMED CT |\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    documented = set()
    for row in rows:
        code, *columns = [cell.strip() for cell in row.strip("|").split(" | ")]
        for system, cell in zip(("http://loinc.org", MDC, SNOMED), columns, strict=True):
            taken = cell.replace("(also beside 8867-4)", "").partition("; 160208")[0]
            documented |= {(system, one, code.strip("`")) for one in re.findall(r"\d{4,}-\d|\d{6,}", taken)}
    assert documented == {(system, one, term.code) for (system, one), term in fhir_terms.TERMS.items()}


# Properties --------------------------------------------------------------------------------------

MEASURES = [entry for entry in catalogue.ENTRIES.values() if entry.kind == "number"]


@given(
    st.lists(
        st.sampled_from(MEASURES).flatmap(
            lambda entry: st.tuples(
                st.just(entry),
                st.decimals(math.ceil(entry.impossible_low), math.floor(entry.impossible_high), places=2),
            )
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_was_put_in_comes_out(given_values: list[tuple[catalogue.Entry, Decimal]]) -> None:
    resources = [
        observation(
            code=coded(entry.code, system="urn:telehealth:code") if entry.loinc is None else coded(entry.loinc),
            valueQuantity=quantity(f"@{n}", entry.unit or "{score}"),
        )
        for n, (entry, _) in enumerate(given_values)
    ]
    content = json.dumps(bundle(*resources))
    for n, (_, value) in enumerate(given_values):
        content = content.replace(f'"@{n}"', str(value))
    got = decoded("fhir", content)
    assert got.refusals == ()
    for one, (entry, value) in zip(got.readings, given_values, strict=True):
        assert (one.code, one.value, one.unit) == (entry.code, float(value), entry.unit)
        assert message.value_token(one) == str(value)


@given(JSON)
def test_decode_never_raises_on_json(content: Any) -> None:
    decoded("fhir", content)


@given(nearly(observation(), pressure(), bundle(observation(), pressure()), {"id": "m", "resource": pressure()}))
def test_decode_never_raises_on_what_is_nearly_valid(content: Any) -> None:
    decoded("fhir", content)


@given(st.binary(max_size=200))
def test_decode_never_raises_on_bytes(payload: bytes) -> None:
    for format in ("fhir", "omh", "theengs", "tenovi"):
        decoded(format, payload)
