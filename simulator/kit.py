"""Devices in residents' homes: what each measures at a moment, as messages of the native payload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from simulator import clock, faults, native, noise, scenario, schedule, world
from simulator.bodies import physiology, profile

#: Observations that a person enters at a hub; the rest is measured.
KEYED = ("consciousness", "on_oxygen", "resp_rate", "breathlessness")
#: Seconds from a measurement until the device has sent it.
SENDING_MS = (2_000, 9_000)
FIRMWARE = ("1.4.2", "1.5.0", "2.0.1", "3.1.0")


@dataclass(frozen=True)
class Batch:
    """Readings that travel in one message. taken_ms: of the oldest; sent_ms: when the device would first send it."""

    device_id: str
    taken_ms: int
    sent_ms: int
    readings: bytes
    count: int

    def at(self, sent_ms: int) -> Batch:
        """The same, sent at another time."""
        return replace(self, sent_ms=sent_ms)


@dataclass
class Unit:
    """One simulated device: credentials, whom it measures, how often, and what ails them."""

    device: world.Device
    profile: profile.Profile
    cadence: schedule.Cadence
    course: scenario.Course | None = None
    silent_from_ms: int | None = None
    clock: faults.ClockFault = faults.RIGHT

    @property
    def device_id(self) -> str:
        return self.device.device_id

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(code for code in self.device.codes if physiology.known(code))

    @property
    def keyed(self) -> bool:
        """A hub at which somebody enters observations."""
        return any(code in physiology.STATES for code in self.codes)

    def moments(self, after_ms: int, to_ms: int) -> list[schedule.Moment]:
        """Measurements in (after, to]; none while silent."""
        if self.silent_from_ms is not None:
            to_ms = min(to_ms, self.silent_from_ms)
        return schedule.moments(self.device, self.cadence, self.codes, after_ms, to_ms)

    def measure(self, moments: Sequence[schedule.Moment]) -> list[list[bytes]]:
        """Encoded readings, one group per moment, in the order given."""
        columns: dict[str, list[object]] = {}
        for code in self.codes:
            times = [moment.at_ms for moment in moments if code in moment.codes]
            columns[code] = list(reversed(self._values(code, times)))
        groups = []
        for moment in moments:
            at = clock.from_ms(self.clock.shown(moment.at_ms))
            together = self.keyed or ("systolic" in moment.codes and "diastolic" in moment.codes)
            set_id = f"{noise.key(self.device_id, moment.at_ms):016x}"[:10] if together else None
            groups.append(
                [native.encode(self._reading(code, columns[code].pop(), at, set_id)) for code in moment.codes]
            )
        return groups

    def _values(self, code: str, times: list[int]) -> list[object]:
        if code in physiology.STATES:
            return [physiology.state(self.profile, self.course, code, at) for at in times]
        resolution = physiology.VITALS[code].resolution
        decimals = 0 if resolution >= 1 else 1
        column = np.array(times, dtype=np.int64)
        values = physiology.measured(self.profile, self.course, self.device_id, code, column)
        return [native.number(float(value), decimals) for value in values]

    def _reading(self, code: str, value: object, at: datetime, set_id: str | None) -> dict[str, Any]:
        vital = physiology.VITALS.get(code)
        context = {"posture": "sitting"} if code == "systolic" and not self.device.is_continuous else None
        return native.reading(
            code,
            value,
            at,
            unit=vital.unit if vital else None,
            set_id=set_id,
            method="keyed" if self.keyed and code in KEYED else None,
            context=context,
        )

    def battery(self, at_ms: int) -> float:
        """Charge left, 0 to 1: charged about once a week, never low in this version."""
        phase = noise.key(self.device_id, "battery") % (7 * physiology.DAY)
        return round(1.0 - 0.6 * ((at_ms + phase) % (7 * physiology.DAY)) / (7 * physiology.DAY), 2)

    @property
    def firmware(self) -> str:
        return FIRMWARE[noise.key(self.device_id, "firmware") % len(FIRMWARE)]


def batches(unit: Unit, moments: Sequence[schedule.Moment], *, most_per_message: int = 1) -> list[Batch]:
    """Messages for the moments: one each, or many readings of a device that uploads now and then."""
    return packed(unit, moments, unit.measure(moments), most_per_message=most_per_message)


def packed(
    unit: Unit, moments: Sequence[schedule.Moment], groups: Sequence[Sequence[bytes]], *, most_per_message: int = 1
) -> list[Batch]:
    """The same for what has been measured already."""
    found: list[Batch] = []
    # One moment per message unless joining is asked for; a joined message leaves when its last reading is taken.
    packs = native.fitting(groups, most_per_message) if most_per_message > 1 else ([group] for group in groups)
    position = 0
    for pack in packs:
        first, last = moments[position], moments[position + len(pack) - 1]
        position += len(pack)
        entries = [entry for group in pack for entry in group]
        low, high = SENDING_MS
        sent = last.at_ms + low + noise.key(unit.device_id, last.at_ms, "sending") % (high - low)
        found.append(Batch(unit.device_id, first.at_ms, sent, b"[" + b",".join(entries) + b"]", len(entries)))
    return found


def units(
    devices: Sequence[world.Device],
    *,
    seed: int,
    spot_every_ms: int | None,
    continuous_every_ms: int,
    report: Callable[[str], None] = lambda _line: None,
) -> list[Unit]:
    """The devices of a world. report: told, in one line, about codes that cannot be simulated."""
    found = []
    for device in devices:
        person = device.person
        own = person.seed if person.seed is not None else seed
        every = spot_every_ms
        if device.is_continuous:
            every = int(device.interval_seconds * 1000) if device.interval_seconds else continuous_every_ms
        made = profile.build(
            person.key,
            own,
            age=person.age,
            sex=person.sex,
            pathway=person.pathway,
            zone=person.zone,
            calm=person.calm,
            usual=person.ranges,
        )
        unit = Unit(device, made, schedule.Cadence(own, every))
        unknown = sorted(set(device.codes) - set(unit.codes))
        if unknown:
            report(f"device {device.device_id}: not simulated: {', '.join(unknown)}")
        found.append(unit)
    return found
