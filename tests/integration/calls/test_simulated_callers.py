"""The simulator's callers come by their links to the service with a real media worker, as residents do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from simulator.callers import clip, crowd, line, peer, script
from simulator.callers.caller import Caller
from simulator.callers.report import Report
from telehealth import clock
from telehealth.consult import process
from telehealth.consult.backend import Workers
from telehealth.store import consultations, rooms
from tests.integration.calls.conftest import NOW, WEB, Clinic, serving
from tests.support import written

FACE = clip.face(1, 160, 120, 15, 100_000)


@pytest.fixture
async def ward(clinic: Clinic) -> AsyncIterator[Clinic]:
    """The clinic with a worker, and one web process that speaks to it."""
    async with contextlib.AsyncExitStack() as stack:
        worker = await process.start(host="127.0.0.1", capacity=200, log_level="warning")
        stack.push_async_callback(worker.end, gently=False)
        async with clinic.database.transaction(WEB) as connection:
            await rooms.remove(connection, *(one.id for one in clinic.workers))
            later = clock.real_now() + timedelta(days=1)
            await rooms.register(connection, worker.worker, capacity=200, real_now=later)
        backend = await stack.enter_async_context(Workers().running())
        served = await stack.enter_async_context(serving(clinic.web[0].database, backend, clinic.web[0].clock))
        yield replace(clinic, web=[served])


async def link(clinic: Clinic, visit: int, *, guest: bool = False, born: date | None = None) -> line.Link:
    token = await clinic.link(visit, role="carer" if guest else "resident")
    return line.Link(f"{clinic.web[0].url}/join/{token}", None if guest else born or date(1950, 5, 17))


async def admit(clinic: Clinic, visit: int, count: int) -> None:
    """Whoever waits, until so many were let in."""
    admitted: set[int] = set()
    while len(admitted) < count:
        async with clinic.database.transaction(clinic.actor) as connection:
            for person in (await consultations.load(connection, visit)).people:
                if person.state == "waiting" and person.role != "staff":
                    await consultations.admit(connection, visit, person.id, actor=clinic.actor, now=NOW)
                    admitted.add(person.id)
        await asyncio.sleep(0.02)


def caller(name: str, found: line.Link, text: str) -> Caller:
    sending = peer.Sending(FACE, clip.tone(), cameras=2)
    return Caller(name, found, script.parse(text), sending)


async def test_they_wait_join_do_as_their_script_says_and_leave(ward: Clinic) -> None:
    visit = await ward.visit(kind="carer")
    resident = caller(
        "caller 1",
        await link(ward, visit),
        """
        reason = "my knee"
        then = [
            { at = 1.0, do = "say", text = "hello" }, { at = 1.1, do = "hand_up" },
            { at = 1.2, do = "mute" }, { at = 1.4, do = "unmute" }, { at = 2.5, do = "leave" },
        ]
        """,
    )
    carer = caller("caller 2", await link(ward, visit, guest=True), "")
    stop = asyncio.Event()
    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        group.create_task(admit(ward, visit, 2))
        staying = group.create_task(carer.run(stop))
        left = await resident.run(stop)
        stop.set()
    stayed: Report = staying.result()
    assert (left.ended, left.trouble, left.refused) == ("left", None, [])
    assert (stayed.ended, stayed.trouble, stayed.refused) == ("stopped", None, [])
    assert left.waited is not None
    for report in (left, stayed):
        assert report.frames > 5
        assert report.voice_packets > 20
        assert len(report.join) == report.connections == 1
    events = await written.until(
        ward.database.url, "consultation_event", lambda: ward.events(visit), lambda found: "left" in found
    )
    assert {"arrived", "admitted", "joined", "chat"} <= set(events)
    found = crowd.summary([left, stayed])
    assert (found["joined"], found["callers"]) == (2, 2)


async def test_a_dropped_tab_comes_back_to_where_it_was(ward: Clinic) -> None:
    visit = await ward.visit(kind="carer")
    text = "then = [{ at = 0.5, do = 'drop', seconds = 0.2 }, { at = 3.5, do = 'leave' }]"
    resident = caller("caller 1", await link(ward, visit), text)
    carer = caller("caller 2", await link(ward, visit, guest=True), "")
    stop = asyncio.Event()
    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        group.create_task(admit(ward, visit, 2))
        group.create_task(carer.run(stop))
        report = await resident.run(stop)
        stop.set()
    assert (report.ended, report.sockets, report.connections) == ("left", 2, 2)
    assert len(report.join) == 2


async def test_a_wrong_date_of_birth_is_said_and_no_more(ward: Clinic) -> None:
    visit = await ward.visit()
    found = await link(ward, visit, born=date(1951, 5, 17))
    report = await caller("caller 1", found, "").run(asyncio.Event())
    assert report.ended == "trouble"
    assert report.trouble == "the date of birth was not taken (HTTP 422)"
    assert found.url not in str(report.plain())


async def test_nobody_lets_them_in_until_their_patience_ends(ward: Clinic) -> None:
    visit = await ward.visit()
    report = await caller("caller 1", await link(ward, visit), "patience = 1").run(asyncio.Event())
    assert (report.ended, report.connections, report.frames) == ("nobody let me in", 0, 0)
