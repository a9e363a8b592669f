"""Tables in a folder: CSV, plain, gzipped or inside zip files. Found by their columns, not by their names."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from simulator import errors

_ENDINGS = (".csv", ".tsv", ".psv", ".csv.gz", ".tsv.gz", ".psv.gz")
_MOST_FILES = 20_000
_MOST_BYTES = 4_000_000_000


@dataclass(frozen=True)
class Table:
    """One table. header: small letters and digits only; rows: cells with the line they end on."""

    name: str
    header: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


def tables(folder: Path) -> Iterator[Table]:
    """Every table of a folder (or the one file), in the order of their names. Raises BadInput if nothing is there."""
    if not folder.exists():
        raise errors.BadInput(f"cannot read {folder}: there is no such file or folder")
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else [folder]
    if len(files) > _MOST_FILES:
        raise errors.BadInput(f"{folder} holds more than {_MOST_FILES} files")
    for path in files:
        name = str(path.relative_to(folder)) if folder.is_dir() else path.name
        try:
            if path.suffix == ".zip":
                yield from _zipped(path, name)
            elif path.name.lower().endswith(_ENDINGS):
                with _opened(path) as file:
                    yield from _table(file, name)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise errors.BadInput(f"cannot read {path}: {error}") from None


def plain(name: str) -> str:
    """A column's name in small letters and digits."""
    return "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
        yield file


def _zipped(path: Path, name: str) -> Iterator[Table]:
    with zipfile.ZipFile(path) as archive:
        for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
            if entry.filename.lower().endswith(".csv") and entry.file_size < _MOST_BYTES:
                with archive.open(entry) as raw:
                    text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
                    yield from _table(text, f"{name}/{entry.filename}")


def _table(file: TextIO, name: str) -> Iterator[Table]:
    head = file.readline(100_000)
    delimiter = max(",;\t|", key=head.count)
    header = tuple(plain(cell) for cell in next(csv.reader([head], delimiter=delimiter), []))
    if len(header) >= 2:
        yield Table(name, header, _rows(csv.reader(file, delimiter=delimiter), len(header)))


def _rows(reader: Iterator[list[str]], width: int) -> Iterator[tuple[int, list[str]]]:
    line = 1
    while True:
        line += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue
        if len(row) == width:
            yield line, row
