"""Tables in a folder: CSV and the like, plain, gzipped or inside zip files, found by their columns and not by name."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from telehealth import errors

_ENDINGS = (".csv", ".psv", ".tsv", ".csv.gz", ".psv.gz", ".tsv.gz")
_DELIMITERS = "|;\t,"
_MOST_BYTES = 2_000_000_000
_MOST_LINE = 100_000
_MOST_FILES = 100_000
_FEW_ROWS = 20

#: What a table needs: role -> the column names that play it, normalised. A role that ends in "?" may be missing.
Roles = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Table:
    """One table. rows: cells by the place of `header`, with the line they end on."""

    name: str  #: the file, inside the folder
    header: tuple[str, ...]  #: normalised: small letters and digits only
    rows: Callable[[], Iterator[tuple[int, list[str]]]]

    def places(self, roles: Roles) -> dict[str, int] | None:
        """Where each role's column is; None where one that is needed is not there."""
        found: dict[str, int] = {}
        for role, names in roles.items():
            place = next((self.header.index(name) for name in names if name in self.header), None)
            if place is not None:
                found[role.rstrip("?")] = place
            elif not role.endswith("?"):
                return None
        return found


@dataclass(slots=True)
class Used:
    """What became of the files of a folder."""

    files: dict[str, str] = field(default_factory=dict)  #: file -> what it was taken for
    unknown: list[str] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)  #: file -> the lines that could not be used

    def refuse(self, file: str, line: int, problem: str) -> None:
        self.refused.setdefault(file, []).append(f"line {line}: {problem}")

    def told(self) -> list[str]:
        """For the report: what was taken for what; the first of many of one kind."""
        by_kind: dict[str, list[str]] = {}
        for file, what in sorted(self.files.items()):
            by_kind.setdefault(what, []).append(file)
        return [
            f"{what}: {', '.join(files[:3])}" + (f" and {len(files) - 3} more files" if len(files) > 3 else "")
            for what, files in by_kind.items()
        ]

    def notes(self) -> list[str]:
        """For the report: what could not be used, in words."""
        found = [
            f"{file}: {len(lines):,} lines not used; the first: {lines[0]}"
            for file, lines in sorted(self.refused.items())
        ]
        if self.unknown:
            shown = ", ".join(self.unknown[:5]) + (" ..." if len(self.unknown) > 5 else "")
            found.append(f"{len(self.unknown)} files were left alone, because their columns are others: {shown}")
        return found


def tables(folder: Path, option: str = "--data") -> Iterator[Table]:
    """Every table at or below a folder, or of one file. Raises Invalid."""
    if folder.is_file():
        paths, root = [folder], folder.parent
    elif folder.is_dir():
        paths, root = sorted(path for path in folder.rglob("*") if path.is_file()), folder
    else:
        raise errors.Invalid(option, "is not a folder")
    if len(paths) > _MOST_FILES:
        raise errors.Invalid(option, f"has more than {_MOST_FILES:,} files")
    for path in paths:
        name = str(path.relative_to(root))
        if path.name.lower().endswith(_ENDINGS):
            yield _table(name, _plain(path, option))
        elif path.name.lower().endswith(".zip"):
            yield from _zipped(name, path, option)


def _zipped(name: str, path: Path, option: str) -> Iterator[Table]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(archive.infolist(), key=lambda member: member.filename)
    except (OSError, zipfile.BadZipFile):
        raise errors.Invalid(option, f"{name} is not a zip file that can be read") from None
    for member in members:
        if member.filename.lower().endswith(_ENDINGS[:3]) and not member.is_dir():
            if member.file_size > _MOST_BYTES:
                raise errors.Invalid(option, f"{name} holds a file of more than {_MOST_BYTES:,} bytes")
            yield _table(f"{name}/{member.filename}", _member(path, member.filename))


def _plain(path: Path, option: str) -> Callable[[], TextIO]:
    def opened() -> TextIO:
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise errors.Invalid(option, f"{path.name} has more than {_MOST_BYTES:,} bytes")
            if path.name.lower().endswith(".gz"):
                return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
            return path.open(encoding="utf-8-sig", errors="replace", newline="")
        except OSError as error:
            raise errors.Invalid(
                option, f"{path.name} cannot be read: {error.strerror or type(error).__name__}"
            ) from None

    return opened


def _member(path: Path, member: str) -> Callable[[], TextIO]:
    def opened() -> TextIO:
        with zipfile.ZipFile(path) as archive:
            content = archive.read(member)
        return io.StringIO(content.decode("utf-8-sig", errors="replace"), newline="")

    return opened


def _table(name: str, opened: Callable[[], TextIO]) -> Table:
    with _named(name), opened() as file:
        first = file.readline(_MOST_LINE)
    delimiter = max(_DELIMITERS, key=first.count) if any(mark in first for mark in _DELIMITERS) else ","
    header = next(csv.reader([first], delimiter=delimiter), [])

    def rows() -> Iterator[tuple[int, list[str]]]:
        with _named(name), opened() as file:
            reader = csv.reader(_bounded(file, name), delimiter=delimiter)
            for row in reader:
                if reader.line_num > 1 and row:
                    yield reader.line_num, row

    return Table(name, tuple(normal(cell) for cell in header), rows)


class _named:
    """Says which file could not be read."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OSError, EOFError, zlib.error, zipfile.BadZipFile, csv.Error, RuntimeError)):
            raise errors.Invalid("--data", f"{self.name} cannot be read: it is damaged or not a table") from None


def _bounded(file: TextIO, name: str) -> Iterator[str]:
    while line := file.readline(_MOST_LINE):
        if len(line) == _MOST_LINE:
            raise errors.Invalid("--data", f"{name} has a line of more than {_MOST_LINE:,} characters")
        yield line


def numbers_rows(rows: Sequence[tuple[int, list[str]]], place: int) -> bool:
    """Whether a column called id numbers the rows and not people."""
    return len(rows) > _FEW_ROWS and len({row[place] for _, row in rows}) > 0.9 * len(rows)


def normal(name: str) -> str:
    """A column's name without case, blanks and signs: "Weight (kg)" is "weightkg"."""
    return "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())


def nothing(what: str, formats: Sequence[str]) -> errors.Invalid:
    """The error of a folder in which nothing could be used."""
    return errors.Invalid("--data", f"has no {what} that can be used; known are: {'; '.join(formats)}")
