"""No reading is lost when the service is killed, however often, in the middle of a stream of messages.

Devices obey receipts: they keep every message until one settles it, and send again what is not settled.
TELEHEALTH_TEST_MESSAGES sets how many messages; CI does with few.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from telehealth import clock
from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.ingest import sessions, wards
from tests.integration.ingest.sessions import Broker, Device
from tests.support import servers, world

pytestmark = [pytest.mark.postgres, pytest.mark.broker]

_MESSAGES = int(os.environ.get("TELEHEALTH_TEST_MESSAGES", "1200"))
_DEVICES = 8
_KILLS = 3


@contextlib.asynccontextmanager
async def _service(database_url: str, broker: Broker) -> AsyncIterator[asyncio.subprocess.Process]:
    """The service's ingest and alerting in a process of its own; killed at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telehealth", "serve", "--roles", "ingest,alerting"),
        env=os.environ | {"DATABASE_URL": database_url, "MQTT_URL": broker.url("telehealth")},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


class Obedient:
    """A device with its messages: each is kept until a receipt settles it."""

    def __init__(self, device: Device, count: int, first_at: datetime) -> None:
        self.device = device
        self.kept: dict[int, bytes] = {}
        self.sent: Counter[tuple[str, str, str, str, str, int]] = Counter()
        for seq in range(1, count + 1):
            at = wards.rfc3339(first_at + timedelta(seconds=seq))
            readings = [
                {"code": "spo2", "value": 90 + seq % 8, "unit": "%", "taken_at": at},
                {"code": "weight", "value": 150.5, "unit": "[lb_av]", "taken_at": at},
            ]
            self.kept[seq] = wards.envelope(*readings, seq=seq, stream="k", sent_at=at)
            for one in readings:
                self.sent[
                    self.device.device_id, str(one["code"]), json.dumps(one["value"]), str(one["unit"]), at, seq
                ] += 1

    async def run(self, all_settled: asyncio.Event) -> None:
        while self.kept:
            for payload in list(self.kept.values())[:200]:
                self.device.publish(payload)
            with contextlib.suppress(TimeoutError):
                await self.device.answered(self._settles, seconds=2)
            self.device.receipts.clear()
        all_settled.set()

    def _settles(self, receipt: dict[str, object]) -> bool:
        """Forget what a receipt settles; True once nothing is kept."""
        assert receipt["refused"] == []
        also = receipt["also"]
        assert isinstance(also, list)
        for low, high in [(1, receipt["through"]), *also]:
            for seq in [seq for seq in self.kept if low <= seq <= high]:
                del self.kept[seq]
        return not self.kept


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
                obedient.append(Obedient(device, per_device, first_at))
            async with asyncio.TaskGroup() as group:
                for each in obedient:
                    done.append(asyncio.Event())
                    group.create_task(each.run(done[-1]))
                for kill in range(_KILLS):
                    async with _service(urls.app, broker):
                        threshold = _MESSAGES * (_KILLS - kill) // (_KILLS + 1)
                        await sessions.until(lambda: sum(len(o.kept) for o in obedient) <= threshold, seconds=90)  # noqa: B023
                async with _service(urls.app, broker):
                    for event in done:
                        await event.wait()
    found = await wards.rows(
        database,
        "SELECT d.device_id, r.code, coalesce(r.value_sent, trim_scale(r.value::numeric)::text) AS value,"
        " coalesce(r.unit_sent, r.unit) AS unit, r.taken_at, r.seq FROM reading r JOIN device d ON d.id = r.device_pk",
    )
    stored = Counter(
        (r["device_id"], r["code"], r["value"], r["unit"], wards.rfc3339(r["taken_at"]), r["seq"]) for r in found
    )
    sent = sum((each.sent for each in obedient), Counter[tuple[str, str, str, str, str, int]]())
    assert stored == sent
