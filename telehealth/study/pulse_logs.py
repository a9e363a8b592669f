"""Resting pulse by day, and when people fell ill."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from pathlib import Path

from telehealth.study import cells, sources

FORMATS = (
    "person,day,value (resting pulse) with person,onset in another file",
    "welltory (user_code, day, resting_pulse; user_code, symptoms_onset)",
    "stanford_covid_fitbit (hour, pid, rhr_median)",
)

_PERSON = ("person", "usercode", "pid", "participant", "participantid", "subject", "subjectid", "userid", "id", "user")
_DAILY: sources.Roles = {
    "person": _PERSON,
    "day": ("day", "date", "datetime", "dayfromonset", "relativeday", "takenat"),
    "value": (
        "restingpulse", "restinghr", "restingheartrate", "rhr", "basalhr", "basalheartrate", "restingpulsebpm", "value",
    ),
    "code?": ("code",),
}  # fmt: skip
_HOURLY: sources.Roles = {"person": _PERSON, "hour": ("hour",), "value": ("rhrmedian", "rhr", "restingpulse", "value")}
_ONSETS: sources.Roles = {
    "person": _PERSON,
    "onset": ("onset", "symptomsonset", "symptomonset", "onsetdate", "symptomdate", "symptomonsetdate"),
}
#: Local hours of the night, in which pulse at rest is comparable from day to day.
_NIGHT = range(7)
_LEAST_HOURS = 2
_PLAUSIBLE = (25.0, 220.0)


@dataclass(slots=True)
class Person:
    """Resting pulse, /min, by local day (days since 1970-01-01). onset: that day, None: none is known."""

    name: str
    daily: dict[int, float] = field(default_factory=dict)
    onset: int | None = None
    #: All people of this format fell ill; without an onset nobody knows which of their days were healthy.
    cases_only: bool = False


def read(folder: Path) -> tuple[list[Person], sources.Used]:
    """Everybody in a folder who has at least a resting pulse. Raises Invalid where there is nobody."""
    used = sources.Used()
    people: dict[tuple[str, str], Person] = {}
    onsets: dict[str, dict[str, int]] = {}
    for table in sources.tables(folder):
        place = table.name.rpartition("/")[0]
        if (places := table.places(_HOURLY)) is not None:
            used.files[table.name] = "resting pulse by hour; a day is the median of its hours from 00:00 to 06:59"
            _hours(table, places, place, people, used)
        elif (places := table.places(_ONSETS)) is not None and "value" not in (table.places(_DAILY) or {}):
            used.files[table.name] = "onsets"
            onsets.setdefault(place, {}).update(_onsets(table, places, used))
        elif (places := table.places(_DAILY)) is not None:
            used.files[table.name] = "resting pulse by day"
            _days(table, places, place, people, used)
        else:
            used.unknown.append(table.name)
    for (place, name), person in people.items():
        person.onset = onsets.get(place, {}).get(name)
    found = [person for _, person in sorted(people.items()) if person.daily]
    if not found:
        raise sources.nothing("resting pulse", FORMATS)
    return found, used


def _pulse(text: str) -> float | None:
    """None where there is none; ValueError where it is none of a living adult at rest."""
    value = cells.number(text)
    if value is None or value == 0:  # some watches write 0 for "not measured"
        return None
    if not _PLAUSIBLE[0] <= value <= _PLAUSIBLE[1]:
        raise ValueError
    return value


def _hours(
    table: sources.Table,
    places: dict[str, int],
    folder: str,
    people: dict[tuple[str, str], Person],
    used: sources.Used,
) -> None:
    rows = [(line, row) for line, row in table.rows() if len(row) > max(places.values())]
    parse = cells.clock([row[places["hour"]] for _, row in rows])
    nights: dict[tuple[str, int], list[float]] = {}
    for line, row in rows:
        try:
            value = _pulse(row[places["value"]])
            at = parse(row[places["hour"]])
        except (ValueError, OverflowError):
            used.refuse(table.name, line, "a time or a pulse is not one")
            continue
        if value is not None and at % cells.DAY_US // 3_600_000_000 in _NIGHT:
            nights.setdefault((row[places["person"]].strip(), at // cells.DAY_US), []).append(value)
    for (name, day), values in nights.items():
        if len(values) >= _LEAST_HOURS:
            person = people.setdefault((folder, name), Person(name, cases_only=True))
            person.daily[day] = statistics.median(values)


def _days(
    table: sources.Table,
    places: dict[str, int],
    folder: str,
    people: dict[tuple[str, str], Person],
    used: sources.Used,
) -> None:
    rows = [(line, row) for line, row in table.rows() if len(row) > max(places.values())]
    if "code" in places:
        rows = [(line, row) for line, row in rows if row[places["code"]].strip() == "resting_pulse"]
    parse = cells.clock([row[places["day"]] for _, row in rows])
    values: dict[tuple[str, int], list[float]] = {}
    for line, row in rows:
        try:
            value = _pulse(row[places["value"]])
            day = parse(row[places["day"]]) // cells.DAY_US
        except (ValueError, OverflowError):
            used.refuse(table.name, line, "a day or a pulse is not one")
            continue
        if value is not None:
            values.setdefault((row[places["person"]].strip(), day), []).append(value)
    for (name, day), found in values.items():
        people.setdefault((folder, name), Person(name)).daily[day] = statistics.median(found)


def _onsets(table: sources.Table, places: dict[str, int], used: sources.Used) -> dict[str, int]:
    rows = [
        (line, row)
        for line, row in table.rows()
        if len(row) > max(places.values()) and row[places["onset"]].strip().lower() not in ("", "na", "nan", "none")
    ]
    parse = cells.clock([row[places["onset"]] for _, row in rows])
    found = {}
    for line, row in rows:
        try:
            found[row[places["person"]].strip()] = parse(row[places["onset"]]) // cells.DAY_US
        except (ValueError, OverflowError):
            used.refuse(table.name, line, "the onset is not a day")
    return found
