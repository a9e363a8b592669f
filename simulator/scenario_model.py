"""What a scenario file says, read and checked. Hours count from the onset, at tempo 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from simulator.homes import faults
from simulator.noise import Floats

Value = str | bool | int


@dataclass(frozen=True)
class Curve:
    """Straight lines between points. Before the first point: what is asked for; after the last: its value."""

    hours: tuple[float, ...]
    values: tuple[float, ...]

    def at(self, hours: Floats, before: float = 0.0) -> Floats:
        """Only basic arithmetic, one step at a time: np.interp may round otherwise on other machines."""
        xs, ys = np.array(self.hours, dtype=np.float64), np.array(self.values, dtype=np.float64)
        right = np.clip(np.searchsorted(xs, hours, side="right"), 1, max(len(xs) - 1, 1))
        left = right - 1
        right = np.minimum(right, len(xs) - 1)
        width = xs[right] - xs[left]
        part = (np.clip(hours, xs[0], xs[-1]) - xs[left]) / np.where(width > 0, width, 1.0)
        found = ys[left] + part * (ys[right] - ys[left])
        # At the last point and beyond, exactly its value; two points at one hour are a jump.
        found = np.where(hours >= xs[-1], ys[-1], found)
        return np.where(hours < xs[0], before, found)


@dataclass(frozen=True)
class Vital:
    """What happens to one measure: added to it, drawn towards a level, made to vary more or less."""

    code: str
    offset: Curve | None = None
    level: Curve | None = None
    part: Curve | None = None
    spread: Curve | None = None


@dataclass(frozen=True)
class Symptom:
    """chance: part of residents who have it by then (yes or no). offset: added to a scale of 0 to 10."""

    code: str
    chance: Curve | None = None
    offset: Curve | None = None


@dataclass(frozen=True)
class Happening:
    """hours: one in between is drawn. chance: that it happens at all. lasts: hours (a long lie)."""

    kind: str
    hours: tuple[float, float]
    values: Mapping[str, Value]
    chance: float = 1.0
    lasts: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Phase:
    """A named stretch of the course, for people."""

    name: str
    from_hours: float
    to_hours: float | None
    text: str = ""


@dataclass(frozen=True)
class Notice:
    """What should be noticed by when, at which priority at least, and why that can be asked."""

    what: str
    by_hours: float
    priority: str
    source: str
    codes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ("clinical",)
    pathways: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quiet:
    """What must not alarm. to_hours None: to the end of the course, or for good."""

    why: str
    from_hours: float = 0.0
    to_hours: float | None = None
    codes: tuple[str, ...] = ()
    pathways: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """severity, tempo: ranges of which a course draws one each. starts: local minutes between which it begins."""

    name: str
    title: str
    description: str
    text: str = ""
    sources: tuple[str, ...] = ()
    pathways: tuple[str, ...] = ()
    severity: tuple[float, float] = (1.0, 1.0)
    tempo: tuple[float, float] = (1.0, 1.0)
    starts: tuple[int, int] | None = None
    peak_hours: float | None = None
    end_hours: float | None = None
    phases: tuple[Phase, ...] = ()
    vitals: Mapping[str, Vital] = field(default_factory=dict)
    states: Mapping[str, tuple[tuple[float, Value], ...]] = field(default_factory=dict)
    symptoms: Mapping[str, Symptom] = field(default_factory=dict)
    adherence: Curve | None = None
    events: tuple[Happening, ...] = ()
    faults: tuple[faults.Planned, ...] = ()
    notice: tuple[Notice, ...] = ()
    quiet: tuple[Quiet, ...] = ()

    @property
    def last_hour(self) -> float:
        """When nothing changes any more."""
        vitals = [(one.offset, one.level, one.part, one.spread) for one in self.vitals.values()]
        symptoms = [(one.chance, one.offset) for one in self.symptoms.values()]
        ends = [curve.hours[-1] for curves in (*vitals, *symptoms) for curve in curves if curve is not None]
        ends += [hour for steps in self.states.values() for hour, _ in steps]
        ends += [event.hours[1] + event.lasts[1] for event in self.events]
        ends += [self.end_hours or 0.0, self.peak_hours or 0.0]
        return max(ends)
