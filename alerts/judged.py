"""Every reading of every resident against the rules in force at its time, as columns.

This is where the work is done for the great majority of readings, which change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alerts import codes, news2, profiles, rules, timeline
from alerts.state import State

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_SCALES: Floats = np.array([10.0**entry.decimals for entry in codes.TABLE])
_INPUT_OF_CODE: Integers = np.full(len(codes.CODES), -1)
for _row, _code in enumerate(news2.INPUT_CODES):
    _INPUT_OF_CODE[codes.INDEX[_code]] = _row
_OXYGEN = news2.INPUT_CODES.index("on_oxygen")
_CODE_OF_INPUT: Integers = np.array([codes.INDEX[_code] for _code in news2.INPUT_CODES])

#: Bits that say on which side a threshold rule found a reading red when it was taken.
RED_LOW, RED_HIGH = 1, 2


@dataclass(frozen=True, slots=True)
class Warnings:
    """NEWS2 of the rows that complete a moment with an input; `row_of` leads from a reading to its column, or -1."""

    row_of: Integers
    level: Integers  #: 0 none, 1 single 3 of its own, 2 aggregate 5 or 6, 3 aggregate 7 or more; only bands that alert
    total: Integers
    points: Integers  #: (7, rows), -1: not scored
    value: Floats  #: (7, rows), the more dangerous value; NaN: missing
    at: Integers  #: (7, rows)
    quality: Integers  #: (7, rows)
    fresh: Flags  #: (7, rows)


@dataclass(frozen=True, slots=True)
class Judged:
    """Columns beside the timeline's. Levels: 0 normal, 1 amber, 2 red."""

    low_level: Integers
    high_level: Integers
    low_clears: Flags
    high_clears: Flags
    warnings: Warnings | None


def rounded(code: Integers, value: Floats) -> Floats:
    """Values at their resolution, half up."""
    scale = _SCALES[code]
    result: Floats = np.floor(value * scale + 0.5 + 1e-9) / scale
    return result


def judge(
    rows: timeline.Timeline,
    subject: Integers,
    segment: Integers,
    live: Flags,
    sets: Sequence[rules.RuleSet],
    set_of_row: Integers,
    states: Sequence[State | None],
    seeded_segment: Integers,
    zones: Sequence[str],
) -> Judged:
    """Judges sorted rows.

    `segment` numbers stretches of monitored time, ascending, new for every resident; `seeded_segment` (one per
    subject) is the one that the state's last values belong to, -1 none. `set_of_row` is a position in `sets`.
    `zones` (one per subject): in whose wall clock the profiles of thresholds are.
    """
    limits = np.stack([entry.limit_columns for entry in sets])[set_of_row, rows.code]
    tables = [entry.profile_columns for entry in sets]
    by_clock = profiles.Columns(tables, zones) if any(map(len, tables)) else None
    if by_clock is not None:
        limits = by_clock.put(limits, set_of_row, rows.code, rows.at, subject)
    low, high = rounded(rows.code, rows.low), rounded(rows.code, rows.high)
    red_low, red_high = low < limits[:, 0], high > limits[:, 3]
    low_level = np.where(red_low, 2, low < limits[:, 1]) * live
    high_level = np.where(red_high, 2, high > limits[:, 2]) * live
    warnings = None
    if any(entry.news2 is not None for entry in sets):
        red = RED_LOW * (low_level == 2) + RED_HIGH * (high_level == 2)
        warnings = _warnings(rows, subject, segment, live, red, sets, set_of_row, states, seeded_segment, by_clock)
    return Judged(low_level, high_level, low >= limits[:, 4], high <= limits[:, 5], warnings)


def _warnings(
    rows: timeline.Timeline,
    subject: Integers,
    segment: Integers,
    live: Flags,
    red_of_row: Integers,
    sets: Sequence[rules.RuleSet],
    set_of_row: Integers,
    states: Sequence[State | None],
    seeded_segment: Integers,
    by_clock: profiles.Columns | None,
) -> Warnings | None:
    count = len(rows)
    columns = np.stack([entry.news2_columns for entry in sets])
    usable = live & ~np.isnan(rows.low)
    which = np.where(usable, _INPUT_OF_CODE[rows.code], -1)
    # A moment is judged once, after all that was taken at it: half a set is not a score.
    last_of_moment = np.ones(count, bool)
    last_of_moment[:-1] = (rows.at[1:] != rows.at[:-1]) | (segment[1:] != segment[:-1])
    moment = np.cumsum(last_of_moment) - last_of_moment
    has_input = np.bincount(moment, weights=which >= 0) > 0
    picked = np.flatnonzero(last_of_moment & has_input[moment] & (columns[set_of_row, 0] > 0))
    if len(picked) == 0:
        return None
    row_of = np.full(count, -1)
    row_of[picked] = np.arange(len(picked))
    shape = (len(news2.INPUT_CODES), len(picked))
    low, high = np.empty(shape), np.empty(shape)
    at, quality, red = (np.empty(shape, np.int64) for _ in range(3))
    out = (low, high, at, quality, red)
    _carry_forward(rows, red_of_row, which, subject, segment, picked, states, seeded_segment, out)
    ages = columns[set_of_row[picked], 4:].T
    fresh = ~np.isnan(low) & (rows.at[picked] - at <= ages)
    used_low, used_high = np.where(fresh, low, np.nan), np.where(fresh, high, np.nan)
    scale = columns[set_of_row[picked], 0]
    points = news2.columns(used_high, used_high[_OXYGEN], scale)
    value = high
    differs = (low != high).any(axis=0) & fresh.any(axis=0)
    if differs.any():
        least = news2.columns(used_low, used_high[_OXYGEN], scale)
        value = np.where(least > points, low, high)
        points = np.maximum(points, least)
    total = np.where(points > 0, points, 0).sum(axis=0)
    single = _single(points, value, at, red, sets, set_of_row[picked], subject[picked], by_clock)
    wanted = columns[set_of_row[picked], 1:4] > 0
    level = (single & wanted[:, 0]).astype(np.int64)
    level = np.where((total >= 5) & wanted[:, 1], 2, level)
    level = np.where((total >= 7) & wanted[:, 2], 3, level)
    return Warnings(row_of, level, total, points, value, at, quality, fresh)


def _single(
    points: Integers,
    value: Floats,
    at: Integers,
    red: Integers,
    sets: Sequence[rules.RuleSet],
    set_of_column: Integers,
    subject: Integers,
    by_clock: profiles.Columns | None,
) -> Flags:
    """Where a parameter scores 3 that no threshold rule tells already: one alert for one finding.

    Told already: found red when it was taken, and red on that side at that value by the rules in force now. Only
    both together mean that an episode of the threshold rule is there: changed limits judge from the next reading on,
    and what a changed rule would no longer call red must not be hidden by what the old one did. Of limits that
    change with the time of the day, those at the time of the reading.
    """
    single: Flags = (points == 3).any(axis=0)
    some = np.flatnonzero(single)
    if len(some) == 0:
        return single
    limits = np.stack([entry.limit_columns[_CODE_OF_INPUT] for entry in sets])[set_of_column[some]]
    if by_clock is not None:
        inputs = len(_CODE_OF_INPUT)
        which, whose = np.repeat(set_of_column[some], inputs), np.repeat(subject[some], inputs)
        flat = limits.reshape(-1, 6)
        flat = by_clock.put(flat, which, np.tile(_CODE_OF_INPUT, len(some)), at[:, some].T.ravel(), whose)
        limits = flat.reshape(limits.shape)
    seen, found = rounded(_CODE_OF_INPUT[:, None], value[:, some]), red[:, some]
    told = (found & RED_LOW > 0) & (seen < limits[:, :, 0].T)
    told |= (found & RED_HIGH > 0) & (seen > limits[:, :, 3].T)
    single[some] = ((points[:, some] == 3) & ~told).any(axis=0)
    return single


def _carry_forward(
    rows: timeline.Timeline,
    red_of_row: Integers,
    which: Integers,
    subject: Integers,
    segment: Integers,
    picked: Integers,
    states: Sequence[State | None],
    seeded_segment: Integers,
    out: tuple[Floats, Floats, Integers, Integers, Integers],
) -> None:
    """The latest value of each input at each picked row: from the rows before it, else from the state."""
    low, high, at, quality, red = out
    positions = np.arange(len(rows))
    picked_subject, picked_segment = subject[picked], segment[picked]
    seeded = picked_segment == seeded_segment[picked_subject]
    for row, code in enumerate(news2.INPUT_CODES):
        found = np.maximum.accumulate(np.where(which == row, positions, -1))[picked]
        inside = (found >= 0) & (segment[found] == picked_segment)
        seeds = _seeds(states, code)
        low[row] = np.where(inside, rows.low[found], np.where(seeded, seeds[0][picked_subject], np.nan))
        high[row] = np.where(inside, rows.high[found], np.where(seeded, seeds[1][picked_subject], np.nan))
        at[row] = np.where(inside, rows.at[found], np.where(seeded, seeds[2][picked_subject], 0))
        quality[row] = np.where(inside, rows.quality[found], np.where(seeded, seeds[3][picked_subject], 0))
        red[row] = np.where(inside, red_of_row[found], np.where(seeded, seeds[4][picked_subject], 0))


def _seeds(states: Sequence[State | None], code: str) -> tuple[Floats, Floats, Integers, Integers, Integers]:
    """(low, high, at, quality, red) of each subject's last value of a code, NaN where there is none."""
    count = len(states)
    low, high = np.full(count, np.nan), np.full(count, np.nan)
    at, quality, red = (np.zeros(count, np.int64) for _ in range(3))
    for position, state in enumerate(states):
        sample = None if state is None else state.last.get(code)
        if sample is not None:
            at[position], low[position], high[position], quality[position], red[position] = sample
    return low, high, at, quality, red
