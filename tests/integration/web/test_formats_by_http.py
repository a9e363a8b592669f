"""Other formats and the backlog by HTTP: the same as by MQTT, through the whole application and database."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import encode_basic_auth, test_utils, web

from telehealth import config
from telehealth.clock import ClinicalClock, Step
from telehealth.model import secrets
from telehealth.model.health import Health
from telehealth.store import db, seen
from telehealth.store.db import Database
from telehealth.web import app
from tests.support import world

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_PASSWORD = secrets.new_device_password()

Client = test_utils.TestClient[web.Request, web.Application]

OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "identifier": [{"value": "o-1"}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "2708-6"}]},
    "subject": {"reference": "Patient/example"},
    "effectiveDateTime": "2026-03-02T12:59:00+01:00",
    "valueQuantity": {"value": 93.0, "system": "http://unitsofmeasure.org", "code": "%"},
}


@pytest.fixture
async def client(database: Database) -> AsyncIterator[Client]:
    built = app.build(
        settings=config.from_environment(), database=database, clock=ClinicalClock(Step(NOW, NOW)), health=Health()
    )
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    hashed = secrets.hash_device_password(_PASSWORD)
    await world.device(database, ward, "gateway-1", resident=resident, password_hash=hashed)
    async with test_utils.TestClient(test_utils.TestServer(built)) as opened:
        yield opened


async def _post(client: Client, path: str, content: Any, *, type: str | None = None) -> Mapping[str, Any]:
    """The receipt."""
    headers = {"Authorization": encode_basic_auth("gateway-1", _PASSWORD)}
    if type is not None:
        headers["Content-Type"] = type
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    response = await client.post(f"/api/v1/devices/gateway-1/{path}", data=io.BytesIO(payload), headers=headers)
    assert response.status == 200
    receipt: Mapping[str, Any] = await response.json()
    return receipt


async def _rows(database: Database, query: str) -> list[Any]:
    async with database.transaction(db.operator("tests"), read_only=True) as connection:
        return list(await connection.fetch(query))


async def test_the_same_reading_by_two_formats_paths_and_content_types_is_stored_once(
    database: Database, client: Client
) -> None:
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": OBSERVATION}]}
    native = {
        "stream": "s1",
        "seq": 1,
        "readings": [
            {"code": "spo2", "value": 93, "unit": "%", "taken_at": "2026-03-02T11:59:00Z", "source_id": "o-1"}
        ],
    }
    receipts = [
        await _post(client, "readings/fhir", OBSERVATION),
        await _post(client, "readings/fhir", bundle, type="text/plain"),
        await _post(client, "readings", OBSERVATION, type="application/fhir+json; charset=utf-8"),
        await _post(client, "backlog/fhir", {"stream": "s2", "seq": 1, "resource": OBSERVATION}),
        await _post(client, "readings/native", native, type="application/fhir+json"),
        await _post(client, "readings", native, type="application/json"),
        await _post(client, "backlog", native),
    ]
    assert [one["refused"] for one in receipts] == [[]] * len(receipts)
    assert [len(one["ids"][0]) for one in receipts[:3]] == [16] * 3
    assert [(one["stream"], one["through"]) for one in receipts[3:]] == [("s2", 1)] + [("s1", 1)] * 3
    (row,) = await _rows(database, "SELECT code, value, resident_id, marks FROM reading")
    assert (row["code"], row["value"], row["marks"]) == ("spo2", 93.0, None)
    assert row["resident_id"] is not None


async def test_a_gateway_of_many_posts_its_array(database: Database, client: Client) -> None:
    """As a webhook does: answered with the receipt; readings of an asserted subject without a seat are held."""
    measurement = {
        "metric": "blood_pressure",
        "hwi_device_id": "unit-7",
        "value_1": "138.00",
        "value_2": "84.00",
        "timestamp": "2026-03-02T11:58:00.000000Z",
        "timezone_offset": 0,
        "estimated_timestamp": False,
    }
    receipt = await _post(client, "readings/tenovi", [measurement, measurement | {"metric": "mood"}])
    assert [(one["index"], one["error"], one["field"]) for one in receipt["refused"]] == [(1, "code_unknown", "metric")]
    rows = await _rows(database, "SELECT code, value, resident_id, subject, marks FROM reading ORDER BY code")
    assert [(row["code"], row["value"], row["subject"]) for row in rows] == [
        ("diastolic", 84.0, "unit-7"),
        ("systolic", 138.0, "unit-7"),
    ]
    assert [row["resident_id"] for row in rows] == [None, None]


async def test_readings_without_a_time(database: Database, client: Client) -> None:
    """Live ones count from their arrival; those of the backlog, and of a day only, are held."""
    frame = {"id": "AA", "type": "SCALE", "weighing_mode": "person", "unit": "kg", "weight": 60.8}
    await _post(client, "readings/theengs", frame)
    await _post(client, "backlog/theengs", frame | {"weight": 61.2})
    day = OBSERVATION | {"effectiveDateTime": "2026-03-01", "identifier": [{"value": "o-2"}]}
    await _post(client, "readings/fhir", day)
    rows = await _rows(database, "SELECT value, effective_at, marks FROM reading ORDER BY value")
    assert [(row["value"], row["effective_at"]) for row in rows] == [(60.8, NOW), (61.2, None), (93.0, None)]
    assert ["held" in row["marks"] for row in rows] == [False, True, True]


async def test_what_cannot_be_taken_is_refused_by_the_receipt_and_kept(database: Database, client: Client) -> None:
    unknown = await _post(client, "readings/hl7v2", {"stream": "s", "seq": 3, "readings": []})
    assert [(one["seq"], one["error"]) for one in unknown["refused"]] == [(3, "format_unknown")]
    room = await _post(client, "backlog/theengs", {"id": "x", "type": "THB", "tempc": 36.6})
    assert [(one["index"], one["error"], one["field"]) for one in room["refused"]] == [(0, "not_a_person", "tempc")]
    assert room["refused"][0]["id"] == room["ids"][0]
    rows = await _rows(database, "SELECT topic, error FROM quarantine ORDER BY id")
    assert [(row["topic"], row["error"]) for row in rows] == [
        ("POST /api/v1/devices/gateway-1/readings/hl7v2", "format_unknown"),
        ("POST /api/v1/devices/gateway-1/backlog/theengs", "not_a_person"),
    ]


async def test_limits_and_credentials_are_the_same(database: Database, client: Client) -> None:
    headers = {"Authorization": encode_basic_auth("gateway-1", _PASSWORD)}
    for path in ("readings/fhir", "backlog", "backlog/omh"):
        address = f"/api/v1/devices/gateway-1/{path}"
        assert (await client.post(address, data=b"{}")).status == 401
        assert (await client.post(address, data=b"", headers=headers)).status == 400
        assert (await client.post(address, data=io.BytesIO(b" " * (1024 * 1024 + 1)), headers=headers)).status == 413
        too_large = await _post(client, path, b" " * 300_000)
        assert [one["error"] for one in too_large["refused"]] == ["payload_too_large"]
    for path in ("readings/NOT_A_FORMAT", "readings/fhir/more", "status"):
        response = await client.post(f"/api/v1/devices/gateway-1/{path}", data=b"{}", headers=headers)
        assert response.status == 404
    assert await _rows(database, "SELECT 1 FROM reading") == []


async def test_a_type_that_names_no_format_is_taken_for_native(database: Database, client: Client) -> None:
    at = (NOW - timedelta(minutes=1)).isoformat()
    native = {"id": "m1", "readings": [{"code": "pulse", "value": 61, "unit": "/min", "taken_at": at}]}
    for type in (None, "application/x-www-form-urlencoded", "application/vnd.telehealth.nothing", "no/such;;type"):
        receipt = await _post(client, "readings", native, type=type)
        assert (receipt["ids"], receipt["refused"]) == (["m1"], [])
    named = await _post(client, "readings", b'{"heart_rate":{"value":61}}', type="application/vnd.telehealth.omh+json")
    assert [(one["error"], one["field"]) for one in named["refused"]] == [("unit_missing", "heart_rate.unit")]


async def test_a_post_without_a_length(client: Client) -> None:
    """In chunks, as some gateways send."""

    async def chunks() -> AsyncIterator[bytes]:
        for part in (json.dumps(OBSERVATION)[:40], json.dumps(OBSERVATION)[40:]):
            yield part.encode()

    headers = {"Authorization": encode_basic_auth("gateway-1", _PASSWORD)}
    data = aiohttp.payload.AsyncIterablePayload(chunks())
    response = await client.post("/api/v1/devices/gateway-1/readings/fhir", data=data, headers=headers)
    assert (response.status, (await response.json())["refused"]) == (200, [])


async def test_what_staff_have_looked_at_is_in_the_answers(database: Database, client: Client) -> None:
    """Nobody can call a device that speaks HTTP: with every answer it is told what was seen lately."""
    one = {"code": "spo2", "value": 97, "unit": "%", "taken_at": "2026-03-02T11:59:00Z", "set": "b7"}
    assert (await _post(client, "readings", {"stream": "s", "seq": 1, "readings": [one]}))["seen"] == []
    async with database.transaction(db.operator("tests")) as connection:
        resident_id = await connection.fetchval("SELECT id FROM resident")
        await seen.opened(connection, resident_id, now=NOW)
    receipts = [await _post(client, "readings", {"stream": "s", "seq": n, "readings": []}) for n in (2, 3)]
    at = NOW.isoformat().replace("+00:00", "Z")
    assert [receipt["seen"] for receipt in receipts] == [[{"set": "b7", "at": at}]] * 2
