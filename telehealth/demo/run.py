"""Starts the demo's parts in order, says when they are ready, and stops them within 5 s."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import shlex
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from devices import topics
from telehealth import clock, log, main
from telehealth.brokers import embedded, rules
from telehealth.config import Settings
from telehealth.demo import cast, child, rounds, seed, vault, visits
from telehealth.errors import SettingError, Unavailable
from telehealth.model.health import Health
from telehealth.postgres import supervisor
from telehealth.store import alerts, credentials, db, migrate
from telehealth.store import clock as clock_row
from telehealth.store.db import Database

_log = log.get("demo")

HISTORY = timedelta(days=14)
HOST = "127.0.0.1"
#: What ingest subscribes to; devices of the last run are often back before it has.
_FROM_DEVICES = [name for channel in topics.FROM_DEVICE for name in topics.filters(channel)]
#: A later start waits so long for the gap since the last one to be filled, then says it is ready.
_GAP_SECONDS = 15.0


@dataclass(frozen=True)
class Options:
    port: int
    mqtt_port: int
    folder: Path
    residents: int
    seed: int
    speed: float
    simulator: bool


@dataclass(frozen=True)
class World:
    """What the first start decided; later starts on the same data directory keep to it."""

    residents: int
    seed: int
    start: datetime
    #: Other than 1: time stays virtual for good.
    speed: float
    #: Data directories of before there was one have none.
    care_home: bool = False


@dataclass(frozen=True)
class Ready:
    """What the user is told."""

    url: str
    mqtt_port: int
    database_url: str
    logins: list[dict[str, Any]]
    devices: list[dict[str, Any]]
    #: Of care homes: apart, as they are nobody's alone.
    shared_kits: list[dict[str, Any]]
    #: Lets who started the demo step its time, while that is virtual (--speed other than 1).
    control_token: str

    def as_json(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "mqtt": {"host": HOST, "port": self.mqtt_port},
            "database_url": self.database_url,
            "logins": self.logins,
            "devices": self.devices,
            "shared_kits": self.shared_kits,
            "control_token": self.control_token,
        }


async def demo(options: Options, tell: Callable[[Ready], None], heard: Callable[[dict[str, Any]], None]) -> None:
    """Run until a signal. tell is called once, with everything up and the history in; heard gets its events."""
    passwords, lock = vault.open_directory(options.folder)
    stop = asyncio.Event()
    with lock, main.stop_by_signal(stop):
        world = _world(options)
        port, mqtt_port = _free(options.port, "--port"), _free(options.mqtt_port, "--mqtt-port")
        health = Health()
        people = cast.people(residents=world.residents, seed=world.seed, start=world.start, care_home=world.care_home)
        async with supervisor.running(options.folder, passwords, health) as server:
            if stop.is_set():
                return
            await migrate.migrate(server.url("telehealth_owner"))
            settings = _settings(options.folder, server, passwords, port, mqtt_port)
            _tell_commands(options.folder, settings)
            async with main.opened(settings, health, virtual=True, control_token=passwords("control token")) as parts:
                await seed.ensure(parts.database, lambda: people, passwords, world.start)
                await _read_clock(parts)
                lookup = _lookup(parts.database)
                account = passwords("broker account")
                async with embedded.running(mqtt_port, lookup, account, awaited=_FROM_DEVICES) as broker:
                    demo_run = _Demo(options, world, people, passwords, parts, server, broker, port, mqtt_port)
                    await demo_run.run(stop, tell, heard)


class _Demo:
    """The parts of one run, once they are open."""

    def __init__(
        self,
        options: Options,
        world: World,
        people: Sequence[cast.Person],
        passwords: vault.Vault,
        parts: main.Parts,
        server: supervisor.Server,
        broker: embedded.EmbeddedBroker,
        port: int,
        mqtt_port: int,
    ) -> None:
        self._options, self._world, self._people, self._passwords = options, world, people, passwords
        self._parts, self._server, self._broker = parts, server, broker
        self._url = f"http://{HOST}:{port}"
        self._mqtt_port = mqtt_port
        self._listening = asyncio.Event()
        self._history_done = asyncio.Event()

    async def run(
        self, stop: asyncio.Event, tell: Callable[[Ready], None], heard: Callable[[dict[str, Any]], None]
    ) -> None:
        def noted(event: dict[str, Any]) -> None:
            if event.get("event") == "history_done":
                self._history_done.set()
            if event.get("event") == "listening" and self._parts.simulator is not None:
                self._parts.simulator.url = str(event.get("url"))
            heard(event)

        async with asyncio.TaskGroup() as group:
            around = [
                group.create_task(self._server.keep_running(), name="postgres"),
                group.create_task(self._broker.watch(), name="broker"),
                group.create_task(self._follow_registry(), name="registry"),
                group.create_task(self._feed(stop, noted), name="simulator"),
                group.create_task(self._announce(tell), name="announce"),
            ]
            await main.run(self._parts, frozenset(main.ROLES), stop, listening=lambda _port: self._listening.set())
            for task in around:
                task.cancel()

    async def _feed(self, stop: asyncio.Event, heard: Callable[[dict[str, Any]], None]) -> None:
        """The simulator, from when the web role answers until stop."""
        await self._listening.wait()
        folder = self._options.folder / "simulator"
        devices = child.write_world(folder, self._people, self._passwords, HOST, self._mqtt_port)
        step = self._parts.clock.step
        token = self._parts.control_token
        assert token is not None
        plan = child.Plan(
            folder=folder,
            url=self._url,
            seed=self._world.seed,
            speed=self._world.speed,
            live=self._options.simulator,
            history_from=step.at if step is not None else None,
            control_token=token,
        )
        async with asyncio.TaskGroup() as group:
            running = group.create_task(child.keep_running(plan, devices, heard), name="simulator process")
            stopping = group.create_task(stop.wait(), name="stop")
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            running.cancel()
            stopping.cancel()

    async def _announce(self, tell: Callable[[Ready], None]) -> None:
        first = self._parts.clock.virtual
        await self._listening.wait()
        while not self._parts.health.ready:  # noqa: ASYNC110  # health is told, it does not tell
            await asyncio.sleep(0.02)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if first else _GAP_SECONDS):
                await self._history_done.wait()
        # Time may be virtual at a later start, too: once somebody let it go by faster it stays ahead.
        furnished = self._options.folder / "furnished"
        if first and not furnished.exists():
            await rounds.walk(self._parts.database, self._parts.clock.now())
            await visits.plan(self._parts.database, self._parts.clock.now())
            furnished.touch(mode=0o600)
        tell(await self._ready())

    async def _ready(self) -> Ready:
        async with self._parts.database.transaction(db.service("demo"), read_only=True) as connection:
            counts = await alerts.open_by_nhs_number(connection)
        devices = [
            {
                "device_id": device.device_id,
                "password": self._passwords(f"device {device.device_id}"),
                "nhs_number": person.nhs_number,
                "ward": person.ward,
                "codes": list(device.codes),
                "rules": person.limits(device),
                "open_alerts": counts.get(person.nhs_number, 0),
                # For telehealth-sim run, so that it goes on with the same person.
                "resident": person.simulated(),
            }
            for person in self._people
            for device in person.devices
        ]
        logins = [
            {
                "role": login.role,
                "username": login.username,
                "password": self._passwords(f"login {login.username}"),
                "ward": login.wards[0] if len(login.wards) == 1 else None,
            }
            for login in seed.LOGINS
        ]
        token = self._passwords("control token")
        kits = [{**child.shared(kit, self._passwords), "ward": kit.ward} for kit in cast.shared_kits(self._people)]
        return Ready(self._url, self._mqtt_port, self._server.url("telehealth_app"), logins, devices, kits, token)

    async def _follow_registry(self) -> None:
        """Hang up at once on a device whose credentials are revoked; the broker looks by itself now and then."""
        changed: asyncio.Queue[str] = asyncio.Queue(maxsize=1000)

        def heard(device_id: str) -> None:
            with contextlib.suppress(asyncio.QueueFull):
                changed.put_nowait(device_id)

        while True:
            try:
                async with self._parts.database.listen("registry", heard) as lost, asyncio.TaskGroup() as group:
                    recheck = group.create_task(self._recheck(changed))
                    await lost.wait()
                    recheck.cancel()
            except* db.AWAY:
                pass
            await asyncio.sleep(1)

    async def _recheck(self, changed: asyncio.Queue[str]) -> None:
        while True:
            device_id = await changed.get()
            with contextlib.suppress(Unavailable):
                await self._broker.recheck(device_id or None)


def _world(options: Options) -> World:
    """The world of the data directory; decided and kept at the first start."""
    path = options.folder / "world.json"
    if path.exists():
        world = msgspec.json.decode(path.read_bytes(), type=World)
        if world.speed != options.speed:
            raise SettingError("--speed", f"this data directory runs at {world.speed:g}: name another --data-dir")
        if (world.residents, world.seed) != (options.residents, options.seed):
            _log.warning("the data directory keeps its residents and seed", residents=world.residents, seed=world.seed)
        return world
    start = (clock.real_now() - HISTORY).replace(minute=0, second=0, microsecond=0)
    world = World(options.residents, options.seed, start, options.speed, care_home=True)
    beside = path.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(world))
    beside.rename(path)
    return world


def _settings(folder: Path, server: supervisor.Server, passwords: vault.Vault, port: int, mqtt_port: int) -> Settings:
    recorded = folder / "recordings"
    recorded.mkdir(mode=0o700, exist_ok=True)
    return Settings.model_validate(
        {
            "DATABASE_URL": server.url("telehealth_app"),
            "MQTT_URL": f"mqtt://{rules.SERVICE}:{passwords('broker account')}@{HOST}:{mqtt_port}",
            "host": HOST,
            "port": port,
            # Whatever the environment says for a service of its own.
            "public_url": None,
            "links_url": f"http://{HOST}:{port}",
            "tls_certificate": None,
            "tls_key": None,
            "trusted_proxies": "",
            "recordings_dir": str(recorded),
            "recording_keys": base64.b64encode(hashlib.sha256(passwords("recording key").encode()).digest()).decode(),
        }
    )


def _tell_commands(folder: Path, settings: Settings) -> None:
    """What other commands of telehealth need to work on this demo, as lines that a shell reads; for its owner alone."""
    secrets = {"DATABASE_URL": settings.database_url, "TELEHEALTH_RECORDING_KEYS": settings.recording_keys}
    lines = {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}
    lines["TELEHEALTH_RECORDINGS_DIR"] = settings.recordings_dir or ""
    lines["TELEHEALTH_LINKS_URL"] = settings.links_url or ""
    beside = folder / "environment.new"
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{name}={shlex.quote(value)}\n" for name, value in lines.items())
    beside.rename(folder / "environment")


async def _read_clock(parts: main.Parts) -> None:
    async with parts.database.transaction(db.service("demo"), read_only=True) as connection:
        parts.clock.step = await clock_row.read(connection)


def _lookup(database: Database) -> embedded.Lookup:
    async def lookup(device_id: str) -> str | None:
        try:
            async with database.transaction(db.service("broker"), read_only=True) as connection:
                return await credentials.of_device(connection, device_id)
        except db.AWAY as error:
            raise Unavailable("the database is away") from error

    return lookup


def _free(port: int, option: str) -> int:
    """The port, or a free one for 0. SettingError if it is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise SettingError(option, f"port {port} cannot be used ({error.strerror}): name another") from None
        return int(probe.getsockname()[1])
