"""The Mosquitto set-up that we write, in a real Mosquitto."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from telehealth.brokers import mosquitto
from telehealth.errors import SettingError
from telehealth.model import secrets
from tests.integration.platform import clients
from tests.support import servers

pytestmark = pytest.mark.broker

DEVICES = {name: secrets.hash_device_password(f"secret of {name}") for name in ("ox-1", "ox-2")}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that Mosquitto's account can reach, which pytest's own is not."""
    made = Path(tempfile.mkdtemp(prefix="th-mosquitto-", dir="/tmp"))
    made.chmod(0o755)
    yield made / "broker"
    shutil.rmtree(made)


def plan(folder: Path) -> mosquitto.Plan:
    return mosquitto.Plan(
        folder,
        devices=("127.0.0.1", servers.free_port()),
        service=("127.0.0.1", servers.free_port()),
        pid_file=folder / "data" / "pid",
    )


def write(wanted: mosquitto.Plan, devices: dict[str, str], password: str | None = "service") -> list[str]:
    stored, _ = mosquitto.account_hash(wanted.directory, wanted.service_user, password)
    return mosquitto.write(
        wanted,
        {
            mosquitto.PASSWORDS: mosquitto.passwords(devices, {wanted.service_user: stored}),
            mosquitto.TOPICS: mosquitto.topics(wanted.service_user),
            mosquitto.CONFIGURATION: mosquitto.configuration(wanted),
        },
    )


@contextlib.contextmanager
def running(wanted: mosquitto.Plan) -> Iterator[tuple[int, int]]:
    """Devices' and service's port of a Mosquitto with this set-up."""
    assert wanted.service is not None
    process = subprocess.Popen(
        ["mosquitto", "-c", wanted.directory / mosquitto.CONFIGURATION], stderr=subprocess.DEVNULL
    )
    try:
        for port in (wanted.devices[1], wanted.service[1]):
            servers.wait_for_port(port, process=process)
        yield wanted.devices[1], wanted.service[1]
    finally:
        process.terminate()
        process.wait(10)


def test_who_gets_in_and_what_reaches_whom(folder: Path) -> None:
    """Passwords and topic rules hold; what is published to another device's topic reaches nobody."""
    wanted = plan(folder)
    write(wanted, DEVICES)
    with running(wanted) as (port, service_port):
        for user, password in (("ox-1", "wrong"), ("nobody", "secret of ox-1"), (None, None)):
            with clients.connected(port, user, password) as refused:
                assert refused.code
        with (
            clients.connected(service_port, "telehealth", "service", client_id="ingest-live") as service,
            clients.connected(service_port, "telehealth", "service", client_id="ingest-backlog") as second,
            clients.connected(port, "ox-1", "secret of ox-1", client_id="whatever") as one,
            clients.connected(port, "ox-2", "secret of ox-2") as two,
        ):
            service.subscribe("telehealth/v1/+/readings", "telehealth/v1/+/status")
            second.subscribe("telehealth/v1/+/backlog/+")
            two.subscribe("telehealth/v1/ox-2/#", "telehealth/v1/+/receipts")
            one.publish("telehealth/v1/ox-2/readings", b"forged")
            one.publish("telehealth/v1/ox-2/receipts", b"forged")
            one.publish("telehealth/v1/ox-1/receipts", b"forged")
            one.publish("telehealth/v1/ox-1/backlog/gatt", b"old")
            one.publish("telehealth/v1/ox-1/readings", b"true")
            assert service.next() == ("telehealth/v1/ox-1/readings", b"true", False)
            assert second.next()[1] == b"old"
            service.publish("telehealth/v1/ox-2/receipts", b"receipt")
            assert two.next() == ("telehealth/v1/ox-2/receipts", b"receipt", False)
            assert not service.gone.is_set()


def test_follows_the_registry(folder: Path) -> None:
    """Written again after a device was revoked and another added, a running Mosquitto keeps to it."""
    wanted = plan(folder)
    assert set(write(wanted, DEVICES)) == {"passwords", "topics", "mosquitto.conf"}
    assert write(wanted, DEVICES) == []
    with running(wanted) as (port, _):
        assert write(wanted, {"ox-3": DEVICES["ox-1"], "ox-2": DEVICES["ox-2"]}) == ["passwords"]
        assert wanted.pid_file is not None
        mosquitto.reload(wanted.pid_file)
        for _attempt in range(100):
            with clients.connected(port, "ox-3", "secret of ox-1") as added:
                if not added.code:
                    break
        with clients.connected(port, "ox-1", "secret of ox-1") as revoked:
            assert (added.code, bool(revoked.code)) == ("", True)


def test_keeps_what_is_queued_over_a_restart(folder: Path) -> None:
    """A message acknowledged by the broker reaches a service that was away, though the broker restarted."""
    wanted = plan(folder)
    write(wanted, DEVICES)
    topic = "telehealth/v1/ox-1/readings"
    with running(wanted) as (port, service_port):
        with clients.connected(service_port, "telehealth", "service", client_id="live", clean=False) as service:
            service.subscribe(topic)
        with clients.connected(port, "ox-1", "secret of ox-1") as device:
            device.publish(topic, b"x" * 300_000)
    with (
        running(wanted) as (_, service_port),
        clients.connected(service_port, "telehealth", "service", client_id="live", clean=False) as service,
    ):
        assert service.next() == (topic, b"x" * 300_000, False)


def test_the_services_password_stays(folder: Path) -> None:
    """A generated password is shown once and stays; a given one replaces it; a device cannot have its name."""
    stored, made = mosquitto.account_hash(folder, "telehealth", None)
    assert made is not None
    assert secrets.verify_device_password(made, stored)
    wanted = plan(folder)
    mosquitto.write(wanted, {mosquitto.PASSWORDS: mosquitto.passwords({}, {"telehealth": stored})})
    assert mosquitto.account_hash(folder, "telehealth", None) == (stored, None)
    assert mosquitto.account_hash(folder, "telehealth", made) == (stored, None)
    assert mosquitto.account_hash(folder, "telehealth", "another")[0] != stored
    with pytest.raises(SettingError, match="MQTT_URL"):
        mosquitto.passwords({"telehealth": "x"}, {"telehealth": stored})


def test_reload_spares_other_programs(tmp_path: Path) -> None:
    """A stale pid file never signals a process that is not Mosquitto."""
    (tmp_path / "pid").write_text(str(os.getpid()))
    with pytest.raises(SettingError, match="--pid-file"):
        mosquitto.reload(tmp_path / "pid")
