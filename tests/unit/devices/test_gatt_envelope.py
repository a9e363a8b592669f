"""The messages of gateways that forward Bluetooth frames."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import formats, message
from devices.gatt import decoder
from tests.unit.devices import gatt_frames as sent
from tests.unit.devices.payloads import errors

PULSE = sent.heart_rate(72)
AT = "2026-11-21T10:00:01.250Z"


@pytest.mark.parametrize(
    "characteristic",
    [
        "2A37",
        "2a37",
        "0x2A37",
        "0X2a37",
        "00002a37-0000-1000-8000-00805F9B34FB",
        "00002a3700001000800000805f9b34fb",
    ],
)
def test_a_characteristic_is_named_by_any_of_its_uuids(characteristic: str) -> None:
    got = sent.decode(sent.frame(characteristic, PULSE))
    assert (got.refusals, [one.value for one in got.readings]) == ((), [72])


@pytest.mark.parametrize(
    "characteristic",
    [
        "2A00",
        "2A3",
        "2A377",
        "x2A37",
        "2a37-0000-1000-8000-00805f9b34fb",
        "00002a37-0000-1000-8000-00805f9b34fc",
        0x2A37,
    ],
)
def test_another_characteristic_is_refused(characteristic: Any) -> None:
    got = sent.decode({"characteristic": characteristic, "hex": PULSE.hex()}, sent.frame("2A37", PULSE))
    assert errors(got) == [("characteristic_unknown", "characteristic", 0)]
    assert [one.index for one in got.readings] == [1]


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"hex": None}, "hex_invalid", "hex"),
        ({"hex": "0"}, "hex_invalid", "hex"),
        ({"hex": "0g"}, "hex_invalid", "hex"),
        ({"hex": ""}, "frame_too_short", "hex"),
        ({"hex": "00" * 513}, "frame_too_long", "hex"),
        ({"taken_at": "soon"}, "taken_at_invalid", "taken_at"),
        ({"taken_at": "2026-11-21T10:00:01"}, "taken_at_no_offset", "taken_at"),
        ({"taken_at": "1066-10-14T09:00:00Z"}, "taken_at_out_of_range", "taken_at"),
        ({"source_id": ""}, "source_id_invalid", "source_id"),
        ({"subject": 5}, "subject_invalid", "subject"),
        ({"set": "\n"}, "set_invalid", "set"),
        ({"context": {"Site": "ear"}}, "context_invalid", "context"),
    ],
)
def test_a_bad_frame_is_refused_alone(fields: dict[str, Any], error: str, field: str) -> None:
    got = sent.decode(sent.frame("2A37", PULSE), {**sent.frame("2A37", PULSE), **fields})
    assert errors(got) == [(error, field, 1)]
    assert [one.index for one in got.readings] == [0]


def test_a_frame_that_is_no_object_is_refused_alone() -> None:
    got = sent.decode(sent.frame("2A37", PULSE), 5, None)
    assert errors(got) == [("schema", "frames", 1), ("schema", "frames", 2)]


@pytest.mark.parametrize(
    ("payload", "error", "field"),
    [
        (b"\xff", "not_utf8", None),
        (b"{", "not_json", None),
        (b"[]", "schema", None),
        (b"{}", "schema", "frames"),
        (b'{"frames":{}}', "schema", "frames"),
        (json.dumps({"frames": [0] * 1001}).encode(), "too_many_frames", "frames"),
        (b" " * (message.PAYLOAD_LIMIT + 1), "payload_too_large", None),
    ],
)
def test_what_is_no_message_is_refused_whole(payload: bytes, error: str, field: str | None) -> None:
    got = decoder.decode("hub-1", payload)
    assert errors(got) == [(error, field, None)]
    assert (got.readings, got.seq, got.id) == ((), None, got.digest)


def test_the_envelope_is_the_native_one() -> None:
    got = sent.decode(sent.frame("2A37", PULSE), oldest=5, sent_at=AT, zone="Europe/London")
    assert (got.stream, got.seq, got.oldest, got.id, got.zone) == ("k3Jx9", 7, 5, None, "Europe/London")
    assert got.sent_at == datetime(2026, 11, 21, 10, 0, 1, 250_000, tzinfo=UTC)
    wrong = sent.decode(sent.frame("2A37", PULSE), seq=0, sent_at="soon", zone="a b", taken_at="2026-11-21T10:00:01")
    assert [one[0] for one in errors(wrong)] == ["seq_invalid", "sent_at_invalid", "taken_at_no_offset", "zone_invalid"]
    assert (wrong.id, len(wrong.readings), wrong.zone) == (wrong.digest, 1, None)


# Times


def test_the_bytes_own_time_goes_before_the_frames_and_that_before_the_gateways() -> None:
    scale = sent.scale(14000, at=sent.TIME)
    got = sent.decode(
        sent.frame("2A9D", scale, taken_at=AT),
        sent.frame("2A37", PULSE, taken_at=AT),
        sent.frame("2A37", PULSE),
        taken_at="2026-11-21T11:00:00+01:00",
    )
    own, framed, gateways = got.readings
    assert (own.taken_at, own.local_time) == (None, datetime(2026, 10, 25, 1, 30, 15))  # noqa: DTZ001
    assert framed.taken_at == datetime(2026, 11, 21, 10, 0, 1, 250_000, tzinfo=UTC)
    assert gateways.taken_at == datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def test_a_clock_that_is_not_set_gives_way_to_the_gateways() -> None:
    data = sent.spot(sent.sfloat(97), sent.sfloat(60), at=(2000, 1, 1, 0, 0, 9), clock_not_set=True)
    dated, undated = sent.decode(sent.frame("2A5E", data, taken_at=AT)), sent.decode(sent.frame("2A5E", data))
    for one in dated.readings:
        assert (one.taken_at is None, one.local_time, one.flags) == (False, None, ("clock_not_set",))
    for one in undated.readings:
        assert (one.taken_at, one.local_time) == (None, datetime(2000, 1, 1, 0, 0, 9))  # noqa: DTZ001
        assert one.flags == ("clock_not_set",)


def test_sent_at_never_becomes_the_time_of_a_reading() -> None:
    (one,) = sent.decode(sent.frame("2A37", PULSE), sent_at=AT).readings
    assert (one.taken_at, one.local_time, one.identity.int) == (None, None, 0)


def test_equal_frames_without_a_time_are_told_apart_by_their_place() -> None:
    got = sent.decode(*[sent.frame("2A37", PULSE)] * 3, sent.frame("2A37", PULSE, source_id="a"))
    assert [one.place for one in got.readings] == [0, 1, 2, 0]
    dated = sent.decode(*[sent.frame("2A37", PULSE)] * 3, taken_at=AT)
    assert len({one.identity for one in dated.readings}) == 3


# What the gateway says beside the bytes


def test_what_the_gateway_says_of_a_frame_is_kept() -> None:
    fields = {"source_id": "s-1", "subject": "bed-4", "set": "morning", "context": {"posture": "sitting"}}
    got = sent.decode(sent.frame("2A35", sent.cuff(*map(sent.sfloat, (120, 80, 90)), user=2), **fields))
    for one in got.readings:
        assert (one.source_id, one.subject, one.set) == ("s-1", "bed-4", "morning")
        assert one.context == {"user_slot": 2, "posture": "sitting"}


def test_the_slot_in_the_bytes_goes_before_the_gateways_context() -> None:
    context = {f"k{n}": n for n in range(7)} | {"user_slot": 9}
    (one,) = sent.decode(sent.frame("2A9D", sent.scale(14000, user=2), context=context)).readings
    assert one.context is not None
    assert (one.context["user_slot"], len(one.context)) == (2, 8)


def test_a_set_is_the_same_when_the_message_comes_again_and_another_for_every_frame() -> None:
    cuff = sent.frame("2A35", sent.cuff(*map(sent.sfloat, (120, 80, 90))))
    first, again = sent.decode(cuff, cuff, sent_at=AT), sent.decode(cuff, cuff, oldest=7)
    assert [one.set for one in first.readings] == [one.set for one in again.readings]
    assert len({one.set for one in first.readings}) == 2
    later = sent.decode(cuff, seq=8)
    assert {one.set for one in later.readings}.isdisjoint(one.set for one in first.readings)
    assert sent.decode(sent.frame("2A37", PULSE)).readings[0].set is None


def test_a_thousand_frames_are_taken() -> None:
    got = sent.decode(*[sent.frame("2A35", sent.cuff(*map(sent.sfloat, (120, 80, 90))))] * 1000)
    assert (len(got.readings), got.refusals) == (3000, ())


# Whatever the bytes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("characteristic", "hex", "taken_at", "source_id", "subject", "set", "context")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(decoder.CHARACTERISTICS)),
            st.binary(max_size=24),
            st.dictionaries(st.sampled_from(NAMES), JSON, max_size=2),
        ),
        max_size=5,
    ),
    st.dictionaries(st.sampled_from(("stream", "seq", "id", "oldest", "sent_at", "taken_at", "zone", "frames")), JSON),
)
def test_messages_that_are_nearly_valid_never_raise(
    frames: list[tuple[str, bytes, dict[str, Any]]], fields: dict[str, Any]
) -> None:
    content = {"stream": "k3Jx9", "seq": 7, "frames": [sent.frame(name, data) | bad for name, data, bad in frames]}
    payload = json.dumps(content | fields).encode()
    got = formats.decode("gatt", "hub-1", payload)
    assert (got.seq is None) != (got.id is None)
    assert formats.decode("gatt", "hub-1", payload) == got


def test_the_documented_example_is_read() -> None:
    text = (Path(__file__).parents[3] / "docs" / "devices.md").read_text()
    (example,) = [block for block in re.findall(r"```json\n(.*?)```", text, re.S) if '"frames"' in block]
    got = formats.decode("gatt", "hub-1", example.encode())
    assert got.refusals == ()
    assert len(got.readings) == 7
    for characteristic in decoder.CHARACTERISTICS:
        assert f"`{characteristic}`" in text


def test_the_gateways_time_stands_in_for_a_clock_that_is_not_set() -> None:
    """The flag is of the oximeter's clock; the gateway's is another one."""
    frame = {
        "characteristic": "2A5E",
        "hex": "1162004800ea07030c0b3b00",
        "taken_at": "2026-03-02T11:59:00Z",
    }
    (spo2, _pulse) = decoder.decode("d", json.dumps({"stream": "s", "seq": 1, "frames": [frame]}).encode()).readings
    assert spo2.flags == ("clock_not_set",)
    assert (spo2.time_source, spo2.local_time) == ("gateway", None)
