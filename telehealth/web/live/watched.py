"""What the hub knows of one ward that somebody watches. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from telehealth.store.alerts import Alert
from telehealth.web.shown import boards, rows

Json = dict[str, Any]
What = Literal["raised", "changed", "closed"]


@dataclass
class Changes:
    """What is different from what was known."""

    rows: list[Json]
    removed: set[int]
    device_alerts: list[Json] | None
    #: Alerts that seem to have changed: to be loaded and told as events.
    alerts: set[int]
    #: How many readings of the ward wait for a person, if that is another number than before.
    held: int | None = None
    #: How many alerts were handled automatically of late, if that is another number than before.
    automatic: int | None = None

    def __bool__(self) -> bool:
        counts = (self.device_alerts, self.held, self.automatic)
        return bool(self.rows or self.removed or any(count is not None for count in counts))


@dataclass
class Watched:
    """A ward's rows and open alerts as last loaded."""

    ward: Json
    rows: dict[int, Json] = field(default_factory=dict)
    alerts: dict[int, Alert] = field(default_factory=dict)
    #: How many readings of the ward wait for a person.
    held: int = 0
    #: How many of its alerts were handled automatically of late.
    automatic: int = 0
    _device_alerts: list[Json] = field(default_factory=list)

    def board(self, now: datetime) -> Json:
        return boards.assemble(self.ward, list(self.rows.values()), list(self.alerts.values()), now)

    def alerts_of(self, resident_id: int) -> list[Json]:
        found = (alert for alert in self.alerts.values() if alert.resident_id == resident_id)
        return [rows.alert(alert) for alert in rows.by_urgency(found)]

    def begin(self, loaded: Sequence[Json], open_alerts: Sequence[Alert]) -> None:
        """Take the first load as known."""
        self.rows = {row["id"]: row for row in loaded}
        self.alerts = {alert.id: alert for alert in open_alerts}
        self._device_alerts = boards.device_alerts(open_alerts)

    def compare(self, loaded: Sequence[Json], open_alerts: Sequence[Alert], only: set[int] | None) -> Changes:
        """Take a later load as known, and say what it changed. only: the residents that were looked at; None: all."""
        changed = [row for row in loaded if _without_times(self.rows.get(row["id"])) != _without_times(row)]
        present = {row["id"] for row in loaded}
        looked_at = set(self.rows) if only is None else only & set(self.rows)
        removed = looked_at - present
        for row in loaded:
            self.rows[row["id"]] = row
        for resident_id in removed:
            del self.rows[resident_id]
        device_alerts = boards.device_alerts(open_alerts)
        device_changed = device_alerts != self._device_alerts
        self._device_alerts = device_alerts
        found = {alert.id: alert for alert in open_alerts}
        seem_changed = {i for i, alert in found.items() if self.alerts.get(i) != alert} | (
            set(self.alerts) - set(found)
        )
        return Changes(changed, removed, device_alerts if device_changed else None, seem_changed)

    def count(self, held: int) -> int | None:
        """Take a later count of what is held as known; None: it is as known."""
        known, self.held = self.held, held
        return None if held == known else held

    def count_automatic(self, automatic: int) -> int | None:
        """The same of what was handled automatically."""
        known, self.automatic = self.automatic, automatic
        return None if automatic == known else automatic

    def learn(self, alert: Alert) -> What | None:
        """Take the present state of an alert as known; what that means, or None if it is as known."""
        known = self.alerts.get(alert.id)
        if known == alert or (known is None and not alert.open):
            return None
        if not alert.open:
            del self.alerts[alert.id]
            return "closed"
        self.alerts[alert.id] = alert
        return "raised" if known is None else "changed"


def _without_times(row: Json | None) -> Json | None:
    """A row without what changes with the clock alone: the edges of its small chart."""
    if row is None or row["spark"] is None:
        return row
    spark = {key: value for key, value in row["spark"].items() if key not in ("from_ms", "to_ms")}
    return {**row, "spark": spark}
