"""The service in processes of its own, as an operator starts it, and what they take of memory."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from telehealth import clock, config
from telehealth.bench import publisher, servers
from telehealth.errors import Unavailable
from telehealth.ingest import places

#: Of ingest; as the settings have it unless told otherwise.
_SLOTS = int(config.Settings.model_fields["ingest_slots"].default)
_SAMPLE_SECONDS = 0.25


@dataclass
class Service:
    """port: of its HTTP. most_bytes: of resident memory, so far."""

    process: asyncio.subprocess.Process
    port: int
    most_bytes: int = 0

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def measure(self) -> None:
        """Look at its memory. Does nothing once it has ended."""
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            found = next(line for line in lines if line.startswith("VmRSS:"))
            self.most_bytes = max(self.most_bytes, int(found.split()[1]) * 1024)


@contextlib.asynccontextmanager
async def serving(url: str, broker: servers.Mosquitto, *, roles: str = "ingest,alerting,web") -> AsyncIterator[Service]:
    """`telehealth serve`, ready, until the block ends; its memory is watched meanwhile."""
    port = servers.free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telehealth", "serve", "--port", str(port), "--roles", roles),
        env=os.environ | {"DATABASE_URL": url, "MQTT_URL": broker.url, "TELEHEALTH_LOG_LEVEL": "error"},
    )
    async with watched(process, port, answers="web" in roles) as service:
        yield service


@contextlib.asynccontextmanager
async def watched(process: asyncio.subprocess.Process, port: int, *, answers: bool = True) -> AsyncIterator[Service]:
    """A service that was started, once it is ready; its memory is watched until it is ended with the block."""
    service = Service(process, port)
    try:
        if answers:
            await ready(service)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(service))
            try:
                yield service
            finally:
                watching.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def ready(service: Service) -> None:
    """Until it says that everything works. Raises Unavailable."""
    async with aiohttp.ClientSession() as session:
        for _ in _pauses(30):
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{service.url}/readyz") as response:
                    if response.status == 200:
                        return
            if not service.alive:
                break
            await asyncio.sleep(0.1)
    raise Unavailable("the service does not become ready")


def sessions() -> list[places.Place]:
    """The service's sessions at the broker, as it finds them: it gives their shares its own name."""
    groups = (places.FORMER_GROUP,)
    return [place for number in range(_SLOTS) for place in places.of_slot(places.slot(number), groups)]


async def forget_sessions(broker: servers.Mosquitto) -> None:
    """End the service's sessions, so that the next begins with nothing."""
    for place in sessions():
        await publisher.forget(broker.port, place.client_id)


async def _watch(service: Service) -> None:
    while service.alive:
        service.measure()
        await asyncio.sleep(_SAMPLE_SECONDS)


def _pauses(seconds: float) -> Iterator[None]:
    deadline = clock.monotonic() + seconds
    while clock.monotonic() < deadline:
        yield
