"""The ingest role: both lanes, until cancelled."""

from __future__ import annotations

import asyncio
import gc

from telehealth import log
from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.ingest import address, lane
from telehealth.model.health import Health
from telehealth.store.db import Database

_log = log.get("ingest")
#: From the request to stop until whatever is left is abandoned; nothing is lost by it.
_STOP_SECONDS = 4.0


class _Troubles:
    """The lanes' troubles as the service's: a part works when it works for every lane."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._troubles: dict[tuple[str, str], str | None] = {}

    def report(self, name: str, part: str, trouble: str | None) -> None:
        key = (part, name)
        if key in self._troubles and self._troubles[key] == trouble:
            return
        self._troubles[key] = trouble
        worst = next((why for (p, _), why in self._troubles.items() if p == part and why is not None), None)
        if worst is None:
            self._health.good(part)
        else:
            self._health.bad(part, worst)


async def run(
    *, settings: Settings, database: Database, clock: ClinicalClock, health: Health, instance: str = ""
) -> None:
    """Take readings in until cancelled; then the batches under way are finished. Raises SettingError for MQTT_URL."""
    # A batch's objects live until its commit: by default all of them would be looked through again and again.
    gc.set_threshold(50_000, 20, 50)
    where = address.of(settings)
    troubles = _Troubles(health)
    workers: list[lane.Worker] = []
    for plan in lane.plans(instance, settings.ingest_window, settings.ingest_backlog_window):

        def report(part: str, trouble: str | None, name: str = plan.name) -> None:
            troubles.report(name, part, trouble)

        report("broker", "not connected yet")
        workers.append(lane.Worker(plan, address=where, database=database, clock=clock, report=report))
    health.good("ingest")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(worker.run(), name="ingest lane") for worker in workers]
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            for worker in workers:
                worker.stop()
            await asyncio.wait(tasks, timeout=_STOP_SECONDS)
            _log.info("ingest has stopped")
            raise
