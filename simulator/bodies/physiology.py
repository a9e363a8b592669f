"""Vital signs over time: a pure function of (profile, course of an illness, time).

What is true in the body at a time: usual value + daily rhythm + what wanders over months to minutes (common to several
vital signs in part) + meals + missed medicines + what an illness adds. Fever raises pulse and respiration, want of
oxygen raises both; medicines blunt it. What a device says: the true value + its error, in its resolution. Values in
the catalogue's units.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

import numpy as np

from simulator import noise
from simulator.bodies import answers, medicines, rhythm, wander
from simulator.bodies.profile import Profile
from simulator.bodies.vitals import DAY as DAY
from simulator.bodies.vitals import HOUR as HOUR
from simulator.bodies.vitals import SCALES as SCALES
from simulator.bodies.vitals import VITALS as VITALS
from simulator.bodies.vitals import Vital
from simulator.noise import Floats, Integers

STATES: Final = answers.STATES


class Course(Protocol):
    """An illness of one resident: what it does to each vital sign."""

    def offset(self, code: str, times_ms: Integers) -> Floats: ...

    def pull(self, code: str, times_ms: Integers) -> tuple[Floats, Floats]: ...

    def spread(self, code: str, times_ms: Integers) -> Floats: ...

    def state(self, code: str, at_ms: int) -> str | bool | int | None: ...


#: Pulse and respiration per degree of fever and per percent of oxygen lost. Pulse 8 to 10 /min and breaths 2 to 4 /min
#: per degree (Karjalainen 1986, Jensen 2015 [K]); per percent of oxygen: from the slope of hypoxic answers [S].
PULSE_PER_DEGREE, PULSE_PER_PERCENT = 8.0, 1.2
BREATHS_PER_DEGREE, BREATHS_PER_PERCENT = 1.6, 0.5
#: One figure a day: the same whenever it is read.
_DAILY: Final = ("resting_pulse", "steps")
#: Height of a usual meal in deviations of glucose, so that meals are a fifth of its variance; and their mean.
_MEAL, _MEAL_MEAN = 1.15, 0.215
#: Sunday's steps are fewest; weight is highest early in the week (Orsama 2014). Monday first.
_STEPS: Final = np.array([1.0, 1.02, 1.02, 1.02, 1.05, 1.04, 0.85])
_WEIGHT: Final = np.array([0.12, 0.05, 0.0, -0.05, -0.08, -0.06, 0.02])


def true_values(profile: Profile, course: Course | None, code: str, times_ms: Integers) -> Floats:
    """What is so in the body at each time, unrounded."""
    if code == "mean_arterial":
        upper, lower = (true_values(profile, course, one, times_ms) for one in ("systolic", "diastolic"))
        return lower + (upper - lower) / 3.0
    vital = VITALS[code]
    value = _usual(profile, course, code, times_ms)
    if course is not None:
        value = value + _change(profile, course, code, value, times_ms)
    return np.clip(value, vital.lowest, vital.highest)


def measured(profile: Profile, course: Course | None, device_id: str, code: str, times_ms: Integers) -> Floats:
    """What a device shows at each time: error added, rounded half up to its resolution."""
    vital = VITALS[code]
    if code == "mean_arterial":
        upper, lower = (measured(profile, course, device_id, one, times_ms) for one in ("systolic", "diastolic"))
        return np.floor(lower + (upper - lower) / 3.0 + 0.5)
    usual = _usual(profile, course, code, times_ms)
    at = _days(profile, times_ms) if code in _DAILY else times_ms
    size = profile.spread(code) * float(np.sqrt(profile.error(code)))
    wrong = size * wander.error(noise.key(profile.source, device_id, code, "error"), at, vital.lasting)
    if code in _DAILY:
        wrong = _daily(profile, code, wrong, times_ms)
    # A calm person stays in the profile's range with the error of measurement included; an illness leaves it.
    shown = _clip(profile, code, usual + wrong)
    if course is not None:
        shown = shown + _change(profile, course, code, usual, times_ms)
    steps = np.floor(np.clip(shown, vital.lowest, vital.highest) / vital.resolution + 0.5)
    if code == "diastolic":
        above = measured(profile, course, device_id, "systolic", times_ms)
        steps = np.minimum(steps, above - 12.0)
    return steps * vital.resolution


def state(profile: Profile, course: Course | None, code: str, at_ms: int) -> str | bool | int:
    """A coded or boolean observation: consciousness, on_oxygen, chest_pain and other signs."""
    return answers.state(profile, course, code, at_ms)


def known(code: str) -> bool:
    """Whether this code can be simulated."""
    return code in VITALS or code in STATES


def _usual(profile: Profile, course: Course | None, code: str, times_ms: Integers) -> Floats:
    """While nothing is wrong; of a course only that it makes values vary more."""
    vital = VITALS[code]
    varied = _varied(profile, code, vital, times_ms)
    if course is not None:
        varied = varied * course.spread(code, times_ms)
    value = profile.baselines[code] + varied
    if profile.medicines:
        part = medicines.missed(profile.source, profile.takes, times_ms)
        value = value + medicines.level(profile.medicines, code, part)
    return _clip(profile, code, value)


def _varied(profile: Profile, code: str, vital: Vital, times_ms: Integers) -> Floats:
    """Deviation from the usual value: rhythm, wandering, meals, days of the week."""
    # What is not error: all of the spread together stays as it is.
    size = profile.spread(code) * float(np.sqrt((1.0 - profile.error(code)) / (1.0 - vital.error)))
    if not size:
        return np.zeros(len(times_ms), dtype=np.float64)
    at = _days(profile, times_ms) if code in _DAILY else times_ms
    whole = math.fsum(vital.shares.values())  # sum() rounds otherwise from Python 3.12 on
    wandered = wander.shaped(
        wander.wandering(profile.source, code, at // profile.paces.get(code, 1)), vital.skew, vital.tails
    )
    varied = size * float(np.sqrt(whole)) * wandered
    if code in _DAILY:
        return _daily(profile, code, varied, times_ms)
    local = rhythm.local_ms(profile.zone, times_ms)
    if vital.rhythm:
        later = profile.routine.wakes - 420.0
        varied = varied + size * float(np.sqrt(2.0 * vital.rhythm)) * rhythm.wave(local, vital.top_hour, later)
    if code == "glucose":
        eaten = rhythm.meals(local, profile.routine.meals, profile.source)
        varied = varied + size * _MEAL * (eaten - _MEAL_MEAN)
    if code == "weight":
        varied = varied + size * _WEIGHT[rhythm.weekday(local)]
    return varied


def _daily(profile: Profile, code: str, varied: Floats, times_ms: Integers) -> Floats:
    if code != "steps":
        return varied
    # Days are few or many by a factor, never below nothing.
    day = rhythm.weekday(_days(profile, times_ms))
    base = profile.baselines["steps"]
    return np.asarray(np.maximum(varied, -0.95 * base) + base * (_STEPS[day] - 1.0), dtype=np.float64)


def _days(profile: Profile, times_ms: Integers) -> Integers:
    """Noon of the local day that a daily figure is about: in the morning, the day before."""
    local = rhythm.local_ms(profile.zone, times_ms)
    return np.asarray(((local - DAY // 2) // DAY) * DAY + DAY // 2, dtype=np.int64)


def _change(profile: Profile, course: Course, code: str, usual: Floats, times_ms: Integers) -> Floats:
    """What an illness changes, blunted by medicines."""
    part, level = course.pull(code, times_ms)
    change = part * (level - usual) + course.offset(code, times_ms)
    if code == "temperature":
        return _blunted(change, medicines.answer(profile.medicines, code))
    if code in ("pulse", "resting_pulse", "resp_rate"):
        taken = medicines.answer(profile.medicines, "resp_rate" if code == "resp_rate" else "pulse")
        fever, want = (
            _change(profile, course, one, np.full(len(times_ms), profile.baselines[one]), times_ms)
            for one in ("temperature", "spo2")
        )
        fever, want = np.maximum(fever, 0.0), np.maximum(-want, 0.0)
        breathing = code == "resp_rate"
        answer = fever * (BREATHS_PER_DEGREE if breathing else PULSE_PER_DEGREE)
        answer = answer + want * (BREATHS_PER_PERCENT if breathing else PULSE_PER_PERCENT)
        # The illness's own part is blunted by half as much as the answer to fever and want of oxygen.
        return _blunted(change, 0.5 + 0.5 * taken) + answer * taken
    return change


def _blunted(change: Floats, left: float) -> Floats:
    return np.where(change > 0, change * left, change)


def _clip(profile: Profile, code: str, value: Floats) -> Floats:
    if code not in profile.ranges:
        return value
    return np.clip(value, *profile.ranges[code])
