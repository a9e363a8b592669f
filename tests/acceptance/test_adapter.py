"""An adapter of somebody else's: a package of its own, installed beside telehealth, taken by HTTP and by MQTT."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.acceptance import platform_processes as processes
from tests.acceptance.platform_processes import answer
from tests.integration.platform import clients
from tests.support import servers

pytestmark = [pytest.mark.postgres, pytest.mark.broker]
ROOT = Path(__file__).parents[2]
BROKEN = """
[build-system]
requires = ["hatchling>=1.27,<2"]
build-backend = "hatchling.build"
[project]
name = "broken-adapter"
version = "1"
[project.entry-points."telehealth.devices"]
example-broken = "broken_adapter:nothing"
[tool.hatch.build.targets.wheel]
only-include = ["broken_adapter.py"]
"""


@pytest.fixture
def settings(postgres_15: servers.Postgres, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of an empty database, with the example and a broken adapter installed in a folder of their own."""

    async def run(text: str) -> None:
        connection = await asyncpg.connect(postgres_15.url("super", "postgres"))
        try:
            await connection.execute(text)
        finally:
            await connection.close()

    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "pyproject.toml").write_text(BROKEN)
    (tmp_path / "broken" / "broken_adapter.py").write_text("")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--target", str(tmp_path / "site")]
    packages = [ROOT / "tests" / "adapters" / "example_oximeter", tmp_path / "broken"]
    subprocess.run([*pip, *offline, *packages], check=True, capture_output=True, timeout=100)
    asyncio.run(run("CREATE DATABASE adapter OWNER telehealth_owner"))
    yield {
        "DATABASE_URL": postgres_15.url("telehealth_app", "adapter"),
        "DATABASE_OWNER_URL": postgres_15.url("telehealth_owner", "adapter"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)]),
    }
    asyncio.run(run("DROP DATABASE adapter WITH (FORCE)"))


def batch(number: int, saturation: str, seconds: int) -> bytes:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=seconds)
    return f"OX1 {number}\n{at.isoformat()} {saturation} 71 moving\n".encode()


def post(url: str, password: str, payload: bytes) -> Any:
    words = base64.b64encode(f"ox-9:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {words}", "Content-Type": "text/plain"}
    with urllib.request.urlopen(urllib.request.Request(url, payload, headers), timeout=10) as response:
        return json.load(response)


def test_an_adapter_installed_as_a_package_of_its_own(settings: dict[str, str]) -> None:
    """Its readings are stored once by either way; one that is broken stops nothing, and is told of."""
    answer("migrate", settings=settings)
    answer("ward", "add", "Elm", settings=settings)
    password = answer("device", "add", "--ward", "Elm", "--id", "ox-9", "--code", "spo2", settings=settings)["password"]
    with servers.mosquitto({"telehealth": "s", "ox-9": password}) as broker:
        settings |= {"MQTT_URL": f"mqtt://telehealth:s@127.0.0.1:{broker.port}"}
        settings |= {"TELEHEALTH_PORT": str(servers.free_port())}
        url = f"http://127.0.0.1:{settings['TELEHEALTH_PORT']}"
        checked = json.loads(processes.telehealth("check", "--json", settings=settings).stdout)
        (trouble,) = [one["trouble"] for one in checked if not one["ok"]]
        assert trouble == "example-broken: cannot be imported: AttributeError"
        first, second = batch(1, "96.50", 40), batch(2, "--", 30)
        with processes.service("serve", settings=settings) as running:
            processes.eventually(lambda: processes.get(f"{url}/readyz")["ready"])
            readings = f"{url}/api/v1/devices/ox-9/readings/example-oximeter"
            assert (post(readings, password, first)["ids"], post(readings, password, first)["ids"]) == (["1"], ["1"])
            refused = post(f"{url}/api/v1/devices/ox-9/readings/example-broken", password, first)["refused"]
            assert [one["error"] for one in refused] == ["format_unknown"]
            with clients.connected(broker.port, "ox-9", password) as device:
                device.subscribe("telehealth/v1/ox-9/receipts")
                for payload, ids in ((first, ["1"]), (second, ["2"])):
                    device.publish("telehealth/v1/ox-9/readings/example-oximeter", payload)
                    got = json.loads(device.next()[1])
                    assert (got["ids"], got["refused"]) == (ids, [])
            assert running.stop() == 0
            told = [json.loads(line) for line in running.log.read_text().splitlines() if "adapter" in line]
    assert [(one["level"], one.get("format"), one.get("formats")) for one in told] == [
        ("warning", "example-broken", None),
        ("info", None, ["example-oximeter"]),
    ]
    stored = asyncio.run(_stored(settings["DATABASE_OWNER_URL"]))
    assert [tuple(row) for row in stored] == [
        ("pulse", 71, None, None, ["motion"]),
        ("spo2", 96.5, "96.50", None, ["motion"]),
        ("pulse", 71, None, None, ["motion"]),
        ("spo2", None, None, "not-performed", ["motion"]),
    ]


async def _stored(url: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(
            await connection.fetch("SELECT code, value, value_sent, absent, flags FROM reading ORDER BY taken_at, code")
        )
    finally:
        await connection.close()
