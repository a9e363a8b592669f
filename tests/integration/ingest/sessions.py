"""A running ingest, devices that talk to it, and a database that can be taken away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from paho.mqtt.enums import MQTTProtocolVersion

from telehealth import config
from telehealth.clock import ClinicalClock, Step
from telehealth.ingest import address, mqtt, service
from telehealth.model.health import Health
from telehealth.store.db import Database
from tests.integration.ingest import wards


@dataclass(frozen=True)
class Broker:
    """Where a broker is, with the service's and every device's credentials (None: anybody may)."""

    port: int
    passwords: Mapping[str, str] = field(default_factory=dict)
    protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5

    def url(self, user: str) -> str:
        password = self.passwords.get(user)
        who = "" if password is None else f"{quote(user, safe='')}:{quote(password, safe='')}@"
        return f"mqtt://{who}127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def ingest(
    database: Database, broker: Broker, *, user: str = "telehealth", virtual: bool = False, **settings: Any
) -> AsyncIterator[Health]:
    """The ingest role, connected, inside the block. Settings by their own names; virtual: time stands at NOW."""
    health = Health()
    clock = ClinicalClock(Step(wards.NOW, wards.NOW) if virtual else None)
    wanted = config.from_environment({"MQTT_URL": broker.url(user), **settings})
    async with asyncio.TaskGroup() as group:
        task = group.create_task(service.run(settings=wanted, database=database, clock=clock, health=health))
        await until(lambda: health.parts().get("broker", "") is None)
        yield health
        task.cancel()


async def until(true: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait for something that has no event of its own."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.01)


class Device:
    """A device's session: publishes, and gathers what it is answered."""

    def __init__(self, device_id: str) -> None:
        self.device_id = device_id
        self.receipts: list[Any] = []
        self._connection: mqtt.Connection | None = None
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def connected(self, broker: Broker) -> AsyncIterator[Device]:
        async with mqtt.connect(
            address.parse(broker.url(self.device_id)),
            [f"telehealth/v1/{self.device_id}/receipts"],
            client_id=self.device_id,
            window=100,
            protocol=broker.protocol,
            received=self._received,
            sent=lambda: None,
        ) as self._connection:
            yield self

    def _received(
        self, connection: mqtt.Connection, topic: bytes, payload: bytes, mid: int, qos: int, retain: bool
    ) -> None:
        connection.acknowledge(mid, qos)
        self.receipts.append(msgspec.json.decode(payload))
        self._changed.set()

    def publish(self, payload: bytes, channel: str = "readings", *, retain: bool = False) -> None:
        assert self._connection is not None
        self._connection.publish(f"telehealth/v1/{self.device_id}/{channel}", payload, retain=retain)

    async def answered(self, true: Callable[[Any], object], *, seconds: float = 20) -> Any:
        """The first receipt of which this is true, as soon as there is one."""
        async with asyncio.timeout(seconds):
            while True:
                self._changed.clear()
                for receipt in self.receipts:
                    if true(receipt):
                        return receipt
                await self._changed.wait()


class Gate:
    """A way to PostgreSQL that can be shut."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = True
        self.port = 0

    @property
    def url(self) -> str:
        user = self._target.netloc.rpartition("@")[0]
        return urlunsplit(self._target._replace(netloc=f"{user}@127.0.0.1:{self.port}"))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Gate]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.shut()
            self._server.close()
            # connections that were cut still end
            await asyncio.sleep(0.05)

    def shut(self) -> None:
        """Cut every connection and refuse new ones."""
        self._open = False
        for writer in list(self._writers):
            writer.transport.abort()

    def open(self) -> None:
        self._open = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        upstream_reader, upstream = await asyncio.open_connection(self._target.hostname, self._target.port)
        both = {writer, upstream}
        self._writers |= both
        try:
            await asyncio.gather(_pump(reader, upstream), _pump(upstream_reader, writer))
        finally:
            self._writers -= both
            for each in both:
                each.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
