"""What people measured at home, by vital sign: read from whatever tables a folder holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from devices import catalogue, units
from simulator import clock, errors
from simulator.noise import Floats, Integers
from simulator.realism import tables

_PERSON: Final = (
    "person", "personid", "usercode", "userid", "user", "pid", "participant", "participantid", "subject", "subjectid",
    "nhsnumber", "id",
)  # fmt: skip
_WHEN: Final = (
    "takenat", "measurementdatetime", "timestamp", "datetime", "startdate", "measuredat", "hour", "time", "date",
    "day", "creationdate",
)  # fmt: skip
#: Columns that say what was measured: (code, its unit as the catalogue's conversions name it; None: the code's own).
_COLUMNS: Final[dict[str, tuple[str, str | None]]] = {
    "systolic": ("systolic", None), "sbp": ("systolic", None),
    "diastolic": ("diastolic", None), "dbp": ("diastolic", None),
    "bpm": ("pulse", None), "pulse": ("pulse", None), "heartrate": ("pulse", None),
    "restingpulse": ("resting_pulse", None), "restinghr": ("resting_pulse", None),
    "restingheartrate": ("resting_pulse", None), "rhr": ("resting_pulse", None), "rhrmedian": ("resting_pulse", None),
    "basalhr": ("resting_pulse", None), "basalheartrate": ("resting_pulse", None),
    "averagespo2value": ("spo2", None), "spo2": ("spo2", None), "oxygensaturation": ("spo2", None),
    "bodytemperatureavg": ("temperature", None), "temperature": ("temperature", None),
    "bodytemperature": ("temperature", None), "resprate": ("resp_rate", None), "respiratoryrate": ("resp_rate", None),
    "stepscount": ("steps", None), "steps": ("steps", None),
    "bodyweight": ("weight", None), "weightkg": ("weight", None), "weight": ("weight", None),
    "weightlb": ("weight", "[lb_av]"), "weightlbs": ("weight", "[lb_av]"),
    "glucosevaluemgdl": ("glucose", "mg/dL"), "glucosemgdl": ("glucose", "mg/dL"), "mgdl": ("glucose", "mg/dL"),
    "glucosevaluemmoll": ("glucose", None), "glucosemmoll": ("glucose", None), "mmoll": ("glucose", None),
    "glucose": ("glucose", "?"), "gl": ("glucose", "?"),
    "peakflow": ("peak_flow", None), "pef": ("peak_flow", None), "fev1": ("fev1", None),
}  # fmt: skip
_UNITS: Final = {"lb": "[lb_av]", "lbs": "[lb_av]", "mg/dl": "mg/dL", "mmol/l": "mmol/L", "count/min": "/min"}
#: Minutes of rest behind an hour's figure, where a table says it: fewer say little.
_LEAST_REST: Final = 10.0
#: A later stream of the same measure within so short a part of the usual distance is another sensor's.
_SECOND_STREAM: Final = 0.2
_MOST_READINGS: Final = 20_000_000


@dataclass(frozen=True)
class Series:
    """One person's measurements of one code, by time (milliseconds; local times are taken as UTC)."""

    person: str
    code: str
    times_ms: Integers
    values: Floats

    @property
    def gap_hours(self) -> float:
        """The usual distance of two measurements."""
        return float(np.median(np.diff(self.times_ms))) / 3_600_000 if len(self.times_ms) > 1 else math.inf


@dataclass
class Found:
    """What a folder held."""

    series: list[Series]
    used: dict[str, str] = field(default_factory=dict)  #: file -> what it was taken for
    unknown: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)  #: file -> lines or cells that could not be used


@dataclass
class _Reading:
    kept: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)
    count: int = 0

    def add(self, code: str, person: str, at: int, value: float) -> None:
        self.kept.setdefault((code, person), {}).setdefault(at, value)
        self.count += 1
        if self.count > _MOST_READINGS:
            raise errors.BadInput(f"--data holds more than {_MOST_READINGS} readings")


def read(folder: Path) -> Found:
    """Everybody's measurements. Raises BadInput where there is nothing that can be compared."""
    found, reading = Found([]), _Reading()
    for table in tables.tables(folder):
        before = reading.count
        refused = _take(table, reading)
        if reading.count > before:
            found.used[table.name] = f"{reading.count - before} measurements"
            if refused:
                found.refused[table.name] = refused
        else:
            found.unknown.append(table.name)
    found.series = [_series(code, person, kept) for (code, person), kept in sorted(reading.kept.items())]
    if not found.series:
        raise errors.BadInput(
            "--data holds no measurements: CSV files with person,code,value,unit,taken_at, or with a time and a column "
            "such as systolic, resting_pulse, weight, steps or glucose_value_mg_dl"
        )
    return found


def _take(table: tables.Table, reading: _Reading) -> int:
    """Reads a table; the number of lines and cells that could not be used."""
    place = {name: index for index, name in reversed(list(enumerate(table.header)))}
    when = next((place[name] for name in _WHEN if name in place), None)
    who = next((place[name] for name in _PERSON if name in place), None)
    if when is None:
        return 0
    if "code" in place and "value" in place:
        return _long(table, reading, place, when, who)
    columns = [(index, *_COLUMNS[name]) for name, index in place.items() if name in _COLUMNS]
    if table.header[when] == "hour":
        # Steps of an hour are none of a day.
        columns = [column for column in columns if column[1] != "steps"]
    if not columns and "value" in place and "unit" in place:
        return _export(table, reading, place, when)
    return _wide(table, reading, columns, when, who, place.get("rhrn")) if columns else 0


def _long(table: tables.Table, reading: _Reading, place: dict[str, int], when: int, who: int | None) -> int:
    refused = 0
    unit = place.get("unit")
    for _, row in table.rows:
        person = row[who].strip() if who is not None else table.name
        given = row[unit].strip() if unit is not None else ""
        refused += not _keep(reading, row[place["code"]].strip(), given, person, row[when], row[place["value"]])
    return refused


def _export(table: tables.Table, reading: _Reading, place: dict[str, int], when: int) -> int:
    """An export of a scale: a date, a value and a unit of weight; one person a file."""
    refused = 0
    for _, row in table.rows:
        unit = row[place["unit"]].strip().lower()
        fits = unit in ("kg", "lb", "lbs")
        refused += not (fits and _keep(reading, "weight", unit, table.name, row[when], row[place["value"]]))
    return refused


def _wide(
    table: tables.Table, reading: _Reading, columns: list[tuple[int, str, str | None]], when: int, who: int | None,
    rest: int | None,
) -> int:  # fmt: skip
    rows = [row for _, row in table.rows]
    guessed = {
        index: "mg/dL" if _median(rows, index) > 35.0 else None for index, _, unit in columns if unit == "?"
    }  # fmt: skip
    # SpO2 as a part of 1 all along.
    parts = {index for index, code, _ in columns if code == "spo2" and _median(rows, index) <= 1.0}
    refused = 0
    for row in rows:
        if rest is not None and not _number(row[rest]) >= _LEAST_REST:
            continue
        person = row[who].strip() if who is not None else table.name
        for index, code, unit in columns:
            if row[index].strip():
                given = "1" if index in parts else guessed.get(index) if unit == "?" else unit
                refused += not _keep(reading, code, given or "", person, row[when], row[index])
    return refused


def _keep(reading: _Reading, code: str, unit: str, person: str, when: str, text: str) -> bool:
    entry = catalogue.ENTRIES.get(code)
    if entry is None or entry.kind != "number" or not person:
        return False
    conversion = units.SAME if not unit else units.CONVERSIONS[code].get(_UNITS.get(unit.lower(), unit))
    value = _number(text)
    at = _moment(when)
    if conversion is None or at is None or not math.isfinite(value):
        return False
    value = conversion.apply(value)
    if not entry.possible(value) or (value == 0 and code != "steps"):
        return False
    reading.add(code, person, at, value)
    return True


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _median(rows: list[list[str]], index: int) -> float:
    values = [value for row in rows[:5000] if math.isfinite(value := _number(row[index]))]
    return float(np.median(values)) if values else 0.0


def _moment(text: str) -> int | None:
    """Milliseconds since 1970; times without an offset count as UTC, days by noon, bare numbers as days."""
    text = " ".join(text.split())
    for parse in _PARSERS:
        try:
            at = parse(text)
        except (ValueError, OverflowError):
            continue
        local = at.replace(tzinfo=UTC)
        return clock.to_ms(local) if 1900 < local.year < 2200 else None
    return None


def _iso(text: str) -> datetime:
    date, _, time = text.replace("T", " ").partition(" ")
    if not time:
        return datetime.fromisoformat(date) + timedelta(hours=12)
    # The local time is what rhythms go by; an offset is left away.
    time = time.partition(" ")[0]
    return datetime.fromisoformat(f"{date} {time}").replace(tzinfo=None)


def _american(text: str) -> datetime:
    return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC) + timedelta(hours=12)


def _day_number(text: str) -> datetime:
    day = float(text)
    if not -100_000 < day < 20_000:
        raise ValueError
    return datetime(2020, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)


_PARSERS: Final[tuple[Callable[[str], datetime], ...]] = (_iso, _american, _day_number)


def _series(code: str, person: str, kept: dict[int, float]) -> Series:
    ordered = sorted(kept.items())
    times = np.array([at for at, _ in ordered], dtype=np.int64)
    values = np.array([value for _, value in ordered], dtype=np.float64)
    if len(times) > 2:
        # Two sensors worn at once would look like one that jumps: the later of a pair goes.
        usual = float(np.median(np.diff(times)))
        gaps = np.diff(times, prepend=times[0] - int(usual) - 1)
        if usual < 3_600_000:
            keep = gaps >= _SECOND_STREAM * usual
            times, values = times[keep], values[keep]
    return Series(person, code, times, values)
