"""The whole service in this process, in virtual time, for simulators that step it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telehealth import main
from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.model.health import Health
from telehealth.store import clock as clock_row
from telehealth.store.db import Database
from tests.integration.ingest.sessions import until

TOKEN = "control-token-of-the-tests"


@dataclass(frozen=True)
class Service:
    """It listens on loopback; time stands where it was put."""

    url: str
    parts: main.Parts


@contextlib.asynccontextmanager
async def running(
    database_url: str, mqtt_port: int, at: datetime, *, account: str = "telehealth"
) -> AsyncIterator[Service]:
    """Ingest, alerting and web, with the clock at a virtual moment. account: the service's at the broker."""
    given: dict[str, Any] = {
        "DATABASE_URL": database_url,
        "MQTT_URL": f"mqtt://{account}@127.0.0.1:{mqtt_port}",
        "port": 0,
    }
    settings, health = Settings.model_validate(given), Health()
    async with Database.open(database_url, size=2) as database:
        await clock_row.set_virtual(database, ClinicalClock(), at)
    stop, ports = asyncio.Event(), asyncio.Queue[int]()
    async with main.opened(settings, health, virtual=True, control_token=TOKEN) as parts, asyncio.TaskGroup() as group:
        wanted = frozenset({"ingest", "alerting", "web"})
        group.create_task(main.run(parts, wanted, stop, listening=ports.put_nowait))
        port = await ports.get()
        await until(lambda: health.parts().get("broker", "") is None)
        yield Service(f"http://127.0.0.1:{port}", parts)
        stop.set()
