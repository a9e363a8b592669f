"""Inputs to begin with: good messages of each format that say all that it can, so that the fuzzer starts behind the
front door.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import cbor2

from devices import catalogue, fhir_terms, units
from tests.unit.devices import gatt_frames as gatt

_TAKEN_AT: Final = "2026-03-02T11:59:00Z"
_NATIVE: Final = {
    "stream": "s1",
    "seq": 2,
    "oldest": 1,
    "sent_at": "2026-03-02T12:00:00.120Z",
    "readings": [
        {"code": "spo2", "value": 0.96, "unit": "1", "taken_at": "2026-03-02T11:59:00Z", "source_id": "a"},
        {"code": "weight", "value": 150.5, "unit": "[lb_av]", "taken_at": "2026-03-02T12:59:00+01:00", "set": "b"},
        {"code": "consciousness", "value": "A", "taken_at": "2026-03-02T11:59:00Z", "flags": ["motion"]},
        {"code": "pulse", "value": None, "absent": "error", "unit": "/min", "taken_at": "2026-03-02T11:59:00Z"},
    ],
}
_GATT: Final = {
    "stream": "s1",
    "seq": 3,
    "zone": "Europe/London",
    "frames": [
        {"characteristic": "2A35", "hex": "1e7800500060f0ea07030c0b3b0048000106 00".replace(" ", "")},
        {"characteristic": "2A5E", "hex": "0062004800", "taken_at": "2026-03-02T11:59:00Z"},
        {"characteristic": "2A5F", "hex": "0061004600"},
        {"characteristic": "2A1C", "hex": "006e0100ff"},
        {"characteristic": "2A9D", "hex": "00f037"},
        {"characteristic": "2A18", "hex": "0b0500ea07030c0b3b000a000cb011"},
        {"characteristic": "2A34", "hex": "020500 01".replace(" ", "")},
        {"characteristic": "2A37", "hex": "0648"},
    ],
}
_FHIR: Final[dict[str, Any]] = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "identifier": [{"system": "urn:x", "value": "1"}],
                "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
                "effectiveDateTime": "2026-03-02T11:59:00Z",
                "component": [
                    {
                        "code": {"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "150021"}]},
                        "valueQuantity": {"value": 120.0, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
                    },
                    {
                        "code": {"coding": [{"system": "http://loinc.org", "code": "8462-4"}]},
                        "dataAbsentReason": {"coding": [{"code": "error"}]},
                    },
                ],
            }
        }
    ],
}
_OMH: Final = {
    "header": {
        "id": "a1",
        "creation_date_time": "2026-03-02T11:59:30Z",
        "schema_id": {"namespace": "omh", "name": "blood-glucose", "version": "2.0"},
    },
    "body": {
        "blood_glucose": {"value": 110, "unit": "mg/dL"},
        "effective_time_frame": {"time_interval": {"start_date_time": "2026-03-02T11:59:00Z",
                                                   "duration": {"value": 1, "unit": "min"}}},
    },
}  # fmt: skip
_THEENGS: Final = {"id": "AA:BB:CC:DD:EE:FF", "name": "scale", "model_id": "XMTZC04HM", "type": "SCALE",
                   "weighing_mode": "person", "unit": "kg", "weight": 71.5}  # fmt: skip
_TENOVI: Final = [
    {
        "metric": "blood_pressure",
        "device_name": "Tenovi BPM",
        "hwi_device_id": "0b9d",
        "patient_id": "p1",
        "value_1": "121",
        "value_2": "80",
        "created": "2026-03-02T11:59:05Z",
        "timestamp": "2026-03-02T11:59:00Z",
        "timezone_offset": 0,
        "estimated_timestamp": False,
    }
]


def _ordinary(code: str, unit: str | None) -> float:
    """A value of code in unit that is possible."""
    entry = catalogue.ENTRIES[code]
    value = (entry.extreme_low + entry.extreme_high) / 2
    if unit is None:
        return value
    conversion = units.CONVERSIONS[code][unit]
    return (value * conversion.divisor - conversion.addend) / conversion.multiplier


_TAGGED: Final = {
    "id": "tagged",
    "sent_at": cbor2.CBORTag(1, 1772452740.5),
    "readings": [
        {
            "code": "temperature",
            "value": cbor2.CBORTag(4, [-1, cbor2.CBORTag(2, b"\x01\x6e")]),
            "unit": "Cel",
            "taken_at": cbor2.CBORTag(0, _TAKEN_AT),
        },
        {
            "code": "pulse",
            "value": cbor2.CBORTag(3, b"\x01"),
            "unit": "/min",
            "taken_at": cbor2.CBORTag(30, [1, 2]),
        },
    ],
}


#: Small, because every change costs as much as the message is long.
_EVERY_CODE: Final = [
    {
        "id": "every",
        "readings": [
            {
                "code": code,
                "value": {"boolean": True, "code": (entry.codes or ("x",))[0]}.get(entry.kind, _ordinary(code, unit)),
                **({} if unit is None else {"unit": unit}),
                **({"context": dict.fromkeys(entry.needs_context, "q1")} if entry.needs_context else {}),
                "taken_at": _TAKEN_AT,
            }
        ],
    }
    for code, entry in catalogue.ENTRIES.items()
    for unit in (units.CONVERSIONS[code] or (None,))
]
_EVERY_CHARACTERISTIC: Final = [
    {"id": "frames", "taken_at": _TAKEN_AT, "frames": [frame]}
    for frame in (
        gatt.frame("2A35", gatt.cuff(*map(gatt.sfloat, (120, 80, 93)), at=gatt.TIME, pulse=gatt.sfloat(72),
                                     user=1, status=5)),
        gatt.frame("2A35", gatt.cuff(*(gatt.sfloat(n, -1) for n in (160, 107, 124)), kpa=True)),
        gatt.frame("2A5E", gatt.spot(gatt.sfloat(97), gatt.sfloat(70), at=gatt.TIME, status=0x20, sensor=1,
                                     amplitude=gatt.sfloat(12, -1))),
        gatt.frame("2A5F", gatt.continuous(gatt.sfloat(97), gatt.sfloat(70), fast=gatt.sfloat(96) * 2,
                                           slow=gatt.sfloat(95) * 2, status=1, sensor=2, amplitude=gatt.sfloat(9))),
        gatt.frame("2A1C", gatt.thermometer(gatt.float32(366, -1), at=gatt.TIME, site=2)),
        gatt.frame("2A1C", gatt.thermometer(gatt.float32(986, -1), fahrenheit=True)),
        gatt.frame("2A9D", gatt.scale(14320, at=gatt.TIME, user=2, body=(240, 1720))),
        gatt.frame("2A9D", gatt.scale(15760, imperial=True)),
        gatt.frame("2A18", gatt.meter(7, gatt.TIME, offset=-60, value=gatt.sfloat(110, -5), status=1,
                                      context_follows=True)),
        gatt.frame("2A18", gatt.meter(8, gatt.TIME, value=gatt.sfloat(55, -4), mol=True)),
        gatt.frame("2A34", bytes.fromhex("ff070000013200010111 5802 3c 0e01 01 0a00 4800".replace(" ", ""))),
        gatt.frame("2A37", gatt.heart_rate(300, wide=True, contact=3, energy=5, intervals=(800, 810))),
    )
]  # fmt: skip


def _observation(system: str, code: str) -> dict[str, Any]:
    entry = catalogue.ENTRIES[fhir_terms.TERMS[system, code].code]
    value: dict[str, Any]
    match entry.kind:
        case "boolean":
            value = {"valueBoolean": True}
        case "code":
            value = {"valueCodeableConcept": {"coding": [{"system": fhir_terms.SNOMED, "code": "248234008"}]}}
        case _:
            unit = entry.unit or "{score}"
            value = {"valueQuantity": {"value": entry.extreme_low, "system": fhir_terms.UCUM, "code": unit}}
    return {
        "resourceType": "Observation",
        "id": code,
        "status": "final",
        "subject": {"identifier": {"system": fhir_terms.OWN_SUBJECT, "value": "s1"}},
        "code": {"coding": [{"system": system, "code": code}]},
        "effectiveDateTime": _TAKEN_AT,
        **value,
    }


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


_SPO2: Final = _observation(fhir_terms.LOINC, "59408-5")
_CUFF: Final = _FHIR["entry"][0]["resource"]
_EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/"
_BITS: Final = "urn:iso:std:iso:11073:10101/ASN1ToHL7"
#: What an Observation can say beside its value.
_SAID: Final[list[dict[str, Any]]] = [
    _SPO2 | {"valueQuantity": {"value": 99.5, "comparator": ">", "system": fhir_terms.MDC, "code": "262688"}},
    _SPO2 | {"valueQuantity": {"_value": {"extension": [{"url": _EXTENSION + "data-absent-reason",
                                                         "valueCode": "error"}]}}},
    _SPO2 | {"valueQuantity": {"value": 97, "unit": "%"}, "effectiveTiming": {"event": [_TAKEN_AT]}},
    _SPO2 | {"effectivePeriod": {"start": _TAKEN_AT, "end": _TAKEN_AT}, "interpretation": [
        _coded("http://terminology.hl7.org/CodeSystem/measurement-status", "questionable")]},
    _SPO2 | {"valueString": "x", "dataAbsentReason": {"text": "x"}},
    _CUFF | {
        "bodySite": {"text": "left arm"},
        "method": _coded(fhir_terms.SNOMED, "1"),
        "extension": [{"url": _EXTENSION + "observation-bodyPosition",
                       "valueCodeableConcept": _coded(fhir_terms.SNOMED, "33586001")}],
        "component": [*_CUFF["component"], {"code": _coded(fhir_terms.MDC, "8417864"),
                                            "valueCodeableConcept": _coded(fhir_terms.MDC, "8417868")}],
    },
    _observation(fhir_terms.LOINC, "72514-3") | {"valueQuantity": {"value": 3, "code": "1"}},
    {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": "urn:uuid:1", "resource": _SPO2 | {"effectiveDateTime": None, "effectiveInstant": _TAKEN_AT}},
            {"resource": {
                "resourceType": "Observation",
                "status": "final",
                "code": _coded(fhir_terms.MDC, "150604"),
                "derivedFrom": [{"reference": "urn:uuid:1"}],
                "effectiveDateTime": _TAKEN_AT,
                "component": [{"code": _coded(_BITS, "150604.2"), "valueCodeableConcept": _coded("urn:v2-0136", "Y")}],
            }},
            {"resource": {"resourceType": "Patient", "id": "p"}},
        ],
    },
]  # fmt: skip
_EVERY_TERM: Final = [_observation(*pair) for pair in fhir_terms.TERMS]
_EVERY_POINT: Final = [
    {name: {"value": value, "unit": unit}, "effective_time_frame": {"date_time": _TAKEN_AT}, **more}
    for name, value, unit, more in (
        (
            "heart_rate",
            71,
            "beats/min",
            {
                "effective_time_frame": {
                    "time_interval": {"start_date_time": _TAKEN_AT, "end_date_time": "2026-03-02T12:00:00Z"}
                }
            },
        ),
        ("heart_rate", 70, "beats/min", {"temporal_relationship_to_physical_activity": "at rest"}),
        ("oxygen_saturation", 97, "%", {"supplemental_oxygen_flow_rate": {"value": 2, "unit": "L/min"}}),
        ("body_temperature", 98.6, "F", {"measurement_location": "oral"}),
        ("body_weight", 71.5, "kg", {"descriptive_statistic": "average"}),
        ("respiratory_rate", 14, "breaths/min", {}),
        ("step_count", 4000, "steps", {}),
        ("systolic_blood_pressure", 120, "mmHg", {"body_posture": "sitting"}),
    )
]
_EVERY_FRAME: Final = [
    {"id": "AA:BB", "type": "BODY", "tempc": 36.6, "tempf": 97.9, "time": "2026-03-02T11:59:00"},
    {"id": "AA:CC", "model_id": "XMTZC02HM", "unit": "lb", "weight": 157.6, "UTCtime": _TAKEN_AT},
    {"id": "AA:DD", "bpm": 70, "act_bpm": 90, "steps": 400, "unixtime": 1772452740},
]
_EVERY_METRIC: Final = [
    {"metric": metric, "value_1": value, "hwi_device_id": "0b9d", "patient_id": 5, "timestamp": _TAKEN_AT,
     "hardware_uuid": "u1", "sensor_code": "18", "filter_params": {"measurement_index": n}}
    for n, (metric, value) in enumerate({"pulse": "72", "spO2": 97, "temperature": "98.6", "weight": "157.5",
                                         "glucose": 110, "peak_expiratory_flow": "400",
                                         "forced_expiratory_volume": 2.5, "battery_percentage": "80"}.items())
]  # fmt: skip


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def _numbered(key: str, held: object) -> bytes:
    """In an envelope."""
    return _json({"stream": "s1", "seq": 4, "zone": "Europe/London", "subject": "s1", key: held})


_MESSAGES: Final = (_NATIVE, _GATT, _FHIR, _EVERY_CODE[0], *_EVERY_CHARACTERISTIC[:3], _THEENGS)

#: Targets whose inputs are no messages.
BARE: Final = frozenset({"topic", "wire"})

#: By target; the others begin with nothing.
SEEDS: Final[Mapping[str, list[bytes]]] = {
    "native": [_json(_NATIVE), *map(_json, _EVERY_CODE)],
    "cbor": [
        cbor2.dumps(_NATIVE),
        cbor2.dumps(_TAGGED),
        cbor2.dumps(cbor2.CBORTag(55799, _TAGGED)),
        *map(cbor2.dumps, _EVERY_CODE),
    ],
    "gatt": [_json(_GATT), *map(_json, _EVERY_CHARACTERISTIC)],
    "fhir": [
        *map(_json, (*_EVERY_TERM, *_SAID)),
        _json(_FHIR),
        _numbered("resource", _FHIR),
        _json(_FHIR["entry"][0]["resource"]),
    ],
    "omh": [_json(_OMH), *map(_json, _EVERY_POINT), _numbered("data_points", [_OMH, *_EVERY_POINT])],
    "theengs": [_json(_THEENGS), *map(_json, _EVERY_FRAME), _numbered("frames", _EVERY_FRAME)],
    "tenovi": [_json(_TENOVI), *map(_json, _EVERY_METRIC), _numbered("measurements", _EVERY_METRIC)],
    "status": [_json({"online": True, "battery": 0.5, "firmware": "1.2", "sent_at": _TAKEN_AT})],
    "topic": [b"telehealth/v1/a/readings/gatt"],
    "mqtt": [bytes([n]) + _json(content) for n, content in enumerate(_MESSAGES)],
    "wire": [
        b"\x32\x0b\x00\x03a/b\x00\x01\x00abc",
        b"\xd0\x00\x40\x02\x00\x01",
        b"\x33\x18\x00\x03a/b\x00\x07\x0d\x01\x01\x03\x00\x03a/b\x0b\x81\x01\x02\x00\x00{}",
    ],
}
