"""The same world, seed, script and start make the same messages: at two speeds through a real service, and without."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.simulator import whole
from tests.support import servers, world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

START = datetime(2026, 11, 10, 5, 0, tzinfo=UTC)
SCHEDULE = {code: {"times": ["07:00", "11:00", "15:00"], "grace_minutes": 90} for code in ("spo2", "pulse", "systolic")}
#: Something of every stage, on the way too.
FAULTS = (
    "motion:ox-1:share=0.5", "could_not_measure:cuff-1:share=0.3", "clock_skew:cuff-1:seconds=300@2h..5h",
    "wifi_outage:r2@1h..4h", "duplicated:ox-1:times=2", "reordered:ox-2:seconds=9000", "malformed:ox-1@3h..3.05h",
    "reconnect_storm:r1@5h..5.1h",
)  # fmt: skip


async def command(*arguments: str | Path) -> tuple[int | None, str, str]:
    environment = {**os.environ, "TELEHEALTH_CONTROL_TOKEN": whole.TOKEN}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, stdout=-1, stderr=-1, env=environment
    )
    async with asyncio.timeout(100):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def registered(database: Database, port: int, folder: Path) -> Path:
    """Two residents with two devices each, known to the service; the file of devices."""
    ward = await world.ward(database)
    devices: list[dict[str, Any]] = []
    for number in (1, 2):
        resident = await world.resident(database, ward, admitted_at=START.replace(day=1))
        person = {"key": f"r{number}", "pathway": "copd", "age": 80, "schedule": SCHEDULE, "zone": "UTC"}
        for name, codes in ((f"ox-{number}", ["spo2", "pulse"]), (f"cuff-{number}", ["systolic", "diastolic"])):
            await world.device(database, ward, name, resident=resident, assigned_from=START.replace(day=1))
            devices.append({"device_id": name, "password": "", "codes": codes, "resident": person})
    path = folder / "devices.json"
    path.write_text(json.dumps({"mqtt": {"host": "127.0.0.1", "port": port}, "devices": devices}))
    return path


@pytest.mark.parametrize("speed", ["max", "14400"])
async def test_what_is_created_is_the_same_at_any_speed_and_without_a_service(
    database: Database, urls: Urls, tmp_path: Path, speed: str
) -> None:
    options = [
        "--start", START.isoformat(), "--duration", "36h", "--seed", "11", "--scenario", "sepsis_urine", "--realistic",
        *(word for fault in FAULTS for word in ("--fault", fault)),
    ]  # fmt: skip
    with servers.mosquitto() as broker:
        devices = await registered(database, broker.port, tmp_path)
        async with whole.running(urls.app, broker.port, START) as service:
            through: list[str | Path] = [
                "--speed",
                speed,
                "--url",
                service.url,
                "--created",
                tmp_path / "a",
                "--truth",
                tmp_path / "at",
                "--csv",
                tmp_path / "ac",
            ]
            through += ["--resends", tmp_path / "again", "--json"]
            status, told, trouble = await command("run", "--devices", devices, *options, *through)
            assert status == 0, trouble
            summary = json.loads(told)
            assert (summary["unsettled_messages"], summary["refused"]) == (0, 0)
            async with database.transaction(world.ACTOR) as connection:
                stored = await connection.fetchval("SELECT count(*) FROM reading")
                quarantined = await connection.fetchval("SELECT count(*) FROM quarantine")
    status, told, trouble = await command(
        "record",
        tmp_path / "b",
        "--devices",
        devices,
        *options,
        "--truth",
        tmp_path / "bt",
        "--csv",
        tmp_path / "bc",
        "--json",
    )
    assert status == 0, trouble
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "at").read_bytes() == (tmp_path / "bt").read_bytes()
    assert (tmp_path / "ac").read_bytes() == (tmp_path / "bc").read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "a").read_text().splitlines()]
    kept = [line for line in lines if line["stream"] is not None]
    assert stored == sum(len(line["payload"]["readings"]) for line in kept) > 20
    assert quarantined > 3
    assert all("oldest" not in line["payload"] for line in kept)
    # Everything of the first device was sent three times; the resends stand apart.
    again = [json.loads(line) for line in (tmp_path / "again").read_text().splitlines()]
    assert {entry["device_id"] for entry in again} >= {"ox-1"}
    assert {"backlog", "readings"} <= {line["lane"] for line in lines}
