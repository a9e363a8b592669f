from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from devices import formats
from devices.__main__ import main
from tests.unit.devices.payloads import envelope, reading

PAYLOAD = json.dumps(envelope(reading(), reading(unit="furlong"))).encode()


def _check(out: str) -> None:
    got = json.loads(out)
    assert set(got) == {"readings", "refusals"}
    assert (got["readings"][0]["code"], got["readings"][0]["value"]) == ("spo2", 96)
    assert (got["refusals"][0]["error"], got["refusals"][0]["index"]) == ("unit_unknown", 1)


def test_decode_reads_hexadecimal_a_file_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "message.json"
    file.write_bytes(PAYLOAD)
    stdin: Any = io.TextIOWrapper(io.BytesIO(PAYLOAD))
    monkeypatch.setattr(sys, "stdin", stdin)
    for given in (PAYLOAD.hex(), str(file), "-"):
        assert main(["decode", "--format", "native", "--device", "d1", given]) == 0
        _check(capsys.readouterr().out)


def test_a_format_whose_adapter_is_broken_is_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"acme": "cannot be imported: ImportError"}
    monkeypatch.setattr(formats, "adapters", lambda: formats.Adapters({}, broken))
    for name, why in (("acme", "ImportError"), ("morse", "known are cbor, fhir, gatt, native, omh, tenovi, theengs")):
        with pytest.raises(SystemExit) as stopped:
            main(["decode", "--format", name, "00"])
        assert stopped.value.code == 2
        assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["decode", "xyz"], ["decode", "--format", "nonsense", "00"], ["decode", "--device", "a b", "00"], []]
)
def test_wrong_arguments_end_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().out == ""
