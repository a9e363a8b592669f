"""Files of devices: three shapes, checked, and never repeated in an error."""

from __future__ import annotations

import json

import pytest

from simulator import errors, options, world

DEMO = {
    "url": "http://127.0.0.1:8080",
    "mqtt": {"host": "127.0.0.1", "port": 1883},
    "database_url": "postgresql://x",
    "logins": [{"role": "clinician"}],
    "devices": [
        {
            "device_id": "d1",
            "password": "secret",
            "nhs_number": "9990000018",
            "ward": "Beech",
            "codes": ["spo2", "pulse"],
            "rules": [{"code": "spo2", "red_low": 92, "amber_low": 94, "sampling": "continuous"}],
            "open_alerts": 0,
        },
        {"device_id": "d2", "password": "secret", "nhs_number": "9990000018", "ward": "Beech", "codes": ["weight"]},
    ],
}


def test_what_the_demo_prints_is_a_file_of_devices() -> None:
    found = world.parse(json.dumps(DEMO).encode())
    assert found.mqtt == world.Broker("127.0.0.1", 1883)
    assert [device.person.key for device in found.devices] == ["9990000018", "9990000018"]
    assert [device.is_continuous for device in found.devices] == [True, False]


def test_the_token_of_the_virtual_clock_is_the_environments_or_else_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    found = world.parse(json.dumps({**DEMO, "control_token": "of the file"}).encode())
    monkeypatch.delenv(options.TOKEN_VARIABLE, raising=False)
    assert options.token(found) == "of the file"
    assert options.token(world.parse(json.dumps(DEMO).encode())) is None
    monkeypatch.setenv(options.TOKEN_VARIABLE, "of the environment")
    assert options.token(found) == "of the environment"


def test_a_plain_list_is_enough() -> None:
    found = world.parse(b'[{"device_id": "d1", "password": "p"}]')
    assert found.devices[0].person.key == "d1"


def test_residents_are_chosen_with_all_their_devices() -> None:
    found = world.parse(json.dumps(DEMO).encode())
    assert len(world.choose(found.devices, ["d2"])) == 2
    with pytest.raises(errors.BadInput, match="entry 2"):
        world.choose(found.devices, ["d2", "nobody"])


@pytest.mark.parametrize(
    "data",
    [
        b"not json",
        b"{}",
        b'{"devices": []}',
        b'[{"device_id": "no spaces", "password": "hunter2"}]',
        b'[{"device_id": "d", "password": "hunter2"}, {"device_id": "d", "password": "hunter2"}]',
        b'[{"device_id": "d", "password": "hunter2", "resident": {"key": "r", "zone": "Mars/Olympus"}}]',
        b'[{"device_id": "d", "password": "hunter2", "resident": '
        b'{"key": "r", "schedule": {"pulse": {"times": ["25:00"]}}}}]',
        b'[{"device_id": "d", "password": "hunter2", "resident": {"key": "r", "ranges": {"spo2": [98, 95]}}}]',
        b'[{"device_id": "d", "password": 3}]',
    ],
)
def test_a_wrong_file_is_one_line_without_secrets(data: bytes) -> None:
    with pytest.raises(errors.BadInput) as caught:
        world.parse(data)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.status == 2


@pytest.mark.parametrize("text", ["localhost", "localhost:", ":1883", "h:99999", "h:x"])
def test_a_broker_is_host_and_port(text: str) -> None:
    with pytest.raises(errors.BadInput):
        world.broker(text)
    assert world.broker("mqtt://h:1883") == world.Broker("h", 1883)
