"""What really happened to measurements and devices: who missed what, and which faults there were."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from simulator import clock, kit, schedule, truth
from simulator.homes import faults
from simulator.homes.faults import Fault

#: An alert about a missing measure is in time until so long after the grace.
ALARM: Final = timedelta(minutes=15)
#: A technical alert is in time until so long after the fault's beginning.
_TECHNICAL: Final = {
    "low_battery": timedelta(hours=1),
    "stopped": timedelta(hours=25),
    "wifi_outage": timedelta(hours=25),
    "clock_unset": timedelta(hours=26),
}
#: Samples of one measure kept for pictures.
KEPT: Final = 5000


class Measured:
    """When what was really measured, and what was so then."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], list[int]] = {}
        self._samples: dict[tuple[str, str], list[tuple[int, object]]] = {}

    def watch(self, unit: kit.Unit, taken: Sequence[kit.Taken]) -> None:
        """To be told of everything that is measured."""
        for one in taken:
            for code, shown in one.shown.items():
                name = (unit.person.key, code)
                samples = self._samples.setdefault(name, [])
                samples.append((one.moment.at_ms, shown.value))
                if len(samples) > KEPT:
                    del samples[: KEPT // 2]
                if shown.value is not None:
                    bisect.insort(self._times.setdefault(name, []), one.moment.at_ms)

    def times(self, resident: str, code: str) -> list[int]:
        """When it was measured with success, ascending."""
        return self._times.get((resident, code), [])

    def samples(self, resident: str, after_ms: int, to_ms: int) -> dict[str, list[tuple[int, object]]]:
        """(when, what the device showed; None: it could not measure) by code."""
        found = {}
        for (key, code), samples in self._samples.items():
            if key == resident:
                found[code] = [sample for sample in samples if after_ms <= sample[0] <= to_ms]
        return found


def overdue(units: Iterable[kit.Unit], measured: Measured, start: datetime, to: datetime) -> Iterator[dict[str, Any]]:
    """Due measurements of [start, to] whose grace is over and that did not take place in time."""
    done: set[tuple[str, str]] = set()
    for unit in units:
        for code in unit.codes:
            if code in unit.person.schedule and (unit.person.key, code) not in done:
                done.add((unit.person.key, code))
                yield from _missed(unit, code, measured, clock.to_ms(start), clock.to_ms(to))


def _missed(unit: kit.Unit, code: str, measured: Measured, start: int, to: int) -> Iterator[dict[str, Any]]:
    person = unit.person
    entry = person.schedule[code]
    grace = int(entry.grace_minutes * 60_000)
    early = None if entry.early_minutes is None else int(entry.early_minutes * 60_000)
    due = [at for at, _, _ in schedule.due(person, (code,), start - 2 * 24 * faults.HOUR_MS, to)]
    times = measured.times(person.key, code)
    for place in range(1, len(due)):
        at = due[place]
        counts_from = at - early if early is not None else (due[place - 1] + at) // 2
        if counts_from < start or at + grace > to:
            continue
        first = bisect.bisect_left(times, counts_from)
        if first < len(times) and times[first] <= at + grace:
            continue
        after = times[first] if first < len(times) and times[first] <= to else None
        following = due[place + 1] if place + 1 < len(due) else None
        late = after if after is not None and (following is None or after < (at + following) // 2) else None
        begin = clock.from_ms(at + grace)
        measured_at = None if late is None else clock.from_ms(late)
        yield truth.overdue(person.key, code, clock.from_ms(at), begin, begin + ALARM, measured_at)


def of_faults(found: Iterable[Fault], units: Sequence[kit.Unit]) -> Iterator[dict[str, Any]]:
    """A record of each fault; one of several residents is a record of each."""
    for fault in found:
        place, _, name = fault.target.partition(":")
        touched = [unit for unit in units if fault.target in unit.targets]
        residents = list(dict.fromkeys(unit.person.key for unit in touched))
        for resident in residents:
            yield truth.fault(
                fault.id if len(residents) == 1 else f"{fault.id}/{resident}",
                fault.kind,
                resident,
                name if place == "device" else None,
                clock.from_ms(fault.from_ms),
                None if fault.to_ms is None else clock.from_ms(fault.to_ms),
                _technical_by(fault),
            )


def _technical_by(fault: Fault) -> datetime | None:
    within = _TECHNICAL.get(fault.kind)
    if within is None or (fault.kind == "low_battery" and fault.number("charge") >= 0.175):
        return None
    by = clock.from_ms(fault.from_ms) + within
    if fault.to_ms is not None and clock.to_ms(by) >= fault.to_ms:
        return None
    return by
