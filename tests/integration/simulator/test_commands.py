"""telehealth-sim as its users run it: replay, run and serve, against a real broker and a stand-in of the service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from simulator import clock
from tests.integration.simulator import fake
from tests.support import servers

pytestmark = pytest.mark.broker

ENVIRONMENT = {**os.environ, "TELEHEALTH_CONTROL_TOKEN": fake.TOKEN}


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[servers.Mosquitto]:
    words = {"service": "s"} | {f"d{number}": "pw" for number in range(8)}
    with servers.mosquitto(words) as broker:
        yield broker


@pytest.fixture
def service(mosquitto: servers.Mosquitto) -> Iterator[fake.FakeService]:
    with fake.service(mosquitto.port, "service", "s") as running:
        yield running


@pytest.fixture
def devices(mosquitto: servers.Mosquitto, tmp_path: Path) -> Path:
    """Eight devices of four residents, of whom the first wears something."""
    kits = [["spo2", "pulse"], ["systolic", "diastolic", "pulse"]]
    entries = [
        {
            "device_id": f"d{number}",
            "password": "pw",
            "codes": kits[number % 2],
            "resident": {"key": f"r{number // 2}", "pathway": "frailty", "continuous": number < 2, "calm": True},
        }
        for number in range(8)
    ]
    path = tmp_path / "devices.json"
    path.write_text(json.dumps({"mqtt": {"host": "127.0.0.1", "port": mosquitto.port}, "devices": entries}))
    return path


@contextlib.asynccontextmanager
async def started(*arguments: str | Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, stdout=-1, stderr=-1, env=ENVIRONMENT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def command(*arguments: str | Path) -> tuple[int | None, str, str]:
    async with started(*arguments) as process, asyncio.timeout(60):
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # the stand-in runs on a thread of its own
            await asyncio.sleep(0.01)


CSV = """person,code,value,unit,taken_at
anna,systolic,150,mm[Hg],2020-04-29  22:33:33
anna,diastolic,95,mm[Hg],2020-04-29  22:33:33
anna,systolic,148,furlong,2020-04-30 08:00:00
bert,spo2,0.96,1,2020-04-30 09:00:00
bert,spo2,0.96,%,2020-04-30 09:10:00
bert,pulse,many,/min,2020-04-30 09:00:00
bert,temperature,36.60,Cel,2020-04-30 10:00:00
anna,humours,4,,2020-04-30 10:00:00
"""


async def test_a_replay_sends_every_good_line_and_explains_every_refused_one(
    service: fake.FakeService, devices: Path, tmp_path: Path
) -> None:
    file = tmp_path / "home.csv"
    file.write_text(CSV)
    status, out, err = await command("replay", file, "--devices", devices, "--zone", "Europe/London", "--json")
    assert (status, err) == (0, "")
    summary = json.loads(out)
    assert (summary["readings"], summary["settled_readings"], summary["accepted_readings"]) == (7, 7, 4)
    assert {(refusal["line"], refusal["error"], refusal["field"]) for refusal in summary["refusals"]} == {
        (4, "unit_unknown", "unit"),
        (6, "value_impossible", "value"),
        (9, "code_unknown", "code"),
    }
    assert all(refusal["detail"] for refusal in summary["refusals"])
    assert summary["bad"] == [{"line": 7, "error": "value is not a number"}]
    assert len(service.stored) == 4
    sent = [entry for delivery in service.deliveries for entry in json.loads(delivery.payload)["readings"]]
    assert len({entry["set"] for entry in sent if entry["code"] == "diastolic" or "set" in entry}) == 1
    assert b'"value":36.60,' in b"".join(delivery.payload for delivery in service.deliveries)
    assert {delivery.lane for delivery in service.deliveries} == {"readings", "backlog"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--zone"),
        (("--zone", "Nowhere/At_all"), "--zone is not"),
        (("--zone", "UTC", "--shift", "later"), "--shift"),
        (("--zone", "UTC", "--map", "anna=stranger"), "stranger"),
        (("--zone", "UTC", "--speed", "fast"), "--speed"),
    ],
)
async def test_a_wrong_option_is_one_line_and_status_2(
    devices: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    file = tmp_path / "home.csv"
    file.write_text(CSV)
    status, out, err = await command("replay", file, "--devices", devices, *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


async def test_wrong_credentials_end_a_replay_with_status_1(mosquitto: servers.Mosquitto, tmp_path: Path) -> None:
    file, wrong = tmp_path / "home.csv", tmp_path / "wrong.json"
    file.write_text("person,code,value,unit,taken_at\na,pulse,70,/min,2026-01-01T10:00:00Z\n")
    entries = [{"device_id": "d0", "password": "other"}]
    wrong.write_text(json.dumps({"mqtt": {"host": "127.0.0.1", "port": mosquitto.port}, "devices": entries}))
    status, _, err = await command("replay", file, "--devices", wrong)
    assert status == 1
    assert "refused the connection" in err


async def test_a_run_that_is_killed_goes_on_with_what_it_held(
    service: fake.FakeService, devices: Path, tmp_path: Path
) -> None:
    """kill -9 while no receipt comes: the next run sends the same messages under the same numbers, then new ones."""
    options = ("run", "--devices", devices, "--residents", "r1", "--state-dir", tmp_path / "state", "--every", "1")
    service.answering = False
    async with started(*options) as process:
        await until(lambda: len(service.deliveries) >= 4)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    held = {(d.device_id, d.message.stream, d.message.seq): d.message.readings for d in service.deliveries}
    service.answering = True
    before = len(service.deliveries)
    status, out, _ = await command(*options, "--duration", "1", "--json")
    assert status == 0
    assert json.loads(out)["unsettled_messages"] == 0
    again = {(d.device_id, d.message.stream, d.message.seq): d.message.readings for d in service.deliveries[before:]}
    assert held.items() <= again.items()
    assert len({(device, stream) for device, stream, _ in again}) == 2
    numbers = sorted(seq or 0 for device, _, seq in again if device == "d2")
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_run_knows_the_truth_and_ends_cleanly_on_an_interrupt(
    service: fake.FakeService, devices: Path, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.json"
    options = ("--scenario", "sepsis_chest", "--onset-hours", "24", "--truth", truth, "--state-dir", tmp_path / "state")
    async with started("run", "--devices", devices, "--residents", "r2", *options, "--json") as process:
        await until(lambda: len(service.deliveries) >= 2)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    summary = json.loads(out)
    written = [json.loads(line) for line in truth.read_text().splitlines()]
    assert summary["truth"] == [record for record in written if record["record"] == "course"]
    assert [record["resident"] for record in summary["truth"]] == ["r2"]
    systolic = [r.value for d in service.deliveries for r in d.message.readings if r.code == "systolic"]
    assert systolic[0] is not None
    assert systolic[0] < 115


async def test_a_speed_other_than_1_is_refused_where_time_is_real(service: fake.FakeService, devices: Path) -> None:
    async with service.http() as url:
        for more in ((), ("--url", url)):
            status, _, err = await command("run", "--devices", devices, "--speed", "60", *more, "--reproducible")
            assert status == 2
            assert "speed" in err


async def test_accelerated_runs_of_one_seed_send_the_same_bytes(service: fake.FakeService, devices: Path) -> None:
    start = clock.now() - timedelta(days=3)
    sent: list[list[bytes]] = []
    async with service.http() as url:
        for _ in range(2):
            service.virtual = start
            service.settled.clear()
            before = len(service.deliveries)
            status, out, _ = await command(
                "run", "--devices", devices, "--speed", "21600", "--duration", "43200", "--url", url,
                "--every", "schedule", "--continuous-every", "600", "--seed", "3", "--reproducible", "--json",
            )  # fmt: skip
            assert status == 0
            assert json.loads(out)["unsettled_messages"] == 0
            sent.append(sorted(readings_of(delivery.payload) for delivery in service.deliveries[before:]))
    assert sent[0] == sent[1]
    assert len(sent[0]) > 8


def readings_of(payload: bytes) -> bytes:
    """Without "oldest": what is held when a message leaves depends on when receipts come."""
    message = json.loads(payload)
    del message["oldest"]
    return json.dumps(message).encode()


async def test_serve_feeds_history_step_by_step_and_then_live_and_obeys_control(
    service: fake.FakeService, devices: Path, tmp_path: Path
) -> None:
    service.virtual = clock.now() - timedelta(days=3)
    state = tmp_path / "state"
    async with service.http() as url:
        options = ("serve", "--devices", devices, "--url", url, "--history-days", "3", "--state-dir", state, "--json")
        async with started(*options) as process:
            assert process.stdout is not None
            events: list[dict[str, Any]] = []
            async with asyncio.timeout(60):
                while not events or events[-1]["event"] != "live":
                    events.append(json.loads(await process.stdout.readline()))
            history = [delivery for delivery in service.deliveries if delivery.message.readings]
            assert service.time_is_real()
            assert service.advanced == sorted(service.advanced)
            assert all(d.message.refusals == () for d in history)
            assert {d.device_id for d in history} == {f"d{number}" for number in range(8)}
            before = len(service.deliveries)
            await until(lambda: len(service.deliveries) > before)
            control = next(event["url"] for event in events if event["event"] == "listening")
            await check_control(control)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                await process.wait()
            assert process.returncode == 0
        # A second start: the service's time is real, and only the gap is fed.
        stored, gap = len(service.stored), len(service.deliveries)
        status, out, _ = await command(*options, "--no-live")
        assert status == 0
        assert json.loads(out.splitlines()[-1])["event"] == "history_done"
        assert len(service.stored) >= stored
        assert len(service.deliveries) - gap < 10


async def check_control(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/status") as answer:
            assert answer.status == 401
        session.headers["Authorization"] = f"Bearer {fake.TOKEN}"
        async with session.post(f"{url}/scenarios", json={"resident": "r3", "scenario": "sepsis_chest"}) as answer:
            assert answer.status == 201
        async with session.post(f"{url}/scenarios", json={"resident": "nobody", "scenario": "sepsis_chest"}) as answer:
            assert answer.status == 400
        async with session.get(f"{url}/status") as answer:
            status = await answer.json()
            assert status["phase"] == "live"
            assert [record["resident"] for record in status["scenarios"]] == ["r3"]
        async with session.delete(f"{url}/scenarios/r3") as answer:
            assert (await answer.json())["scenarios"] == []


async def asked(session: aiohttp.ClientSession, method: str, path: str, **body: Any) -> tuple[int, Any]:
    async with session.request(method, path, json=body or None) as answer:
        return answer.status, await answer.json()


async def test_a_tester_sees_homes_presses_faults_and_changes_the_speed(
    service: fake.FakeService, devices: Path, tmp_path: Path
) -> None:
    options = ("serve", "--devices", devices, "--state-dir", tmp_path / "state", "--json", "--live-seconds", "2")
    async with service.http() as url, started(*options, "--url", url) as process:
        assert process.stdout is not None
        events: list[dict[str, Any]] = []
        async with asyncio.timeout(60):
            while not events or events[-1]["event"] != "live":
                events.append(json.loads(await process.stdout.readline()))
        headers = {"Authorization": f"Bearer {fake.TOKEN}"}
        address = next(event["url"] for event in events if event["event"] == "listening")
        async with aiohttp.ClientSession(address, headers=headers) as session:
            _, catalogue = await asked(session, "GET", "/catalogue")
            assert {"stable", "sepsis_urine"} <= {one["name"] for one in catalogue["scenarios"]}
            assert all(fault["sees"] and fault["targets"] for fault in catalogue["faults"])
            status, pressed = await asked(session, "POST", "/faults", kind="duplicated", target="device:d2")
            assert status == 201
            assert (await asked(session, "POST", "/faults", kind="duplicated", target="device:d99"))[0] == 400
            assert (await asked(session, "POST", "/measure", device_id="d2"))[0] == 202
            await until(lambda: sum(delivery.device_id == "d2" for delivery in service.deliveries) >= 3)
            same = {d.payload for d in service.deliveries if d.device_id == "d2"}
            assert len({json.loads(payload)["seq"] for payload in same}) == 1
            _, homes = await asked(session, "GET", "/homes")
            found = {device["device_id"]: device for home in homes["homes"] for device in home["devices"]}
            assert [fault["kind"] for fault in found["d2"]["faults"]] == ["duplicated"]
            assert found["d2"]["connected"]
            assert found["d2"]["deliveries"] >= 3
            _, messages = await asked(session, "GET", "/messages?after=0&device_id=d2")
            assert len(messages["messages"][0]["deliveries"]) >= 3
            assert (await asked(session, "DELETE", f"/faults/{pressed['id']}"))[0] == 200
            assert (await asked(session, "DELETE", "/faults/never"))[0] == 400
            # Off: the broker hears the last will, and the page sees it.
            await asked(session, "POST", "/faults", kind="stopped", target="resident:r0")
            await until(lambda: (b"d0", False) in {(d.encode(), json.loads(p)["online"]) for d, p in service.statuses})
            _, truth = await asked(session, "GET", "/truth?resident=r0")
            assert {"pulse", "spo2"} <= set(truth["codes"])
            assert len(truth["codes"]["pulse"]["true"]) == len(truth["codes"]["pulse"]["at"])
            assert [fault["kind"] for fault in truth["faults"]] == ["stopped"]
            # Time that is real and cannot be stepped stays so, with words; one that can is stepped.
            status, why = await asked(session, "POST", "/speed", speed=60)
            assert (status, "real" in why["error"]) == (409, True)
            service.may_turn = True
            assert (await asked(session, "POST", "/speed", speed=600))[0] == 200
            await until(lambda: len(service.advanced) >= 3)
            status, paused = await asked(session, "POST", "/speed", speed=0)
            assert (paused["virtual"], paused["speed"]) == (True, 0)
            _, told = await asked(session, "GET", "/events?after=0&wait=0")
            kinds = [event["event"] for event in told["events"]]
            assert [kind for kind in kinds if kind in ("fault", "fault_ended", "speed")] == [
                "fault", "fault_ended", "fault", "speed", "speed",
            ]  # fmt: skip


async def test_what_was_recorded_is_played_again_to_the_byte(
    service: fake.FakeService, devices: Path, tmp_path: Path
) -> None:
    log, table = tmp_path / "log.jsonl", tmp_path / "log.csv"
    start = ("--start", "2026-11-10T05:00:00Z", "--duration", "1d", "--continuous-every", "600")
    status, out, err = await command("record", log, "--devices", devices, *start, "--csv", table, "--json")
    assert (status, err) == (0, "")
    summary = json.loads(out)
    written = [json.loads(line) for line in log.read_text().splitlines()]
    assert summary["messages"] == len(written) > 100
    assert len(table.read_text().splitlines()) == summary["readings"] + 1
    status, out, err = await command("replay", log, "--devices", devices, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["settled_messages"] == sum(line["stream"] is not None for line in written)
    played = [json.loads(readings_of(delivery.payload)) for delivery in service.deliveries]
    assert sorted(map(json.dumps, played)) == sorted(
        json.dumps(line["payload"]) for line in written if line["stream"] is not None
    )
    status, out, _ = await command("show", log, "--json")
    assert (status, json.loads(out)["messages"]) == (0, len(written))


async def test_lists_and_shows_what_there_is() -> None:
    status, out, _ = await command("list", "--json")
    assert status == 0
    assert set(json.loads(out)) == {"scenarios", "faults", "devices"}
    for name in ("sepsis_urine", "motion", "oximeter"):
        status, out, _ = await command("show", name)
        assert status == 0
        assert out.strip()
    status, _, err = await command("show", "nothing-like-it")
    assert (status, err.count("\n")) == (2, 1)


async def test_in_a_pipe_a_run_is_json_lines(service: fake.FakeService, devices: Path, tmp_path: Path) -> None:
    options = ("--devices", devices, "--residents", "r1", "--duration", "6", "--state-dir", tmp_path / "state")
    status, out, _ = await command("run", *options)
    assert status == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert {"sent", "receipted"} <= {line["event"] for line in lines}
    assert lines[-1]["event"] == "summary"
