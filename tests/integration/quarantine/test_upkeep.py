"""Upkeep: partitions ahead and from DEFAULT without stopping ingest, and forgetting what need not be kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from telehealth.clock import ClinicalClock, Step
from telehealth.store import db, ingest, storage
from telehealth.store.db import Database
from telehealth.upkeep import job
from tests.conftest import Urls
from tests.integration.ingest.wards import NOW, delivery, envelope, rows, spo2, take
from tests.integration.quarantine.test_quarantine import OPERATOR, entries, sent
from tests.support import servers, world

CLOCK = ClinicalClock(Step(NOW, NOW))
KEEP = storage.Retention()


@pytest.fixture(params=["postgres_18", "postgres_15"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


async def months(database: Database) -> set[str]:
    async with database.transaction(OPERATOR) as connection:
        measured = await storage.measure(connection)
    return {partition.name for partition in measured.partitions}


async def test_months_are_made_ahead_and_from_what_lies_in_default(database: Database) -> None:
    """Readings of a year ago move to a month of their own, once; those of unset clocks stay and are in nobody's way."""
    ward = await world.ward(database)
    resident = await world.resident(database, ward, admitted_at=NOW - timedelta(days=500))
    device = await world.device(database, ward, resident=resident, assigned_from=NOW - timedelta(days=500))
    moments = [
        NOW - timedelta(days=365),
        NOW - timedelta(days=364),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2038, 1, 19, tzinfo=UTC),
    ]
    sent_first = [spo2(90 + n, at=at) for n, at in enumerate(moments)]
    await take(database, delivery(device.device_id, envelope(*sent_first)))
    before = await rows(database, "SELECT * FROM reading ORDER BY taken_at")
    assert await job.once(database, CLOCK, KEEP)
    names = await months(database)
    assert {"reading_2025_03", "reading_2026_02", "reading_2026_03", "reading_2026_06"} <= names
    assert not {"reading_1970_01", "reading_2038_01"} & names
    assert await rows(database, "SELECT * FROM reading ORDER BY taken_at") == before
    async with database.transaction(OPERATOR) as connection:
        assert {month.month.year for month in await storage.in_default(connection)} == {1970, 2038}
    again = await take(database, delivery(device.device_id, envelope(*sent_first, seq=2)))
    assert again.stored == 0
    assert await job.once(database, CLOCK, KEEP), "a second time there is nothing to do"


async def test_one_work_that_fails_stops_no_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept too long goes although no partition can be made; and all of it is tried again soon."""
    ward = await world.ward(database)
    device = await world.device(database, ward)
    await take(database, sent(device.device_id, b"{"))
    assert await entries(database)

    async def fails(*_: object, **__: object) -> list[datetime]:
        raise ValueError("a mistake")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "missing_months", fails)
        later = ClinicalClock(Step(NOW + timedelta(days=900), NOW))
        assert not await job.once(database, later, KEEP)
    assert not await entries(database)


async def test_a_month_made_later_has_the_indexes_and_no_grants(urls: Urls, database: Database) -> None:
    """As the months of the migration have: nothing is read past the policies of the parent."""
    await job.once(database, CLOCK, KEEP)
    owner = await asyncpg.connect(urls.owner)
    try:
        found = await owner.fetch(
            "SELECT c.relname, has_table_privilege('telehealth_app', c.oid, 'SELECT,INSERT,UPDATE,DELETE') AS granted,"
            " (SELECT count(*) FROM pg_index x JOIN pg_inherits p ON p.inhrelid = x.indexrelid"
            "  WHERE x.indrelid = c.oid) AS indexes"
            " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'reading'::regclass"
        )
    finally:
        await owner.close()
    assert len({row["indexes"] for row in found}) == 1
    assert not any(row["granted"] for row in found)


async def test_ingest_goes_first(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody reads for long, the partition waits and ingest does not; then it is made."""
    ward = await world.ward(database)
    device = await world.device(database, ward)
    monkeypatch.setattr(job, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(job, "_LOCK_SECONDS", 0.05)
    wanted = storage.month(NOW, 30)
    refused = asyncio.Event()
    before = storage.make_partition

    async def watched(*arguments: object, **more: object) -> bool | None:
        try:
            return await before(*arguments, **more)  # type: ignore[arg-type]  # handed on
        except asyncpg.LockNotAvailableError:
            refused.set()
            raise

    monkeypatch.setattr(storage, "make_partition", watched)
    async with asyncio.TaskGroup() as group:
        async with database.transaction(OPERATOR, read_only=True) as reader:
            await reader.fetch("SELECT count(*) FROM reading")
            task = group.create_task(job.make(database, [wanted], most=None))
            await refused.wait()
            refused.clear()
            taken = await take(database, delivery(device.device_id, envelope(spo2(97))))
            assert taken.stored == 1
            await refused.wait()
        assert await task
    assert f"reading_{wanted:%Y_%m}" in await months(database)


async def test_too_much_to_move_is_left_to_the_operator(database: Database) -> None:
    """Moving is bounded; the readings stay where they are."""
    ward = await world.ward(database)
    device = await world.device(database, ward)
    old = NOW - timedelta(days=300)
    await take(database, delivery(device.device_id, envelope(*(spo2(97, at=old, source_id=str(n)) for n in range(5)))))
    assert not await job.make(database, [storage.month(old)], most=4)
    assert await job.make(database, [storage.month(old)], most=5)
    [count] = await rows(database, "SELECT count(*) AS count FROM reading")
    assert count["count"] == 5


async def test_what_is_no_record_is_forgotten(database: Database) -> None:
    """Quarantine after 90 days, what staff saw after 7, daily states but one a month; no reading, no newest state."""
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    device = await world.device(database, ward, resident=resident)
    await take(database, delivery(device.device_id, envelope(spo2(97, at=NOW - timedelta(days=200)), stream="old")))
    for age in (100, 10):
        at = NOW - timedelta(days=age)
        async with database.transaction(db.service("ingest")) as connection:
            await ingest.take_in(connection, [sent(device.device_id, str(age).encode() + b"!")], now=at)
    async with database.transaction(OPERATOR) as connection:
        await connection.executemany(
            "INSERT INTO checkpoint (resident_id, kind, at, organisation_id, state) VALUES ($1, 'daily', $2, $3, '{}')",
            [(resident.id, NOW - timedelta(days=n), ward.organisation_id) for n in range(200)],
        )
        await connection.execute("UPDATE device_stream SET updated_at = $1", NOW - timedelta(days=500))
        await connection.executemany(
            "INSERT INTO seen_set (device_pk, set_id, organisation_id, seen_at) VALUES ($1, $2, $3, $4)",
            [(device.pk, f"{age} days", ward.organisation_id, NOW - timedelta(days=age)) for age in (1, 6, 8, 100)],
        )
    assert await job.once(database, CLOCK, KEEP)
    assert len(await entries(database)) == 1
    [hours] = await rows(database, "SELECT count(*) AS count FROM quarantine_count")
    assert hours["count"] == 1
    kept = [row["at"] for row in await rows(database, "SELECT at FROM checkpoint WHERE kind = 'daily' ORDER BY at")]
    recent = [at for at in kept if at >= NOW - timedelta(days=60)]
    old = [at for at in kept if at < NOW - timedelta(days=60)]
    assert len(recent) == 61
    assert 5 <= len(old) <= 6
    assert max(b - a for a, b in zip(old, [*old[1:], recent[0]], strict=True)) <= timedelta(days=31)
    assert await rows(database, "SELECT stream FROM device_stream") == []
    seen = await rows(database, "SELECT set_id FROM seen_set ORDER BY seen_at")
    assert [row["set_id"] for row in seen] == ["6 days", "1 days"]
    [readings] = await rows(database, "SELECT count(*) AS count FROM reading")
    assert readings["count"] == 1


async def test_a_device_that_names_a_new_stream_in_every_message(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its streams those that were continued last stay; a device with few keeps all."""
    monkeypatch.setattr(storage, "STREAMS", 5)
    ward = await world.ward(database)
    for name, streams in (("many", 9), ("few", 3)):
        await world.device(database, ward, name)
        for number in range(streams):
            at = NOW + timedelta(seconds=number)
            await take(database, delivery(name, envelope(spo2(97, at=at), stream=f"s{number}")), now=at)
    assert await job.once(database, CLOCK, KEEP)
    kept = await rows(
        database,
        "SELECT d.device_id, array_agg(s.stream ORDER BY s.stream) AS streams FROM device_stream s"
        " JOIN device d ON d.id = s.device_pk GROUP BY 1 ORDER BY 1",
    )
    assert [(row["device_id"], row["streams"]) for row in kept] == [
        ("few", ["s0", "s1", "s2"]),
        ("many", ["s4", "s5", "s6", "s7", "s8"]),
    ]


async def test_one_of_several_processes_does_it(database: Database) -> None:
    """While another holds the turn, a pass does nothing and is content."""
    async with database.transaction(OPERATOR) as connection:
        assert await storage.its_turn(connection)
        before = await months(database)
        assert await job.once(database, ClinicalClock(Step(NOW + timedelta(days=900), NOW)), KEEP)
    assert await months(database) == before


async def test_measuring_says_bytes_per_reading(database: Database) -> None:
    """Heap and indexes of all partitions, and the size of every table."""
    ward = await world.ward(database)
    device = await world.device(database, ward)
    readings = [spo2(97, at=NOW - timedelta(seconds=n)) for n in range(1000)]
    await take(database, delivery(device.device_id, envelope(*readings)))
    async with database.transaction(OPERATOR, read_only=True) as connection:
        measured = await storage.measure(connection)
    assert measured.readings == 1000
    assert measured.bytes_per_reading is not None
    assert 150 < measured.bytes_per_reading < 1200
    table = next(table for table in measured.tables if table.name == "reading")
    assert table.heap + table.toast >= sum(partition.heap for partition in measured.partitions)
