"""The ingest role: both lanes, and the sessions of the slots that this process has, until cancelled."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import socket
from collections.abc import Callable, Sequence

from telehealth import log
from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.ingest import address, commands, lane, places, seen, slots
from telehealth.ingest.session import Session
from telehealth.model.health import Health
from telehealth.store.db import Database

_log = log.get("ingest")
#: From the request to stop until whatever is left is abandoned; nothing is lost by it.
_STOP_SECONDS = 4.0
#: Of the slots, the one whose process tells devices what was seen, and what they are asked to do.
_FIRST = places.slot(0)
#: Speaks for the sessions that are not there yet.
_START = "start"


class _Troubles:
    """The troubles of lanes and sessions as the service's: a part works when it works for every one of them."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._troubles: dict[tuple[str, str], str] = {}

    def report(self, name: str, part: str, trouble: str | None) -> None:
        if trouble is None:
            if self._troubles.pop((part, name), None) is None and part in self._health.parts():
                return
        else:
            self._troubles[part, name] = trouble
        worst = self.of(part)
        if worst is None:
            self._health.good(part)
        else:
            self._health.bad(part, worst)

    def of(self, part: str, *, beside: str | None = None) -> str | None:
        """The first trouble of a part. beside: other than of this one."""
        found = {name: why for (p, name), why in self._troubles.items() if p == part and name != beside}
        starting = found.pop(_START, None)
        return next(iter(found.values()), starting)

    def ours(self) -> str | None:
        """What is wrong with this process's share of the work."""
        return self.of("ingest", beside="others") or self.of("broker")


class _Service:
    """Both lanes, and how sessions for them are made."""

    def __init__(self, settings: Settings, database: Database, clock: ClinicalClock, health: Health) -> None:
        self._settings = settings
        self._address = address.parse(settings.needed("mqtt_url"))
        self.troubles = _Troubles(health)
        live = lane.Worker("live", lane.LIVE, database=database, clock=clock, report=self._reporter("live"))
        backlog = lane.Worker(
            "backlog",
            lane.BACKLOG,
            database=database,
            clock=clock,
            report=self._reporter("backlog"),
            gives_way_to=live,
        )
        self.workers = {"live": live, "backlog": backlog}
        self.keeper = slots.Keeper(
            database=database,
            count=settings.ingest_slots,
            holder=f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}",
            sessions=self._sessions,
            report=lambda what, trouble: self.troubles.report(what, "ingest", trouble),
            own_trouble=self.troubles.ours,
            steady=self._steady,
        )

    def _reporter(self, name: str) -> lane.Report:
        return lambda part, trouble: self.troubles.report(name, part, trouble)

    def _sessions(self, name: str, groups: Sequence[str]) -> Sequence[Session]:
        windows = {"live": self._settings.ingest_window, "backlog": self._settings.ingest_backlog_window}
        return [
            Session(
                place,
                self.workers[place.lane],
                address=self._address,
                window=max(1, windows[place.lane] // self._settings.ingest_slots),
                whole_window=windows[place.lane],
                report=self._session_reporter(place.client_id),
                confirm=self.keeper.confirmed,
                learnt=self.keeper.learnt,
            )
            for place in places.of_slot(name, groups)
        ]

    def _session_reporter(self, client_id: str) -> Callable[[str | None], None]:
        return lambda trouble: self.troubles.report(client_id, "broker", trouble)

    def _steady(self) -> None:
        # A process without a slot needs no broker: it stands by.
        if self.keeper.started:
            self.troubles.report(_START, "broker", None)
        for worker in self.workers.values():
            worker.writes_again()


async def run(*, settings: Settings, database: Database, clock: ClinicalClock, health: Health) -> None:
    """Take readings in until cancelled; then the batches under way are finished. Raises SettingError for MQTT_URL."""
    # A batch's objects live until its commit: by default all of them would be looked through again and again.
    gc.set_threshold(50_000, 20, 50)
    service = _Service(settings, database, clock, health)
    live, keeper = service.workers["live"], service.keeper
    service.troubles.report(_START, "broker", "not connected yet")
    health.good("ingest")
    async with asyncio.TaskGroup() as group:
        lanes = [group.create_task(worker.run(), name="ingest lane") for worker in service.workers.values()]
        keeping = group.create_task(keeper.run(), name="ingest slots")
        telling = group.create_task(
            seen.run(database, clock, live.publish, lambda: keeper.holds(_FIRST)), name="ingest seen"
        )
        asking = group.create_task(
            commands.run(
                database, clock, live.publish_confirmed, lambda: keeper.holds(_FIRST), public_url=settings.public_url
            ),
            name="ingest commands",
        )
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            telling.cancel()
            asking.cancel()
            for worker in service.workers.values():
                worker.stop()
            await asyncio.wait(lanes, timeout=_STOP_SECONDS)
            keeping.cancel()
            await asyncio.wait([keeping])
            await keeper.farewell()
            _log.info("ingest has stopped")
            raise
