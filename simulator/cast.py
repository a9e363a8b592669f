"""Who in a world is ill, since when, and whose devices are silent: the script of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from simulator import clock, errors, kit, outbox, scenario

#: What happens in a world whose file does not say: (scenario, hours since onset at the start, pathways it suits).
USUAL = (
    ("copd_exacerbation", 40.0, ("copd",)),
    ("sepsis", 16.0, ("post_acute_infection", "frailty", "heart_failure")),
)
USUAL_SILENCE_HOURS = 26.0
_NOTE = "courses"


def assign(units: Sequence[kit.Unit], journal: outbox.Outbox, at: datetime) -> None:
    """Sets illnesses and silence of a world about to be fed; at: when feeding began, for hours ago.

    What an earlier run of the same journal began goes on from where it was.
    """
    kept: dict[str, Any] | None = journal.noted(_NOTE)
    if kept is not None:
        for unit in units:
            entry = kept["ill"].get(unit.profile.key)
            if entry is not None:
                unit.course = scenario.Course(scenario.load(entry[0]), clock.from_ms(entry[1]))
            unit.silent_from_ms = kept["silent"].get(unit.device_id)
        return
    told = any(unit.device.person.scenario or unit.device.person.silent_hours_ago is not None for unit in units)
    for unit in units:
        person = unit.device.person
        if person.scenario is not None:
            onset = at - timedelta(hours=person.scenario.onset_hours_ago)
            unit.course = scenario.Course(scenario.load(person.scenario.name), onset)
        if person.silent_hours_ago is not None:
            unit.silent_from_ms = clock.to_ms(at - timedelta(hours=person.silent_hours_ago))
    if not told:
        _usual(units, at)
    keep(units, journal)


def begin(units: Sequence[kit.Unit], resident: str, course: scenario.Course | None) -> list[kit.Unit]:
    """Starts a scenario in one resident, or ends it (None). Raises BadInput if there is no such resident."""
    touched = [unit for unit in units if resident in (unit.profile.key, unit.device.nhs_number, unit.device_id)]
    if not touched:
        raise errors.BadInput("no resident of this name is simulated")
    keys = {unit.profile.key for unit in touched}
    touched = [unit for unit in units if unit.profile.key in keys]
    for unit in touched:
        unit.course = course
    return touched


def keep(units: Sequence[kit.Unit], journal: outbox.Outbox) -> None:
    """Keeps the script in the journal, so that a restart goes on with it."""
    ill = {u.profile.key: (u.course.scenario.name, clock.to_ms(u.course.onset)) for u in units if u.course}
    silent = {unit.device_id: unit.silent_from_ms for unit in units if unit.silent_from_ms is not None}
    journal.note(_NOTE, {"ill": ill, "silent": silent})


def truth(units: Sequence[kit.Unit]) -> list[dict[str, Any]]:
    """One record per ill resident: scenario, onset, peak."""
    records: dict[str, dict[str, Any]] = {}
    for unit in units:
        if unit.course is not None and unit.course.scenario.eventful:
            key = unit.profile.key
            record = records.setdefault(
                key,
                {
                    "resident": key,
                    "scenario": unit.course.scenario.name,
                    "seed": unit.profile.seed,
                    "onset": clock.text(unit.course.onset),
                    "peak": clock.text(unit.course.peak or unit.course.onset),
                    "devices": [],
                },
            )
            record["devices"].append(unit.device_id)
    return list(records.values())


def write_truth(path: str, units: Sequence[kit.Unit]) -> None:
    """Raises BadInput where the file cannot be written."""
    try:
        Path(path).write_text(json.dumps(truth(units), indent=2) + "\n", "utf-8")
    except OSError as error:
        raise errors.BadInput(f"cannot write {path}: {error.strerror}") from None


def _usual(units: Sequence[kit.Unit], at: datetime) -> None:
    """Two ill residents and a silent device, never among those who are to stay calm."""
    free = [unit for unit in units if not unit.profile.calm]
    taken: set[str] = set()
    for name, hours, pathways in USUAL:
        suited = [u.profile.key for u in free if u.profile.pathway in pathways and u.profile.key not in taken]
        # The last of its kind: lists begin with those that people try things on.
        if len({u.profile.key for u in units}) >= 6 and suited:
            taken.add(suited[-1])
            begin(units, suited[-1], scenario.Course(scenario.load(name), at - timedelta(hours=hours)))
    quiet = [unit for unit in free if unit.profile.key not in taken and not unit.device.is_continuous]
    if len(quiet) >= 4:
        quiet[-1].silent_from_ms = clock.to_ms(at - timedelta(hours=USUAL_SILENCE_HOURS))
