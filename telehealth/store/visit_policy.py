"""What a ward has decided about its visits: chat, recording, reminders. Decided by operators."""

from __future__ import annotations

from datetime import datetime

from telehealth.errors import Invalid, NotFound
from telehealth.model import visits
from telehealth.store import audit, visit_view
from telehealth.store.db import Actor, Connection
from telehealth.store.queries import sql


async def of_ward(connection: Connection, ward_id: int) -> visits.Policy:
    """A ward's policy; the defaults while it has none."""
    return visit_view.policy_of(await connection.fetchrow(sql("visit_policy.of_ward"), ward_id))


async def set_for(connection: Connection, ward_id: int, policy: visits.Policy, *, actor: Actor, now: datetime) -> None:
    """Decide anew, for visits from now on. Raises Invalid, NotFound."""
    if not 1 <= policy.keep_recording_days <= 3650:
        raise Invalid("keep_recording_days", "must be 1 to 3650")
    hours = sorted(set(policy.reminder_hours), reverse=True)
    if len(hours) > 5 or any(not 1 <= one <= 24 * 14 for one in hours):
        raise Invalid("reminder_hours", "must be at most five, each 1 to 336 hours before")
    done = await connection.fetchval(
        sql("visit_policy.set"),
        ward_id,
        policy.keep_chat,
        policy.recording,
        policy.keep_recording_days,
        hours,
        actor,
        now,
    )
    if done is None:
        raise NotFound("no such ward: see `telehealth ward list`")
    await audit.write(
        connection, actor, "visit.policy", object_kind="ward", object_id=ward_id, ward_id=ward_id,
        detail={"keep_chat": policy.keep_chat, "recording": policy.recording,
                "keep_recording_days": policy.keep_recording_days, "reminder_hours": hours},
    )  # fmt: skip
