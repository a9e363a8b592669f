"""Who and what is simulated, and the script: who is ill, what is broken, since when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from simulator import clock, errors, happened, kit, making, outbox, scenario, truth
from simulator.homes import catalogue, clocks, faults, script

#: What happens in a world whose file does not say: (scenario, hours since onset at the start, pathways it suits).
USUAL = (
    ("copd_exacerbation_fast", 30.0, ("copd",)),
    ("sepsis_chest", 16.0, ("post_acute_infection", "frailty", "heart_failure")),
)
USUAL_SILENCE_HOURS = 26.0
_NOTE = "script"


class Cast:
    """Everybody who is simulated, with the script of what befalls them. Changed between steps only."""

    def __init__(self, units: Sequence[kit.Unit], seed: int, start: datetime) -> None:
        self.units = list(units)
        self.seed = seed
        self.start = start
        self.script = script.Script()
        self.maker = making.Maker(self.units, self.script, clock.to_ms(start))
        self.measured = happened.Measured()
        self.maker.watchers.append(self.measured.watch)
        self.targets = frozenset(target for unit in self.units for target in unit.targets)
        #: Courses that were taken away, with when.
        self._ended: list[tuple[scenario.Course, str, datetime]] = []
        self._live = 0
        self._first = {unit.device_id: unit for unit in reversed(self.units)}

    def shown(self, device_id: str, at_ms: int) -> int:
        """What a device's clock shows at a true time."""
        unit = self._first.get(device_id)
        return at_ms if unit is None else clocks.shown(self.script.of(unit.targets, "clock"), at_ms)

    # Illness

    def begin(self, resident: str, found: scenario.Scenario, onset: datetime) -> scenario.Course:
        """Starts a scenario in one resident, beside what runs already. Raises BadInput if there is no such one."""
        touched = self._of(resident)
        first = touched[0]
        course = scenario.begin(found, onset, first.person.key, first.profile.seed)
        for unit in touched:
            unit.courses = (*(one for one in unit.courses if one.id != course.id), course)
        for fault in course.faults(first.person.key):
            self.script.add(fault)
        return course

    def end(self, resident: str, at: datetime) -> None:
        """Takes all illness away from one resident. Raises BadInput."""
        touched = self._of(resident)
        for course in touched[0].courses:
            self._ended.append((course, touched[0].person.key, at))
            for fault in course.faults(touched[0].person.key):
                self.script.end(fault.id, clock.to_ms(at))
        for unit in touched:
            unit.courses = ()

    def _of(self, resident: str) -> list[kit.Unit]:
        named = [u for u in self.units if resident in (u.person.key, u.device.nhs_number, u.device_id)]
        if not named:
            raise errors.BadInput("no resident of this name is simulated")
        return [unit for unit in self.units if unit.person.key == named[0].person.key]

    # Faults

    def add(self, fault: faults.Fault) -> faults.Fault:
        """Puts a fault into the script, with whoever else it needs. Raises BadInput."""
        if fault.kind == "swapped":
            other = self._other(fault, "with", same=True)
            fault = replace(fault, parameters={**fault.parameters, "with": other})
            back = {**fault.parameters, "with": fault.target.partition(":")[2]}
            mirrored = replace(fault, id=f"{fault.id}/other", target=f"device:{other}", parameters=back)
            self.script.add(mirrored)
        if fault.kind == "forged_topic":
            # The victim may be a device that is not simulated here.
            victim = fault.word("victim") or self._other(fault, "victim", same=False)
            fault = replace(fault, parameters={**fault.parameters, "victim": victim})
        self.script.add(fault)
        return fault

    def press(self, kind: str, target: str, at: datetime, minutes: float | None, given: dict[str, Any]) -> faults.Fault:
        """A fault switched on now, live; minutes None: until end_fault()."""
        self._live += 1
        now_ms = clock.to_ms(at)
        to_ms = None if minutes is None else now_ms + int(minutes * 60_000)
        name = f"live/{self._live}"
        return self.add(faults.made(name, kind, target, self.targets, now_ms, to_ms, given))

    def end_fault(self, name: str, at: datetime) -> faults.Fault:
        """Over from now on. Raises BadInput."""
        at_ms = clock.to_ms(at)
        ended = self.script.end(name, at_ms)
        if any(one.id == f"{name}/other" for one in self.script.all()):
            self.script.end(f"{name}/other", at_ms)
        return ended

    def faults_of(self, unit: kit.Unit) -> list[faults.Fault]:
        return [fault for fault in self.script.all() if fault.target in unit.targets]

    def _other(self, fault: faults.Fault, name: str, *, same: bool) -> str:
        """The device named by a parameter, else the next one (of the same kind)."""
        own = fault.target.partition(":")[2]
        wanted = str(fault.parameters.get(name, ""))
        everyone = {unit.device_id: unit for unit in self.units}
        if wanted and wanted in everyone and wanted != own:
            return wanted
        if wanted:
            raise errors.BadInput(f"fault {fault.kind}: {name} must be another device that is simulated")
        order = list(everyone)
        place = order.index(own)
        for device_id in order[place + 1 :] + order[:place]:
            unit = everyone[device_id]
            alike = unit.kind == everyone[own].kind and unit.person.key != everyone[own].person.key
            if alike or not same:
                return device_id
        raise errors.BadInput(f"fault {fault.kind}: there is no other device of this kind")

    # The world's own script

    def assign(self, at: datetime) -> None:
        """Illness and silence as of a time, as the file of devices has them; in a file without any, the usual ones."""
        told = any(u.person.scenario or u.person.silent_hours_ago is not None for u in self.units)
        seen: set[str] = set()
        for unit in self.units:
            person = unit.person
            if person.key in seen:
                continue
            seen.add(person.key)
            if person.scenario is not None:
                onset = at - timedelta(hours=person.scenario.onset_hours_ago)
                self.begin(person.key, scenario.load(person.scenario.name), onset)
            if person.silent_hours_ago is not None:
                self._silence(f"resident:{person.key}", at, person.silent_hours_ago)
        if not told:
            self._usual(at)

    def _silence(self, target: str, at: datetime, hours: float) -> None:
        since = clock.to_ms(at - timedelta(hours=hours))
        self.script.add(faults.Fault(f"world/{target}", "stopped", target, since))

    def _usual(self, at: datetime) -> None:
        """Two ill residents and a silent device, never among those who are to stay calm."""
        free = [unit for unit in self.units if not unit.profile.calm]
        taken: set[str] = set()
        for name, hours, pathways in USUAL:
            suited = [u.person.key for u in free if u.profile.pathway in pathways and u.person.key not in taken]
            # The last of its kind: lists begin with those that people try things on.
            if len({u.person.key for u in self.units}) >= 6 and suited:
                taken.add(suited[-1])
                self.begin(suited[-1], scenario.load(name), at - timedelta(hours=hours))
        quiet = [u for u in free if u.person.key not in taken and not u.device.is_continuous and u.subject is None]
        if len(quiet) >= 4:
            self._silence(f"device:{quiet[-1].device_id}", at, USUAL_SILENCE_HOURS)

    # Across restarts

    def keep(self, journal: outbox.Outbox) -> None:
        """Keeps the script in the journal, so that a restart goes on with it."""
        ill = {unit.person.key: [course.as_json() for course in unit.courses] for unit in self.units if unit.courses}
        found = [msgspec.to_builtins(fault) for fault in self.script.all()]
        journal.note(_NOTE, {"ill": ill, "faults": found, "live": self._live})

    def restore(self, journal: outbox.Outbox) -> bool:
        """Goes on with what an earlier run kept; False if there is nothing."""
        kept: dict[str, Any] | None = journal.noted(_NOTE)
        if kept is None:
            return False
        for unit in self.units:
            unit.courses = tuple(scenario.from_json(one) for one in kept["ill"].get(unit.person.key, ()))
        for one in kept["faults"]:
            fault = msgspec.convert(one, faults.Fault)
            if fault.kind in catalogue.KINDS and fault.target in self.targets:
                self.script.add(fault)
        self._live = kept["live"]
        return True

    # What is true

    def running(self) -> list[dict[str, Any]]:
        """The truth's records of the courses that were not taken away."""
        people = {unit.person.key: unit for unit in self.units}
        return [
            truth.course(course, key, unit.person.pathway or unit.profile.pathway)
            for key, unit in people.items()
            for course in unit.courses
        ]

    def truth(self, end: datetime | None, *, to: datetime) -> list[dict[str, Any]]:
        """All records so far. end: of the run, None while it runs; to: up to when due measurements are judged."""
        people = list({unit.person.key: unit for unit in self.units}.values())
        courses = [(course, unit.person.key, None) for unit in people for course in unit.courses]
        every = [*courses, *self._ended]
        pathways = {unit.person.key: unit.person.pathway or unit.profile.pathway for unit in people}
        records = [truth.run(self.seed, self.start, end, [course.scenario.name for course, _, _ in every])]
        records += [truth.resident(key, pathways[key], self.start, end) for key in pathways]
        records += [
            truth.course(course, key, pathways[key], ended=ended, number=number)
            for number, (course, key, ended) in enumerate(every, 1)
        ]
        records += happened.overdue(self.units, self.measured, self.start, to)
        records += happened.of_faults((f for f in self.script.all() if f.from_ms < clock.to_ms(to)), self.units)
        return records


def lines(records: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)
