"""What the demo's nurses did during the two weeks before: old alerts that have cleared are dealt with.

Without it everything that ever happened would still wait for somebody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from telehealth.demo import nurses
from telehealth.store import alerts, db
from telehealth.store.db import Database

#: What cleared more recently is left for whoever tries the demo.
_LEFT = timedelta(hours=12)
_SEEN_AFTER = timedelta(minutes=25)


async def walk(database: Database, now: datetime) -> int:
    """Resolve what has been over for half a day, each as a nurse of the ward; returns how many alerts."""
    resolved = 0
    for staff_id, ward_ids in await nurses.on_wards(database, now):
        actor = db.staff(staff_id)
        async with database.transaction(actor) as connection:
            for ward_id in ward_ids:
                for alert in await alerts.open_of_ward(connection, ward_id):
                    if alert.condition != "cleared" or alert.changed_at > now - _LEFT:
                        continue
                    outcome = "no_action_needed" if alert.rule.startswith("silence/") else "action_taken"
                    note = "Rang, all well" if outcome == "no_action_needed" else None
                    at = alert.changed_at + _SEEN_AFTER
                    resolved += await alerts.resolve(
                        connection, alert.id, actor=actor, outcome=outcome, now=at, note=note
                    )
    return resolved
