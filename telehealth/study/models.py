"""People who are made up: the models on which kinds of rule and their limits were compared, so that no data decided.

Every number here is an assumption. Weight in its harder form, in which published rules have about as many false
alerts as on people's logs; resting pulse with a wandering level, weekends, and nights out.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from telehealth.study import cells
from telehealth.study.pulse_logs import Person
from telehealth.study.weight_logs import Log

SEED = 7
_FIRST_DAY = 19_000


def weights(people: int = 60, days: int = 240, seed: int = SEED) -> list[Log]:
    """Daily weights, kg: a wandering level, a drift that changes by the month, water, scale and clothes, outliers."""
    return [_weights(f"model {number}", days, random.Random(f"{seed} {number}")) for number in range(people)]


def _weights(name: str, days: int, chance: random.Random) -> Log:
    scale = 0.35 * math.exp(0.4 * chance.gauss(0, 1))
    water_spread = 0.4 * math.exp(0.3 * chance.gauss(0, 1))
    wander = 0.11 * math.exp(0.5 * chance.gauss(0, 1))
    level, water, drift = 80.0, 0.0, 0.0
    at, kg = [], []
    for day in range(days):
        drift = chance.gauss(0, 0.035) if day % 30 == 0 else drift
        level += drift + chance.gauss(0, wander)
        water = 0.75 * water + chance.gauss(0, water_spread * math.sqrt(1 - 0.75**2))
        outlier = chance.gauss(0, 2) if chance.random() < 0.015 else 0.0
        value = level + water + outlier + chance.gauss(0, scale)
        if chance.random() >= 0.15:
            at.append((_FIRST_DAY + day) * cells.DAY_US + cells.DAY_US // 3)
            kg.append(round(value, 1))
    return Log(name, tuple(at), tuple(kg))


@dataclass(frozen=True, slots=True)
class Pulse:
    """Assumptions about resting pulse. Units /min and days; medians where people differ."""

    told: str
    wander: float = 0.25  #: of the level, from one day to the next
    memory: float = 0.4  #: correlation of a day's noise with that of the next
    outliers: float = 0.05  #: share of days
    cycle: float = 0.0  #: above usual in the second half of four weeks, in half of the people
    height: float = 4.5  #: of an illness
    recovery: tuple[float, float] = (2, 6)
    logged_before: tuple[int, int] | None = None  #: when a log begins before an onset; None: as long before as there is


#: The first one is what limits were chosen on; the others say whether that hangs on one assumption.
KINDS_OF_PULSE: Mapping[str, Pulse] = {
    "usual": Pulse("a wandering level, weekends, nights out"),
    "wander": Pulse("the level wanders twice as much", wander=0.5),
    "memory": Pulse("bad days come in a row", memory=0.7),
    "outliers": Pulse("nights out on one day in eight", outliers=0.12),
    "cycle": Pulse("half of the people 2.5/min higher for two weeks in four", cycle=2.5),
    "small": Pulse("smaller rises", height=3.0),
    "long": Pulse("slower recovery", height=4.0, recovery=(5, 12)),
    "short": Pulse("logs that begin 18 to 60 days before the onset", logged_before=(18, 60)),
}


def pulses(people: int = 1000, days: int = 170, seed: int = SEED, kind: Pulse | None = None) -> list[Person]:
    """Resting pulse by day, /min: half of the people fall ill once, the others never."""
    kind = kind or KINDS_OF_PULSE["usual"]
    return [
        _pulses(f"model {number}", days, random.Random(f"{seed} {number}"), number % 2 == 0, kind)
        for number in range(people)
    ]


def _pulses(name: str, days: int, chance: random.Random, ill: bool, kind: Pulse) -> Person:
    spread = 2.0 * math.exp(0.35 * chance.gauss(0, 1))
    wander = kind.wander * math.exp(0.5 * chance.gauss(0, 1))
    onset = chance.randrange(60, days - 40) if ill else None
    height = kind.height * math.exp(0.6 * chance.gauss(0, 1))
    peak, recovery = (onset or 0) + chance.gauss(1, 1.5), chance.uniform(*kind.recovery)
    level, beside = 60.0, 0.0
    phase, cycle = (chance.randrange(28), chance.random() < 0.5) if kind.cycle else (0, False)
    begins = 0 if kind.logged_before is None else (onset or days // 2) - chance.randrange(*kind.logged_before)
    daily = {}
    for day in range(days):
        level += chance.gauss(0, wander)
        beside = kind.memory * beside + chance.gauss(0, spread * math.sqrt(1 - kind.memory**2))
        value = level + beside + (1.0 if day % 7 >= 5 else 0.0)
        if cycle and (day + phase) % 28 >= 14:
            value += kind.cycle
        if chance.random() < kind.outliers:
            value += chance.expovariate(1 / (2.5 * spread))
        if onset is not None:
            value += height * math.exp((day - peak) / 1.5 if day < peak else (peak - day) / recovery)
        if chance.random() >= 0.12 and day >= begins:
            daily[_FIRST_DAY + day] = float(round(value))
    return Person(name, daily, None if onset is None else _FIRST_DAY + onset)
