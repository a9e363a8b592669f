"""Faults as often as they befall real homes, drawn by the seed: for judging a service, not for showing one thing.

They have no end: each is a small share of all measurements, or a stretch of time that returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simulator import kit, noise
from simulator.homes import catalogue
from simulator.homes.faults import Fault, Value

DAY_MS: Final = 24 * 3_600_000


@dataclass(frozen=True)
class Rate:
    """Part of the measurements of a kind of device that a fault befalls, and where the number is from."""

    kind: str
    devices: tuple[str, ...]
    share: float
    source: str
    parameters: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True)
class Stretch:
    """A fault that comes over part of all homes or devices, so many times in a hundred days, for hours."""

    kind: str
    place: str
    per_hundred_days: float
    hours: tuple[float, float]
    source: str
    parameters: tuple[tuple[str, Value], ...] = ()
    #: Kinds of devices that it does not befall.
    spared: tuple[str, ...] = ()


_CHOSEN: Final = "chosen: no published rate for homes found"
#: People with COPD wore a finger oximeter at home for a week; while they moved much, 32.1 % was not valid.
_WORN: Final = "Buekers 2019, JMIR mHealth uHealth 7(6):e12866: 6.7 % by day and 0.7 % by night not valid"

RATES: Final = (
    Rate("motion", ("oximeter",), 0.02, _CHOSEN),
    Rate("motion", ("cuff", "hub"), 0.02, _CHOSEN),
    Rate("motion", ("band", "patch"), 0.05, _CHOSEN + "; more than at rest, see " + _WORN),
    Rate("cold_finger", ("oximeter",), 0.02, _CHOSEN),
    Rate("loose_cuff", ("cuff", "hub"), 0.02, _CHOSEN),
    Rate("used_cold", ("thermometer", "hub"), 0.03, _CHOSEN),
    Rate("could_not_measure", ("oximeter", "cuff", "thermometer", "scales", "hub"), 0.02, _CHOSEN),
    Rate("could_not_measure", ("band", "patch"), 0.05, _WORN),
    Rate("could_not_measure", ("glucose_sensor",), 0.03, _CHOSEN + "; pressure on it and lost signal"),
    Rate("clipped", ("oximeter",), 0.001, _CHOSEN),
    Rate("wrong_person", ("scales",), 0.01, _CHOSEN),
)  # fmt: skip

#: Part of a resident's sittings that are forgotten. Chosen for a ward that calls whoever does not measure, within what
#: is published; over many months, people with long-term conditions measured on 64.8 % of their days.
MISSED: Final = (
    0.10,
    "Celler 2018, JMIR Med Inform 6(2):e15: 40 to 90 % of what is due is measured, by study; Kerby 2012, J Clin "
    "Hypertens 14:668: 73 % of people kept to six readings a week",
)

STRETCHES: Final = (
    Stretch("wifi_outage", "home", 2.0, (0.2, 10.0), _CHOSEN),
    Stretch("gateway_reboot", "home", 3.0, (0.02, 0.05), _CHOSEN),
    Stretch("duplicated", "device", 2.0, (1.0, 24.0), _CHOSEN),
    Stretch("reordered", "device", 2.0, (1.0, 24.0), _CHOSEN),
    Stretch("charging", "device", 15.0, (1.0, 2.0), _CHOSEN, spared=("glucose_sensor",)),
    Stretch("low_battery", "device", 0.5, (2.0, 12.0), _CHOSEN),
    Stretch("clock_skew", "device", 0.3, (24.0, 96.0), _CHOSEN, (("seconds", 3600.0),)),
    Stretch("clock_dst", "device", 0.2, (24.0, 96.0), _CHOSEN),
)

#: Stretches are drawn for so many days.
DAYS: Final = 400


def faults_of(units: Sequence[kit.Unit], seed: int, start_ms: int, days: int = DAYS) -> list[Fault]:
    """The realistic faults of a world from a start on."""
    found: list[Fault] = []
    for unit in {unit.device_id: unit for unit in units}.values():
        for rate in RATES:
            if unit.kind.name in rate.devices:
                # Some people and devices do better than others: from none to twice the rate.
                own = rate.share * 2.0 * noise.uniform_one(noise.key("realistic", seed, unit.device_id, rate.kind))
                parameters = {"share": own, **dict(rate.parameters)}
                name = f"realistic/{seed}/{unit.device_id}/{rate.kind}"
                found.append(Fault(name, rate.kind, f"device:{unit.device_id}", start_ms, None, parameters))
    for resident in sorted({unit.person.key for unit in units}):
        own = MISSED[0] * 2.0 * noise.uniform_one(noise.key("realistic", seed, resident, "missed"))
        name = f"realistic/{seed}/{resident}/missed"
        found.append(Fault(name, "missed", f"resident:{resident}", start_ms, None, {"share": own}))
    for stretch in STRETCHES:
        touched = [unit for unit in units if unit.kind.name not in stretch.spared]
        place = f"{stretch.place}:"
        names = sorted({target for unit in touched for target in unit.targets if target.startswith(place)})
        for target in names:
            found += _drawn(stretch, target, seed, start_ms, days)
    return found


def _drawn(stretch: Stretch, target: str, seed: int, start_ms: int, days: int) -> list[Fault]:
    source = noise.key("realistic", seed, target, stretch.kind)
    found = []
    for day in range(days):
        if noise.uniform_one(source, 3 * day) < stretch.per_hundred_days / 100:
            low, high = stretch.hours
            begin = start_ms + day * DAY_MS + int(noise.uniform_one(source, 3 * day + 1) * DAY_MS)
            lasts = int((low + (high - low) * noise.uniform_one(source, 3 * day + 2)) * 3_600_000)
            name = f"realistic/{seed}/{target}/{stretch.kind}/{day}"
            found.append(Fault(name, stretch.kind, target, begin, begin + lasts, dict(stretch.parameters)))
    return found


def known() -> bool:
    """Whether every rate names a kind of fault that there is (for tests)."""
    return all(rate.kind in catalogue.KINDS for rate in (*RATES, *STRETCHES))
