"""What people do about alerts, and that the columns always say what the events say."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from alerts import lifecycle
from telehealth.errors import Conflict, Invalid, NotFound
from telehealth.store import alerts, db
from tests.integration.alerting.conftest import Service
from tests.support import world
from tests.support.world import T0, spo2

MINUTE = timedelta(minutes=1)


async def _alert(service: Service) -> tuple[world.Ward, world.Resident, alerts.Alert]:
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(84, T0))
    await service.at(T0)
    [alert] = await service.alerts(resident)
    return ward, resident, alert


async def test_acknowledge(service: Service) -> None:
    """Who, when and why are kept; a double click adds nothing; a colleague is told that it is taken."""
    ward, _, alert = await _alert(service)
    one, other = [db.staff(await world.staff(service.database, ward)) for _ in range(2)]
    async with service.database.transaction(one) as connection:
        assert await alerts.acknowledge(connection, alert.id, actor=one, now=T0 + MINUTE, note="  rang her ")
    async with service.database.transaction(one) as connection:
        assert not await alerts.acknowledge(connection, alert.id, actor=one, now=T0 + 2 * MINUTE)
    with pytest.raises(Conflict):
        async with service.database.transaction(other) as connection:
            await alerts.acknowledge(connection, alert.id, actor=other, now=T0 + 2 * MINUTE)
    async with service.database.transaction(other) as connection:
        detail = await alerts.get(connection, alert.id)
        (listed,) = await alerts.open_of_ward(connection, ward.id)
    assert (detail.alert.handling, detail.alert.open, detail.alert.changed_at) == ("acknowledged", True, T0 + MINUTE)
    raised, acknowledged = detail.events
    assert (raised.event, raised.actor_name) == ("raised", None)
    assert (acknowledged.actor, acknowledged.note, acknowledged.at) == (one, "rang her", T0 + MINUTE)
    assert acknowledged.actor_name is not None
    assert len(detail.episodes) == 1
    assert (listed.id, listed.handling, listed.priority) == (alert.id, "acknowledged", "high")


async def test_resolve(service: Service) -> None:
    """With one of the outcomes; once; an alert whose condition holds stays open until it clears."""
    ward, resident, alert = await _alert(service)
    nurse = db.staff(await world.staff(service.database, ward))
    with pytest.raises(Invalid, match="outcome"):
        async with service.database.transaction(nurse) as connection:
            await alerts.resolve(connection, alert.id, actor=nurse, outcome="whatever", now=T0)
    with pytest.raises(Invalid, match="note"):
        async with service.database.transaction(nurse) as connection:
            await alerts.resolve(connection, alert.id, actor=nurse, outcome="false_alarm", now=T0, note="x" * 2001)
    for first in (True, False):
        async with service.database.transaction(nurse) as connection:
            assert await alerts.resolve(connection, alert.id, actor=nurse, outcome="false_alarm", now=T0) is first
    for refused in (alerts.acknowledge, alerts.resolve):
        more: dict[str, Any] = {"outcome": "duplicate"} if refused is alerts.resolve else {}
        with pytest.raises(Conflict):
            async with service.database.transaction(nurse) as connection:
                await refused(connection, alert.id, actor=nurse, now=T0, **more)
    assert len(await service.open(resident)) == 1
    await world.readings(service.database, resident, spo2(97, T0 + MINUTE))
    await service.minutes(1)
    assert not await service.open(resident)


async def test_other_wards_alert_is_not_found(service: Service) -> None:
    """Neither seen nor handled, and not told apart from one that does not exist."""
    _, resident, alert = await _alert(service)
    stranger = db.staff(await world.staff(service.database, await world.ward(service.database)))
    for alert_id in (alert.id, 999_999):
        for refused in (alerts.acknowledge, alerts.resolve, alerts.get):
            more: dict[str, Any] = {"actor": stranger, "now": T0} if refused is not alerts.get else {}
            more |= {"outcome": "duplicate"} if refused is alerts.resolve else {}
            with pytest.raises(NotFound):
                async with service.database.transaction(stranger) as connection:
                    await refused(connection, alert_id, **more)
    async with service.database.transaction(stranger) as connection:
        assert await alerts.page(connection) == []
        assert await alerts.many(connection, [alert.id]) == []
        assert await alerts.open_of_resident(connection, resident.id) == []
        assert await alerts.open_of_ward(connection, resident.ward.id) == []


async def test_changes_are_announced(service: Service) -> None:
    """Raising and handling tell the resident, the alert and the ward on the channel."""
    heard: asyncio.Queue[dict[str, list[int]]] = asyncio.Queue()
    async with service.database.listen("changes", lambda payload: heard.put_nowait(msgspec.json.decode(payload))):
        ward, resident, alert = await _alert(service)
        told = {"residents": [resident.id], "alerts": [alert.id], "wards": [ward.id]}
        async with asyncio.timeout(10):
            assert await heard.get() == told
            async with service.database.transaction(world.ACTOR) as connection:
                await alerts.acknowledge(connection, alert.id, actor=world.ACTOR, now=T0)
            assert await heard.get() == told


def test_too_much_to_name() -> None:
    """A payload that NOTIFY would refuse becomes "anything"."""
    assert alerts.changes(alerts=range(100_000)) == "{}"


async def test_pages(service: Service) -> None:
    """Every alert is on one page, in order, whatever the filter and also where many were raised at once."""
    ward = await world.ward(service.database)
    residents = [await world.resident(service.database, ward) for _ in range(7)]
    for resident in residents:
        await world.readings(service.database, resident, spo2(84, T0))
    await service.at(T0)
    for scope in ({"ward_id": ward.id}, {}, {"ward_id": ward.id, "open": True}, {"condition": "active"}):
        seen: list[int] = []
        before = None
        while True:
            async with service.database.transaction(world.ACTOR, read_only=True) as connection:
                page = await alerts.page(connection, before=before, limit=3, **scope)
            if not page:
                break
            seen += [alert.id for alert in page]
            before = page[-1].place
        assert len(seen) == 7
        assert seen == sorted(seen, reverse=True)
    async with service.database.transaction(world.ACTOR, read_only=True) as connection:
        assert await alerts.page(connection, handling="resolved") == []
        assert len(await alerts.open_of_ward(connection, ward.id)) == 7


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_columns_say_what_events_say(service: Service, seed: int) -> None:
    """After any history of readings on time and late, strikes and handling, the state is derivable from the events."""
    chance = random.Random(seed)
    ward = await world.ward(service.database)
    residents = [await world.resident(service.database, ward) for _ in range(4)]
    nurses = [db.staff(await world.staff(service.database, ward)) for _ in range(2)]
    sent: list[tuple[world.Resident, world.Sample]] = []
    for _ in range(25):
        await service.minutes(chance.choice([1, 5, 40]))
        for _ in range(chance.randint(1, 4)):
            resident = chance.choice(residents)
            late = timedelta(seconds=chance.choice([0, 0, 0, 300, 5000]))
            sample = spo2(chance.choice([82, 84, 87, 90, 91, 95, 97]), service.clock.now() - late)
            if await world.readings(service.database, resident, sample):
                sent.append((resident, sample))
        if chance.random() < 0.2:
            await world.strike(service.database, *sent.pop(chance.randrange(len(sent))))
        await service.evaluator.drain()
        known = await service.alerts()
        if known and chance.random() < 0.6:
            nurse = chance.choice(nurses)
            async with service.database.transaction(nurse) as connection:
                try:
                    alert = chance.choice(known)
                    if chance.random() < 0.6:
                        await alerts.acknowledge(connection, alert.id, actor=nurse, now=service.clock.now())
                    else:
                        await alerts.resolve(
                            connection, alert.id, actor=nurse, outcome="false_alarm", now=service.clock.now()
                        )
                except Conflict:
                    pass
    found = await service.alerts()
    assert len(found) > 4
    for alert in found:
        async with service.database.transaction(world.ACTOR) as connection:
            detail = await alerts.get(connection, alert.id)
        told = [lifecycle.Event(e.event, e.priority, e.outcome) for e in detail.events]  # type: ignore[arg-type]  # checked by the table
        standing = lifecycle.derive(told)
        assert (standing.condition, standing.handling, standing.priority, standing.open) == (
            alert.condition,
            alert.handling,
            alert.priority,
            alert.open,
        )
        assert bool(detail.episodes) == (alert.condition != "withdrawn")
