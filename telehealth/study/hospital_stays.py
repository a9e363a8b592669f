"""Hourly vital signs of hospital patients, with the hour from which sepsis is labelled."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from telehealth.study import cells, sources

FORMATS = (
    "PhysioNet Challenge 2019 (HR, O2Sat, Temp, SBP, Resp, ICULOS, SepsisLabel), with a patient column or a file each",
)

#: The engine's code -> the column's names.
_VITALS = {
    "pulse": ("hr", "heartrate", "pulse"),
    "spo2": ("o2sat", "spo2"),
    "temperature": ("temp", "temperature"),
    "systolic": ("sbp", "systolic"),
    "resp_rate": ("resp", "rr", "resprate", "respiratoryrate"),
}
_ROLES: sources.Roles = {
    "patient?": ("patient", "patientid", "person", "subject", "stayid"),
    "hour": ("iculos", "hour", "hours"),
    "label": ("sepsislabel", "label", "sepsis"),
    "fio2?": ("fio2",),
    **_VITALS,
}
CODES = ("resp_rate", "spo2", "on_oxygen", "systolic", "pulse", "temperature")
#: The label turns 1 so many hours before the onset (Reyna 2020).
_LABEL_BEFORE = 6
_PLAUSIBLE = {
    "pulse": (10.0, 350.0), "spo2": (20.0, 100.0), "temperature": (25.0, 45.0), "systolic": (20.0, 320.0),
    "resp_rate": (0.0, 120.0),
}  # fmt: skip
_AIR = 0.21


@dataclass(slots=True)
class Stay:
    """One patient. values: code -> hour -> value as written in the chart; onset: the hour, None: none."""

    patient: str
    values: dict[str, dict[int, float]] = field(default_factory=lambda: {code: {} for code in CODES})
    first: int = 0
    last: int = 0
    onset: int | None = None

    @property
    def stop(self) -> int:
        """The hour up to which the stay is judged: its end, or the onset."""
        return self.last + 1 if self.onset is None else min(self.last + 1, self.onset)

    @property
    def days(self) -> float:
        return max(self.stop - self.first, 0) / 24


def read(folder: Path) -> tuple[list[Stay], sources.Used]:
    """Every stay in a folder. Raises Invalid where there is none."""
    used = sources.Used()
    stays: dict[str, Stay] = {}
    for table in sources.tables(folder):
        places = table.places(_ROLES)
        if places is None:
            used.unknown.append(table.name)
            continue
        _take(table, places, stays, used)
        folder_name = table.name.rpartition("/")[0]
        name = table.name if "patient" in places else f"{folder_name or '.'}: files of one patient each"
        used.files[name] = "hourly vital signs"
    found = [stay for stay in stays.values() if stay.days > 0]
    if not found:
        raise sources.nothing("hospital stay", FORMATS)
    return found, used


def _take(table: sources.Table, places: dict[str, int], stays: dict[str, Stay], used: sources.Used) -> None:
    needed = max(places.values())
    for line, row in table.rows():
        if len(row) <= needed:
            used.refuse(table.name, line, "has too few fields")
            continue
        try:
            hour = cells.number(row[places["hour"]])
            label = cells.number(row[places["label"]])
            if hour is None or hour != int(hour) or not 0 <= hour <= 20_000:
                raise ValueError
        except ValueError:
            used.refuse(table.name, line, "the hour or the label is no number")
            continue
        who = f"{table.name}:{row[places['patient']].strip()}" if "patient" in places else table.name
        stay = stays.get(who)
        if stay is None:
            stay = stays[who] = Stay(who, first=int(hour), last=int(hour))
        stay.first, stay.last = min(stay.first, int(hour)), max(stay.last, int(hour))
        if label and (stay.onset is None or int(hour) + _LABEL_BEFORE < stay.onset):
            stay.onset = int(hour) + _LABEL_BEFORE
        _note(stay, int(hour), row, places)


def _note(stay: Stay, hour: int, row: list[str], places: dict[str, int]) -> None:
    for code, (low, high) in _PLAUSIBLE.items():
        value = _number(row[places[code]])
        if value is not None and low <= value <= high:
            stay.values[code][hour] = value
    if "fio2" in places:
        share = _number(row[places["fio2"]])
        if share is not None and 0.15 <= share <= 1.0:
            stay.values["on_oxygen"][hour] = float(share > _AIR + 1e-9)


def _number(text: str) -> float | None:
    try:
        value = cells.number(text)
    except ValueError:
        return None
    return None if value is None or math.isnan(value) else value
