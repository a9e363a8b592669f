"""The same messages by HTTP, answered with the receipt."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import encode_basic_auth, test_utils, web

from alerts.advice import Advice
from alerts.repeats import Repeat
from telehealth import config
from telehealth.clock import ClinicalClock, Step
from telehealth.model import secrets
from telehealth.model.health import Health
from telehealth.store import commands as outbox
from telehealth.store import db, ingest
from telehealth.store.db import Database
from telehealth.web import app
from tests.integration.ingest import wards
from tests.integration.ingest.wards import NOW, delivery, envelope, spo2, take
from tests.support import world

pytestmark = pytest.mark.postgres

_PASSWORD = secrets.new_device_password()


@pytest.fixture
async def client(database: Database) -> AsyncIterator[test_utils.TestClient[web.Request, web.Application]]:
    """The whole web application, with time standing still."""
    built = app.build(
        settings=config.from_environment(), database=database, clock=ClinicalClock(Step(NOW, NOW)), health=Health()
    )
    async with test_utils.TestClient(test_utils.TestServer(built)) as opened:
        yield opened


async def _device(database: Database, name: str = "scale-1") -> world.Device:
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    hashed = secrets.hash_device_password(_PASSWORD)
    return await world.device(database, ward, name, resident=resident, password_hash=hashed)


async def _post(
    client: test_utils.TestClient[web.Request, web.Application],
    payload: bytes,
    *,
    device: str = "scale-1",
    user: str = "scale-1",
    password: str = _PASSWORD,
) -> tuple[int, Any]:
    response = await client.post(
        f"/api/v1/devices/{device}/readings",
        data=io.BytesIO(payload),
        headers={"Authorization": encode_basic_auth(user, password)},
    )
    return response.status, await response.json(content_type=None)


async def test_a_message_is_answered_by_its_receipt(
    database: Database, client: test_utils.TestClient[web.Request, web.Application]
) -> None:
    """Stored when answered; by MQTT again it is a duplicate, and by HTTP again too."""
    device = await _device(database)
    payload = envelope(spo2(81), spo2("98", source_id="x"), seq=1)
    status, receipt = await _post(client, payload)
    assert (status, receipt["stream"], receipt["through"], receipt["also"]) == (200, "s1", 1, [])
    assert [(r["seq"], r["index"], r["error"]) for r in receipt["refused"]] == [(1, 1, "value_not_number")]
    await take(database, delivery(device.device_id, payload))
    assert (await _post(client, payload))[0] == 200
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 1


async def test_only_the_device_itself(
    database: Database, client: test_utils.TestClient[web.Request, web.Application]
) -> None:
    """Wrong password, another device's credentials, an unknown and a revoked device: all 401, nothing repeated."""
    await _device(database)
    await _device(database, "scale-2")
    payload = envelope(spo2(81), seq=1)
    for attempt in (
        {"password": "wrong"},
        {"device": "scale-2"},
        {"device": "nobody", "user": "nobody"},
        {"user": "scale-2"},
    ):
        status, problem = await _post(client, payload, **attempt)
        assert (status, problem["status"]) == (401, 401)
        assert "scale" not in str(problem)
        assert "nobody" not in str(problem)
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE device SET revoked_at = $1", NOW)
    assert (await _post(client, payload))[0] == 401
    response = await client.post("/api/v1/devices/scale-1/readings", data=payload)
    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic")
    assert await wards.rows(database, "SELECT 1 FROM reading") == []


async def test_what_it_is_asked_to_do(
    database: Database, client: test_utils.TestClient[web.Request, web.Application]
) -> None:
    """By asking, and with the answer to readings, until it expires; nobody else's; a GET settles nothing."""
    await _device(database)
    await _device(database, "scale-2")
    [(resident,)] = await wards.rows(
        database,
        "SELECT resident_id FROM device_assignment JOIN device d ON d.id = device_pk WHERE d.device_id = 'scale-1'",
    )
    headers = {"Authorization": encode_basic_auth("scale-1", _PASSWORD)}

    async def asked() -> Any:
        response = await client.get("/api/v1/devices/scale-1/commands", headers=headers)
        assert response.status == 200
        return (await response.json())["commands"]

    assert await asked() == []
    assert "commands" not in (await _post(client, envelope(spo2(81), seq=1)))[1]
    async with database.transaction(db.service("alerting")) as connection:
        for minutes, at in ((10, NOW), (-5, NOW - timedelta(minutes=20))):
            until = NOW + timedelta(minutes=minutes)
            repeat = Repeat(resident, ("spo2",), at, until)
            await outbox.ask(connection, [repeat], now=NOW - timedelta(minutes=30))
    [command] = await asked()
    assert command["command"] == "measure"
    assert command["codes"] == ["spo2"]
    assert command["reason"] == "Please sit still and measure again: oxygen saturation."
    assert [command] == await asked() == (await _post(client, envelope(spo2(82, source_id="b"), seq=2)))[1]["commands"]
    assert [row["state"] for row in await wards.rows(database, "SELECT state FROM device_command")] == ["waiting"] * 2
    other = await client.get("/api/v1/devices/scale-2/commands", headers=headers)
    assert other.status == 401


async def test_it_hears_what_a_red_flag_calls_for(
    database: Database, client: test_utils.TestClient[web.Request, web.Application]
) -> None:
    """With the answer to readings, and by asking."""
    await _device(database)
    [(resident,)] = await wards.rows(database, "SELECT resident_id FROM device_assignment")
    answer = {"code": "chest_pain", "value": True, "taken_at": wards.rfc3339(NOW)}
    await _post(client, envelope(answer, seq=1))
    async with database.transaction(db.service("alerting")) as connection:
        until = NOW + timedelta(hours=1)
        flag = Advice(resident, "symptom/red_flags", NOW, "Call 999 now.", ("chest_pain",), NOW, until)
        assert [await outbox.tell(connection, flag, now=NOW) for _ in range(2)] == [1, 0]
    headers = {"Authorization": encode_basic_auth("scale-1", _PASSWORD)}
    response = await client.get("/api/v1/devices/scale-1/commands", headers=headers)
    [command] = (await response.json())["commands"]
    assert {**command, "id": None} == {
        "command": "message",
        "id": None,
        "expires_at": until.isoformat().replace("+00:00", "Z"),
        "text": "Call 999 now.",
        "subject": None,
    }
    assert (await _post(client, envelope(spo2(97), seq=2)))[1]["commands"] == [command]


async def test_sizes(database: Database, client: test_utils.TestClient[web.Request, web.Application]) -> None:
    """Over 256 KiB: refused by a receipt; over 1 MiB: 413; nothing at all: 400; not JSON: refused by its digest."""
    await _device(database)
    status, receipt = await _post(client, envelope(spo2(81), seq=1, pad="x" * 300_000))
    assert (status, receipt["through"]) == (200, 1)
    assert [(r["seq"], r["error"]) for r in receipt["refused"]] == [(1, "payload_too_large")]
    assert (await _post(client, b" " * (1024 * 1024 + 1)))[0] == 413
    assert (await _post(client, b""))[0] == 400
    status, receipt = await _post(client, b"nonsense")
    assert (status, receipt["stream"], len(receipt["ids"][0])) == (200, None, 16)


async def test_many_at_once_from_one_device(
    database: Database, client: test_utils.TestClient[web.Request, web.Application]
) -> None:
    """Concurrent transactions of one device agree on what is settled."""
    await _device(database)
    answers = await asyncio.gather(*(_post(client, envelope(spo2(95, source_id=str(n)), seq=n)) for n in range(1, 21)))
    assert {status for status, _ in answers} == {200}
    status, receipt = await _post(client, envelope(spo2(95, source_id="1"), seq=1))
    assert (status, receipt["through"]) == (200, 20)
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 20


async def test_more_at_once_than_there_is_room_for(database: Database) -> None:
    """Who comes when all places are taken is told to come again, and is stored then; pages go on meanwhile."""
    device = await _device(database)
    built = app.build(
        settings=config.from_environment({"http_messages": 2}),
        database=database,
        clock=ClinicalClock(Step(NOW, NOW)),
        health=Health(),
    )
    url = f"/api/v1/devices/{device.device_id}/readings"
    headers = {"Authorization": encode_basic_auth(device.device_id, _PASSWORD)}
    payload = envelope(spo2(81), seq=1)
    head = (
        f"POST {url} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {headers['Authorization']}\r\n"
        f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
    ).encode()
    async with test_utils.TestClient(test_utils.TestServer(built)) as client:
        slow = [await asyncio.open_connection(client.host, client.port) for _ in range(2)]
        for _, writer in slow:
            writer.write(head + payload[:10])
        async with asyncio.timeout(15):
            while (response := await client.post(url, data=io.BytesIO(payload), headers=headers)).status == 200:
                pass
        assert (response.status, response.headers["Retry-After"]) == (503, "10")
        assert (await client.get("/healthz")).status == 200
        for reader, writer in slow:
            writer.write(payload[10:])
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
        assert (await client.post(url, data=io.BytesIO(payload), headers=headers)).status == 200
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 1


async def test_a_message_that_cannot_be_stored_is_set_aside(
    database: Database,
    client: test_utils.TestClient[web.Request, web.Application],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is refused with its bytes kept, not answered by an error for ever; the log has nothing of it."""
    await _device(database)

    async def broken(*_: object, **__: object) -> None:
        raise KeyError("61")

    monkeypatch.setattr(ingest, "insert", broken)
    status, receipt = await _post(client, envelope(spo2(61), seq=1))
    assert status == 200
    assert receipt["through"] == 1
    assert [one["error"] for one in receipt["refused"]] == ["not_storable"]
    assert await wards.rows(database, "SELECT 1 FROM quarantine WHERE error = 'not_storable'")
