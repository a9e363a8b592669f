"""telehealth in production: migrate, the registry by command, Mosquitto's configuration, check, serve."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from alerts import pathways
from tests.acceptance import platform_processes as processes
from tests.acceptance.platform_processes import answer, message, spo2
from tests.integration.platform import clients
from tests.support import servers, world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]


@pytest.fixture
def settings(postgres_15: servers.Postgres) -> Iterator[dict[str, str]]:
    """Addresses of an empty database on the oldest PostgreSQL that is supported."""

    async def run(text: str) -> None:
        connection = await asyncpg.connect(postgres_15.url("super", "postgres"))
        try:
            await connection.execute(text)
        finally:
            await connection.close()

    asyncio.run(run("CREATE DATABASE acceptance OWNER telehealth_owner"))
    yield {
        "DATABASE_URL": postgres_15.url("telehealth_app", "acceptance"),
        "DATABASE_OWNER_URL": postgres_15.url("telehealth_owner", "acceptance"),
    }
    asyncio.run(run("DROP DATABASE acceptance WITH (FORCE)"))


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="th-serve-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_from_an_empty_database_to_an_alert(settings: dict[str, str], folder: Path) -> None:
    """Every command of docs/operations.md in its order; then a red reading is an alert; SIGTERM ends it."""
    before = processes.telehealth("serve", settings={**settings, "MQTT_URL": "mqtt://a:b@127.0.0.1:1"})
    assert before.returncode == 1
    assert "telehealth migrate" in before.stderr
    assert answer("migrate", settings=settings)["applied"]
    answer("ward", "add", "Ash", settings=settings)
    number = world.nhs_number(77)
    answer(
        "resident", "add", "--name", "Test, Anna", "--born", "1941-08-14", "--nhs-number", number, "--ward", "Ash",
        "--pathway", f"copd@{pathways.load('copd').version}", "--schedule", "pathway", "--zone", "Europe/London",
        settings=settings,
    )  # fmt: skip
    answer("user", "add", "nurse", "--role", "clinician", "--ward", "Ash", settings=settings)
    token = answer("token", "create", "--user", "nurse", settings=settings)["token"]
    ox = answer("device", "add", "--ward", "Ash", "--id", "ox-1", "--code", "spo2", settings=settings)
    answer("device", "assign", "ox-1", "--resident", number, settings=settings)

    port, service_port, web_port = servers.free_port(), servers.free_port(), servers.free_port()
    directory = folder / "broker"
    arguments = ("broker", "mosquitto-config", "--directory", str(directory), "--port", str(port))
    written = answer(*arguments, "--service-port", str(service_port), settings=settings)
    settings |= {"MQTT_URL": written["mqtt_url"], "TELEHEALTH_PORT": str(web_port)}
    assert answer(*arguments, settings=settings)["changed"] == []
    mosquitto = subprocess.Popen(["mosquitto", "-c", written["configuration"]], stderr=subprocess.DEVNULL)
    try:
        servers.wait_for_port(service_port, process=mosquitto)
        assert all(check["ok"] for check in answer("check", settings=settings))
        with processes.service("serve", settings=settings) as running:
            url = f"http://127.0.0.1:{web_port}"
            processes.eventually(lambda: processes.get(f"{url}/readyz")["ready"])
            with clients.connected(port, "ox-1", ox["password"]) as device:
                device.subscribe("telehealth/v1/ox-1/receipts")
                device.publish("telehealth/v1/ox-1/readings", message(1, spo2(80)))
                assert json.loads(device.next()[1])["through"] == 1
            (alert,) = processes.eventually(
                lambda: [
                    a for a in processes.get(f"{url}/api/v1/alerts", token)["items"] if a["rule"].startswith("thre")
                ]
            )
            assert (processes.digits(alert["nhs_number"]), alert["priority"]) == (number, "high")
            with clients.connected(port, "ox-1", "wrong") as refused:
                assert refused.code
            assert running.stop(signal.SIGTERM) == 0
    finally:
        mosquitto.terminate()
        mosquitto.wait(10)
    failed = processes.telehealth("check", "--json", settings=settings)
    assert failed.returncode == 1
    (trouble,) = [check["trouble"] for check in json.loads(failed.stdout) if not check["ok"]]
    assert trouble.startswith("MQTT_URL: ")


def test_a_database_that_comes_later_is_waited_for(settings: dict[str, str]) -> None:
    """After a power cut the service may be there first: it says what it waits for, goes on then, and can be stopped."""
    answer("migrate", settings=settings)
    real, port, web_port = urlsplit(settings["DATABASE_URL"]), servers.free_port(), servers.free_port()
    late = settings | {
        "DATABASE_URL": real._replace(netloc=real.netloc.replace(f":{real.port}", f":{port}")).geturl(),
        "TELEHEALTH_PORT": str(web_port),
        "TELEHEALTH_ROLES": "web",
    }
    with processes.service("serve", settings=late) as running:
        processes.eventually(lambda: "waiting for it" in running.log.read_text())
        assert running.stop(signal.SIGTERM) == 0
    with processes.service("serve", settings=late) as running:
        processes.eventually(lambda: "waiting for it" in running.log.read_text())
        with _passing_on(port, (str(real.hostname), int(real.port or 5432))):
            processes.eventually(lambda: processes.get(f"http://127.0.0.1:{web_port}/healthz"))
            assert running.stop(signal.SIGTERM) == 0


@contextlib.contextmanager
def _passing_on(port: int, to: tuple[str, int]) -> Iterator[None]:
    """A port at which the database can be reached while the block runs."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*to)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    async def serve(ready: threading.Event) -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", port)
        ready.set()
        await asyncio.to_thread(over.wait)
        server.close()

    ready, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(ready)))
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_wrong_setting_is_one_line(settings: dict[str, str]) -> None:
    """Missing or wrong: the setting's name, status 2, nothing opened; secrets are not repeated."""
    broker = {"MQTT_URL": "mqtt://a:sesame@127.0.0.1:1"}
    cases = {
        "DATABASE_URL": broker,
        "MQTT_URL": settings,
        "TELEHEALTH_ROLES": {**settings, **broker, "TELEHEALTH_ROLES": "ingest,sesame"},
        "TELEHEALTH_PORT": {**settings, **broker, "TELEHEALTH_PORT": "sesame"},
    }
    for name, given in cases.items():
        done = processes.telehealth("serve", settings=given)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        assert done.stderr.startswith(f"telehealth: {name}: ")
        assert "sesame" not in done.stderr
