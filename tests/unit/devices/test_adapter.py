"""What adapters are given to build with, and what becomes of those that are wrong."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import adapter, message, native
from devices.errors import MEANINGS, Refusal
from devices.message import Message
from tests.unit.devices.payloads import decode, envelope, errors

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "tests" / "adapters" / "example_oximeter"
AT = datetime(2026, 11, 21, 10, 0, 1, tzinfo=UTC)
PULSE = adapter.Draft(code="pulse", value=72, unit="/min", taken_at=AT)


def built(*drafts: adapter.Draft | Refusal, **fields: Any) -> Message:
    return adapter.message("pulse-3", b"payload", drafts, **fields)


def changed(**fields: Any) -> adapter.Draft:
    return msgspec.structs.replace(PULSE, **fields)


def test_drafts_become_the_readings_that_the_native_format_has() -> None:
    native_one = decode(envelope(), "pulse-3")
    spo2 = adapter.Draft(code="spo2", value=96, unit="%", taken_at=AT)
    got = built(spo2, stream="k3Jx9", seq=7, sent_at=datetime(2026, 11, 21, 10, 0, 3, tzinfo=UTC))
    assert got.readings == native_one.readings
    assert (got.stream, got.seq, got.sent_at) == (native_one.stream, native_one.seq, native_one.sent_at)
    assert built(spo2).id == got.digest


@pytest.mark.parametrize(
    ("fields", "value", "token", "unit"),
    [
        ({"value": Decimal("72.50")}, 72.5, "72.50", "/min"),
        ({"value": 72.5}, 72.5, "72.5", "/min"),
        ({"code": "weight", "value": Decimal(150), "unit": "[lb_av]"}, 68.0388555, "150", "kg"),
        ({"code": "fall", "value": True, "unit": None}, 1, "true", None),
        ({"code": "consciousness", "value": "A", "unit": None}, None, '"A"', None),
        ({"value": None, "absent": "error"}, None, "null", "/min"),
    ],
)
def test_values_of_drafts(fields: dict[str, Any], value: float | None, token: str, unit: str | None) -> None:
    (one,) = built(changed(**fields)).readings
    assert (one.value, message.value_token(one), one.unit) == (value, token, unit)


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"code": None}, "code_missing", "code"),
        ({"code": "mood"}, "code_unknown", "code"),
        ({"value": "72"}, "value_not_number", "value"),
        ({"value": float("nan")}, "value_not_finite", "value"),
        ({"value": Decimal("Infinity")}, "value_not_finite", "value"),
        ({"value": 10**5000}, "value_not_number", "value"),
        ({"value": Decimal("1E+999999")}, "value_not_finite", "value"),
        ({"value": object()}, "value_not_number", "value"),
        ({"value": 5}, "value_impossible", "value"),
        ({"unit": 5}, "unit_unknown", "unit"),
        ({"taken_at": "now"}, "taken_at_invalid", "taken_at"),
        ({"taken_at": datetime(1066, 10, 14)}, "taken_at_out_of_range", "taken_at"),  # noqa: DTZ001
        ({"taken_at": datetime(1066, 10, 14, tzinfo=UTC)}, "taken_at_out_of_range", "taken_at"),
        ({"source_id": "a\x00"}, "source_id_invalid", "source_id"),
        ({"subject": 4}, "subject_invalid", "subject"),
        ({"context": {"Site": 1}}, "context_invalid", "context"),
        ({"flags": ("Moving!",)}, "flags_invalid", "flags"),
        ({"flags": 5}, "flags_invalid", "flags"),
        ({"method": "guessed"}, "method_unknown", "method"),
        ({"absent": "tired"}, "absent_unknown", "absent"),
    ],
)
def test_a_draft_that_is_wrong_is_refused_alone(fields: dict[str, Any], error: str, field: str) -> None:
    got = built(PULSE, changed(**fields))
    assert errors(got) == [(error, field, 1)]
    assert len(got.readings) == 1


def test_times_of_drafts() -> None:
    local = datetime(2026, 11, 21, 10, 0, 1)  # noqa: DTZ001 - a local time of no zone
    got = built(changed(taken_at=local), changed(taken_at=None), taken_at=AT, zone="Europe/London")
    assert [(one.taken_at, one.local_time) for one in got.readings] == [(None, local), (AT, None)]
    assert got.zone == "Europe/London"
    assert built(changed(taken_at=None)).readings[0].taken_at is None


def test_what_an_adapter_could_not_read_is_refused_by_it() -> None:
    got = built(PULSE, adapter.refuse("schema", "line", 4, "A line has four words."), changed(index=9, value=0))
    assert errors(got) == [("schema", "line", 4), ("value_impossible", "value", 9)]


def _exits(device_id: str, payload: bytes) -> Message:
    sys.exit(1)


def _twists(**fields: Any) -> Callable[[str, bytes], Any]:
    def twisted(device_id: str, payload: bytes) -> Any:
        whole = built(PULSE)
        return msgspec.structs.replace(whole, readings=(msgspec.structs.replace(whole.readings[0], **fields),))

    return twisted


@pytest.mark.parametrize(
    "wrong",
    [
        lambda device_id, payload: 1 / 0,
        lambda device_id, payload: None,
        lambda: None,
        _exits,
        lambda device_id, payload: [PULSE],
        lambda device_id, payload: msgspec.structs.replace(built(PULSE), readings=None),
        lambda device_id, payload: msgspec.structs.replace(built(PULSE), readings=(5,)),
        lambda device_id, payload: built(*[PULSE] * 5001),
        _twists(code="mood"),
        _twists(value=None),
    ],
)
def test_an_adapter_that_fails_is_a_refusal(wrong: Any) -> None:
    got = adapter.guarded(wrong)("pulse-3", b'{"stream":"k3Jx9","seq":7}')
    assert (errors(got), got.readings) == ([("adapter_failed", None, None)], ())
    assert (got.stream, got.seq) == ("k3Jx9", 7)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"value": 500.0}, "value_impossible"),
        ({"value": float("nan")}, "value_not_number"),
        ({"source_id": "\x00"}, "source_id_invalid"),
        ({"flags": ("a",) * 17}, "flags_invalid"),
        ({"absent": "tired"}, "absent_unknown"),
    ],
)
def test_what_an_adapter_made_up_is_judged_like_everything_else(fields: dict[str, Any], error: str) -> None:
    got = adapter.guarded(_twists(**fields))("pulse-3", b"x")
    assert [one.error for one in got.refusals] == [error]
    assert got.readings == ()


def test_identities_and_digests_are_ours_whatever_an_adapter_says() -> None:
    (own,) = built(PULSE).readings
    lied = _twists(identity=UUID(int=5), value_key=9, place=3, extreme=True, unit_sent=None, index=0)
    got = adapter.guarded(lied)("pulse-3", b"x")
    assert got.readings == (own,)
    moved = adapter.guarded(lambda device_id, payload: msgspec.structs.replace(built(PULSE), digest="0", size=-1))
    assert (moved("pulse-3", b"x").digest, moved("pulse-3", b"x").size) == (_digest(b"x"), 1)


def _digest(payload: bytes) -> str:
    return native.decode("d", payload).digest


def test_refusals_of_an_adapter_are_of_the_documented_set_and_hold_nothing_that_cannot_be_stored() -> None:
    made_up = (
        Refusal("weird", "f", "d"),
        Refusal("schema", "f" * 99, "\x00", 2**40),
        Refusal("schema", None, "fine", 3),
    )
    whole = msgspec.structs.replace(built(PULSE), refusals=made_up)
    got = adapter.guarded(lambda device_id, payload: whole)("pulse-3", b"x")
    assert errors(got) == [("adapter_failed", None, None), ("schema", None, None), ("schema", None, 3)]
    assert got.refusals[1].detail == MEANINGS["schema"]
    assert len(got.readings) == 1


def test_a_message_that_is_too_long_never_reaches_an_adapter() -> None:
    def decode(device_id: str, payload: bytes) -> Message:
        raise AssertionError

    got = adapter.guarded(decode)("pulse-3", b"x" * (message.PAYLOAD_LIMIT + 1))
    assert errors(got) == [("payload_too_large", None, None)]


def test_a_native_message_goes_through_the_check_unchanged() -> None:
    payload = b"""{"stream":"s","seq":3,"oldest":2,"sent_at":"2026-11-21T10:00:03Z","readings":[
        {"code":"weight","value":150.0,"unit":"[lb_av]","taken_at":"2026-11-21T10:00:01.123456Z","source_id":"a"},
        {"code":"fall","value":true,"taken_at":"2026-11-21T10:00:01Z"},
        {"code":"consciousness","value":"V","taken_at":"2026-11-21T10:00:01Z","context":{"site":"ward","n":1}},
        {"code":"pulse","value":null,"absent":"error","taken_at":"2026-11-21T10:00:01Z"},
        {"code":"pulse","value":72,"unit":"bpm","taken_at":"2026-11-21T10:00:01Z"},
        {"code":"pulse","value":72,"unit":"furlong","taken_at":"2026-11-21T10:00:01Z"}]}"""
    assert adapter.guarded(native.decode)("pulse-3", payload) == native.decode("pulse-3", payload)


DRAFTS = st.builds(
    adapter.Draft,
    code=st.sampled_from(["pulse", "spo2", "fall", "answer", "x"]),
    value=st.none() | st.integers() | st.floats() | st.decimals() | st.booleans() | st.text(),
    unit=st.none() | st.sampled_from(["/min", "%", "1"]),
    taken_at=st.none() | st.datetimes() | st.datetimes(timezones=st.just(UTC)),
    source_id=st.none() | st.text(max_size=70),
    context=st.none() | st.dictionaries(st.text(max_size=5), st.integers() | st.floats() | st.text(max_size=5)),
    absent=st.none() | st.sampled_from(["error", "x"]),
)


@given(st.lists(DRAFTS, max_size=4))
def test_random_drafts_never_raise(drafts: list[adapter.Draft]) -> None:
    got = built(*drafts)
    assert len(got.readings) + len(got.refusals) == len(drafts)
    assert adapter.guarded(lambda device_id, payload: got)("pulse-3", b"payload") == got


# The example that docs/adapters.md shows


def _example() -> Callable[[str, bytes], Message]:
    spec = importlib.util.spec_from_file_location("example_oximeter", EXAMPLE / "example_oximeter.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return adapter.guarded(module.decode)


BATCH = b"OX1 1042\n2026-11-21T10:00:01+00:00 96.50 72 moving\n2026-11-21T10:05:01+00:00 -- -- finger_out\n"


def test_the_example_reads_its_vendors_batches() -> None:
    got = _example()("ox-1", BATCH)
    assert (got.id, got.refusals) == ("1042", ())
    assert [(one.code, one.value, one.absent, one.flags) for one in got.readings] == [
        ("spo2", 96.5, None, ("motion",)),
        ("pulse", 72, None, ("motion",)),
        ("spo2", None, "not-performed", ()),
        ("pulse", None, "not-performed", ()),
    ]
    assert errors(_example()("ox-1", b"OX1 1\n2026-11-21T10:00:01+00:00 96\n")) == [("schema", "line", 0)]
    assert errors(_example()("ox-1", b"\xff")) == [("adapter_failed", None, None)]


def test_an_adapter_that_is_installed_as_a_package_of_its_own_is_a_format(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--target", str(tmp_path / "site")]
    subprocess.run([*pip, *offline, str(EXAMPLE)], check=True, capture_output=True, timeout=100)
    (tmp_path / "batch.txt").write_bytes(BATCH)
    run = subprocess.run(
        [sys.executable, "-m", "devices", "decode", "--format", "example-oximeter", str(tmp_path / "batch.txt")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        timeout=60,
    )
    got = msgspec.json.decode(run.stdout)
    assert got["refusals"] == []
    assert [(one["code"], one["value"], one["value_sent"], one["unit_sent"]) for one in got["readings"]] == [
        ("spo2", 96.5, 96.5, "%"),
        ("pulse", 72, 72, "/min"),
        ("spo2", None, None, "%"),
        ("pulse", None, None, "/min"),
    ]


def test_the_document_shows_the_example_as_it_is() -> None:
    text = (ROOT / "docs" / "adapters.md").read_text()
    for name in ("example_oximeter.py", "pyproject.toml"):
        assert (EXAMPLE / name).read_text().strip() in text
