"""The embedded broker, tried by clients that obey and by clients that do not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from telehealth.brokers import embedded
from telehealth.errors import SettingError, Unavailable
from telehealth.model import secrets
from tests.integration.platform import clients
from tests.support import servers

pytestmark = pytest.mark.broker
T = TypeVar("T")

READINGS = "telehealth/v1/ox-1/readings"


@dataclass
class Broker:
    """A running broker and its registry, which a test may change."""

    port: int
    broker: embedded.EmbeddedBroker
    hashes: dict[str, str] = field(default_factory=dict)


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    hashes = {name: secrets.hash_device_password(f"secret of {name}") for name in ("ox-1", "ox-2")}

    async def lookup(device_id: str) -> str | None:
        if "away" in hashes:
            raise Unavailable
        return hashes.get(device_id)

    port = servers.free_port()
    async with embedded.running(port, lookup, "service") as running:
        yield Broker(port, running, hashes)


async def apart(work: Callable[[], T]) -> T:
    """Clients block; the broker runs on this loop."""
    return await asyncio.to_thread(work)


async def test_who_is_admitted(broker: Broker) -> None:
    """Only a device's own password and client id get in; who cannot be looked up now is told to come back."""

    def work() -> None:
        tries = {
            ("ox-1", "secret of ox-1", ""): "",
            ("ox-1", "secret of ox-1", "ox-1"): "",
            ("ox-1", "secret of ox-1", "ox-1.run"): "",
            ("ox-1", "secret of ox-1", "ox-2"): "Client identifier not valid",
            ("ox-1", "secret of ox-1", "telehealth"): "Client identifier not valid",
            ("ox-1", "secret of ox-2", ""): "Bad user name or password",
            ("nobody", "secret of ox-1", ""): "Bad user name or password",
            ("telehealth", "secret of ox-1", ""): "Bad user name or password",
            ("a/b", "x", ""): "Bad user name or password",
            ("ox-1", None, ""): "Not authorized",
            (None, None, ""): "Not authorized",
        }
        for (user, password, client_id), code in tries.items():
            with clients.connected(broker.port, user, password, client_id=client_id) as client:
                assert client.code == code, (user, client_id)
        broker.hashes["away"] = ""
        with clients.connected(broker.port, "ox-1", "secret of ox-1") as client:
            assert client.code == "Server unavailable"

    await apart(work)


async def test_what_reaches_whom(broker: Broker) -> None:
    """A device's topics are its own, for publishing, subscribing, wills and retained status."""

    def work() -> None:
        with (
            clients.connected(broker.port, "telehealth", "service", client_id="live") as service,
            clients.connected(broker.port, "ox-1", "secret of ox-1") as one,
            clients.connected(broker.port, "ox-2", "secret of ox-2") as two,
        ):
            assert service.subscribe("telehealth/v1/+/readings", "telehealth/v1/+/status") == [True, True]
            own = ("telehealth/v1/ox-2/receipts", "telehealth/v1/ox-2/#")
            foreign = ("telehealth/v1/+/receipts", "telehealth/v1/ox-1/receipts", "#", "$SYS/#", "telehealth/v1/#")
            assert two.subscribe(*own, *foreign) == [True, True, *[False] * len(foreign)]
            for topic in ("telehealth/v1/ox-2/readings", "telehealth/v1/ox-2/receipts", "elsewhere", "$SYS/x"):
                one.publish(topic, b"forged")
            one.publish("telehealth/v1/ox-2/status", b"forged", retain=True)
            one.publish("telehealth/v1/ox-1/status", b"on", retain=True)
            assert service.next() == ("telehealth/v1/ox-1/status", b"on", False)
            service.publish("telehealth/v1/ox-2/receipts", b"receipt")
            assert two.next() == ("telehealth/v1/ox-2/receipts", b"receipt", False)
        with clients.connected(broker.port, "telehealth", "service") as later:
            later.subscribe("telehealth/v1/+/status")
            assert later.next() == ("telehealth/v1/ox-1/status", b"on", True)
            for name, topic in (("ox-1", "telehealth/v1/ox-2/status"), ("ox-2", "telehealth/v1/ox-2/status")):
                with clients.connected(
                    broker.port, name, f"secret of {name}", topic=topic, payload=name, qos=1, retain=True
                ) as dying:
                    stream = dying.paho.socket()
                    assert isinstance(stream, socket.socket)
                    stream.shutdown(socket.SHUT_RDWR)
                    dying.gone.wait(clients.SECONDS)
            assert later.next() == ("telehealth/v1/ox-2/status", b"ox-2", False)

    await apart(work)


async def test_large_and_broken(broker: Broker) -> None:
    """300 KiB passes, more than 1 MiB and bytes that are not MQTT end the connection; others go on."""

    def work() -> None:
        with clients.connected(broker.port, "telehealth", "service") as service:
            service.subscribe("telehealth/v1/+/readings")
            with clients.connected(broker.port, "ox-1", "secret of ox-1") as device:
                device.publish(READINGS, b"x" * 300_000)
                assert len(service.next()[1]) == 300_000
                device.paho.publish(READINGS, b"x" * 1_100_000, qos=1)
                assert device.gone.wait(clients.SECONDS)
            for junk in (b"\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\xff\xff", b"\x10\xff\xff\xff\x7f"):
                with socket.create_connection(("127.0.0.1", broker.port), clients.SECONDS) as raw:
                    raw.sendall(junk)
                    assert raw.recv(1) == b""
            for packet in (
                b"\x36\x04\x00\x01a\x00",
                b"\x30\x03\x00\x01#",
                b"\x82\x02\x00\x01",
                b"\x10\x00",
                b"\x62\x01\x00",
            ):
                with clients.connected(broker.port, "ox-1", "secret of ox-1") as device:
                    stream = device.paho.socket()
                    assert isinstance(stream, socket.socket)
                    stream.sendall(packet)
                    assert device.gone.wait(clients.SECONDS), packet
            with clients.connected(broker.port, "ox-1", "secret of ox-1") as device:
                device.publish(READINGS, b"good")
                assert service.next() == (READINGS, b"good", False)

    await apart(work)


async def test_a_stranger_cannot_touch_a_session(broker: Broker) -> None:
    """Somebody with a wrong password, or another device, leaves a connected device as it is."""

    def work() -> None:
        with clients.connected(broker.port, "ox-1", "secret of ox-1", client_id="ox-1", clean=False) as device:
            device.subscribe("telehealth/v1/ox-1/receipts")
            for user, password in (("ox-1", "wrong"), ("ox-2", "secret of ox-2"), (None, None)):
                with clients.connected(broker.port, user, password, client_id="ox-1") as intruder:
                    assert intruder.code
            with clients.connected(broker.port, "telehealth", "service") as service:
                service.publish("telehealth/v1/ox-1/receipts", b"still here")
            assert device.next()[1] == b"still here"
            assert not device.gone.is_set()

    await apart(work)


async def test_keeps_a_session(broker: Broker) -> None:
    """What comes while a device is away waits for it; a second connection of a session replaces the first."""

    def work() -> None:
        topic = "telehealth/v1/ox-1/receipts"
        with clients.connected(broker.port, "ox-1", "secret of ox-1", client_id="ox-1", clean=False) as device:
            device.subscribe(topic)
        with clients.connected(broker.port, "telehealth", "service") as service:
            service.publish(topic, b"1")
            with clients.connected(broker.port, "ox-1", "secret of ox-1", client_id="ox-1", clean=False) as device:
                assert device.next() == (topic, b"1", False)
                with clients.connected(broker.port, "ox-1", "secret of ox-1", client_id="ox-1", clean=False) as newer:
                    assert device.gone.wait(clients.SECONDS)
                    service.publish(topic, b"2")
                    assert newer.next() == (topic, b"2", False)

    await apart(work)


async def test_loses_nothing_that_it_acknowledged(broker: Broker) -> None:
    """2,000 messages of clients that leave at once all arrive."""

    def work() -> None:
        with clients.connected(broker.port, "telehealth", "service") as service:
            service.subscribe("telehealth/v1/+/readings")
            for round_ in range(4):
                with clients.connected(broker.port, "ox-1", "secret of ox-1") as device:
                    sent = [device.paho.publish(READINGS, f"{round_}/{index}", qos=1) for index in range(500)]
                    sent[-1].wait_for_publish(clients.SECONDS)
            found = [service.next()[1].decode() for _ in range(2000)]
        assert found == [f"{round_}/{index}" for round_ in range(4) for index in range(500)]

    await apart(work)


async def test_revoking_hangs_up(broker: Broker) -> None:
    """A device that is revoked while connected is disconnected and refused; the others stay."""
    connected, revoked = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        with (
            clients.connected(broker.port, "ox-1", "secret of ox-1") as one,
            clients.connected(broker.port, "ox-2", "secret of ox-2") as two,
        ):
            loop.call_soon_threadsafe(connected.set)
            asyncio.run_coroutine_threadsafe(revoked.wait(), loop).result(clients.SECONDS)
            assert one.gone.wait(clients.SECONDS)
            with clients.connected(broker.port, "ox-1", "secret of ox-1") as again:
                assert again.code == "Bad user name or password"
            assert not two.gone.is_set()

    async with asyncio.TaskGroup() as group:
        group.create_task(apart(work))
        await connected.wait()
        del broker.hashes["ox-1"]
        await broker.broker.recheck("ox-1")
        revoked.set()


async def test_a_port_in_use_is_one_line(broker: Broker) -> None:
    async def nobody(_device_id: str) -> str | None:
        return None

    with pytest.raises(SettingError, match=f"--mqtt-port: port {broker.port} is in use"):
        async with embedded.running(broker.port, nobody, "service"):
            pass


async def test_devices_that_are_back_before_the_service(broker: Broker) -> None:
    """After a restart nothing is acknowledged that would reach nobody: it waits until the service has subscribed."""
    wanted = "telehealth/v1/+/readings"
    port = servers.free_port()

    async def lookup(device_id: str) -> str | None:
        return broker.hashes.get(device_id)

    def work() -> None:
        with clients.connected(port, "ox-1", "secret of ox-1") as device:
            early = device.paho.publish(READINGS, b"early", qos=1)
            with clients.connected(port, "telehealth", "service") as service:
                assert not early.is_published()
                service.subscribe(wanted)
                assert service.next() == (READINGS, b"early", False)
                early.wait_for_publish(clients.SECONDS)

    async with embedded.running(port, lookup, "service", awaited=(wanted,)):
        await apart(work)
