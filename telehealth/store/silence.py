"""Silence of residents, explained by what is known of their devices: beside the alert, never part of the episode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from alerts import schedule
from telehealth.model import silence
from telehealth.model.silence import Arrival, Known
from telehealth.store import alerts as alert_store
from telehealth.store.db import Connection
from telehealth.store.queries import sql

PREFIX = "silence/"
#: What came late is news of a device for so long.
_SENDING = timedelta(minutes=15)


async def of_devices(connection: Connection, device_pks: Sequence[int], now: datetime) -> list[int]:
    """Residents who have any of these devices."""
    rows = await connection.fetch(sql("silence.residents_of_devices"), list(device_pks), now)
    return sorted(row["resident_id"] for row in rows)


async def explain(connection: Connection, resident_ids: Iterable[int], *, now: datetime) -> int:
    """Say of each missing measure why, as it is now; how many alerts say something else than before. now: clinical."""
    ids = sorted(set(resident_ids))
    open_ones = await connection.fetch(sql("silence.alerts"), ids) if ids else []
    if not open_ones:
        return 0
    whose = sorted({row["resident_id"] for row in open_ones})
    devices: dict[int, list[Known]] = {}
    for row in await connection.fetch(sql("silence.devices"), whose, now):
        devices.setdefault(row["resident_id"], []).append(_known(row))
    arrivals: dict[int, list[Arrival]] = {}
    for row in await connection.fetch(sql("silence.arrivals"), whose, now - _SENDING):
        found = Arrival(row["code"], row["effective_at"], row["received_at"])
        arrivals.setdefault(row["resident_id"], []).append(found)
    changed = []
    for row in open_ones:
        resident_id, evidence = row["resident_id"], row["evidence"]
        cause = silence.cause(
            row["rule"].removeprefix(PREFIX),
            datetime.fromisoformat(evidence["due"]),
            devices.get(resident_id, ()),
            arrivals.get(resident_id, ()),
            now,
            schedule.zone_named(row["zone"]),
        )
        before = evidence.get("cause") or {}
        reason = f"{evidence['reason']}; {cause.text}"
        if (before.get("key"), row["reason"]) != (cause.key, reason):
            changed.append((row, {"id": row["id"], "reason": reason, "cause": cause.to_json()}))
    if changed:
        await connection.execute(sql("silence.explain"), [new for _, new in changed])
        payload = alert_store.changes(
            residents=[row["resident_id"] for row, _ in changed],
            alerts=[row["id"] for row, _ in changed],
            wards=[row["ward_id"] for row, _ in changed],
        )
        await connection.execute(sql("alerts.notify"), payload)
    return len(changed)


def _known(row: Any) -> Known:
    status = row["status"] if isinstance(row["status"], dict) else {}
    return Known(row["device_id"], tuple(row["codes"]), row["seen_at"], status.get("online"), row["status_at"])
