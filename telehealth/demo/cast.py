"""Who is on the demo's wards: a pure function of a seed. Nobody here exists.

NHS numbers are of the never-issued range 999 000 0000 to 999 999 9999.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

from nhs_number.validate import is_valid

from alerts import pathways
from alerts.rules import RuleSet, Threshold

WARDS = ("Beech ward", "Rowan ward")
SECOND_WARD_RESIDENTS = 6
#: Of the second ward, too: residents who share one kit, and whose devices are behind one gateway.
CARE_HOME = "Holly House"
_CARE_HOME_PATHWAYS = ("frailty", "heart_failure", "frailty", "copd")
ZONE = "Europe/London"

_FAMILY = (
    "Adams", "Ahmed", "Baker", "Bennett", "Brown", "Campbell", "Carter", "Chapman", "Clarke",
    "Collins", "Cooper", "Davies", "Edwards", "Evans", "Fisher", "Foster", "Green", "Griffiths",
    "Hall", "Harris", "Hughes", "Jackson", "James", "Johnson", "Jones", "Kaur", "Kelly",
    "Khan", "King", "Lewis", "Marshall", "Martin", "Mason", "Mitchell", "Moore", "Morgan",
    "Morris", "Murphy", "Owen", "Palmer", "Parker", "Patel", "Phillips", "Powell", "Price",
    "Reid", "Richards", "Roberts", "Robinson", "Russell", "Scott", "Shah", "Shaw", "Singh",
    "Stewart", "Taylor", "Thomas", "Turner", "Walker", "Ward", "Watson", "White", "Williams",
    "Wilson", "Wood", "Wright", "Young",
)  # fmt: skip
_FEMALE = (
    "Anne", "Barbara", "Brenda", "Carol", "Dorothy", "Eileen", "Elizabeth", "Gillian", "Gwen",
    "Jean", "Joan", "Joyce", "Judith", "Kathleen", "Linda", "Margaret", "Mary", "Maureen",
    "Pamela", "Patricia", "Sheila", "Shirley", "Sylvia", "Valerie", "Yasmin",
)  # fmt: skip
_MALE = (
    "Alan", "Anthony", "Arthur", "Brian", "Colin", "David", "Dennis", "Derek", "Donald",
    "Frank", "George", "Gordon", "Harold", "Ian", "James", "John", "Keith", "Kenneth",
    "Leslie", "Michael", "Norman", "Peter", "Raymond", "Ronald", "Roy", "Stanley", "Thomas",
    "Trevor",
)  # fmt: skip

#: Pathways in the order in which residents get them; every fifth resident the same.
_PATHWAYS = ("copd", "heart_failure", "frailty", "post_acute_infection", "hypertension")
#: What the hub in the living room collects from cuff, thermometer, scales and questions.
_HUB = ("systolic", "diastolic", "temperature", "resp_rate", "weight", "consciousness", "on_oxygen")
_WORN = ("pulse", "resp_rate")


@dataclass(frozen=True)
class _Event:
    ward: str
    pathway: str
    illness: tuple[str, float] | None = None
    silent_hours: float | None = None


#: Each befalls the next resident of the ward and pathway who is not calm.
_SCRIPT = (
    _Event(WARDS[0], "copd", ("copd_exacerbation_fast", 60.0)),
    _Event(WARDS[0], "post_acute_infection", ("sepsis_chest", 20.0)),
    _Event(WARDS[0], "heart_failure", silent_hours=26.0),
    _Event(WARDS[0], "copd", ("copd_exacerbation_slow", 110.0)),
    _Event(WARDS[0], "frailty", ("sepsis_urine", 14.0)),
    _Event(WARDS[1], "copd", ("copd_exacerbation_fast", 50.0)),
)


@dataclass(frozen=True)
class Device:
    device_id: str
    model: str
    codes: tuple[str, ...]
    continuous: bool


@dataclass(frozen=True)
class Person:
    """One resident with rules, schedule and devices. calm: never leaves normal limits, never forgets."""

    ward: str
    nhs_number: str
    family_name: str
    given_name: str
    title: str
    gender: Literal["female", "male"]
    born: date
    pathway: pathways.Pathway
    rules: RuleSet
    schedule: Mapping[str, Any]
    calm: bool
    devices: tuple[Device, ...]
    #: At risk of hypercapnia: NEWS2 scale 2 and a lower SpO2, as a clinician has set it.
    hypercapnic: bool
    #: Scenario of the simulator, and hours since it began when the demo is first started.
    illness: tuple[str, float] | None = None
    #: Hours that the devices have been silent then.
    silent_hours: float | None = None
    #: Part of the due measurements that are taken.
    adherence: float = 1.0
    #: With others in a care home, and the name under which its kit knows this resident.
    home: str | None = None
    room: str | None = None

    def simulated(self) -> dict[str, Any]:
        """Who the simulator is to be, for its file of devices."""
        found: dict[str, Any] = {
            "key": self.nhs_number,
            "sex": self.gender,
            "pathway": self.pathway.name,
            "zone": ZONE,
            "schedule": self.schedule,
            "calm": self.calm,
            "adherence": self.adherence,
        }
        if self.home is not None:
            found["home"] = self.home
        if self.hypercapnic:
            found["ranges"] = {"spo2": [89, 91.5]}
        if self.illness is not None:
            found["scenario"] = {"name": self.illness[0], "onset_hours_ago": self.illness[1]}
        if self.silent_hours is not None:
            found["silent_hours_ago"] = self.silent_hours
        return found

    def limits(self, device: Device) -> list[dict[str, Any]]:
        """The threshold rules of what a device measures, as `telehealth demo --json` shows them."""
        return [
            {
                "code": rule.code,
                "red_low": rule.red_low,
                "amber_low": rule.amber_low,
                "amber_high": rule.amber_high,
                "red_high": rule.red_high,
                "sampling": rule.sampling,
            }
            for rule in self.rules.rules
            if isinstance(rule, Threshold) and rule.code in device.codes
        ]


@dataclass(frozen=True)
class SharedKit:
    """A device that everybody of a care home is measured with; readings say whose they are by the room."""

    device: Device
    ward: str
    residents: tuple[Person, ...]

    def seats(self) -> list[dict[str, Any]]:
        """In the order of a round, for the simulator's file of devices."""
        return [{"subject": person.room, "resident": person.simulated()} for person in self.residents]


def shared_kits(people: Iterable[Person]) -> list[SharedKit]:
    """The kits of care homes: one each."""
    homes: dict[str, list[Person]] = {}
    for person in people:
        if person.home is not None:
            homes.setdefault(person.home, []).append(person)
    found = []
    for name, residents in homes.items():
        device_id = f"{name.lower().replace(' ', '-')}-kit"
        device = Device(
            device_id, "Care home kit: oximeter, cuff, thermometer and scales", ("spo2", "pulse", *_HUB), False
        )
        found.append(SharedKit(device, residents[0].ward, tuple(residents)))
    return found


def people(*, residents: int, seed: int, start: datetime, care_home: bool = True) -> list[Person]:
    """The residents of both wards; the first has so many, the second always six, and those of a care home."""
    draw = random.Random(seed)
    families = draw.sample(_FAMILY, len(_FAMILY))
    numbers = _nhs_numbers(seed)
    cast = []
    for index in range(residents + SECOND_WARD_RESIDENTS):
        second = index >= residents
        place = index - residents if second else index
        cast.append(_person(draw, WARDS[second], place, families[index % len(families)], next(numbers), start))
    found = _scripted(cast)
    if care_home:
        taken = residents + SECOND_WARD_RESIDENTS
        for place, name in enumerate(_CARE_HOME_PATHWAYS):
            family, number = families[(taken + place) % len(families)], next(numbers)
            person = _person(draw, WARDS[1], place, family, number, start, pathways.load(name))
            # Nobody of them has a device of their own, and all stay as they are.
            found.append(replace(person, devices=(), home=CARE_HOME, room=f"room {place + 1}", calm=place < 2))
    return found


def _scripted(cast: list[Person]) -> list[Person]:
    """What befalls those who are not calm: a few are ill, one has fallen silent, some forget now and then."""
    left = list(_SCRIPT)
    found = []
    for index, person in enumerate(cast):
        event = next((e for e in left if (e.ward, e.pathway) == (person.ward, person.pathway.name)), None)
        if person.calm:
            found.append(person)
        elif event is not None:
            left.remove(event)
            found.append(replace(person, illness=event.illness, silent_hours=event.silent_hours))
        else:
            found.append(replace(person, adherence=0.95 if index % 4 == 3 else 1.0))
    return found


def _person(
    draw: random.Random,
    ward: str,
    place: int,
    family: str,
    number: str,
    start: datetime,
    given: pathways.Pathway | None = None,
) -> Person:
    gender: Literal["female", "male"] = "female" if draw.random() < 0.55 else "male"
    pathway = given or pathways.load(_PATHWAYS[place % len(_PATHWAYS)])
    # The first three of a ward stay calm, so that there is always somebody to try an alert on.
    calm = place < 3
    worn = place % 7 == 4
    hypercapnic = pathway.name == "copd" and place % 10 == 5
    overrides: dict[str, Mapping[str, Any] | None] = {}
    if worn:
        has = {entry["code"] for entry in pathway.rules if entry["kind"] == "threshold"}
        for code in sorted(has & set(_WORN)):
            overrides[f"threshold/{code}"] = {"sampling": "continuous", "persistence_seconds": 300}
    rules = pathways.compile(pathway, overrides, spo2_scale=2 if hypercapnic else 1)
    short = f"{ward.split()[0].lower()}-{place + 1:02d}"
    devices = [
        Device(f"{short}-ox", "Fingertip oximeter", ("spo2", "pulse"), False),
        Device(f"{short}-hub", "Home hub with cuff, thermometer and scales", _HUB, False),
    ]
    if worn:
        devices.append(Device(f"{short}-band", "Wrist band", _WORN, True))
    return Person(
        ward=ward,
        nhs_number=number,
        family_name=family,
        given_name=draw.choice(_FEMALE if gender == "female" else _MALE),
        title=draw.choice(("Mrs", "Ms", "Miss")) if gender == "female" else "Mr",
        gender=gender,
        born=(start - timedelta(days=draw.randint(62 * 365, 95 * 365))).date(),
        pathway=pathway,
        rules=rules,
        schedule=_schedule(pathway),
        calm=calm,
        devices=tuple(devices),
        hypercapnic=hypercapnic,
    )


def _schedule(pathway: pathways.Pathway) -> dict[str, Any]:
    """The pathway's, with a set for NEWS2 morning and evening: the hub asks the questions."""
    schedule = {code: dict(entry) for code, entry in pathway.schedule.items()}
    for code in ("spo2", "pulse", "systolic", "diastolic", "temperature", "resp_rate", "consciousness", "on_oxygen"):
        times = {"08:00", "18:00", *schedule.get(code, {}).get("times", ())} - {"20:00"}
        schedule[code] = {"times": sorted(times), "grace_minutes": 240}
    return schedule


def _nhs_numbers(seed: int) -> Iterator[str]:
    base = (seed * 7919) % 900_000
    for serial in itertools.count(base):
        for check in range(10):
            number = f"999{serial % 1_000_000:06d}{check}"
            if is_valid(number):
                yield number
                break
