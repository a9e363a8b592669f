"""From publish to screen: a red reading until its alert is on a clinician's WebSocket, by the whole service."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import os
import secrets
import statistics
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta

import aiohttp
import msgspec
from paho.mqtt.enums import MQTTProtocolVersion

from telehealth import clock, config
from telehealth.bench import load, publisher, servers
from telehealth.errors import Unavailable
from telehealth.ingest import address, mqtt, places
from telehealth.store import db, staff
from telehealth.store.db import Database

_ACTOR = db.operator("bench")


@dataclass(frozen=True)
class Plan:
    """residents: on one ward, on one screen; each becomes red once, evenly over the time."""

    a_second: int = 200
    seconds: int = 20
    residents: int = 200


class Latencies(msgspec.Struct):
    """Milliseconds from publish to the alert on the WebSocket."""

    messages_a_second: int
    seconds: int
    residents_on_the_ward: int
    alerts: int
    p50: float
    p99: float
    longest: float


async def measure(plan: Plan, url: str, broker: servers.Mosquitto) -> Latencies:
    """Publish to the whole service at a steady rate. Raises Unavailable if an alert does not arrive."""
    async with Database.open(url, size=4) as database:
        fleet = await load.fleet(database, plan.residents, prefix="screen")
        token = await _token(database, fleet.ward_id)
    port = servers.free_port()
    async with _service(url, broker, port), aiohttp.ClientSession() as session:
        await _ready(session, port)
        headers = {"Authorization": f"Bearer {token}", "Origin": f"http://127.0.0.1:{port}"}
        async with session.ws_connect(f"http://127.0.0.1:{port}/ws", headers=headers) as socket:
            await socket.send_json({"t": "sub", "wards": [fleet.ward_id], "residents": []})
            return await _measure(plan, fleet, broker, socket)


async def _measure(
    plan: Plan, fleet: load.Fleet, broker: servers.Mosquitto, socket: aiohttp.ClientWebSocketResponse
) -> Latencies:
    published: dict[int, float] = {}
    seen: dict[int, float] = {}
    everything = asyncio.Event()

    async def watch() -> None:
        async for message in socket:
            now = clock.monotonic()
            told = msgspec.json.decode(message.data)
            if told["t"] in ("d", "snap"):
                await socket.send_json({"t": "ack", "seq": told["seq"]})
            elif told["t"] == "event" and told["alert"]["rule"] == "threshold/spo2/low":
                seen.setdefault(int(told["alert"]["resident_id"]), now)
                if len(seen) == plan.residents:
                    everything.set()

    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(watch())
        async with _publisher(broker) as connection:
            await _publish(plan, fleet, connection, published)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(20):
                    await everything.wait()
        watcher.cancel()
    if len(seen) < plan.residents:
        raise Unavailable(f"{plan.residents - len(seen)} of {plan.residents} alerts did not arrive")
    took = sorted((seen[resident] - at) * 1000 for resident, at in published.items())
    return Latencies(
        plan.a_second,
        plan.seconds,
        plan.residents,
        len(took),
        statistics.median(took),
        took[min(len(took) - 1, int(len(took) * 0.99))],
        took[-1],
    )


async def _publish(plan: Plan, fleet: load.Fleet, connection: mqtt.Connection, published: dict[int, float]) -> None:
    """At a steady rate: every device in turn, one of each so many messages is the first red of its resident."""
    count = plan.a_second * plan.seconds
    every = count // plan.residents
    started = clock.monotonic()
    sequence = dict.fromkeys(fleet.device_ids, 0)
    for n in range(count):
        await asyncio.sleep(max(0.0, started + n / plan.a_second - clock.monotonic()))
        red, turn = n % every == 0, n // every
        which = turn % plan.residents if red else (n * 7) % plan.residents
        # Who has been red stays so, and who has not is well: nobody else alarms or clears.
        spo2 = 84 if red or which < turn else 97
        device_id = fleet.device_ids[which]
        sequence[device_id] += 1
        if red and turn < plan.residents:
            published[fleet.resident_ids[which]] = clock.monotonic()
        connection.publish(f"telehealth/v1/{device_id}/readings", _message(sequence[device_id], spo2))


def _message(seq: int, spo2: int) -> bytes:
    now = clock.real_now().astimezone(UTC)
    taken, sent = (at.isoformat(timespec="milliseconds") for at in (now - timedelta(milliseconds=5), now))
    return (
        f'{{"stream":"screen","seq":{seq},"sent_at":"{sent}","readings":['
        f'{{"code":"spo2","value":{spo2},"unit":"%","taken_at":"{taken}"}},'
        f'{{"code":"pulse","value":72,"unit":"/min","taken_at":"{taken}"}}]}}'
    ).encode()


@contextlib.asynccontextmanager
async def _publisher(broker: servers.Mosquitto) -> AsyncIterator[mqtt.Connection]:
    async with mqtt.connect(
        address.parse(broker.url),
        ["telehealth/v1/bench/receipts"],
        client_id="bench-screen",
        window=100,
        protocol=MQTTProtocolVersion.MQTTv5,
        received=lambda *_: None,
        sent=lambda: None,
    ) as connection:
        yield connection


async def _token(database: Database, ward_id: int) -> str:
    now = clock.real_now()
    async with database.transaction(_ACTOR) as connection:
        await staff.add(
            connection,
            username="bench",
            display_name="Bench",
            role="clinician",
            wards=[ward_id],
            password=secrets.token_urlsafe(32),
            actor=_ACTOR,
            now=now,
        )
        token, _ = await staff.create_token(connection, username="bench", name="bench", days=1, actor=_ACTOR, now=now)
        return token


@contextlib.asynccontextmanager
async def _service(url: str, broker: servers.Mosquitto, port: int) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telehealth", "serve", "--port", str(port)),
        env=os.environ | {"DATABASE_URL": url, "MQTT_URL": broker.url, "TELEHEALTH_LOG_LEVEL": "error"},
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()
        for number in range(config.Settings.model_fields["ingest_slots"].default):
            for place in places.of_slot(places.slot(number)):
                await publisher.forget(broker.port, place.client_id)


async def _ready(session: aiohttp.ClientSession, port: int) -> None:
    for _ in _pauses(30):
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                if response.status == 200:
                    return
        await asyncio.sleep(0.1)
    raise Unavailable("the service does not become ready")


def _pauses(seconds: float) -> Iterator[None]:
    deadline = clock.monotonic() + seconds
    while clock.monotonic() < deadline:
        yield
