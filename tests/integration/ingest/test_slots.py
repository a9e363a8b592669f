"""Sessions that are not used any more are emptied, not forgotten; on a broker that cannot share, one process reads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from telehealth import clock
from telehealth.brokers import embedded, rules
from telehealth.ingest import address, elsewhere, mqtt
from telehealth.model import secrets
from telehealth.model.health import Health
from telehealth.store import db, leases
from telehealth.store.db import Database
from telehealth.store.leases import State
from tests.conftest import Urls
from tests.integration.ingest import sessions, wards
from tests.integration.ingest.sessions import Broker, Device
from tests.integration.ingest.wards import envelope, spo2
from tests.support import servers, world, written

pytestmark = [pytest.mark.postgres, pytest.mark.broker]


@pytest.fixture(params=["postgres_18"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    """The brokers do not care which PostgreSQL it is."""
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


def _message(seq: int) -> bytes:
    at = clock.real_now()
    return envelope(spo2(96, at=at - timedelta(seconds=seq)), seq=seq, sent_at=wards.rfc3339(at))


async def _stored(database: Database) -> int:
    (row,) = await wards.rows(database, "SELECT count(*) AS n FROM reading")
    return int(row["n"])


async def _slots(database: Database) -> list[str]:
    return [r["name"] for r in await wards.rows(database, "SELECT name FROM lease WHERE kind = 'slot' ORDER BY name")]


async def _until_slots(database: Database, names: Sequence[str]) -> None:
    await written.until(database.url, "lease", lambda: _slots(database), lambda found: found == names)


async def _session(broker: Broker, client_id: str, *filters: str) -> bool:
    """Connect with a client id of the service's, and subscribe; whether the broker knew it."""
    async with mqtt.connect(
        address.parse(broker.url("telehealth")),
        filters,
        client_id=client_id,
        window=1,
        protocol=MQTTProtocolVersion.MQTTv5,
        received=lambda *_: None,
        sent=lambda: None,
    ) as connection:
        return connection.resumed


async def test_sessions_of_an_earlier_version_are_emptied_and_ended(database: Database) -> None:
    """What waited in them is stored, however much more it is than their window."""
    await world.device(database, await world.ward(database), "old-1")
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        await _session(broker, "telehealth-ingest-live", "telehealth/v1/+/readings", "telehealth/v1/+/status")
        await _session(broker, "telehealth-ingest-backlog", "telehealth/v1/+/backlog")
        async with Device("old-1").connected(broker) as device:
            for seq in range(1, 101):
                device.publish(_message(seq), "readings" if seq % 2 else "backlog")
            async with sessions.ingest(database, broker, ingest_window=8, ingest_backlog_window=8):
                await device.answered(lambda receipt: receipt["through"] == 100)
                await _until_slots(database, ["ingest-0", "ingest-1"])
        assert not await _session(broker, "telehealth-ingest-live")
        assert not await _session(broker, "telehealth-ingest-backlog")
        assert await _session(broker, "telehealth-ingest-live-0")
    assert await _stored(database) == 100


def _joined(broker: Broker, *groups: str) -> contextlib.AbstractAsyncContextManager[mqtt.Connection]:
    """Somebody who joins shares with these names, on a broker that lets everybody."""
    return mqtt.connect(
        address.parse(broker.url("thief")),
        [f"$share/{group}-live/telehealth/v1/+/readings" for group in groups],
        client_id="thief",
        window=200,
        protocol=MQTTProtocolVersion.MQTTv5,
        received=lambda *_: None,
        sent=lambda: None,
    )


async def test_nobody_can_join_the_services_share(database: Database) -> None:
    """Sessions of an earlier version leave its group, whose name is known; what waits in them is stored all the same.

    Whoever joins that group, or one with a name that they guess, takes nothing away.
    """
    await world.device(database, await world.ward(database), "old-1")
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        await _session(broker, "telehealth-ingest-live-0", "$share/telehealth-live/telehealth/v1/+/readings")
        async with Device("old-1").connected(broker) as device:
            for seq in range(1, 51):
                device.publish(_message(seq))
            async with sessions.ingest(database, broker, ingest_window=8):
                await device.answered(lambda receipt: receipt["through"] == 50)
                async with _joined(broker, "telehealth", "t-00000000000000000000000000000000"):
                    for seq in range(51, 151):
                        device.publish(_message(seq))
                    await device.answered(lambda receipt: receipt["through"] == 150)
    assert await _stored(database) == 150


async def test_a_new_name_of_the_share_loses_nothing(database: Database, urls: Urls) -> None:
    """What waited under the name before is stored, and nobody who knew it takes anything after the sessions return."""
    await world.device(database, await world.ward(database), "old-1")
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        async with sessions.ingest(database, broker):
            await _until_slots(database, ["ingest-0", "ingest-1"])
        async with Device("old-1").connected(broker) as device:
            for seq in range(1, 51):
                device.publish(_message(seq))
            async with database.transaction(db.service("ingest")) as connection:
                before = await leases.groups(connection)
            owner = await asyncpg.connect(urls.owner)
            await owner.execute("INSERT INTO share_group VALUES ('t-another', clock_timestamp())")
            await owner.close()
            async with sessions.ingest(database, broker):
                await _until_slots(database, ["ingest-0", "ingest-1"])
                await device.answered(lambda receipt: receipt["through"] == 50)
                async with _joined(broker, *before):
                    for seq in range(51, 151):
                        device.publish(_message(seq))
                    await device.answered(lambda receipt: receipt["through"] == 150)
    assert await _stored(database) == 150


async def test_fewer_slots_than_before(database: Database) -> None:
    """The share of a slot that is gone is read, and its sessions end; more slots than before just come."""
    await world.device(database, await world.ward(database), "old-1")
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        async with sessions.ingest(database, broker, ingest_slots=3):
            await _until_slots(database, ["ingest-0", "ingest-1", "ingest-2"])
        async with Device("old-1").connected(broker) as device:
            for seq in range(1, 91):
                device.publish(_message(seq))
            async with sessions.ingest(database, broker, ingest_slots=1, ingest_window=8):
                await device.answered(lambda receipt: receipt["through"] == 90)
                await _until_slots(database, ["ingest-0"])
            async with sessions.ingest(database, broker, ingest_slots=2):
                for seq in range(91, 131):
                    device.publish(_message(seq))
                await device.answered(lambda receipt: receipt["through"] == 130)
        assert not await _session(broker, "telehealth-ingest-live-2")
    assert await _stored(database) == 130


async def test_retained_status_is_known_after_a_start(database: Database) -> None:
    """It was said before there was a session."""
    await world.device(database, await world.ward(database), "status-1")
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        async with Device("status-1").connected(broker) as device:
            device.publish(b'{"online":true,"battery":0.5}', "status", retain=True)
            async with sessions.ingest(database, broker):
                query = "SELECT 1 FROM device_contact WHERE status IS NOT NULL"
                await written.until(database.url, "device_contact", lambda: wards.rows(database, query), bool)


async def test_where_the_broker_cannot_share_one_process_reads_and_one_stands_by(database: Database) -> None:
    """They do not fight for a client id; when the one ends the other takes over."""
    await world.device(database, await world.ward(database), "old-1")
    port, password = servers.free_port(), "a password"
    hashed = secrets.hash_device_password(password)

    async def lookup(device_id: str) -> str | None:
        return hashed

    class Passwords(dict[str, str]):
        def get(self, user: str, default: object = None) -> str:
            return password

    broker = Broker(port, Passwords(), MQTTProtocolVersion.MQTTv311)
    async with embedded.running(port, lookup, password), Device("old-1").connected(broker) as device:
        async with sessions.ingest(database, broker, user=rules.SERVICE) as first:
            await _until_slots(database, ["ingest-0"])
            (before,) = await wards.rows(database, "SELECT holder, epoch FROM lease WHERE kind = 'slot'")
            async with sessions.ingest(database, broker, user=rules.SERVICE) as second:
                device.publish(_message(1))
                await device.answered(lambda receipt: receipt["through"] == 1)
                assert first.ready
                assert second.ready
                await _until_slots(database, ["ingest-0"])
                (after,) = await wards.rows(database, "SELECT holder, epoch FROM lease WHERE kind = 'slot'")
                assert after == before
        async with sessions.ingest(database, broker, user=rules.SERVICE):
            device.publish(_message(2))
            await device.answered(lambda receipt: receipt["through"] == 2)


async def _state(database: Database) -> State:
    async with database.transaction(db.service("ingest"), read_only=True) as connection:
        return await leases.state(connection, "ingest")


async def test_shares_are_even_and_those_who_came_first_have_the_rest(database: Database) -> None:
    """All slots are given out, whatever the number of processes."""
    for holder in ("c", "a", "b"):
        async with database.transaction(db.service("ingest")) as connection:
            await leases.beat(connection, "ingest", holder, None)
    state = await _state(database)
    for count in range(1, 9):
        shares = [state.share(holder, count) for holder in ("c", "a", "b")]
        assert sum(shares) == count
        assert shares == sorted(shares, reverse=True)
        assert max(shares) - min(shares) <= 1
    assert state.share("stranger", 8) == 0


async def test_a_slot_has_one_holder_and_its_epoch_tells_the_former_one(database: Database) -> None:
    """Nobody takes what is held; who lost it cannot renew or release it."""
    async with database.transaction(db.service("ingest")) as connection:
        assert await leases.take(connection, "a", ["ingest-0", "ingest-1"], 2) == {"ingest-0": 1, "ingest-1": 1}
        assert await leases.take(connection, "b", ["ingest-0", "ingest-1"], 2) == {}
        await leases.release(connection, "a", {"ingest-0": 1})
        assert await leases.take(connection, "b", ["ingest-0", "ingest-1"], 2) == {"ingest-0": 2}
        assert await leases.renew(connection, "a", {"ingest-0": 1, "ingest-1": 1}) == {"ingest-1"}
        await leases.release(connection, "a", {"ingest-0": 1})
        assert await leases.take(connection, "a", ["ingest-0"], 1) == {}


async def test_what_troubles_one_process_is_known_to_all(database: Database) -> None:
    """No process, one that cannot store, a share that nobody reads: boards of other processes say so."""
    assert (await _state(database)).trouble() is None
    async with database.transaction(db.service("ingest")) as connection:
        await leases.take(connection, "a", ["ingest-0"], 1)
    assert (await _state(database)).trouble() == "no process takes readings in"
    async with database.transaction(db.service("ingest")) as connection:
        await leases.beat(connection, "ingest", "a", "the disk of the database is full")
    state = await _state(database)
    assert state.trouble() == "another process: the disk of the database is full"
    assert state.trouble(beside="a") is None
    async with database.transaction(db.service("ingest")) as connection:
        await leases.beat(connection, "ingest", "a", None)
        assert (await leases.state(connection, "ingest")).trouble() is None
        await connection.execute("UPDATE lease SET expires_at = expires_at - interval '1 minute' WHERE kind = 'slot'")
    assert (await _state(database)).trouble() == "a share of the messages waits for a process that has ended"


async def test_a_process_that_only_shows_boards_hears_of_it(urls: Urls) -> None:
    """Its health has the part "ingest" from the others, and the database's trouble when it cannot ask."""
    gate = sessions.Gate(urls.app)
    health = Health()
    async with gate.running(), Database.open(gate.url) as database, asyncio.TaskGroup() as group:
        watching = group.create_task(elsewhere.watch(database, health))
        await sessions.until(lambda: health.parts().get("ingest", "") is None)
        async with database.transaction(db.service("ingest")) as connection:
            await leases.take(connection, "a", ["ingest-0"], 1)
        await sessions.until(lambda: health.parts()["ingest"] == "no process takes readings in")
        gate.shut()
        await sessions.until(lambda: (health.parts()["ingest"] or "").startswith("the "))
        gate.open()
        watching.cancel()
