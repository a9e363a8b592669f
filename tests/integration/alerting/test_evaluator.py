"""The evaluator's loop: it hears, it survives, and nobody stops the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import pytest

from alerts import engine, timeline
from telehealth import metrics
from telehealth.alerting import evaluator
from telehealth.clock import ClinicalClock
from telehealth.model.health import Health
from telehealth.store import clock
from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.alerting.conftest import Service
from tests.support import world
from tests.support.world import T0, spo2

MINUTE = timedelta(minutes=1)


async def _raised(database: Database, number: int) -> None:
    """Wait for the alert of that number, without asking all the time."""
    heard = asyncio.Event()
    async with asyncio.timeout(30), database.listen("changes", lambda _payload: heard.set()):
        while True:
            heard.clear()
            async with database.transaction(world.ACTOR) as connection:
                if await connection.fetchval("SELECT count(*) FROM alert") >= number:
                    return
            await heard.wait()


@contextlib.asynccontextmanager
async def _running(database: Database, clinical: ClinicalClock, health: Health) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(evaluator.run(database=database, clock=clinical, health=health))
        yield
        task.cancel()


async def _becomes(health: Health, *, ready: bool) -> None:
    async with asyncio.timeout(30):
        while health.ready != ready:  # noqa: ASYNC110 - health is told, it does not tell
            await asyncio.sleep(0.01)


async def test_it_hears(service: Service) -> None:
    """A red reading is an alert because of the notification, and a red reading of a device too."""
    ward = await world.ward(service.database)
    health = Health()
    async with _running(service.database, service.clock, health):
        resident = await world.resident(service.database, ward)
        await world.readings(service.database, resident, spo2(84, T0))
        await _raised(service.database, 1)
        async with asyncio.timeout(30):
            while not health.parts():  # noqa: ASYNC110 - health is told, it does not tell
                await asyncio.sleep(0.01)
        assert health.parts() == {"alerting": None}
    assert [alert.rule for alert in await service.alerts()] == ["threshold/spo2/low"]


class _Proxy:
    """The database's address, which can be made to be away."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.away = False
        self.writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(*self.target)
        self.writers |= {writer, back}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, back))
                group.create_task(self._copy(there, writer))
        finally:
            self.writers -= {writer, back}

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.transport.abort()

    def go_away(self) -> None:
        self.away = True
        for writer in self.writers:
            writer.transport.abort()


async def test_database_goes_away_and_comes_back(urls: Urls) -> None:
    """The evaluator says so, tries again, and then does what came in meanwhile; it hears again too."""
    parts = urlsplit(urls.app)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = _Proxy(parts.hostname, parts.port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    through = urlunsplit(parts._replace(netloc=parts.netloc.replace(str(parts.port), str(port))))
    health = Health()
    async with Database.open(urls.app) as near, Database.open(through) as far:
        clinical = ClinicalClock()
        await clock.set_virtual(near, clinical, T0)
        ward = await world.ward(near)
        residents = [await world.resident(near, ward) for _ in range(3)]
        async with _running(far, clinical, health):
            await world.readings(near, residents[0], spo2(84, T0))
            await _raised(near, 1)
            proxy.go_away()
            await _becomes(health, ready=False)
            await world.readings(near, residents[1], spo2(84, T0))
            proxy.away = False
            await _raised(near, 2)
            await world.readings(near, residents[2], spo2(84, T0))
            await _raised(near, 3)
            await _becomes(health, ready=True)
        proxy.go_away()
    server.close()


async def test_poisoned_resident_does_not_stop_the_others(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Theirs is put off, longer each time, and staff are told; the others are evaluated at once."""
    ward = await world.ward(service.database)
    residents = [await world.resident(service.database, ward) for _ in range(5)]
    poisoned = residents[2]
    fold = engine.fold

    def fails(subjects: Sequence[engine.Subject], readings: timeline.Timeline, now_us: int) -> list[engine.Result]:
        if any(subject.resident == poisoned.id for subject in subjects):
            raise RuntimeError("poisoned")
        return fold(subjects, readings, now_us)

    monkeypatch.setattr(engine, "fold", fails)
    for resident in residents:
        await world.readings(service.database, resident, spo2(84, T0))
    await service.evaluator.drain()
    found = {alert.resident_id: (alert.rule, alert.kind) for alert in await service.alerts()}
    assert found == {
        resident.id: ("evaluation", "technical") if resident is poisoned else ("threshold/spo2/low", "physiological")
        for resident in residents
    }
    # A further reading is put off with the rest, and nothing is tried again before its time.
    await world.readings(service.database, poisoned, spo2(83, T0 - MINUTE / 2))
    await service.evaluator.drain()
    waiting = await service.rows("SELECT due_at > $1, (detail ->> 'attempts')::int FROM evaluation_due", T0)
    assert waiting == [(True, 1)] * 3
    # Another evaluator knows from the rows that it failed before.
    service.evaluator = evaluator.Evaluator(service.database, service.clock)
    await service.minutes(2)
    assert await service.rows("SELECT DISTINCT (detail ->> 'attempts')::int FROM evaluation_due") == [(2,)]
    [trouble] = await service.alerts(poisoned)
    assert await service.events(trouble.id) == ["raised"]
    monkeypatch.undo()
    service.evaluator = evaluator.Evaluator(service.database, service.clock)
    await service.minutes(10)
    trouble, red = await service.alerts(poisoned)
    assert (trouble.condition, trouble.handling) == ("cleared", "new")
    assert (red.rule, red.condition) == ("threshold/spo2/low", "active")
    assert not await service.rows("SELECT 1 FROM evaluation_due")


async def test_unusable_rules_are_one_residents_trouble(service: Service) -> None:
    """Rules that do not compile stop nobody else."""
    ward = await world.ward(service.database)
    bad = await world.resident(service.database, ward, rules={"pathway": "x", "version": "1", "rules": [{"kind": "?"}]})
    lost = await world.resident(service.database, ward, zone="Europe")
    good = await world.resident(service.database, ward)
    await world.readings(service.database, good, spo2(84, T0))
    await service.evaluator.drain()
    rules = {alert.resident_id: alert.rule for alert in await service.alerts()}
    assert rules[bad.id] == "evaluation"
    assert rules[good.id] == "threshold/spo2/low"
    assert rules.get(lost.id, "evaluation") == "evaluation"


async def test_neither_sort_of_work_starves_the_other(service: Service) -> None:
    """However much has come in, what time brings is done in the same transactions, and the other way round."""
    ward = await world.ward(service.database)
    residents = [await world.resident(service.database, ward) for _ in range(8)]
    await service.evaluator.drain()
    async with service.database.transaction(world.ACTOR) as connection:
        for number, resident in enumerate(residents):
            await world.due(connection, ward, resident_id=resident.id, earliest_at=T0, cause="reading")
            if number % 2:
                await connection.execute(
                    "UPDATE evaluation_due SET due_at = $1 WHERE resident_id = $2", T0 - MINUTE, resident.id
                )
    small = evaluator.Evaluator(service.database, service.clock, batch=1)
    left = []
    while await small.cycle():
        [row] = await service.rows(
            "SELECT count(*) FILTER (WHERE due_at = '-infinity'), count(*) FILTER (WHERE due_at > '-infinity')"
            " FROM evaluation_due WHERE due_at <= $1",
            T0,
        )
        left.append(row)
    assert left == [(3, 3), (2, 2), (1, 1), (0, 0)]


async def test_gauges(service: Service) -> None:
    """Due work, its age and open alerts are measured."""
    ward = await world.ward(service.database)
    resident = await world.resident(service.database, ward)
    await world.readings(service.database, resident, spo2(84, T0))
    await service.evaluator.measure()
    assert metrics.REGISTRY.get_sample_value("telehealth_due_rows") == 2
    assert (metrics.REGISTRY.get_sample_value("telehealth_due_age_seconds") or 0) > 0
    await service.evaluator.drain()
    await service.evaluator.measure()
    assert metrics.REGISTRY.get_sample_value("telehealth_due_rows") == 0
    labels = {"kind": "physiological", "priority": "high"}
    assert metrics.REGISTRY.get_sample_value("telehealth_open_alerts", labels) == 1
