from __future__ import annotations

import random
import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from devices import catalogue, identity
from tests.unit.devices.payloads import decode, envelope, reading

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
PARTS = st.tuples(
    st.text("ab-_", min_size=1, max_size=4),
    st.none() | TEXT,
    st.sampled_from(["spo2", "pulse"]),
    st.integers(0, 3),
    TEXT,
)


def _identities(*readings: dict[str, Any], device_id: str = "d1") -> list[uuid.UUID]:
    return [one.identity for one in decode(envelope(*readings), device_id).readings]


@given(PARTS, PARTS)
def test_different_readings_never_share_an_identity(one: Any, other: Any) -> None:
    assert (identity.identity(*one) == identity.identity(*other)) == (one == other)


def test_the_identity_of_a_reading_never_changes() -> None:
    # Stored identities must be found again by every later version.
    assert identity.identity("d1", None, "spo2", 1_795_255_201_000, identity.source("a1")) == uuid.UUID(
        "6b785590-2886-6f4f-635f-b6ec597a50d0"
    )
    assert identity.identity("d1", "ü", "spo2", -1, identity.position(2)) == uuid.UUID(
        "7c202e81-3ae8-280f-5d83-fb9bf5911d57"
    )
    assert identity.word_key("code", "A") == 5261971554210086797


def test_each_part_of_the_identity_counts_and_nothing_else_does() -> None:
    (base,) = _identities(reading(source_id="a1"))
    same = [
        _identities(reading(source_id="a1", value=95)),
        _identities(reading(source_id="a1", value=0.96, unit="1")),
        _identities(reading(source_id="a1", taken_at="2026-11-21T11:00:01.000999+01:00")),
        _identities(reading(source_id="a1", set="s", context={"a": 1}, flags=["motion"], method="keyed")),
        _identities(reading(source_id="a1", value=None, absent="error")),
    ]
    assert same == [[base]] * len(same)
    others = [
        *_identities(reading(source_id="a1"), device_id="d2"),
        *_identities(reading(source_id="a1", subject="x")),
        *_identities(reading(source_id="a2")),
        *_identities(reading()),
        *_identities(reading(source_id="#0")),
        *_identities(reading(source_id="a1", taken_at="2026-11-21T10:00:01.001Z")),
        *_identities(reading(source_id="a1", code="pulse", unit="/min")),
    ]
    assert len({base, *others}) == 1 + len(others)


def test_equals_without_source_id_are_told_apart_by_their_place() -> None:
    first, second, third = _identities(reading(), reading(value=95), reading())
    assert len({first, second, third}) == 3
    assert _identities(reading(value=94), reading()) == [first, second]
    assert (
        _identities(reading(code="pulse", unit="/min"), reading(source_id="x"), reading(subject="y"), reading())[-1]
        == first
    )


@given(st.randoms(use_true_random=False))
def test_the_order_of_readings_does_not_matter_unless_they_are_equals(shuffle: random.Random) -> None:
    readings = [
        reading(source_id="a"),
        reading(source_id="b"),
        reading(),
        reading(code="pulse", unit="/min"),
        reading(subject="x"),
    ]
    expected = set(_identities(*readings))
    shuffle.shuffle(readings)
    assert set(_identities(*readings)) == expected


def test_the_same_value_has_the_same_key_however_it_was_written() -> None:
    def key(**fields: Any) -> int:
        return decode(envelope(reading(**fields))).readings[0].value_key

    assert key(value=96) == key(value=96.0) == key(value=0.96, unit="1")
    assert key(value=96) != key(value=97)
    assert key(code="weight", value=70, unit="kg") == key(code="weight", value=154.3236, unit="[lb_av]")
    assert key(code="weight", value=70, unit="kg") == key(code="weight", value=70_000, unit="g")
    assert key(code="temperature", value=37, unit="Cel") == key(code="temperature", value=98.6, unit="[degF]")
    assert key(code="glucose", value=5.55, unit="mmol/L") == key(code="glucose", value=100, unit="mg/dL")
    assert key(code="temperature", value=37.0, unit="Cel") != key(code="temperature", value=37.1, unit="Cel")


@given(st.sampled_from([entry for entry in catalogue.ENTRIES.values() if entry.kind == "number"]), st.data())
def test_values_a_step_apart_have_different_keys(entry: catalogue.Entry, data: st.DataObject) -> None:
    value = data.draw(st.floats(entry.impossible_low, entry.impossible_high))
    assert identity.value_key(entry, value) != identity.value_key(entry, value + entry.resolution)


@given(st.sampled_from(["code", "absent"]), TEXT)
def test_keys_of_words_are_never_keys_of_numbers(kind: str, word: str) -> None:
    highest = max(identity.value_key(entry, entry.impossible_high) for entry in catalogue.ENTRIES.values())
    assert highest < identity.word_key(kind, word) < 2**63
