"""Alerts as a list that others can judge: docs/schemas/alerts.json, read by `telehealth-sim score`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

VERSION = 1


@dataclass(frozen=True, slots=True)
class Listed:
    """One alert. priorities: since when it had which, rising."""

    id: str
    resident: str | None
    device_id: str | None
    pathway: str | None
    rule: str
    codes: Sequence[str]
    priority: str
    priorities: Sequence[tuple[str, datetime]]
    began_at: datetime | None
    raised_at: datetime
    cleared_at: datetime | None
    human: bool
    handled_at: datetime | None
    category: str

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "resident": self.resident,
            "device_id": self.device_id,
            "pathway": self.pathway,
            "rule": self.rule,
            "kind": self.rule.partition("/")[0],
            "codes": list(self.codes),
            "priority": self.priority,
            "priorities": [{"priority": priority, "at": instant(at)} for priority, at in self.priorities],
            "began_at": instant(self.began_at),
            "raised_at": instant(self.raised_at),
            "cleared_at": instant(self.cleared_at),
            "human": self.human,
            "handled_at": instant(self.handled_at),
            "category": self.category,
        }


def head(source: str, exported_at: datetime, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """Everything of the document but its alerts."""
    about = {"version": VERSION, "source": source, "exported_at": instant(exported_at)}
    return {**about, "from": instant(since), "to": instant(until)}


def document(source: str, exported_at: datetime, alerts: Iterable[Listed]) -> dict[str, Any]:
    """All of it."""
    return {**head(source, exported_at, None, None), "alerts": [alert.to_json() for alert in alerts]}


def instant(at: datetime | None) -> str | None:
    """2026-11-21T10:00:01.000Z"""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
