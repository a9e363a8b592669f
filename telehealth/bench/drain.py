"""Bare and durable drains of the same preload, in turn."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from paho.mqtt.enums import MQTTProtocolVersion

from telehealth import clock
from telehealth.bench import bare, load, processes, publisher, servers, storage
from telehealth.bench.durable import Result
from telehealth.bench.storage import Storage
from telehealth.errors import Unavailable
from telehealth.ingest import address, mqtt
from telehealth.store import db
from telehealth.store.db import Database
from telehealth.store.queries import sql

#: Unacknowledged messages, of both drains.
WINDOW = 4000
_LONGEST_SECONDS = 300.0
_ACTOR = db.operator("bench")


@dataclass(frozen=True)
class Plan:
    """How much to do. messages: of two readings each."""

    messages: int = 100_000
    devices: int = 1000
    runs: int = 5
    whole_pathways: bool = False  #: of the residents, in turn; else two thresholds and the score

    @property
    def per_device(self) -> int:
        return max(1, self.messages // self.devices)


class Drains(msgspec.Struct):
    """Messages a second of each run and what follows from them."""

    messages: int
    devices: int
    readings_per_message: int
    whole_pathways: bool
    receive_maximum: int
    bare: list[float]
    durable: list[float]
    #: Until the last receipt, before the last episode.
    durable_receipts: list[float]
    bare_median: float
    durable_median: float
    ratio: float
    storage: Storage


async def measure(
    plan: Plan, url: str, broker: servers.Mosquitto, *, progress: Callable[[str], None] = lambda _: None
) -> Drains:
    """Run bare and durable alternately. Raises Unavailable when a reading is missing afterwards."""
    async with Database.open(url, size=4) as database:
        fleet = await load.fleet(database, plan.devices, whole_pathways=plan.whole_pathways)
        await _settle_down(url)
        async with database.transaction(_ACTOR, read_only=True) as connection:
            since = await storage.position(connection)
        bare_rates, durable_rates, receipt_rates = [], [], []
        count = plan.per_device * plan.devices
        for n in range(plan.runs):
            bare_rates.append(count / await _bare(broker.port, _messages(plan, fleet.device_ids, n)))
            result = await _durable(url, broker, _messages(plan, fleet.device_ids, n))
            durable_rates.append(count / result.episodes)
            receipt_rates.append(count / result.receipts)
            progress(f"run {n + 1}: bare {bare_rates[-1]:,.0f} messages/s, durable {durable_rates[-1]:,.0f}")
        await _check(database, plan)
        async with database.transaction(_ACTOR, read_only=True) as connection:
            stored = await storage.measure(connection, since, 0)
    bare_median, durable_median = statistics.median(bare_rates), statistics.median(durable_rates)
    return Drains(
        messages=count,
        devices=plan.devices,
        readings_per_message=2,
        whole_pathways=plan.whole_pathways,
        receive_maximum=WINDOW,
        bare=bare_rates,
        durable=durable_rates,
        durable_receipts=receipt_rates,
        bare_median=bare_median,
        durable_median=durable_median,
        ratio=durable_median / bare_median,
        storage=stored,
    )


def _messages(plan: Plan, device_ids: Sequence[str], run: int) -> list[tuple[str, bytes]]:
    """A run takes longer than its messages, so that those of the next are all newer."""
    return list(load.messages(device_ids, plan.per_device, stream=f"run{run}", last_at=clock.real_now()))


async def _bare(port: int, messages: Sequence[tuple[str, bytes]]) -> float:
    await _process("telehealth.bench.bare", str(port), "0", str(WINDOW))
    await publisher.publish(port, messages)
    said = await _process("telehealth.bench.bare", str(port), str(len(messages)), str(WINDOW))
    await publisher.forget(port, bare.CLIENT_ID)
    return float(said)


async def _durable(url: str, broker: servers.Mosquitto, messages: Sequence[tuple[str, bytes]]) -> Result:
    await subscribe(broker)
    await publisher.publish(broker.port, messages)
    said = await _process(
        "telehealth.bench.durable",
        str(len(messages)),
        environment={"DATABASE_URL": url, "MQTT_URL": broker.url, "TELEHEALTH_INGEST_WINDOW": str(WINDOW)},
    )
    await processes.forget_sessions(broker)
    return msgspec.json.decode(said, type=Result)


async def _settle_down(url: str) -> None:
    """Let the admissions be evaluated before anything is measured."""
    await _process("telehealth.bench.durable", "0", environment={"DATABASE_URL": url, "MQTT_URL": "mqtt://127.0.0.1:1"})


async def subscribe(broker: servers.Mosquitto) -> None:
    """Make the sessions that the service will find."""
    for place in processes.sessions():
        async with mqtt.connect(
            address.parse(broker.url),
            place.wanted(shares=True),
            client_id=place.client_id,
            window=WINDOW,
            protocol=MQTTProtocolVersion.MQTTv5,
            received=lambda *_: None,
            sent=lambda: None,
        ):
            pass


async def _process(module: str, *arguments: str, environment: dict[str, str] | None = None) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        env=os.environ | (environment or {}),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        raise Unavailable(f"{module} does not come to an end") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Unavailable(f"{module} ended with status {process.returncode}")
    return said


async def _check(database: Database, plan: Plan) -> None:
    """Every reading is there, or the figures mean nothing."""
    wanted = plan.runs * 2 * plan.per_device * plan.devices
    async with database.transaction(_ACTOR, read_only=True) as connection:
        found = await connection.fetchval(sql("bench.readings"))
    if found != wanted:
        raise Unavailable(f"{found} readings are stored, {wanted} were sent")
