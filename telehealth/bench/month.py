"""The simulator's figures: a month of a ward through the whole service, and many devices held by one process."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from alerts import pathways
from telehealth import clock
from telehealth.bench import load, processes, servers, stepped
from telehealth.errors import Unavailable
from telehealth.model.people import NewResident
from telehealth.store import clock as clock_row
from telehealth.store import db, devices, residents, wards
from telehealth.store.db import Database

_ACTOR = db.operator("bench")
_START = datetime(2026, 3, 2, tzinfo=UTC)
_PATHWAY = "frailty"
_CODES = ("spo2", "pulse", "systolic", "diastolic", "temperature", "resp_rate")
_TIMES = ("08:00", "14:00", "20:00")


@dataclass(frozen=True)
class Plan:
    """days and residents of the month; connections, messages a second and seconds of the load."""

    days: float = 30
    residents: int = 50
    connections: int = 10_000
    every: float = 60.0
    a_second: int = 2000
    seconds: int = 30


class Month(msgspec.Struct):
    """messages: settled by the service; alerts: that it raised."""

    days: float
    residents: int
    seconds: float
    days_a_minute: float
    messages: int
    readings: int
    lost: int
    alerts: int
    service_bytes: int


class Held(msgspec.Struct):
    """Of `telehealth-sim load` against Mosquitto, a message settled by its PUBACK; cores and bytes of that process."""

    devices: int
    connected: int
    wanted_a_second: float
    made_a_second: float
    seconds: float
    messages: int
    lost: int
    puback_p50_ms: float
    puback_p99_ms: float
    cores: float
    bytes: int


class Simulated(msgspec.Struct):
    month: Month
    #: A message a minute of each; the most messages a second that are asked of one process.
    many: Held
    quick: Held


async def measure(plan: Plan, url: str, broker: servers.Mosquitto, *, progress: Callable[[str], None]) -> Simulated:
    """Raises Unavailable where something is lost."""
    progress(f"simulator: {plan.days:g} days of {plan.residents} residents through the service")
    month = await _month(plan, url, broker)
    progress(f"simulator: {plan.connections:,} devices, a message in {plan.every:g} s each, for {plan.seconds} s")
    many = await _held(plan.connections, plan.connections / plan.every, plan.seconds, broker)
    progress(f"simulator: {plan.a_second:,} messages/s from one process for {plan.seconds} s")
    quick = await _held(min(2000, plan.connections), plan.a_second, plan.seconds, broker)
    return Simulated(month, many, quick)


# A month ------------------------------------------------------------------------------------------


async def _month(plan: Plan, url: str, broker: servers.Mosquitto) -> Month:
    async with Database.open(url, size=2) as database:
        world = await _world(database, plan.residents)
    token = secrets.token_urlsafe(16)
    async with _serving(url, broker, token) as service:
        began = clock.monotonic()
        told = await _simulator(
            [
                *("run", "--devices", "-", "--url", service.url, "--mqtt", f"127.0.0.1:{broker.port}"),
                *("--start", _START.isoformat(), "--duration", f"{plan.days:g}d", "--speed", "max", "--json"),
            ],
            json.dumps(world).encode(),
            {stepped.TOKEN: token},
        )
        seconds = clock.monotonic() - began
    await processes.forget_sessions(broker)
    async with Database.open(url, size=1) as database, database.transaction(_ACTOR, read_only=True) as connection:
        found = await connection.fetchval("SELECT count(*) FROM alert")
    return Month(
        plan.days, plan.residents, seconds, 60 * plan.days / seconds, told["settled_messages"], told["readings"],
        told["unsettled_messages"], found, service.most_bytes,
    )  # fmt: skip


async def _world(database: Database, count: int) -> list[dict[str, Any]]:
    """Residents on a whole pathway with a kit each, in virtual time; the file of devices of them."""
    pathway = pathways.load(_PATHWAY)
    rules = pathways.compile(pathway).to_json()
    expected = {code: {"times": list(_TIMES), "grace_minutes": 120} for code in _CODES}
    found = []
    async with database.transaction(_ACTOR) as connection:
        await clock_row.begin_virtual(connection, _START)
        ward = await wards.add(connection, name="Ward month", simulated=True, actor=_ACTOR, now=_START)
        for n, number in zip(range(count), load.nhs_numbers("month"), strict=False):
            new = NewResident(
                ward_id=ward.id,
                family_name=f"Month{n}",
                given_name="Resident",
                title=None,
                gender="not known",
                born=date(1944, 1, 1),
                nhs_number=number,
                zone="Europe/London",
                pathway=pathway.name,
                pathway_version=pathway.version,
                schedule=expected,
                rules=rules,
                admitted_at=_START,
            )
            await residents.add(connection, new, actor=_ACTOR, now=_START)
            name = f"month-{n:03d}"
            device, password = await devices.add(
                connection, ward_id=ward.id, device_id=name, model="", codes=_CODES, actor=_ACTOR, now=_START
            )
            resident = await residents.find(connection, number)
            await devices.assign(connection, device, resident, since=_START, until=None, actor=_ACTOR, now=_START)
            person = {"key": number, "pathway": pathway.name, "seed": n, "schedule": expected}
            found.append({"device_id": name, "password": password, "codes": list(_CODES), "resident": person})
    return found


@contextlib.asynccontextmanager
async def _serving(url: str, broker: servers.Mosquitto, token: str) -> AsyncIterator[processes.Service]:
    port = servers.free_port()
    settings = {"DATABASE_URL": url, "MQTT_URL": broker.url, "TELEHEALTH_PORT": str(port), stepped.TOKEN: token}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telehealth.bench.stepped"),
        env=os.environ | settings | {"TELEHEALTH_ROLES": "ingest,alerting,web", "TELEHEALTH_LOG_LEVEL": "error"},
    )
    async with processes.watched(process, port) as service:
        yield service


# A load -------------------------------------------------------------------------------------------


async def _held(devices: int, a_second: float, seconds: int, broker: servers.Mosquitto) -> Held:
    world = [{"device_id": f"load-{n:05d}", "password": "x"} for n in range(devices)]
    told = await _simulator(
        [
            *("load", "--devices", "-", "--mqtt", f"127.0.0.1:{broker.port}", "--rate", f"{a_second:g}"),
            *("--duration", str(seconds), "--ramp", f"{devices / 500:g}", "--no-receipts", "--json"),
        ],
        json.dumps(world).encode(),
        {},
    )
    return Held(
        told["devices"], told["connected"], told["wanted_a_second"], told["made_a_second"], told["seconds"],
        told["messages"], told["lost"], told["puback_ms"]["p50"], told["puback_ms"]["p99"], told["cores"],
        told["memory_bytes"],
    )  # fmt: skip


async def _simulator(arguments: Sequence[str], given: bytes, environment: dict[str, str]) -> dict[str, Any]:
    """What telehealth-sim answers with --json. Raises Unavailable with its last line."""
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "simulator", *arguments),
            env=os.environ | environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
        )
        try:
            out, _ = await process.communicate(given)
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise Unavailable(f"telehealth-sim {arguments[0]}: {lines[-1] if lines else 'failed'}")
    found: dict[str, Any] = json.loads(out)
    return found
