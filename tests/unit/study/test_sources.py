"""Files of anybody's: found by their columns, whatever they are packed in, and refused in words."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from telehealth import errors
from telehealth.study import cells, sources

ROLES = {"who?": ("person",), "value": ("weightkg", "value")}


def read(folder: Path) -> list[tuple[str, list[list[str]]]]:
    return [(table.name, [row for _, row in table.rows()]) for table in sources.tables(folder)]


def test_plain_gzipped_and_zipped_tables_with_any_delimiter(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufeffPerson,Weight (kg)\r\nA,70\r\n\r\nB,71\r\n", encoding="utf-8")
    (tmp_path / "b.psv").write_text("person|value\nA|1\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.csv.gz").write_bytes(gzip.compress(b"person;value\nA;1,5\n"))
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("x/e.csv", 'person\tvalue\n"A\tB"\t2\n')
        archive.writestr("x/readme.md", "no table")
    (tmp_path / "notes.md").write_text("person,value")
    assert read(tmp_path) == [
        ("a.csv", [["A", "70"], ["B", "71"]]),
        ("b.psv", [["A", "1"]]),
        ("d.zip/x/e.csv", [["A\tB", "2"]]),
        ("deep/c.csv.gz", [["A", "1,5"]]),
    ]
    first, *_ = sources.tables(tmp_path)
    assert first.header == ("person", "weightkg")
    assert first.places(ROLES) == {"who": 0, "value": 1}
    assert read(tmp_path / "b.psv") == [("b.psv", [["A", "1"]])]


def test_a_role_that_is_needed_and_one_that_is_not() -> None:
    table = sources.Table("t", ("value",), lambda: iter(()))
    assert table.places(ROLES) == {"value": 0}
    assert table.places({"at": ("time",), **ROLES}) is None


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", b"nothing", "a.zip is not a zip file that can be read"),
        ("a.csv.gz", b"nothing", "a.csv.gz cannot be read: it is damaged or not a table"),
        ("a.csv", b"value\n" + b"1" * 200_000, "a.csv has a line of more than 100,000 characters"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(errors.Invalid, match=said):
        read(tmp_path)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(errors.Invalid, match="--data: is not a folder"):
        read(tmp_path / "missing")


def test_notes_say_what_was_left_out() -> None:
    used = sources.Used(unknown=["a.csv", "b.csv"])
    used.refuse("c.csv", 3, "a time is not one")
    used.refuse("c.csv", 9, "a time is not one")
    assert used.notes() == [
        "c.csv: 2 lines not used; the first: line 3: a time is not one",
        "2 files were left alone, because their columns are others: a.csv, b.csv",
    ]


DAY = 86_400_000_000
MARCH_2 = 19_784 * DAY  # 2024-03-02


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["2024-03-02"], MARCH_2),
        (["2024-03-02 06:30:00 -0800"], MARCH_2 + 23_400_000_000),
        (["2024-03-02T06:30:00+01:00"], MARCH_2 + 23_400_000_000),
        (["2024-03-02T06:30:00Z"], MARCH_2 + 23_400_000_000),
        (["3/2/2024 6:30:00 AM", "3/25/2024 6:30:00 PM"], MARCH_2 + 23_400_000_000),
        (["02/03/2024 06:30", "25/03/2024 06:30"], MARCH_2 + 23_400_000_000),
        (["02-03-2024 06:30 AM", "25-03-2024 06:30 PM"], MARCH_2 + 23_400_000_000),
        (["2.3.2024"], MARCH_2),
        (["1709361000"], MARCH_2 + 23_400_000_000),
        (["1709361000000"], MARCH_2 + 23_400_000_000),
    ],
)
def test_times_as_exports_write_them(column: list[str], expected: int) -> None:
    assert cells.clock([*column, "", "NaN"])(column[0]) == expected


def test_days_that_are_counted_are_days() -> None:
    parse = cells.clock(["-3", "0", "7"])
    assert parse("7") - parse("-3") == 10 * DAY
    assert parse("0") % DAY == 0


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-02", "20240302T"])
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        cells.clock(["2024-03-02", "2024-03-03"])(text)


def test_numbers() -> None:
    assert cells.number(" 70.5 ") == 70.5
    assert cells.number("70,5") == 70.5
    assert cells.number("NA") is None
    for text in ("inf", "70kg"):
        with pytest.raises(ValueError, match=r".*"):
            cells.number(text)
