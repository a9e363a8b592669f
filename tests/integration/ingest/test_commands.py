"""Commands to devices reach them over a real broker: once they are committed, and not again after a restart."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from devices import commands
from telehealth import clock
from telehealth.alerting import evaluator
from telehealth.clock import ClinicalClock
from telehealth.ingest import address, mqtt
from telehealth.ingest import commands as sender
from telehealth.model.health import Health
from telehealth.store import alerts
from telehealth.store.db import Database
from telehealth.web.record import told_resident
from tests.integration.ingest import sessions, wards
from tests.integration.ingest.sessions import Broker, Device
from tests.integration.ingest.wards import envelope, spo2
from tests.support import servers, world, written

pytestmark = [pytest.mark.postgres, pytest.mark.broker]


@pytest.fixture(params=["postgres_18"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    """The broker does not care which PostgreSQL it is."""
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


@contextlib.asynccontextmanager
async def heard(broker: Broker, device_id: str) -> AsyncIterator[asyncio.Queue[bytes]]:
    """What is said on a device's topic of commands."""
    told: asyncio.Queue[bytes] = asyncio.Queue()

    def received(connection: mqtt.Connection, _topic: bytes, payload: bytes, mid: int, qos: int, _retain: bool) -> None:
        connection.acknowledge(mid, qos)
        told.put_nowait(payload)

    async with mqtt.connect(
        address.parse(broker.url("listener")),
        [f"telehealth/v1/{device_id}/commands"],
        client_id=f"{device_id}-commands",
        window=100,
        protocol=MQTTProtocolVersion.MQTTv5,
        received=received,
        sent=lambda: None,
    ):
        yield told


async def states(database: Database) -> list[str]:
    return [row["state"] for row in await wards.rows(database, "SELECT state FROM device_command ORDER BY created_at")]


async def until_states(database: Database, wanted: list[str]) -> None:
    await written.until(database.url, "device_command", lambda: states(database), lambda found: found == wanted)


@contextlib.asynccontextmanager
async def alerting(database: Database) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(evaluator.run(database=database, clock=ClinicalClock(), health=Health()))
        yield
        task.cancel()


async def test_from_a_red_reading_to_the_repeat(database: Database) -> None:
    """The device that sent it is asked to measure again; the repeat confirms. After a restart nothing is sent again."""
    ward = await world.ward(database)
    started = clock.real_now()
    of = await world.resident(database, ward, admitted_at=started - timedelta(days=1))
    since = started - timedelta(days=1)
    await world.device(database, ward, "ox-1", resident=of, assigned_from=since)
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        async with heard(broker, "ox-1") as told, Device("ox-1").connected(broker) as device, alerting(database):
            async with sessions.ingest(database, broker):
                at = clock.real_now()
                device.publish(envelope(spo2(62, at=at), seq=1, sent_at=wards.rfc3339(at)))
                async with asyncio.timeout(20):
                    command = commands.decode(await told.get())
                assert isinstance(command, commands.Measure)
                assert command.codes == ("spo2",)
                assert timedelta(minutes=29) < command.expires_at - at <= timedelta(minutes=30)
                assert command.reason == "Please sit still and measure again: oxygen saturation."
                await until_states(database, ["published"])
                again = clock.real_now()
                device.publish(envelope(spo2(63, at=again), seq=2, sent_at=wards.rfc3339(again)))
                query = "SELECT provisional FROM alert WHERE handling = 'new'"
                await written.until(
                    database.url,
                    "alert",
                    lambda: wards.rows(database, query),
                    lambda found: [row["provisional"] for row in found] == [False],
                )
            async with sessions.ingest(database, broker):
                # Something that is sent after it: then it would have come before.
                await _command(database, of, "ox-1", minutes=5)
                async with asyncio.timeout(20):
                    following = commands.decode(await told.get())
                assert isinstance(following, commands.Measure)
                assert following.id != command.id
        assert told.empty()


async def test_from_a_red_flag_to_the_words_on_the_screen(database: Database) -> None:
    """The device that sent the answer shows the pathway's words, once; the alert says that it was sent."""
    ward = await world.ward(database)
    started = clock.real_now()
    words = "If you have chest pain, call 999 now."
    rule = {"kind": "symptom", "name": "red_flags", "codes": ["chest_pain"], "red": 1, "resident_text": words}
    since = started - timedelta(days=1)
    of = await world.resident(database, ward, admitted_at=since, rules=world.rule_set(rule))
    await world.device(database, ward, "tablet-1", resident=of, assigned_from=since)
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        async with (
            heard(broker, "tablet-1") as told,
            Device("tablet-1").connected(broker) as device,
            alerting(database),
            sessions.ingest(database, broker),
        ):
            for seq in (1, 2):
                at = clock.real_now()
                answer = {"code": "chest_pain", "value": True, "taken_at": wards.rfc3339(at)}
                device.publish(envelope(answer, seq=seq, sent_at=wards.rfc3339(at)))
                if seq == 1:
                    async with asyncio.timeout(20):
                        command = commands.decode(await told.get())
                    assert isinstance(command, commands.Text)
                    assert (command.text, command.subject) == (words, None)
                    assert timedelta(minutes=59) < command.expires_at - at <= timedelta(hours=1)
                    await until_states(database, ["published"])
            # Both answers are judged before something follows that is sent after them.
            query = "SELECT (SELECT count(*) FROM reading) AS read, (SELECT count(*) FROM evaluation_due) AS due"
            await written.until(
                database.url,
                "evaluation_due",
                lambda: wards.rows(database, query),
                lambda found: tuple(found[0]) == (2, 0),
            )
            await _command(database, of, "tablet-1", minutes=5)
            async with asyncio.timeout(20):
                following = commands.decode(await told.get())
            assert isinstance(following, commands.Measure)
        assert told.empty()
        async with database.transaction(world.ACTOR) as connection:
            [alert] = await alerts.open_of_resident(connection, of.id)
            shown = await told_resident.shown(connection, await alerts.get(connection, alert.id), now=clock.real_now())
        assert shown is not None
        assert (shown["ring"], [one["state"] for one in shown["devices"]]) == (False, ["sent"])


async def _command(database: Database, of: world.Resident, device_id: str, *, minutes: float) -> None:
    now = clock.real_now()
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute(
            "INSERT INTO device_command (organisation_id, device_pk, resident_id, kind, codes, about_at, created_at,"
            " expires_at) SELECT organisation_id, id, $2, 'measure', '{spo2,pulse}', $3, $3, $4 FROM device"
            " WHERE device_id = $1",
            device_id,
            of.id,
            now,
            now + timedelta(minutes=minutes),
        )


async def test_what_the_broker_did_not_acknowledge_is_sent_again(database: Database) -> None:
    """A command is settled by the broker's word; what it did not give waits, and what has expired is dropped."""
    ward = await world.ward(database)
    of = await world.resident(database, ward)
    await world.device(database, ward, "ox-1", resident=of)
    await _command(database, of, "ox-1", minutes=5)
    sent: list[bytes] = []
    answers = [None, False, True]

    def publish(topic: str, payload: bytes) -> asyncio.Future[bool] | None:
        assert topic == "telehealth/v1/ox-1/commands"
        answer = answers.pop(0)
        if answer is None:
            return None
        sent.append(payload)
        confirmed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        confirmed.set_result(answer)
        return confirmed

    for taken in (0, 0, 1, 0):
        assert await sender.send(database, ClinicalClock(), publish) == taken
    assert await states(database) == ["published"]
    assert len(sent) == 2
    assert sent[0] == sent[1]

    await _command(database, of, "ox-1", minutes=-1)
    assert await sender.send(database, ClinicalClock(), publish) == 0
    assert await states(database) == ["published", "expired"]

    await _command(database, of, "ox-1", minutes=5)
    async with database.transaction(world.ACTOR) as connection:
        await connection.execute("UPDATE device SET revoked_at = $1", clock.real_now())
    assert await sender.send(database, ClinicalClock(), publish) == 0
    assert await states(database) == ["published", "expired", "expired"]


async def test_a_lost_connection_confirms_nothing(database: Database) -> None:
    """Whoever waits for the broker's word is told that there is none."""
    with servers.mosquitto() as server:
        async with mqtt.connect(
            address.parse(Broker(server.port).url("telehealth")),
            (),
            client_id="telehealth",
            window=1,
            protocol=MQTTProtocolVersion.MQTTv5,
            received=lambda *_: None,
            sent=lambda: None,
        ) as connection:
            assert await connection.publish_confirmed("telehealth/check/1", b"1")
            pending = connection.publish_confirmed("telehealth/check/2", b"2")
            connection.close()
            assert await pending is False
