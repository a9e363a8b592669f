"""What a sender's line carries. The recorded lines are of Chromium behind a relay and the impairment proxy, 640x480."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from telehealth.media import arrivals

_LINES = Path(__file__).parent / "lines"


def recorded(name: str) -> Any:
    return json.loads((_LINES / f"{name}.json").read_text())


def estimates(packets: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """When and what, in ms and bit/s."""
    line = arrivals.Arrivals()
    found = []
    for at, sent, size in packets:
        told = line.add(at, sent, size, 7)
        if told is not None:
            found.append((at, told[0]))
    return found


def simulated(
    seconds: int,
    *,
    rate: float,
    capacity: float | None = None,
    jitter: float = 0.0,
    since: float = 3.0,
    queue: float = 9,
) -> list[tuple[int, int, int]]:
    """Packets of so many bit/s; from a moment on the line has a capacity, or adds up to so many seconds, in order."""
    dice, free, last, found = random.Random(1), 0.0, 0.0, []
    for number in range(int(seconds * rate / 8000)):
        sent = number * 8000 / rate
        there = sent + 0.03
        if sent >= since:
            there += dice.random() * jitter
            if capacity is not None:
                begins = max(sent, free)
                if begins - sent > queue:
                    continue
                free = begins + 8000 / capacity
                there = free + 0.03
        last = there = max(last, there)
        found.append((int(there * 1000), int(sent * (1 << 18)) % (1 << 24), 1000))
    return found


def test_a_line_that_is_only_unsteady_carries_what_it_did() -> None:
    """150 ms and up to 60 more, from 6 s on: aiortc's own estimate fell to 25 kbit/s there."""
    found = estimates(recorded("unsteady")["up"])
    assert min(told for at, told in found if at > 3000) > 300_000


def test_a_full_line_is_found_within_seconds() -> None:
    """60 kbit/s for voice and picture, from 6 s on."""
    found = estimates(recorded("full")["up"])
    assert min(told for at, told in found if 2000 < at < 5500) > 300_000
    assert min(told for at, told in found if 6000 < at < 10_000) < 60_000


def test_delays_that_vary_are_no_queue() -> None:
    found = estimates(simulated(120, rate=400_000, jitter=0.06))
    assert min(told for at, told in found if at > 5000) > 350_000
    assert found[-1][0] > 110_000, "also beyond the 64 s after which times begin anew"


def test_a_longer_way_is_no_queue() -> None:
    packets = [(at + (200 if at > 10_000 else 0), sent, size) for at, sent, size in simulated(30, rate=400_000)]
    assert min(told for at, told in estimates(packets) if at > 3000) > 300_000


def test_a_queue_that_grows_is_one() -> None:
    found = estimates(simulated(12, rate=400_000, capacity=200_000))
    assert 100_000 < found[-1][1] < 200_000


def test_a_process_that_stood_still_is_not_the_line() -> None:
    packets = [(max(at, 10_400) if at > 10_000 else at, sent, size) for at, sent, size in simulated(20, rate=400_000)]
    assert min(told for at, told in estimates(packets) if at > 3000) > 400_000


def test_room_is_found_again() -> None:
    packets = simulated(10, rate=400_000, capacity=100_000, queue=0.5)
    end = packets[-1][0] / 1000 + 1
    later = [(at + int(end * 1000), (sent + int(end * (1 << 18))) % (1 << 24), size) for at, sent, size in
             simulated(20, rate=300_000, since=99)]  # fmt: skip
    found = estimates(packets + later)
    assert max(told for _, told in found) >= 400_000
    assert found[-1][1] >= 400_000


def test_whose_estimate_it_is() -> None:
    line = arrivals.Arrivals()
    told = None
    for number in range(1000):
        at = number * 20
        told = line.add(at, int(at / 1000 * (1 << 18)), 1000, 1 if at < 5000 else 2) or told
    assert told is not None
    assert told[1] == [2]
