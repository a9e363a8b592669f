"""The day of a resident: local time, waking and sleep, meals; weekdays and weekends differ."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from simulator import clock, noise
from simulator.bodies.vitals import DAY, HOUR
from simulator.noise import Floats, Integers

#: Days from Thursday, 1 January 1970, to a Monday.
_TO_MONDAY: Final = 3
#: How a meal's glucose goes: from nothing over the top to nothing again.
MEAL_MS: Final = 4 * HOUR


def local_ms(zone: str, times_ms: Integers) -> Integers:
    """Milliseconds of local time since the local 1 January 1970."""
    quarters = times_ms // (HOUR // 4)
    found, back = np.unique(quarters, return_inverse=True)
    offsets = np.array([_offset_ms(zone, int(quarter)) for quarter in found], dtype=np.int64)
    return np.asarray(times_ms + offsets[back], dtype=np.int64)


def weekday(local: Integers) -> Integers:
    """0 Monday to 6 Sunday."""
    return np.asarray((local // DAY + _TO_MONDAY) % 7, dtype=np.int64)


def wave(local: Integers, top_hour: float, later_minutes: float) -> Floats:
    """The daily rhythm, -1 to 1: highest at top_hour for somebody who rises at 7, later for who rises later."""
    part = (local % DAY).astype(np.float64) / DAY
    return noise.wave(part - (top_hour + later_minutes / 60.0) / 24 + 0.25)


def asleep(local: Integers, wakes: float, sleeps: float, source: int, weekend_minutes: float) -> Floats:
    """1 while asleep, 0 awake, in between for a quarter of an hour. wakes, sleeps: minutes after local midnight."""
    day = local // DAY
    minute = (local % DAY).astype(np.float64) / 60_000
    late = np.where(weekday(local) >= 5, weekend_minutes, 0.0)
    rise = wakes + late + 25.0 * noise.gaussian(noise.key(source, "rises"), day)
    bed = sleeps + 25.0 * noise.gaussian(noise.key(source, "goes to bed"), day)
    # Who goes to bed after midnight still sleeps at the beginning of the day.
    before = np.clip((rise - minute) / 15.0, 0.0, 1.0)
    if sleeps >= 1440.0:
        return np.asarray(before * np.clip((minute - (bed - 1440.0)) / 15.0, 0.0, 1.0), dtype=np.float64)
    return np.asarray(np.maximum(before, np.clip((minute - bed) / 15.0, 0.0, 1.0)), dtype=np.float64)


def meals(local: Integers, usual: tuple[float, ...], source: int) -> Floats:
    """What meals add to glucose, in sizes of a usual meal. usual: minutes after midnight of each meal."""
    total = np.zeros(len(local), dtype=np.float64)
    for number, minute in enumerate(usual):
        # Yesterday's last meal may still count.
        for day in (local // DAY, local // DAY - 1):
            key = noise.key(source, "meal", number)
            at = day * DAY + (60_000 * (minute + 35.0 * noise.gaussian(key, day))).astype(np.int64)
            size = np.maximum(1.0 + 0.45 * noise.gaussian(noise.key(key, "size"), day), 0.1)
            since = (local - at).astype(np.float64) / MEAL_MS
            total += size * _meal(since)
    return total


def _meal(part: Floats) -> Floats:
    """0 before and after, 1 at a third (80 minutes): 729/16 u^2 (1-u)^4."""
    inside = np.clip(part, 0.0, 1.0)
    left = (1.0 - inside) * (1.0 - inside)
    return np.asarray(45.5625 * inside * inside * left * left, dtype=np.float64)


@functools.lru_cache(maxsize=100_000)
def _offset_ms(zone: str, quarter: int) -> int:
    # Zones change their offset on a quarter of an hour, so one look-up serves all times in it.
    shift = clock.from_ms(quarter * (HOUR // 4)).astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    return shift // timedelta(milliseconds=1)
