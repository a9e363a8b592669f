"""The composition root: opens what the roles of this process need, runs them, stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from devices import formats
from telehealth import failpoints, log
from telehealth.alerting import evaluator
from telehealth.brokers import control, keeping, rules
from telehealth.clock import ClinicalClock
from telehealth.config import Settings
from telehealth.consult import backend as media_backend
from telehealth.consult import service as media_workers
from telehealth.consult import upkeep as visits_upkeep
from telehealth.errors import SettingError, TelehealthError, Unavailable
from telehealth.ingest import address, elsewhere
from telehealth.ingest import service as ingest
from telehealth.model.health import Health
from telehealth.model.simulator import Simulator
from telehealth.notify import service as notify
from telehealth.notify import smtp
from telehealth.store import clock as clock_row
from telehealth.store import db, recordings, schema
from telehealth.store.db import Database
from telehealth.upkeep import job as upkeep
from telehealth.web import app as web_app
from telehealth.web import server

_log = log.get("main")

ROLES = ("ingest", "alerting", "web", "consult", "notify")
#: Each part has so long to finish what it has in hand; the whole stop stays within 5 s.
_STOP_SECONDS = 1.5
#: How often a database is looked for that was not there at the start.
_AWAY_SECONDS = 2.0


@dataclass(frozen=True)
class Parts:
    """What the roles of one process share."""

    settings: Settings
    database: Database
    clock: ClinicalClock
    health: Health
    #: With it the simulator that this process started may move a virtual clock.
    control_token: str | None = None
    #: The simulator that this process started, for its testers' page.
    simulator: Simulator | None = None


def roles(settings: Settings) -> frozenset[str]:
    """The roles of this process. Raises SettingError for one that does not exist."""
    wanted = frozenset(settings.roles.split(","))
    if wanted - set(ROLES):
        raise SettingError("TELEHEALTH_ROLES", f"must be some of {','.join(ROLES)}")
    return wanted


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, health: Health, *, virtual: bool = False, control_token: str | None = None
) -> AsyncIterator[Parts]:
    """Open the database and the clock. virtual: a virtual clock is allowed (demo and tests only)."""
    if settings.failpoints is not None:
        _log.warning("failpoints are armed: this process stops where a watcher wants it to, which is for tests only")
    failpoints.arm(settings.failpoints)
    simulator = _simulator(settings, control_token)
    async with Database.open(
        settings.needed("database_url"),
        size=settings.database_connections,
        stall_seconds=settings.database_stall_seconds,
    ) as database:
        await schema.check(database)
        async with database.transaction(db.service("main"), read_only=True) as connection:
            step = await clock_row.read(connection)
        if step is not None and not virtual:
            raise SettingError("DATABASE_URL", "is a demo's or a test's database: its clock is virtual")
        yield Parts(settings, database, ClinicalClock(step), health, control_token, simulator)


def _simulator(settings: Settings, control_token: str | None) -> Simulator | None:
    if control_token is not None:
        # It says where it listens once it does.
        return Simulator(None, control_token)
    if settings.simulator_url is None:
        return None
    return Simulator(settings.simulator_url, settings.needed("simulator_token"))


async def run(
    parts: Parts, wanted: frozenset[str], stop: asyncio.Event, *, listening: Callable[[int], None] | None = None
) -> None:
    """Run the roles until stop is set or one of them fails; the failure is raised.

    listening is called with the port once the web role answers.
    """
    if "consult" in wanted:
        media_workers.ready()
    if wanted & {"ingest", "web"}:
        _adapters()
    jobs: dict[str, Coroutine[Any, Any, None]] = {
        "clock": clock_row.follow(parts.database, parts.clock),
    }
    # In the order in which they stop: nothing new comes in, what came in is judged, screens go last.
    if "ingest" in wanted:
        jobs = {"ingest": _ingest(parts)} | jobs
    if "alerting" in wanted:
        jobs["alerting"] = evaluator.run(database=parts.database, clock=parts.clock, health=parts.health)
    if wanted & {"ingest", "alerting"}:
        jobs["upkeep"] = upkeep.run(database=parts.database, clock=parts.clock, settings=parts.settings)
    if "consult" in wanted:
        jobs["visits"] = visits_upkeep.run(database=parts.database, clock=parts.clock, settings=parts.settings)
    if "notify" in wanted:
        jobs["notify"] = notify.run(settings=parts.settings, database=parts.database, clock=parts.clock)
    if "web" in wanted:
        jobs["web"] = _web(parts, listening)
        if "ingest" not in wanted:
            jobs["elsewhere"] = elsewhere.watch(parts.database, parts.health)
    if "ingest" in wanted and parts.settings.mqtt_admin_url is not None:
        jobs["broker"] = _broker(parts)
    if "consult" in wanted:
        jobs["media"] = media_workers.run(database=parts.database, settings=parts.settings)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job, name=name) for name, job in jobs.items()]
            stopper = group.create_task(_stop_in_order(stop, tasks), name="stopper")
            for task in tasks:
                task.add_done_callback(lambda done: None if done.cancelled() or stop.is_set() else stopper.cancel())
    except* TelehealthError as failed:
        raise failed.exceptions[0] from None


def _adapters() -> None:
    """Loads the adapters before anything waits for one, and tells of those that cannot be used."""
    found = formats.adapters()
    for name, reason in found.broken.items():
        _log.warning("an adapter cannot be used", format=name, reason=reason)
    if found.decoders:
        _log.info("adapters", formats=sorted(found.decoders))


async def _stop_in_order(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    await stop.wait()
    for task in tasks:
        task.cancel()
        _, late = await asyncio.wait([task], timeout=_STOP_SECONDS)
        if late:
            _log.warning("a part did not stop in time", part_name=task.get_name())


async def _ingest(parts: Parts) -> None:
    await ingest.run(settings=parts.settings, database=parts.database, clock=parts.clock, health=parts.health)


async def _broker(parts: Parts) -> None:
    """Mosquitto's roles follow the registry."""
    settings = parts.settings
    admin = address.of(settings, administration=True)
    account = control.account(admin.host, admin.port, admin.username, admin.password, admin.secured())
    service = address.of(settings).username or rules.SERVICE
    await keeping.follow(parts.database, keeping.dynamic_security(account, service))


async def _web(parts: Parts, listening: Callable[[int], None] | None) -> None:
    settings = parts.settings
    async with media_backend.Workers().running() as media:
        application = web_app.build(
            settings=settings,
            database=parts.database,
            clock=parts.clock,
            health=parts.health,
            control_token=parts.control_token,
            simulator=parts.simulator,
            media=media,
        )
        runner = server.Runner(application, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.host, settings.port, ssl_context=_tls(settings))
            try:
                await site.start()
            except OSError:
                wrong = f"port {settings.port} of {settings.host} cannot be used"
                raise SettingError("TELEHEALTH_PORT", wrong) from None
            if listening is not None:
                listening(int(runner.addresses[0][1]))
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None and settings.tls_key is None:
        return None
    if settings.tls_certificate is None or settings.tls_key is None:
        raise SettingError("TELEHEALTH_TLS_KEY", "and TELEHEALTH_TLS_CERTIFICATE go together")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError):
        raise SettingError("TELEHEALTH_TLS_CERTIFICATE", "or its key cannot be read") from None
    return context


@contextlib.contextmanager
def stop_by_signal(stop: asyncio.Event) -> Any:
    """Set stop on SIGINT or SIGTERM while the block runs."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _serve_once(settings: Settings, wanted: frozenset[str], stop: asyncio.Event) -> bool:
    """False: the database is not there yet, as where a machine starts the service first."""
    if stop.is_set():
        return True
    async with contextlib.AsyncExitStack() as stack:
        try:
            parts = await stack.enter_async_context(opened(settings, Health()))
        except Unavailable:
            _log.warning("the database cannot be reached: waiting for it")
            return False
        await run(parts, wanted, stop, listening=lambda port: _log.info("web listens", port=port))
    return True


async def serve(settings: Settings) -> None:
    """Production: run the configured roles until a signal, once the database is there.

    Raises SettingError before anything is opened.
    """
    wanted = roles(settings)
    settings.needed("database_url")
    if "ingest" in wanted:
        address.of(settings)
        if settings.mqtt_admin_url is not None:
            address.of(settings, administration=True)
    if "notify" in wanted:
        smtp.server(settings)
    if "consult" in wanted:
        media_workers.ready()
    recordings.place(settings)
    stop = asyncio.Event()
    with stop_by_signal(stop):
        while not await _serve_once(settings, wanted, stop):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _AWAY_SECONDS)
