"""From the broker to the tables and back to the device, on Mosquitto and on the embedded broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import cbor2
import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from telehealth import clock, metrics
from telehealth.brokers import embedded, rules
from telehealth.model import secrets
from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.ingest import sessions, wards
from tests.integration.ingest.sessions import Broker, Device
from tests.integration.ingest.wards import envelope, spo2
from tests.support import servers, world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

_PASSWORD = "p@ss/word%"


@pytest.fixture(params=["mosquitto", "embedded"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """Both brokers; the embedded one with credentials that need escaping."""
    if request.param == "mosquitto":
        with servers.mosquitto() as server:
            yield Broker(server.port)
        return
    port = servers.free_port()
    hashed = secrets.hash_device_password(_PASSWORD)

    async def lookup(device_id: str) -> str | None:
        return hashed

    class Passwords(dict[str, str]):
        def get(self, user: str, default: object = None) -> str:
            return _PASSWORD

    async with embedded.running(port, lookup, _PASSWORD):
        yield Broker(port, Passwords(), MQTTProtocolVersion.MQTTv311)


@pytest.fixture(params=["postgres_18"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    """The brokers do not care which PostgreSQL it is."""
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


async def _assigned(database: Database, device_id: str = "oximeter-1") -> world.Device:
    ward = await world.ward(database)
    long_ago = clock.real_now() - timedelta(days=2)
    resident = await world.resident(database, ward, admitted_at=long_ago)
    return await world.device(database, ward, device_id, resident=resident, assigned_from=long_ago)


def _now_spo2(value: object, n: int = 0) -> dict[str, object]:
    return spo2(value, at=clock.real_now() - timedelta(seconds=n + 1))


def _sent(*readings: dict[str, object], seq: int | None = 1, **more: Any) -> bytes:
    return envelope(*readings, seq=seq, **({"sent_at": wards.rfc3339(clock.real_now())} | more))


async def test_both_lanes_and_the_status_arrive(database: Database, broker: Broker) -> None:
    """A live and a backlog message are stored and answered; what the device says of itself is kept."""
    known = await _assigned(database)
    async with (
        sessions.ingest(database, broker, user=rules.SERVICE),
        Device(known.device_id).connected(broker) as device,
    ):
        device.publish(_sent(_now_spo2(81), seq=1))
        await device.answered(lambda receipt: receipt["through"] == 1)
        device.publish(_sent(_now_spo2(95, 3600), seq=2), "backlog")
        await device.answered(lambda receipt: receipt["through"] == 2)
        device.publish(b'{"online":true,"battery":0.83,"firmware":"1.4.2"}', "status")
        device.publish(_sent(_now_spo2(96), seq=3))
        await device.answered(lambda receipt: receipt["through"] == 3)
    assert len(await wards.rows(database, "SELECT 1 FROM reading WHERE resident_id IS NOT NULL")) == 3
    (contact,) = await wards.rows(database, "SELECT * FROM device_contact")
    assert contact["status"] == {"online": True, "battery": 0.83, "firmware": "1.4.2", "sent_at": None}
    assert contact["status_at"] is not None


async def test_every_delivery_of_a_duplicate_is_answered(database: Database, broker: Broker) -> None:
    """Ten times the same message: stored once, and a receipt each time that it is sent again."""
    known = await _assigned(database)
    payload = _sent(_now_spo2(81))
    async with (
        sessions.ingest(database, broker, user=rules.SERVICE),
        Device(known.device_id).connected(broker) as device,
    ):
        for _ in range(10):
            device.receipts.clear()
            device.publish(payload)
            receipt = await device.answered(lambda receipt: receipt["through"] == 1)
            assert receipt["stream"] == "s1"
            assert receipt["refused"] == []
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 1


async def test_bad_messages_are_answered_and_stop_nobody(database: Database, broker: Broker) -> None:
    """Every kind of bad message gets its reason, then a good one works."""
    known = await _assigned(database)
    bad = {
        "payload_too_large": _sent(_now_spo2(97), seq=1, pad="x" * 300_000),
        "value_not_number": _sent(_now_spo2("98"), seq=2),
        "unit_unknown": _sent(_now_spo2(97) | {"unit": "furlong"}, seq=3),
        "not_utf8": _sent(_now_spo2(97), seq=4).replace(b'"%"', b'"\xff"'),
        "value_not_finite": _sent(_now_spo2(12345), seq=5).replace(b"12345", b"NaN"),
        "format_unknown": _sent(_now_spo2(97), seq=6),
    }
    async with (
        sessions.ingest(database, broker, user=rules.SERVICE),
        Device(known.device_id).connected(broker) as device,
    ):
        for error, payload in bad.items():
            device.publish(payload, "readings/hl7v2" if error == "format_unknown" else "readings")
        device.publish(_sent(_now_spo2(96), seq=7))
        await device.answered(lambda receipt: receipt["through"] == 7)
        found = {refused["seq"]: refused["error"] for receipt in device.receipts for refused in receipt["refused"]}
        assert [found[seq] for seq in range(1, 7)] == list(bad)
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 1
    assert len(await wards.rows(database, "SELECT 1 FROM quarantine")) == 6


def _unsettled() -> float:
    """Messages of the live lane that were taken from the broker and are not committed."""
    return metrics.REGISTRY.get_sample_value("telehealth_unsettled_messages", {"lane": "live"}) or 0.0


async def test_a_database_that_comes_back(urls: Urls, broker: Broker) -> None:
    """While it is away nothing is acknowledged, memory is bounded and health says so; then everything arrives."""
    gate = sessions.Gate(urls.app)
    window = 8
    async with Database.open(urls.app) as direct, gate.running(), Database.open(gate.url) as database:
        known = await _assigned(direct)
        running = sessions.ingest(database, broker, user=rules.SERVICE, ingest_window=window)
        async with running as health, Device(known.device_id).connected(broker) as device:
            device.publish(_sent(_now_spo2(96), seq=1))
            await device.answered(lambda receipt: receipt["through"] == 1)
            gate.shut()
            for seq in range(2, 42):
                device.publish(_sent(_now_spo2(96, seq), seq=seq))
            await sessions.until(lambda: health.parts()["ingest"] is not None)
            await sessions.until(lambda: _unsettled() >= window)
            assert _unsettled() <= window + 1
            device.receipts.clear()
            gate.open()
            # the embedded broker gives up what was not acknowledged: the device sends again, as devices do
            settled = set[int]()
            while len(settled) < 41:
                device.receipts.clear()
                for seq in set(range(1, 42)) - settled:
                    device.publish(_sent(_now_spo2(96, seq), seq=seq))
                receipt = await device.answered(lambda receipt: receipt["through"] or receipt["also"])
                for low, high in [(1, receipt["through"]), *receipt["also"]]:
                    settled |= set(range(low, high + 1))
            await sessions.until(lambda: health.ready)
        found = await wards.rows(direct, "SELECT DISTINCT seq FROM reading")
        assert {row["seq"] for row in found} == set(range(1, 42))


async def test_a_broker_that_comes_back(database: Database) -> None:
    """While it is away health says so; then the service is there again by itself."""
    known = await _assigned(database)
    with servers.mosquitto() as server:
        place = Broker(server.port)
        async with sessions.ingest(database, place) as health:
            await asyncio.to_thread(server.stop, signal_number=9)
            await sessions.until(lambda: health.parts()["broker"] is not None)
            await asyncio.to_thread(server.start)
            await sessions.until(lambda: health.parts()["broker"] is None)
            async with Device(known.device_id).connected(place) as device:
                device.publish(_sent(_now_spo2(96), seq=1))
                await device.answered(lambda receipt: receipt["through"] == 1)


async def test_what_waited_at_the_broker_arrives_after_a_stop(database: Database) -> None:
    """The session outlives the service: messages sent while it is stopped are there when it starts again."""
    known = await _assigned(database)
    with servers.mosquitto() as server:
        place = Broker(server.port)
        async with sessions.ingest(database, place):
            pass
        async with Device(known.device_id).connected(place) as device:
            for seq in range(1, 101):
                device.publish(_sent(_now_spo2(96, seq), seq=seq))
            async with sessions.ingest(database, place, ingest_window=10):
                await device.answered(lambda receipt: receipt["through"] == 100)
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 100


async def test_the_content_type_names_the_format(database: Database) -> None:
    """Where the topic does not (MQTT 5); one that is not known is taken for the native format."""
    known = await _assigned(database)
    with servers.mosquitto() as server:
        place = Broker(server.port)
        async with sessions.ingest(database, place), Device(known.device_id).connected(place) as device:
            for seq, said in enumerate(("application/json", "application/cbor", "image/png"), start=1):
                native = _sent(_now_spo2(96, seq), seq=seq)
                payload = cbor2.dumps(json.loads(native)) if said == "application/cbor" else native
                publisher = await asyncio.create_subprocess_exec(
                    *("mosquitto_pub", "-h", "127.0.0.1", "-p", str(server.port), "-V", "5", "-q", "1", "-s"),
                    *("-t", f"telehealth/v1/{known.device_id}/readings", "-D", "publish", "content-type", said),
                    stdin=asyncio.subprocess.PIPE,
                )
                await publisher.communicate(payload)
            receipt = await device.answered(lambda receipt: receipt["through"] == 3)
            assert receipt["refused"] == []
    assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 3
