"""Readings from a CSV file: person, code, value, unit, taken_at; units and ranges as for devices."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

import numpy as np

from alerts import backtest, codes, timeline
from devices import catalogue, units
from telehealth import errors
from telehealth.backtest import lines
from telehealth.backtest.lines import Bad, Refused

COLUMNS = ("person|nhs_number", "code", "value", "unit", "taken_at", "flags?")

_OPTION = "--readings"
_MOST = 100_000_000
_MOST_REMEMBERED = 200_000
_LATEST_US = 7_258_118_400_000_000  # 2200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YES_NO = {"true": 1.0, "1": 1.0, "yes": 1.0, "false": 0.0, "0": 0.0, "no": 0.0}

#: (position in codes.CODES, value, quality bits); None: a code that no rule can name.
_Meaning = tuple[int, float, int] | None


@dataclass
class Loaded:
    """A history, and what became of the lines of its file."""

    history: backtest.History
    count: int  #: lines, without the header, and without those that are no CSV
    repeated: int  #: the same measure of the same person at the same moment once more: one reading
    conflicts: int  #: readings that came with different values: the more dangerous one counts
    failed: int  #: without a value: the measurement failed
    extreme: int  #: possible, but so unusual that a repeat decides
    unknown: int  #: of codes that no rule can name, and entries that were struck
    refused: Refused


@dataclass
class _Columns:
    """What is read so far. Arrays and not lists: tens of millions of readings fit into memory."""

    people: dict[str, int] = field(default_factory=dict)
    person: array[int] = field(default_factory=lambda: array("q"))
    at: array[int] = field(default_factory=lambda: array("q"))
    code: array[int] = field(default_factory=lambda: array("q"))
    value: array[float] = field(default_factory=lambda: array("d"))
    quality: array[int] = field(default_factory=lambda: array("q"))
    unknown: int = 0


def load(path: Path, zone: ZoneInfo | None, progress: lines.Progress) -> Loaded:
    """Reads a whole file. zone: of times without an offset; None: they are refused. Invalid if nothing is usable."""
    refused = Refused()
    with lines.opened(path, _OPTION) as (file, done):
        columns, count = _read(file, zone, refused, lambda: progress(done()))
    if not columns.person:
        first = refused.lines[0] if refused.lines else None
        told = "" if first is None else f"; line {first['line']}: {first['problem']}"
        raise errors.Invalid(_OPTION, f"has no reading that can be used{told}")
    return _loaded(columns, count, refused)


def _read(file: TextIO, zone: ZoneInfo | None, refused: Refused, tell: lines.Tell) -> tuple[_Columns, int]:
    columns = _Columns()
    people = columns.people
    known: dict[tuple[str, str, str, str], _Meaning | Bad] = {}
    count = 0
    for number, (name, code, value, unit, taken_at, flags) in lines.rows(file, _OPTION, COLUMNS, refused):
        count += 1
        if count % lines.TELL_EVERY == 0:
            tell()
            if count > _MOST:
                raise errors.Invalid(_OPTION, f"has more than {_MOST} lines")
        key = (code, value, unit, flags)
        try:
            found = known[key]
        except KeyError:
            found = _remembered(known, key)
        try:
            if isinstance(found, Bad):
                raise found
            person = people.get(name)
            if person is None:
                person = people.setdefault(lines.person(name), len(people))
            at = _micros(taken_at, zone)
        except Bad as problem:
            refused.add(number, problem.reason, problem.problem)
            continue
        if found is None:
            columns.unknown += 1
            continue
        columns.person.append(person)
        columns.at.append(at)
        columns.code.append(found[0])
        columns.value.append(found[1])
        columns.quality.append(found[2])
    return columns, count


def _remembered(
    known: dict[tuple[str, str, str, str], _Meaning | Bad], key: tuple[str, str, str, str]
) -> _Meaning | Bad:
    """Most values come again and again: what they mean is worked out once."""
    try:
        found: _Meaning | Bad = _meaning(*key)
    except Bad as problem:
        found = problem
    if len(known) < _MOST_REMEMBERED:
        known[key] = found
    return found


def _meaning(code: str, value: str, unit: str, flags: str) -> _Meaning:
    entry = catalogue.ENTRIES.get(code.strip())
    if entry is None:
        raise Bad("code", "code: is not one of the known codes; docs/devices.md lists them")
    position = codes.INDEX.get(entry.code)
    if position is None:
        return None
    value, unit = value.strip(), unit.strip()
    conversion = _conversion(entry, unit, needed=bool(value))
    words = flags.split()
    if "struck" in words:
        return None
    quality = timeline.quality_of(words, words) if words else 0
    if not value:
        return position, math.nan, quality
    if entry.kind == "boolean":
        if value.lower() not in _YES_NO:
            raise Bad("value", "value: must be true or false")
        return position, _YES_NO[value.lower()], quality
    if entry.kind == "code":
        if value not in entry.codes:
            raise Bad("value", f"value: must be one of {', '.join(entry.codes)}")
        return position, codes.encode(None, value), quality
    number = conversion.apply(_number(value)) + 0.0
    if not entry.possible(number):
        told = f"{entry.impossible_low:g} to {entry.impossible_high:g} {entry.unit or ''}".rstrip()
        raise Bad("impossible", f"value: cannot come from a living person (possible: {told})")
    return position, number, quality | (timeline.EXTREME if entry.extreme(number) else 0)


def _conversion(entry: catalogue.Entry, unit: str, *, needed: bool) -> units.Conversion:
    table = units.CONVERSIONS[entry.code]
    if not unit:
        if needed and entry.unit is not None:
            raise Bad("unit", f"unit: is needed with {entry.code}; known: {', '.join(table)}")
        return units.SAME
    if unit not in table:
        known = f"; known: {', '.join(table)}" if table else ": this code has none"
        raise Bad("unit", f"unit: is not one that is known for {entry.code}{known}")
    return table[unit]


def _number(text: str) -> float:
    """Decimal digits only: float() would also take names, underscores and other alphabets' digits."""
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Bad("value", "value: must be a number, with a point for the decimals")
    return number


def _micros(text: str, zone: ZoneInfo | None) -> int:
    try:
        at = datetime.fromisoformat(text)
        since = at - _EPOCH
    except (ValueError, TypeError, OverflowError):
        return lines.micros("taken_at", text, zone)
    us = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    # Whatever is unusual is looked at with care.
    return us if 0 < us < _LATEST_US else lines.micros("taken_at", text, zone)


def _loaded(columns: _Columns, count: int, refused: Refused) -> Loaded:
    person, value = np.array(columns.person, np.int64), np.array(columns.value)
    quality = np.array(columns.quality, np.int64)
    names = list(columns.people)
    # In the order of their names, whatever the order of the lines; who has no usable line is nobody.
    present = sorted((names[number], number) for number in np.unique(person).tolist())
    place = np.zeros(len(names), np.int64)
    place[[number for _, number in present]] = np.arange(len(present))
    nothing = np.zeros(len(person), np.int64)
    rows = timeline.build(place[person], columns.at, columns.code, value, nothing, nothing, quality)
    return Loaded(
        backtest.History(tuple(name for name, _ in present), rows),
        count,
        len(person) - len(rows),
        int(np.count_nonzero(rows.quality & timeline.CONFLICT)),
        int(np.count_nonzero(np.isnan(value))),
        int(np.count_nonzero(quality & timeline.EXTREME)),
        columns.unknown,
        refused,
    )
