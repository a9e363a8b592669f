"""Devices that obey receipts, and the service in processes of its own that may be killed or stopped."""

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

from telehealth.store.db import Database
from tests.integration.ingest import wards
from tests.integration.ingest.sessions import Broker, Device

#: How often: device, code, value and unit as sent, time, seq.
Readings = Counter[tuple[str, str, str, str, str, int]]


@contextlib.asynccontextmanager
async def service(
    database_url: str, broker: Broker, *, roles: str = "ingest,alerting", **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Roles of the service in a process of its own; killed at the end of the block. settings: further variables."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telehealth", "serve", "--roles", roles),
        env=os.environ | {"DATABASE_URL": database_url, "MQTT_URL": broker.url("telehealth")} | settings,
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
        self.sent: Readings = Counter()
        #: How often everything kept was sent.
        self.rounds = 0
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
            self.rounds += 1
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


async def stored(database: Database) -> Readings:
    """What is in the tables, to be compared with what was sent."""
    found = await wards.rows(
        database,
        "SELECT d.device_id, r.code, coalesce(r.value_sent, trim_scale(r.value::numeric)::text) AS value,"
        " coalesce(r.unit_sent, r.unit) AS unit, r.taken_at, r.seq FROM reading r JOIN device d ON d.id = r.device_pk",
    )
    return Readings(
        (r["device_id"], r["code"], r["value"], r["unit"], wards.rfc3339(r["taken_at"]), r["seq"]) for r in found
    )
