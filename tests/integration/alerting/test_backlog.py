"""What is live is judged first, while what devices kept for days drains."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from telehealth import clock as clocks
from telehealth.alerting.evaluator import Evaluator
from telehealth.clock import ClinicalClock
from telehealth.ingest import reading
from telehealth.model.delivery import Delivery, Lane
from telehealth.store import db, evaluation, ingest
from telehealth.store.db import Database
from tests.support import servers, world

HOUR = timedelta(hours=1)
ROWS = "SELECT count(*) FROM evaluation_due WHERE due_at = '-infinity'"


@pytest.fixture(params=["postgres_18", "postgres_15"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


def _message(device: world.Device, seq: int, spo2: Sequence[int], at: datetime, lane: Lane) -> Delivery:
    """Readings every half hour from at on, sent now."""
    now = clocks.real_now()
    readings = ",".join(
        f'{{"code":"spo2","value":{value},"unit":"%","taken_at":"{_rfc3339(at + n * HOUR / 2)}"}}'
        for n, value in enumerate(spo2)
    )
    payload = f'{{"stream":"s","seq":{seq},"sent_at":"{_rfc3339(now)}","readings":[{readings}]}}'.encode()
    channel = "backlog" if lane == "backlog" else "readings"
    found = reading.read(lane, f"telehealth/v1/{device.device_id}/{channel}".encode(), payload, now, retain=False)
    assert isinstance(found, Delivery)
    return found


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


async def _take_in(database: Database, *deliveries: Delivery) -> None:
    async with database.transaction(db.service("ingest")) as connection:
        await ingest.take_in(connection, deliveries, now=clocks.real_now())


async def _residents(database: Database, count: int) -> list[tuple[world.Resident, world.Device]]:
    """On a ward for three days, each with a device."""
    ward = await world.ward(database)
    since = clocks.real_now() - 72 * HOUR
    found = []
    for _ in range(count):
        resident = await world.resident(database, ward, admitted_at=since)
        device = await world.device(database, ward, resident=resident, assigned_from=since)
        found.append((resident, device))
    return found


async def _count(database: Database, query: str) -> int:
    async with database.transaction(world.ACTOR) as connection:
        return int(await connection.fetchval(query))


async def test_nobody_waits_behind_much_work_of_others(database: Database) -> None:
    """The queue's oldest rows are all of a resident whose work is put off again and again; another's come later."""
    (busy, _), (other, _) = await _residents(database, 2)
    due = """
        INSERT INTO evaluation_due (organisation_id, resident_id, earliest_at, cause, written_at)
        SELECT organisation_id, id, now(), 'reading', now() FROM resident, generate_series(1, $2) WHERE id = $1
        """
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("DELETE FROM evaluation_due")
        await connection.execute(due, busy.id, 50)
        await connection.execute(due, other.id, 1)
    async with database.transaction(world.ACTOR) as connection:
        found = await evaluation.candidates(
            connection, clocks.real_now(), 10, wanted=evaluation.Wanted(live=True, late=False)
        )
    assert set(found.residents) == {busy.id, other.id}


async def test_live_red_reading_before_the_backlog(database: Database) -> None:
    """A hundred devices bring 48 hours each; a red reading taken now, of another and of one of them, is first."""
    people = await _residents(database, 101)
    evaluator = Evaluator(database, ClinicalClock())
    await evaluator.drain()
    now = clocks.real_now()
    values = [84 if 20 <= n < 24 else 96 for n in range(96)]
    await _take_in(
        database, *(_message(device, 1, values, now - 48 * HOUR - HOUR, "backlog") for _, device in people[:100])
    )
    await _take_in(
        database, _message(people[100][1], 1, [83], now, "live"), _message(people[0][1], 2, [83], now, "live")
    )
    await evaluator.cycle()

    raised = "SELECT count(*) FROM alert WHERE condition = 'active'"
    assert await _count(database, raised) == 2
    assert await _count(database, ROWS) == 100
    await evaluator.drain()
    assert await _count(database, ROWS) == 0
    # The old red hours of all, and what was red now.
    assert await _count(database, "SELECT count(*) FROM episode") == 102
    assert await _count(database, "SELECT count(*) FROM alert WHERE late AND condition = 'cleared'") == 99
    assert await _count(database, raised) == 2


async def test_much_work_of_one_leaves_room_for_a_red_reading(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody whose readings overtook each other is folded anew from before; another's are judged beside it."""
    monkeypatch.setattr("telehealth.alerting.residents.MOST_READINGS", 1)
    (_, busy), (_, other) = await _residents(database, 2)
    evaluator = Evaluator(database, ClinicalClock(), patience_seconds=0.0)
    now = clocks.real_now()
    await _take_in(database, _message(busy, 1, [96] * 96, now - 49 * HOUR, "backlog"))
    await _take_in(database, _message(busy, 2, [96], now, "live"))
    await evaluator.drain()
    await _take_in(database, _message(busy, 3, [96], now - timedelta(seconds=10), "live"))
    await _take_in(database, _message(other, 1, [83], now, "live"))
    await evaluator.live()
    assert await _count(database, "SELECT count(*) FROM alert WHERE priority = 'high'") == 1
    assert await _count(database, ROWS) == 0


async def test_backlog_is_folded_in_parts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live work gets its turn after a few thousand late readings, and a live one that comes then is next."""
    monkeypatch.setattr("telehealth.alerting.residents.MOST_READINGS", 300)
    people = await _residents(database, 12)
    evaluator = Evaluator(database, ClinicalClock(), patience_seconds=0.0)
    await evaluator.drain()
    now = clocks.real_now()
    await _take_in(database, *(_message(device, 1, [96] * 96, now - 49 * HOUR, "backlog") for _, device in people[:11]))
    await evaluator.cycle()
    left = await _count(database, ROWS)
    assert 0 < left < 11
    await _take_in(database, _message(people[11][1], 1, [83], now, "live"))
    await evaluator.cycle()
    assert await _count(database, "SELECT count(*) FROM alert") == 1
    assert 0 < await _count(database, ROWS) < left
    await evaluator.drain()
    assert await _count(database, ROWS) == 0


async def test_late_messages_of_a_resident_are_folded_together(database: Database) -> None:
    """Late work waits for more of the same resident, and then costs one evaluation."""
    [(resident, device)] = await _residents(database, 1)
    evaluator = Evaluator(database, ClinicalClock(), patience_seconds=3600.0)
    await evaluator.drain()
    now = clocks.real_now()
    for seq in range(1, 6):
        await _take_in(database, _message(device, seq, [96, 84, 96], now - 50 * HOUR + 5 * seq * HOUR, "backlog"))
        assert await evaluator.cycle() == 0
    assert await _count(database, ROWS) == 5
    assert await evaluator.cycle(patience_seconds=0.0) == 1
    assert await _count(database, ROWS) == 0
    assert await _count(database, f"SELECT count(*) FROM episode WHERE resident_id = {resident.id}") == 5


async def test_two_evaluators_do_not_wait_for_each_other(database: Database) -> None:
    """While one holds the late work of a resident and is slow, another judges what is live of the others."""
    people = await _residents(database, 2)
    one, other = (Evaluator(database, ClinicalClock(), patience_seconds=0.0) for _ in range(2))
    await one.drain()
    now = clocks.real_now()
    await _take_in(database, _message(people[0][1], 1, [96, 84], now - 50 * HOUR, "backlog"))
    await _take_in(database, _message(people[1][1], 1, [83], now, "live"))
    async with database.transaction(world.ACTOR) as connection:
        # As an evaluator does first.
        await connection.fetch("SELECT id FROM evaluation_due WHERE late FOR UPDATE SKIP LOCKED")
        await connection.fetch("SELECT id FROM resident WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED", people[0][0].id)
        await other.cycle()
        assert await _count(database, "SELECT count(*) FROM alert") == 1
    await one.drain()
    assert await _count(database, "SELECT count(*) FROM alert") == 2
