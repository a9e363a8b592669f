"""The native format as CBOR."""

from __future__ import annotations

import json
import struct
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import cbor, formats, message, native
from devices.message import Message
from tests.unit.devices.payloads import MISSING, TAKEN_AT, envelope, errors, reading


def decode(content: Any) -> Message:
    payload = content if isinstance(content, bytes) else cbor2.dumps(content)
    return formats.decode("cbor", "pulse-3", payload)


def same(one: Message, other: Message) -> bool:
    """All but the digest and the size of the bytes."""
    ids = (one.id == one.digest) == (other.id == other.digest)
    fields = ("stream", "seq", "oldest", "sent_at", "readings", "refusals", "zone")
    return ids and all(getattr(one, name) == getattr(other, name) for name in fields)


CASES = [
    envelope(),
    envelope(reading(value=96.5), reading(code="fall", value=True, unit=MISSING)),
    envelope(reading(code="consciousness", value="A", unit=None), reading(value=None, absent="error")),
    envelope(reading(unit="furlong"), reading(value="98"), 5, reading(taken_at="soon"), reading(value=0.96, unit="1")),
    envelope(reading(context={"site": "ear", "n": 1, "x": 0.5, "b": False}, flags=["motion"], set="s", source_id="i")),
    envelope(reading(context={"n": 2**60}), reading(flags=[1]), reading(value=[96]), reading(value={"a": 1})),
    envelope(stream=MISSING, seq=MISSING, id="m-1"),
    envelope(seq=7.0),
    envelope(seq=0, sent_at="soon"),
    envelope(readings={}),
    {"readings": []},
    [],
    5,
    None,
]


@pytest.mark.parametrize("content", CASES, ids=range(len(CASES)))
def test_the_same_content_means_the_same_as_in_json(content: Any) -> None:
    assert same(decode(content), native.decode("pulse-3", json.dumps(content).encode()))


def test_times_may_be_tagged() -> None:
    for at in (
        cbor2.CBORTag(0, TAKEN_AT),
        cbor2.CBORTag(1, 1795255201),
        cbor2.CBORTag(1, 1795255201.0),
        cbor2.CBORTag(0, "2026-11-21T11:00:01+01:00"),
    ):
        got = decode(envelope(reading(taken_at=at), sent_at=at))
        assert (got.refusals, got.sent_at) == ((), datetime(2026, 11, 21, 10, 0, 1, tzinfo=UTC))
        assert got.readings[0].identity == decode(envelope()).readings[0].identity
    (one,) = decode(envelope(reading(taken_at=cbor2.CBORTag(1, 1795255201.123)))).readings
    assert one.taken_at == datetime(2026, 11, 21, 10, 0, 1, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tag", "error"),
    [
        (cbor2.CBORTag(0, 5), "taken_at_invalid"),
        (cbor2.CBORTag(0, "2026-11-21T10:00:01"), "taken_at_no_offset"),
        (cbor2.CBORTag(1, "now"), "taken_at_invalid"),
        (cbor2.CBORTag(1, float("nan")), "taken_at_invalid"),
        (cbor2.CBORTag(1, 1e300), "taken_at_invalid"),
        (cbor2.CBORTag(1, -(10**10)), "taken_at_out_of_range"),
        (cbor2.CBORTag(1, True), "taken_at_invalid"),
        (cbor2.CBORTag(100, 5), "taken_at_invalid"),
    ],
)
def test_a_tagged_time_that_is_none_is_refused(tag: cbor2.CBORTag, error: str) -> None:
    assert errors(decode(envelope(reading(taken_at=tag)))) == [(error, "taken_at", 0)]


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (cbor2.CBORTag(4, [-1, 965]), "96.5"),
        (cbor2.CBORTag(4, [-2, 9650]), "96.50"),
        (cbor2.CBORTag(2, b"\x60"), "96"),
        (96.5, "96.5"),
        (96, "96"),
    ],
)
def test_numbers_are_exact(value: Any, token: str) -> None:
    (one,) = decode(envelope(reading(value=value))).readings
    assert (one.value, message.value_token(one)) == (float(token), token)


def test_short_floats_are_what_their_bytes_are() -> None:
    payload = cbor2.dumps(envelope(reading(value="@", code="temperature", unit="Cel")))
    for packed, expected in ((b"\xf9\x50\x93", 36.59375), (b"\xfa" + struct.pack(">f", 36.6), 36.599998474121094)):
        (one,) = decode(payload.replace(b"\x61@", packed)).readings
        assert one.value == expected


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("nan"), "value_not_finite"),
        (float("-inf"), "value_not_finite"),
        (2**5000, "value_not_number"),
        (cbor2.CBORTag(3, b"\xff" * 1000), "value_not_number"),
        (cbor2.CBORTag(4, [10**12, 1]), "value_not_number"),
        (cbor2.CBORTag(4, [900, 1]), "value_not_finite"),
        (cbor2.CBORTag(4, [0, 10**70]), "value_not_number"),
        (cbor2.CBORTag(4, "x"), "value_not_number"),
        (cbor2.CBORTag(5, [10**12, 1]), "value_not_number"),
        (cbor2.CBORTag(30, [1, 3]), "value_not_number"),
        (cbor2.CBORTag(35, "(a+)+$"), "value_not_number"),
        (cbor2.undefined, "value_not_number"),
        (b"96", "value_not_number"),
    ],
)
def test_other_values_are_refused(value: Any, error: str) -> None:
    got = decode(envelope(reading(value=value), reading()))
    assert errors(got) == [(error, "value", 0)]
    assert len(got.readings) == 1


NAMED = cbor2.dumps({"stream": "k3Jx9", "seq": 7})


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"\x81" * 100_000,
        b"\xa1\x61a" * 50_000,
        b"\xc6" * 100_000,
        b"\x9f" * 100_000,
        b"\x9f\xff" + b"\x00",
        bytes.fromhex("9bffffffffffffffff"),
        bytes.fromhex("bbffffffffffffffff"),
        bytes.fromhex("5b7fffffffffffffff"),
        bytes.fromhex("7a7fffffff"),
        bytes.fromhex("d81d00"),
        b"\x61\xff",
        NAMED + NAMED,
    ],
)
def test_hostile_bytes_are_refused_without_effort(payload: bytes) -> None:
    tracemalloc.start()
    try:
        got = decode(payload)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert [one.error for one in got.refusals] in (["not_cbor"], ["schema"])
    assert (got.readings, got.id) == ((), got.digest)


def test_shared_and_cyclic_values_are_not_followed() -> None:
    cyclic = bytes.fromhex("d81ca1") + cbor2.dumps("readings") + bytes.fromhex("d81d00")
    assert errors(decode(cyclic)) == [("schema", None, None)]
    shared = cbor2.dumps(envelope(reading(subject="@"))).replace(b"\x61@", bytes.fromhex("d81d00"))
    assert errors(decode(shared)) == [("subject_invalid", "subject", 0)]


def test_a_self_described_message_is_taken() -> None:
    assert len(decode(bytes.fromhex("d9d9f7") + cbor2.dumps(envelope())).readings) == 1


def test_too_long_messages_are_refused_by_their_number() -> None:
    over = decode(envelope(pad="x" * message.PAYLOAD_LIMIT))
    assert (errors(over), over.readings, over.seq) == ([("payload_too_large", None, None)], (), 7)
    huge = decode(envelope(pad="x" * message.SEARCH_LIMIT))
    assert (errors(huge), huge.id) == ([("payload_too_large", None, None)], huge.digest)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("code", "value", "unit", "taken_at", "source_id", "subject", "set", "context", "flags", "method", "absent")


@given(st.binary(max_size=200))
def test_random_bytes_never_raise(payload: bytes) -> None:
    assert cbor.decode("d1", payload).refusals


@given(
    st.dictionaries(st.sampled_from(("stream", "seq", "oldest", "id", "sent_at", "readings")), VALUES),
    st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3), max_size=3),
)
def test_messages_that_are_nearly_valid_never_raise(fields: dict[str, Any], bad: list[dict[str, Any]]) -> None:
    content = envelope(**{"readings": [reading() | one for one in bad], **fields})
    got = decode(content)
    assert (got.seq is None) != (got.id is None)


@given(st.decimals("10", "100", places=3))
def test_decimals_go_through_unchanged(value: Decimal) -> None:
    (one,) = decode(envelope(reading(value=value))).readings
    assert Decimal(message.value_token(one)) == value
    assert one.value == float(value)
