"""Truth and alerts made up in a few words: hours after a Monday's midnight."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.scoring import reading, score

Json = dict[str, Any]
START = datetime(2026, 3, 2, tzinfo=UTC)


def at(hours: float | None) -> str | None:
    if hours is None:
        return None
    return (START + timedelta(hours=hours)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stay(resident: str = "anna", start: float = 0, stop: float | None = 240, pathway: str | None = "copd") -> Json:
    return {"record": "resident", "resident": resident, "pathway": pathway, "from": at(start), "to": at(stop)}


def notice(by: float, codes: list[str] | None = None, priority: str = "medium", **other: Any) -> Json:
    return {"what": "it", "codes": codes, "priority": priority, "by": at(by), **other}


def course(
    *notices: Json, onset: float = 24, end: float | None = 96, resident: str = "anna", name: str = "c1", **other: Any
) -> Json:
    made = {"record": "course", "id": name, "resident": resident, "scenario": "ill", "onset": at(onset)}
    return {**made, "peak": at(onset + 24), "end": at(end), "notice": list(notices), "quiet": [], **other}


def overdue(due: float = 8, measured: float | None = None, code: str = "spo2", resident: str = "anna") -> Json:
    made = {"record": "overdue", "resident": resident, "code": code, "due_at": at(due), "measured_at": at(measured)}
    return {**made, "alarm_from": at(due + 2), "alarm_by": at(due + 3)}


def fault(start: float = 0, stop: float | None = 24, **other: Any) -> Json:
    made = {"record": "fault", "id": "f1", "kind": "motion", "resident": "anna", "device_id": None}
    span = {"from": at(start), "to": at(stop), "technical_by": None, "must_not_alarm": True}
    return {**made, **span, **other}


def alert(raised: float, name: str = "1", resident: str | None = "anna", **other: Any) -> Json:
    made = {"id": name, "resident": resident, "pathway": None, "rule": "threshold/spo2/low", "kind": "threshold"}
    about = {"codes": ["spo2"], "priority": "medium", "raised_at": at(raised), "cleared_at": None}
    return {**made, **about, "human": True, "handled_at": None, "category": "clinical", **other}


def listed(*alerts: Json, **other: Any) -> bytes:
    return json.dumps({"version": 1, "exported_at": at(240), "alerts": list(alerts), **other}).encode()


def lines(*records: Json) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records)


def scored(records: list[Json], alerts: list[Json], **other: Any) -> Json:
    return score.score(reading.truth_of(lines(*records)), reading.alerts_of(listed(*alerts, **other)))


def verdicts(found: Json) -> list[str]:
    return [one["verdict"] for one in found["alerts"]]
