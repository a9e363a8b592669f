"""Who gets which slot: everybody who should, once, and nobody is moved without need."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telehealth.media import slots

people = st.integers(1, 12)


@given(st.integers(1, 10), st.lists(st.tuples(st.lists(people, max_size=14), st.integers(0, 12)), max_size=8))
def test_the_first_have_a_slot_each_and_keep_it(size: int, steps: list[tuple[list[int], int]]) -> None:
    held: list[int | None] = [None] * size
    for wanted, limit in steps:
        before, held = held, slots.assign(held, wanted, limit=limit)
        chosen = list(dict.fromkeys(wanted))[: min(size, limit)]
        assert len(held) == size
        assert sorted(who for who in held if who is not None) == sorted(chosen)
        for place, who in enumerate(before):
            if who in chosen:
                assert held[place] == who


@given(st.lists(people, unique=True, max_size=9))
def test_pictures_sit_where_voices_do(others: list[int]) -> None:
    voices = slots.assign([None] * 9, others)
    seats = {who: seat for seat, who in enumerate(voices) if who is not None}
    assert slots.assign([None] * 9, reversed(others), seats=seats) == voices


@given(st.lists(people, unique=True), st.lists(people), st.lists(people))
def test_the_order_loses_and_adds_nobody(there: list[int], preferred: list[int], spoke: list[int]) -> None:
    found = slots.order(there, preferred=preferred, spoke=spoke)
    assert sorted(found) == sorted(there)
    first = [who for who in dict.fromkeys(preferred) if who in there]
    assert found[: len(first)] == first


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 10)), max_size=40), st.integers(0, 400))
def test_what_is_shared_out_fits(viewers: list[tuple[int, int]], capacity: int) -> None:
    each = slots.pictures_each(viewers, capacity, least=2)

    def streams(limit: int) -> int:
        return sum(voices + min(pictures, limit) for voices, pictures in viewers)

    if each is None:
        assert streams(2) > capacity
    else:
        assert streams(each) <= capacity
        assert each >= max((p for _, p in viewers), default=0) or streams(each + 1) > capacity
