"""What runs, as JSON for the control API."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from simulator import cast, clock, errors, kit, pace, publisher, ring
from simulator.homes import faults

#: Moments at which the truth is drawn, beside those at which something was measured.
GRID: Final = 96
MEASURED: Final = 1_000


def status(
    found: cast.Cast, sender: publisher.Publisher, now: datetime, phase: str, *, virtual: bool, going: pace.Pace
) -> dict[str, Any]:
    """In short."""
    totals = sender.totals
    return {
        "phase": phase,
        "now": clock.text(now),
        "virtual": virtual,
        "speed": going.speed if virtual else 1.0,
        "reached": going.reached if virtual else None,
        "devices": len(found.maker.device_ids),
        "connected": sender.connected,
        "messages": totals.taken,
        "readings": totals.readings,
        "deliveries": totals.deliveries,
        "settled": totals.settled,
        "unsettled": sender.unsettled,
        "refused": totals.refused,
        "residents": sorted({unit.person.key for unit in found.units}),
        "scenarios": found.running(),
        "faults": [fault.as_json() for fault in current(found.script.all(), now)],
        "troubles": sender.troubles,
    }


def homes(found: cast.Cast, sender: publisher.Publisher, messages: ring.Messages, now: datetime) -> dict[str, Any]:
    """Homes with their residents and devices."""
    made: dict[str, dict[str, Any]] = {}
    for unit in found.units:
        home = made.setdefault(unit.home, {"id": unit.home, "residents": {}, "devices": {}})
        person = home["residents"].setdefault(unit.person.key, _resident(unit, now))
        person["devices"].append(unit.device_id)
        device = home["devices"].setdefault(unit.device_id, _device(found, unit, sender, messages, now))
        device["residents"].append({"resident": unit.person.key, "subject": unit.subject})
    for home in made.values():
        everything = frozenset((f"home:{home['id']}",))
        home["residents"] = list(home["residents"].values())
        home["devices"] = list(home["devices"].values())
        home["faults"] = [fault.as_json() for fault in current(found.script.all(), now) if fault.target in everything]
    return {"now": clock.text(now), "homes": list(made.values())}


def truth(found: cast.Cast, resident: str, since: datetime, to: datetime) -> dict[str, Any]:
    """What was so, beside what was measured. Raises BadInput if there is no such resident."""
    units = [unit for unit in found.units if unit.person.key == resident]
    if not units:
        raise errors.BadInput("no resident of this name is simulated")
    low, high = clock.to_ms(since), clock.to_ms(to)
    samples = found.measured.samples(resident, low, high)
    grid = [low + (high - low) * step // GRID for step in range(GRID + 1)]
    codes = {}
    for code in dict.fromkeys(code for unit in units for code in unit.codes):
        shown = dict(samples.get(code, [])[-MEASURED:])
        at = sorted({*grid, *shown})
        codes[code] = {
            "at": [clock.text(clock.from_ms(moment)) for moment in at],
            "true": units[0].true_values(code, at),
            "measured": [shown.get(moment) for moment in at],
        }
    records = found.truth(None, to=to)
    ids = {fault.id for unit in units for fault in found.faults_of(unit)}
    return {
        "resident": resident,
        "from": clock.text(since),
        "to": clock.text(to),
        "codes": codes,
        "courses": [r for r in records if r["record"] == "course" and r["resident"] == resident],
        "overdue": [r for r in records if r["record"] == "overdue" and r["resident"] == resident],
        "faults": [
            fault.as_json()
            for fault in found.script.all()
            if fault.id in ids and fault.from_ms <= high and (fault.to_ms is None or fault.to_ms >= low)
        ],
    }


def current(every: Iterable[faults.Fault], now: datetime) -> list[faults.Fault]:
    """Those that are on."""
    at_ms = clock.to_ms(now)
    return [fault for fault in every if fault.active(at_ms)]


def _resident(unit: kit.Unit, now: datetime) -> dict[str, Any]:
    at_ms = clock.to_ms(now)
    profile = unit.profile
    return {
        "key": unit.person.key,
        "age": profile.age,
        "sex": profile.sex,
        "pathway": unit.person.pathway or profile.pathway,
        "devices": [],
        "courses": [
            {
                "id": course.id,
                "scenario": course.scenario.name,
                "title": course.scenario.title,
                "onset": clock.text(course.onset),
                "peak": None if course.peak is None else clock.text(course.peak),
                "phase": course.phase(at_ms),
            }
            for course in unit.courses
        ],
    }


def _device(
    found: cast.Cast, unit: kit.Unit, sender: publisher.Publisher, messages: ring.Messages, now: datetime
) -> dict[str, Any]:
    at_ms = clock.to_ms(now)
    device_id = unit.device_id
    battery, firmware = found.maker.state(device_id, at_ms)
    counts = sender.counts(device_id)
    waiting, lost = found.maker.waiting(device_id)
    error_ms = found.shown(device_id, at_ms) - at_ms
    return {
        "device_id": device_id,
        "kind": unit.kind.name,
        "title": unit.kind.title,
        "codes": list(unit.codes),
        "continuous": unit.device.is_continuous,
        "battery": battery,
        "firmware": firmware,
        "clock": {"shows": clock.text(clock.from_ms(at_ms + error_ms)), "error_seconds": error_ms / 1000},
        "connected": sender.is_connected(device_id),
        "trouble": sender.troubles.get(device_id),
        "residents": [],
        "faults": [fault.as_json() for fault in current(found.faults_of(unit), now)],
        "sent": counts.taken,
        "deliveries": counts.deliveries,
        "receipted": counts.settled,
        "refused": counts.refused,
        "reconnects": counts.reconnects,
        "unsettled": sender.unsettled_of(device_id),
        "waiting": waiting,
        "lost": lost,
        "last_message": messages.last(device_id),
    }
