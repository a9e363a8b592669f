"""What devices are asked to do from within a visit."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from devices import commands
from telehealth.clock import ClinicalClock, Step
from telehealth.errors import Invalid, NotFound
from telehealth.ingest import commands as sending
from telehealth.model import visits
from telehealth.store import calling, consultations
from telehealth.store.db import Database
from telehealth.store.encounters import Ending
from tests.integration.visits import scene as scenes
from tests.integration.visits.scene import T0
from tests.support import world


class Broker:
    """Takes everything; remembers it as devices read it."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, commands.Command]] = []

    def publish(self, topic: str, payload: bytes) -> asyncio.Future[bool]:
        command = commands.decode(payload)
        assert command is not None
        self.taken.append((topic, command))
        done = asyncio.get_running_loop().create_future()
        done.set_result(True)
        return done


async def test_ring_and_measure(database: Database) -> None:
    """A ring goes to all that the resident has, for a minute; a measurement to what can measure it."""
    scene = await scenes.build(database)
    await world.device(database, scene.ward, "ox-1", resident=scene.anna)
    await world.device(database, scene.ward, "bp-1", resident=scene.anna, codes=("systolic", "diastolic"))
    await world.device(database, scene.ward, "ox-2", resident=scene.bert)
    visit, _, anna = await scenes.live(database, scene)
    async with database.transaction(scene.actor) as connection:
        assert await calling.ring(connection, visit, scene.anna.id, actor=scene.actor, now=T0) == 2
        assert await calling.measure(connection, visit, scene.anna.id, ["spo2"], actor=scene.actor, now=T0) == 1
        with pytest.raises(Invalid):
            await calling.measure(connection, visit, scene.anna.id, ["mood"], actor=scene.actor, now=T0)
        with pytest.raises(NotFound):
            await calling.ring(connection, visit, scene.bert.id, actor=scene.actor, now=T0)
    broker = Broker()
    clock = ClinicalClock(Step(T0, T0))
    assert await sending.send(database, clock, broker.publish, public_url="https://ward.example") == 3
    assert await sending.send(database, clock, broker.publish, public_url="https://ward.example") == 0
    assert sorted((topic, type(one).__name__) for topic, one in broker.taken) == [
        ("telehealth/v1/bp-1/commands", "Ring"),
        ("telehealth/v1/ox-1/commands", "Measure"),
        ("telehealth/v1/ox-1/commands", "Ring"),
    ]
    rung = next(one for _, one in broker.taken if isinstance(one, commands.Ring))
    link = (await scenes.look(database, visit)).participant(anna).link_id
    assert (rung.url, rung.expires_at) == (f"https://ward.example/visit/{link}", T0 + timedelta(minutes=1))
    async with database.transaction(scene.actor, read_only=True) as connection:
        assert {one.state for one in await calling.asked(connection, visit)} == {"published"}


async def test_a_late_ring_does_not_ring(database: Database) -> None:
    """Neither after a minute nor when the visit is over."""
    scene = await scenes.build(database)
    await world.device(database, scene.ward, "ox-1", resident=scene.anna)
    visit = await scenes.start(database, scene)
    broker = Broker()
    for over in (False, True):
        async with database.transaction(scene.actor) as connection:
            await calling.ring(connection, visit, scene.anna.id, actor=scene.actor, now=T0)
            if over:
                await consultations.end(connection, visit, Ending("declined"), actor=scene.actor, now=T0)
        later = T0 if over else T0 + timedelta(minutes=2)
        assert await sending.send(database, ClinicalClock(Step(later, later)), broker.publish) == 0
    assert not broker.taken
    async with database.transaction(scene.actor) as connection:
        with pytest.raises(visits.NotPossible, match="over"):
            await calling.ring(connection, visit, scene.anna.id, actor=scene.actor, now=T0)


async def test_only_the_current_subject_measures(database: Database) -> None:
    scene = await scenes.build(database)
    visit = await scenes.start(database, scene, scene.anna, scene.bert, kind="ward_round")
    async with database.transaction(scene.actor) as connection:
        with pytest.raises(visits.NotPossible, match="another resident"):
            await calling.measure(connection, visit, scene.bert.id, ["spo2"], actor=scene.actor, now=T0)
        await calling.ring(connection, visit, scene.bert.id, actor=scene.actor, now=T0)
