"""What is missing of a picture: what aiortc would find, at a cost that does not depend on who sends."""

from __future__ import annotations

import time

from aiortc import rtp
from aiortc.rtcrtpreceiver import NackGenerator
from hypothesis import given
from hypothesis import strategies as st

from telehealth.media import gaps, sequence

#: How far each packet is from the one before: mostly near to it, lost, late or repeated.
_steps = st.lists(st.integers(-5, 5) | st.integers(-400, 400), max_size=40)
_jumps = st.lists(st.integers(-5, 5) | st.integers(-32768, 32767), max_size=40)


def _packet(number: int) -> rtp.RtpPacket:
    return rtp.RtpPacket(sequence_number=number & 0xFFFF)


@given(st.integers(0, 65535), _steps)
def test_it_finds_what_aiortc_finds(first: int, steps: list[int]) -> None:
    theirs, ours = NackGenerator(), gaps.Gaps()
    number = first
    for step in [0, *steps]:
        number += step
        assert ours.add(_packet(number)) == theirs.add(_packet(number))
        assert ours.missing == theirs.missing


@given(st.integers(0, 65535), _jumps)
def test_only_what_can_still_be_repeated_is_missing(first: int, jumps: list[int]) -> None:
    found = gaps.Gaps()
    number = newest = first
    found.add(_packet(number))
    for jump in jumps:
        number = (number + jump) & 0xFFFF
        found.add(_packet(number))
        newest = number if sequence.ahead(number, newest) > 0 else newest
        assert number not in found.missing
        assert all(0 < sequence.ahead(newest, one) <= 128 for one in found.missing)


def test_jumps_cost_no_more_than_a_gap() -> None:
    found = gaps.Gaps()
    began = time.process_time()
    for number in range(0, 2000 * 32767, 32767):
        found.add(_packet(number))
    # aiortc needs more than ten seconds for them; a worker has other people to serve.
    assert time.process_time() - began < 2
    assert len(found.missing) == 128
