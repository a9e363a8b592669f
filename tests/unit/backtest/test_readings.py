"""Readings and onsets from CSV files: every line that cannot be used is named, nothing is guessed."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from alerts import codes, timeline
from devices import catalogue, units
from telehealth import errors
from telehealth.backtest import lines, readings, truth

HEADER = "person,code,value,unit,taken_at"
GOOD = "p1,spo2,96,%,2026-03-02T09:00:00Z"


def quiet(_: float) -> None:
    pass


def load(path: Path, *rows: str, header: str = HEADER, zone: str | None = None) -> readings.Loaded:
    file = path / "readings.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return readings.load(file, None if zone is None else ZoneInfo(zone), quiet)


def micros(*when: int) -> int:
    return round(datetime(*when, tzinfo=UTC).timestamp() * 1e6)  # type: ignore[misc,arg-type]  # year, month, day, ...


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ("p,spo2,0.96,1,", 96.0),
        ("p,weight,180,[lb_av],", 81.6466266),
        ("p,temperature,99.5,[degF],", 37.5),
        ("p,glucose,180,mg/dL,", 180 * 10 / 180.156),
        ("p,pulse,72,bpm,", 72.0),
        ("p,systolic,16,kPa,", 16000 / 133.322387415),
        ("p,on_oxygen,true,,", 1.0),
        ("p,fall,0,,", 0.0),
        ("p,consciousness,V,,", 2.0),
        ("p,breathlessness,4,{score},", 4.0),
        ("p,breathlessness,4,,", 4.0),
        ('"p",spo2," 96 ",%,', 96.0),
    ],
)
def test_values_become_canonical(tmp_path: Path, row: str, value: float) -> None:
    found = load(tmp_path, row + "2026-03-02T09:00:00Z")
    assert found.history.readings.low.tolist() == [pytest.approx(value)]


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-03-02T09:00:00Z", None, (2026, 3, 2, 9)),
        ("2026-03-02T09:00:00.123456+01:00", None, (2026, 3, 2, 8, 0, 0, 123456)),
        ("2026-03-02 09:00-0800", None, (2026, 3, 2, 17)),
        ("2026-07-02T09:00:00", "Europe/London", (2026, 7, 2, 8)),
        ("2026-07-02T09:00:00Z", "Europe/London", (2026, 7, 2, 9)),
        ("1955-07-02T09:00:00Z", None, (1955, 7, 2, 9)),
        ("2139-07-02T09:00:00Z", None, (2139, 7, 2, 9)),
    ],
)
def test_times(tmp_path: Path, text: str, zone: str | None, expected: tuple[int, ...]) -> None:
    """Offsets count; the zone is only for times that have none."""
    found = load(tmp_path, f"p,spo2,96,%,{text}", zone=zone)
    assert found.history.readings.at.tolist() == [micros(*expected)]


@pytest.mark.parametrize(
    ("row", "reason", "told"),
    [
        ("p,spo2,96,%", "fields", "has 4 fields"),
        ("p,spo2,96,%,2026-03-02T09:00:00Z,more", "fields", "has 6 fields"),
        (",spo2,96,%,2026-03-02T09:00:00Z", "person", "is missing"),
        ("p\x07,spo2,96,%,2026-03-02T09:00:00Z", "person", "printable"),
        (f"{'p' * 201},spo2,96,%,2026-03-02T09:00:00Z", "person", "at most 200"),
        ("p,SPO2,96,%,2026-03-02T09:00:00Z", "code", "known codes"),
        ("p,spo2,96,,2026-03-02T09:00:00Z", "unit", "is needed with spo2; known: %"),
        ("p,spo2,96,percent,2026-03-02T09:00:00Z", "unit", "known: %"),
        ("p,on_oxygen,true,L/min,2026-03-02T09:00:00Z", "unit", "has none"),
        ("p,spo2,high,%,2026-03-02T09:00:00Z", "value", "must be a number"),
        ("p,spo2,nan,%,2026-03-02T09:00:00Z", "value", "must be a number"),
        ("p,spo2,9_6,%,2026-03-02T09:00:00Z", "value", "must be a number"),
        ('p,weight,"80,5",kg,2026-03-02T09:00:00Z', "value", "with a point"),
        ("p,consciousness,alert,,2026-03-02T09:00:00Z", "value", "one of A, C, V, P, U"),
        ("p,on_oxygen,maybe,,2026-03-02T09:00:00Z", "value", "true or false"),
        ("p,spo2,0.96,%,2026-03-02T09:00:00Z", "impossible", "possible: 10 to 100 %"),
        ("p,pulse,0,/min,2026-03-02T09:00:00Z", "impossible", "living person"),
        ("p,weight,1e999,kg,2026-03-02T09:00:00Z", "value", "must be a number"),
        ("p,spo2,96,%,", "time", "is missing"),
        ("p,spo2,96,%,yesterday", "time", "must be a time like"),
        ("p,spo2,96,%,2026-02-30T09:00:00Z", "time", "must be a time like"),
        ("p,spo2,96,%,2026-03-02T09:00:00", "time", "has no offset"),
        ("p,spo2,96,%,2026-03-02", "time", "time of day"),
        ("p,spo2,96,%,1066-10-14T09:00:00Z", "time", "of the years 1900 to 2200"),
        ('p,spo2,9"6,%,2026-03-02T09:00:00Z', "value", "must be a number"),
    ],
)
def test_a_bad_line_is_named_and_left_out(tmp_path: Path, row: str, reason: str, told: str) -> None:
    """By its number, with what is wrong, and without what stands there; the good lines around it are used."""
    found = load(tmp_path, GOOD, row, GOOD.replace("09:00", "10:00"))
    assert len(found.history.readings) == 2
    assert dict(found.refused.counts) == {reason: 1}
    (bad,) = found.refused.lines
    assert bad["line"] == 3
    assert told in str(bad["problem"])
    for secret in ("p\x07", "9_6", "yesterday", "maybe", "80,5"):
        assert secret not in str(bad["problem"])


def test_many_bad_lines_are_counted_and_the_first_named(tmp_path: Path) -> None:
    found = load(tmp_path, GOOD, *["p,spo2,,x,2026-03-02T09:00:00Z"] * 500)
    assert found.refused.total == 500
    assert [bad["line"] for bad in found.refused.lines] == list(range(3, 53))


def test_the_same_reading_again_is_one(tmp_path: Path) -> None:
    """In any order; with another value at the same moment the more dangerous one counts, and it is said."""
    rows = [GOOD, GOOD, "p1,spo2,84,%,2026-03-02T10:00:00+01:00", "p0,spo2,97,%,2026-03-02T09:00:00Z"]
    found = load(tmp_path, *rows)
    assert found.history.people == ("p0", "p1")
    assert (found.count, found.repeated, found.conflicts) == (4, 2, 1)
    assert found.history.readings.low.tolist() == [97.0, 84.0]
    assert found.history.readings.high.tolist() == [97.0, 96.0]
    random.Random(1).shuffle(rows)
    again = load(tmp_path, *rows)
    assert again.history.people == found.history.people
    assert np.array_equal(again.history.readings.low, found.history.readings.low)


def test_failed_extreme_flagged_and_unknown(tmp_path: Path) -> None:
    """A failed measurement, one that asks for a repeat, one that the device doubts, an answer that no rule reads."""
    found = load(
        tmp_path,
        "p,spo2,,%,2026-03-02T09:00:00Z,",
        "p,spo2,60,%,2026-03-02T10:00:00Z,",
        "p,spo2,90,%,2026-03-02T11:00:00Z,motion",
        "p,answer,yes,,2026-03-02T11:00:00Z,",
        header=HEADER + ",flags",
    )
    assert (found.failed, found.extreme, found.unknown) == (1, 1, 1)
    assert np.isnan(found.history.readings.low[0])
    assert found.history.readings.quality.tolist() == [0, timeline.EXTREME, timeline.POOR]


def test_columns_in_any_order_and_others_beside(tmp_path: Path) -> None:
    found = load(tmp_path, "x,2026-03-02T09:00:00Z,%,96,spo2,p", header="\ufeffnote,taken_at,unit,value,Code,person")
    assert found.history.people == ("p",)


def test_an_export_of_the_service_can_be_replayed(tmp_path: Path) -> None:
    """With the columns of `telehealth export readings`: whose by NHS number, struck entries left out."""
    header = "device_id,nhs_number,code,value,unit,value_sent,unit_sent,taken_at,effective_at,flags,method"
    found = load(
        tmp_path,
        "d1,9990000018,spo2,96,%,96,,2026-03-02T09:00:00.000Z,2026-03-02T09:00:00.000Z,,device",
        "d1,9990000018,spo2,60,%,60,,2026-03-02T10:00:00.000Z,2026-03-02T10:00:00.000Z,extreme struck,device",
        "d1,9990000018,on_oxygen,1,,true,,2026-03-02T10:00:00.000Z,2026-03-02T10:00:00.000Z,clock_uncertain,keyed",
        header=header,
    )
    assert found.history.people == ("9990000018",)
    assert found.history.readings.low.tolist() == [96.0, 1.0]
    assert found.history.readings.quality.tolist() == [0, timeline.UNCERTAIN]
    assert found.unknown == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "must name the columns person,code,value,unit,taken_at"),
        (HEADER + ",person\n", "names a column twice"),
        (HEADER + "\n", "has no reading that can be used"),
        (HEADER + "\np,spo2,1,%,2026-03-02T09:00:00Z\n", "line 2: value: cannot come from a living person"),
        (HEADER + "\n" + "x" * 500_000, "line 2 is longer than"),
    ],
)
def test_a_file_of_no_use(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "readings.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(errors.Invalid, match=told):
        readings.load(file, None, quiet)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """Neither Latin-1 names nor NUL bytes stop the others; a quotation mark that is never closed ends somewhere."""
    file = tmp_path / "readings.csv"
    later = GOOD.replace("09:00", "10:00")
    file.write_bytes(
        f"{HEADER}\n{GOOD}\n".encode() + "Zoë".encode("latin-1") + b",spo2,96,%,2026-03-02T09:00:00Z\n"
        b"p\x00,spo2,96,%,2026-03-02T09:00:00Z\n" + later.encode() + b'\np,"spo2,96,%,x\n'
    )
    found = readings.load(file, None, quiet)
    assert len(found.history.readings) == 2
    assert found.refused.total == 3


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(errors.Invalid, match="cannot be read: No such file"):
        readings.load(tmp_path / "nothing.csv", None, quiet)


def test_every_code_and_unit_is_understood_as_from_a_device(tmp_path: Path) -> None:
    """A value in every known unit, each converted as devices' are."""
    rows, expected = [], []
    for entry in catalogue.ENTRIES.values():
        if entry.kind != "number" or entry.code not in codes.INDEX:
            continue
        middle = (entry.extreme_low + entry.extreme_high) / 2
        for unit, conversion in units.CONVERSIONS[entry.code].items():
            sent = (middle * conversion.divisor - conversion.addend) / conversion.multiplier
            rows.append(f"{entry.code} {unit},{entry.code},{sent!r},{unit},2026-03-02T09:00:00Z")
            expected.append((f"{entry.code} {unit}", middle))
    found = load(tmp_path, *rows)
    assert found.refused.lines == []
    values = dict(zip(found.history.people, found.history.readings.low.tolist(), strict=True))
    assert values == {name: pytest.approx(middle) for name, middle in expected}


# Onsets -----------------------------------------------------------------------------------------------


def onsets(path: Path, history: readings.Loaded, *rows: str, zone: str | None = None) -> truth.Loaded:
    file = path / "truth.csv"
    file.write_text("\n".join(["person,onset,kind", *rows]) + "\n", encoding="utf-8")
    return truth.load(file, history.history, None if zone is None else ZoneInfo(zone))


def test_onsets(tmp_path: Path) -> None:
    """A kind in any case; strangers and repetitions counted; a date is a moment only where a zone is named."""
    history = load(tmp_path, GOOD)
    rows = (
        "p1,2026-03-02T12:00:00Z,Chest Infection",
        "p1,2026-03-02T12:00:00Z,chest_infection",
        "p9,2026-03-02T12:00Z,x",
    )
    found = onsets(tmp_path, history, *rows, "p1,2026-07-02,x", "p1,2026-03-02T12:00Z,(bad)")
    assert [(onset.person, onset.kind) for onset in found.onsets] == [(0, "chest_infection")]
    assert (found.count, found.strangers, found.repeated) == (5, 1, 1)
    assert [(bad["line"], bad["reason"]) for bad in found.refused.lines] == [(5, "time"), (6, "kind")]
    dated = onsets(tmp_path, history, "p1,2026-07-02,x", zone="Europe/London")
    assert [onset.at for onset in dated.onsets] == [micros(2026, 7, 1, 23)]


def test_onsets_of_no_use(tmp_path: Path) -> None:
    """Not a replay against nothing; a file without lines says that nothing happened."""
    history = load(tmp_path, GOOD)
    with pytest.raises(errors.Invalid, match="has no line that can be used: line 2: onset: "):
        onsets(tmp_path, history, "p1,yesterday,fall", "p1,2026-03-02T12:00Z,(bad)")
    assert onsets(tmp_path, history).onsets == ()
    assert onsets(tmp_path, history, "p9,2026-03-02T12:00Z,x", "p1,yesterday,x").strangers == 1


def test_progress_ends_within_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "TELL_EVERY", 10)
    file = tmp_path / "readings.csv"
    file.write_text("\n".join([HEADER, *[GOOD] * 100]), encoding="utf-8")
    told: list[float] = []
    readings.load(file, None, told.append)
    assert len(told) == 10
    assert all(0 <= part <= 1 for part in told)
