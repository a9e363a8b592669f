"""The board of one ward as JSON, from one transaction. now is clinical time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from telehealth.store import alerts, board
from telehealth.store.db import Connection
from telehealth.web.shown import formats, rows
from telehealth.web.shown.rows import Json

#: How far back what was handled automatically is counted.
LATELY = timedelta(hours=24)
#: More open alerts than this on one ward are not listed one by one.
MOST_ALERTS = 5000


async def build(connection: Connection, ward_id: int, *, now: datetime) -> Json:
    """The whole board. NotFound if the actor may not see the ward."""
    ward = ward_json(await board.ward(connection, ward_id))
    open_alerts = await alerts.open_of_ward(connection, ward_id, limit=MOST_ALERTS)
    found = await rows_of(connection, ward_id, now=now, open_alerts=open_alerts)
    return assemble(ward, found, open_alerts, now)


async def automatic(connection: Connection, ward_id: int, *, now: datetime) -> int:
    """How many of the ward's alerts were handled automatically of late: cleared before anybody had to act."""
    return await alerts.handled_automatically(connection, ward_id, since=now - LATELY)


def assemble(ward: Json, found: Sequence[Json], open_alerts: Sequence[alerts.Alert], now: datetime) -> Json:
    """A board from its parts, worst first."""
    return {
        "ward": ward,
        "at": formats.iso(now),
        "columns": rows.columns(found),
        "rows": sorted(found, key=lambda one: (-one["worse"], one["sort_name"])),
        "device_alerts": device_alerts(open_alerts),
    }


async def rows_of(
    connection: Connection,
    ward_id: int,
    *,
    now: datetime,
    open_alerts: Sequence[alerts.Alert],
    only: Sequence[int] | None = None,
) -> list[Json]:
    """Rows of everybody on the ward, or of those of only who are. open_alerts: of the ward."""
    occupants = await board.occupants(connection, ward_id, now=now, alerts=open_alerts, only=only)
    codes = {one.resident["id"]: code for one in occupants if (code := rows.principal(one)) is not None}
    sparks = await board.sparks(connection, codes, now=now) if codes else {}
    return [rows.row(one, sparks.get(one.resident["id"], ()), now) for one in occupants]


def device_alerts(open_alerts: Sequence[alerts.Alert]) -> list[Json]:
    """Those about devices that are nobody's, worst first."""
    return [rows.alert(a) for a in rows.by_urgency(a for a in open_alerts if a.resident_id is None)]


def ward_json(ward: object) -> Json:
    """id, name, simulated, zone of a ward."""
    found = dict(ward)  # type: ignore[call-overload]  # an asyncpg.Record, whose stubs do not say that it is a mapping
    return {"id": found["id"], "name": found["name"], "simulated": found["simulated"], "zone": formats.ZONE}
