"""Continuous glucose of people: a time and a glucose column, in mg/dL or mmol/L."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from pathlib import Path

from alerts import glucose
from telehealth import errors
from telehealth.study import cells, sources

FORMATS = (
    "timestamp and glucose_value_mg_dl (or any time column and a glucose column that names mg/dL or mmol/L), one person"
    " a file or with a person column, also inside a zip file",
)

_PERSON = (
    "person",
    "personid",
    "subject",
    "subjectid",
    "participant",
    "participantid",
    "id",
    "patient",
    "patientid",
    "pid",
)
_WHEN = (
    "timestamp", "datetime", "time", "date", "devicetimestamp", "glucosetimestamp", "bgts", "bgdate", "eventtime",
    "takenat", "displaytime", "localtime",
)  # fmt: skip
_MG_DL = (
    "glucosevaluemgdl", "glucosemgdl", "mgdl", "glucosevaluemgperdl", "historicglucosemgdl", "cgmmgdl", "sglucosemgdl",
    "sensorglucosemgdl", "glucosevalueinmgdl",
)  # fmt: skip
_MMOL_L = (
    "glucosevaluemmoll", "glucosemmoll", "mmoll", "historicglucosemmoll", "cgmmmoll", "sensorglucosemmoll", "bgmmoll",
    "glucosevalueinmmoll",
)  # fmt: skip
_PLAIN = ("glucose", "gl", "glucosevalue", "value", "cgm", "bg", "sensorglucose", "historicglucose", "libreglandlibre")
_ROLES: sources.Roles = {
    "person?": _PERSON, "at": _WHEN, "mgdl?": _MG_DL, "mmoll?": _MMOL_L, "plain?": _PLAIN, "unit?": ("unit", "units"),
    "code?": ("code",),
}  # fmt: skip
#: What a sensor can show, mg/dL. "Low" and "High" are beyond its range.
_PLAUSIBLE = (20.0, 600.0)
_WORDS = {"low": 39.0, "lo": 39.0, "high": 401.0, "hi": 401.0}
_INTERVALS = (1, 5, 15)
#: Values of people below this are mmol/L, where a column does not say.
_MOST_MMOL_L = 35.0


@dataclass(slots=True)
class Log:
    """Readings of one person by time. mmol: canonical; judged: (value, whether it is mg/dL), as it was measured."""

    person: str
    at: list[int] = field(default_factory=list)
    mmol: list[float] = field(default_factory=list)
    judged: list[tuple[float, bool]] = field(default_factory=list)
    minutes: int = 5  #: between readings, as sensors have it: 1, 5 or 15

    @property
    def days(self) -> float:
        """Of readings, each standing for its interval."""
        return len(self.at) * self.minutes / 1440


def read(folder: Path) -> tuple[list[Log], sources.Used]:
    """Every log in a folder. Raises Invalid where there is none."""
    used = sources.Used()
    found: dict[str, dict[int, tuple[float, bool]]] = {}
    for table in sources.tables(folder):
        places = table.places(_ROLES)
        if places is None or not {"mgdl", "mmoll", "plain"} & set(places):
            used.unknown.append(table.name)
            continue
        unit = _take(table, places, found, used)
        if unit:
            used.files[table.name] = f"glucose, {unit}"
        else:
            used.unknown.append(table.name)
    logs = [_log(person, entries) for person, entries in sorted(found.items()) if len(entries) > 1]
    if not logs:
        raise sources.nothing("glucose", FORMATS)
    return logs, used


def _take(
    table: sources.Table,
    places: dict[str, int],
    found: dict[str, dict[int, tuple[float, bool]]],
    used: sources.Used,
) -> str:
    """The unit; "" where nothing was read."""
    column = next(places[role] for role in ("mgdl", "mmoll", "plain") if role in places)
    needed = max(places.values())
    rows = [(line, row) for line, row in table.rows() if len(row) > needed]
    if "code" in places:
        rows = [(line, row) for line, row in rows if row[places["code"]].strip() == "glucose"]
    in_mg = _unit(table, places, [row[column] for _, row in rows], rows)
    if "person" in places and sources.numbers_rows(rows, places["person"]):
        places = {role: place for role, place in places.items() if role != "person"}
    parse = cells.clock([row[places["at"]] for _, row in rows])
    before = len(found), sum(len(entries) for entries in found.values())
    for line, row in rows:
        text = row[column].strip()
        try:
            word = _WORDS.get(text.lower())
            value = word if word is not None else cells.number(text)
            at = parse(row[places["at"]])
        except (ValueError, OverflowError):
            used.refuse(table.name, line, "a time or a glucose is not one")
            continue
        if value is None:
            continue
        # More than one decimal: mg/dL divided, and judged as it was measured.
        decimals = len(text.partition(".")[2])
        mg = value if in_mg or word is not None else value * glucose.MG_DL_PER_MMOL_L
        if not _PLAUSIBLE[0] <= mg <= _PLAUSIBLE[1]:
            used.refuse(table.name, line, "no sensor can show that glucose")
            continue
        whole = in_mg or word is not None or decimals > 1
        judged = (float(round(mg)), True) if whole else (value, False)
        who = f"{table.name}:{row[places['person']].strip()}" if "person" in places else table.name
        found.setdefault(who, {}).setdefault(at, judged)
    after = len(found), sum(len(entries) for entries in found.values())
    return "" if before == after else "mg/dL" if in_mg else "mmol/L"


def _unit(table: sources.Table, places: dict[str, int], texts: list[str], rows: list[tuple[int, list[str]]]) -> bool:
    """Whether a column is in mg/dL: by its name, by a unit column, else by its values."""
    if "mgdl" in places or "mmoll" in places:
        return "mgdl" in places
    if "unit" in places and rows:
        units = {row[places["unit"]].strip().lower() for _, row in rows}
        if units <= {"mg/dl", "mmol/l"} and len(units) == 1:
            return units == {"mg/dl"}
        raise errors.Invalid("--data", f"{table.name}: unit must be mg/dL or mmol/L, the same on every line")
    values = []
    for text in texts[:5000]:
        try:
            value = cells.number(text)
        except ValueError:
            continue
        if value is not None:
            values.append(value)
    return not values or statistics.median(values) > _MOST_MMOL_L


def _log(person: str, entries: dict[int, tuple[float, bool]]) -> Log:
    log = Log(person)
    for at, (value, in_mg) in sorted(entries.items()):
        log.at.append(at)
        log.judged.append((value, in_mg))
        log.mmol.append(value / glucose.MG_DL_PER_MMOL_L if in_mg else value)
    usual = statistics.median(b - a for a, b in zip(log.at, log.at[1:], strict=False)) / 60_000_000
    log.minutes = min(_INTERVALS, key=lambda minutes: abs(minutes - usual))
    return log
