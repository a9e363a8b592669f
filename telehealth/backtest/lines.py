"""Rows of a CSV file of anybody's: bounded, and every line that cannot be used named with its number."""

from __future__ import annotations

import collections
import contextlib
import csv
import io
import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, TextIO
from zoneinfo import ZoneInfo

from telehealth import errors

#: Progress is told after this many lines.
TELL_EVERY = 20_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCK = 200_000
_MOST_TEXT = 200
_DATE = 10  #: characters of a date without a time
_YEARS = (1900, 2200)

#: Called with how far a file is read, from 0 to 1.
Progress = Callable[[float], None]
Tell = Callable[[], None]


class Bad(Exception):
    """A line that cannot be used. reason: a word to count by; problem: what is wrong, without what stands there."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason
        self.problem = problem


@dataclass
class Refused:
    """What could not be used: all of it counted, the first lines named."""

    most: int = 50
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    lines: list[dict[str, int | str]] = field(default_factory=list)

    def add(self, line: int, reason: str, problem: str) -> None:
        self.counts[reason] += 1
        if len(self.lines) < self.most:
            self.lines.append({"line": line, "reason": reason, "problem": problem})

    @property
    def total(self) -> int:
        return self.counts.total()


@contextlib.contextmanager
def opened(path: Path, option: str) -> Iterator[tuple[TextIO, Callable[[], float]]]:
    """The text of a file (- is standard input) and how much of it is read. Invalid if it cannot be opened."""
    if str(path) == "-":
        with _text(sys.stdin.buffer) as file:
            yield file, lambda: 0.0
        return
    try:
        with path.open("rb") as source:
            size = max(path.stat().st_size, 1)
            with _text(source) as file:
                yield file, lambda: min(1.0, source.tell() / size)
    except OSError as error:
        raise errors.Invalid(option, f"cannot be read: {error.strerror or type(error).__name__}") from None


@contextlib.contextmanager
def _text(source: BinaryIO) -> Iterator[TextIO]:
    """Bytes that are no text become characters that nothing accepts, so that the line is named; source stays open."""
    file = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape")
    try:
        yield file
    finally:
        file.detach()


def rows(file: TextIO, option: str, wanted: Sequence[str], refused: Refused) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line number, the wanted columns in their order) of every line but the header; others are left alone.

    "person|nhs_number": the first that there is. A wanted column that ends in "?" may be missing and is empty then.
    """
    reader = csv.reader(_bounded(file, option), strict=True)
    header = _header(reader, option)
    places = [_place(name, header) for name in wanted]
    if any(place is None for place in places):
        named = ",".join(name.partition("|")[0] for name in wanted if not name.endswith("?"))
        raise errors.Invalid(option, f"the first line must name the columns {named}")
    chosen: Callable[[list[str]], tuple[str, ...]] = operator.itemgetter(*places)
    width = len(header)
    while True:
        try:
            for row in reader:
                if len(row) == width:
                    row.append("")
                    yield reader.line_num, chosen(row)
                elif row:
                    told = f"has {len(row)} fields where the first line has {width}"
                    refused.add(reader.line_num, "fields", told)
            return
        except csv.Error:
            told = "is not CSV: a quotation mark is not closed, or stands inside a field"
            refused.add(reader.line_num, "fields", told)


def _place(name: str, header: Sequence[str]) -> int | None:
    """Behind the fields of every row an empty one is put, which stands for columns that there are not."""
    found = next((header.index(one) for one in name.rstrip("?").split("|") if one in header), None)
    return -1 if found is None and name.endswith("?") else found


def _header(reader: Iterator[list[str]], option: str) -> list[str]:
    try:
        header = [name.strip().lower() for name in next(reader)]
    except StopIteration:
        raise errors.Invalid(option, "is empty") from None
    except csv.Error:
        raise errors.Invalid(option, "is not a CSV file") from None
    if len(set(header)) < len(header):
        raise errors.Invalid(option, "names a column twice in its first line")
    return header


def _bounded(file: TextIO, option: str) -> Iterator[str]:
    number, rest = 0, ""
    while block := file.read(_BLOCK):
        *whole, rest = (rest + block).split("\n")
        yield from whole
        number += len(whole)
        # What is read at a time is bounded, so a line is too long only where it fills more than that.
        if len(rest) > _BLOCK:
            raise errors.Invalid(option, f"line {number + 1} is longer than {_BLOCK} characters")
    if rest:
        yield rest


def person(text: str) -> str:
    """Who, as the file calls them. Raises Bad."""
    name = text.strip()
    if not name:
        raise Bad("person", "person: is missing")
    if len(name) > _MOST_TEXT or not name.isprintable():
        raise Bad("person", f"person: must be at most {_MOST_TEXT} printable characters, in UTF-8")
    return name


def micros(name: str, text: str, zone: ZoneInfo | None, *, dates: bool = False) -> int:
    """Microseconds since the epoch of an ISO 8601 time; zone: of times without an offset. Raises Bad.

    dates: a date without a time of day is the beginning of that day.
    """
    text = text.strip()
    if not text:
        raise Bad("time", f"{name}: is missing")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Bad("time", f"{name}: must be a time like 2026-03-02T09:00:00Z") from None
    if len(text) <= _DATE and not dates:
        raise Bad("time", f"{name}: is a date without a time of day")
    if at.tzinfo is None:
        if zone is None and len(text) <= _DATE:
            raise Bad("time", f"{name}: is a date; say with --zone where its day begins, or give a time with an offset")
        if zone is None:
            raise Bad("time", f"{name}: has no offset; add one (Z, +01:00), or say --zone for the whole file")
        at = at.replace(tzinfo=zone)
    if not _YEARS[0] <= at.year <= _YEARS[1]:
        raise Bad("time", f"{name}: must be of the years {_YEARS[0]} to {_YEARS[1]}")
    return (at - _EPOCH) // timedelta(microseconds=1)
