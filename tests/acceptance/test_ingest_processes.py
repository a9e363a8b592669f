"""Several ingest processes on one broker: who ends or stalls is replaced, who comes gets a share, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from datetime import timedelta

import pytest

from telehealth import clock
from telehealth.store.db import Database
from tests.acceptance import fleet
from tests.conftest import Urls
from tests.integration.ingest import sessions, wards
from tests.integration.ingest.sessions import Broker, Device
from tests.support import servers, world, written

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

_MESSAGES = int(os.environ.get("TELEHEALTH_TEST_MESSAGES", "600"))
_DEVICES = 4
#: A generous one: the promise is 10 s.
_SECONDS = 60.0


async def _holders(database: Database) -> dict[int, int]:
    """Process id -> how many slots it has."""
    rows = await wards.rows(
        database, "SELECT holder FROM lease WHERE kind = 'slot' AND expires_at > clock_timestamp() ORDER BY name"
    )
    pids = [int(str(row["holder"]).split("-")[-2]) for row in rows]
    return {pid: pids.count(pid) for pid in pids}


async def _until_held(database: Database, expected: dict[int, int]) -> None:
    await written.until(
        database.url, "lease", lambda: _holders(database), lambda found: found == expected, seconds=_SECONDS
    )


async def _once(device: Device, obedient: fleet.Obedient, seqs: range) -> None:
    """Messages that are sent one time only: their shares must all be read by somebody."""
    device.receipts.clear()
    for seq in seqs:
        device.publish(obedient.kept[seq])
    settled = set[int]()
    async with asyncio.timeout(_SECONDS):
        while not settled >= set(seqs):
            receipt = await device.answered(lambda receipt: receipt["stream"] == "k", seconds=_SECONDS)
            device.receipts.remove(receipt)
            for low, high in [(1, receipt["through"]), *receipt["also"]]:
                settled |= set(range(low, high + 1))


async def test_one_stalls_one_dies_and_one_comes_back(urls: Urls, database: Database) -> None:
    """While devices send all the time. What was sent once while a process stood still is read by the other."""
    ward = await world.ward(database)
    first_at = clock.real_now() - timedelta(hours=4)
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        async with contextlib.AsyncExitStack() as stack:
            devices, obedient = [], []
            for n in range(_DEVICES + 1):
                resident = await world.resident(database, ward, admitted_at=first_at)
                known = await world.device(database, ward, f"many-{n}", resident=resident, assigned_from=first_at)
                devices.append(await stack.enter_async_context(Device(known.device_id).connected(broker)))
                obedient.append(fleet.Obedient(devices[-1], _MESSAGES // _DEVICES, first_at))
            single, once = devices.pop(), obedient.pop()
            third = max(1, _MESSAGES // _DEVICES // 3)
            a = await stack.enter_async_context(fleet.service(urls.app, broker, roles="ingest"))
            await _until_held(database, {a.pid: 2})
            b = await stack.enter_async_context(fleet.service(urls.app, broker, roles="ingest"))
            await _until_held(database, {a.pid: 1, b.pid: 1})
            async with asyncio.TaskGroup() as group:
                for each in obedient:
                    group.create_task(each.run(asyncio.Event()))
                await _once(single, once, range(1, third))
                b.send_signal(signal.SIGSTOP)
                await _once(single, once, range(third, 2 * third))
                await _until_held(database, {a.pid: 2})
                b.send_signal(signal.SIGCONT)
                await _until_held(database, {a.pid: 1, b.pid: 1})
                a.kill()
                await _once(single, once, range(2 * third, 3 * third))
                await _until_held(database, {b.pid: 2})
    sent = sum((each.sent for each in obedient), fleet.Readings())
    for key, count in once.sent.items():
        if key[-1] < 3 * third:
            sent[key] += count
    assert await fleet.stored(database) == sent


async def test_a_process_that_is_told_to_stop_leaves_its_share_at_once(urls: Urls, database: Database) -> None:
    """Its leases need not expire, and nothing that waited in its sessions is left there."""
    ward = await world.ward(database)
    first_at = clock.real_now() - timedelta(hours=4)
    resident = await world.resident(database, ward, admitted_at=first_at)
    known = await world.device(database, ward, "many-0", resident=resident, assigned_from=first_at)
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        async with contextlib.AsyncExitStack() as stack:
            device = await stack.enter_async_context(Device(known.device_id).connected(broker))
            obedient = fleet.Obedient(device, 90, first_at)
            a = await stack.enter_async_context(fleet.service(urls.app, broker, roles="ingest"))
            await _until_held(database, {a.pid: 2})
            b = await stack.enter_async_context(fleet.service(urls.app, broker, roles="ingest"))
            await _until_held(database, {a.pid: 1, b.pid: 1})
            a.send_signal(signal.SIGTERM)
            assert await a.wait() == 0
            assert await _holders(database) != {a.pid: 1, b.pid: 1}
            await _once(device, obedient, range(1, 91))
            await _until_held(database, {b.pid: 2})
            await sessions.until(lambda: b.returncode is None)
