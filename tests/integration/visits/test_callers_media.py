"""Callers' media against a real media worker: direct, through coturn only, and over bad networks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from simulator import errors
from simulator.callers import clip, network, peer, script
from simulator.wire import Line
from telehealth import clock, config
from telehealth.bench import visit_servers
from telehealth.consult import backend
from telehealth.model import media, turn
from tests.support import relays


@pytest.fixture(scope="module")
def coturn() -> Iterator[relays.Coturn]:
    with relays.coturn() as server:
        yield server


@dataclass
class Visit:
    """Two callers, and what the web role does for them."""

    workers: backend.Workers
    worker: visit_servers.MediaWorker
    people: dict[int, peer.Peer] = field(default_factory=dict)
    offers: dict[int, str] = field(default_factory=dict)

    @property
    def room(self) -> media.Room:
        return media.Room(1, 1, self.worker.worker)

    def heard(self, event: media.Event) -> None:
        if isinstance(event, media.Slots) and event.participant in self.people:
            self.people[event.participant].told(msgspec.to_builtins(event.slots))

    async def join(self, who: int, *, path: peer.Path = "direct", servers: Any = (), via: Any = None) -> peer.Peer:
        """via: a network.Network of the caller's own."""
        sending = peer.Sending(clip.face(1, 160, 120, 15, 100_000), clip.tone(), cameras=2)
        if via is not None:
            servers = await via.servers(servers)
        caller = peer.Peer(sending, path=path, ice_servers=servers)
        try:
            offer = await caller.offer(hidden=via is not None and via.proxied)
            self.offers[who] = offer
            answer = await self.workers.join(self.room, who, offer, media.Allowed())
            through = None if via is None else await via.through(answer.sdp)
            self.people[who] = caller
            await caller.answered(answer.sdp, msgspec.to_builtins(answer.slots), through=through)
        except BaseException:
            await caller.close()
            raise
        return caller


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    async with visit_servers.worker() as worker, backend.Workers().running() as workers:
        found = Visit(workers, worker)
        over = workers.watch(found.room, found.heard, lambda: None)
        try:
            yield found
        finally:
            over()
            for caller in found.people.values():
                await caller.close()


@contextlib.asynccontextmanager
async def watching(*callers: peer.Peer) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(caller.watch()) for caller in callers]
        yield
        for task in tasks:
            task.cancel()


async def seen(*callers: peer.Peer, frames: int = 10) -> None:
    """Until each has seen so many frames more."""
    before = [sum(each.frames for each in caller.pictures()) for caller in callers]
    async with asyncio.timeout(30):
        for caller, had in zip(callers, before, strict=True):
            while sum(each.frames for each in caller.pictures()) < had + frames:  # noqa: ASYNC110  # as they come
                await asyncio.sleep(0.02)


def servers(coturn: relays.Coturn, *, until: timedelta = timedelta(minutes=5)) -> list[dict[str, Any]]:
    urls = f"{coturn.url('udp')},{coturn.url('tcp')}"
    settings = config.from_environment({"turn_urls": urls, "turn_secret": relays.SECRET})
    return turn.ice_servers(settings, 1, 2, clock.real_now() - turn.LIFETIME + until)


async def test_two_see_and_hear_each_other(visit: Visit) -> None:
    one, two = await visit.join(1), await visit.join(2)
    async with watching(one, two):
        await seen(one, two)
    (pair,) = [slot.whose for slot in one.slots.values() if slot.whose and slot.whose[1] == "video"]
    assert pair == (2, "video")
    assert all(any(slot.packets for slot in who.slots.values() if slot.kind == "audio") for who in (one, two))
    assert not one.over.is_set()


@pytest.mark.parametrize("path", ["udp", "tcp"])
async def test_through_the_relay_only(visit: Visit, coturn: relays.Coturn, path: peer.Path) -> None:
    one, two = await visit.join(1), await visit.join(2, path=path, servers=servers(coturn))
    async with watching(one, two):
        await seen(one, two)
    candidates = [line.split() for line in visit.offers[2].splitlines() if line.startswith("a=candidate:")]
    # Nothing else was told, and the relay's own ports.
    assert {words[7] for words in candidates} == {"relay"}
    assert all(20_000 <= int(words[5]) <= 20_999 for words in candidates)


@pytest.mark.parametrize("path", ["udp", "tcp"])
async def test_an_expired_credential_leads_nowhere(visit: Visit, coturn: relays.Coturn, path: peer.Path) -> None:
    with pytest.raises(errors.Unreachable):
        await visit.join(2, path=path, servers=servers(coturn, until=timedelta(seconds=-5)))


async def test_a_service_without_relays_is_said(visit: Visit) -> None:
    with pytest.raises(errors.Refused, match="no relay"):
        await visit.join(2, path="udp", servers=[])


@pytest.mark.parametrize("path", ["direct", "udp"])
async def test_loss_is_repaired(visit: Visit, coturn: relays.Coturn, path: peer.Path) -> None:
    bad = script.Script(network=Line(loss=0.05, delay=0.02, jitter=0.01))
    async with network.Network(bad, path, seed=3) as via:
        one = await visit.join(1)
        two = await visit.join(2, path=path, servers=servers(coturn), via=via)
        async with watching(one, two):
            await seen(one, two, frames=45)
        lost = via.statistics()
        assert lost is not None
        assert lost["up"]["lost"] > 0
        assert lost["down"]["lost"] > 0
        assert sum(each.missing for who in (one, two) for each in who.pictures()) == 0
        await two.close()


async def test_after_a_cut_media_go_on_by_themselves(visit: Visit) -> None:
    async with network.Network(script.parse("[[then]]\nat = 1\ndo = 'cut'\nseconds = 1"), "direct", seed=3) as via:
        one, two = await visit.join(1), await visit.join(2, via=via)
        async with watching(one, two):
            await seen(one, two)
            via.cut(1.0)
            await seen(one, two)
        cut = via.statistics()
        assert cut is not None
        assert cut["up"]["out"] > 0


async def test_the_proxy_is_the_only_way(visit: Visit) -> None:
    async with network.Network(script.Script(network=Line(loss=1.0)), "direct", seed=1) as via:
        await visit.join(1)
        two = await visit.join(2, via=via)
        async with watching(two):
            async with asyncio.timeout(10):
                while (via.statistics() or {})["up"]["lost"] < 3:  # noqa: ASYNC110  # as they go
                    await asyncio.sleep(0.02)
        assert not two.connected.is_set()
        assert two.pictures() == []


def test_impair_stands_before_relays_by_udp_only() -> None:
    with pytest.raises(errors.BadInput, match="UDP only"):
        network.Network(script.Script(network=Line(loss=0.1)), "tcp", seed=1)
