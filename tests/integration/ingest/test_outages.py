"""A database that refuses work in the ways that databases do: said in one sentence, nothing lost, no restart needed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from telehealth import clock
from telehealth.clock import ClinicalClock
from telehealth.ingest import lane
from telehealth.store.db import Database
from telehealth.web.live.hub import Hub
from tests.conftest import Urls
from tests.integration.ingest import sessions, wards
from tests.integration.ingest.sessions import Broker, Device
from tests.integration.ingest.wards import envelope, spo2
from tests.support import servers, world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

_REFUSALS = {
    "read-only": "the database is read-only",
    "connections": "the database takes no more connections",
    "lock": "another transaction holds a lock in the database for too long",
    "statement": "the database takes too long",
}


@contextlib.asynccontextmanager
async def _refusing(kind: str, urls: Urls) -> AsyncIterator[None]:
    """The database refuses work in the block."""
    name = urls.super.rpartition("/")[2]
    admin = await asyncpg.connect(urls.super)
    other = await asyncpg.connect(urls.super)

    async def cut() -> None:
        """Settings count for new connections."""
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = 'telehealth_app'",
            name,
        )

    try:
        if kind == "read-only":
            await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        elif kind == "connections":
            await admin.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        elif kind == "lock":
            await admin.execute(f"ALTER ROLE telehealth_app IN DATABASE {name} SET lock_timeout = '200ms'")
        if kind in ("lock", "statement"):
            await other.execute("BEGIN; LOCK TABLE device_contact IN ACCESS EXCLUSIVE MODE")
        await cut()
        yield
        await admin.execute("SET default_transaction_read_only = off")
        await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
        await admin.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
        await cut()
    finally:
        await other.close()
        await admin.close()


@pytest.mark.parametrize("kind", _REFUSALS)
async def test_said_in_a_sentence_and_drained_afterwards(kind: str, urls: Urls) -> None:
    """Nothing is acknowledged or receipted meanwhile, and boards say that they are not live."""
    async with Database.open(urls.app, statement_seconds=0.5) as database:
        await world.device(database, await world.ward(database), "out-1")
        with servers.mosquitto() as server:
            broker = Broker(server.port)
            async with sessions.ingest(database, broker) as health, Device("out-1").connected(broker) as device:
                hub = Hub(database, ClinicalClock(), health)
                health.good("alerting")
                assert hub.live() == (True, None)
                async with _refusing(kind, urls):
                    for seq in range(1, 31):
                        at = clock.real_now()
                        one = spo2(96, at=at - timedelta(seconds=seq))
                        device.publish(envelope(one, seq=seq, sent_at=wards.rfc3339(at)))
                    await sessions.until(lambda: _REFUSALS[kind] in (health.parts()["ingest"] or ""))
                    live, why = hub.live()
                    assert not live
                    assert _REFUSALS[kind] in (why or "")
                    assert device.receipts == []
                await device.answered(lambda receipt: receipt["through"] == 30, seconds=40)
                await sessions.until(lambda: health.ready)
                assert hub.live() == (True, None)
        await asyncio.sleep(0)
        assert len(await wards.rows(database, "SELECT 1 FROM reading")) == 30


async def test_a_commit_that_hangs_is_said_before_it_fails(urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only writers are locked out, so that boards read as if nothing were the matter."""
    monkeypatch.setattr(lane, "_HANGS_SECONDS", 0.2)
    async with Database.open(urls.app) as database:
        await world.device(database, await world.ward(database), "out-1")
        with servers.mosquitto() as server:
            broker = Broker(server.port)
            async with sessions.ingest(database, broker) as health, Device("out-1").connected(broker) as device:
                other = await asyncpg.connect(urls.super)
                try:
                    await other.execute("BEGIN; LOCK TABLE reading IN SHARE MODE")
                    at = clock.real_now()
                    device.publish(envelope(spo2(96, at=at), seq=1, sent_at=wards.rfc3339(at)))
                    await sessions.until(lambda: "waiting for a lock" in (health.parts()["ingest"] or ""))
                    assert device.receipts == []
                    await other.execute("ROLLBACK")
                finally:
                    await other.close()
                await device.answered(lambda receipt: receipt["through"] == 1)
                await sessions.until(lambda: health.ready)


async def test_writable_again_for_connections_that_were_open_meanwhile(urls: Urls) -> None:
    """A session keeps the default it began with; it must not stay read-only for as long as the service runs."""
    name = urls.super.rpartition("/")[2]
    admin = await asyncpg.connect(urls.super)
    try:
        await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        async with Database.open(urls.app) as database:
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await world.ward(database)
            await admin.execute("SET default_transaction_read_only = off")
            await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
            assert await world.ward(database)
    finally:
        await admin.close()


async def test_well_again_without_a_message(urls: Urls) -> None:
    """Who could not commit and has nothing left to commit learns that the database is back."""
    gate = sessions.Gate(urls.app)
    with servers.mosquitto() as server:
        async with (
            gate.running(),
            Database.open(gate.url) as database,
            sessions.ingest(database, Broker(server.port)) as health,
        ):
            gate.shut()
            await sessions.until(lambda: health.parts()["ingest"] is not None)
            gate.open()
            await sessions.until(lambda: health.ready)


async def test_a_locked_device_holds_up_no_other(urls: Urls) -> None:
    """Somebody has locked one device's row; what others sent in the same batch is stored."""
    async with Database.open(urls.app, statement_seconds=0.5) as database:
        ward = await world.ward(database)
        for name in ("locked", "free"):
            await world.device(database, ward, name)
        admin = await asyncpg.connect(urls.super)
        with servers.mosquitto() as server:
            broker = Broker(server.port)
            async with (
                sessions.ingest(database, broker),
                Device("locked").connected(broker) as locked,
                Device("free").connected(broker) as free,
            ):
                at = clock.real_now()
                message = envelope(spo2(96, at=at - timedelta(seconds=9)), seq=1, sent_at=wards.rfc3339(at))
                locked.publish(message)
                await locked.answered(lambda receipt: receipt["through"] == 1)
                await admin.execute(
                    "BEGIN; SELECT 1 FROM device_contact c JOIN device d ON d.id = c.device_pk"
                    " WHERE d.device_id = 'locked' FOR UPDATE OF c"
                )
                locked.receipts.clear()
                for device in (locked, free) * 5:
                    device.publish(message)
                await free.answered(lambda receipt: receipt["through"] == 1, seconds=60)
                assert locked.receipts == []
                await admin.execute("ROLLBACK")
                await locked.answered(lambda receipt: receipt["through"] == 1)
        await admin.close()
