"""Devices in residents' homes: what each measures at a moment, as messages of the native payload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulator import clock, native, noise, scenario, schedule, world
from simulator.bodies import physiology, profile
from simulator.homes import clocks, kinds, values
from simulator.homes.faults import Fault

#: Observations that a person enters at a hub; the rest is measured.
KEYED = ("consciousness", "on_oxygen", "resp_rate", "breathlessness")


@dataclass(frozen=True)
class Batch:
    """Readings that travel in one message. taken_ms: of the oldest; sent_ms: when the device would first send it.

    created_ms: when the device put it together; copies: deliveries beyond the first.
    """

    device_id: str
    taken_ms: int
    sent_ms: int
    readings: bytes
    count: int
    created_ms: int = 0
    copies: int = 0

    def at(self, sent_ms: int) -> Batch:
        """The same, sent at another time."""
        return replace(self, sent_ms=sent_ms)


@dataclass(frozen=True)
class Body:
    """Who is measured."""

    profile: profile.Profile
    course: scenario.Courses | None = None


@dataclass(frozen=True)
class Taken:
    """One measurement as the device shows it, before it is sent."""

    moment: schedule.Moment
    shown: Mapping[str, values.Shown]
    subject: str | None = None


@dataclass
class Unit:
    """One device as one resident uses it: credentials, whom it measures, how often, and what ails them.

    subject and place: under which name, and as which of a round, on a kit that several share.
    """

    device: world.Device
    person: world.Resident
    profile: profile.Profile
    cadence: schedule.Cadence
    kind: kinds.Kind
    subject: str | None = None
    place: int | None = None
    courses: tuple[scenario.Course, ...] = ()

    def __post_init__(self) -> None:
        #: What faults may name, in full.
        self.targets = frozenset((f"device:{self.device_id}", f"resident:{self.person.key}", f"home:{self.home}"))
        self.codes = tuple(code for code in self.device.codes if physiology.known(code))
        self.user = schedule.User(self.device_id, self.person, self.place)

    @property
    def device_id(self) -> str:
        return self.device.device_id

    @property
    def home(self) -> str:
        return self.person.home or self.person.key

    @property
    def keyed(self) -> bool:
        """A hub at which somebody enters observations."""
        return any(code in physiology.STATES for code in self.codes)

    @property
    def body(self) -> Body:
        return Body(self.profile, scenario.together(self.courses))

    def moments(self, after_ms: int, to_ms: int) -> list[schedule.Moment]:
        """When it would measure in (after, to], if nothing were wrong."""
        return schedule.moments(self.user, self.cadence, self.codes, after_ms, to_ms)

    def take(
        self,
        moments: Sequence[schedule.Moment],
        wrong: Sequence[Fault] = (),
        bodies: Callable[[str], Body | None] = lambda _device_id: None,
    ) -> list[Taken]:
        """What it shows at each moment, in the order given.

        wrong: faults of the stage of values; bodies: who belongs to another device.
        """
        own = self.body
        columns: dict[str, list[object]] = {}
        for code in self.codes:
            times = [moment.at_ms for moment in moments if code in moment.codes]
            columns[code] = list(reversed(self._values(own, code, times))) if times else []
        found = []
        for moment in moments:
            shown = {code: values.Shown(columns[code].pop()) for code in moment.codes}
            subject = self.subject
            if wrong:
                other = values.whose(wrong, self.device_id, moment.at_ms)
                if other is not None:
                    subject = other.subject or subject
                    shown = self._measured_of(self._stranger(other, own, bodies), moment)
                # What a person enters no cuff or finger can spoil.
                shown = {
                    code: one
                    if self.keyed and code in KEYED
                    else values.disturbed(wrong, self.kind, self.device_id, code, moment.at_ms, one)
                    for code, one in shown.items()
                }
            found.append(Taken(moment, shown, subject))
        return found

    def encoded(self, taken: Taken, clock_faults: Sequence[Fault] = ()) -> list[bytes]:
        """The readings as they are sent. clock_faults: what is wrong with its clock."""
        return self._encoded(taken.moment, taken.shown, clocks.shown(clock_faults, taken.moment.at_ms), taken.subject)

    def true_values(self, code: str, times: Sequence[int]) -> list[object]:
        """What is so in the resident at each time, whatever any device says."""
        body = self.body
        if code in physiology.STATES:
            return [physiology.state(body.profile, body.course, code, at_ms) for at_ms in times]
        column = np.array(times, dtype=np.int64)
        return [round(float(value), 3) for value in physiology.true_values(body.profile, body.course, code, column)]

    def said(self, at_ms: int, what: Mapping[str, object], clock_faults: Sequence[Fault] = ()) -> list[bytes]:
        """What it says of itself at a moment: a fall, a button that was pressed, an answer."""
        moment = schedule.Moment(at_ms, tuple(what), "event")
        shown = {code: values.Shown(value) for code, value in what.items()}
        return self._encoded(moment, shown, clocks.shown(clock_faults, at_ms), self.subject)

    def _stranger(self, other: values.Other, own: Body, bodies: Callable[[str], Body | None]) -> Body:
        if other.device_id is not None:
            return bodies(other.device_id) or own
        if other.name is None:
            return own
        made = profile.build(f"{self.person.key}/{other.name}", self.profile.seed, zone=self.profile.zone)
        return Body(made)

    def _measured_of(self, body: Body, moment: schedule.Moment) -> dict[str, values.Shown]:
        return {code: values.Shown(self._values(body, code, [moment.at_ms])[0]) for code in moment.codes}

    def _values(self, body: Body, code: str, times: list[int]) -> list[object]:
        if code in physiology.STATES:
            return [physiology.state(body.profile, body.course, code, at) for at in times]
        own = physiology.VITALS[code].resolution
        resolution = max(self.kind.resolution.get(code, own), own)
        column = np.array(times, dtype=np.int64)
        found = physiology.measured(body.profile, body.course, self.device_id, code, column)
        if resolution > own:
            found = np.floor(found / resolution + 0.5) * resolution
        decimals = native.decimals(resolution)
        return [native.number(float(value), decimals) for value in found]

    def _encoded(
        self, moment: schedule.Moment, shown: Mapping[str, values.Shown], at_ms: int, subject: str | None
    ) -> list[bytes]:
        together = self.keyed or ("systolic" in moment.codes and "diastolic" in moment.codes)
        who = () if self.subject is None else (self.person.key,)
        name = f"{noise.key(self.device_id, *who, moment.at_ms):016x}"[:10]
        at = clock.from_ms(at_ms)
        found = []
        for code, one in shown.items():
            vital = physiology.VITALS.get(code)
            context: dict[str, str] | None = None
            if code == "systolic" and not self.device.is_continuous:
                context = {"posture": "sitting"}
            entry: dict[str, Any] = native.reading(
                code,
                one.value,
                at,
                unit=vital.unit if vital else None,
                set_id=name if together else None,
                method="keyed" if self.keyed and code in KEYED else None,
                source_id=name if subject is not None else None,
                context=context,
                subject=subject,
                flags=one.flags,
                absent=one.absent,
            )
            found.append(native.encode(entry))
        return found


def units(
    devices: Sequence[world.Device],
    *,
    seed: int,
    spot_every_ms: int | None,
    continuous_every_ms: int,
    upload_ms: int | None = None,
    report: Callable[[str], None] = lambda _line: None,
) -> list[Unit]:
    """The devices of a world, once for each who uses them. report: told, in one line, what cannot be simulated.

    upload_ms: wearables send what they measured only so often.
    """
    found = []
    for device in devices:
        for place, (subject, person) in enumerate(device.persons):
            own = person.seed if person.seed is not None else seed
            every, upload = spot_every_ms, None
            if device.is_continuous:
                every = int(device.interval_seconds * 1000) if device.interval_seconds else continuous_every_ms
                upload = upload_ms
            unit = Unit(
                device,
                person,
                built(person, own),
                schedule.Cadence(own, every, upload),
                kinds.find(device.codes, continuous=device.is_continuous, named=device.kind),
                subject,
                place if device.seats else None,
            )
            unknown = sorted(set(device.codes) - set(unit.codes))
            if unknown and not place:
                report(f"device {device.device_id}: not simulated: {', '.join(unknown)}")
            found.append(unit)
    return found


def built(person: world.Resident, seed: int) -> profile.Profile:
    """Who somebody of a file of devices is."""
    return profile.build(
        person.key,
        seed,
        age=person.age,
        sex=person.sex,
        pathway=person.pathway,
        zone=person.zone,
        calm=person.calm,
        usual=person.ranges,
        frailty=person.frailty,
        conditions=person.conditions,
        takes_medicines=person.medicines,
        oxygen_flow=person.oxygen_flow,
    )
