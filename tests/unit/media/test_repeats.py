"""How much is sent again."""

from __future__ import annotations

from telehealth.media import repeats


def test_the_same_packet_once_in_a_round_trip() -> None:
    again = repeats.Repeats()
    assert again.allows(7, 1000, 10.0, 0.2)
    assert not again.allows(7, 1000, 10.1, 0.2)
    assert again.allows(8, 1000, 10.1, 0.2)
    assert again.allows(7, 1000, 10.25, 0.2)


def test_a_full_line_is_not_filled_with_what_is_sent_again() -> None:
    again = repeats.Repeats()
    sent = repeated = 0
    for number in range(1000):
        now = number / 50
        again.sent(1000)
        sent += 1000
        for back in range(10):
            if again.allows(number - back, 1000, now, 0.001):
                repeated += 1000
    assert repeated < 0.6 * sent


def test_a_fifth_lost_is_repaired() -> None:
    again = repeats.Repeats()
    for number in range(1000):
        again.sent(1000)
        if number % 5 == 0:
            assert again.allows(number, 1000, number / 50, 0.05)


def test_what_is_too_old_gives_way_to_a_whole_picture() -> None:
    assert not repeats.stale(0.9, 0.05)
    assert repeats.stale(1.1, None)
    assert not repeats.stale(1.5, 0.42), "the third try on a slow line is worth it"
