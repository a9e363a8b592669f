"""The whole service in processes that can be killed: PostgreSQL, Mosquitto with persistence, two services."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from telehealth.bench import servers
from telehealth.model.health import Health
from telehealth.postgres import place, supervisor
from telehealth.store import migrate

_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 5
max_queued_messages 100000
max_inflight_messages 0
set_tcp_nodelay true
log_type error
"""
_ROLES = {"one": "ingest,alerting", "two": "ingest,alerting,web"}


class Broker:
    """Mosquitto; what it acknowledged since its last save dies with it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port = servers.free_port()
        self._configuration = folder / "mosquitto.conf"
        text = _MOSQUITTO.format(port=self.port, folder=folder)
        self._configuration.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            "/usr/sbin/mosquitto", "-c", str(self._configuration), stderr=asyncio.subprocess.DEVNULL
        )
        await _listens(self.port)

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.wait()


class Service:
    """One process of the service."""

    def __init__(self, name: str, environment: dict[str, str], log: Path) -> None:
        self.name = name
        self._environment = environment
        self._log = log
        self.process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """And again whenever it ends by itself, as a supervisor would: it does where there is no database."""
        await self._launch()
        self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while self.process is not None:
            await self.process.wait()
            await asyncio.sleep(0.5)
            if self.process is not None:
                await self._launch()

    async def _launch(self) -> None:
        with self._log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "telehealth", "serve", "--roles", _ROLES[self.name]),
                env=os.environ | self._environment,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=out,
            )

    async def kill(self) -> None:
        process, self.process = self.process, None
        if self._keeper is not None:
            self._keeper.cancel()
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)


@dataclass
class Stack:
    """Everything that can be hurt."""

    folder: Path
    app_url: str
    broker: Broker
    services: dict[str, Service] = field(default_factory=dict)
    #: Added to the service's clock, in seconds; read by every process.
    offset: Path | None = None

    def kill_database(self) -> None:
        """SIGKILL to the postmaster; its supervisor, in this process, starts it again."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._postmaster(), signal.SIGKILL)

    async def stall_database(self, seconds: float) -> None:
        """Every process of it stands still, connections stay open."""
        postmaster = self._postmaster()
        pids = [postmaster, *_children(postmaster)]
        _signal_all(pids, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            _signal_all(reversed(pids), signal.SIGCONT)

    def step_clock(self, seconds: int) -> None:
        """The services' clocks jump."""
        assert self.offset is not None
        beside = self.offset.with_suffix(".new")
        beside.write_text(f"{seconds:+d}\n")
        beside.rename(self.offset)

    def _postmaster(self) -> int:
        cluster = place.find(self.folder / "pg").cluster
        return int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])


@contextlib.asynccontextmanager
async def running(folder: Path, socket_path: Path, faketime: Path) -> AsyncIterator[Stack]:
    """Servers are up; services are made but not started."""
    async with _postgres(folder / "pg") as app_url:
        broker = Broker(folder / "mqtt")
        offset = folder / "clock"
        offset.write_text("+0\n")
        stack = Stack(folder, app_url, broker, offset=offset)
        for name in _ROLES:
            environment = {
                "DATABASE_URL": app_url,
                "MQTT_URL": f"mqtt://127.0.0.1:{broker.port}",
                "TELEHEALTH_PORT": str(servers.free_port()),
                "TELEHEALTH_FAILPOINTS": str(socket_path),
                "LD_PRELOAD": str(faketime),
                "FAKETIME_TIMESTAMP_FILE": str(offset),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            stack.services[name] = Service(name, environment, folder / f"{name}.log")
        await broker.start()
        try:
            yield stack
        finally:
            for service in stack.services.values():
                await service.kill()
            await broker.kill()


@contextlib.asynccontextmanager
async def _postgres(folder: Path) -> AsyncIterator[str]:
    """As the demo's: started again whenever it dies."""
    await asyncio.to_thread(folder.mkdir, mode=0o755)
    try:
        async with supervisor.running(folder, lambda purpose: f"chaos-{purpose.replace(' ', '-')}", Health()) as server:
            await migrate.migrate(server.url("telehealth_owner"))
            keeping = asyncio.create_task(server.keep_running())
            try:
                yield server.url("telehealth_app")
            finally:
                keeping.cancel()
    finally:
        # As root the cluster may be outside the folder.
        await asyncio.to_thread(lambda: shutil.rmtree(place.find(folder).home, ignore_errors=True))


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def _signal_all(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def _listens(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


async def until(true: Callable[[], object], *, seconds: float) -> None:
    """Wait for something that has no event of its own. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.02)
