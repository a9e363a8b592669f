"""A care home's shared kit, two residents who use it, and an evaluator, at a virtual time that the test moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from telehealth.model.attribution import Seat
from telehealth.store import db, devices, residents, seats
from telehealth.store.db import Actor, Database
from tests.integration.alerting.conftest import Service, service  # noqa: F401  # a fixture
from tests.integration.ingest.wards import delivery, envelope, rfc3339, take
from tests.support import world
from tests.support.world import T0

#: Everything happens after this.
START = T0 + timedelta(hours=1)


@dataclass
class Home:
    """anna is "A" and user 1 of the kit, bert is "B" and user 2. nurse belongs to their ward."""

    service: Service
    ward: world.Ward
    kit: world.Device
    anna: world.Resident
    bert: world.Resident
    nurse: Actor
    seq: int = 0

    @property
    def database(self) -> Database:
        return self.service.database

    async def say(self, *readings: dict[str, Any], received_at: datetime | None = None, **envelope_: Any) -> None:
        """The kit sends a message, which is taken in now."""
        now = received_at or self.service.clock.now()
        self.seq += 1
        more: dict[str, Any] = {"seq": self.seq, "sent_at": rfc3339(now)} | envelope_
        payload = envelope(*readings, **more)
        await take(self.database, delivery(self.kit.device_id, payload, received_at=now), now=now)

    async def seat(self, label: str, whose: world.Resident, *, since: datetime, kind: Any = "subject") -> None:
        async with self.database.transaction(world.ACTOR) as connection:
            await seats.seat(
                connection,
                await devices.find(connection, self.kit.device_id),
                Seat(kind, label),
                await residents.find(connection, whose.nhs_number),
                since=since,
                actor=world.ACTOR,
                now=self.service.clock.now(),
            )

    async def whose(self) -> Sequence[tuple[Any, ...]]:
        """(value, resident, marks) of every reading, by time."""
        return await self.service.rows(
            "SELECT value, resident_id, coalesce(marks, '{}') FROM reading ORDER BY taken_at, value_key"
        )


@pytest.fixture
async def home(service: Service) -> Home:  # noqa: F811  # the fixture of that name
    database = service.database
    ward = await world.ward(database)
    weighed: dict[str, Any] = {"red_low": None, "amber_low": None, "amber_high": 150.0, "red_high": 160.0, "unit": "kg"}
    rules = world.rule_set(world.threshold(), world.threshold("weight", **weighed))
    anna, bert = [await world.resident(database, ward, rules=rules) for _ in range(2)]
    kit = await world.device(database, ward)
    nurse = db.staff(await world.staff(database, ward))
    found = Home(service, ward, kit, anna, bert, nurse)
    await service.at(START)
    async with database.transaction(world.ACTOR) as connection:
        device = await devices.find(connection, kit.device_id)
        at = T0 - timedelta(days=40)
        await seats.share(connection, device, shared=True, at=at, actor=world.ACTOR, now=T0)
    for label, whose in (("A", anna), ("B", bert)):
        await found.seat(label, whose, since=at)
    for label, whose in (("1", anna), ("2", bert)):
        await found.seat(label, whose, since=at, kind="slot")
    return found


def reading(value: float, at: datetime, code: str = "spo2", unit: str = "%", **more: Any) -> dict[str, Any]:
    return {"code": code, "value": value, "unit": unit, "taken_at": rfc3339(at)} | more
