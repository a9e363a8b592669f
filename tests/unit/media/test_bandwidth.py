"""Weak lines: who is slowed down for them, and when pictures are taken away and come back."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from telehealth.media import bandwidth
from tests.unit.media.test_arrivals import recorded

rates = st.floats(1_000, 5_000_000)


@given(st.lists(st.none() | rates))
def test_nobody_is_slowed_down_below_the_floor_for_others(viewers: list[float | None]) -> None:
    most = bandwidth.upstream(viewers)
    caps = [cap for cap in viewers if cap is not None]
    if not caps:
        assert most is None
    else:
        assert most == int(max(bandwidth.FLOOR, min(caps)))


def run(
    line: bandwidth.Line,
    carries: float,
    *,
    since: float,
    seconds: int,
    sent: float = 300_000.0,
    wanted: int = 3,
    chance: float = 0.0,
) -> list[int | None]:
    """What a line of so many bit/s does to the pictures, each second; each picture is sent at so many.

    chance: share of packets that is lost however much is sent.
    """
    found = []
    for now in range(int(since), int(since) + seconds):
        pictures = wanted if line.pictures is None else min(wanted, line.pictures)
        rate = pictures * min(sent, line.cap or sent)
        if pictures:
            # As browsers estimate: never much above what comes in, and below it where the line is full.
            line.heard(min(0.85 * carries if carries < rate else 1.5 * rate, 1.5 * rate), now)
            packets = int(rate / 8000) + 1
            share = max(chance, 1 - carries / rate) if rate else chance
            for _ in range(pictures):
                line.reported(packets // pictures + 1, share * (packets // pictures + 1), 0.1, now)
        line.judge(sent=rate, pictures=pictures, wanted=wanted, now=now)
        found.append(line.pictures)
    return found


def replay(name: str) -> list[tuple[float, int | None]]:
    """Pictures after each judgement on a recorded line, with its time in seconds."""
    line = bandwidth.Line()
    found = []
    for what, at, *values in recorded(name)["down"]:
        if what == "heard":
            line.heard(values[0], at)
        elif what == "reported":
            packets, lost, behind = values
            line.reported(packets, lost, behind, at)
        else:
            sent, pictures, wanted = values
            line.judge(sent=sent, pictures=pictures, wanted=wanted, now=at)
            found.append((at, line.pictures))
    return found


def test_a_recorded_line_that_is_only_unsteady_keeps_its_picture() -> None:
    assert {pictures for _, pictures in replay("unsteady")} == {None}


def test_a_recorded_line_that_is_full_keeps_the_voice() -> None:
    """60 kbit/s from 6 s on."""
    taken = [at for at, pictures in replay("full") if pictures == 0]
    assert 6 < taken[0] < 13


@given(st.floats(10_000, 100_000), st.floats(0.0, 0.5))
def test_a_low_estimate_alone_takes_no_picture_away(estimate: float, behind: float) -> None:
    """Browsers take delays that vary for a full line."""
    line = bandwidth.Line()
    for now in range(60):
        line.heard(estimate, now)
        line.reported(40, 1.0, behind, now)
        line.judge(sent=300_000, pictures=1, wanted=1, now=now)
        assert line.pictures is None
    assert line.cap is None


def test_a_line_that_holds_packets_up_keeps_the_voices() -> None:
    line = bandwidth.Line()
    for now in range(12):
        line.heard(60_000 if now > 3 else 450_000, now)
        line.reported(40, 0.0, 0.1 if now <= 3 else 1.5, now)
        line.judge(sent=300_000, pictures=1, wanted=1, now=now)
    assert line.audio_only


def test_a_line_of_which_nothing_is_heard_keeps_the_voices() -> None:
    """What browsers report gets lost on a way up that is as full."""
    line = bandwidth.Line()
    for now in range(14):
        if now <= 3:
            line.reported(40, 0.0, 0.1, now)
        line.heard(60_000 if now > 3 else 450_000, now)
        line.judge(sent=300_000, pictures=1, wanted=1, now=now)
    assert line.audio_only


@given(st.floats(0.0, 0.05))
def test_chance_loss_takes_no_picture_away(chance: float) -> None:
    line = bandwidth.Line()
    assert set(run(line, 5_000_000, since=0, seconds=60, chance=chance)) == {None}


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
    assert pauses[-1] >= 40


def test_a_middling_line_gets_fewer_pictures() -> None:
    line = bandwidth.Line()
    shown = run(line, 450_000, since=0, seconds=8)
    assert shown[-1] in (1, 2)


@given(st.lists(st.tuples(rates, st.floats(0, 1), st.integers(0, 9), st.integers(0, 10)), max_size=60))
def test_limits_are_numbers_of_pictures(moments: list[tuple[float, float, int, int]]) -> None:
    line = bandwidth.Line()
    for now, (rate, loss, pictures, wanted) in enumerate(moments):
        line.heard(rate, now)
        line.reported(50, 50 * loss, None, now)
        line.judge(sent=rate * 1.2, pictures=pictures, wanted=wanted, now=now)
        assert line.pictures is None or 0 <= line.pictures <= 10
        assert line.cap is None or line.cap >= bandwidth.FLOOR


def test_a_way_up_that_pictures_fill_is_left_to_the_voice() -> None:
    way = bandwidth.Upward()
    paused = []
    for now in range(200):
        way.judge(rate=0.0 if way.paused else 30_000, queue=0.0 if way.paused else 0.5, loss=0.0, now=now)
        paused.append(way.paused)
    assert paused.index(True) < 5
    tries = [now for now in range(1, 200) if paused[now - 1] and not paused[now]]
    pauses = [b - a for a, b in itertools.pairwise(tries)]
    assert tries[0] < 15
    assert pauses == sorted(pauses)
    assert sum(paused) > 150
    for now in range(200, 260):
        way.judge(rate=300_000, queue=0.0, loss=0.0, now=now)
    assert not way.paused


@given(st.floats(0, 1), st.floats(0, 0.14))
def test_a_way_up_that_carries_pictures_is_left_alone(queue: float, loss: float) -> None:
    way = bandwidth.Upward()
    for now in range(60):
        way.judge(rate=150_000, queue=queue, loss=loss, now=now)
        assert not way.paused
