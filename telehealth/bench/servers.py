"""Servers of the benchmark's own: PostgreSQL as the demo runs it (durable), Mosquitto on a free port."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from telehealth import clock
from telehealth.errors import SettingError, Unavailable
from telehealth.model.health import Health
from telehealth.postgres import place, supervisor
from telehealth.store import migrate

#: Enough queue for the preload, and no limit of its own on what is under way: the client's receive maximum counts.
MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 0
set_tcp_nodelay true
log_type error
"""


@dataclass(frozen=True)
class Mosquitto:
    port: int
    version: str

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[str]:
    """A migrated database; its address for the application's role."""
    await asyncio.to_thread(folder.mkdir, mode=0o755)
    try:
        async with supervisor.running(folder, lambda purpose: f"bench-{purpose.replace(' ', '-')}", Health()) as server:
            await migrate.migrate(server.url("telehealth_owner"))
            yield server.url("telehealth_app")
    finally:
        # As root the cluster may be outside the folder.
        await asyncio.to_thread(lambda: shutil.rmtree(place.find(folder).home, ignore_errors=True))


@contextlib.asynccontextmanager
async def mosquitto(folder: Path) -> AsyncIterator[Mosquitto]:
    """A fresh Mosquitto. Raises SettingError when it is not installed."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise SettingError("mosquitto", "is not installed: apt-get install mosquitto")
    port = free_port()
    configuration = folder / "mosquitto.conf"
    text = MOSQUITTO.format(port=port)
    # As root it would become an account that may not read our folder.
    configuration.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    version = await _version(program)
    process = await asyncio.create_subprocess_exec(program, "-c", str(configuration), stderr=asyncio.subprocess.DEVNULL)
    try:
        await _listens(port, process)
        yield Mosquitto(port, version)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _version(program: str) -> str:
    process = await asyncio.create_subprocess_exec(program, "-h", stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return said.decode().split("\n", 1)[0].rpartition(" ")[2]


async def _listens(port: int, process: asyncio.subprocess.Process) -> None:
    deadline = clock.monotonic() + 10
    while clock.monotonic() < deadline and process.returncode is None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise Unavailable("Mosquitto does not start")
