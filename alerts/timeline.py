"""Readings of many residents as numpy columns, in the order in which decisions are made."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alerts import codes, errors

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Bits of the quality column.
UNCERTAIN = 1  #: the device's clock was wrong; effective_at was worked out
EXTREME = 2  #: possible, but so unusual that a repeat decides
POOR = 4  #: the device itself doubted the measurement
CONFLICT = 8  #: the same reading came with different values

#: What the service says of a reading, of which decisions know.
MARKS = {"clock_uncertain": UNCERTAIN, "extreme": EXTREME, "conflict": CONFLICT}

#: What devices say that makes a measurement doubtful. Flags not named here are carried, not judged; an
#: irregular pulse is not here, because in atrial fibrillation every reading has it and none would ever clear.
POOR_FLAGS = frozenset(
    {
        "motion",
        "movement",
        "poor_signal",
        "low_perfusion",
        "weak_signal",
        "questionable",
        "invalid",
        "unstable",
        "cuff_loose",
        "cuff_too_loose",
        "position",
        "improper_position",
        "sensor_fault",
        "sensor_unplugged",
        "interference",
        "ambient_light",
        "artefact",
        # as Bluetooth's health characteristics say it
        "no_contact",
        "sensor_off",
        "sensor_displaced",
        "inadequate_signal",
        "erratic_signal",
        "nonpulsatile_signal",
        "questionable_pulse",
        "device_fault",
        "sensor_unknown",
        "signal_irregular",
        "early_estimate",
        "calibrating",
        "unavailable",
        "demonstration",
        "test_data",
        "sample_insufficient",
        "strip_misplaced",
        "strip_wrong",
        "sensor_too_hot",
        "sensor_too_cold",
        "interrupted",
        # of a stretch of time, not of a moment
        "average",
        "median",
        "minimum",
        "maximum",
    }
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading as stored. `at` is effective_at in microseconds since the epoch; `identity` the 128-bit
    identity as an integer; value and value_code both None: a failed measurement.
    """

    resident: int
    at: int
    code: str
    value: float | None
    value_code: str | None = None
    identity: int = 0
    marks: Collection[str] = ()
    flags: Collection[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Columns of equal length, sorted by (resident, at, code, identity); made by `build` or `from_readings`.

    Rows with the same identity are one row here: `low` is the least and `high` the greatest of its values
    (they differ only in a conflict), so that each side of a rule sees the more dangerous one.
    NaN: a failed measurement.
    """

    resident: Integers
    at: Integers  #: microseconds since the epoch, effective_at
    code: Integers  #: position in codes.CODES
    low: Floats
    high: Floats
    quality: Integers

    def __len__(self) -> int:
        return len(self.resident)


def build(
    resident: npt.ArrayLike,
    at: npt.ArrayLike,
    code: npt.ArrayLike,
    value: npt.ArrayLike,
    identity_high: npt.ArrayLike,
    identity_low: npt.ArrayLike,
    quality: npt.ArrayLike,
) -> Timeline:
    """Sorts columns given in any order and merges rows of one identity.

    resident, at (microseconds since the epoch), code (position in codes.CODES), quality: integers; value:
    float, NaN for a failed measurement; identity_high, identity_low: the two unsigned 64-bit halves of the
    identity. Raises InputError when lengths differ or a code is unknown.
    """
    residents, ats, kinds = (np.asarray(column, np.int64) for column in (resident, at, code))
    values = np.asarray(value, np.float64)
    highs, lows = np.asarray(identity_high, np.uint64), np.asarray(identity_low, np.uint64)
    bits = np.asarray(quality, np.int64)
    count = len(residents)
    if any(column.shape != (count,) for column in (ats, kinds, values, highs, lows, bits)):
        raise errors.InputError("the columns of a timeline must have one length")
    if count == 0:
        return Timeline(residents, ats, kinds, values, values, bits)
    if kinds.min() < 0 or kinds.max() >= len(codes.CODES):
        raise errors.InputError("a code is not in codes.CODES")
    order = np.lexsort((values, lows, highs, kinds, ats, residents))
    residents, ats, kinds, highs, lows = residents[order], ats[order], kinds[order], highs[order], lows[order]
    values, bits = values[order], bits[order]
    new = np.ones(count, bool)
    new[1:] = (residents[1:] != residents[:-1]) | (ats[1:] != ats[:-1]) | (kinds[1:] != kinds[:-1])
    new[1:] |= (highs[1:] != highs[:-1]) | (lows[1:] != lows[:-1])
    start = np.flatnonzero(new)
    least, most = values, values
    if len(start) < count:
        least, most = np.fmin.reduceat(values, start), np.fmax.reduceat(values, start)
        failed: npt.NDArray[np.bool_] = np.logical_or.reduceat(np.isnan(values), start)
        differ: npt.NDArray[np.bool_] = ((least != most) | failed) & ~np.isnan(least)
        merged: Integers = np.bitwise_or.reduceat(bits, start)
        bits = merged | np.where(differ, CONFLICT, 0)
    return Timeline(residents[start], ats[start], kinds[start], least, most, bits)


def from_readings(readings: Iterable[Reading]) -> Timeline:
    """Columns of readings. A code that the engine does not know is left out: no rule can name it."""
    known = [reading for reading in readings if reading.code in codes.INDEX]
    return build(
        [reading.resident for reading in known],
        [reading.at for reading in known],
        [codes.INDEX[reading.code] for reading in known],
        [codes.encode(reading.value, reading.value_code) for reading in known],
        np.array([reading.identity >> 64 for reading in known], np.uint64),
        np.array([reading.identity & 0xFFFF_FFFF_FFFF_FFFF for reading in known], np.uint64),
        [quality_of(reading.marks, reading.flags) for reading in known],
    )


def quality_of(marks: Collection[str], flags: Collection[str]) -> int:
    """Quality bits from the service's marks and the device's flags."""
    bits = 0
    for mark in marks:
        bits |= MARKS.get(mark, 0)
    if flags and not POOR_FLAGS.isdisjoint(flags):
        bits |= POOR
    return bits
