"""The same with real media workers: people who see each other, and again when their worker is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from telehealth import clock
from telehealth.consult import process
from telehealth.consult.backend import Workers
from telehealth.model.media import Slot
from telehealth.store import consultations, rooms
from telehealth.web.calls.rooms import ROOMS
from tests.integration.calls.conftest import NOW, WEB, Call, Clinic, serving, worker_of
from tests.integration.media.callers import Caller


@dataclass
class Person:
    """A browser: its socket, and its end of the media."""

    call: Call
    caller: Caller

    async def joins(self, epoch: int) -> None:
        """A new peer connection to the room as it is now."""
        await self.caller.close()
        self.caller = Caller(self.call.me)
        before = len(self.call.told)
        await self.call.say("offer", epoch=epoch, sdp=await self.caller.offer(), restart=False)
        answer = await self.call.heard("answer", epoch=epoch)
        self.caller.slots = as_slots(answer["slots"])
        await self.caller.take(answer["sdp"])
        for told in self.call.told[before:]:
            self.hears(told)

    def hears(self, told: dict[str, Any]) -> None:
        if told["t"] == "slots":
            self.caller.slots |= as_slots(told["slots"])

    async def sees(self, other: Person) -> None:
        """Pictures of somebody come in from now on."""

        def known() -> str | None:
            for told in self.call.told:
                self.hears(told)
            return self.caller.mid_of(other.call.me, "video")

        mid = await self.call.until(known)
        before = self.caller.pictures[mid]
        await self.caller.until(lambda: self.caller.pictures[mid] > before + 3)


def as_slots(found: dict[str, Any]) -> dict[str, Slot | None]:
    return {mid: None if one is None else Slot(one["participant"], one["source"]) for mid, one in found.items()}


@pytest.fixture
async def real(clinic: Clinic) -> AsyncIterator[tuple[Clinic, list[process.Process]]]:
    """The clinic with two worker processes, and with web processes that speak to them."""
    async with contextlib.AsyncExitStack() as stack:
        workers = [await process.start(host="127.0.0.1", capacity=200, log_level="warning") for _ in range(2)]
        for worker in workers:
            stack.push_async_callback(worker.end, gently=False)
        async with clinic.database.transaction(WEB) as connection:
            await rooms.remove(connection, *(one.id for one in clinic.workers))
            for worker in workers:
                later = clock.real_now() + timedelta(days=1)
                await rooms.register(connection, worker.worker, capacity=200, real_now=later)
        served = []
        for _ in range(2):
            backend = await stack.enter_async_context(Workers().running())
            served.append(await stack.enter_async_context(serving(clinic.database, backend, clinic.web[0].clock)))
        yield replace(clinic, web=served), workers


async def test_people_see_each_other_and_again_when_their_worker_is_killed(
    real: tuple[Clinic, list[process.Process]],
) -> None:
    clinic, workers = real
    visit = await clinic.visit()
    nurse = Person(await clinic.nurse(visit), Caller(0))
    guest = Person(await clinic.waits(visit), Caller(0))
    colleague = Person(await clinic.nurse(visit, "carl", at=1), Caller(0))
    people = [nurse, guest, colleague]
    try:
        await nurse.joins((await nurse.call.shows(lambda s: s["visit"]["room"]))["visit"]["room"]["epoch"])
        await clinic.admit(visit, guest.call)
        await guest.joins(1)
        await colleague.joins(1)
        await asyncio.gather(nurse.sees(guest), guest.sees(nurse), colleague.sees(guest), guest.sees(colleague))
        killed = await worker_of(clinic.database, visit)
        [pid] = [worker.pid for worker in workers if worker.worker.id == killed]
        os.kill(pid, signal.SIGKILL)
        for person in people:
            told = await person.call.heard("rebuild")
            assert told["epoch"] == 2
            await person.joins(2)
        await asyncio.gather(nurse.sees(guest), guest.sees(nurse), colleague.sees(guest), guest.sees(colleague))
        assert (await clinic.events(visit)).count("rebuilt") == 1
        # and whoever is put out sees and is seen no more
        ended = asyncio.Event()

        def look() -> None:
            if guest.caller.connection.connectionState in ("closed", "failed"):
                ended.set()

        guest.caller.connection.on("connectionstatechange", look)
        async with clinic.database.transaction(clinic.actor) as connection:
            await consultations.remove(connection, visit, guest.call.me, actor=clinic.actor, now=NOW)
        await guest.call.heard("bye", why="removed")
        await ended.wait()
    finally:
        for person in people:
            await person.caller.close()


async def test_media_go_on_while_a_web_process_dies(real: tuple[Clinic, list[process.Process]]) -> None:
    """Its sockets and its line to the worker break without a word; the browsers come back elsewhere, with the same
    transports."""
    clinic, _ = real
    visit = await clinic.visit()
    browser, path = await clinic.guest(visit)
    nurse = Person(await clinic.nurse(visit, at=1), Caller(0))
    guest = Person(await clinic.call(browser, f"/ws{path}"), Caller(0))
    try:
        await nurse.joins((await nurse.call.shows(lambda s: s["visit"]["room"]))["visit"]["room"]["epoch"])
        await guest.call.presence("checking")
        check = {"camera": "ok", "microphone": "ok", "speaker": "ok", "network": "ok", "relay": "ok"}
        await guest.call.say("ready", check=check, reason="")
        await guest.call.presence("waiting")
        await clinic.admit(visit, guest.call)
        await guest.joins(1)
        await nurse.sees(guest)
        clinic.web[0].app[ROOMS].goodbye()
        assert (await guest.call.heard("bye"))["why"] == "service"
        other = await clinic.browser(1)
        other.session.cookie_jar.update_cookies({c.key: c.value for c in browser.session.cookie_jar})
        guest.call = await clinic.call(other, f"/ws{path}")
        state = await guest.call.presence("joined")
        assert state["visit"]["room"] == {"epoch": 1}
        await nurse.sees(guest)
    finally:
        await nurse.caller.close()
        await guest.caller.close()
