"""Inputs to begin with: one good message of each format, so that the fuzzer starts behind the front door."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import cbor2

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


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


#: By target; the others begin with nothing.
SEEDS: Final[Mapping[str, list[bytes]]] = {
    "native": [_json(_NATIVE)],
    "cbor": [cbor2.dumps(_NATIVE)],
    "gatt": [_json(_GATT)],
    "fhir": [_json(_FHIR), _json(_FHIR["entry"][0]["resource"])],
    "omh": [_json(_OMH), _json([_OMH])],
    "theengs": [_json(_THEENGS)],
    "tenovi": [_json(_TENOVI)],
    "status": [_json({"online": True, "battery": 0.5, "firmware": "1.2"})],
    "topic": [b"telehealth/v1/a/readings/gatt"],
    "mqtt": [bytes([n]) + _json(content) for n, content in enumerate((_NATIVE, _GATT, _FHIR))],
    "wire": [b"\x32\x0b\x00\x03a/b\x00\x01\x00abc", b"\xd0\x00\x40\x02\x00\x01"],
}
