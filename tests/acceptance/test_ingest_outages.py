"""The disk of the database full, then freed: nothing receipted is missing, and the service is not restarted."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from telehealth import clock
from telehealth.model.health import Health
from telehealth.postgres import supervisor
from telehealth.store import migrate
from telehealth.store.db import Database
from tests.acceptance import disk, fleet
from tests.integration.ingest import sessions
from tests.integration.ingest.sessions import Broker, Device
from tests.support import servers, world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

_DEVICES = 4
_EACH = 150


async def _readyz(port: int) -> Any:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(f"http://127.0.0.1:{port}/readyz") as response,
        ):
            return json.loads(await response.text())
    return {"ready": None, "parts": {}}


async def _until_ready(port: int, ready: bool) -> dict[str, str]:
    async with asyncio.timeout(90):
        while (found := await _readyz(port))["ready"] is not ready:  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.1)
        parts: dict[str, str] = found["parts"]
        return parts


async def test_a_full_disk() -> None:
    """PostgreSQL refuses, or ends and is started again; devices keep sending; then there is space."""
    first_at = clock.real_now() - timedelta(hours=4)
    port = servers.free_port()
    with servers.mosquitto() as server:
        async with contextlib.AsyncExitStack() as stack:
            small = stack.enter_context(disk.small())
            cluster = await stack.enter_async_context(supervisor.running(small.folder, lambda role: "test", Health()))
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(cluster.keep_running())
                await migrate.migrate(cluster.url("telehealth_owner"))
                url, broker = cluster.url("telehealth_app"), Broker(server.port)
                obedient = []
                async with Database.open(url) as database:
                    ward = await world.ward(database)
                    for n in range(_DEVICES):
                        resident = await world.resident(database, ward, admitted_at=first_at)
                        await world.device(database, ward, f"full-{n}", resident=resident, assigned_from=first_at)
                        device = await stack.enter_async_context(Device(f"full-{n}").connected(broker))
                        obedient.append(fleet.Obedient(device, _EACH, first_at))
                serving = fleet.service(
                    url, broker, roles="ingest,alerting,web", TELEHEALTH_PORT=str(port), TELEHEALTH_LOG_LEVEL="error"
                )
                async with serving as service:
                    assert "ok" in set((await _until_ready(port, True)).values())
                    first = obedient.pop()
                    async with asyncio.timeout(60):
                        await first.run(asyncio.Event())
                    await small.full()
                    tasks = [group.create_task(each.run(asyncio.Event())) for each in obedient]
                    parts = await _until_ready(port, False)
                    assert any(
                        text.startswith(("readings are not being stored: the", "the ")) for text in parts.values()
                    )
                    # Every device has sent again in vain.
                    await sessions.until(lambda: all(each.rounds > 2 for each in obedient), seconds=60)
                    await small.free()
                    await _until_ready(port, True)
                    async with asyncio.timeout(90):
                        await asyncio.wait(tasks)
                    assert service.returncode is None
                async with Database.open(url) as database:
                    stored = await fleet.stored(database)
                keeper.cancel()
    assert stored == sum((each.sent for each in [first, *obedient]), fleet.Readings())
