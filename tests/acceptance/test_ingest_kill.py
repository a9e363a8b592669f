"""No reading is lost when the service is killed, however often, in the middle of a stream of messages.

Devices obey receipts: they keep every message until one settles it, and send again what is not settled.
TELEHEALTH_TEST_MESSAGES sets how many messages; CI does with few.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from datetime import timedelta

import pytest

from telehealth import clock
from telehealth.store.db import Database
from tests.acceptance import fleet
from tests.conftest import Urls
from tests.integration.ingest import sessions
from tests.integration.ingest.sessions import Broker, Device
from tests.support import servers, world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

_MESSAGES = int(os.environ.get("TELEHEALTH_TEST_MESSAGES", "1200"))
_DEVICES = 8
_KILLS = 3


async def test_kill_during_a_stream(urls: Urls, database: Database) -> None:
    """What is stored is what was sent, as a multiset, whatever was killed in between."""
    ward = await world.ward(database)
    first_at = clock.real_now() - timedelta(hours=4)
    per_device = _MESSAGES // _DEVICES
    with servers.mosquitto() as server:
        broker = Broker(server.port)
        async with contextlib.AsyncExitStack() as stack:
            obedient, done = [], []
            for n in range(_DEVICES):
                resident = await world.resident(database, ward, admitted_at=first_at)
                known = await world.device(database, ward, f"kill-{n}", resident=resident, assigned_from=first_at)
                device = await stack.enter_async_context(Device(known.device_id).connected(broker))
                obedient.append(fleet.Obedient(device, per_device, first_at))
            async with asyncio.TaskGroup() as group:
                for each in obedient:
                    done.append(asyncio.Event())
                    group.create_task(each.run(done[-1]))
                for kill in range(_KILLS):
                    async with fleet.service(urls.app, broker):
                        threshold = _MESSAGES * (_KILLS - kill) // (_KILLS + 1)
                        await sessions.until(lambda: sum(len(o.kept) for o in obedient) <= threshold, seconds=90)  # noqa: B023  # awaited within the turn
                async with fleet.service(urls.app, broker):
                    for event in done:
                        await event.wait()
    stored = await fleet.stored(database)
    assert stored == sum((each.sent for each in obedient), fleet.Readings())
