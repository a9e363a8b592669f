"""Numbers that a viewer sees: one unbroken stream, whatever is switched behind it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telehealth.media import sequence


def test_ahead_wraps() -> None:
    assert sequence.ahead(1, 65535) == 2
    assert sequence.ahead(65535, 1) == -2
    assert sequence.ahead(7, 7) == 0


# Of each source: where its numbers begin, and how far each packet is from the first one (in the order of arrival).
sources = st.lists(
    st.tuples(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.lists(st.integers(0, 60), min_size=1, max_size=40)),
    min_size=1,
    max_size=5,
)


@given(st.integers(0, 32767), sources)
def test_gaps_stay_gaps_and_numbers_are_given_once(first: int, given_sources: list[tuple[int, int, list[int]]]) -> None:
    numbers = sequence.Numbers(first, 5, 90000)
    highest = (first - 1) & 0xFFFF
    used: set[int] = set()
    for ssrc, (begin, begin_time, steps) in enumerate(given_sources):
        numbers.restart()
        base = steps[0]
        for n, step in enumerate(steps):
            found = numbers.give(ssrc, (begin + step) & 0xFFFF, (begin_time + step * 3000) & 0xFFFFFFFF, 1.0 * n)
            if step < base:
                assert found is None, "what came before the first one has no number left"
                continue
            assert found is not None
            assert found[0] == (highest + 1 + step - base) & 0xFFFF
            used.add(found[0])
        highest = (highest + 1 + max(step for step in steps) - base) & 0xFFFF


@given(st.lists(st.floats(0.02, 30), min_size=1, max_size=10))
def test_time_goes_on_across_a_switch(pauses: list[float]) -> None:
    numbers = sequence.Numbers(0, 0, 48000)
    now = 0.0
    last = None
    for ssrc, pause in enumerate(pauses):
        now += pause
        numbers.restart()
        found = numbers.give(ssrc, 40000, ssrc * 12345, now)
        assert found is not None
        if last is not None:
            assert abs((found[1] - last) - pause * 48000) <= 1
        last = found[1]


def test_a_long_stream_is_numbered_through_wraps() -> None:
    numbers = sequence.Numbers(100, 0, 90000)
    for n in range(200_000):
        found = numbers.give(1, n & 0xFFFF, n & 0xFFFFFFFF, n / 1000)
        assert found is not None
        assert found[0] == (100 + n) & 0xFFFF


def test_what_is_much_too_late_is_not_sent_and_a_jump_begins_anew() -> None:
    numbers = sequence.Numbers(0, 0, 90000)
    assert numbers.give(1, 1000, 0, 0.0) == (0, 0)
    for n in range(1001, 2001):
        numbers.give(1, n, 0, 0.0)
    assert numbers.give(1, 1999, 0, 0.0) is not None
    assert numbers.give(1, 1500, 0, 0.0) is None
    jumped = numbers.give(1, 12000, 900_000, 1.0)
    assert jumped is not None
    assert jumped[0] == 1001


def test_whole_pictures_are_known() -> None:
    key, delta = b"\x00\x9d", b"\x01\x9d"
    assert sequence.vp8_key(b"\x10" + key)
    assert not sequence.vp8_key(b"\x10" + delta)
    assert not sequence.vp8_key(b"\x00" + key), "not its beginning"
    assert not sequence.vp8_key(b"\x11" + key), "a later partition"
    assert sequence.vp8_key(b"\x90\x80\x05" + key), "a short picture id"
    assert sequence.vp8_key(b"\x90\xe0\x85\x06\x07\x08" + key), "a long one, and layers"
    assert not sequence.vp8_key(b"\x90\xe0\x85\x06\x07\x08" + delta)


@given(st.binary(max_size=12))
def test_whatever_arrives_is_looked_at_safely(payload: bytes) -> None:
    assert sequence.vp8_key(payload) in (True, False)
