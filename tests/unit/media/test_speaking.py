"""Who speaks: the loudest for a while, through pauses, until somebody else does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telehealth.media import speaking


def talk(voices: speaking.Voices, levels: dict[int, int], *, since: float, seconds: float) -> float:
    """Everybody's packets of 20 ms at these levels."""
    for n in range(int(seconds * 50)):
        now = since + n / 50
        for who, level in levels.items():
            voices.heard(who, speaking.loudness(level, 100), now)
        if n % 12 == 0:
            voices.judge(now)
    return since + seconds


def test_the_loud_one_speaks_and_a_louder_one_takes_over() -> None:
    voices = speaking.Voices()
    now = talk(voices, {1: 30, 2: 127}, since=0, seconds=2)
    assert voices.speaker == 1
    now = talk(voices, {1: 127, 2: 25}, since=now, seconds=3)
    assert voices.speaker == 2
    assert voices.spoke == [2, 1]
    now = talk(voices, {1: 127, 2: 127}, since=now, seconds=6)
    assert voices.speaker is None


def test_a_short_noise_is_nobody_speaking() -> None:
    voices = speaking.Voices()
    now = talk(voices, {1: 127, 2: 127}, since=0, seconds=1)
    now = talk(voices, {1: 127, 2: 20}, since=now, seconds=0.04)
    talk(voices, {1: 127, 2: 127}, since=now, seconds=2)
    assert voices.speaker is None


def test_who_is_muted_or_gone_does_not_speak() -> None:
    voices = speaking.Voices()
    now = talk(voices, {1: 20}, since=0, seconds=2)
    voices.gone(1)
    voices.judge(now + 0.1)
    assert voices.speaker is None
    assert voices.spoke == []


@given(st.integers(0, 127), st.integers(0, 1500))
def test_loudness_is_a_share(level: int, size: int) -> None:
    assert 0 <= speaking.loudness(level, size) <= 1
    assert 0 <= speaking.loudness(None, size) <= 1
