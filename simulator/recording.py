"""Recorded readings from a CSV file: person,code,value,unit,taken_at. A bad line costs only itself."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from devices import catalogue
from simulator import clock, errors

COLUMNS = ("person", "code", "value", "unit", "taken_at")
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


@dataclass(frozen=True)
class Row:
    """One reading of the file. value: as it will stand in the JSON."""

    line: int
    person: str
    code: str
    value: object
    unit: str | None
    taken_ms: int


@dataclass(frozen=True)
class BadLine:
    """A line that is not sent, and why."""

    line: int
    error: str


@dataclass(frozen=True)
class Recording:
    """What a file holds; rows in the order of the file."""

    rows: list[Row]
    bad: list[BadLine]

    @property
    def persons(self) -> list[str]:
        """In the order of their first line."""
        return list(dict.fromkeys(row.person for row in self.rows))


def read(path: str, zone: str | None) -> Recording:
    """Reads a file. zone: IANA zone of times without an offset. Raises BadInput where nothing can be read."""
    try:
        with Path(path).open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return parse(file, _zone(zone))
    except OSError as error:
        raise errors.BadInput(f"cannot read {path}: {error.strerror}") from None


def parse(lines: Iterable[str], zone: ZoneInfo | None) -> Recording:
    """Raises BadInput if the header lacks a column."""
    reader = csv.reader(lines)
    header = [name.strip().lower() for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise errors.BadInput(f"line 1: the header must name {','.join(COLUMNS)}; missing: {', '.join(missing)}")
    recording = Recording([], [])
    for line, cells in _lines(reader, recording.bad):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            recording.bad.append(BadLine(line, f"{len(cells)} cells where the header has {len(header)}"))
            continue
        named = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        try:
            recording.rows.append(_row(line, named, zone))
        except ValueError as error:
            recording.bad.append(BadLine(line, str(error)))
    return recording


def _lines(reader: Any, bad: list[BadLine]) -> Iterator[tuple[int, list[str]]]:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad.append(BadLine(reader.line_num, f"not CSV: {error}"))
            continue
        yield reader.line_num, cells


def _row(line: int, cells: dict[str, str], zone: ZoneInfo | None) -> Row:
    for name in ("person", "code", "value", "taken_at"):
        if not cells[name]:
            raise ValueError(f"{name} is empty")
        if len(cells[name]) > 200:
            raise ValueError(f"{name} is too long")
    return Row(
        line,
        cells["person"],
        cells["code"],
        value(cells["code"], cells["value"]),
        cells["unit"] or None,
        clock.to_ms(moment(cells["taken_at"], zone)),
    )


def value(code: str, text: str) -> object:
    """The JSON value of a cell, a number exactly as written. Raises ValueError.

    The catalogue says whether a code is a number; whether the value makes sense is the service's to say.
    """
    entry = catalogue.ENTRIES.get(code)
    if entry is not None and entry.kind == "boolean":
        if text.lower() not in _YES + _NO:
            raise ValueError("value is not true or false")
        return text.lower() in _YES
    if entry is not None and entry.kind == "code":
        return text
    if _JSON_NUMBER.fullmatch(text):
        found = msgspec.Raw(text.encode())
    elif _NUMBER.fullmatch(text):
        found = msgspec.Raw(repr(float(text)).encode())
    elif entry is None:
        return text
    else:
        raise ValueError("value is not a number")
    if not math.isfinite(float(text)):
        raise ValueError("value is not a finite number")
    return found


def moment(text: str, zone: ZoneInfo | None) -> datetime:
    """An aware time from ISO 8601; several spaces between date and time are taken as one. Raises ValueError."""
    try:
        at = datetime.fromisoformat(" ".join(text.split()))
    except ValueError:
        raise ValueError("taken_at is not an ISO 8601 time") from None
    if ":" not in text and "T" not in text:
        raise ValueError("taken_at is a date without a time of day")
    if at.tzinfo is None:
        if zone is None:
            raise ValueError("taken_at has no offset: give the zone of the file with --zone")
        aware = at.replace(tzinfo=zone)
        # A local time that the clocks skipped does not come back from UTC as it was.
        if aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
            raise ValueError("taken_at did not exist: the clocks went forward")
        at = aware
    try:
        if not 1 <= clock.to_ms(at) <= _LAST_MS:
            raise ValueError
    except (OverflowError, ValueError):
        raise ValueError("taken_at is not between 1970 and 2200") from None
    return at


_LAST_MS = clock.to_ms(clock.EPOCH + timedelta(days=84_000))


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise errors.BadInput("--zone is not an IANA time zone, for example Europe/London") from None
