from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import commands, status
from devices.errors import MEANINGS, Refusal

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def test_a_status() -> None:
    got = status.decode(
        b'{"online":true,"battery":0.83,"firmware":"1.4.2","sent_at":"2026-11-21T11:00:00+01:00","new":1}'
    )
    assert got == status.Status(True, 0.83, "1.4.2", AT)
    assert status.decode(b'{"online":false}') == status.Status(False)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ([], "schema"),
        ({}, "online_invalid"),
        ({"online": 1}, "online_invalid"),
        ({"battery": 83}, "battery_invalid"),
        ({"battery": True}, "battery_invalid"),
        ({"battery": "0.8"}, "battery_invalid"),
        ({"firmware": ""}, "firmware_invalid"),
        ({"firmware": "\0"}, "firmware_invalid"),
        ({"firmware": 2}, "firmware_invalid"),
        ({"sent_at": "now"}, "sent_at_invalid"),
        ({"sent_at": "2026-11-21T10:00:00"}, "sent_at_invalid"),
        ({"sent_at": 5}, "sent_at_invalid"),
        ({"pad": "x" * 5000}, "payload_too_large"),
    ],
)
def test_a_bad_status_is_refused(content: Any, error: str) -> None:
    if isinstance(content, dict) and content and error != "online_invalid":
        content = {"online": True, **content}
    got = status.decode(json.dumps(content).encode())
    assert isinstance(got, Refusal)
    assert got.error == error


@given(
    st.binary()
    | st.dictionaries(
        st.sampled_from(["online", "battery", "firmware", "sent_at"]),
        st.none() | st.booleans() | st.floats() | st.text(),
    ).map(lambda content: json.dumps(content).encode())
)
def test_a_status_never_raises(payload: bytes) -> None:
    got = status.decode(payload)
    assert isinstance(got, status.Status) or got.error in MEANINGS


@pytest.mark.parametrize(
    "command",
    [
        commands.Measure("c1", AT, ("spo2",), "Please measure again."),
        commands.Schedule("c2", AT, "Europe/London", {"spo2": ("08:00", "20:00")}),
        commands.Ring("c3", AT, "https://ward.example/join/1", "Ward sister"),
        commands.Text("c4", AT, "Thank you."),
    ],
)
def test_commands_are_read_as_they_are_written(command: commands.Command) -> None:
    assert commands.decode(commands.encode(command)) == command


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b'{"command":"dance","id":"1"}',
        b"\xff",
        b"[" * 100_000,
        b'{"command":"message","id":"1","expires_at":"2026-11-21T10:00:00","text":"x"}',
    ],
)
def test_what_is_no_command_is_none(payload: bytes) -> None:
    assert commands.decode(payload) is None
