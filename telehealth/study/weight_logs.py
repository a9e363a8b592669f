"""Logs of body weight, whoever kept them: one person a file, or a column that says who."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from telehealth.study import cells, sources

FORMATS = (
    "person,day,value[,unit] (kg if no unit is given)",
    "an export of a scale: a date and a weight column, one person a file",
    "krone2020 (subject, day, body_weight)",
)

_LB = 0.45359237
_PERSON = ("person", "subject", "participant", "participantid", "id", "userid", "usercode", "pid", "user")
_WHEN = (
    "startdate", "date", "datetime", "timestamp", "time", "takenat", "measuredat", "creationdate", "day", "dateiso",
)  # fmt: skip
_KG = ("bodyweight", "weightkg", "weightinkg", "kg", "bodyweightkg", "weight", "value", "mass", "bodymass")
_POUNDS = ("weightlb", "weightlbs", "lb", "lbs", "weightpounds", "pounds")
_ROLES: sources.Roles = {
    "person?": _PERSON, "at": _WHEN, "kg?": _KG, "lb?": _POUNDS, "unit?": ("unit", "units"), "code?": ("code", "type"),
}  # fmt: skip
_UNITS = {"kg": 1.0, "": 1.0, "lb": _LB, "lbs": _LB, "[lb_av]": _LB, "pound": _LB, "pounds": _LB, "g": 0.001}
#: Of an adult; anything else is no weight of one.
_PLAUSIBLE_KG = (25.0, 400.0)

#: What `code` may say of a weight.
_WEIGHTS = frozenset({"weight", "29463-7", "hkquantitytypeidentifierbodymass"})


@dataclass(frozen=True, slots=True)
class Log:
    """Weigh-ins of one person, by time; kg."""

    person: str
    at: tuple[int, ...]  #: microseconds, local
    kg: tuple[float, ...]

    def daily(self) -> dict[int, float]:
        """Median of each local day (days since 1970-01-01)."""
        found: dict[int, list[float]] = {}
        for at, kg in zip(self.at, self.kg, strict=True):
            found.setdefault(at // cells.DAY_US, []).append(kg)
        return {day: statistics.median(values) for day, values in found.items()}


def read(folder: Path) -> tuple[list[Log], sources.Used]:
    """Every log in a folder. Raises Invalid where there is none."""
    used = sources.Used()
    found: dict[str, dict[int, float]] = {}
    for table in sources.tables(folder):
        places = table.places(_ROLES)
        if places is None or not {"kg", "lb"} & set(places):
            used.unknown.append(table.name)
            continue
        before = len(found)
        _take(table, places, found, used)
        if len(found) > before:
            used.files[table.name] = "weights"
    logs = [_log(person, entries) for person, entries in sorted(found.items())]
    if not logs:
        raise sources.nothing("log of weights", FORMATS)
    return logs, used


def _take(table: sources.Table, places: dict[str, int], found: dict[str, dict[int, float]], used: sources.Used) -> None:
    rows = [(line, row) for line, row in table.rows() if len(row) > max(places.values())]
    if "person" in places and sources.numbers_rows(rows, places["person"]):
        places = {role: place for role, place in places.items() if role != "person"}
    parse = cells.clock([row[places["at"]] for _, row in rows])
    whole = places.get("kg", places.get("lb"))
    assert whole is not None  # the caller looked
    usual = 1.0 if "kg" in places else _LB
    for line, row in rows:
        if "code" in places and row[places["code"]].strip().lower() not in _WEIGHTS:
            continue
        try:
            value = cells.number(row[whole])
            at = parse(row[places["at"]])
        except (ValueError, OverflowError):
            used.refuse(table.name, line, "a time or a weight is not one")
            continue
        if value is None:
            continue
        unit = row[places["unit"]].strip().lower() if "unit" in places else None
        factor = usual if unit is None else _UNITS.get(unit)
        if factor is None:
            used.refuse(table.name, line, "the unit is neither kg nor lb")
            continue
        kg = value * factor
        if not _PLAUSIBLE_KG[0] <= kg <= _PLAUSIBLE_KG[1]:
            used.refuse(table.name, line, "cannot be the weight of an adult")
            continue
        who = f"{table.name}:{row[places['person']].strip()}" if "person" in places else table.name
        found.setdefault(who, {})[at] = kg


def _log(person: str, entries: dict[int, float]) -> Log:
    ordered = sorted(entries.items())
    return Log(person, tuple(at for at, _ in ordered), tuple(kg for _, kg in ordered))


# Who weighs often enough ---------------------------------------------------------------------------

_DAYS, _WEIGHED = 14, 10


def regular(days: Sequence[int]) -> set[int]:
    """The days by whose end the person had weighed on at least 10 of the last 14: five times a week."""
    if not days:
        return set()
    weighed = set(days)
    count, found = 0, set()
    for day in range(min(days), max(days) + 1):
        count += (day in weighed) - (day - _DAYS in weighed)
        if count >= _WEIGHED:
            found.add(day)
    return found
