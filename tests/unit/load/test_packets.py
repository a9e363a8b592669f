"""The own packets of MQTT 3.1.1 and percentiles by nearest rank."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.load import figures, packets


@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(1, 50))
def test_packets_come_apart_however_they_arrive(bodies: list[bytes], size: int) -> None:
    stream = b"".join(packets.packet(0x30, body) for body in bodies)
    found, rest = [], b""
    for start in range(0, len(stream), size):
        some, rest = packets.split(rest + stream[start : start + size])
        found += some
    assert found == [(0x30, body) for body in bodies]
    assert rest == b""


@pytest.mark.parametrize("size", [0, 127, 128, 16_383, 16_384, 300_000])
def test_lengths_are_as_the_standard_has_them(size: int) -> None:
    assert packets.split(packets.packet(0x30, bytes(size))) == ([(0x30, bytes(size))], b"")


def test_a_length_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="four"):
        packets.split(b"\x30\xff\xff\xff\xff\x01")


def test_percentiles() -> None:
    found = figures.percentiles([float(value) for value in range(1, 1001)])
    assert (found.count, found.p50, found.p99, found.p999, found.longest) == (1000, 500, 990, 999, 1000)
    assert figures.percentiles([]).p50 is None
