"""An evaluator over a test's database, at a virtual time that the test moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from telehealth.alerting.evaluator import Evaluator
from telehealth.clock import ClinicalClock
from telehealth.store import alerts as alert_store
from telehealth.store import clock
from telehealth.store.db import Database
from tests.support import world
from tests.support.world import T0


@dataclass
class Service:
    """The evaluator as a test drives it."""

    database: Database
    clock: ClinicalClock
    evaluator: Evaluator

    async def at(self, moment: datetime) -> None:
        """It is now this moment; do everything that is due."""
        await clock.set_virtual(self.database, self.clock, moment)
        await self.evaluator.drain()

    async def minutes(self, number: float) -> None:
        await self.at(self.clock.now() + timedelta(minutes=number))

    async def alerts(self, of: world.Resident | None = None) -> list[alert_store.Alert]:
        """Alerts, first raised first."""
        async with self.database.transaction(world.ACTOR) as connection:
            found = await alert_store.page(connection, resident_id=of.id if of else None)
        return found[::-1]

    async def open(self, of: world.Resident) -> list[alert_store.Alert]:
        async with self.database.transaction(world.ACTOR) as connection:
            return await alert_store.open_of_resident(connection, of.id)

    async def events(self, alert_id: int) -> list[str]:
        async with self.database.transaction(world.ACTOR) as connection:
            return [event.event for event in (await alert_store.get(connection, alert_id)).events]

    async def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        async with self.database.transaction(world.ACTOR) as connection:
            return [tuple(row) for row in await connection.fetch(query, *arguments)]

    async def episodes(self, of: world.Resident | None = None) -> Sequence[tuple[Any, ...]]:
        """What the fold said, without ids."""
        return await self.rows(
            "SELECT resident_id, device_pk, rule, started_at, ended_at, peak_at, peak_value, priority,"
            " provisional, evidence::text FROM episode WHERE $1::bigint IS NULL OR resident_id = $1"
            " ORDER BY resident_id, device_pk, rule, started_at",
            of.id if of else None,
        )

    async def written(self, table: str) -> set[tuple[Any, ...]]:
        """Which row versions a table has: another one means that a row was written."""
        return set(await self.rows(f"SELECT ctid::text, xmin::text, xmax::text FROM {table}"))


@pytest.fixture
async def service(database: Database) -> Service:
    clinical = ClinicalClock()
    await clock.set_virtual(database, clinical, T0)
    return Service(database, clinical, Evaluator(database, clinical))
