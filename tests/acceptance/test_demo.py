"""telehealth demo, from its command line to a clinician's alert."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance import platform_processes as processes
from tests.acceptance.platform_processes import message, spo2
from tests.integration.platform import clients

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

SMALL = ("--residents", "5", "--no-simulator", "--port", "0", "--mqtt-port", "0", "--json")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data directory that PostgreSQL's account can reach, so that nothing is left elsewhere."""
    made = Path(tempfile.mkdtemp(prefix="th-demo-", dir="/tmp"))
    made.chmod(0o755)
    yield made / "demo"
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[tuple[processes.Running, dict[str, Any]]]:
    with processes.service("demo", *SMALL, "--data-dir", str(folder)) as running:
        yield running, json.loads(running.first_line())


def calm(ready: dict[str, Any], ward: str) -> dict[str, Any]:
    """A device of a ward with a spot rule for SpO2, whose resident has no open alert."""
    return next(
        device
        for device in ready["devices"]
        if device["ward"] == ward
        and device["open_alerts"] == 0
        and any(rule["code"] == "spo2" and rule["sampling"] == "spot" for rule in device["rules"])
    )


def readings(ready: dict[str, Any], device: dict[str, Any]) -> list[str]:
    done = processes.telehealth(
        "export", "readings", "--device", device["device_id"], "--format", "jsonl",
        settings={"DATABASE_URL": ready["database_url"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_it_prints(demo: tuple[processes.Running, dict[str, Any]]) -> None:
    """One object, with somebody to try an alert on in each ward; two weeks of readings; nothing beyond loopback."""
    running, ready = demo
    assert set(ready) == {"url", "mqtt", "database_url", "logins", "devices", "shared_kits", "control_token"}
    assert {login["role"] for login in ready["logins"]} == {"clinician", "tester", "admin"}
    wards = {login["ward"] for login in ready["logins"] if login["role"] == "clinician"}
    assert wards == {device["ward"] for device in ready["devices"]}
    assert all(calm(ready, ward) for ward in wards)
    assert sum("spo2" in device["codes"] for device in ready["devices"]) >= 8
    assert processes.get(ready["url"] + "/readyz")["ready"]
    assert len(readings(ready, ready["devices"][0])) >= 14
    listening = [
        connection.laddr.ip
        for process in (psutil.Process(running.process.pid), *psutil.Process(running.process.pid).children())
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_a_red_reading_becomes_one_alert(demo: tuple[processes.Running, dict[str, Any]]) -> None:
    """By MQTT with a device's credentials: a receipt, an alert in the API; ten times the same adds nothing."""
    _, ready = demo
    login = next(login for login in ready["logins"] if login["role"] == "clinician")
    device = calm(ready, login["ward"])
    name, root = device["device_id"], f"telehealth/v1/{device['device_id']}"
    settings = {"DATABASE_URL": ready["database_url"]}
    token = processes.answer("token", "create", "--user", login["username"], settings=settings)["token"]
    before = len(readings(ready, device))
    payload = message(1, spo2(81))
    with clients.connected(ready["mqtt"]["port"], name, device["password"]) as client:
        client.subscribe(f"{root}/receipts")
        for _ in range(10):
            client.publish(f"{root}/readings", payload)
        receipt = json.loads(client.next()[1])
        assert (receipt["stream"], receipt["through"], receipt["refused"]) == ("acceptance", 1, [])

    def alerts() -> list[Any]:
        found = processes.get(ready["url"] + "/api/v1/alerts?open=true", token)["items"]
        own = [a for a in found if processes.digits(a["nhs_number"]) == device["nhs_number"]]
        return [a for a in own if a["rule"] == "threshold/spo2/low"]

    (alert,) = processes.eventually(alerts)
    assert (alert["priority"], alert["condition"], alert["handling"]) == ("high", "active", "new")
    assert "81" in alert["reason"]
    assert len(readings(ready, device)) == before + 1


def test_nobody_publishes_for_another(demo: tuple[processes.Running, dict[str, Any]]) -> None:
    """Another device's topic: stored nowhere; a wrong password: refused."""
    _, ready = demo
    one, two = ready["devices"][0], ready["devices"][-1]
    before = len(readings(ready, two))
    with clients.connected(ready["mqtt"]["port"], one["device_id"], one["password"]) as client:
        client.subscribe(f"telehealth/v1/{one['device_id']}/receipts")
        client.publish(f"telehealth/v1/{two['device_id']}/readings", message(1, spo2(80), stream="forged"))
        client.publish(f"telehealth/v1/{one['device_id']}/readings", message(1, spo2(97), stream="own"))
        assert json.loads(client.next()[1])["stream"] == "own"
    assert len(readings(ready, two)) == before
    with clients.connected(ready["mqtt"]["port"], one["device_id"], two["password"]) as client:
        assert client.code == "Bad user name or password"


def test_only_one_on_a_directory(demo: tuple[processes.Running, dict[str, Any]], folder: Path) -> None:
    """A second demo on the same directory, and one whose port is taken, say so in a line, with status 2."""
    _, ready = demo
    port = ready["url"].rpartition(":")[2]
    with tempfile.TemporaryDirectory(dir="/tmp") as other:
        tries = {
            "--data-dir": (*SMALL, "--data-dir", str(folder)),
            "--port": ("--json", "--port", port, "--mqtt-port", "0", "--data-dir", other),
            "--mqtt-port": ("--json", "--mqtt-port", str(ready["mqtt"]["port"]), "--port", "0", "--data-dir", other),
        }
        for option, arguments in tries.items():
            done = processes.telehealth("demo", *arguments)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
            assert done.stderr.startswith(f"telehealth: {option}: ")


def test_database_killed_in_a_stream(demo: tuple[processes.Running, dict[str, Any]], folder: Path) -> None:
    """Both lanes, by stream and by id, while PostgreSQL is killed: the export says to the letter what was sent."""
    _, ready = demo
    device = next(device for device in ready["devices"] if "spo2" in device["codes"])
    root = f"telehealth/v1/{device['device_id']}"
    values = ("96", "97.0", "9.8e1", "0.950")
    # No whole millisecond among them: those come out with three digits.
    first_at = datetime.now(UTC).replace(microsecond=100_000) - timedelta(hours=1)
    kept: dict[int | str, tuple[str, str]] = {}
    sent = set()
    for n in range(1, 121):
        value, unit = values[n % 4], "1" if n % 4 == 3 else "%"
        at = (first_at + timedelta(seconds=n, microseconds=n)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        key: int | str = n if n <= 100 else f"kill-{n}"
        named = f'"stream":"kill","seq":{n}' if n <= 100 else f'"id":"{key}"'
        reading = f'{{"code":"spo2","value":{value},"unit":"{unit}","taken_at":"{at}"}}'
        lane = "backlog" if n % 10 == 0 else "readings"
        kept[key] = lane, f'{{{named},"sent_at":"{processes.now()}","readings":[{reading}]}}'
        sent.add((value, unit, at, *(("kill", n) if n <= 100 else (None, None))))
    postmaster = int(next(folder.rglob("postmaster.pid")).read_text().split()[0])
    with clients.connected(ready["mqtt"]["port"], device["device_id"], device["password"]) as client:
        client.subscribe(f"{root}/receipts")
        for key, (lane, payload) in list(kept.items()):
            client.publish(f"{root}/{lane}", payload)
            if key == 60:
                os.kill(postmaster, signal.SIGKILL)
        deadline = time.monotonic() + processes.SECONDS
        while kept:
            assert time.monotonic() < deadline
            try:
                receipt = json.loads(client.received.get(timeout=2)[1])
            except queue.Empty:
                for lane, payload in kept.values():
                    client.publish(f"{root}/{lane}", payload)
                continue
            assert receipt["refused"] == []
            ranges = [(1, receipt["through"]), *receipt["also"]] if receipt["stream"] == "kill" else []
            for key in list(kept):
                if key in receipt["ids"] or any(isinstance(key, int) and low <= key <= high for low, high in ranges):
                    del kept[key]
    columns = ("unit_sent", "taken_at", "stream", "seq")
    found = [
        (*re.findall(r'"value_sent":([^,]+),', line), *(json.loads(line)[column] for column in columns))
        for line in readings(ready, device)
    ]
    times = {one[2] for one in sent}
    assert sorted((one for one in found if one[2] in times), key=repr) == sorted(sent, key=repr)


def test_killed_and_started_again(demo: tuple[processes.Running, dict[str, Any]], folder: Path) -> None:
    """After kill -9 the next start has the same passwords and readings; Ctrl-C ends it all within 5 s."""
    running, ready = demo
    device = ready["devices"][0]
    before = readings(ready, device)
    running.stop(signal.SIGKILL)
    with processes.service("demo", *SMALL, "--data-dir", str(folder)) as again:
        ready_again = json.loads(again.first_line())
        assert ready_again["logins"] == ready["logins"]
        assert [d["password"] for d in ready_again["devices"]] == [d["password"] for d in ready["devices"]]
        assert set(before) <= set(readings(ready_again, device))
        children = psutil.Process(again.process.pid).children(recursive=True)
        assert again.stop() == 0
    _, alive = psutil.wait_procs(children, 5)
    assert not alive
