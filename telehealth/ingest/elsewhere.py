"""Whether readings are taken in, as a process without that role sees it: its boards must not look live if not."""

from __future__ import annotations

import asyncio

from telehealth.ingest import places
from telehealth.model.health import Health
from telehealth.store import db, leases, outage
from telehealth.store.db import Database

_ACTOR = db.service("ingest")
_EVERY_SECONDS = 2.0


async def watch(database: Database, health: Health) -> None:
    """Keep the part "ingest" of this process's health in step with the other processes' leases, until cancelled."""
    while True:
        try:
            async with asyncio.timeout(_EVERY_SECONDS), database.transaction(_ACTOR, read_only=True) as connection:
                trouble = (await leases.state(connection, places.WORK)).trouble()
        except Exception as error:
            # Whatever it is, it is shown, and asked again.
            trouble = outage.sentence(error)
        if trouble is None:
            health.good("ingest")
        else:
            health.bad("ingest", trouble)
        await asyncio.sleep(_EVERY_SECONDS)
