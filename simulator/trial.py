"""The simulator as a library, for tests: a scenario in five lines, virtual time, no service and no pauses.

    from simulator import trial

    made = trial.run("copd", scenario="copd_exacerbation_fast", after_days=7, days=11, seed=3)
    assert made.courses[0].onset < made.end
    assert min(made.values("spo2")) <= 88

The same arguments give the same readings, on any machine. What is not given is as in the packaged pathway: who lives
there, what they measure and when. `made.messages` is what devices would publish, `made.truth` what really happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from simulator import cast, clock, errors, kit, native, noise, realistic, scenario, world
from simulator.homes import faults

#: A Monday on which no clock changes for weeks.
START: Final = datetime(2026, 1, 5, tzinfo=UTC)
#: Wearables and sensors measure this often, in seconds, and send what they measured this often.
WORN_SECONDS, UPLOAD_MS = 300, 3_600_000

_RED = ("chest_pain", "breathless_at_rest", "syncope")


@dataclass(frozen=True)
class Home:
    """The devices of a usual resident of a pathway, by what they measure, and when what is due (local times)."""

    devices: tuple[tuple[str, ...], ...]
    due: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grace_minutes: float = 120
    worn: frozenset[str] = frozenset()


_TWICE, _ONCE = ("08:00", "18:00"), ("08:00",)
_OXIMETER, _CUFF = ("spo2", "pulse"), ("systolic", "diastolic", "pulse")

HOMES: Final[Mapping[str, Home]] = {
    "copd": Home(
        (
            _OXIMETER,
            ("resp_rate", "temperature", "systolic", "diastolic"),
            ("breathlessness", "sputum_volume", "sputum_purulence", "fall", *_RED),
        ),
        {"spo2": _TWICE, "pulse": _TWICE, "resp_rate": _TWICE, "temperature": _TWICE, "breathlessness": _ONCE},
    ),
    "heart_failure": Home(
        (
            ("weight",),
            ("systolic", "diastolic", "pulse"),
            ("spo2",),
            ("breathlessness", "ankle_swelling", "orthopnoea", "dizziness", "fall", *_RED),
        ),
        {
            "weight": _ONCE,
            "systolic": _TWICE,
            "diastolic": _TWICE,
            "pulse": _TWICE,
            "spo2": _ONCE,
            "breathlessness": _ONCE,
        },
    ),
    "frailty": Home(
        (
            _OXIMETER,
            ("systolic", "diastolic", "temperature", "resp_rate"),
            ("weight",),
            ("steps",),
            ("new_confusion", "drowsy", "less_mobile", "poor_intake", "urine_change", "fall", "consciousness"),
        ),
        dict.fromkeys(("spo2", "pulse", "systolic", "temperature", "resp_rate"), _TWICE),
    ),
    "post_acute_infection": Home(
        (
            _OXIMETER,
            ("temperature",),
            ("resp_rate", "systolic", "diastolic"),
            ("resting_pulse",),
            ("breathlessness", "new_confusion", "fall", *_RED),
        ),
        {
            "spo2": ("08:00", "14:00", "20:00"),
            "pulse": ("08:00", "14:00", "20:00"),
            "temperature": ("08:00", "20:00"),
            "resp_rate": _ONCE,
            "breathlessness": _ONCE,
        },
    ),
    "hypertension": Home(
        (_CUFF, ("dizziness", "new_confusion", "fall", *_RED)),
        {"systolic": _TWICE, "diastolic": _TWICE, "pulse": _TWICE},
        240,
    ),
    "diabetes": Home((("glucose",),), {"glucose": ("08:00", "20:00")}, 240, frozenset(("glucose",))),
    "diabetes_fingerprick": Home(
        (("glucose", "ketones"),), {"glucose": ("08:00", "12:00", "18:00", "22:00")}, 240
    ),
    "palliative": Home((_OXIMETER, ("pain", "breathlessness", "drowsy", "poor_intake"))),
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One measurement as a device shows it, at its true time. value None: it could not measure."""

    resident: str
    device_id: str
    code: str
    value: float | str | bool | None
    at: datetime
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Message:
    """What a device would publish. sent_at: when it would leave."""

    device_id: str
    topic: str
    payload: bytes
    sent_at: datetime


@dataclass(frozen=True)
class Made:
    """All that came of a trial, in order of time."""

    start: datetime
    end: datetime
    residents: tuple[str, ...]
    readings: Sequence[Reading]
    messages: Sequence[Message]
    courses: Sequence[scenario.Course]
    truth: Sequence[Mapping[str, Any]]

    def values(self, code: str, resident: str | None = None) -> list[float]:
        """The numbers that were measured of one code, in order."""
        return [
            float(one.value)
            for one in self.readings
            if one.code == code and isinstance(one.value, int | float) and resident in (None, one.resident)
        ]


def run(
    pathway: str,
    *,
    scenario: str | scenario.Scenario | None = None,
    days: float = 14,
    after_days: float = 7,
    seed: int = 1,
    residents: int = 1,
    start: datetime = START,
    realistic_faults: bool = False,
    fault: Sequence[str] = (),
    asked: Sequence[tuple[str, str, datetime]] = (),
    schedule: Mapping[str, Sequence[str]] | None = None,
    zone: str = "Europe/London",
) -> Made:
    """Residents of a pathway for some days; with a scenario, all of them fall ill within the day after after_days.

    fault: as --fault has them, for targets device:ID, resident:KEY, home:KEY (keys r1, r2, ...; devices r1-1, r1-2).
    schedule: local times by code, instead of the pathway's. asked: (resident, code, when): somebody asked for a
    measurement then. Raises BadInput.
    """
    devices = home(pathway, residents, seed, schedule=schedule, zone=zone)
    found = _cast(devices, seed, start)
    end = start + timedelta(days=days)
    _script(found, scenario, start + timedelta(days=after_days), seed)
    for one in faults.parse_all(list(fault), found.targets, start):
        found.add(one)
    found.maker.careful = found.maker.asked = realistic_faults
    if realistic_faults:
        for one in realistic.faults_of(found.units, seed, clock.to_ms(start)):
            found.add(one)
    readings: list[Reading] = []
    found.maker.watchers.append(lambda unit, taken: readings.extend(_readings(unit, taken)))
    for resident, code, at in asked:
        for index, unit in enumerate(found.units):
            if unit.person.key == resident and code in unit.codes:
                found.maker.measure(index, clock.to_ms(at))
    made = found.maker.step(clock.to_ms(end))
    courses = {course.id: course for unit in found.units for course in unit.courses}
    return Made(
        start,
        end,
        tuple(dict.fromkeys(unit.person.key for unit in found.units)),
        sorted(readings, key=lambda one: (one.at, one.resident, one.device_id)),
        _messages(made.batches, seed),
        list(courses.values()),
        found.truth(end, to=end),
    )


def home(
    pathway: str,
    residents: int = 1,
    seed: int = 1,
    *,
    schedule: Mapping[str, Sequence[str]] | None = None,
    zone: str = "Europe/London",
) -> list[world.Device]:
    """The devices of residents r1, r2, ... of a pathway, as a file of devices has them. Raises BadInput."""
    if pathway not in HOMES:
        raise errors.BadInput(f"no usual home for {pathway}; there are: {', '.join(HOMES)}")
    usual = HOMES[pathway]
    due = dict(usual.due if schedule is None else schedule)
    times = {code: world.Times(list(at), usual.grace_minutes) for code, at in due.items()}
    found = []
    for number in range(1, residents + 1):
        key = f"r{number}"
        person = world.Resident(
            key, pathway=pathway, seed=noise.key("trial", seed, key) % 2**31, schedule=times, zone=zone
        )
        for place, codes in enumerate(usual.devices, 1):
            worn = bool(usual.worn & set(codes))
            name = f"{key}-{place}"
            every = float(WORN_SECONDS) if worn else None
            found.append(world.Device(name, "", list(codes), person, continuous=worn, interval_seconds=every))
    return found


def _cast(devices: Sequence[world.Device], seed: int, start: datetime) -> cast.Cast:
    units = kit.units(
        devices, seed=seed, spot_every_ms=None, continuous_every_ms=WORN_SECONDS * 1000, upload_ms=UPLOAD_MS
    )
    return cast.Cast(units, seed, start)


def _script(found: cast.Cast, wanted: str | scenario.Scenario | None, after: datetime, seed: int) -> None:
    if wanted is None:
        return
    one = scenario.load(wanted) if isinstance(wanted, str) else wanted
    for unit in {unit.person.key: unit for unit in found.units}.values():
        drawn = noise.key(seed, unit.person.key, one.name)
        # At any time of the day, unless the file says at which.
        late = timedelta(minutes=0 if one.starts else int(noise.uniform_one(drawn, 1) * 1440))
        onset = scenario.usual_onset(one, after + late, unit.person.zone, drawn)
        found.begin(unit.person.key, one, onset)


def _readings(unit: kit.Unit, taken: Sequence[kit.Taken]) -> list[Reading]:
    return [
        Reading(
            unit.person.key, unit.device_id, code, _plain(shown.value), clock.from_ms(one.moment.at_ms), shown.flags
        )
        for one in taken
        for code, shown in one.shown.items()
    ]


def _plain(value: object) -> float | str | bool | None:
    if value is None or isinstance(value, bool | str | int | float):
        return value
    return float(bytes(value)) if isinstance(value, msgspec.Raw) else None


def _messages(batches: Sequence[kit.Batch], seed: int) -> list[Message]:
    numbers: dict[str, int] = {}
    found = []
    for batch in batches:
        seq = numbers[batch.device_id] = numbers.get(batch.device_id, 0) + 1
        sent = clock.from_ms(batch.sent_ms)
        stream = f"s{noise.key('stream', seed, batch.device_id):016x}"
        head = {"stream": stream, "seq": seq, "oldest": seq, "sent_at": clock.text(sent)}
        payload = native.encode({**head, "readings": msgspec.Raw(batch.readings)})
        topic = native.topic(batch.device_id, native.lane(batch.taken_ms, batch.sent_ms))
        found.append(Message(batch.device_id, topic, payload, sent))
    return sorted(found, key=lambda one: one.sent_at)
