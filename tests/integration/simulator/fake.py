"""A stand-in for the service: takes readings from a real broker and answers receipts; steps a clock over HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt
from aiohttp import web
from paho.mqtt.enums import CallbackAPIVersion

from devices import native, receipts
from devices.message import Message, Reading

TOKEN = "control"


@dataclass
class Delivery:
    """One message as it came."""

    device_id: str
    lane: str
    payload: bytes
    message: Message


@dataclass
class FakeService:
    """answering: whether receipts are sent; what comes meanwhile is settled, but nobody is told."""

    answering: bool = True
    deliveries: list[Delivery] = field(default_factory=list)
    statuses: list[tuple[str, bytes]] = field(default_factory=list)
    stored: dict[Any, Reading] = field(default_factory=dict)
    came: threading.Event = field(default_factory=threading.Event)
    settled: dict[tuple[str, str], receipts.Ranges] = field(default_factory=dict)
    virtual: datetime | None = None
    advanced: list[datetime] = field(default_factory=list)
    #: Whether time that is real may become virtual.
    may_turn: bool = False

    def time_is_real(self) -> bool:
        return self.virtual is None

    def take(self, client: mqtt.Client, topic: str, payload: bytes) -> None:
        _, _, device_id, lane = topic.split("/")[:4]
        if lane == "status":
            self.statuses.append((device_id, payload))
            return
        message = native.decode(device_id, payload)
        self.deliveries.append(Delivery(device_id, lane, payload, message))
        assert message.stream is not None
        assert message.seq is not None
        for reading in message.readings:
            self.stored[(device_id, reading.identity, reading.value_key)] = reading
        name = (device_id, message.stream)
        self.settled[name] = receipts.settle(self.settled.get(name, ()), [message.seq], message.oldest).settled
        if self.answering:
            refused = [
                receipts.Refused(r.error, r.detail, seq=message.seq, index=r.index, field=r.field)
                for r in message.refusals
            ]
            answer = receipts.receipt(
                message.stream, self.settled[name], datetime.now(UTC), answered=[message.seq], refused=refused
            )
            client.publish(f"telehealth/v1/{device_id}/receipts", answer.encode(), qos=1)
        self.came.set()

    def application(self) -> web.Application:
        async def advance(request: web.Request) -> web.Response:
            if request.headers.get("Authorization") != f"Bearer {TOKEN}":
                return web.Response(status=401)
            to = (await request.json())["to"]
            if to == "virtual" and self.may_turn:
                self.virtual = self.virtual or datetime.now(UTC)
                return web.json_response({"at": self.virtual.isoformat()})
            if self.virtual is None:
                return web.Response(status=409)
            if to == "real":
                self.virtual = None
                return web.json_response({})
            if to is not None:
                self.virtual = datetime.fromisoformat(to)
                self.advanced.append(self.virtual)
            return web.json_response({"at": self.virtual.isoformat()})

        app = web.Application()
        app.router.add_post("/api/v1/clock/advance", advance)
        return app

    @contextlib.asynccontextmanager
    async def http(self) -> AsyncIterator[str]:
        runner = web.AppRunner(self.application())
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@contextlib.contextmanager
def service(port: int, username: str | None = None, password: str | None = None) -> Iterator[FakeService]:
    """Connected and subscribed."""
    fake = FakeService()
    ready = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=username or "service")
    if username is not None:
        client.username_pw_set(username, password)
    client.max_inflight_messages_set(65535)
    client.on_socket_open = without_delay
    client.on_connect = lambda c, *_: c.subscribe([(f"telehealth/v1/+/{lane}", 1) for lane in LANES])
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda c, _data, message: fake.take(c, message.topic, bytes(message.payload))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert ready.wait(10)
        yield fake
    finally:
        client.disconnect()
        client.loop_stop()


LANES = ("readings", "backlog", "status")


def without_delay(_client: object, _data: object, opened: Any) -> None:
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
