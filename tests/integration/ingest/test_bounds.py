"""Memory is bounded whatever devices send while nothing can be stored; a backlog delays nothing live."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from telehealth import clock, metrics
from telehealth.ingest import lane
from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.ingest import sessions, wards
from tests.integration.ingest.sessions import Broker, Device
from tests.integration.ingest.wards import envelope, spo2
from tests.support import servers, world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

_HELD = 2_000_000


@pytest.fixture(params=["postgres_18"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    """Memory does not care which PostgreSQL it is."""
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


def _held(name: str) -> float:
    return metrics.REGISTRY.get_sample_value("telehealth_held_bytes", {"lane": name}) or 0.0


async def test_small_messages_with_much_in_them(urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand nonsense readings in 3 KB weigh what they take decoded; all are answered afterwards."""
    monkeypatch.setattr(lane, "LIVE", dataclasses.replace(lane.LIVE, held_bytes=_HELD))
    gate = sessions.Gate(urls.app)
    async with Database.open(urls.app) as direct, gate.running(), Database.open(gate.url) as database:
        await world.device(direct, await world.ward(direct), "dense-1")
        with servers.mosquitto() as server:
            broker = Broker(server.port)
            async with sessions.ingest(database, broker) as health, Device("dense-1").connected(broker) as device:
                gate.shut()
                for seq in range(1, 31):
                    device.publish(envelope(*[{}] * 1000, seq=seq))
                await sessions.until(lambda: _held("live") > _HELD)
                most = 0.0
                for _ in range(20):
                    await sessions.until(lambda: health.parts()["ingest"] is not None)
                    most = max(most, _held("live"))
                # each session may have one message in hand when reading stops
                assert most < _HELD + 2 * 1024 * 1100
                gate.open()
                await device.answered(lambda receipt: receipt["through"] == 30, seconds=40)
                await sessions.until(lambda: _held("live") == 0)


async def test_a_live_message_overtakes_a_backlog(database: Database) -> None:
    """It is answered while most of the backlog still waits; then the backlog is stored too."""
    ward = await world.ward(database)
    for name in ("old", "new"):
        await world.device(database, ward, name)
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        async with Device("old").connected(broker) as old, Device("new").connected(broker) as new:
            async with sessions.ingest(database, broker):
                pass
            at = clock.real_now()
            for seq in range(1, 201):
                readings = [spo2(96, at=at - timedelta(hours=1, seconds=100 * seq + n)) for n in range(100)]
                old.publish(envelope(*readings, seq=seq, sent_at=wards.rfc3339(at)), "backlog")
            new.publish(envelope(spo2(81, at=at), seq=1, sent_at=wards.rfc3339(at)))
            async with sessions.ingest(database, broker):
                await new.answered(lambda receipt: receipt["through"] == 1)
                (row,) = await wards.rows(database, "SELECT count(*) AS n FROM reading")
                assert row["n"] < 15_000
                await old.answered(lambda receipt: receipt["through"] == 200, seconds=60)
    (row,) = await wards.rows(database, "SELECT count(*) AS n FROM reading")
    assert row["n"] == 20_001
