"""Vital signs over time: a pure function of (profile, course of an illness, time).

What is true in the body at a time: usual value + daily rhythm + variation between days and within a
day + what an illness adds. Fever raises pulse and respiration, low oxygen raises both. What a device
says: the true value + its error, in its resolution. Values in the catalogue's units.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from simulator import clock, noise
from simulator.bodies.profile import Profile
from simulator.noise import Floats, Integers

HOUR = 3_600_000
DAY = 24 * HOUR


class Course(Protocol):
    """An illness of one resident: what it adds to each vital sign."""

    def offset(self, code: str, times_ms: Integers) -> Floats: ...

    def state(self, code: str, at_ms: int) -> str | bool | int | None: ...


@dataclass(frozen=True)
class Vital:
    """How one vital sign behaves and is measured. Sizes in its own unit."""

    unit: str
    resolution: float
    #: Deviation between days, over hours, over half an hour, over minutes.
    days: float
    hours: float
    half_hours: float
    minutes: float
    #: Half the height of the daily rhythm, and the local hour of its top.
    rhythm: float
    top_hour: float
    #: Deviation of a measurement from what is true.
    error: float
    #: What a body or a device can show at all.
    lowest: float
    highest: float


VITALS = {
    "spo2": Vital("%", 1, 0.3, 0.3, 0.25, 0.2, 0.35, 15, 0.4, 50, 100),
    "pulse": Vital("/min", 1, 2.2, 2.2, 2.5, 1.8, 4.0, 15, 1.0, 25, 230),
    "resting_pulse": Vital("/min", 1, 2.0, 0.6, 0.0, 0.0, 0.0, 15, 0.6, 25, 200),
    "resp_rate": Vital("/min", 1, 0.5, 0.6, 0.5, 0.3, 0.6, 16, 0.5, 4, 60),
    "temperature": Vital("Cel", 0.1, 0.08, 0.08, 0.04, 0.0, 0.25, 18, 0.08, 30, 42.5),
    "systolic": Vital("mm[Hg]", 1, 3.0, 3.0, 2.0, 1.2, 3.5, 11, 2.0, 50, 260),
    "diastolic": Vital("mm[Hg]", 1, 1.8, 1.6, 1.2, 0.8, 2.0, 11, 1.6, 30, 150),
    "weight": Vital("kg", 0.1, 0.3, 0.15, 0.0, 0.0, 0.3, 20, 0.05, 30, 200),
    "glucose": Vital("mmol/L", 0.1, 0.4, 0.7, 0.3, 0.0, 0.5, 14, 0.2, 2.0, 30),
    "peak_flow": Vital("L/min", 5, 8, 8, 4, 0, 12, 15, 6, 60, 800),
    "steps": Vital("{steps}", 1, 350, 0, 0, 0, 0, 15, 0, 0, 40000),
}

#: Pulse and respiration per degree of fever and per percent of oxygen lost.
PULSE_PER_DEGREE, PULSE_PER_PERCENT = 8.0, 1.2
BREATHS_PER_DEGREE, BREATHS_PER_PERCENT = 1.6, 0.5


def true_values(profile: Profile, course: Course | None, code: str, times_ms: Integers) -> Floats:
    """What is so in the body at each time, unrounded."""
    value = _usual(profile, code, times_ms)
    if course is not None:
        value = value + course.offset(code, times_ms)
        if code in ("pulse", "resting_pulse", "resp_rate"):
            fever = np.maximum(course.offset("temperature", times_ms), 0.0)
            want = np.maximum(-course.offset("spo2", times_ms), 0.0)
            breathing = code == "resp_rate"
            value = value + fever * (BREATHS_PER_DEGREE if breathing else PULSE_PER_DEGREE)
            value = value + want * (BREATHS_PER_PERCENT if breathing else PULSE_PER_PERCENT)
    vital = VITALS[code]
    return np.clip(value, vital.lowest, vital.highest)


def measured(profile: Profile, course: Course | None, device_id: str, code: str, times_ms: Integers) -> Floats:
    """What a device shows at each time: error added, rounded half up to its resolution."""
    vital = VITALS[code]
    error = noise.gaussian(noise.key(profile.source, device_id, code, "error"), times_ms) * vital.error
    usual = _usual(profile, code, times_ms)
    # A stable person stays in the profile's range with the error of measurement included; an illness leaves it.
    shown = _clip(profile, code, usual + error) + (true_values(profile, course, code, times_ms) - usual)
    steps = np.floor(np.clip(shown, vital.lowest, vital.highest) / vital.resolution + 0.5)
    if code == "diastolic":
        above = measured(profile, course, device_id, "systolic", times_ms)
        steps = np.minimum(steps, above - 12.0)
    return steps * vital.resolution


def state(profile: Profile, course: Course | None, code: str, at_ms: int) -> str | bool | int:
    """A coded or boolean observation: consciousness, on_oxygen, breathlessness (0 to 10)."""
    said = course.state(code, at_ms) if course is not None else None
    if said is not None:
        return said
    if code == "consciousness":
        return "A"
    if code == "breathlessness":
        source = noise.key(profile.source, code)
        return int(noise.uniform_one(source, at_ms // DAY) < 0.3) + (2 if profile.pathway == "copd" else 0)
    return False


STATES = ("consciousness", "on_oxygen", "breathlessness")


def known(code: str) -> bool:
    """Whether this code can be simulated."""
    return code in VITALS or code in STATES


def _usual(profile: Profile, code: str, times_ms: Integers) -> Floats:
    vital = VITALS[code]
    base = profile.baselines.get("pulse", 70.0) - 6.0 if code == "resting_pulse" else profile.baselines[code]
    # Old people's pulse and pressure vary a little more; calm ones vary half as much.
    size = 0.5 if profile.calm else 1.0 + max(0, profile.age - 75) * 0.01
    varied = np.zeros(len(times_ms), dtype=np.float64)
    for weight, period, name in (
        (vital.days, DAY, "days"),
        (vital.hours, 4 * HOUR, "hours"),
        (vital.half_hours, HOUR // 2, "half hours"),
        (vital.minutes, HOUR // 20, "minutes"),
    ):
        if weight:
            varied += weight * noise.smooth(noise.key(profile.source, code, name), times_ms, period)
    if code == "diastolic":
        varied += 0.3 * (_usual(profile, "systolic", times_ms) - profile.baselines["systolic"])
    rhythm = vital.rhythm * noise.wave(_day_part(profile.zone, times_ms) - vital.top_hour / 24 + 0.25)
    return _clip(profile, code, base + size * (varied + rhythm))


def _clip(profile: Profile, code: str, value: Floats) -> Floats:
    if code not in profile.ranges:
        return value
    return np.clip(value, *profile.ranges[code])


def _day_part(zone: str, times_ms: Integers) -> Floats:
    """Local time as a part of the day, 0 at midnight."""
    quarters = times_ms // (HOUR // 4)
    found, back = np.unique(quarters, return_inverse=True)
    offsets = np.array([_offset_ms(zone, int(quarter)) for quarter in found], dtype=np.int64)
    local = times_ms + offsets[back]
    return (local % DAY).astype(np.float64) / DAY


@functools.lru_cache(maxsize=100_000)
def _offset_ms(zone: str, quarter: int) -> int:
    # Zones change their offset on a quarter of an hour, so one look-up serves all times in it.
    shift = clock.from_ms(quarter * (HOUR // 4)).astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    return shift // timedelta(milliseconds=1)
