"""Who stands still within a transaction loses it, and nobody else: a fold that takes long does not stand still."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from alerts import engine, timeline
from telehealth.alerting import folding
from telehealth.alerting.evaluator import Evaluator
from telehealth.clock import ClinicalClock
from telehealth.store import clock, db
from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.alerting.conftest import Service
from tests.support import servers, world
from tests.support.world import T0, spo2


@pytest.fixture(params=["postgres_18", "postgres_15"])
def postgres(request: pytest.FixtureRequest) -> servers.Postgres:
    server: servers.Postgres = request.getfixturevalue(request.param)
    return server


async def test_a_transaction_that_stands_still_is_over(urls: Urls, database: Database) -> None:
    """Somebody else has the row without having to wait for long, and what was begun is never committed."""
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    async with Database.open(urls.app, stall_seconds=0.3) as stalling:

        async def stand_still() -> None:
            async with stalling.transaction(world.ACTOR) as still:
                await still.execute("UPDATE resident SET family_name = 'Stale' WHERE id = $1", resident.id)
                async with database.transaction(world.ACTOR) as other:
                    # Waits until the server has ended the other one's session.
                    await other.execute("UPDATE resident SET given_name = 'Fresh' WHERE id = $1", resident.id)
                await still.execute("SELECT 1")

        with pytest.raises(db.AWAY):
            await stand_still()
        async with stalling.transaction(world.ACTOR) as again:
            names = await again.fetchrow("SELECT family_name, given_name FROM resident WHERE id = $1", resident.id)
    assert names is not None
    assert names["family_name"] != "Stale"
    assert names["given_name"] == "Fresh"


@pytest.fixture
def slow_fold(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Every fold is much work, and does not end before the event is set or two seconds have passed."""
    go_on = threading.Event()
    fold = engine.fold

    def slow(subjects: Sequence[engine.Subject], readings: timeline.Timeline, now_us: int) -> list[engine.Result]:
        go_on.wait(2)
        return fold(subjects, readings, now_us)

    monkeypatch.setattr(engine, "fold", slow)
    monkeypatch.setattr(folding, "_LITTLE", 0)
    yield go_on
    go_on.set()


async def test_a_long_fold_keeps_its_transaction(urls: Urls, database: Database, slow_fold: threading.Event) -> None:
    """Longer than anybody may stand still: it goes on all the same, and so does the rest of the process."""
    clinical = ClinicalClock()
    await clock.set_virtual(database, clinical, T0)
    ward = await world.ward(database)
    resident = await world.resident(database, ward)
    await world.readings(database, resident, spo2(84, T0))
    async with Database.open(urls.app, stall_seconds=1.0) as careful:
        since = time.monotonic()
        await Evaluator(careful, clinical).live()
        assert time.monotonic() - since > 1.5
    async with database.transaction(world.ACTOR) as connection:
        assert await connection.fetchval("SELECT count(*) FROM alert WHERE resident_id = $1", resident.id) == 1


async def test_a_fold_that_does_not_end(
    service: Service, slow_fold: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its resident is put off, and staff are told."""
    monkeypatch.setattr(folding, "_LONGEST_SECONDS", 0.5)
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(84, T0))
    await service.evaluator.drain()
    [alert] = await service.alerts(resident)
    assert (alert.rule, alert.kind) == ("evaluation", "technical")


async def test_what_goes_wrong_in_a_fold_is_said(
    service: Service, slow_fold: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From whatever thread: one resident's trouble is theirs alone."""

    def fails(*_: object) -> None:
        raise RuntimeError("poisoned")

    monkeypatch.setattr(engine, "fold", fails)
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(84, T0))
    await service.evaluator.drain()
    assert [alert.rule for alert in await service.alerts(resident)] == ["evaluation"]
