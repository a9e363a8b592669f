"""Illnesses as data, and their course in one resident: TOML in scenarios/ or anybody's own file.

A course draws its severity, its tempo and whatever else may differ from a key, so that it is the same whenever it is
asked. Several courses may run in one resident: together() adds them up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from simulator import clock, errors, noise, scenario_model, scenario_reader
from simulator.homes import faults
from simulator.noise import Floats, Integers
from simulator.scenario_model import Scenario as Scenario
from simulator.scenario_model import Value

HOUR = 3_600_000
MOST_BYTES = 200_000
_LETTERS = "ACVPU"


@dataclass(frozen=True)
class Event:
    """Something that happens at a moment. values: what a device of the resident that measures the code then says.

    kind: fall, button, long_lie, found (the end of a long lie), answer. until_ms: of a long lie, else None.
    """

    at_ms: int
    kind: str
    values: dict[str, Value]
    until_ms: int | None = None


class Running(Protocol):
    """What happens to one resident over time. Times: milliseconds since 1970; order and step never change an answer."""

    def offset(self, code: str, times_ms: Integers) -> Floats:
        """What is added to the usual value, in the code's unit; scales of 0 to 10 too. 0: nothing."""
        ...

    def pull(self, code: str, times_ms: Integers) -> tuple[Floats, Floats]:
        """(part, level): the usual value is replaced by usual * (1 - part) + level * part, then offset is added."""
        ...

    def spread(self, code: str, times_ms: Integers) -> Floats:
        """Multiplies the variation within a day. 1: as usual."""
        ...

    def state(self, code: str, at_ms: int) -> Value | None:
        """A letter of consciousness, yes or no. None: it says nothing of this code."""
        ...

    def adherence(self, times_ms: Integers) -> Floats:
        """Part of the due measurements that are still taken. 1: as usual."""
        ...

    def events(self, after_ms: int, to_ms: int) -> list[Event]:
        """What happens in (after, to], in order."""
        ...


@dataclass(frozen=True)
class Course:
    """A scenario that began at a time in one resident. severity multiplies sizes; tempo 2: twice as fast.

    key: of whatever is drawn besides. id: names it in the truth.
    """

    scenario: Scenario
    onset: datetime
    severity: float = 1.0
    tempo: float = 1.0
    key: int = 0
    id: str = ""

    def hours(self, times_ms: Integers) -> Floats:
        """Hours of the scenario since the onset."""
        return (times_ms - clock.to_ms(self.onset)).astype(np.float64) / HOUR * self.tempo

    def moment(self, hours: float) -> datetime:
        """When so many hours of the scenario have passed."""
        return self.onset + timedelta(milliseconds=int(hours / self.tempo * HOUR))

    def offset(self, code: str, times_ms: Integers) -> Floats:
        vital, symptom = self.scenario.vitals.get(code), self.scenario.symptoms.get(code)
        curve = vital.offset if vital else symptom.offset if symptom else None
        if curve is None:
            return np.zeros(len(times_ms), dtype=np.float64)
        return curve.at(self.hours(times_ms)) * self.severity

    def pull(self, code: str, times_ms: Integers) -> tuple[Floats, Floats]:
        nothing = np.zeros(len(times_ms), dtype=np.float64)
        vital = self.scenario.vitals.get(code)
        if vital is None or vital.level is None:
            return nothing, nothing
        hours = self.hours(times_ms)
        part = vital.part.at(hours) if vital.part else np.where(hours >= vital.level.hours[0], 1.0, 0.0)
        return np.minimum(part * self.severity, 1.0), vital.level.at(hours)

    def spread(self, code: str, times_ms: Integers) -> Floats:
        vital = self.scenario.vitals.get(code)
        if vital is None or vital.spread is None:
            return np.ones(len(times_ms), dtype=np.float64)
        return vital.spread.at(self.hours(times_ms), before=1.0)

    def state(self, code: str, at_ms: int) -> Value | None:
        hours = self.hours(np.array([at_ms], dtype=np.int64))
        symptom = self.scenario.symptoms.get(code)
        if symptom is not None and symptom.chance is not None and hours[0] >= symptom.chance.hours[0]:
            # Somebody either gets a symptom early or late or never: one draw per course, not one per answer.
            sooner = noise.uniform_one(noise.key(self.key, "symptom", code))
            return bool(sooner < min(float(symptom.chance.at(hours)[0]) * self.severity, 1.0))
        reached = [value for hour, value in self.scenario.states.get(code, ()) if hour <= hours[0]]
        return reached[-1] if reached else None

    def adherence(self, times_ms: Integers) -> Floats:
        taken = np.ones(len(times_ms), dtype=np.float64)
        if self.scenario.adherence is not None:
            taken = self.scenario.adherence.at(self.hours(times_ms), before=1.0)
        for event in self._events():
            if event.kind == "long_lie":
                lying = (times_ms >= event.at_ms) & (times_ms < (event.until_ms or event.at_ms))
                taken = np.where(lying, 0.0, taken)
        return taken

    def events(self, after_ms: int, to_ms: int) -> list[Event]:
        return [event for event in self._events() if after_ms < event.at_ms <= to_ms]

    def _events(self) -> list[Event]:
        found = []
        for number, one in enumerate(self.scenario.events):
            happens, when, long = (noise.uniform_one(noise.key(self.key, "event", number), index) for index in range(3))
            if happens < one.chance:
                at = self.moment(one.hours[0] + (one.hours[1] - one.hours[0]) * when)
                lasts = one.lasts[0] + (one.lasts[1] - one.lasts[0]) * long
                until = clock.to_ms(at) + int(lasts * HOUR) if lasts else None
                if until is None:
                    found.append(Event(clock.to_ms(at), one.kind, dict(one.values)))
                else:
                    # What is said of it is said by whoever finds the resident.
                    found.append(Event(clock.to_ms(at), one.kind, {}, until))
                    found.append(Event(until, "found", dict(one.values)))
        return sorted(found, key=lambda event: event.at_ms)

    def faults(self, resident: str) -> list[faults.Fault]:
        """What goes wrong with the resident's devices because of it."""
        found = []
        for number, planned in enumerate(self.scenario.faults, 1):
            end = None if planned.to_hours is None else planned.to_hours / self.tempo
            own = replace(planned, from_hours=planned.from_hours / self.tempo, to_hours=end)
            name = f"{self.id or self.scenario.name}/fault{number}"
            found.append(own.at(resident, clock.to_ms(self.onset), name))
        return found

    def phase(self, at_ms: int) -> str | None:
        """What people call this part of it."""
        hour = float(self.hours(np.array([at_ms], dtype=np.int64))[0])
        for phase in reversed(self.scenario.phases):
            if phase.from_hours <= hour and (phase.to_hours is None or hour < phase.to_hours):
                return phase.name
        return None

    @property
    def peak(self) -> datetime | None:
        return None if self.scenario.peak_hours is None else self.moment(self.scenario.peak_hours)

    @property
    def end(self) -> datetime | None:
        return None if self.scenario.end_hours is None else self.moment(self.scenario.end_hours)

    def as_json(self) -> dict[str, Any]:
        """All that is needed to go on with it, also where the file has changed since."""
        return {
            "scenario": self.scenario.name,
            "text": self.scenario.text,
            "onset_ms": clock.to_ms(self.onset),
            "severity": self.severity,
            "tempo": self.tempo,
            "key": self.key,
            "id": self.id,
        }


def from_json(kept: dict[str, Any]) -> Course:
    """What as_json gave. Raises BadInput."""
    onset = clock.from_ms(kept["onset_ms"])
    return Course(parse(kept["text"]), onset, kept["severity"], kept["tempo"], kept["key"], kept["id"])


def begin(found: Scenario, onset: datetime, resident: str, seed: int) -> Course:
    """The course that this seed draws for this resident, from this onset on."""
    name = f"{resident}/{found.name}/{clock.text(onset)}"
    key = noise.key("course", seed, resident, found.name, clock.to_ms(onset))
    severity, tempo = (
        low + (high - low) * noise.uniform_one(key, index)
        for index, (low, high) in enumerate((found.severity, found.tempo))
    )
    return Course(found, onset, severity, tempo, key, name)


def usual_onset(found: Scenario, after: datetime, zone: str, key: int) -> datetime:
    """The first onset after a moment that the file allows (its `starts`): drawn by the key, else that moment."""
    if found.starts is None:
        return after
    first, last = found.starts
    minute = first + int(((last - first) % 1440) * noise.uniform_one(noise.key(key, "onset")))
    day = after.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    for days in range(3):
        local = (day + timedelta(days=days)).replace(hour=minute // 60 % 24, minute=minute % 60)
        at = local + timedelta(days=minute // 1440)
        if clock.to_ms(at) >= clock.to_ms(after):
            return clock.from_ms(clock.to_ms(at))
    return after


# Several at once ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Courses:
    """Several in one resident: offsets add up, spreads and adherence multiply, the worst state counts."""

    each: tuple[Course, ...] = ()

    def offset(self, code: str, times_ms: Integers) -> Floats:
        total = np.zeros(len(times_ms), dtype=np.float64)
        for course in self.each:
            total = total + course.offset(code, times_ms)
        return total

    def pull(self, code: str, times_ms: Integers) -> tuple[Floats, Floats]:
        part = np.zeros(len(times_ms), dtype=np.float64)
        level = np.zeros(len(times_ms), dtype=np.float64)
        for course in self.each:
            more, to = course.pull(code, times_ms)
            # The later course pulls what the earlier ones leave.
            left = part * (1.0 - more)
            whole = left + more
            level = np.where(whole > 0, (level * left + to * more) / np.where(whole > 0, whole, 1.0), 0.0)
            part = whole
        return part, level

    def spread(self, code: str, times_ms: Integers) -> Floats:
        total = np.ones(len(times_ms), dtype=np.float64)
        for course in self.each:
            total = total * course.spread(code, times_ms)
        return total

    def state(self, code: str, at_ms: int) -> Value | None:
        said = [value for course in self.each if (value := course.state(code, at_ms)) is not None]
        return max(said, key=_badness) if said else None

    def adherence(self, times_ms: Integers) -> Floats:
        total = np.ones(len(times_ms), dtype=np.float64)
        for course in self.each:
            total = total * course.adherence(times_ms)
        return total

    def events(self, after_ms: int, to_ms: int) -> list[Event]:
        found = [event for course in self.each for event in course.events(after_ms, to_ms)]
        return sorted(found, key=lambda event: event.at_ms)


def together(courses: Iterable[Course]) -> Courses | None:
    """All that runs in a resident; None where nothing does."""
    found = tuple(courses)
    return Courses(found) if found else None


def _badness(value: Value) -> int:
    return _LETTERS.find(value) if isinstance(value, str) else int(value)


# Files --------------------------------------------------------------------------------------------


def names() -> list[str]:
    """The packaged scenarios."""
    folder = resources.files("simulator") / "scenarios"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load(name: str) -> Scenario:
    """A packaged scenario by its name, or a file (with a slash, or ending in .toml). Raises BadInput."""
    if "/" in name or name.endswith(".toml"):
        return parse(_text(Path(name)), Path(name).name)
    if name not in names():
        raise errors.BadInput(f"no scenario of this name; there are: {', '.join(names())}; or give a file, ./own.toml")
    return parse((resources.files("simulator") / "scenarios" / f"{name}.toml").read_text("utf-8"), name)


def parse(text: str, where: str = "scenario") -> Scenario:
    """Raises scenario_reader.Unusable (a BadInput) with everything that is wrong, each with its line."""
    return scenario_reader.read(text, where)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise errors.BadInput(f"{path.name} is longer than a scenario can be, {MOST_BYTES // 1000} kB")
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise errors.BadInput(f"{path.name}: line {line}: this is not UTF-8 text") from None
    except OSError as error:
        raise errors.BadInput(f"cannot read {path.name}: {error.strerror}") from None


__all__ = ["Course", "Courses", "Event", "Running", "Scenario", "begin", "load", "names", "parse", "scenario_model"]
