from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import clockwork, timing
from devices.clockwork import Clock, Sent

T = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
HOUR = 3600.0


def _sent(true: float, skew: float, delay: float = 1.0, seq: int | None = None) -> Sent:
    """A message that really was sent `true` seconds after T and received `delay` later; measured a second before."""
    stream = None if seq is None else "s"
    shown, received = T + timedelta(seconds=true + skew), T + timedelta(seconds=true + delay)
    return Sent(shown, received, stream, seq, shown - timedelta(seconds=1))


def _after(messages: Iterable[Sent], known: Clock = clockwork.UNKNOWN) -> Clock:
    for message in messages:
        known = clockwork.observe(known, message)
    return known


SKEWS = st.floats(125, 12 * HOUR)
DELAYS = st.lists(st.floats(0, 2.4), min_size=3, max_size=30)
GAPS = st.floats(33, 900)


def test_a_right_clock_is_right_from_its_first_message() -> None:
    known = _after([_sent(0, 0)])
    assert (known.kind, known.wrong) == ("right", False)


def test_a_clock_that_is_ahead_is_so_at_once_and_surely_with_the_second_message() -> None:
    once = _after([_sent(0, 2 * HOUR)])
    assert (once.kind, once.skew_ms, once.sure) == ("fast", 7_199_000, False)
    assert _after([_sent(5, 2 * HOUR)], once).sure


def test_a_clock_that_gains_minutes_between_its_messages_is_one_that_is_wrong() -> None:
    """Each time further ahead, it would never be told of if each were another error; set wrong anew, it is another."""
    clock = _after(_sent(8 * 3600.0 * n, 150.0 * n) for n in range(1, 5))
    assert (clock.kind, clock.sure, clock.since) == ("fast", True, _sent(8 * 3600.0, 150.0).received_at)
    assert clock.skew_ms == pytest.approx(600_000, abs=2_000)
    anew = _after([_sent(40 * 3600.0, 600.0 + 3600.0)], clock)
    assert (anew.kind, anew.sure) == ("fast", False)


def test_a_clock_that_was_never_set_is_so_at_once() -> None:
    skew = (datetime(1970, 1, 1, tzinfo=UTC) - T).total_seconds()
    once = _after([_sent(0, skew)])
    assert (once.kind, once.sure) == ("unset", False)
    assert _after([_sent(5, skew)], once).sure
    assert _after([_sent(9, 0)], once).kind == "right"


@pytest.mark.parametrize("year", [2000, 2020, 2021, 2024])
def test_a_clock_years_behind_is_not_set(year: int) -> None:
    shown = datetime(year, 1, 1, tzinfo=UTC)
    assert clockwork.observe(clockwork.UNKNOWN, Sent(shown, T)).kind == "unset"
    at = timing.effective(shown - timedelta(seconds=9), shown, T)
    assert at == (T - timedelta(seconds=9), True)


@given(SKEWS, DELAYS, GAPS)
def test_a_clock_behind_is_found_by_messages_that_agree(skew: float, delays: Sequence[float], gap: float) -> None:
    known = _after(_sent(n * gap, -skew, delay) for n, delay in enumerate(delays))
    assert known.kind == "slow"
    assert known.sure
    assert -5.1 <= known.skew_ms / 1000 + skew <= 0.0
    assert known.since == T + timedelta(seconds=delays[0])


@given(SKEWS)
def test_two_messages_or_one_minute_do_not_put_a_clock_behind(skew: float) -> None:
    assert _after([_sent(0, -skew), _sent(600, -skew)]).kind == "unknown"
    assert _after(_sent(n, -skew) for n in range(50)).kind == "unknown"


@given(st.floats(120, 6 * HOUR), st.floats(1, 600), st.floats(2, 1000), st.booleans())
def test_a_queue_that_is_drained_is_no_slow_clock(outage: float, every: float, times: float, was_known: bool) -> None:
    """What was queued while the service was away comes at several times the pace at which it was sent."""
    known = _after([_sent(-every, 0, seq=1)]) if was_known else clockwork.UNKNOWN
    count = min(int(outage / every) + 1, 400)
    for n in range(count):
        sent = n * outage / count
        known = clockwork.observe(known, _sent(sent, 0, outage + sent / times - sent, seq=n + 2))
        assert not known.wrong
    known = clockwork.observe(known, _sent(2 * outage, 0, 1, seq=count + 2))
    assert known.kind == "right"
    assert known.run is None


@given(st.lists(st.tuples(st.floats(0, 86_400), st.floats(-25, 25)), min_size=1, max_size=40))
def test_a_right_clock_is_never_fast_however_late_its_messages_are(late: list[tuple[float, float]]) -> None:
    known = clockwork.UNKNOWN
    for n, (delay, skew) in enumerate(late):
        known = clockwork.observe(known, _sent(n * 60, skew, delay))
        assert known.kind in ("right", "slow", "unknown")


@given(SKEWS, st.lists(st.floats(0, 600), max_size=20))
def test_what_is_surely_known_needs_no_writing(skew: float, delays: list[float]) -> None:
    for sign in (-1, 1):
        known = _after(_sent(n * 40, sign * skew, 0.5) for n in range(5))
        for n, delay in enumerate(delays):
            later = clockwork.observe(known, _sent(1000 + n, sign * skew, 0.5 + min(delay, 4)))
            assert later is known


def test_late_messages_in_between_do_not_hide_a_slow_clock() -> None:
    delays = [1, 19, 2, 14, 30, 3, 11, 1]
    assert _after(_sent(n * 20, -HOUR, delay) for n, delay in enumerate(delays)).kind == "slow"


def test_a_clock_put_back_is_known_by_the_next_message_of_its_stream() -> None:
    right = _after([_sent(0, 0, seq=7)])
    back = clockwork.observe(right, _sent(20, -HOUR, seq=8))
    assert (back.kind, back.sure, back.step_ms) == ("slow", False, -3_600_000)
    assert clockwork.observe(back, _sent(40, -HOUR, seq=9)).sure
    # an old copy of an earlier message, or a message of another stream, says nothing
    assert clockwork.observe(right, _sent(20, -HOUR, seq=6)).kind == "right"
    other = Sent(T - timedelta(hours=1), T + timedelta(seconds=20), "t", 8, T - timedelta(hours=1))
    assert clockwork.observe(right, other).kind == "right"
    assert clockwork.observe(right, _sent(20, -HOUR, seq=8), prompt=False).kind == "right"


@given(
    st.lists(
        st.tuples(
            st.floats(0, 300), st.lists(st.tuples(st.floats(0, 3000), st.floats(0, 3000)), min_size=1, max_size=4)
        ),
        max_size=12,
    )
)
def test_no_delay_resend_or_order_looks_like_a_clock_put_back(
    made: list[tuple[float, list[tuple[float, float]]]],
) -> None:
    """Messages made one after the other, each sent some times later and each copy received whenever."""
    copies = []
    at = 0.0
    for seq, (gap, sendings) in enumerate(made):
        at += gap
        for waited, delay in sendings:
            sent = T + timedelta(seconds=at + waited)
            received = sent + timedelta(seconds=delay)
            copies.append(Sent(sent, received, "s", seq, T + timedelta(seconds=at)))
    known = clockwork.UNKNOWN
    for copy in sorted(copies, key=lambda one: one.received_at):
        before, known = known, clockwork.observe(known, copy)
        assert not (before.kind == "right" and known.kind == "slow" and known.seen == 1)


@given(SKEWS, st.floats(-29, 29))
def test_a_clock_that_is_right_again_is_believed_at_once(skew: float, now: float) -> None:
    slow = _after(_sent(n * 40, -skew) for n in range(4))
    assert clockwork.observe(slow, _sent(500, now, 0)).kind == "right"
    fast = _after(_sent(n * 40, skew + 600) for n in range(4))
    assert clockwork.observe(fast, _sent(500, now, 0)).kind == "right"


def test_a_clock_a_little_ahead_is_right_again_when_messages_agree() -> None:
    fast = _after(_sent(n * 40, 90) for n in range(3))
    assert clockwork.observe(fast, _sent(200, 0)).kind == "fast"
    assert _after((_sent(200 + n * 40, 0) for n in range(3)), fast).kind == "right"


@given(st.lists(st.floats(0, 3), min_size=10, max_size=60), st.floats(57, 63))
def test_a_clock_on_the_edge_does_not_come_and_go(delays: list[float], skew: float) -> None:
    kinds = []
    known = clockwork.UNKNOWN
    for n, delay in enumerate(delays):
        known = clockwork.observe(known, _sent(n * 30, skew, delay))
        kinds.append(known.kind)
    assert sum(one != other for one, other in itertools.pairwise(kinds)) <= 1


def test_a_step_of_the_services_own_clock_is_over_when_it_is_put_right() -> None:
    """Put back an hour, every device looks an hour ahead; put right, none does any more."""
    known = _after([_sent(0, 0), _sent(60, HOUR), _sent(120, HOUR)])
    assert known.kind == "fast"
    assert clockwork.observe(known, _sent(180, 0)).kind == "right"


@given(st.lists(st.tuples(st.floats(-86_400, 86_400), st.floats(0, 4000), st.booleans()), max_size=25))
def test_what_is_known_survives_being_stored(messages: list[tuple[float, float, bool]]) -> None:
    known = clockwork.UNKNOWN
    for n, (skew, delay, prompt) in enumerate(messages):
        known = clockwork.observe(known, _sent(n * 50, skew, delay, seq=n), prompt=prompt)
        assert msgspec.json.decode(msgspec.json.encode(known), type=Clock) == known
        assert known.wrong is (known.kind in ("fast", "slow", "unset"))
        assert not known.wrong or known.since is not None


# effective_at ----------------------------------------------------------------------------------------


def _at(seconds: float) -> datetime:
    return T + timedelta(seconds=seconds)


def test_believing_a_clock_that_was_put_back_shows_the_older_value_for_an_hour() -> None:
    """The naive rule, and why it is not enough."""
    taken = [_at(-60), _at(570 - HOUR)]
    before = Sent(_at(-30), _at(-29), "s", 1, taken[0])  # taken at 00:59, right
    after = Sent(_at(600 - HOUR), _at(601), "s", 2, taken[1])  # taken at 01:10, shown as 00:10
    naive = [timing.effective(taken[n], m.sent_at, m.received_at) for n, m in enumerate((before, after))]
    assert naive[0].effective_at is not None
    assert naive[1].effective_at is not None
    assert naive[1].effective_at < naive[0].effective_at  # the deterioration would be missed
    known = clockwork.observe(clockwork.UNKNOWN, before)
    assert clockwork.effective(known, taken[0], before.sent_at, before.received_at) == (taken[0], False)
    known = clockwork.observe(known, after)
    assert clockwork.effective(known, taken[1], after.sent_at, after.received_at) == (_at(571), True)


SLOW = Clock("slow", -3_600_000, since=T, seen=3, right_at=_at(-60))
FAST = Clock("fast", 7_200_000, since=T, seen=3)


@pytest.mark.parametrize(
    ("known", "taken", "sent", "received", "effective", "uncertain"),
    [
        # behind: estimated by when it sent
        (SLOW, -HOUR, 9 - HOUR, 10, 1, True),
        # taken before the clock was put back, sent afterwards: believed
        (SLOW, -3 * HOUR, 9 - HOUR, 10, -3 * HOUR, False),
        # sent before it was put back and late since: its time is right
        (SLOW, -50, -40, 10, -50, False),
        # behind and late as well: by the skew
        (SLOW, -HOUR, 5 - HOUR, 500, 0, True),
        # without sent_at: by the skew
        (SLOW, -HOUR, None, 10, 0, True),
        (FAST, 2 * HOUR, None, 10, 0, True),
        # ahead: as designed
        (FAST, 2 * HOUR, 2 * HOUR + 4, 10, 6, True),
        # ahead and late for longer
        (FAST, 2 * HOUR, 2 * HOUR + 5, 3 * HOUR, 0, True),
        # its clock has just been put right
        (FAST, 0, 5, 8, 0, False),
    ],
)
def test_effective_times_by_a_clock_that_is_known(
    known: Clock, taken: float, sent: float | None, received: float, effective: float, uncertain: bool
) -> None:
    got = clockwork.effective(known, _at(taken), None if sent is None else _at(sent), _at(received))
    assert got == (_at(effective), uncertain)


TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2100, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
CLOCKS = st.builds(
    Clock,
    kind=st.sampled_from(["unknown", "right", "fast", "slow", "unset"]),
    skew_ms=st.integers(-86_400_000_000, 86_400_000_000),
    since=st.just(T),
    right_at=st.none() | st.just(T),
)


@given(CLOCKS, TIMES, st.none() | TIMES, TIMES, st.booleans())
def test_no_reading_counts_more_than_a_minute_after_it_was_received(
    known: Clock, taken: datetime, sent: datetime | None, received: datetime, clock_set: bool
) -> None:
    got = clockwork.effective(known, taken, sent, received, clock_set=clock_set)
    assert got.effective_at is None or got.effective_at <= received + timing.TOLERANCE
    assert got.uncertain or got.effective_at == taken
    if not known.wrong:
        assert got == timing.effective(taken, sent, received, clock_set=clock_set)


# In words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "seconds", "words"),
    [
        ("slow", -3_590, "about 1 h slow since 29 Mar 02:00 BST: probably daylight saving"),
        ("fast", 3_601, "about 1 h fast since 29 Mar 02:00 BST: probably daylight saving"),
        ("fast", 7_200, "about 2 h fast since 29 Mar 02:00 BST: probably set to another time zone"),
        ("slow", -5_400, "about 1 h 30 min slow since 29 Mar 02:00 BST: probably set to another time zone"),
        ("slow", -2_000, "33 min slow since 29 Mar 02:00 BST"),
        ("fast", 75, "75 s fast since 29 Mar 02:00 BST"),
        ("slow", -400 * 86_400, "about 400 days slow since 29 Mar 02:00 BST"),
        ("unset", -1e9, "not set since 29 Mar 02:00 BST"),
    ],
)
def test_words(kind: clockwork.Kind, seconds: float, words: str) -> None:
    assert clockwork.sentence(kind, int(seconds * 1000), T, LONDON) == words


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (7_198, "the device's clock was about 2 h fast"),
        (-3_602, "the device's clock was about 1 h slow"),
        (-1_000_000_000, "the device's clock was not set"),
        (3, "the device's times contradict each other"),
        (None, "the device's clock was wrong"),
    ],
)
def test_why_a_time_is_an_estimate(sent: float | None, words: str) -> None:
    assert clockwork.estimated(None if sent is None else _at(sent), T) == words
