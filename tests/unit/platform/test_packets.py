"""MQTT packets: what is written is read, what is damaged is refused and never anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.brokers import packets
from telehealth.brokers.packets import Malformed, Publish, Will

texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40)
topics = texts.filter(lambda name: name and not set(name) & set("+#"))
wills = st.builds(Will, topics, st.binary(max_size=300), st.integers(0, 2), st.booleans())
connects = st.builds(
    packets.Connect,
    st.just(4),
    texts,
    st.booleans(),
    st.integers(0, 65535),
    st.none() | wills,
    st.none() | texts,
)


def publishes(qos: int) -> st.SearchStrategy[Publish]:
    packet_ids = st.integers(1, 65535).map(lambda number: number.to_bytes(2, "big")) if qos else st.just(b"")
    return st.builds(Publish, topics, st.just(qos), st.booleans(), st.booleans(), packet_ids, st.binary(max_size=300))


@given(connects)
def test_connect_round_trip(wanted: packets.Connect) -> None:
    _, body = packets.split(packets.connect(wanted))
    assert packets.read_connect(body) == wanted


@given(st.integers(0, 2).flatmap(publishes))
def test_publish_round_trip(message: Publish) -> None:
    first, body = packets.split(packets.publish(message))
    assert packets.check(first, body) is packets.Kind.PUBLISH
    assert packets.read_publish(first, body) == message


@given(st.lists(st.tuples(texts.filter(bool), st.integers(0, 2)), min_size=1, max_size=5))
def test_subscribe_round_trip(wanted: list[tuple[str, int]]) -> None:
    first, body = packets.split(packets.subscribe(b"\0\1", wanted))
    assert packets.check(first, body) is packets.Kind.SUBSCRIBE
    assert packets.read_subscribe(body) == (b"\0\1", wanted)


@given(connects, st.data())
def test_damage_is_refused(wanted: packets.Connect, data: st.DataObject) -> None:
    """Cut or altered bytes are read as something or are Malformed; there is no third."""
    _, body = packets.split(packets.connect(wanted))
    cut = body[: data.draw(st.integers(0, len(body)))]
    place = data.draw(st.integers(0, max(len(cut) - 1, 0)))
    damaged = cut[:place] + bytes([data.draw(st.integers(0, 255))]) + cut[place + 1 :]
    for read in (packets.read_connect, packets.read_subscribe, packets.read_unsubscribe):
        try:
            read(damaged)
        except Malformed:
            pass


@given(st.integers(0, 255), st.binary(max_size=60))
def test_any_bytes_as_publish(first: int, body: bytes) -> None:
    try:
        found = packets.read_publish(first, body)
    except Malformed:
        return
    assert found.message == body[len(body) - len(found.message) :]


@pytest.mark.parametrize("first", [0x00, 0x10, 0x20, 0x60, 0x80, 0x90, 0xB0, 0xC1, 0xD0, 0xE1, 0xF0])
def test_packets_that_clients_do_not_send(first: int) -> None:
    with pytest.raises(Malformed):
        packets.check(first, b"")
