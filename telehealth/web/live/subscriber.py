"""One browser connection: what it sees, and what waits to be sent to it. No IO.

State (rows) is conflated: the newest row of a resident replaces one that is still waiting. Events
(alerts) are never dropped: a connection that cannot keep up with them is closed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from telehealth.web.auth import Caller
from telehealth.web.live.watched import Changes

Json = dict[str, Any]

#: Close codes, as in templates/CONTEXT.md.
NO_ACK = 4000
TOO_SLOW = 4008
SESSION_OVER = 4401
REFUSED = 4403
GOING_AWAY = 1001

MOST_EVENTS = 1000


@dataclass
class _Waiting:
    """What changed on one ward since the last message about it."""

    rows: dict[int, Json] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    device_alerts: list[Json] | None = None
    held: int | None = None
    automatic: int | None = None


@dataclass(eq=False)
class Subscriber:
    """wards: seen whole. residents: resident id -> ward id, seen singly."""

    caller: Caller
    joined_at: float
    wards: set[int] = field(default_factory=set)
    residents: dict[int, int] = field(default_factory=dict)
    close_code: int | None = None

    def __post_init__(self) -> None:
        self.acked_at = self.joined_at
        self._first: list[Json] = []
        self._events: list[Json] = []
        self._wards: dict[int, _Waiting] = {}
        self._residents: dict[int, Json] = {}
        self._tick: Json | None = None
        self._wake = asyncio.Event()

    def watches(self, ward_id: int) -> bool:
        return ward_id in self.wards or ward_id in self.residents.values()

    def whole(self, message: Json) -> None:
        """A snapshot or another answer; whatever waits for the same ward is older and goes."""
        if message["t"] == "snap" and "ward" in message:
            self._wards.pop(message["ward"], None)
        if len(self._first) >= MOST_EVENTS:
            self.close(TOO_SLOW)
            return
        self._first.append(message)
        self._wake.set()

    def event(self, message: Json) -> None:
        if len(self._events) >= MOST_EVENTS:
            self.close(TOO_SLOW)
            return
        self._events.append(message)
        self._wake.set()

    def rows(self, ward_id: int, changes: Changes) -> None:
        """What changed on a ward that is seen whole."""
        waiting = self._wards.setdefault(ward_id, _Waiting())
        for row in changes.rows:
            waiting.rows[row["id"]] = row
            waiting.removed.discard(row["id"])
        for resident_id in changes.removed:
            waiting.rows.pop(resident_id, None)
            waiting.removed.add(resident_id)
        if changes.device_alerts is not None:
            waiting.device_alerts = changes.device_alerts
        if changes.held is not None:
            waiting.held = changes.held
        if changes.automatic is not None:
            waiting.automatic = changes.automatic
        self._wake.set()

    def resident(self, resident_id: int, row: Json | None, alerts: list[Json]) -> None:
        """One resident who is seen singly."""
        self._residents[resident_id] = {"t": "d", "resident": resident_id, "row": row, "alerts": alerts}
        self._wake.set()

    def tick(self, message: Json) -> None:
        self._tick = message
        self._wake.set()

    def close(self, code: int) -> None:
        """The writer closes with this code; the first reason counts."""
        if self.close_code is None:
            self.close_code = code
        self._wake.set()

    async def wait(self) -> None:
        """Until there is something to send, or to close for."""
        await self._wake.wait()
        self._wake.clear()

    def take(self, seq: int, at: str | None) -> list[Json]:
        """Everything that waits, in the order in which to send it. seq: of the hub, now."""
        messages = [*self._first, *self._events]
        for ward_id, waiting in self._wards.items():
            message: Json = {
                "t": "d",
                "seq": seq,
                "ward": ward_id,
                "at": at,
                "rows": list(waiting.rows.values()),
                "removed": sorted(waiting.removed),
            }
            if waiting.device_alerts is not None:
                message["device_alerts"] = waiting.device_alerts
            if waiting.held is not None:
                message["held"] = waiting.held
            if waiting.automatic is not None:
                message["automatic"] = waiting.automatic
            messages.append(message)
        messages += [{**message, "seq": seq, "at": at} for message in self._residents.values()]
        if self._tick is not None:
            messages.append({**self._tick, "seq": seq})
        self._first, self._events = [], []
        self._wards, self._residents, self._tick = {}, {}, None
        return messages
