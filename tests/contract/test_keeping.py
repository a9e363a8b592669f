"""Brokers that run follow the registry: the commands and the jobs that do it, against a real database."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telehealth.brokers import control, dynamic, keeping, mosquitto
from telehealth.store import db, devices, wards
from telehealth.store.db import Database
from tests.acceptance import platform_processes as processes
from tests.conftest import Urls
from tests.contract import brokers
from tests.integration.platform import clients
from tests.support import servers

pytestmark = [pytest.mark.broker, pytest.mark.postgres]
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACTOR = db.operator("tests")


@pytest.fixture
def folder() -> Iterator[Path]:
    with brokers.folder_for_mosquitto() as made:
        yield made / "broker"


async def added(database: Database, device_id: str) -> str:
    """Registers a device; returns its password."""
    async with database.transaction(ACTOR) as connection:
        found = await wards.listing(connection, now=NOW)
        ward = found[0][0] if found else await wards.add(connection, name="W", simulated=False, actor=ACTOR, now=NOW)
        _, word = await devices.add(
            connection, ward_id=ward.id, device_id=device_id, model="", codes=["spo2"], actor=ACTOR, now=NOW
        )
    return word


async def revoked(database: Database, device_id: str) -> None:
    async with database.transaction(ACTOR) as connection:
        await devices.revoke(connection, await devices.find(connection, device_id), actor=ACTOR, now=NOW)


def code(port: int, user: str, word: str) -> str:
    with clients.connected(port, user, word) as client:
        return client.code


async def let_in(port: int, user: str, word: str) -> None:
    """Returns once the device gets in and may use its topics."""
    for _ in range(1000):
        with contextlib.suppress(OSError):
            if await asyncio.to_thread(_usable, port, user, word):
                return
        await asyncio.sleep(0.02)
    raise AssertionError("the broker never let it in")


def _usable(port: int, user: str, word: str) -> bool:
    with clients.connected(port, user, word) as client:
        return not client.code and client.subscribe(f"telehealth/v1/{user}/receipts") == [True]


@contextlib.asynccontextmanager
async def followed(database: Database, keep: keeping.Keep) -> AsyncIterator[None]:
    """The registry is followed inside the block."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeping.follow(database, keep))
        try:
            yield
        finally:
            task.cancel()


async def test_mosquitto_by_commands_and_then_by_itself(database: Database, urls: Urls, folder: Path) -> None:
    """mosquitto-config starts it; afterwards devices come and go while it runs, whatever happens to it."""
    first = await added(database, "ox-1")
    port, own = servers.free_port(), servers.free_port()
    arguments = ["--directory", str(folder), "--port", str(port), "--service-port", str(own), "--dynamic-security"]
    found = await asyncio.to_thread(
        processes.answer,
        "broker",
        "mosquitto-config",
        *arguments,
        "--pid-file",
        str(folder / "data" / "pid"),
        settings={"DATABASE_URL": urls.app},
    )
    assert found["devices"] == 1
    settings = {
        "DATABASE_URL": urls.app,
        "MQTT_URL": found["mqtt_url"],
        "TELEHEALTH_MQTT_ADMIN_URL": found["mqtt_admin_url"],
    }
    word = urllib.parse.urlsplit(found["mqtt_admin_url"]).password
    assert word is not None
    account = control.Account("127.0.0.1", own, dynamic.ADMIN, word)
    plan = mosquitto.Plan(folder, devices=("127.0.0.1", port), service=("127.0.0.1", own))
    keep = keeping.all_of(
        [
            keeping.password_file(folder, ("telehealth", dynamic.ADMIN), folder / "data" / "pid"),
            keeping.dynamic_security(account, "telehealth"),
        ]
    )
    with brokers.started(plan):
        await let_in(port, "ox-1", first)
        again = await asyncio.to_thread(processes.answer, "check", settings=settings)
        assert again[-1]["ok"], again
        async with followed(database, keep):
            second = await added(database, "ox-2")
            await let_in(port, "ox-2", second)

            async def cut() -> None:
                with clients.connected(port, "ox-1", first) as connected:
                    assert connected.code == ""
                    await revoked(database, "ox-1")
                    assert await asyncio.to_thread(connected.gone.wait, clients.SECONDS)

            await cut()
            assert await asyncio.to_thread(code, port, "ox-1", first)
        # By hand: a role too many, one missing, one changed, a client disabled.
        await asyncio.to_thread(tamper, account)
        done = await asyncio.to_thread(
            processes.answer, "broker", "sync", "--directory", str(folder), settings=settings
        )
        assert done == {"devices": 1}
        await let_in(port, "ox-2", second)
        assert await asyncio.to_thread(held, account) == dynamic.wanted(["ox-2"], "telehealth", dynamic.ADMIN)
    # It comes back with an older state.
    third = await added(database, "ox-3")
    with brokers.started(plan):
        assert await asyncio.to_thread(code, port, "ox-3", third)
        passwords = keeping.password_file(folder, ("telehealth", dynamic.ADMIN), folder / "data" / "pid")
        with serving(settings):
            async with followed(database, passwords):
                await let_in(port, "ox-3", third)


@contextlib.contextmanager
def serving(settings: dict[str, str]) -> Iterator[None]:
    """`telehealth serve`, which keeps the roles by itself; it must end well."""
    process = subprocess.Popen(
        [sys.executable, "-m", "telehealth", "serve", "--roles", "ingest"],
        env=processes.environment(**settings),
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(10) == 0


def tamper(account: control.Account) -> None:
    with control.opened(account) as session:
        rogue = [{"acltype": "publishClientSend", "topic": "#", "priority": 0, "allow": True}]
        answers = session.ask(
            [
                {"command": "createRole", "rolename": "device:rogue", "acls": rogue},
                {"command": "createClient", "username": "rogue", "roles": [{"rolename": "device:rogue"}]},
                {"command": "modifyRole", "rolename": "device:ox-2", "acls": rogue},
                {"command": "disableClient", "username": "ox-2"},
                {"command": "setDefaultACLAccess", "acls": [{"acltype": "publishClientSend", "allow": True}]},
            ]
        )
        assert not any("error" in each for each in answers)


def held(account: control.Account) -> dynamic.State:
    with control.opened(account) as session:
        return session.state()


async def test_password_file_alone(database: Database, folder: Path) -> None:
    """Without the plugin the password file follows; Mosquitto throws out who is not in it any more."""
    plan = mosquitto.Plan(
        folder,
        devices=("127.0.0.1", servers.free_port()),
        service=("127.0.0.1", servers.free_port()),
        pid_file=folder / "data" / "pid",
    )
    brokers.set_up(plan, {})
    port = plan.devices[1]
    with brokers.started(plan):
        async with followed(database, keeping.password_file(folder, ("telehealth", dynamic.ADMIN), plan.pid_file)):
            word = await added(database, "ox-1")
            await let_in(port, "ox-1", word)
            with clients.connected(port, "ox-1", word) as connected:
                await revoked(database, "ox-1")
                assert await asyncio.to_thread(connected.gone.wait, clients.SECONDS)


async def test_rabbitmqs_questions(database: Database, urls: Urls) -> None:
    """`broker rabbitmq-auth` answers from the registry as it is now, and denies what it does not understand."""
    word = await added(database, "ox-1")
    with answering(urls) as address:

        async def asked(path: str, **fields: str) -> str:
            return await asyncio.to_thread(_post, f"{address}/{path}", fields)

        login = {"username": "ox-1", "password": word, "client_id": "ox-1"}
        assert await asked("user", **login) == "allow"
        assert await asked("user", **login | {"password": "wrong"}) == "deny"
        assert await asked("user", **login | {"client_id": "ox-2"}) == "deny"
        assert await asked("user", **login | {"client_id": "telehealth-ingest-live"}) == "deny"
        assert await asked("user") == "deny"
        await revoked(database, "ox-1")
        assert await asked("user", **login) == "deny"


@contextlib.contextmanager
def answering(urls: Urls) -> Iterator[str]:
    """A running `broker rabbitmq-auth`; it must end well."""
    port = servers.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "telehealth", "broker", "rabbitmq-auth", "--port", str(port), "--rabbitmqctl", ""],
        env=processes.environment(DATABASE_URL=urls.app),
        stderr=subprocess.DEVNULL,
    )
    try:
        servers.wait_for_port(port, process=process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(10) == 0


def _post(url: str, fields: dict[str, str]) -> str:
    body = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(url, body, timeout=clients.SECONDS) as answer:
        return str(answer.read().decode())


def test_rabbitmq_config(folder: Path) -> None:
    """What it writes is stable; the password is shown once and stays."""
    arguments = ("broker", "rabbitmq-config", "--directory", str(folder))
    made = processes.answer(*arguments, settings={})
    assert made["changed"] == ["rabbitmq.conf", "definitions.json", "enabled_plugins"]
    assert processes.answer(*arguments, settings={})["changed"] == []
    assert processes.answer(*arguments, settings={"MQTT_URL": made["mqtt_url"]})["changed"] == []
    other = processes.answer(*arguments, settings={"MQTT_URL": "mqtt://telehealth:other@127.0.0.1:1884"})
    assert other["changed"] == ["definitions.json"]
    assert "other" not in json.dumps(json.loads((folder / "definitions.json").read_text())["users"])
