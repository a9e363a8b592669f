"""Readings that may be somebody else's: far from what is usual for their resident.

They are marked, never refused, and count for every rule as any other. Only weight is judged: a person's weight
does not change by so much in four weeks without being looked at anyway, while a blood pressure or a pulse may. The
limits are our own judgement and need local approval (docs/attribution.md). A pure function of the readings there
are: a late one, or one moved by staff, is judged with all that follow it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from telehealth.store.db import Connection
from telehealth.store.evaluation import Taken
from telehealth.store.queries import sql

#: What is usual is the median of so long before, of at least three readings on three days.
BEFORE = timedelta(days=28)
#: Further from it than both is remarkable: kilograms, and part of the usual weight.
KILOGRAMS = 8.0
PART = 0.10

#: Causes of evaluation after which weights may look otherwise; ingest says which readings are weights.
_CAUSES = frozenset({"weighed", "clock", "attribution", "repair", "strike", "conflict"})


async def judge(connection: Connection, taken: Taken, *, now: datetime) -> None:
    """Mark the weights of residents who are being evaluated, where what is due may have changed them."""
    since = {
        resident_id: taken.earliest(resident_id)
        for resident_id in taken.subjects
        if any(work.cause in _CAUSES for work in taken.work[resident_id])
    }
    await of_residents(connection, since, now=now)


async def of_residents(connection: Connection, since: Mapping[int, datetime], *, now: datetime) -> None:
    """Mark the weights of residents from a clinical time on. Call it where nobody else evaluates them."""
    if since:
        columns: Sequence[object] = (list(since), list(since.values()))
        await connection.execute(sql("plausibility.judge"), *columns, BEFORE, KILOGRAMS, PART, now)
