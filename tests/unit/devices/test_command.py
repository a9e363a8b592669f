"""python -m devices decode, as somebody with frames and files of their own would use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cbor2
import pytest

from devices.__main__ import main
from tests.unit.devices import gatt_frames as sent
from tests.unit.devices.payloads import envelope, reading


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["decode", *arguments]) == 0
    got = json.loads(capsys.readouterr().out)
    assert set(got) == {"readings", "refusals"}
    return dict(got)


def test_a_frame_by_its_characteristic(capsys: pytest.CaptureFixture[str]) -> None:
    hex = sent.thermometer(sent.float32(986, -1), fahrenheit=True, at=sent.TIME, site=6).hex()
    (one,) = run(capsys, "--characteristic", "2A1C", hex)["readings"]
    assert one["code"] == "temperature"
    assert (one["value"], one["unit"], one["value_sent"], one["unit_sent"]) == (37, "Cel", 98.6, "[degF]")
    assert one["taken_at"] == "2026-10-25T01:30:15"
    assert (one["context"], one["flags"], one["absent"], one["extreme"]) == ({"site": "mouth"}, [], None, False)


def test_a_value_that_is_canonical_already_is_shown_as_sent_too(capsys: pytest.CaptureFixture[str]) -> None:
    got = run(
        capsys, "--format", "gatt", "--characteristic", "0x2a5e", sent.spot(sent.sfloat(97), sent.sfloat(60)).hex()
    )
    assert [(one["value"], one["value_sent"], one["unit_sent"]) for one in got["readings"]] == [
        (97, 97, "%"),
        (60, 60, "/min"),
    ]
    assert [one["taken_at"] for one in got["readings"]] == [None, None]
    assert got["readings"][0]["set"] == got["readings"][1]["set"] is not None


def test_a_special_value_is_null_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    special = sent.sfloat(sent.NAN)
    got = run(capsys, "--characteristic", "2A5F", sent.continuous(special, special).hex())
    for one in got["readings"]:
        assert (one["value"], one["value_sent"], one["absent"]) == (None, None, "not-a-number")


@pytest.mark.parametrize("hex", ["", "1f", "1f0048", "1f004"])
def test_a_malformed_frame_is_a_refusal(capsys: pytest.CaptureFixture[str], hex: str) -> None:
    got = run(capsys, "--characteristic", "2A35", hex)
    assert got["readings"] == []
    assert [one["field"] for one in got["refusals"]] == ["hex"]


def test_a_characteristic_that_is_not_known_is_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--characteristic", "2A00", "00")["refusals"][0]["error"] == "characteristic_unknown"


@pytest.mark.parametrize("written", ["0x0048", "00:48", "(0x) 00-48", " 00 48 \n"])
def test_bytes_as_other_tools_write_them(capsys: pytest.CaptureFixture[str], written: str) -> None:
    (one,) = run(capsys, "--characteristic", "2A37", written)["readings"]
    assert one["value"] == 72


def test_of_a_date_alone_no_midnight_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    point = {"body_weight": {"value": 70.5, "unit": "kg"}}
    point["effective_time_frame"] = {"time_interval": {"date": "2026-03-02", "part_of_day": "evening"}}
    (one,) = run(capsys, "--format", "omh", json.dumps(point).encode().hex())["readings"]
    assert (one["taken_at"], one["flags"]) == ("2026-03-02", ["date_only"])


def test_a_frame_without_its_characteristic_is_told_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--format", "gatt", sent.heart_rate(72).hex()]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["readings"] == []
    assert "--characteristic" in printed.err


def test_files_of_bytes_and_of_digits(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = sent.heart_rate(72)
    for name, content in (("bytes", data), ("digits", data.hex().encode() + b"\n")):
        (tmp_path / name).write_bytes(content)
        (one,) = run(capsys, "--characteristic", "2A37", str(tmp_path / name))["readings"]
        assert one["value"] == 72


def test_other_formats_by_their_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    content = envelope(reading(unit="1", value=0.57), reading(code="fall", value=True, unit=None))
    (tmp_path / "message.cbor").write_bytes(cbor2.dumps(content))
    got = run(capsys, "--format", "cbor", str(tmp_path / "message.cbor"))
    assert [(one["value"], one["value_sent"], one["unit_sent"]) for one in got["readings"]] == [
        (57, 0.57, "1"),
        (True, True, None),
    ]
    assert got["readings"][0]["taken_at"] == "2026-11-21T10:00:01Z"
    frames = json.dumps({"frames": [sent.frame("2A37", sent.heart_rate(72))], "taken_at": "2026-11-21T10:00:01Z"})
    (one,) = run(capsys, "--format", "gatt", frames.encode().hex())["readings"]
    assert (one["value"], one["taken_at"]) == (72, "2026-11-21T10:00:01Z")


@pytest.mark.parametrize(
    ("content", "value", "value_sent"),
    [
        ({"code": "consciousness", "value": "V", "unit": None}, "V", "V"),
        ({"code": "fall", "value": False, "unit": None}, False, False),
        ({"value": 96.50}, 96.5, 96.5),
    ],
)
def test_values_are_json_values(
    capsys: pytest.CaptureFixture[str], content: dict[str, Any], value: Any, value_sent: Any
) -> None:
    (one,) = run(capsys, json.dumps(envelope(reading(**content))).encode().hex())["readings"]
    assert (one["value"], one["value_sent"]) == (value, value_sent)


def test_a_characteristic_of_another_format_is_a_wrong_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["decode", "--format", "cbor", "--characteristic", "2A37", "0048"])
    assert stopped.value.code == 2
    assert "gatt" in capsys.readouterr().err
