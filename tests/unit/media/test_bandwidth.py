"""Weak lines: who is slowed down for them, and when pictures are taken away and come back."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from telehealth.media import bandwidth

rates = st.floats(1_000, 5_000_000)


@given(st.integers(1_000, 5_000_000), st.lists(st.none() | rates))
def test_nobody_is_slowed_down_below_the_floor_for_others(own: int, viewers: list[float | None]) -> None:
    told = bandwidth.upstream(own, viewers)
    assert told <= own
    assert told >= min(own, bandwidth.FLOOR)
    if all(cap is None or cap >= own for cap in viewers):
        assert told == own


def run(
    line: bandwidth.Line, carries: float, *, since: float, seconds: int, sent: float = 300_000.0, wanted: int = 3
) -> list[int | None]:
    """What a line of so many bit/s does to the pictures, each second; each picture is sent at so many."""
    found = []
    for now in range(int(since), int(since) + seconds):
        pictures = wanted if line.pictures is None else min(wanted, line.pictures)
        rate = pictures * min(sent, line.cap or sent)
        if pictures:
            # As browsers estimate: never much above what comes in, and below it where the line is full.
            line.heard(min(0.85 * carries if carries < rate else 1.5 * rate, 1.5 * rate), now)
        line.judge(sent=rate, loss=0.0, pictures=pictures, wanted=wanted, now=now)
        found.append(line.pictures)
    return found


def test_a_good_line_gets_everything() -> None:
    line = bandwidth.Line()
    assert set(run(line, 5_000_000, since=0, seconds=120)) == {None}
    assert line.cap is None


@given(st.floats(10_000, 250_000))
def test_little_is_sent_and_the_line_is_good(sent: float) -> None:
    """An estimate is low because little comes in, which is no weakness."""
    line = bandwidth.Line()
    assert set(run(line, 5_000_000, since=0, seconds=60, sent=sent, wanted=2)) == {None}


def test_a_weak_line_keeps_the_voices_and_gets_pictures_back() -> None:
    line = bandwidth.Line()
    assert run(line, 60_000, since=0, seconds=8)[-1] == 0
    assert line.audio_only
    back = run(line, 5_000_000, since=8, seconds=60)
    assert back[-1] is None
    assert back.index(1) < back.index(2), "one after another"


def test_a_line_that_stays_weak_is_tried_ever_less_often() -> None:
    line = bandwidth.Line()
    shown = run(line, 60_000, since=0, seconds=400)
    tries = [now for now in range(1, 400) if shown[now - 1] == 0 and shown[now] == 1]
    pauses = [b - a for a, b in itertools.pairwise(tries)]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 80


def test_a_middling_line_gets_fewer_pictures() -> None:
    line = bandwidth.Line()
    shown = run(line, 450_000, since=0, seconds=8)
    assert shown[-1] in (1, 2)


@given(st.lists(st.tuples(rates, st.floats(0, 1), st.integers(0, 9), st.integers(0, 10)), max_size=60))
def test_limits_are_numbers_of_pictures(moments: list[tuple[float, float, int, int]]) -> None:
    line = bandwidth.Line()
    for now, (rate, loss, pictures, wanted) in enumerate(moments):
        line.heard(rate, now)
        line.judge(sent=rate * 1.2, loss=loss, pictures=pictures, wanted=wanted, now=now)
        assert line.pictures is None or 0 <= line.pictures <= 10
        assert line.cap is None or line.cap >= bandwidth.FLOOR
